//! Several clients: does one of them wait for another?

use super::client::{Client, get, get_and_close};
use super::framing::{client_that_does_not_read, must_be_whole};
use super::profile::current;
use super::subject::Subject;
use super::tree::Snapshot;
use super::verdict::{Fault, Outcome, Verdict};
use std::io::{Read, Write};
use std::net::Shutdown;
use std::thread;
use std::time::{Duration, Instant};

/// How long a client waits before it counts as starved.
const STARVED_AFTER: Duration = Duration::from_secs(2);

/// How long a server may take to answer when the cause is gone.
const RECOVERY: Duration = Duration::from_secs(10);

/// More than most pools have workers.
const HOLDERS: usize = 64;

/// Long enough for the server to be inside what was just asked of it.
const SETTLE: Duration = Duration::from_millis(200);

/// No reply to `GET /` within [`STARVED_AFTER`], and a right one after the end of the cause, is starvation;
/// none even then is a hang.
fn served_beside(asker: &mut Client, request: &[u8], end_the_cause: impl FnOnce() -> Verdict) -> Verdict {
    served_beside_within(STARVED_AFTER, asker, request, end_the_cause)
}

fn served_beside_within(
    patience: Duration,
    asker: &mut Client,
    request: &[u8],
    end_the_cause: impl FnOnce() -> Verdict,
) -> Verdict {
    asker.send(request)?;
    match asker.reply_within(patience) {
        Ok(reply) => reply.must_be_hello(),
        Err(fault) if fault.outcome == Outcome::Hang => {
            end_the_cause()?;
            asker.reply_within(RECOVERY)?.must_be_hello()?;
            let detail = format!("no reply for {patience:?}, a right one after that");
            Err(Fault::new(Outcome::Starved, detail))
        }
        Err(fault) => Err(fault),
    }
}

/// The cause is other clients, which end.
pub(super) fn served_beside_clients(asker: &mut Client, request: &[u8], others: &mut Vec<Client>) -> Verdict {
    served_beside(asker, request, || {
        others.clear();
        Ok(())
    })
}

pub(super) fn two_clients(subject: &mut Subject<'_>) -> Verdict {
    let mut silent = subject.connect_many(1)?;
    served_beside_clients(&mut subject.connect()?, &get_and_close("/"), &mut silent)
}

pub(super) fn reverse_order(subject: &mut Subject<'_>) -> Verdict {
    let mut clients = subject.connect_many(3)?;
    while let Some(mut last) = clients.pop() {
        served_beside_clients(&mut last, &get_and_close("/"), &mut clients)?;
    }
    Ok(())
}

pub(super) fn idle_holders(subject: &mut Subject<'_>) -> Verdict {
    let mut holders: Vec<Client> = Vec::new();
    // A larger pool shows by its threads or processes.
    let seen = subject.process().map_or(0, |server| Snapshot::of(server.pid()).threads);
    let count = HOLDERS.max(usize::try_from(seen).unwrap_or(0) + 1).min(8 * HOLDERS);
    // The last one of these is the one more.
    for idle in 0..=count {
        let mut client = subject.connect()?;
        let verdict = served_beside_clients(&mut client, &get("/"), &mut holders);
        verdict.map_err(|fault| fault.at(format!("{idle} idle")))?;
        holders.push(client);
    }
    Ok(())
}

/// Descriptors for so many clients. The server needs as many, and takes over this process's hard limit.
pub(super) fn must_have_descriptors(count: usize) -> Verdict {
    let needed = count as u64 + 500;
    let (soft, hard) = nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE)
        .map_err(|error| Fault::not_applicable(format!("the descriptor limit is unknown: {error}")))?;
    match soft < needed {
        true => Err(Fault::not_applicable(format!("needs {needed} descriptors; the hard limit is {hard}"))),
        false => Ok(()),
    }
}

/// So many silent clients. Where one cannot even connect behind the others, it is starved if it can after
/// their end: they fill the backlog of a server that does not accept them.
pub(super) fn connect_silent(subject: &Subject<'_>, count: usize) -> Result<Vec<Client>, Fault> {
    must_have_descriptors(count)?;
    match subject.connect_many(count) {
        // The others are gone now, and with them what filled the backlog.
        Err(fault) if fault.outcome == Outcome::Hang => {
            subject.must_serve()?;
            let detail = format!("{} behind others that are silent, served after their end", fault.detail);
            Err(Fault::new(Outcome::Starved, detail))
        }
        connected => connected,
    }
}

pub(super) fn silent_holders(subject: &mut Subject<'_>, count: usize) -> Verdict {
    let mut holders = connect_silent(subject, count + 1)?;
    let Some(mut asker) = holders.pop() else { return Ok(()) };
    let asked = Instant::now();
    served_beside_clients(&mut asker, &get_and_close("/"), &mut holders)?;
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

/// The sleep begins after it was asked for, so a client that is answered before its length is over did not
/// wait for it.
fn beside_a_sleep(subject: &Subject<'_>, sleep: Duration) -> Verdict {
    const FAST: usize = 32;
    let mut slow = subject.connect()?;
    let asked = Instant::now();
    slow.send(&get_and_close(&format!("/sleep/{}", sleep.as_millis())))?;
    thread::sleep(SETTLE);
    // All connect before the first asks: each has a descriptor of its own, so a server that divides its
    // connections by descriptor divides these evenly.
    // What the kernel does not complete at once, as the backlog is full, is left out.
    let mut fast = subject.connect_some(FAST);
    if fast.is_empty() {
        fast.push(subject.connect()?);
    }
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
            let detail = format!("{late} of {} waited until the {sleep:?} of another were over", fast.len());
            Err(Fault::new(Outcome::Starved, detail))
        }
    }
}

/// A request with as long a head as a browser sends. A server that speaks no HTTP gets it as it is.
fn with_long_head(mut request: Vec<u8>) -> Vec<u8> {
    const EMPTY_LINE: &[u8] = b"\r\n";
    if request.ends_with(b"\r\n\r\n") && !current().is_echo() {
        request.truncate(request.len() - EMPTY_LINE.len());
        request.extend(b"X-Padding: ");
        request.extend([b'x'; 500]);
        request.extend([EMPTY_LINE, EMPTY_LINE].concat());
    }
    request
}

/// The greedy client never ends by itself, so a server that comes to another one only behind its last request
/// never does; one that first takes what has arrived, some MiB of requests, does after a while.
///
/// How long that while is depends on how many requests these MiB are: libuv reads up to 2 MiB of one
/// connection before it comes to another. With heads of 20 bytes they are 50,000 requests, for which Node
/// takes seconds, and on a busy machine longer than anybody waits here. So the heads are long.
pub(super) fn greedy_pipeliner(subject: &mut Subject<'_>) -> Verdict {
    const PATIENCE: Duration = Duration::from_secs(6);
    let greedy = subject.connect()?;
    let (mut writer, mut reader) = (greedy.stream()?, greedy.stream()?);
    let requests = with_long_head(get("/bytes/100")).repeat(500);
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
                served_beside_within(PATIENCE, &mut asker, &get_and_close("/"), || stop().map(drop))?;
            }
            Ok(())
        })();
        // Whatever the verdict, the two threads must end.
        let _ = stop();
        verdict
    })
}

pub(super) fn slow_reader_beside(subject: &mut Subject<'_>) -> Verdict {
    let mut slow = client_that_does_not_read(subject)?;
    served_beside(&mut subject.connect()?, &get_and_close("/"), || must_be_whole(&mut slow))?;
    must_be_whole(&mut slow)
}
