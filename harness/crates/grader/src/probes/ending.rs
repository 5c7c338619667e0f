//! The end of a server that has more than one client, or more than one process.

use super::client::{Client, LIMIT, get, get_and_close};
use super::narrow::begin_connecting;
use super::subject::Subject;
use super::tree::{Snapshot, group};
use super::verdict::{Fault, Outcome, Verdict};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::thread;
use std::time::{Duration, Instant};

/// The drain of 2 s, and time for a busy machine.
const DRAINED: Duration = Duration::from_secs(4);

/// How long processes may take to end, or to be replaced.
const SETTLE: Duration = Duration::from_secs(4);

/// The server is stopped while clients connect and ask, and is told to end before it goes on: all of them
/// were there before the signal.
///
/// What a server loses is what it has not accepted when it takes note of the signal. So nobody may be quick
/// enough to accept them all before that: they are many, and of several processes the one that is told goes
/// on first, so that it has told the others when those go on.
pub(super) fn queued_at_sigterm(subject: &mut Subject<'_>) -> Verdict {
    const WAITING: usize = 200;
    /// For one process to tell its children. A server that loses nothing passes however long it takes.
    const TOLD: Duration = Duration::from_millis(100);
    subject.must_serve()?;
    let has_children = !children(subject.process()?.pid()).is_empty();
    subject.process()?.signal_group(Signal::SIGSTOP);
    let clients = begin_connecting(subject, WAITING).and_then(|beginning| {
        let mut clients = beginning.connected_within(Duration::from_millis(300))?;
        clients.iter_mut().try_for_each(|client| client.send(&get_and_close("/")))?;
        Ok(clients)
    });
    subject.ending_process()?.signal(Signal::SIGTERM);
    if has_children {
        subject.process()?.signal(Signal::SIGCONT);
        thread::sleep(TOLD);
    }
    subject.process()?.signal_group(Signal::SIGCONT);
    let mut clients = clients?;
    let count = clients.len();
    for (i, client) in clients.iter_mut().enumerate() {
        let verdict = client.reply().and_then(|reply| reply.must_be_hello());
        verdict.map_err(|fault| fault.at(format!("client {} of {count} that waited at SIGTERM", i + 1)))?;
    }
    subject.remark = format!("{count} waited");
    drop(clients);
    subject.must_exit_cleanly(DRAINED)
}

/// Clients that are served once and stay, until one is not served: a pool has no more workers.
pub(super) fn idle_clients(
    subject: &Subject<'_>,
    count: usize,
    patience: Duration,
) -> Result<Vec<Client>, Fault> {
    let mut clients = Vec::new();
    while clients.len() < count {
        let mut client = subject.connect()?;
        client.send(&get("/"))?;
        // The first one is waited for as usual: a server that has just been started may be slow.
        let limit = if clients.is_empty() { LIMIT } else { patience };
        match client.reply_within(limit) {
            Ok(reply) => reply.must_be_hello()?,
            Err(fault) if fault.outcome == Outcome::Hang && !clients.is_empty() => break,
            Err(fault) => return Err(fault),
        }
        clients.push(client);
    }
    Ok(clients)
}

/// Each worker has idle connections, and each must hear that it is over: a wake-up that the first one takes
/// is none for the others.
pub(super) fn sigterm_every_worker(subject: &mut Subject<'_>) -> Verdict {
    let mut clients = idle_clients(subject, 16, Duration::from_secs(1))?;
    subject.ending_process()?.signal(Signal::SIGTERM);
    // Less than the drain: there is nothing to wait for.
    subject.must_exit_cleanly(Duration::from_millis(1_700))?;
    clients.iter_mut().try_for_each(|client| client.end_within(LIMIT))
}

/// The processes of the server besides the one that was started.
fn children(pid: i32) -> Vec<i32> {
    group(pid).into_iter().filter(|stat| stat.state != 'Z' && stat.pid != pid).map(|stat| stat.pid).collect()
}

const ONE_PROCESS: &str = "the server is one process";

/// A parent that is killed can tell its children nothing, and they must not go on without it: nobody could
/// replace them, or stop them, and the port stays taken.
pub(super) fn killed_parent(subject: &mut Subject<'_>) -> Verdict {
    let mut client = subject.connect()?;
    client.ask(&get("/"))?.must_be_hello()?;
    let pid = subject.process()?.pid();
    // Behind a shell that waits for it they are known as its children only as long as it lives.
    let orphans = children(pid);
    let count = orphans.len();
    if count == 0 {
        return Err(Fault::not_applicable(ONE_PROCESS));
    }
    subject.ending_process()?.signal(Signal::SIGKILL);
    let start = Instant::now();
    while orphans.iter().any(|orphan| !has_ended(orphan)) {
        if start.elapsed() > SETTLE {
            let left = orphans.iter().filter(|orphan| !has_ended(orphan)).count();
            let detail =
                format!("{left} of {count} children live on {SETTLE:?} after their parent was killed");
            return Err(Fault::new(Outcome::Leak, detail));
        }
        thread::sleep(Duration::from_millis(20));
    }
    subject.remark = format!("{count} children ended with it");
    match Client::connect(subject.addr) {
        Ok(_) => Err(Fault::wrong("the parent was killed, and somebody still accepts connections")),
        Err(_) => Ok(()),
    }
}

/// A child that is killed costs its own connections. A pool of processes is as large as before soon after
/// that, also when several are killed while the parent does not look: one SIGCHLD then stands for all of
/// them.
pub(super) fn killed_child(subject: &mut Subject<'_>) -> Verdict {
    let pid = subject.process()?.pid();
    let before = Snapshot::of(pid).processes;
    for all in [false, false, true] {
        let mut client = subject.connect()?;
        client.ask(&get("/"))?.must_be_hello()?;
        let mut doomed = children(pid);
        if doomed.is_empty() {
            return Err(Fault::not_applicable(ONE_PROCESS));
        }
        if !all {
            doomed.truncate(1);
        }
        subject.process()?.signal(Signal::SIGSTOP);
        for &child in &doomed {
            // Its parent is stopped, so it cannot have been reaped and its number used again.
            let _ = kill(Pid::from_raw(child), Signal::SIGKILL);
        }
        await_end(&doomed);
        subject.process()?.signal(Signal::SIGCONT);
        drop(client);
        let place = format!(
            "after {} of {} children were killed",
            doomed.len(),
            children(pid).len().max(doomed.len())
        );
        for _ in 0..16 {
            subject.must_serve().map_err(|fault| fault.at(&place))?;
        }
        must_be_as_many(pid, before, &place)?;
    }
    subject.remark = format!("{before} processes before and after");
    Ok(())
}

/// Whether it is a zombie, or gone.
fn has_ended(process: &i32) -> bool {
    let stat = procfs::process::Process::new(*process).and_then(|process| process.stat());
    stat.map_or(true, |stat| stat.state == 'Z')
}

/// Waits until these children of a stopped parent are zombies, or gone.
fn await_end(children: &[i32]) {
    let start = Instant::now();
    while !children.iter().all(has_ended) && start.elapsed() < SETTLE {
        thread::sleep(Duration::from_millis(2));
    }
}

/// As many processes as before, and no zombie, soon.
fn must_be_as_many(pid: i32, before: usize, place: &str) -> Verdict {
    let start = Instant::now();
    loop {
        let now = Snapshot::of(pid);
        if now.processes >= before && now.zombies == 0 {
            return Ok(());
        }
        if start.elapsed() > SETTLE {
            let (alive, zombies) = (now.processes, now.zombies);
            let detail = format!("{place}: {alive} processes and {zombies} zombies instead of {before}");
            return Err(Fault::new(Outcome::Leak, detail));
        }
        thread::sleep(Duration::from_millis(20));
    }
}
