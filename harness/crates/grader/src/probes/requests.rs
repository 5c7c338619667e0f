//! Requests that do not end where a read ends.

use super::client::{get, post_echo};
use super::framing::begin_sleep;
use super::profile::current;
use super::subject::Subject;
use super::verdict::Verdict;
use std::io::Write;
use std::thread;
use std::time::Duration;

/// A whole request and a part of the next one arrive together. The rest comes when the first one is answered,
/// so the part has had to be kept meanwhile.
pub(super) fn second_in_part(subject: &mut Subject<'_>) -> Verdict {
    let (first, second) = (get("/bytes/33"), post_echo(b"second"));
    for cut in 1..second.len() {
        let (part, rest) = second.split_at(cut);
        let mut client = subject.connect()?;
        client.send(&[&first, part].concat())?;
        client.reply()?.must_be_filler(33)?;
        client.send(rest)?;
        let verdict = client.reply().and_then(|reply| reply.must_be(b"second"));
        verdict.map_err(|fault| {
            fault.at(format!("the second request, of which {cut} bytes came with the first"))
        })?;
    }
    Ok(())
}

/// Pipelined requests that arrive while the server sleeps, so that its next read fills its buffer: whatever
/// the size, a request is cut by its end.
pub(super) fn cut_at_buffer_end(subject: &mut Subject<'_>) -> Verdict {
    const KIB: usize = 1024;
    for size in [1, 2, 4, 8, 16, 32, 64].map(|kib| kib * KIB) {
        // The end of the buffer falls into the request line, the header, and the body of the request that it
        // cuts.
        for before_end in [5, 40, 100] {
            let mut client = subject.connect()?;
            let mut writer = client.stream()?;
            begin_sleep(&mut client, Duration::from_millis(16))?;
            let cut = post_echo(&[b'c'; 64]);
            let start = size - before_end;
            let mut requests = Vec::new();
            let mut lengths = Vec::new();
            // Whole requests up to a place where the last one before the cut can be of the length that is
            // left.
            while start - requests.len() > 400 {
                let length = 100 + lengths.len() % 50;
                requests.extend(post_echo(&vec![b'b'; length]));
                lengths.push(length);
            }
            let left = start - requests.len();
            let padding = "x".repeat(left - get_padded("").len());
            requests.extend(get_padded(&padding));
            debug_assert_eq!(requests.len(), start);
            requests.extend(&cut);
            requests.extend(get("/bytes/44"));
            let verdict = thread::scope(|scope| {
                scope.spawn(move || writer.write_all(&requests));
                client.reply()?.must_be_ok()?;
                for &length in &lengths {
                    client.reply()?.must_be(&vec![b'b'; length])?;
                }
                client.reply()?.must_be_hello()?;
                client.reply()?.must_be(&[b'c'; 64])?;
                client.reply()?.must_be_filler(44)
            });
            verdict
                .map_err(|fault| fault.at(format!("byte {before_end} of a request is the last of {size}")))?;
        }
    }
    Ok(())
}

/// `GET /` with a header line of this length more.
fn get_padded(padding: &str) -> Vec<u8> {
    let line = current().line("GET /");
    format!("{line} HTTP/1.1\r\nHost: probe\r\nX: {padding}\r\n\r\n").into_bytes()
}
