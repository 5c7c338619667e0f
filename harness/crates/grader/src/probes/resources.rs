//! What the server takes from the machine: descriptors, CPU time, processes.

use super::client::{get, get_and_close};
use super::narrow::{STALL, connect_narrow};
use super::subject::{Subject, few_descriptors};
use super::tree::Snapshot;
use super::verdict::{Fault, Outcome, Verdict};
use std::thread;
use std::time::{Duration, Instant};

/// Fails when the server uses more than a tenth of a CPU in `span`. One that spins uses a whole one, or
/// what a busy machine leaves it.
pub(super) fn must_rest(subject: &mut Subject<'_>, span: Duration) -> Verdict {
    let pid = subject.process()?.pid();
    let (before, start) = (Snapshot::of(pid), Instant::now());
    thread::sleep(span);
    let (used, span) = (Snapshot::of(pid).cpu_since(&before), start.elapsed());
    subject.remark = format!("{} ms of CPU in {:.1} s", used.as_millis(), span.as_secs_f64());
    if used > span / 10 { Err(Fault::new(Outcome::Spin, &subject.remark)) } else { Ok(()) }
}

pub(super) fn descriptor_limit(subject: &mut Subject<'_>) -> Verdict {
    let holders = subject.connect_many(2 * few_descriptors())?;
    thread::sleep(Duration::from_millis(300));
    must_rest(subject, Duration::from_secs(1))?;
    drop(holders);
    subject.must_serve()
}

pub(super) fn idle_cpu(subject: &mut Subject<'_>) -> Verdict {
    const LENGTH: usize = 512 * 1024;
    // One has had a reply that waited for room: a server that still waits for room there finds it at once.
    let mut first = connect_narrow(subject)?;
    first.send(&get(&format!("/bytes/{LENGTH}")))?;
    thread::sleep(STALL);
    first.reply()?.must_be_filler(LENGTH)?;
    first.ask(&get("/"))?.must_be_hello()?;
    let _silent = subject.connect_many(8)?;
    thread::sleep(Duration::from_millis(200));
    must_rest(subject, Duration::from_secs(2))
}

pub(super) fn no_leaks(subject: &mut Subject<'_>) -> Verdict {
    const COUNT: usize = 2_000;
    /// The server learns of the last clients' end a moment later.
    const SETTLE: Duration = Duration::from_secs(5);
    // What is allocated at first use is no leak.
    visit(subject, 20)?;
    thread::sleep(Duration::from_millis(300));
    let pid = subject.process()?.pid();
    let before = Snapshot::of(pid);
    visit(subject, COUNT)?;
    let start = Instant::now();
    loop {
        let now = Snapshot::of(pid);
        let more_descriptors = now.descriptors.saturating_sub(before.descriptors);
        let more_processes = now.processes.saturating_sub(before.processes);
        let more_threads = now.threads.saturating_sub(before.threads).max(0);
        if now.zombies == 0 && more_descriptors == 0 && more_processes == 0 && more_threads == 0 {
            subject.remark = format!("{} descriptors before and after", before.descriptors);
            return Ok(());
        }
        if start.elapsed() > SETTLE {
            return Err(Fault::new(
                Outcome::Leak,
                format!(
                    "after {COUNT} connections {more_descriptors} descriptors, {more_processes} processes and \
                 {more_threads} threads more; {} zombies",
                    now.zombies
                ),
            ));
        }
        thread::sleep(Duration::from_millis(50));
    }
}

/// Clients that end in each of the ways in which a connection ends.
fn visit(subject: &Subject<'_>, count: usize) -> Verdict {
    for i in 0..count {
        let mut client = subject.connect()?;
        match i % 4 {
            0 => {
                client.ask(&get_and_close("/"))?.must_be_hello()?;
            }
            1 => {
                client.ask(&get("/"))?.must_be_hello()?;
            }
            2 => {
                client.send(&get("/bytes/1000"))?;
                client.reset();
            }
            _ => drop(client),
        }
    }
    Ok(())
}
