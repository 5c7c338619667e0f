//! One client: is every request answered rightly, however its bytes arrive?

use super::client::{Client, LIMIT, get, get_and_close, post_echo};
use super::profile::current;
use super::routes::Route;
use super::subject::Subject;
use super::verdict::{Fault, Verdict};
use std::io::Write;
use std::thread;
use std::time::{Duration, Instant};

/// Long enough for a server to wake up and read what came so far. No outcome depends on it: a server that
/// is slower reads the parts together, which must lead to the same answer.
const SHORT_PAUSE: Duration = Duration::from_millis(2);

pub(super) fn echo_duplex(subject: &mut Subject<'_>) -> Verdict {
    const LENGTH: usize = 1024 * 1024;
    // 251 is prime: a lost or doubled block of any power of two shifts the bytes behind it.
    let sent: Vec<u8> = (0..LENGTH).map(|i| (i % 251) as u8).collect();
    let mut client = subject.connect()?;
    let mut writer = client.stream()?;
    let received = thread::scope(|scope| {
        scope.spawn(|| writer.write_all(&sent));
        client.bytes(LENGTH, LIMIT)
    })?;
    if let Some(at) = received.iter().zip(&sent).position(|(a, b)| a != b) {
        return Err(Fault::wrong(format!("byte {at} of {LENGTH} came back changed")));
    }
    client.finish_sending();
    client.end_within(LIMIT)
}

pub(super) fn keep_alive(subject: &mut Subject<'_>) -> Verdict {
    let mut client = subject.connect()?;
    for length in [0, 1, 100_000] {
        client.ask(&get(&format!("/bytes/{length}")))?.must_be_filler(length)?;
    }
    client.ask(&get("/"))?.must_be_hello()
}

/// Each request asks for a length of its own, so replies out of order show.
pub(super) fn pipelined(subject: &Subject<'_>, count: usize) -> Verdict {
    let mut client = subject.connect()?;
    let requests: Vec<u8> = (0..count).flat_map(|i| get(&format!("/bytes/{}", 10 + i))).collect();
    client.send(&requests)?;
    for i in 0..count {
        client.reply()?.must_be_filler(10 + i)?;
    }
    Ok(())
}

/// Any number of large replies in front of work that may block, and a small one behind it: a server that
/// pauses after so many large ones must not forget the next.
pub(super) fn pipelined_mixture(subject: &mut Subject<'_>) -> Verdict {
    for count in 0..10 {
        let mut client = subject.connect()?;
        let mut requests = get("/bytes/5000").repeat(count);
        requests.extend(get("/sleep/1"));
        requests.extend(get("/"));
        client.send(&requests)?;
        for _ in 0..count {
            client.reply()?.must_be_filler(5_000)?;
        }
        client.reply()?.must_be_ok()?;
        client.reply()?.must_be_hello()?;
    }
    Ok(())
}

pub(super) fn cut_at_every_byte(subject: &mut Subject<'_>) -> Verdict {
    let request = post_echo(b"five!");
    for cut in 1..request.len() {
        let (first, second) = request.split_at(cut);
        let mut client = subject.connect()?;
        client.send(first)?;
        thread::sleep(SHORT_PAUSE);
        client.send(second)?;
        let verdict = client.reply().and_then(|reply| reply.must_be(b"five!"));
        verdict.map_err(|fault| fault.at(format!("cut at byte {cut}")))?;
    }
    let mut client = subject.connect()?;
    for byte in &request {
        client.send(std::slice::from_ref(byte))?;
        thread::sleep(SHORT_PAUSE);
    }
    client.reply()?.must_be(b"five!")
}

/// Asks for a sleep and returns while the server is in it; its reply is still to come. On a busy machine this
/// thread may be away longer than the server sleeps: then the reply is read, and it is asked again.
pub(super) fn begin_sleep(client: &mut Client, sleep: Duration) -> Verdict {
    const TRIES: usize = 5;
    for tries_left in (0..TRIES).rev() {
        let start = Instant::now();
        client.send(&get(&format!("/sleep/{}", sleep.as_millis())))?;
        thread::sleep(sleep / 4);
        if start.elapsed() < sleep / 2 || tries_left == 0 {
            break;
        }
        client.reply()?.must_be_ok()?;
    }
    Ok(())
}

pub(super) fn in_order(subject: &mut Subject<'_>) -> Verdict {
    let mut client = subject.connect()?;
    for round in 0..3 {
        // The server must be inside the sleep when the second request comes.
        begin_sleep(&mut client, Duration::from_millis(300))?;
        let length = 700 + round;
        client.send(&get(&format!("/bytes/{length}")))?;
        let first = client.reply()?;
        first.must_be_ok()?;
        if first.body.len() == length {
            return Err(Fault::wrong("the second reply overtook the first"));
        }
        client.reply()?.must_be_filler(length)?;
    }
    Ok(())
}

pub(super) fn burst_behind_sleep(subject: &mut Subject<'_>) -> Verdict {
    const BODIES: u8 = 8;
    const BODY: usize = 32 * 1024;
    let mut client = subject.connect()?;
    let mut writer = client.stream()?;
    begin_sleep(&mut client, Duration::from_millis(300))?;
    let body = |i: u8| vec![b'a' + i; BODY];
    let burst: Vec<u8> = (0..BODIES).flat_map(|i| post_echo(&body(i))).collect();
    thread::scope(|scope| {
        // On a thread of its own, since the server may stop reading until its replies are read.
        scope.spawn(|| writer.write_all(&burst));
        client.reply()?.must_be_ok()?;
        for i in 0..BODIES {
            let verdict = client.reply().and_then(|reply| reply.must_be(&body(i)));
            verdict.map_err(|fault| fault.at(format!("request {} of {BODIES} in the burst", i + 1)))?;
        }
        Ok(())
    })
}

pub(super) fn half_close(subject: &mut Subject<'_>) -> Verdict {
    const LENGTH: usize = 1024 * 1024;
    let mut client = subject.connect()?;
    // During the sleep the request and the end of input arrive together, always.
    let sleeps = current().has(Route::Sleep) && current().keeps_open();
    if sleeps {
        begin_sleep(&mut client, Duration::from_millis(200))?;
    }
    client.send(&get(&format!("/bytes/{LENGTH}")))?;
    client.finish_sending();
    if sleeps {
        // A server that has no such route answers at once, and no less rightly.
        client.reply()?;
    }
    client.reply()?.must_be_filler(LENGTH)?;
    client.end_within(LIMIT)
}

/// For a server that does not refuse the body at all.
const TOO_LARGE: &str =
    "The head says how long the body will be: compare it with the limit, and answer 413 before reading it.";

pub(super) fn body_413(subject: &mut Subject<'_>) -> Verdict {
    const LENGTH: usize = 2 * 1024 * 1024;
    let mut client = subject.connect()?;
    let line = current().line("POST /echo");
    client.send(format!("{line} HTTP/1.1\r\nHost: probe\r\nContent-Length: {LENGTH}\r\n\r\n").as_bytes())?;
    let mut writer = client.stream()?;
    thread::scope(|scope| {
        scope.spawn(move || {
            // A refusal shows in what is read; here it only ends the sending.
            let _ = writer.write_all(&vec![b'x'; LENGTH]);
            let _ = writer.shutdown(std::net::Shutdown::Write);
        });
        let reply = client.reply_within(2 * LIMIT)?;
        if subject.target.is_foreign() && reply.must_be(&vec![b'x'; LENGTH]).is_ok() {
            // RFC 9110, 15.5.14: a server may refuse what is larger than it is willing to process.
            return Err(Fault::not_applicable(
                "it accepts 2 MiB: whether there is a limit is its own choice",
            ));
        }
        reply.must_have_status(413).map_err(|fault| fault.hinting(TOO_LARGE))?;
        client.end_within(LIMIT)
    })
}

/// More than the kernel's buffers hold, so that the server must wait for its client.
const LARGE: usize = 16 * 1024 * 1024;

/// A client that has asked for a large last reply, and reads nothing of it yet.
pub(super) fn client_that_does_not_read(subject: &Subject<'_>) -> Result<Client, Fault> {
    let mut client = Client::connect_with_small_window(subject.addr)?;
    client.send(&get_and_close(&format!("/bytes/{LARGE}")))?;
    // The reply has begun, and is too long to have left.
    thread::sleep(Duration::from_millis(200));
    Ok(client)
}

/// It reads the whole reply, and then the end of the connection.
pub(super) fn must_be_whole(client: &mut Client) -> Verdict {
    client.reply_within(LIMIT * 2)?.must_be_filler(LARGE)?;
    client.let_it_close();
    client.end_within(LIMIT)
}

/// Sends on during a reply that is to be the last one. What the server does not read stays in its socket.
pub(super) fn late_bytes(subject: &mut Subject<'_>) -> Verdict {
    let mut client = client_that_does_not_read(subject)?;
    client.send(&get("/").repeat(300))?;
    must_be_whole(&mut client)
}

/// Reads a large body in small steps, as a client on a slow line does.
pub(super) fn slow_reader(subject: &mut Subject<'_>) -> Verdict {
    let mut client = client_that_does_not_read(subject)?;
    let start = Instant::now();
    // Slow for a second, then as fast as it can.
    while start.elapsed() < Duration::from_secs(1) {
        thread::sleep(Duration::from_millis(5));
        if client.receive(Instant::now() + LIMIT, LIMIT, "the next bytes")? == 0 {
            break;
        }
    }
    must_be_whole(&mut client)
}
