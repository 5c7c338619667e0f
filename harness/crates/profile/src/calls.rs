//! System calls per request, by `strace -c`.

use super::Missing;
use super::target::{Load, Target, WARM_UP};
use super::threads::{Thread, processes, threads_of};
use anyhow::{Context, Result, ensure};
use bench::generators::on_path;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::collections::BTreeMap;
use std::fs::read_to_string;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};
use tempfile::NamedTempFile;

/// How long strace may take to attach itself, and to end.
const LIMIT: Duration = Duration::from_secs(10);

/// What was counted.
#[derive(Debug)]
pub(super) struct Counted {
    /// By call, for each request.
    pub(super) calls: BTreeMap<String, Calls>,
}

/// One kind of call, for each request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Calls {
    pub(super) count: f64,
    /// Those that returned an error, such as `EAGAIN`.
    pub(super) errors: f64,
    /// System time, µs, as strace says it; under strace everything takes longer.
    pub(super) system_us: f64,
}

/// Counts the calls of a server under load. The inner error says what is missing or not allowed.
pub(super) fn count(target: &Target, load: &Load) -> Result<Result<Counted, Missing>> {
    let server = target.start()?;
    let strace = match Strace::attach(&COUNT, server.pid())? {
        Ok(strace) => strace,
        Err(why) => return Ok(Err(why)),
    };
    // Everything that it does for the load is counted, so everything that it answers is.
    let under_load = target.load(&server, load, true)?;
    sleep(WARM_UP + load.duration);
    let report = under_load.end()?;
    let calls = strace.end()?;
    server.stop()?;
    let requests = (report.main.requests + report.failed() + report.main.aborted) as f64;
    let calls = table(&calls)?;
    let each = |(name, [count, errors, seconds]): (String, [f64; 3])| {
        let calls =
            Calls { count: count / requests, errors: errors / requests, system_us: seconds * 1e6 / requests };
        (name, calls)
    };
    Ok(Ok(Counted { calls: calls.into_iter().map(each).collect() }))
}

/// The options by which strace counts the calls of all threads and of all processes that follow.
pub const COUNT: [&str; 2] = ["-f", "-c"];

/// Calls, errors and seconds by name, of what [`Strace::end`] returns after [`COUNT`].
///
/// # Errors
///
/// The table has another form.
pub fn table(text: &str) -> Result<BTreeMap<String, [f64; 3]>> {
    parse(text).with_context(|| format!("strace's table has another form here: {text}"))
}

/// strace beside a server that runs already; killed when it is dropped.
#[derive(Debug)]
pub struct Strace {
    child: Child,
    /// Where it writes.
    file: NamedTempFile,
}

impl Strace {
    /// Attaches strace with these options to a server: to all of its processes. The inner error is one line
    /// that says what is missing, or how to allow it.
    ///
    /// # Errors
    ///
    /// It does not start, or does not attach itself.
    pub fn attach(options: &[&str], pid: i32) -> Result<Result<Self, Missing>> {
        Self::to(options, &processes(pid))
    }

    /// As [`Strace::attach`], to this process alone and not to its children.
    ///
    /// # Errors
    ///
    /// As [`Strace::attach`].
    pub fn attach_alone(options: &[&str], pid: i32) -> Result<Result<Self, Missing>> {
        Self::to(options, &[pid])
    }

    fn to(options: &[&str], pids: &[i32]) -> Result<Result<Self, Missing>> {
        let Some(program) = on_path("strace") else {
            return Ok(Err("strace is missing: apt-get install strace".to_owned()));
        };
        let file = NamedTempFile::new()?;
        let mut command = Command::new(program);
        command.args(options).arg("-o").arg(file.path());
        for pid in pids {
            command.args(["-p", &pid.to_string()]);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let child = command.spawn().context("strace does not start")?;
        let mut strace = Self { child, file };
        Ok(strace.attached(pids)?.map(|()| strace))
    }

    /// Waits until it traces every thread of the server. The inner error is why it cannot.
    fn attached(&mut self, pids: &[i32]) -> Result<Result<(), Missing>> {
        let start = Instant::now();
        let is_traced = |thread: &Thread| {
            let path = format!("/proc/{}/task/{}/status", thread.process, thread.thread);
            let status = read_to_string(path).unwrap_or_default();
            status.lines().any(|line| line.strip_prefix("TracerPid:").is_some_and(|pid| pid.trim() != "0"))
        };
        loop {
            let all: Vec<Thread> = pids.iter().flat_map(|pid| threads_of(*pid)).collect();
            if !all.is_empty() && all.iter().all(is_traced) {
                return Ok(Ok(()));
            }
            if self.child.try_wait()?.is_some() {
                let mut words = String::new();
                if let Some(stderr) = &mut self.child.stderr {
                    std::io::Read::read_to_string(stderr, &mut words)?;
                }
                let last = words.lines().next().unwrap_or("without a word").to_owned();
                return Ok(Err(format!(
                    "{last}: run as root, or allow it with sysctl kernel.yama.ptrace_scope=0"
                )));
            }
            ensure!(start.elapsed() < LIMIT, "strace does not attach itself to the server");
            sleep(Duration::from_millis(10));
        }
    }

    /// Lets the server go, and returns what strace wrote.
    ///
    /// # Errors
    ///
    /// It does not end.
    pub fn end(mut self) -> Result<String> {
        kill(Pid::from_raw(self.child.id() as i32), Signal::SIGINT)?;
        let start = Instant::now();
        while self.child.try_wait()?.is_none() {
            ensure!(start.elapsed() < LIMIT, "strace does not end");
            sleep(Duration::from_millis(10));
        }
        Ok(read_to_string(self.file.path())?)
    }
}

impl Drop for Strace {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Calls, errors and seconds by name, of the table that `strace -c` writes:
///
/// ```text
/// % time     seconds  usecs/call     calls    errors syscall
/// ------ ----------- ----------- --------- --------- ----------------
///  32.81    0.293023          36      8122        12 read
/// 100.00    0.893107          35     25359           total
/// ```
fn parse(table: &str) -> Option<BTreeMap<String, [f64; 3]>> {
    let rows = table.lines().skip_while(|line| !line.starts_with("------")).skip(1);
    let rows = rows.take_while(|line| !line.starts_with("------"));
    let row = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (name, numbers) = words.split_last()?;
        let numbers: Vec<f64> = numbers.iter().map(|word| word.parse().ok()).collect::<Option<_>>()?;
        let [_, seconds, _, calls, errors @ ..] = numbers.as_slice() else { return None };
        Some(((*name).to_owned(), [*calls, errors.first().copied().unwrap_or(0.0), *seconds]))
    };
    let rows: BTreeMap<String, [f64; 3]> = rows.map(row).collect::<Option<_>>()?;
    (!rows.is_empty()).then_some(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "\
% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 32.81    0.293023          36      8122        12 read
 26.05    0.232661          34      6696           sendto
------ ----------- ----------- --------- --------- ----------------
100.00    0.525684          35     14818        12 total
";

    #[test]
    fn calls_with_errors_and_without_are_read_and_the_sum_is_no_call() {
        let found = parse(TABLE).expect("a table");
        let expected = [("read", [8122.0, 12.0, 0.293_023]), ("sendto", [6696.0, 0.0, 0.232_661])];
        assert_eq!(found, expected.map(|(name, row)| (name.to_owned(), row)).into());
    }

    #[test]
    fn what_is_no_table_is_refused() {
        for bad in ["", "strace: nothing", "------ --\n 1.0 x 2 3 read\n", "------ --\nread\n"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
