//! Writes that the socket does not take whole, and what must happen after them. Every reply here is larger
//! than what the kernel holds for its client, or there are many of them.

use super::client::{Client, LIMIT, get, post_echo};
use super::narrow::{STALL, connect_narrow, read_slowly};
use super::profile::current;
use super::subject::Subject;
use super::verdict::{Fault, Outcome, Verdict};
use std::io::Write;
use std::thread;
use std::time::Duration;

/// For reading what a narrow client gets: its window lets some tens of MiB pass in a second.
const SLOW_LIMIT: Duration = Duration::from_secs(10);

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// For a connection that ends in the middle of a reply.
const EAGAIN: &str = "EAGAIN says that there is no room now: keep the rest, wait until the socket is writable, \
                      and do not close.";

fn get_bytes(length: usize) -> Vec<u8> {
    get(&format!("/bytes/{length}"))
}

/// What was seen at a reply of this length, with the hint that fits it.
fn at_length<T>(result: Result<T, Fault>, length: usize) -> Result<T, Fault> {
    result.map_err(|fault| {
        let closed = fault.outcome == Outcome::Wrong
            && (fault.detail.contains("closed") || fault.detail.contains("reset"));
        let fault = fault.at(format!("a reply of {length} bytes"));
        if closed { fault.hinting(EAGAIN) } else { fault }
    })
}

/// Bodies that leave in one write, and bodies that take hundreds, all on one connection: a byte too few or
/// too many shows at the latest in the next reply.
pub(super) fn short_write_body(subject: &mut Subject<'_>) -> Verdict {
    let mut client = connect_narrow(subject)?;
    for length in [KIB, 64 * KIB, 200_001, MIB, 4 * MIB + 3] {
        if !current().keeps_open() {
            client = connect_narrow(subject)?;
        }
        client.send(&get_bytes(length))?;
        thread::sleep(STALL);
        let verdict = client.reply_within(SLOW_LIMIT).and_then(|reply| reply.must_be_filler(length));
        at_length(verdict, length)?;
    }
    match current().keeps_open() {
        true => client.ask(&get("/"))?.must_be_hello(),
        false => subject.must_serve(),
    }
}

/// Replies that the server has copied into a buffer, of which the socket takes a part.
pub(super) fn short_write_replies(subject: &mut Subject<'_>) -> Verdict {
    const COUNT: usize = 12_000;
    let length = |i: usize| 10 + i * 7 % 900;
    let mut client = connect_narrow(subject)?;
    let requests: Vec<u8> = (0..COUNT).flat_map(|i| get_bytes(length(i))).collect();
    let mut writer = client.stream()?;
    thread::scope(|scope| {
        // On a thread of its own, since the server may stop reading until its replies are read.
        let sending = scope.spawn(move || writer.write_all(&requests));
        let verdict = (|| {
            thread::sleep(STALL * 3);
            read_slowly(&mut client, Duration::from_millis(200))?;
            for i in 0..COUNT {
                let verdict = client.reply().and_then(|reply| reply.must_be_filler(length(i)));
                verdict.map_err(|fault| fault.at(format!("reply {} of {COUNT}", i + 1)))?;
            }
            Ok(())
        })();
        if verdict.is_err() {
            let _ = client.stream().map(|stream| stream.shutdown(std::net::Shutdown::Both));
        }
        let _ = sending.join();
        verdict
    })
}

/// A client that stalls again and again, so that the server finds no room many times.
pub(super) fn write_would_block(subject: &mut Subject<'_>) -> Verdict {
    const LENGTH: usize = 2 * MIB;
    let mut client = connect_narrow(subject)?;
    client.send(&get_bytes(LENGTH))?;
    for _ in 0..8 {
        thread::sleep(STALL);
        at_length(client.receive(std::time::Instant::now() + LIMIT, LIMIT, "the next bytes"), LENGTH)?;
    }
    at_length(client.reply_within(SLOW_LIMIT).and_then(|reply| reply.must_be_filler(LENGTH)), LENGTH)
}

/// The next request comes when the last byte of a reply that had to wait for room has been read.
pub(super) fn rearm_after_write(subject: &mut Subject<'_>) -> Verdict {
    const LENGTH: usize = 512 * KIB;
    let mut client = connect_narrow(subject)?;
    for round in 1..=5 {
        client.send(&get_bytes(LENGTH))?;
        thread::sleep(STALL);
        client.reply_within(SLOW_LIMIT)?.must_be_filler(LENGTH)?;
        // The server is waiting again.
        thread::sleep(STALL / 3);
        let verdict = client.ask(&get("/")).and_then(|reply| reply.must_be_hello());
        verdict.map_err(|fault| fault.at(format!("the request after large reply {round}")))?;
    }
    Ok(())
}

/// Requests that arrive while the server waits for room, and behind which nothing comes.
pub(super) fn read_while_writing(subject: &mut Subject<'_>) -> Verdict {
    const LENGTH: usize = 512 * KIB;
    let body = vec![b'e'; 3_000];
    for _ in 0..4 {
        let mut client = connect_narrow(subject)?;
        client.send(&get_bytes(LENGTH))?;
        thread::sleep(STALL);
        client.send(&[get_bytes(77), post_echo(&body)].concat())?;
        thread::sleep(STALL / 3);
        client.reply_within(SLOW_LIMIT)?.must_be_filler(LENGTH)?;
        let second = client.reply().and_then(|reply| reply.must_be_filler(77));
        second.map_err(|fault| fault.at("the request that came during the reply"))?;
        client.reply()?.must_be(&body)?;
    }
    Ok(())
}

/// A reader that is as fast as the server: its socket is always writable, so no event says that there is room
/// again. A server that pauses after so many bytes must remember that it did.
pub(super) fn fair_turn(subject: &mut Subject<'_>) -> Verdict {
    const LENGTH: usize = 64 * MIB;
    const SMALL: usize = 4_000;
    let mut client = subject.connect()?;
    drain_filler(&mut client, LENGTH)?;
    let requests: Vec<u8> = (0..SMALL).flat_map(|i| get_bytes(10 + i % 50)).collect();
    let mut writer = client.stream()?;
    thread::scope(|scope| {
        scope.spawn(move || writer.write_all(&requests));
        (0..SMALL).try_for_each(|i| client.reply()?.must_be_filler(10 + i % 50))
    })
}

/// Asks for a body, and checks it without keeping it: the filler repeats every 64 bytes.
fn drain_filler(client: &mut Client, length: usize) -> Verdict {
    client.send(&get_bytes(length))?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.extend(client.bytes(1, LIMIT)?);
        if head.len() > 16 * KIB {
            return Err(Fault::wrong("a head of more than 16 KiB"));
        }
    }
    let (mut left, mut line) = (length, Vec::new());
    while left > 0 {
        let step = left.min(64 * KIB);
        let bytes =
            client.bytes(step, LIMIT).map_err(|fault| fault.at(format!("{left} bytes before the end")))?;
        if line.is_empty() {
            line = bytes[..64].to_vec();
        }
        if bytes.chunks(64).any(|chunk| !line.starts_with(chunk)) {
            return Err(Fault::wrong(format!("the last {left} bytes of the body are not the filler's")));
        }
        left -= step;
    }
    Ok(())
}
