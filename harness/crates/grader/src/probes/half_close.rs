//! A client that sends its requests, shuts its sending side, and then reads: `nc -N` does it, and so does
//! every script that ends its input. The end of input (a read of 0, EPOLLRDHUP) is not the end of the
//! connection.

use super::client::{Client, LIMIT, get};
use super::framing::begin_sleep;
use super::narrow::{MORE_THAN_HELD, STALL, connect_narrow, read_slowly};
use super::profile::current;
use super::routes::Route;
use super::subject::Subject;
use super::verdict::{Fault, Verdict};
use std::thread;
use std::time::Duration;

/// What was seen of the replies that were due.
fn due<T>(result: Result<T, Fault>, number: usize, of: usize) -> Result<T, Fault> {
    result.map_err(|fault| fault.at(format!("reply {number} of {of} that were due at the half-close")))
}

/// Asks for so many bytes, and for a few behind them, if a connection may have two requests. Returns how many
/// replies are due.
fn send_two(client: &mut Client, length: usize) -> Result<usize, Fault> {
    let mut requests = get(&format!("/bytes/{length}"));
    let due = if current().keeps_open() { 2 } else { 1 };
    if due > 1 {
        requests.extend(get("/bytes/99"));
    }
    client.send(&requests)?;
    Ok(due)
}

/// The replies to [`send_two`].
fn read_two(client: &mut Client, length: usize, count: usize) -> Verdict {
    due(client.reply_within(2 * LIMIT).and_then(|reply| reply.must_be_filler(length)), 1, count)?;
    match count {
        1 => Ok(()),
        _ => due(client.reply().and_then(|reply| reply.must_be_filler(99)), 2, count),
    }
}

/// Many small requests and the end, first as one burst, then while the server sleeps: then it finds them and
/// the end in one read, or in one event.
pub(super) fn half_close_pipelined(subject: &mut Subject<'_>) -> Verdict {
    const COUNT: usize = 50;
    // A server that cannot sleep is asked as a burst alone.
    let ways = if current().has(Route::Sleep) { &[false, true][..] } else { &[false] };
    for &asleep in ways {
        let mut client = subject.connect()?;
        if asleep {
            begin_sleep(&mut client, Duration::from_millis(100))?;
        }
        let requests: Vec<u8> = (0..COUNT).flat_map(|i| get(&format!("/bytes/{}", 3_000 + i))).collect();
        client.send(&requests)?;
        client.finish_sending();
        if asleep {
            // One that has no such route answers at once, and no less rightly.
            client.reply()?;
        }
        for i in 0..COUNT {
            due(client.reply().and_then(|reply| reply.must_be_filler(3_000 + i)), i + 1, COUNT)?;
        }
        client.end_within(LIMIT)?;
    }
    Ok(())
}

/// The end comes while the server waits for room to write.
pub(super) fn half_close_slow_reader(subject: &mut Subject<'_>) -> Verdict {
    const LENGTH: usize = 2 * MORE_THAN_HELD;
    let mut client = connect_narrow(subject)?;
    let due = send_two(&mut client, LENGTH)?;
    thread::sleep(STALL);
    client.finish_sending();
    // The end arrives alone, and the server is still waiting.
    thread::sleep(STALL);
    read_slowly(&mut client, Duration::from_millis(200))?;
    read_two(&mut client, LENGTH, due)?;
    client.end_within(LIMIT)
}

/// Request and end arrive together, and the reply takes many writes.
pub(super) fn half_close_large(subject: &mut Subject<'_>) -> Verdict {
    const LENGTH: usize = 8 * 1024 * 1024;
    let mut client = subject.connect()?;
    let due = send_two(&mut client, LENGTH)?;
    client.finish_sending();
    // The kernel holds less than half of it, so the server is in the middle.
    thread::sleep(STALL);
    read_two(&mut client, LENGTH, due)
    // Whether a server that reads once per event then sees the end is luck: `half-close` asks for it.
}
