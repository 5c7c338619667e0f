//! `edge-or-level`: 2 KiB have arrived and 1 KiB is read. First on a bare socket pair with a bare epoll, then
//! on stage 05 with a read buffer of 1 KiB and 2 KiB of requests.

use crate::client::{Client, LONG, request};
use crate::experiment::{Experiment, Seconds};
use crate::report::{Figure, Figures, Judgement, Measured};
use crate::session::Session;
use anyhow::{Result, ensure};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// The experiment.
pub(super) const EXPERIMENT: Experiment = Experiment {
    id: "edge-or-level",
    method: "2 KiB are written into a socket pair, and after each report of epoll 1 KiB is read, once or \
             until nothing is left; then the same with stage 05, whose read buffer is set to 1 KiB. Counted \
             is how much arrives without a further byte from the peer.",
    needs: &[],
    seconds: Seconds { quick: 2.0, full: 3.0 },
    run,
    judge,
};

const PIECE: usize = 1024;
const TRIGGERS: [(&str, EpollFlags); 2] = [("level", EpollFlags::empty()), ("edge", EpollFlags::EPOLLET)];

fn run(session: &mut Session) -> Result<Measured> {
    let mut figures = Figures::default();
    session.step(0.0, "a socket pair, both triggers, both ways to read")?;
    for (trigger, flag) in TRIGGERS {
        for (drain, once) in [("read once", true), ("read until EAGAIN", false)] {
            let (reports, bytes) = on_a_socket_pair(flag, once)?;
            let name = |what| format!("{trigger}, {drain}: {what}");
            figures.push(Figure::exact(name("reports of epoll"), "reports", reports as f64));
            figures.push(Figure::exact(name("bytes read"), "bytes", bytes as f64));
        }
    }
    let silence = session.pick(Duration::from_millis(700), Duration::from_millis(1500));
    for (at, (trigger, drain)) in
        [("level", "once"), ("level", "until-would-block"), ("edge", "once"), ("edge", "until-would-block")]
            .into_iter()
            .enumerate()
    {
        session.step(0.2 + 0.2 * at as f64, format_args!("stage 05 --trigger {trigger} --drain {drain}"))?;
        let (of, without, after) = on_stage_05(session, trigger, drain, silence)?;
        let name = |what| format!("stage 05, {trigger}, {drain}: {what}");
        figures.push(Figure::exact(name("replies"), &format!("of {of}"), without as f64));
        figures.push(Figure::exact(name("replies after one byte more"), &format!("of {of}"), after as f64));
    }
    Ok(figures.into())
}

/// How often epoll reports, and how many bytes are read, until epoll is silent.
fn on_a_socket_pair(flag: EpollFlags, once: bool) -> Result<(usize, usize)> {
    let (mut near, mut far) = UnixStream::pair()?;
    near.set_nonblocking(true)?;
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
    epoll.add(&near, EpollEvent::new(EpollFlags::EPOLLIN | flag, 0))?;
    far.write_all(&[b'x'; 2 * PIECE])?;
    let (mut reports, mut bytes) = (0, 0);
    // All bytes are there, so epoll needs no time to find out: a timeout of 0 is no race.
    while epoll.wait(&mut [EpollEvent::empty()], EpollTimeout::ZERO)? == 1 {
        reports += 1;
        while let Ok(count) = near.read(&mut [0; PIECE]) {
            bytes += count;
            if once {
                break;
            }
        }
    }
    Ok((reports, bytes))
}

/// Sends 2 KiB of whole requests at once. Returns how many these were, how many replies came until the server
/// was silent, and how many after another byte.
fn on_stage_05(
    session: &mut Session,
    trigger: &str,
    drain: &str,
    silence: Duration,
) -> Result<(usize, usize, usize)> {
    let options = ["--trigger", trigger, "--drain", drain, "--read-buffer", "1024"];
    let server = session.start("05", &options, None)?;
    let mut client = Client::connect(server.addr)?;
    let one = request("/");
    let count = 2 * PIECE / one.len();
    client.send(&one.repeat(count))?;
    // One after the other: a peek sees the rest of what has come with the reply before.
    let mut reader = ReplyCounter::default();
    while reader.count < count && client.has_answer_within(if reader.count == 0 { LONG } else { silence })? {
        reader.read(&mut client)?;
    }
    let without = reader.count;
    if without < count {
        // The rest of the requests is in the server's socket; the first byte of another request is an edge.
        client.send(b"G")?;
        while reader.count < count && client.has_answer_within(LONG)? {
            reader.read(&mut client)?;
        }
    }
    server.stop()?;
    Ok((count, without, reader.count))
}

/// Counts the replies in a stream of equal ones.
#[derive(Default)]
struct ReplyCounter {
    seen: Vec<u8>,
    count: usize,
}

impl ReplyCounter {
    fn read(&mut self, client: &mut Client) -> Result<()> {
        let mut piece = [0; 16 * 1024];
        let count = client.stream.read(&mut piece)?;
        ensure!(count > 0, "the server closed the connection");
        self.seen.extend_from_slice(&piece[..count]);
        self.count = self.seen.windows(BODY.len()).filter(|window| *window == BODY).count();
        Ok(())
    }
}

const BODY: &[u8] = b"Hello, World!";

fn judge(figures: &Figures) -> Result<Judgement> {
    const LESSON: &str = "Edge-triggered means told once: read until EAGAIN, or the rest waits for the \
                          peer's next byte, perhaps for ever.";
    let bytes = |trigger, drain| figures.value(&format!("{trigger}, {drain}: bytes read"));
    let stage = |trigger, drain| {
        let name = format!("stage 05, {trigger}, {drain}: replies");
        let (replies, after) = (figures.get(&name)?, figures.value(&format!("{name} after one byte more"))?);
        let all = replies.unit.trim_start_matches("of ").parse::<f64>()?;
        anyhow::Ok((replies.value == all, after == all))
    };
    let whole = 2.0 * PIECE as f64;
    let drained = bytes("edge", "read until EAGAIN")? == whole
        && stage("edge", "until-would-block")?.0
        && stage("level", "until-would-block")?.0;
    let level_repeats = bytes("level", "read once")? == whole && stage("level", "once")?.0;
    let (stage_complete, stage_recovers) = stage("edge", "once")?;
    let edge_is_silent = bytes("edge", "read once")? < whole && !stage_complete;
    Ok(match (edge_is_silent, level_repeats, drained && stage_recovers) {
        (true, true, true) => Judgement::holds(
            "edge-triggered, 1 KiB of 2 stays unread after the only report, and in stage 05 the replies \
             behind it come with the peer's next byte only; level-triggered, all of it is reported again",
            LESSON,
        ),
        (true, true, false) => Judgement::inconclusive(
            "a combination that reads until EAGAIN lost replies, so something else than the trigger is at \
             work",
            LESSON,
        ),
        _ => Judgement::refuted(
            "the edge-triggered descriptor was reported again, or the level-triggered one was not",
            LESSON,
            "The behaviour of another kernel than this one.",
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Verdict;

    /// Replies of 20 in stage 05, level once, edge once, edge drained; bytes in the socket pair, edge once.
    fn figures(level: f64, edge: f64, drained: f64, bytes: f64) -> Figures {
        let mut figures = Figures::default();
        for (name, value) in [
            ("level, read once", 2048.0),
            ("level, read until EAGAIN", 2048.0),
            ("edge, read once", bytes),
            ("edge, read until EAGAIN", 2048.0),
        ] {
            figures.push(Figure::exact(format!("{name}: bytes read"), "bytes", value));
        }
        for (name, value) in [
            ("level, once", level),
            ("level, until-would-block", 20.0),
            ("edge, once", edge),
            ("edge, until-would-block", drained),
        ] {
            let name = format!("stage 05, {name}: replies");
            figures.push(Figure::exact(format!("{name} after one byte more"), "of 20", 20.0));
            figures.push(Figure::exact(name, "of 20", value));
        }
        figures
    }

    #[test]
    fn the_claim_holds_only_if_one_of_the_four_combinations_is_silent() {
        let verdict = |figures: Figures| judge(&figures).expect("all figures are there").verdict;
        assert_eq!(verdict(figures(20.0, 10.0, 20.0, 1024.0)), Verdict::Holds);
        assert_eq!(verdict(figures(20.0, 20.0, 20.0, 1024.0)), Verdict::Refuted, "edge repeats");
        assert_eq!(verdict(figures(10.0, 10.0, 20.0, 1024.0)), Verdict::Refuted, "level is silent");
        assert_eq!(verdict(figures(20.0, 10.0, 20.0, 2048.0)), Verdict::Refuted, "the socket pair repeats");
        assert_eq!(verdict(figures(20.0, 10.0, 19.0, 1024.0)), Verdict::Inconclusive);
    }
}
