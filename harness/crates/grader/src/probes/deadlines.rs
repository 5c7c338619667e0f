//! Deadlines: not too late, moved by what should move them, and by nothing else.
//!
//! They are set to two seconds, and a server may look at them once a second: it is in time after three. What
//! is late by a factor of three comes after six.

use super::client::{LIMIT, get};
use super::narrow::connect_narrow;
use super::subject::Subject;
use super::verdict::{Fault, Outcome, Verdict};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::io::{ErrorKind, Write};
use std::os::fd::AsFd;
use std::thread;
use std::time::{Duration, Instant};

/// What every probe here sets its timeouts to, besides those that set one second.
const TIMEOUT: Duration = Duration::from_secs(2);

/// The latest moment for the end of a peer whose time was over after [`TIMEOUT`].
const LATEST: Duration = Duration::from_millis(4_800);

fn late(fault: Fault, what: &str) -> Fault {
    match fault.outcome {
        Outcome::Hang => {
            Fault::hang(format!("{what} {LATEST:?} after it began, with a timeout of {TIMEOUT:?}"))
        }
        _ => fault,
    }
}

/// The deadline has moved once before: a server that leaves the timer of the first one as it is, and looks at
/// the deadline when that has fired, must not have forgotten the second one then.
pub(super) fn idle_timeout_late(subject: &mut Subject<'_>) -> Verdict {
    let mut client = subject.connect()?;
    client.ask(&get("/"))?.must_be_hello()?;
    thread::sleep(Duration::from_millis(300));
    client.ask(&get("/"))?.must_be_hello()?;
    let since = Instant::now();
    client.end_within(LATEST).map_err(|fault| late(fault, "an idle connection is still open"))?;
    subject.remark = format!("closed after {:.1} s", since.elapsed().as_secs_f64());
    Ok(())
}

pub(super) fn header_timeout_late(subject: &mut Subject<'_>) -> Verdict {
    let mut client = subject.connect()?;
    client.ask(&get("/"))?.must_be_hello()?;
    let since = Instant::now();
    client.send(b"GET / HTTP/1.1\r\nHo")?;
    let reply = client.reply_within(LATEST).map_err(|fault| late(fault, "no 408 for an unfinished head"))?;
    reply.must_have_status(408)?;
    subject.remark = format!("408 after {:.1} s", since.elapsed().as_secs_f64());
    Ok(())
}

/// A client that asks now and then is not idle, however long it stays.
pub(super) fn idle_timeout_moves(subject: &mut Subject<'_>) -> Verdict {
    let mut client = subject.connect()?;
    let since = Instant::now();
    while since.elapsed() < 2 * TIMEOUT {
        let verdict = client.ask(&get("/")).and_then(|reply| reply.must_be_hello());
        verdict.map_err(|fault| fault.at(format!("asked every 0.4 s, after {:?}", since.elapsed())))?;
        thread::sleep(Duration::from_millis(400));
    }
    Ok(())
}

/// A head that goes on for ever, a byte of it at a time. Each byte comes long before any timeout.
pub(super) fn header_dribble(subject: &mut Subject<'_>) -> Verdict {
    let mut client = subject.connect()?;
    let since = Instant::now();
    client.send(b"GET / HTTP/1.1\r\nHost: probe\r\nX: ")?;
    while since.elapsed() < LATEST {
        if client.has_answer() {
            // The 408, or the end: either frees the server.
            subject.remark = format!("ended after {:.1} s", since.elapsed().as_secs_f64());
            return Ok(());
        }
        thread::sleep(Duration::from_millis(100));
        // Refused: the end is about to be seen.
        let _ = client.send(b"x");
    }
    let detail = format!("a head of which a byte comes every 0.1 s is still read after {LATEST:?}");
    Err(Fault::hang(detail))
}

/// A client that sends request after request and takes no reply costs the server memory, or a thread. However
/// much it sends, it is not alive in the sense of the timeout.
pub(super) fn never_reads(subject: &mut Subject<'_>) -> Verdict {
    /// Each of the two directions may have a timeout of its own, and each may be seen a second late.
    const GONE: Duration = Duration::from_secs(9);
    let mut client = connect_narrow(subject)?;
    client.send(&get("/bytes/300000").repeat(4))?;
    let mut stream = client.stream()?;
    stream.set_nonblocking(true)?;
    let request = get("/");
    let since = Instant::now();
    while since.elapsed() < GONE {
        thread::sleep(Duration::from_millis(50));
        let mut it = [PollFd::new(stream.as_fd(), PollFlags::empty())];
        // What is asked for is not read here, and the end of the replies may stand behind them: only a reset
        // shows before.
        let broken = poll(&mut it, PollTimeout::ZERO) == Ok(1);
        let refused = match stream.write(&request) {
            Ok(_) => false,
            Err(error) => !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted),
        };
        if broken || refused {
            subject.remark = format!("ended after {:.1} s", since.elapsed().as_secs_f64());
            return Ok(());
        }
    }
    Err(Fault::hang(format!("a client that sends and never reads is still connected after {GONE:?}")))
}

/// A reply that is taken slowly, but taken: longer than the timeout in all.
pub(super) fn slow_is_not_idle(subject: &mut Subject<'_>) -> Verdict {
    /// More than is read slowly, which is at most 64 KiB each time.
    const LENGTH: usize = 4 * 1024 * 1024;
    let mut client = connect_narrow(subject)?;
    client.send(&get(&format!("/bytes/{LENGTH}")))?;
    let since = Instant::now();
    while since.elapsed() < 2 * TIMEOUT {
        thread::sleep(Duration::from_millis(100));
        let verdict = client.receive(Instant::now() + LIMIT, LIMIT, "the next bytes");
        let count = verdict.map_err(|fault| fault.at(format!("read slowly, after {:?}", since.elapsed())))?;
        if count == 0 {
            return Err(Fault::wrong(format!("closed after {:?} of reading slowly", since.elapsed())));
        }
    }
    client.reply_within(2 * LIMIT)?.must_be_filler(LENGTH)
}
