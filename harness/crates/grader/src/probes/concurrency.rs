//! Several clients: does one of them wait for another?

use super::client::{Client, LIMIT, Reply, get, get_and_close};
use super::subject::Subject;
use super::verdict::{Fault, Outcome, Verdict};
use std::io::{Read, Write};
use std::net::Shutdown;
use std::thread;
use std::time::{Duration, Instant};

/// How long a client waits before it counts as starved.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long a server may take to answer when the cause is gone.
const RECOVERY: Duration = Duration::from_secs(10);

/// The workers of a pool, by default.
const WORKERS: usize = 4;

/// Long enough for the server to be inside what was just asked of it.
const SETTLE: Duration = Duration::from_millis(200);

/// The asker has sent its request. No reply within [`PATIENCE`], and a right one after the end of the cause,
/// is starvation; none even then is a hang.
fn served_beside(
    asker: &mut Client,
    is_right: impl Fn(&Reply) -> Verdict,
    end_the_cause: impl FnOnce() -> Verdict,
) -> Verdict {
    match asker.reply_within(PATIENCE) {
        Ok(reply) => is_right(&reply),
        Err(fault) if fault.outcome == Outcome::Hang => {
            end_the_cause()?;
            is_right(&asker.reply_within(RECOVERY)?)?;
            let detail = format!("no reply for {PATIENCE:?}, a right one after that");
            Err(Fault::new(Outcome::Starved, detail))
        }
        Err(fault) => Err(fault),
    }
}

pub(super) fn two_clients(subject: &mut Subject<'_>) -> Verdict {
    let silent = subject.connect()?;
    let mut asker = subject.connect()?;
    asker.send(&get_and_close("/"))?;
    served_beside(&mut asker, Reply::must_be_hello, || {
        drop(silent);
        Ok(())
    })
}

pub(super) fn reverse_order(subject: &mut Subject<'_>) -> Verdict {
    let mut clients = (0..3).map(|_| subject.connect()).collect::<Result<Vec<_>, _>>()?;
    while let Some(mut last) = clients.pop() {
        last.send(&get_and_close("/"))?;
        served_beside(&mut last, Reply::must_be_hello, || {
            clients.clear();
            Ok(())
        })?;
    }
    Ok(())
}

pub(super) fn idle_holders(subject: &mut Subject<'_>) -> Verdict {
    let mut holders: Vec<Client> = Vec::new();
    // The last one of these is the one more.
    for _ in 0..=WORKERS {
        let mut client = subject.connect()?;
        client.send(&get("/"))?;
        let idle = holders.len();
        let verdict = served_beside(&mut client, Reply::must_be_hello, || {
            holders.clear();
            Ok(())
        });
        verdict.map_err(|fault| fault.at(format!("{idle} idle")))?;
        holders.push(client);
    }
    Ok(())
}

pub(super) fn idle_1000(subject: &mut Subject<'_>) -> Verdict {
    silent_holders(subject, 1_000)
}

pub(super) fn idle_10000(subject: &mut Subject<'_>) -> Verdict {
    silent_holders(subject, 10_000)
}

fn silent_holders(subject: &mut Subject<'_>, count: usize) -> Verdict {
    // The server needs as many, and takes over this process's hard limit.
    let needed = count as u64 + 500;
    let (soft, hard) = nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE)
        .map_err(|error| Fault::not_applicable(format!("the descriptor limit is unknown: {error}")))?;
    if soft < needed {
        return Err(Fault::not_applicable(format!("needs {needed} descriptors; the hard limit is {hard}")));
    }
    let mut holders = (0..count).map(|_| subject.connect()).collect::<Result<Vec<_>, _>>()?;
    let mut asker = subject.connect()?;
    let asked = Instant::now();
    asker.send(&get_and_close("/"))?;
    served_beside(&mut asker, Reply::must_be_hello, || {
        holders.clear();
        Ok(())
    })?;
    subject.remark = format!("served after {:.1} ms", asked.elapsed().as_secs_f64() * 1e3);
    Ok(())
}

pub(super) fn fast_beside_slow(subject: &mut Subject<'_>) -> Verdict {
    // The longer one is for a machine too busy to answer 32 requests in a second: a server that makes
    // them wait for the sleep makes them wait for any sleep.
    match beside_a_sleep(subject, Duration::from_secs(1)) {
        Err(fault) if fault.outcome == Outcome::Starved => beside_a_sleep(subject, Duration::from_secs(3)),
        verdict => verdict,
    }
}

/// The sleep begins after it was asked for, so a client that is answered before its length is over did not wait for it.
fn beside_a_sleep(subject: &Subject<'_>, sleep: Duration) -> Verdict {
    const FAST: usize = 32;
    let mut slow = subject.connect()?;
    let asked = Instant::now();
    slow.send(&get_and_close(&format!("/sleep/{}", sleep.as_millis())))?;
    thread::sleep(SETTLE);
    // All connect before the first asks: each has a descriptor of its own, so a server that divides its
    // connections by descriptor divides these evenly.
    let mut fast = (0..FAST).map(|_| subject.connect()).collect::<Result<Vec<_>, _>>()?;
    for (i, client) in fast.iter_mut().enumerate() {
        client.send(&get_and_close(&format!("/bytes/{}", 100 + i)))?;
    }
    // Nothing is read yet: to read from one that waits would be to wait with it, and to find the others late.
    let waiting = || fast.iter().filter(|client| !client.has_answer()).count();
    let mut late = waiting();
    while late > 0 && asked.elapsed() < sleep {
        thread::sleep(Duration::from_millis(5));
        // Before the time is looked at: what is answered at the end of the sleep has waited for it.
        let count = waiting();
        late = if asked.elapsed() < sleep { count } else { late };
    }
    for (i, client) in fast.iter_mut().enumerate() {
        client.reply_within(sleep + RECOVERY)?.must_be_filler(100 + i)?;
    }
    slow.reply_within(sleep + RECOVERY)?.must_be_ok()?;
    match late {
        0 => Ok(()),
        _ => {
            let detail = format!("{late} of {FAST} waited until the {sleep:?} of another were over");
            Err(Fault::new(Outcome::Starved, detail))
        }
    }
}

pub(super) fn greedy_pipeliner(subject: &mut Subject<'_>) -> Verdict {
    let greedy = subject.connect()?;
    let (mut writer, mut reader) = (greedy.stream()?, greedy.stream()?);
    let requests = get("/bytes/100").repeat(500);
    thread::scope(|scope| {
        scope.spawn(move || while writer.write_all(&requests).is_ok() {});
        scope.spawn(move || {
            let mut buffer = vec![0; 256 * 1024];
            // A server that stopped answering is judged by the other client.
            while reader.read(&mut buffer).is_ok_and(|length| length > 0) {}
        });
        let stop = || greedy.stream().map(|stream| stream.shutdown(Shutdown::Both));
        let verdict = (|| {
            thread::sleep(SETTLE);
            for _ in 0..5 {
                let mut asker = subject.connect()?;
                asker.send(&get_and_close("/"))?;
                served_beside(&mut asker, Reply::must_be_hello, || stop().map(drop))?;
            }
            Ok(())
        })();
        // Whatever the verdict, the two threads must end.
        let _ = stop();
        verdict
    })
}

pub(super) fn slow_reader_beside(subject: &mut Subject<'_>) -> Verdict {
    const LENGTH: usize = 16 * 1024 * 1024;
    let mut slow = Client::connect_with_small_window(subject.addr)?;
    slow.send(&get_and_close(&format!("/bytes/{LENGTH}")))?;
    thread::sleep(SETTLE);
    let mut asker = subject.connect()?;
    asker.send(&get_and_close("/"))?;
    let drain = |slow: &mut Client| -> Verdict {
        slow.reply_within(LIMIT * 2)?.must_be_filler(LENGTH)?;
        slow.end_within(LIMIT)
    };
    served_beside(&mut asker, Reply::must_be_hello, || drain(&mut slow))?;
    drain(&mut slow)
}
