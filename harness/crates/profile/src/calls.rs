//! System calls per request, by `strace -c`.

use super::Missing;
use super::target::{Load, Target, WARM_UP};
use super::threads::{processes, threads};
use anyhow::{Context, Result, ensure};
use bench::generators::on_path;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::collections::BTreeMap;
use std::fs::read_to_string;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

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
    let Some(program) = on_path("strace") else {
        return Ok(Err("strace is missing: apt-get install strace".to_owned()));
    };
    let server = target.start()?;
    let file = tempfile::NamedTempFile::new()?;
    let mut command = Command::new(program);
    command.args(["-f", "-c", "-o"]).arg(file.path());
    for pid in processes(server.pid()) {
        command.args(["-p", &pid.to_string()]);
    }
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut strace = Tool(command.spawn().context("strace does not start")?);
    if let Err(why) = strace.attached(server.pid())? {
        return Ok(Err(why));
    }
    // Everything that it does for the load is counted, so everything that it answers is.
    let under_load = target.load(&server, load, true)?;
    sleep(WARM_UP + load.duration);
    let report = under_load.end()?;
    strace.end()?;
    server.stop()?;
    let requests = (report.main.requests + report.failed() + report.main.aborted) as f64;
    let table = read_to_string(file.path())?;
    let calls = parse(&table).with_context(|| format!("strace's table has another form here: {table}"))?;
    let each = |(name, [count, errors, seconds]): (String, [f64; 3])| {
        let calls =
            Calls { count: count / requests, errors: errors / requests, system_us: seconds * 1e6 / requests };
        (name, calls)
    };
    Ok(Ok(Counted { calls: calls.into_iter().map(each).collect() }))
}

/// A program beside the server, killed when it is dropped.
struct Tool(Child);

impl Tool {
    /// Waits until it traces every thread of the server. The inner error is why it cannot.
    fn attached(&mut self, pid: i32) -> Result<Result<(), Missing>> {
        let start = Instant::now();
        let is_traced = |process: i32, thread: i32| {
            let status = read_to_string(format!("/proc/{process}/task/{thread}/status")).unwrap_or_default();
            status.lines().any(|line| line.strip_prefix("TracerPid:").is_some_and(|pid| pid.trim() != "0"))
        };
        loop {
            let all = threads(pid);
            if !all.is_empty() && all.iter().all(|thread| is_traced(thread.process, thread.thread)) {
                return Ok(Ok(()));
            }
            if self.0.try_wait()?.is_some() {
                let mut words = String::new();
                if let Some(stderr) = &mut self.0.stderr {
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

    /// Lets it go: then it writes its table.
    fn end(mut self) -> Result<()> {
        kill(Pid::from_raw(self.0.id() as i32), Signal::SIGINT)?;
        let start = Instant::now();
        while self.0.try_wait()?.is_none() {
            ensure!(start.elapsed() < LIMIT, "strace does not end");
            sleep(Duration::from_millis(10));
        }
        Ok(())
    }
}

impl Drop for Tool {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
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
