//! `sigpipe`: does a write to a connection that the peer has closed end the server? The exhibit
//! ([`crate::exhibit`]) is a server with the default action of a C program; the stages are asked the same.

use crate::client::Client;
use crate::exhibit;
use crate::experiment::{Experiment, Seconds};
use crate::report::{Figure, Figures, Judgement, Measured};
use crate::session::Session;
use anyhow::{Context, Result};
use nix::sys::signal::Signal;
use nix::sys::socket::{setsockopt, sockopt::Linger};
use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

/// The experiment.
pub(super) const EXPERIMENT: Experiment = Experiment {
    id: "sigpipe",
    method: "A client asks and then closes, or resets, its connection before the reply; a server with the \
             default action for SIGPIPE, or with the signal ignored, then replies in one write or in two. \
             Each combination is run several times, and every stage of the lab is left in the same way.",
    needs: &[],
    seconds: Seconds { quick: 3.0, full: 6.0 },
    run,
    judge,
};

fn run(session: &mut Session) -> Result<Measured> {
    let rounds = session.pick(3, 10);
    let mut figures = Figures(vec![Figure::exact("runs of each combination", "runs", f64::from(rounds))]);
    let combinations = [
        ("default", "1", false),
        ("default", "1", true),
        ("default", "2", false),
        ("default", "2", true),
        ("ignored", "2", false),
        ("ignored", "2", true),
    ];
    for (at, (action, writes, resets)) in combinations.into_iter().enumerate() {
        let name = format!("{action}, {writes} write(s), peer {}", if resets { "resets" } else { "closes" });
        session.step(at as f64 / 8.0, &name)?;
        let mut died = 0;
        for _ in 0..rounds {
            died += u32::from(dies(action, writes, resets)?);
            session.check()?;
        }
        figures.push(Figure::exact(format!("{name}: killed"), "runs", f64::from(died)));
    }
    session.step(0.8, "every stage, left in the same way")?;
    let (mut asked, mut alive) = (0, 0);
    for stage in session.stages()? {
        asked += 1;
        alive += u32::from(survives(session, &stage.name)?);
    }
    figures.push(Figure::exact("stages of the lab", "stages", f64::from(asked)));
    figures.push(Figure::exact("stages of the lab that survive", "stages", f64::from(alive)));
    Ok(figures.into())
}

/// Whether SIGPIPE ended the exhibit.
fn dies(action: &str, writes: &str, resets: bool) -> Result<bool> {
    let mut server = exhibit::launch("sigpipe", &[action, writes])?.start()?;
    let mut client = Client::connect(server.addr)?;
    client.ask("/")?;
    leave(client, resets)?;
    let status = server.wait(Duration::from_secs(10)).context("the exhibit did not end")?;
    Ok(status.signal() == Some(Signal::SIGPIPE as i32))
}

/// Closes a connection, with a FIN or with a RST.
fn leave(client: Client, resets: bool) -> Result<()> {
    if resets {
        let at_once = nix::libc::linger { l_onoff: 1, l_linger: 0 };
        setsockopt(&client.stream, Linger, &at_once)?;
    }
    drop(client);
    Ok(())
}

/// Whether a stage serves the next client after some that did not take their replies, larger than what a
/// socket holds.
fn survives(session: &mut Session, stage: &str) -> Result<bool> {
    let server = session.start(stage, &[], None)?;
    for resets in [false, true, false, true] {
        let mut client = Client::connect(server.addr)?;
        client.ask("/bytes/8000000")?;
        client.has_answer_within(crate::client::LONG)?;
        leave(client, resets)?;
    }
    let mut client = Client::connect(server.addr)?;
    client.ask("/")?;
    let is_served = client.reply().is_ok_and(|reply| reply.status == 200);
    drop(client);
    server.stop()?;
    Ok(is_served)
}

fn judge(figures: &Figures) -> Result<Judgement> {
    const LESSON: &str = "The first write to a closed connection provokes the RST, the second one the \
                          SIGPIPE: ignore the signal, as Rust's runtime does before main, and look at EPIPE.";
    const SOURCE: &str = "A server that replies in several writes: webbench closes its sockets without \
                          reading when its time is over, so that some replies had a write behind the RST. A \
                          server with one write per reply would have survived the same run.";
    let runs = figures.value("runs of each combination")?;
    let killed = |name: &str| figures.value(&format!("{name}: killed"));
    let one = killed("default, 1 write(s), peer closes")? + killed("default, 1 write(s), peer resets")?;
    let two = killed("default, 2 write(s), peer closes")? + killed("default, 2 write(s), peer resets")?;
    let ignored = killed("ignored, 2 write(s), peer closes")? + killed("ignored, 2 write(s), peer resets")?;
    let because = format!(
        "one write: killed in {one} of {} runs; two writes: in {two} of {}; ignored: in {ignored}",
        2.0 * runs,
        2.0 * runs
    );
    Ok(match (one > 0.0, two > 0.0) {
        (true, true) => Judgement::holds(because, LESSON),
        (false, true) => Judgement::depends(format!("on a write after the RST. {because}"), LESSON, SOURCE),
        (false, false) => Judgement::refuted(
            because,
            LESSON,
            "The source saw the signal in strace; this kernel sends none.",
        ),
        (true, false) => {
            Judgement::inconclusive(format!("{because}, which no rule of the kernel explains"), LESSON)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Verdict;

    #[test]
    fn the_verdict_turns_on_the_write_behind_the_reset() {
        let verdict = |one: f64, two: f64| {
            let mut figures = Figures(vec![Figure::exact("runs of each combination", "runs", 3.0)]);
            for (name, value) in
                [("default, 1 write(s)", one), ("default, 2 write(s)", two), ("ignored, 2 write(s)", 0.0)]
            {
                for end in ["closes", "resets"] {
                    figures.push(Figure::exact(format!("{name}, peer {end}: killed"), "runs", value));
                }
            }
            judge(&figures).expect("all figures are there").verdict
        };
        assert_eq!(verdict(0.0, 3.0), Verdict::Depends);
        assert_eq!(verdict(3.0, 3.0), Verdict::Holds);
        assert_eq!(verdict(0.0, 0.0), Verdict::Refuted);
        assert_eq!(verdict(1.0, 0.0), Verdict::Inconclusive);
    }
}
