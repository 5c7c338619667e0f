//! `close-with-unread`: what a peer sees when the server closes at once, by what the server had not read.

use crate::experiment::{Experiment, Seconds};
use crate::measure::{PEER_ENDED, await_event};
use crate::report::{Figure, Figures, Judgement, Measured};
use crate::session::Session;
use anyhow::{Context, Result, ensure};
use nix::poll::PollFlags;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};

/// The experiment.
pub(super) const EXPERIMENT: Experiment = Experiment {
    id: "close-with-unread",
    method: "A server accepts a connection and closes it: the peer has sent nothing, or a request that is \
             read or left unread, with and without a reply before. Noted is whether the peer's read ends \
             with an end of file (a FIN) or with an error (a RST), and whether it gets the reply.",
    needs: &[],
    seconds: Seconds { quick: 0.5, full: 1.0 },
    run,
    judge,
};

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
const REPLY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";

/// What the two sides do, in this order.
#[derive(Clone, Copy, Debug, Default)]
struct Course {
    peer_asks: bool,
    server_reads: bool,
    server_replies: bool,
    /// shutdown(2) of its sending side, then reading until the peer's end: a lingering close.
    server_lingers: bool,
}

const COURSES: [(&str, Course); 5] = [
    (
        "silent peer",
        Course { peer_asks: false, server_reads: false, server_replies: false, server_lingers: false },
    ),
    (
        "request left unread",
        Course { peer_asks: true, server_reads: false, server_replies: false, server_lingers: false },
    ),
    (
        "request read",
        Course { peer_asks: true, server_reads: true, server_replies: false, server_lingers: false },
    ),
    (
        "503 sent, request left unread",
        Course { peer_asks: true, server_reads: false, server_replies: true, server_lingers: false },
    ),
    (
        "503 sent, lingering close",
        Course { peer_asks: true, server_reads: false, server_replies: true, server_lingers: true },
    ),
];

fn run(session: &mut Session) -> Result<Measured> {
    let rounds = session.pick(10, 100);
    let mut figures =
        Figures(vec![Figure::exact("connections of each kind", "connections", f64::from(rounds))]);
    for (at, (name, course)) in COURSES.into_iter().enumerate() {
        session.step(at as f64 / COURSES.len() as f64, name)?;
        let (mut resets, mut replies) = (0, 0);
        for _ in 0..rounds {
            let (bytes, is_reset) = go_through(course)?;
            resets += u32::from(is_reset);
            replies += u32::from(bytes == REPLY);
        }
        figures.push(Figure::exact(format!("{name}: ended by RST"), "connections", f64::from(resets)));
        if course.server_replies {
            let name = format!("{name}: the peer got the reply");
            figures.push(Figure::exact(name, "connections", f64::from(replies)));
        }
    }
    Ok(figures.into())
}

/// What the peer could read, and whether a RST ended the connection.
fn go_through(course: Course) -> Result<(Vec<u8>, bool)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let mut peer = TcpStream::connect(listener.local_addr()?)?;
    let (mut server, _) = listener.accept()?;
    if course.peer_asks {
        peer.write_all(REQUEST)?;
        // It must be in the server's receive buffer before the server goes on.
        await_event(&server, PollFlags::POLLIN)?;
    }
    if course.server_reads {
        server.read_exact(&mut vec![0; REQUEST.len()])?;
    }
    if course.server_replies {
        server.write_all(REPLY)?;
    }
    if course.server_lingers {
        server.shutdown(Shutdown::Write)?;
        let draining = std::thread::spawn(move || std::io::copy(&mut server, &mut std::io::sink()));
        let seen = read_all(&mut peer)?;
        drop(peer);
        ensure!(draining.join().is_ok(), "the draining thread panicked");
        return Ok(seen);
    }
    drop(server);
    // What the close has sent must have come before the peer reads: a slow peer is the one that loses.
    await_event(&peer, PEER_ENDED)?;
    read_all(&mut peer)
}

fn read_all(peer: &mut TcpStream) -> Result<(Vec<u8>, bool)> {
    let mut bytes = Vec::new();
    match peer.read_to_end(&mut bytes) {
        Ok(_) => Ok((bytes, false)),
        Err(error) if error.kind() == ErrorKind::ConnectionReset => Ok((bytes, true)),
        Err(error) => Err(error).context("the peer's read"),
    }
}

fn judge(figures: &Figures) -> Result<Judgement> {
    const LESSON: &str = "close sends a RST when bytes are unread: send the reply, shut down the sending \
                          side, read what still comes, and close then.";
    const SOURCE: &str = "Nothing was measured. The sentence is true of a client that has sent nothing yet, \
                          and an HTTP client sends its request at once.";
    let all = figures.value("connections of each kind")?;
    let resets = |name: &str| figures.value(&format!("{name}: ended by RST"));
    let (silent, unread, read) =
        (resets("silent peer")?, resets("request left unread")?, resets("request read")?);
    let because = format!(
        "on bytes that the server has not read: RST in {unread} of {all} connections with an unread request, \
         in {read} with a request that was read, in {silent} with a silent peer"
    );
    Ok(match (silent + read, unread) {
        (0.0, 0.0) => Judgement::holds("no close sent a RST", LESSON),
        (0.0, unread) if unread == all => Judgement::depends(because, LESSON, SOURCE),
        (clean, unread) if clean == 2.0 * all && unread == all => {
            Judgement::refuted("every close sent a RST", LESSON, SOURCE)
        }
        _ => Judgement::inconclusive(because, LESSON),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Verdict;

    #[test]
    fn the_verdict_turns_on_unread_bytes() {
        let verdict = |silent: f64, unread: f64, read: f64| {
            let mut figures = Figures(vec![Figure::exact("connections of each kind", "connections", 10.0)]);
            for (name, value) in
                [("silent peer", silent), ("request left unread", unread), ("request read", read)]
            {
                figures.push(Figure::exact(format!("{name}: ended by RST"), "connections", value));
            }
            judge(&figures).expect("all figures are there").verdict
        };
        assert_eq!(verdict(0.0, 10.0, 0.0), Verdict::Depends);
        assert_eq!(verdict(0.0, 0.0, 0.0), Verdict::Holds);
        assert_eq!(verdict(10.0, 10.0, 10.0), Verdict::Refuted);
        assert_eq!(verdict(0.0, 5.0, 0.0), Verdict::Inconclusive);
    }
}
