//! Who made the calls: processes and their threads, by names that stay the same from run to run.

use crate::strace::{Call, Trace, string};
use std::collections::HashMap;

/// A thread, or a process with one thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Task {
    /// The kernel's number.
    pub(crate) id: i32,
    /// The number of its process.
    pub(crate) process: i32,
    /// The process that made it; its own for a thread.
    maker: i32,
    /// Whether its process is the one that listens, or descends from it: a shell may have started that one.
    pub(crate) is_server: bool,
    /// When it was made, in µs since 1970; the first one when it made its first call.
    pub(crate) begun: i64,
    /// When it ended.
    pub(crate) ended: Option<i64>,
    /// `main`, `worker 1`, `child 2`.
    pub(crate) name: String,
}

/// All tasks of a trace, in the order in which they were made.
pub(crate) fn tasks(trace: &Trace) -> Vec<Task> {
    let Some(first) = trace.calls.first() else { return Vec::new() };
    let task = |id, process, maker, begun| Task {
        id,
        process,
        maker,
        is_server: false,
        begun,
        ended: None,
        name: String::new(),
    };
    let mut tasks = vec![task(first.task, first.task, first.task, first.start)];
    for call in trace.calls.iter().filter(|call| is_clone(call)) {
        let Some(id) = call.value().and_then(|id| i32::try_from(id).ok()).filter(|&id| id > 0) else {
            continue;
        };
        let maker = tasks.iter().find(|task| task.id == call.task).map_or(call.task, |task| task.process);
        let process = if call.args.contains("CLONE_THREAD") { maker } else { id };
        tasks.push(task(id, process, maker, call.start));
    }
    for &(id, at) in &trace.ends {
        tasks.iter_mut().filter(|task| task.id == id).for_each(|task| task.ended = Some(at));
    }
    mark_servers(&mut tasks, trace);
    name(&mut tasks, trace);
    tasks
}

/// The first process that listens is the server, with all that it makes.
fn mark_servers(tasks: &mut [Task], trace: &Trace) {
    let listens = |call: &&Call| matches!(call.name.as_str(), "listen" | "accept" | "accept4");
    let listener = trace.calls.iter().find(listens).map(|call| call.task);
    let first =
        tasks.iter().find(|task| Some(task.id) == listener).or(tasks.first()).map(|task| task.process);
    let mut servers: Vec<i32> = first.into_iter().collect();
    // In the order in which they were made: a maker stands before what it made.
    for task in tasks.iter_mut() {
        task.is_server = servers.contains(&task.process) || servers.contains(&task.maker);
        if task.is_server && !servers.contains(&task.process) {
            servers.push(task.process);
        }
    }
}

fn is_clone(call: &Call) -> bool {
    matches!(call.name.as_str(), "clone" | "clone3" | "fork" | "vfork")
}

/// Names a process by its place among the processes, and a thread by what it calls itself (prctl(2),
/// PR_SET_NAME); several of one name are numbered.
fn name(tasks: &mut [Task], trace: &Trace) {
    let own: HashMap<i32, &str> = trace
        .calls
        .iter()
        .filter(|call| call.name == "prctl" && call.argument(0) == "PR_SET_NAME")
        .filter_map(|call| Some((call.task, string(call.arguments().get(1)?)?)))
        .collect();
    let processes: Vec<i32> =
        tasks.iter().filter(|task| task.id == task.process && task.is_server).map(|task| task.id).collect();
    let process_name = |process: i32| match processes.iter().position(|&id| id == process) {
        None => "another process".to_owned(),
        Some(0) if processes.len() > 1 => "parent".to_owned(),
        Some(0) => "main".to_owned(),
        Some(place) => format!("child {place}"),
    };
    let thread_name = |task: &Task| own.get(&task.id).copied().unwrap_or("thread").to_owned();
    let names: Vec<String> = tasks
        .iter()
        .map(|task| {
            if task.id == task.process {
                return process_name(task.process);
            }
            let same = |other: &&Task| {
                other.process == task.process
                    && other.id != other.process
                    && thread_name(other) == thread_name(task)
            };
            let place = tasks.iter().filter(same).position(|other| other.id == task.id).unwrap_or(0);
            let name = match tasks.iter().filter(same).count() {
                1 => thread_name(task),
                _ => format!("{} {}", thread_name(task), place + 1),
            };
            let is_first = Some(&task.process) == processes.first();
            if is_first { name } else { format!("{}, {name}", process_name(task.process)) }
        })
        .collect();
    for (task, name) in tasks.iter_mut().zip(names) {
        task.name = name;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::strace::parse;

    fn names(text: &str) -> Vec<String> {
        tasks(&parse(text.as_bytes())).into_iter().map(|task| task.name).collect()
    }

    /// Protects pages from the numbers of processes, which differ from run to run.
    #[test]
    fn threads_are_named_by_themselves_and_numbered() {
        let text = "70 1.0 clone3({flags=CLONE_VM|CLONE_THREAD} => {parent_tid=[71]}, 88) = 71 <0.1>\n\
                    72 1.1 prctl(PR_SET_NAME, \"worker\") = 0 <0.1>\n\
                    70 1.2 clone3({flags=CLONE_VM|CLONE_THREAD} => {parent_tid=[72]}, 88) = 72 <0.1>\n\
                    71 1.3 prctl(PR_SET_NAME, \"worker\") = 0 <0.1>\n\
                    70 1.4 clone3({flags=CLONE_VM|CLONE_THREAD} => {parent_tid=[73]}, 88) = 73 <0.1>\n\
                    73 1.5 prctl(PR_SET_NAME, \"loop-0\") = 0 <0.1>\n\
                    70 1.6 clone3({flags=CLONE_VM|CLONE_THREAD} => {parent_tid=[74]}, 88) = 74 <0.1>\n";
        assert_eq!(names(text), ["main", "worker 1", "worker 2", "loop-0", "thread"]);
    }

    #[test]
    fn processes_are_numbered_in_the_order_in_which_they_were_made() {
        let text = "70 1.0 clone(child_stack=NULL, flags=SIGCHLD) = 80 <0.1>\n\
                    70 1.1 clone(child_stack=NULL, flags=SIGCHLD) = 75 <0.1>\n\
                    75 1.2 clone3({flags=CLONE_VM|CLONE_THREAD}, 88) = 76 <0.1>\n\
                    70 1.3 fork() = -1 EAGAIN (Resource temporarily unavailable) <0.1>\n\
                    75 1.4 +++ exited with 0 +++\n";
        assert_eq!(names(text), ["parent", "child 1", "child 2", "child 2, thread"]);
        assert_eq!(tasks(&parse(text.as_bytes()))[2].ended, Some(1_400_000));
    }

    /// Protects the pages of commands: the shell in front of a server is no part of it.
    #[test]
    fn what_started_the_server_is_told_from_it() {
        let text = "70 1.0 clone(child_stack=NULL, flags=SIGCHLD) = 71 <0.1>\n\
                    70 1.1 clone(child_stack=NULL, flags=SIGCHLD) = 72 <0.1>\n\
                    72 1.2 listen(3<socket:[9]>, 128) = 0 <0.1>\n\
                    72 1.3 clone3({flags=CLONE_VM|CLONE_THREAD}, 88) = 73 <0.1>\n";
        assert_eq!(names(text), ["another process", "another process", "main", "thread"]);
        let forks = format!("{text}72 1.4 clone(child_stack=NULL, flags=SIGCHLD) = 74 <0.1>\n");
        assert_eq!(names(&forks)[2..], ["parent", "thread", "child 1"]);
    }

    #[test]
    fn an_empty_trace_has_no_task() {
        assert_eq!(names(""), [""; 0]);
    }
}
