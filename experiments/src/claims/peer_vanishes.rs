//! `peer-vanishes`: a client that says nothing more, not even that it goes. First on the server's socket
//! alone, whose peer is removed without a segment; then on every stage, with its idle timeout and without.

use crate::experiment::{Experiment, Seconds};
use crate::fleet::{self, Member};
use crate::report::{Figure, Figures, Judgement, Measured};
use crate::session::Session;
use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{setsockopt, sockopt};
use std::io::{ErrorKind, Read};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// The experiment.
pub(super) const EXPERIMENT: Experiment = Experiment {
    id: "peer-vanishes",
    method: "Where it is permitted, a peer's socket is removed without sending anything (TCP_REPAIR), and \
             the server's socket is watched with TCP keep-alive and without. Every stage then has a client \
             that stays silent: how long each keeps the connection with an idle timeout of 1 s, and whether \
             it still has it after some seconds with one of an hour.",
    needs: &[],
    seconds: Seconds { quick: 12.0, full: 16.0 },
    run,
    judge,
};

fn run(session: &mut Session) -> Result<Measured> {
    let watched = session.pick(Duration::from_secs(3), Duration::from_secs(5));
    let mut figures = Figures::default();
    for (name, keep_alive) in [("without keep-alive", false), ("with keep-alive after 1 s", true)] {
        session.step(0.1, format_args!("a socket whose peer is removed, {name}"))?;
        let Some(noticed) = noticed_after(keep_alive, watched)? else {
            // The stages are asked all the same: an idle server sends nothing, so to it a silent peer and one
            // that is gone are the same.
            session.step(0.2, "TCP_REPAIR is not permitted here (CAP_NET_ADMIN): the peer is only silent")?;
            break;
        };
        let (what, seconds) = match noticed {
            Some(time) => ("noticed after", time.as_secs_f64()),
            None => ("not noticed within", watched.as_secs_f64()),
        };
        figures.push(Figure::once(format!("a bare socket {name}: {what}"), "s", seconds));
    }
    session.step(0.4, "every stage with an idle timeout of 1 s")?;
    let closed = watch(session, &["--idle-timeout", "1"], Duration::from_secs(8))?;
    let all = closed.len();
    let times: Vec<f64> = closed.iter().filter_map(|(_, time)| *time).collect();
    figures.push(Figure::exact("stages", "stages", all as f64));
    figures.push(Figure::exact("closed by a timer of 1 s", "stages", times.len() as f64));
    for (name, time) in &closed {
        let time = time.unwrap_or(f64::NAN);
        figures.0.extend(
            time.is_finite()
                .then(|| Figure::once(format!("stage {name} with a timer of 1 s: kept for"), "s", time)),
        );
    }
    session.step(0.7, "every stage with an idle timeout of an hour")?;
    let kept = watch(session, &["--idle-timeout", "3600"], watched)?;
    let kept = kept.iter().filter(|(_, time)| time.is_none()).count();
    let name = "still open without a timer that fires";
    figures.push(Figure::exact(name, "stages", kept as f64));
    Ok(figures.into())
}

/// How long each stage keeps a silent client, in seconds; `None` if it is longer than `limit`.
fn watch(session: &mut Session, options: &[&str], limit: Duration) -> Result<Vec<(String, Option<f64>)>> {
    let fleet = fleet::start(session, options, 1)?;
    let start = Instant::now();
    let mut ends: Vec<Option<f64>> = vec![None; fleet.len()];
    while start.elapsed() < limit && ends.iter().any(Option::is_none) {
        for (member, end) in fleet.iter().zip(&mut ends) {
            if end.is_none() && is_closed(member)? {
                *end = Some(start.elapsed().as_secs_f64());
            }
        }
        sleep(Duration::from_millis(10));
        session.check()?;
    }
    Ok(fleet.into_iter().map(|member| member.name).zip(ends).collect())
}

/// Whether the server has closed the connection of its client.
fn is_closed(member: &Member) -> Result<bool> {
    let client = &member.clients[0];
    client.stream.set_nonblocking(true)?;
    match client.stream.peek(&mut [0]) {
        Ok(count) => Ok(count == 0),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(false),
        Err(error) if error.kind() == ErrorKind::ConnectionReset => Ok(true),
        Err(error) => Err(error).context("the client's socket"),
    }
}

/// When the server's socket has noticed that its peer was removed, if it has; the outer `None`: that is not
/// permitted.
fn noticed_after(keep_alive: bool, limit: Duration) -> Result<Option<Option<Duration>>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let peer = TcpStream::connect(listener.local_addr()?)?;
    let (mut server, _) = listener.accept()?;
    if keep_alive {
        setsockopt(&server, sockopt::KeepAlive, &true)?;
        setsockopt(&server, sockopt::TcpKeepIdle, &1)?;
    }
    if !remove(peer)? {
        return Ok(None);
    }
    server.set_read_timeout(Some(limit))?;
    let start = Instant::now();
    let outcome = server.read(&mut [0]);
    let is_silent = outcome.is_err_and(|error| error.kind() == ErrorKind::WouldBlock);
    Ok(Some((!is_silent).then(|| start.elapsed())))
}

/// Removes a socket without a segment: closing one in repair mode sends nothing (tcp(7) leaves `TCP_REPAIR`
/// out; see the kernel's net/ipv4/tcp.c). Returns whether that is permitted.
fn remove(socket: TcpStream) -> Result<bool> {
    let on: libc::c_int = 1;
    // SAFETY: the pointer and the length are those of an integer that lives until the call returns.
    let outcome = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_REPAIR,
            (&raw const on).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    match Errno::result(outcome) {
        Ok(_) => Ok(true),
        Err(Errno::EPERM | Errno::ENOPROTOOPT) => Ok(false),
        Err(error) => Err(error).context("TCP_REPAIR"),
    }
}

fn judge(figures: &Figures) -> Result<Judgement> {
    const LESSON: &str = "A socket that waits for its peer sends nothing and so learns nothing: only a \
                          timer, the server's or TCP's keep-alive, tells a peer that is gone from one that \
                          thinks.";
    let stages = figures.value("stages")?;
    let closed = figures.value("closed by a timer of 1 s")?;
    let kept = figures.value("still open without a timer that fires")?;
    let because = format!(
        "with an idle timeout of 1 s {closed} of {stages} stages close the silent connection; with one of an \
         hour {kept} of {stages} still have it"
    );
    Ok(if kept < stages {
        Judgement::refuted(because, LESSON, "The source gives an argument and no measurement.")
    } else if closed == stages {
        Judgement::holds(because, LESSON)
    } else {
        Judgement::inconclusive(because, LESSON)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Verdict;

    #[test]
    fn a_timer_must_find_it_and_nothing_else_may() {
        let verdict = |closed: f64, kept: f64| {
            let figures = Figures(vec![
                Figure::exact("stages", "stages", 11.0),
                Figure::exact("closed by a timer of 1 s", "stages", closed),
                Figure::exact("still open without a timer that fires", "stages", kept),
            ]);
            judge(&figures).expect("all figures are there").verdict
        };
        assert_eq!(verdict(11.0, 11.0), Verdict::Holds);
        assert_eq!(verdict(11.0, 10.0), Verdict::Refuted);
        assert_eq!(verdict(10.0, 11.0), Verdict::Inconclusive);
    }
}
