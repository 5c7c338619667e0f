//! The system calls of one request, by strace: on a connection of its own and on a kept one. What differs
//! from run to run (numbers of descriptors and processes, ports, addresses, times) is normalised.

use anyhow::{Context, Result, bail};
use lab_core::server_process::Launch;
use lab_core::stages::Stage;
use lab_core::wire::{Connection, Replies, get};
use nix::sys::signal::Signal;
use procfs::process::{Process, all_processes};
use std::collections::BTreeMap;
use std::fs::{read_dir, read_to_string};
use std::io::Write;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// No reply and no rest of a server takes nearly as long, traced and on a busy machine either.
const LIMIT: Duration = Duration::from_secs(30);
/// How far the windows are from what happens in them.
const MARGIN: Duration = Duration::from_millis(20);
/// Calls of the allocator: when it asks the kernel for memory depends on what was allocated before.
const ALLOCATOR: [&str; 6] = ["brk", "madvise", "mmap", "mprotect", "mremap", "munmap"];
/// What a debug build of the standard library asks before it closes a descriptor: whether it is open.
const DEBUG_ASSERTION: &str = "F_GETFD";
/// Calls that are made or not by who comes first to a lock, and by how much of a deadline is left. They are
/// shown, and not compared.
const BY_CHANCE: [&str; 3] = ["futex", "sched_yield", "setsockopt"];

/// A thread or a process, with its calls in the order in which they returned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Task {
    /// In the order of their numbers, from 1: the first is the one that was started.
    pub(crate) number: usize,
    pub(crate) calls: Vec<String>,
}

/// The calls of one request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Calls {
    /// From the client's connection to the reply.
    pub(crate) fresh: Vec<Task>,
    /// From the next request on the same connection to its reply.
    pub(crate) kept: Vec<Task>,
}

/// The name of a call in a line of strace's; empty for what is no call.
pub(crate) fn name(line: &str) -> &str {
    let name = line.split('(').next().unwrap_or_default();
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if line.contains('(') && !name.is_empty() && name.chars().all(is_name) { name } else { "" }
}

/// What of a task is the same in every run: the names of its calls in their order. How many completions one
/// call of io_uring's returns is luck, so several in a row are one.
pub(crate) fn kind(calls: &[String]) -> Vec<&str> {
    let names = calls.iter().map(|line| name(line));
    let mut kind: Vec<&str> = names.filter(|name| !name.is_empty() && !BY_CHANCE.contains(name)).collect();
    kind.dedup_by(|one, other| one == other && *one == "io_uring_enter");
    kind
}

/// Where strace is.
///
/// # Errors
///
/// It is not there, or may not trace: one line.
pub(crate) fn strace() -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found =
        std::env::split_paths(&path).map(|directory| directory.join("strace")).find(|file| file.is_file());
    let strace = found.context("strace is not installed: `./lab setup` installs it")?;
    let mut tried = Command::new(&strace);
    tried.args(["-o", "/dev/null", "true"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    match tried.status() {
        Ok(status) if status.success() => Ok(strace),
        _ => bail!("strace may not trace processes here: `./lab doctor` says what allows it"),
    }
}

/// Records the calls of a stage; one that has workers gets one.
///
/// # Errors
///
/// It cannot be started, does not answer, or does not come to rest.
pub(crate) fn record(stage: &Stage, strace: &Path) -> Result<Calls> {
    let directory = tempfile::tempdir()?;
    let one_worker = ["--workers", "1"].map(str::to_owned);
    let traced = stage.launch(if stage.has_workers { &one_worker } else { &[] });
    let mut launch = Launch::new(strace);
    launch.start_limit = LIMIT;
    launch.args = ["-ff", "-qq", "-ttt", "-T", "-s", "32", "-o"].map(str::to_owned).into();
    launch.args.push(directory.path().join("trace").display().to_string());
    launch.args.push(traced.program.display().to_string());
    launch.args.extend(traced.args);
    if !traced.program.is_file() {
        bail!("{} is not built: run `cargo build --release --workspace --bins`", traced.program.display());
    }
    let mut server = launch.start()?;
    let rest = || at_rest(server.pid());
    rest()?;
    // What is done once only is done before.
    for _ in 0..2 {
        let mut client = TcpStream::connect(server.addr)?;
        ask(&mut client)?;
        rest()?;
        drop(client);
        rest()?;
    }
    let begin = instant();
    // The server comes to rest before the request leaves: whether one event or two report them would be luck.
    let mut client = TcpStream::connect(server.addr)?;
    rest()?;
    ask(&mut client)?;
    rest()?;
    let middle = instant();
    ask(&mut client)?;
    rest()?;
    let end = instant();
    drop(client);
    server.signal_group(Signal::SIGTERM);
    server.wait(LIMIT);
    drop(server);
    let files = traces(directory.path())?;
    let mut names = Names::default();
    Ok(Calls {
        fresh: window(&files, (begin, middle), &mut names),
        kept: window(&files, (middle, end), &mut names),
    })
}

/// Now, as strace counts: seconds since 1970.
fn instant() -> f64 {
    sleep(MARGIN);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    sleep(MARGIN);
    now
}

fn ask(client: &mut TcpStream) -> Result<()> {
    client.write_all(get("/", "localhost", Connection::Kept).as_ref())?;
    // Nothing comes behind a reply that was asked for alone.
    let reply = Replies::default().next(client, LIMIT)?;
    if reply.status != 200 {
        bail!("it answered {}", reply.status);
    }
    Ok(())
}

/// Waits until every thread of the server, and strace, sleeps in a call that waits for something.
fn at_rest(root: i32) -> Result<()> {
    /// A thread that another has just woken does not sleep, so one look could do; two are sure.
    const LOOKS: usize = 3;
    let (start, mut looks) = (Instant::now(), 0);
    while start.elapsed() < LIMIT {
        looks = if is_asleep(root) { looks + 1 } else { 0 };
        if looks == LOOKS {
            return Ok(());
        }
        sleep(MARGIN);
    }
    bail!("the server did not come to rest within {LIMIT:?}")
}

fn is_asleep(root: i32) -> bool {
    let Ok(all) = all_processes() else { return false };
    let all: Vec<(Process, i32)> = all
        .flatten()
        .filter_map(|process| Some((process.stat().ok()?.ppid, process)))
        .map(|(p, q)| (q, p))
        .collect();
    let mut tree = vec![root];
    let mut at = 0;
    while at < tree.len() {
        let parent = tree[at];
        tree.extend(all.iter().filter(|(_, ppid)| *ppid == parent).map(|(process, _)| process.pid));
        at += 1;
    }
    let sleeps = |process: &Process| {
        let Ok(tasks) = process.tasks() else { return false };
        tasks.flatten().all(|task| task.stat().is_ok_and(|stat| stat.state == 'S'))
    };
    let mut processes = all.iter().filter(|(process, _)| tree.contains(&process.pid));
    tree.len() > 1 && processes.all(|(process, _)| sleeps(process))
}

/// What strace wrote of each task, by the tasks' numbers.
fn traces(directory: &Path) -> Result<Vec<String>> {
    let mut traces = BTreeMap::new();
    for entry in read_dir(directory)? {
        let path = entry?.path();
        let number = path.extension().and_then(|number| number.to_str()?.parse::<u32>().ok());
        if let Some(number) = number {
            traces.insert(number, read_to_string(&path)?);
        }
    }
    Ok(traces.into_values().collect())
}

/// The calls that returned between two instants, by task.
fn window(traces: &[String], window: (f64, f64), names: &mut Names) -> Vec<Task> {
    let of = |(at, trace): (usize, &String)| {
        let lines = trace.lines().filter_map(|line| returned(line, window));
        let lines = lines.filter(|line| !is_noise(line));
        let calls: Vec<String> = lines.map(|line| names.normal(line)).collect();
        (!calls.is_empty()).then_some(Task { number: at + 1, calls })
    };
    traces.iter().enumerate().filter_map(of).collect()
}

/// A line without its times, if its call returned in the window. strace names the second in which a call
/// began and, at its end, how long it took.
fn returned(line: &str, (begin, end): (f64, f64)) -> Option<&str> {
    let (time, rest) = line.split_once(' ')?;
    let time: f64 = time.parse().ok()?;
    let took = rest.rsplit_once(" <").and_then(|(_, took)| took.strip_suffix('>')?.parse::<f64>().ok());
    let at = time + took.unwrap_or(0.0);
    let call = if took.is_some() { rest.rsplit_once(" <").map_or(rest, |(call, _)| call) } else { rest };
    (begin..end).contains(&at).then_some(call.trim())
}

/// A look at the clock of the loop, and what the allocator does.
fn is_noise(line: &str) -> bool {
    let is_wait = ["epoll_wait", "epoll_pwait", "epoll_pwait2", "poll", "ppoll"].contains(&name(line));
    is_wait && ["= 0", "= 0 (Timeout)"].iter().any(|end| line.ends_with(end))
        || line.contains("ETIMEDOUT")
        || line.contains("ETIME ")
        || ALLOCATOR.contains(&name(line))
        || line.contains(DEBUG_ASSERTION)
}

/// The descriptors that have a name already, by their numbers.
#[derive(Debug, Default)]
struct Names(Vec<u32>);

impl Names {
    fn descriptor(&mut self, number: &str) -> String {
        let Ok(value) = number.trim().parse::<u32>() else { return number.to_owned() };
        let at = self.0.iter().position(|other| *other == value).unwrap_or_else(|| {
            self.0.push(value);
            self.0.len() - 1
        });
        format!("fd{}", at + 1)
    }

    /// A line in which nothing is left that another run would have otherwise.
    fn normal(&mut self, line: &str) -> String {
        if let Some(rest) = line.strip_prefix("--- ") {
            return format!("--- {} ---", rest.split(' ').next().unwrap_or_default());
        }
        let call = name(line).to_owned();
        let line = without(line, ", data={", '}');
        let line = replaced(&line, "htons(", |c| c.is_ascii_digit(), "PORT");
        let line = replaced(&line, "0x", |c| c.is_ascii_hexdigit(), "…");
        let line = replaced(&line, "tv_sec=", |c| c.is_ascii_digit(), "…");
        let line = replaced(&line, "tv_nsec=", |c| c.is_ascii_digit(), "…");
        let Some((head, tail)) = line.split_once('(') else { return line };
        let Some((inside, result)) = tail.rsplit_once(") ") else { return line };
        let mut arguments: Vec<String> = inside.split(", ").map(str::to_owned).collect();
        const FIRST: [&str; 30] = [
            "accept",
            "accept4",
            "bind",
            "close",
            "connect",
            "epoll_ctl",
            "epoll_pwait",
            "epoll_wait",
            "fcntl",
            "fstat",
            "getpeername",
            "getsockname",
            "getsockopt",
            "io_uring_enter",
            "ioctl",
            "listen",
            "read",
            "readv",
            "recvfrom",
            "recvmsg",
            "sendfile",
            "sendmsg",
            "sendto",
            "setsockopt",
            "shutdown",
            "write",
            "writev",
            "epoll_pwait2",
            "dup",
            "timerfd_settime",
        ];
        const MAKES: [&str; 9] = [
            "accept",
            "accept4",
            "dup",
            "epoll_create1",
            "eventfd2",
            "openat",
            "signalfd4",
            "socket",
            "timerfd_create",
        ];
        const PROCESSES: [&str; 9] =
            ["clone", "clone3", "fork", "getpid", "getppid", "gettid", "kill", "tgkill", "wait4"];
        if FIRST.contains(&call.as_str()) {
            arguments[0] = self.descriptor(&arguments[0]);
        }
        if call == "setsockopt" && arguments.len() > 3 && arguments[2].contains("TIMEO") {
            arguments[3] = "TIME".into();
        }
        if call == "epoll_ctl" && arguments.len() > 2 {
            arguments[2] = self.descriptor(&arguments[2]);
        }
        if call.starts_with("epoll_") && call.contains("wait") {
            // How long it may sleep depends on when the last second began.
            let last = arguments.last_mut().expect("split yields one at least");
            if last.parse::<u32>().is_ok_and(|limit| limit > 0) {
                *last = "TIMEOUT".into();
            }
        }
        let result = match result.trim_start().strip_prefix("= ") {
            Some(number) if MAKES.contains(&call.as_str()) => format!("= {}", self.descriptor(number)),
            Some(number)
                if PROCESSES.contains(&call.as_str()) && number.parse::<u32>().is_ok_and(|n| n > 0) =>
            {
                "= PID".to_owned()
            }
            Some(result) => format!("= {result}"),
            None => result.trim_start().to_owned(),
        };
        format!("{head}({}) {result}", arguments.join(", "))
    }
}

/// The text without what is between a beginning and the next end.
fn without(text: &str, begin: &str, end: char) -> String {
    let mut rest = text;
    let mut kept = String::new();
    while let Some((before, after)) = rest.split_once(begin) {
        kept.push_str(before);
        rest = after.split_once(end).map_or("", |(_, rest)| rest);
    }
    kept + rest
}

/// The text with another word in place of the run of such characters behind a beginning.
fn replaced(text: &str, begin: &str, is_of: impl Fn(char) -> bool, word: &str) -> String {
    let mut pieces = text.split(begin);
    let mut whole = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let rest = piece.trim_start_matches(&is_of);
        whole.push_str(begin);
        whole.push_str(if rest.len() < piece.len() { word } else { "" });
        whole.push_str(rest);
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Protects the comparison of two recordings: nothing that differs from run to run is left.
    #[test]
    fn two_runs_leave_the_same_lines() {
        let of = |fd: u32, pid: u32, port: u32, data: u64| {
            let mut names = Names::default();
            [
                format!(
                    "accept4(4, {{sa_family=AF_INET, sin_port=htons({port})}}, [16], SOCK_CLOEXEC) = {fd}"
                ),
                format!(
                    "epoll_ctl(5, EPOLL_CTL_ADD, {fd}, {{events=EPOLLIN, data={{u32=6, u64={data}}}}}) = 0"
                ),
                format!(
                    "epoll_wait(5, [{{events=EPOLLIN, data={{u32=6, u64={data}}}}}], 256, {}) = 1",
                    900 + fd
                ),
                format!("clone(child_stack=NULL, flags=SIGCHLD, child_tidptr=0x7f{pid}) = {pid}"),
                format!("--- SIGCHLD {{si_signo=SIGCHLD, si_pid={pid}}} ---"),
                format!("recvfrom({fd}, \"GET / HTTP/1.1\\r\\n\"..., 65536, 0, NULL, NULL) = 40"),
            ]
            .map(|line| names.normal(&line))
        };
        assert_eq!(of(6, 24_403, 40_001, 4_294_967_302), of(9, 31, 51_313, 7));
        assert_eq!(
            of(6, 1, 1, 1),
            [
                "accept4(fd1, {sa_family=AF_INET, sin_port=htons(PORT)}, [16], SOCK_CLOEXEC) = fd2",
                "epoll_ctl(fd3, EPOLL_CTL_ADD, fd2, {events=EPOLLIN}) = 0",
                "epoll_wait(fd3, [{events=EPOLLIN}], 256, TIMEOUT) = 1",
                "clone(child_stack=NULL, flags=SIGCHLD, child_tidptr=0x…) = PID",
                "--- SIGCHLD ---",
                "recvfrom(fd2, \"GET / HTTP/1.1\\r\\n\"..., 65536, 0, NULL, NULL) = 40",
            ]
        );
    }

    /// Protects the windows: a call belongs to the one in which it returned, however long it slept before.
    #[test]
    fn a_call_counts_when_it_returns() {
        let line = "100.000000 read(5, \"G\", 1) = 1 <7.500000>";
        assert_eq!(returned(line, (107.0, 108.0)), Some("read(5, \"G\", 1) = 1"));
        assert_eq!(returned(line, (99.0, 101.0)), None);
        assert_eq!(
            returned("100.5 --- SIGCHLD {si_pid=1} ---", (100.0, 101.0)),
            Some("--- SIGCHLD {si_pid=1} ---")
        );
    }

    /// Protects readers and the comparison: what a clock or the allocator does is no part of a request, and
    /// what only luck decides makes no difference.
    #[test]
    fn what_is_no_part_of_a_request_is_left_out() {
        for line in [
            "epoll_wait(5, [], 256, 1000) = 0",
            "mmap(NULL, 1) = 0x7f",
            "futex(0x7, FUTEX_WAIT) = -1 ETIMEDOUT (x)",
        ] {
            assert!(is_noise(line), "{line}");
        }
        assert!(!is_noise("epoll_wait(5, [{events=EPOLLIN}], 256, 1000) = 1"));
        let calls =
            ["read(fd1) = 1", "futex(0x…) = 1", "--- SIGCHLD ---", "close(fd1) = 0"].map(str::to_owned);
        assert_eq!(kind(&calls), ["read", "close"]);
        let rings = ["io_uring_enter(fd1) = 1", "io_uring_enter(fd1) = 1", "read(fd1) = 1", "read(fd1) = 1"];
        assert_eq!(kind(&rings.map(str::to_owned)), ["io_uring_enter", "read", "read"]);
    }
}
