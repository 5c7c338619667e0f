//! What the server takes from the machine: descriptors, CPU time, processes.

use super::client::{get, get_and_close};
use super::narrow::{STALL, connect_narrow};
use super::profile::{PROGRAM, current};
use super::routes::Route;
use super::subject::{Subject, few_descriptors};
use super::tree::{Snapshot, ready_times};
use super::verdict::{Fault, Outcome, Verdict};
use std::thread;
use std::time::{Duration, Instant};

/// Fails when the server uses more than a tenth of a CPU in `span`. One that spins uses a whole one, or
/// what a busy machine leaves it, for ever; a virtual machine that has just been started compiles for a
/// while.
///
/// A machine with many others at work leaves one that spins less than a tenth, too. It is ready to run all
/// the time then, where a server that rests is not, so a span without much CPU counts only if it was not.
///
/// A span in which processes have ended says nothing: with them went the time that they had used.
pub(super) fn must_rest(subject: &mut Subject<'_>, span: Duration) -> Verdict {
    const SPANS: usize = 4;
    /// On a machine as busy as that a start takes longer.
    const BUSY_SPANS: usize = 8;
    let pid = subject.process()?.pid();
    let (mut spans, mut most, mut has_spun) = (0, SPANS, false);
    while spans < most {
        spans += 1;
        let (before, ready_before, start) = (Snapshot::of(pid), ready_times(pid), Instant::now());
        thread::sleep(span);
        let (after, span) = (Snapshot::of(pid), start.elapsed());
        if after.processes == 0 {
            break;
        }
        if after.processes < before.processes {
            continue;
        }
        let used = after.cpu_since(&before);
        let ready = ready_times(pid).into_iter().map(|(thread, ready)| {
            let before = ready_before.get(&thread).copied().unwrap_or_default();
            ready.saturating_sub(before)
        });
        let ready = ready.max().unwrap_or_default();
        subject.remark = format!("{} ms of CPU in {:.1} s", used.as_millis(), span.as_secs_f64());
        let is_little = used <= span / 10;
        if is_little && ready <= span / 2 {
            return Ok(());
        }
        if is_little {
            let waited = ready.saturating_sub(used).as_millis();
            subject.remark.push_str(&format!(", and {waited} ms in the queue for one"));
            most = BUSY_SPANS;
        }
        has_spun = true;
    }
    // Without a whole span there was nothing to be seen: others ask whether it may end.
    if has_spun { Err(Fault::new(Outcome::Spin, &subject.remark)) } else { Ok(()) }
}

pub(super) fn descriptor_limit(subject: &mut Subject<'_>) -> Verdict {
    // Out of descriptors it accepts no more, and then a short backlog is soon full.
    let holders = subject.connect_until_full(2 * few_descriptors());
    thread::sleep(Duration::from_millis(300));
    must_rest(subject, Duration::from_secs(1))?;
    drop(holders);
    subject.must_serve_again()
}

pub(super) fn idle_cpu(subject: &mut Subject<'_>) -> Verdict {
    const LENGTH: usize = 512 * 1024;
    // One has had a reply that waited for room: a server that still waits for room there finds it at once.
    let mut first = connect_narrow(subject)?;
    first.send(&get(&format!("/bytes/{LENGTH}")))?;
    thread::sleep(STALL);
    first.reply()?.must_be_filler(LENGTH)?;
    if current().keeps_open() {
        first.ask(&get("/"))?.must_be_hello()?;
    }
    let _silent = subject.connect_many(8)?;
    thread::sleep(Duration::from_millis(200));
    must_rest(subject, Duration::from_secs(2))
}

/// What a server has that it might leave behind.
#[derive(Debug, Clone, Copy)]
struct Held {
    descriptors: usize,
    processes: usize,
    threads: usize,
    zombies: usize,
}

impl Held {
    fn now(subject: &mut Subject<'_>) -> Result<Self, Fault> {
        let Snapshot { descriptors, processes, threads, zombies, .. } =
            Snapshot::of(subject.process()?.pid());
        Ok(Self { descriptors, processes, threads: usize::try_from(threads).unwrap_or(0), zombies })
    }

    /// What it has more of than before.
    fn more_than(self, before: Self) -> Self {
        Self {
            descriptors: self.descriptors.saturating_sub(before.descriptors),
            processes: self.processes.saturating_sub(before.processes),
            threads: self.threads.saturating_sub(before.threads),
            zombies: self.zombies.saturating_sub(before.zombies),
        }
    }

    fn is_nothing(self) -> bool {
        [self.descriptors, self.processes, self.threads, self.zombies].iter().all(|&count| count == 0)
    }
}

/// The growth is that between later batches: a pool may grow to its bound with the first clients, and a
/// server may reap a child when the next client comes. What is left behind by connections grows with each
/// batch.
pub(super) fn no_leaks(subject: &mut Subject<'_>) -> Verdict {
    const BATCH: usize = 1_000;
    let start = Held::now(subject)?;
    fill_pools(subject)?;
    visit(subject, BATCH / 2)?;
    let first = settled(subject, start)?;
    visit(subject, BATCH)?;
    let second = settled(subject, first)?;
    if second.more_than(first).is_nothing() && (second.zombies == 0 || subject.target.is_foreign()) {
        subject.remark = format!("{} descriptors before and after", first.descriptors);
        return Ok(());
    }
    visit(subject, BATCH)?;
    let third = settled(subject, second)?;
    let more = third.more_than(second);
    // One more of a kind in each of two batches is a pool that still grows; connections leave more.
    let grew = |of: fn(Held) -> usize| of(second.more_than(first)) > 0 && of(more) > 1;
    let is_leak = grew(|held| held.descriptors)
        || grew(|held| held.processes)
        || grew(|held| held.threads)
        || grew(|held| held.zombies);
    if is_leak || third.zombies > 0 && !subject.target.is_foreign() {
        let Held { descriptors, processes, threads, .. } = more;
        return Err(Fault::new(
            Outcome::Leak,
            format!(
                "after {BATCH} connections {descriptors} descriptors, {processes} processes and {threads} \
                 threads more than after as many before them; {} zombies",
                third.zombies
            ),
        ));
    }
    subject.remark = format!("{} descriptors at the end", third.descriptors);
    Ok(())
}

/// Asks with many clients at once, so that a pool that grows with its work is as large as it becomes.
fn fill_pools(subject: &Subject<'_>) -> Verdict {
    const CLIENTS: usize = 64;
    let mut clients = subject.connect_some(CLIENTS);
    let path = if current().naps() { "/sleep/10" } else { "/" };
    for client in &mut clients {
        client.send(&get_and_close(path))?;
    }
    // Whatever it answers: a server that has no such route is not blamed for that here.
    clients.iter_mut().try_for_each(|client| client.reply().map(drop))
}

/// What it has once it has no more than before, or does not give it back: it learns of the last clients' end
/// a moment later.
fn settled(subject: &mut Subject<'_>, before: Held) -> Result<Held, Fault> {
    const SETTLE: Duration = Duration::from_secs(3);
    let start = Instant::now();
    loop {
        let now = Held::now(subject)?;
        if now.more_than(before).is_nothing() && now.zombies == 0 || start.elapsed() > SETTLE {
            return Ok(now);
        }
        thread::sleep(Duration::from_millis(50));
    }
}

/// Clients that end in each of the ways in which a connection ends.
fn visit(subject: &Subject<'_>, count: usize) -> Verdict {
    for i in 0..count {
        let mut client = subject.connect()?;
        if i % 50 == 0 && current().has(Route::Program) {
            // A child that nobody waits for is left behind as well.
            client.ask(&get_and_close(PROGRAM))?.must_be_of_a_program()?;
            continue;
        }
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
