//! What a server's processes take from the machine, all of them together.

use super::tree::group;
use procfs::process::Process;

/// The footprint of a process group at one time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Footprint {
    /// Open descriptors of all processes.
    pub(super) descriptors: usize,
    /// Memory that is backed by no file (RssAnon of proc(5)), in bytes, of all processes: heaps and stacks.
    pub(super) memory: u64,
    /// How often a thread has begun to wait (`voluntary_ctxt_switches` of proc(5)), of all threads.
    pub(super) waits: u64,
}

impl Footprint {
    /// The group of the process `leader`, now. A process or thread that ends meanwhile is left out.
    pub(super) fn of(leader: i32) -> Self {
        let members = group(leader).into_iter().filter_map(|stat| Process::new(stat.pid).ok());
        members.fold(Self { descriptors: 0, memory: 0, waits: 0 }, |sum, process| Self {
            descriptors: sum.descriptors + process.fd_count().unwrap_or(0),
            memory: sum.memory + anonymous(&process),
            waits: sum.waits + waits(&process),
        })
    }
}

fn anonymous(process: &Process) -> u64 {
    process.status().ok().and_then(|status| status.rssanon).unwrap_or(0) * 1024
}

fn waits(process: &Process) -> u64 {
    let Ok(tasks) = process.tasks() else { return 0 };
    tasks
        .flatten()
        .filter_map(|task| task.status().ok())
        .map(|status| status.voluntary_ctxt_switches.unwrap_or(0))
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::CommandExt;
    use std::process::{Child, Command, Stdio};
    use std::time::{Duration, Instant};

    fn shell(script: &str, group: i32) -> Child {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]).stdin(Stdio::piped()).process_group(group).spawn().expect("a shell")
    }

    /// Protects the probes of leaks and of polling, which would pass for ever if a footprint saw nothing, or
    /// the first process alone: a second one adds its descriptors and memory, and one that sleeps again and
    /// again its waits.
    #[test]
    fn every_process_of_the_group_is_counted() {
        let mut first = shell("read line", 0);
        let leader = first.id() as i32;
        let alone = Footprint::of(leader);
        let mut second = shell("while kill -0 $PPID 2>/dev/null; do sleep 0.01; done", leader);
        let start = Instant::now();
        let grown = |now: Footprint| {
            now.descriptors > alone.descriptors && now.memory > alone.memory && now.waits > alone.waits
        };
        while !grown(Footprint::of(leader)) && start.elapsed().as_secs() < 20 {
            std::thread::sleep(Duration::from_millis(10));
        }
        let both = Footprint::of(leader);
        let _ =
            nix::sys::signal::killpg(nix::unistd::Pid::from_raw(leader), nix::sys::signal::Signal::SIGKILL);
        first.wait().expect("our child");
        second.wait().expect("our child");
        assert!(alone.descriptors > 0 && grown(both), "{alone:?} {both:?}");
    }
}
