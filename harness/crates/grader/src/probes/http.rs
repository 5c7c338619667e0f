//! What HTTP asks of a server besides the framing of requests: where a reply ends, and bodies in chunks.

use super::client::{LIMIT, get, get_and_close};
use super::framing::begin_sleep;
use super::heads::head;
use super::profile::current;
use super::subject::Subject;
use super::verdict::{Fault, Outcome, Verdict};
use std::io::Write;
use std::thread;
use std::time::{Duration, Instant};

/// A head, and behind it the next reply: a body in between is read as the beginning of that one.
pub(super) fn head_without_body(subject: &mut Subject<'_>) -> Verdict {
    for path in ["/", "/bytes/1000", "/bytes/100000", "/no-such-file"] {
        let mut client = subject.connect()?;
        let target = current().target(path);
        let request = format!("HEAD {target} HTTP/1.1\r\nHost: probe\r\n\r\n");
        client.send(&[request.as_bytes(), &get("/bytes/21")].concat())?;
        let seen = head(&mut client)?;
        if !seen.starts_with("HTTP/1.") {
            return Err(Fault::wrong(format!("{:?} instead of a status line", seen.lines().next())));
        }
        let next =
            client.bytes(5, LIMIT).map_err(|fault| fault.at(format!("behind the head for HEAD {path}")))?;
        if next != b"HTTP/" {
            let shown = String::from_utf8_lossy(&next).into_owned();
            return Err(Fault::wrong(format!("{shown:?} behind the head for HEAD {path}: HEAD has no body")));
        }
        let rest = head(&mut client)?;
        if !rest.starts_with("1.1 200") && !rest.starts_with("1.0 200") {
            return Err(Fault::wrong(format!("HTTP/{:?} for the next request", rest.lines().next())));
        }
        client.bytes(21, LIMIT)?;
    }
    Ok(())
}

/// A client of HTTP/1.0 reads until the connection ends.
pub(super) fn http_10_closes(subject: &mut Subject<'_>) -> Verdict {
    for headers in ["", "Host: probe\r\n"] {
        let mut client = subject.connect()?;
        let line = current().line("GET /");
        client.ask(format!("{line} HTTP/1.0\r\n{headers}\r\n").as_bytes())?.must_be_hello()?;
        client.end_within(LIMIT).map_err(|fault| match fault.outcome {
            Outcome::Hang => Fault::hang(format!("still open {LIMIT:?} after a reply to HTTP/1.0")),
            _ => fault,
        })?;
    }
    Ok(())
}

/// A client that waits for the 100 sends no byte of its body before it.
pub(super) fn expect_100(subject: &mut Subject<'_>) -> Verdict {
    let mut client = subject.connect()?;
    for body in ["five!", "and once more"] {
        let length = body.len();
        let line = current().line("POST /echo");
        let request = format!(
            "{line} HTTP/1.1\r\nHost: probe\r\nContent-Length: {length}\r\nExpect: 100-continue\r\n\r\n"
        );
        client.send(request.as_bytes())?;
        let interim = head(&mut client).map_err(|fault| match fault.outcome {
            Outcome::Hang => Fault::hang(format!("no 100 within {LIMIT:?}, and the client waits for it")),
            _ => fault,
        })?;
        if interim.split_whitespace().nth(1) != Some("100") {
            return Err(Fault::wrong(format!("{:?} instead of a 100", interim.lines().next())));
        }
        client.send(body.as_bytes())?;
        client.reply()?.must_be(body.as_bytes())?;
    }
    Ok(())
}

/// A body in chunks of these lengths, with everything that may stand between them.
fn chunked(lengths: &[usize]) -> (Vec<u8>, Vec<u8>) {
    let line = current().line("POST /echo");
    let head = format!("{line} HTTP/1.1\r\nHost: probe\r\nTransfer-Encoding: chunked\r\n\r\n");
    let mut request = head.into_bytes();
    let mut body = Vec::new();
    for (i, &length) in lengths.iter().enumerate() {
        // 251 is prime: a byte that is lost or doubled shifts the rest.
        let chunk: Vec<u8> = (0..length).map(|at| ((body.len() + at) % 251) as u8).collect();
        let size = if i % 2 == 0 { format!("{length:x}\r\n") } else { format!("{length:04X}\r\n") };
        request.extend(size.bytes());
        request.extend(&chunk);
        request.extend(b"\r\n");
        body.extend(chunk);
    }
    request.extend(b"0\r\n\r\n");
    (request, body)
}

/// Chunks of many lengths: at once, cut in two at every byte, and long ones in pieces.
pub(super) fn chunked_body(subject: &mut Subject<'_>) -> Verdict {
    let (request, body) = chunked(&[1, 2, 15, 16, 17]);
    let mut client = subject.connect()?;
    // Two behind each other: a byte too few or too many shows in the second one.
    client.send(&[&request[..], &request].concat())?;
    for _ in 0..2 {
        client.reply()?.must_be(&body)?;
    }
    let start = request.windows(4).position(|it| it == b"\r\n\r\n").unwrap_or(0);
    for cut in start..request.len() {
        let (first, second) = request.split_at(cut);
        client.send(first)?;
        thread::sleep(Duration::from_millis(1));
        client.send(second)?;
        let verdict = client.reply().and_then(|reply| reply.must_be(&body));
        verdict.map_err(|fault| fault.at(format!("chunks cut at byte {cut}")))?;
    }
    let (request, body) = chunked(&[4_095, 4_096, 4_097, 65_535, 65_536, 1, 65_537, 100_000]);
    let mut writer = client.stream()?;
    // They arrive meanwhile, so that full buffers cut them.
    begin_sleep(&mut client, Duration::from_millis(100))?;
    thread::scope(|scope| {
        scope.spawn(move || {
            for piece in request.chunks(10_007) {
                if writer.write_all(piece).is_err() {
                    break;
                }
            }
        });
        client.reply()?.must_be_ok()?;
        let verdict = client.reply().and_then(|reply| reply.must_be(&body));
        verdict.map_err(|fault| fault.at("chunks of up to 100,000 bytes"))
    })
}

/// A request that takes long stands behind one that is answered at once: that reply must not wait for it.
///
/// A reply that comes before the length of the sleep is over did not wait. Nor did one that is later, if the
/// next reply does not follow it: the server was slow to begin, and sleeps only now. A server that handles
/// both before it replies sends the two together.
pub(super) fn reply_before_slow(subject: &mut Subject<'_>) -> Verdict {
    // The longer sleep is for a machine so busy that two replies which were sent together come apart.
    for sleep in [1, 3].map(Duration::from_secs) {
        let mut client = subject.connect()?;
        let slow = get(&format!("/sleep/{}", sleep.as_millis()));
        let asked = Instant::now();
        client.send(&[get("/bytes/100"), slow, get_and_close("/")].concat())?;
        client.reply_within(sleep + LIMIT)?.must_be_filler(100)?;
        let is_early = asked.elapsed() < sleep || !client.has_answer_within(sleep / 2);
        client.reply_within(sleep + LIMIT)?.must_be_ok()?;
        client.reply()?.must_be_hello()?;
        if is_early {
            return Ok(());
        }
    }
    if subject.target.is_foreign() {
        return Err(Fault::not_applicable(
            "it handles what is pipelined before it replies, which is its choice",
        ));
    }
    let detail = "the reply to the first of two requests came when the sleep of the second one was over";
    let command = "{ printf 'GET / HTTP/1.1\\r\\nHost: probe\\r\\n\\r\\nGET /sleep/4000 HTTP/1.1\\r\\nHost: probe\\r\\n\\r\\n'; \
                   sleep 2; } | timeout 2 nc -q0 127.0.0.1 $PORT | grep -a -c '200 OK'";
    let fault = Fault::new(Outcome::Starved, detail).shows("1: the first reply is there at once", "0");
    Err(fault.shown_by(command))
}
