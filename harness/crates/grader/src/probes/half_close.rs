//! A client that sends its requests, shuts its sending side, and then reads: `nc -N` does it, and so does
//! every script that ends its input. The end of input (a read of 0, EPOLLRDHUP) is not the end of the
//! connection.

use super::client::{LIMIT, get};
use super::framing::begin_sleep;
use super::narrow::{MORE_THAN_HELD, STALL, connect_narrow, read_slowly};
use super::subject::Subject;
use super::verdict::{Fault, Verdict};
use std::thread;
use std::time::Duration;

/// What was seen of the replies that were due.
fn due<T>(result: Result<T, Fault>, number: usize, of: usize) -> Result<T, Fault> {
    result.map_err(|fault| fault.at(format!("reply {number} of {of} that were due at the half-close")))
}

/// Many small requests and the end, first as one burst, then while the server sleeps: then it finds them and
/// the end in one read, or in one event.
pub(super) fn half_close_pipelined(subject: &mut Subject<'_>) -> Verdict {
    const COUNT: usize = 50;
    for asleep in [false, true] {
        let mut client = subject.connect()?;
        if asleep {
            begin_sleep(&mut client, Duration::from_millis(100))?;
        }
        let requests: Vec<u8> = (0..COUNT).flat_map(|i| get(&format!("/bytes/{}", 3_000 + i))).collect();
        client.send(&requests)?;
        client.finish_sending();
        if asleep {
            client.reply()?.must_be_ok()?;
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
    client.send(&[get(&format!("/bytes/{LENGTH}")), get("/bytes/99")].concat())?;
    thread::sleep(STALL);
    client.finish_sending();
    // The end arrives alone, and the server is still waiting.
    thread::sleep(STALL);
    read_slowly(&mut client, Duration::from_millis(200))?;
    due(client.reply_within(2 * LIMIT).and_then(|reply| reply.must_be_filler(LENGTH)), 1, 2)?;
    due(client.reply().and_then(|reply| reply.must_be_filler(99)), 2, 2)?;
    client.end_within(LIMIT)
}

/// Request and end arrive together, and the reply takes many writes.
pub(super) fn half_close_large(subject: &mut Subject<'_>) -> Verdict {
    const LENGTH: usize = 8 * 1024 * 1024;
    let mut client = subject.connect()?;
    client.send(&[get(&format!("/bytes/{LENGTH}")), get("/bytes/99")].concat())?;
    client.finish_sending();
    // The kernel holds less than half of it, so the server is in the middle.
    thread::sleep(STALL);
    due(client.reply_within(2 * LIMIT).and_then(|reply| reply.must_be_filler(LENGTH)), 1, 2)?;
    due(client.reply().and_then(|reply| reply.must_be_filler(99)), 2, 2)
    // Whether a server that reads once per event then sees the end is luck: `half-close` asks for it.
}
