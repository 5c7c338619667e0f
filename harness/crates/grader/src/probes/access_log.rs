//! What a server has to say of its requests, once it has ended.

use super::client::{Client, get};
use super::profile::current;
use super::subject::{Subject, asked_by_hand, not_started};
use super::verdict::{Fault, Kind, Verdict};
use lab_core::server_process::EndedEarly;
use nix::sys::signal::Signal;
use std::time::Duration;

/// The drain of 2 s, and time for a busy machine.
const DRAINED: Duration = Duration::from_secs(4);

/// Each request that was answered has a line in the log when the process has ended, however shortly before.
pub(super) fn log_at_the_end(subject: &mut Subject<'_>) -> Verdict {
    const COUNT: usize = 200;
    let cannot = |error| Fault::not_applicable(format!("no temporary file: {error}"));
    let directory = tempfile::Builder::new().prefix("c10k-lab-").tempdir().map_err(cannot)?;
    let file = directory.path().join("log");
    // The options of the stage that has a log.
    let options = ["--log", "async", "--log-file", &file.to_string_lossy()];
    let mut server = subject.start_another(&options).map_err(|error| match error.is::<EndedEarly>() {
        true => Fault::not_applicable("it has no --log and --log-file"),
        false => not_started(&error),
    })?;
    let mut client = Client::connect(server.addr)?.allowing_chunks(subject.target.is_foreign());
    let path = |i: usize| format!("/bytes/{}", 1_000 + i);
    for i in 0..COUNT {
        client.ask(&get(&path(i)))?.must_be_filler(1_000 + i)?;
    }
    server.signal(Signal::SIGTERM);
    if server.wait(DRAINED).is_none() {
        return Err(Fault::hang(format!("still running {DRAINED:?} after SIGTERM")).of(Kind::Running));
    }
    let log = std::fs::read_to_string(&file).unwrap_or_default();
    if log.is_empty() && subject.target.is_foreign() {
        return Err(Fault::not_applicable("it has written nothing to the file of --log-file"));
    }
    let has_line = |i: &usize| {
        log.lines().any(|line| line.split_whitespace().any(|word| word == current().target(&path(*i))))
    };
    let missing = (0..COUNT).filter(|i| !has_line(i)).count();
    if missing == 0 {
        subject.remark = format!("{COUNT} requests, and a line for each");
        return Ok(());
    }
    let fault = Fault::wrong(format!("{missing} of {COUNT} answered requests have no line in the log"));
    let fault = fault.shows("20: a line for each request", "fewer");
    let asked = "for i in $(seq 20); do curl -s -o /dev/null http://127.0.0.1:$PORT/; done; kill -TERM $PID; wait $PID; \
                 grep -c 'GET /' /tmp/lab-log";
    let options = ["--log", "async", "--log-file", "/tmp/lab-log"];
    Err(match asked_by_hand(subject.target, &options, "rm -f /tmp/lab-log", asked) {
        Some(command) => fault.shown_by(command),
        None => fault,
    })
}
