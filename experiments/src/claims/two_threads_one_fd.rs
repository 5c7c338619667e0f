//! `two-threads-one-fd`: a client asks for something slow and then, on the same connection, for something
//! quick. Two workers that have the same descriptor answer in the wrong order.

use crate::client::{Client, LONG};
use crate::experiment::{Experiment, Seconds};
use crate::report::{Figure, Figures, Judgement, Measured};
use crate::session::Session;
use anyhow::{Context, Result};
use std::thread::sleep;
use std::time::Duration;

/// The experiment.
pub(super) const EXPERIMENT: Experiment = Experiment {
    id: "two-threads-one-fd",
    method: "On one connection to stage 06 a client asks for /sleep/40, and while a worker sleeps it asks \
             for /bytes/7; the order of the two replies is noted. Stage 06 runs with EPOLLONESHOT and with \
             --no-oneshot.",
    needs: &[],
    seconds: Seconds { quick: 3.0, full: 12.0 },
    run,
    judge,
};

const ASKED: &str = "pairs of requests";

fn run(session: &mut Session) -> Result<Measured> {
    let rounds = session.pick(20, 100);
    let mut figures = Figures(vec![Figure::exact(ASKED, "pairs", rounds as f64)]);
    for (at, (name, options)) in
        [("with EPOLLONESHOT", &[][..]), ("without EPOLLONESHOT", &["--no-oneshot"])].into_iter().enumerate()
    {
        session.step(at as f64 / 2.0, format_args!("stage 06 {name}"))?;
        let seen = ask_in_pairs(session, options, rounds)?;
        let mut push = |what: &str, unit: &str, value: f64| {
            figures.push(Figure::exact(format!("{name}: {what}"), unit, value));
        };
        push("replies in the wrong order", "pairs", seen.swapped as f64);
        push("a reply that never came", "pairs", seen.lost as f64);
        push("overlaps that the server counted", "overlaps", seen.overlaps);
    }
    Ok(figures.into())
}

/// What became of the pairs of requests.
#[derive(Default)]
struct Seen {
    swapped: usize,
    lost: usize,
    /// How often the server saw a worker get a descriptor that another one held.
    overlaps: f64,
}

/// Asks in pairs, each on a connection of its own.
fn ask_in_pairs(session: &mut Session, options: &[&str], rounds: usize) -> Result<Seen> {
    // A server that is broken on purpose is not waited for long.
    let limit = if options.is_empty() { LONG } else { Duration::from_secs(2) };
    let mut server = session.start("06", options, None)?;
    let mut seen = Seen::default();
    for _ in 0..rounds {
        let mut client = Client::connect(server.addr)?;
        client.ask("/sleep/40")?;
        // The first request must be at work before the second one comes, or one worker reads both.
        sleep(Duration::from_millis(10));
        client.ask("/bytes/7")?;
        let mut lengths =
            || anyhow::Ok((client.reply_within(limit)?.body.len(), client.reply_within(limit)?.body.len()));
        match lengths() {
            Ok((7, other)) if other != 7 => seen.swapped += 1,
            Ok(_) => {}
            Err(_) => seen.lost += 1,
        }
        session.check()?;
    }
    server.signal(nix::sys::signal::Signal::SIGTERM);
    server.wait(Duration::from_secs(6)).context("stage 06 did not stop")?;
    // It says at its end how often that was.
    sleep(Duration::from_millis(30));
    let said = server.stderr();
    let line = said.lines().find_map(|line| line.split_once("at once: "));
    let number = line.and_then(|(_, rest)| rest.split(' ').next()?.parse().ok());
    seen.overlaps = number.unwrap_or(0.0);
    Ok(seen)
}

fn judge(figures: &Figures) -> Result<Judgement> {
    const LESSON: &str = "A descriptor that is handed to a worker must be silent until that worker is done \
                          with it: that is what EPOLLONESHOT and re-arming are for.";
    let asked = figures.value(ASKED)?;
    let damaged = |name: &str| {
        let swapped = figures.value(&format!("{name}: replies in the wrong order"))?;
        anyhow::Ok(swapped + figures.value(&format!("{name}: a reply that never came"))?)
    };
    let (with, without) = (damaged("with EPOLLONESHOT")?, damaged("without EPOLLONESHOT")?);
    let because = format!(
        "without EPOLLONESHOT {without} of {asked} pairs of replies were swapped or lost one, with it {with} \
         of {asked}"
    );
    Ok(match (with > 0.0, without > 0.0) {
        (false, true) => Judgement::holds(because, LESSON),
        (true, _) => Judgement::refuted(because, LESSON, "The source gives an argument and no measurement."),
        (false, false) => Judgement::inconclusive(format!("{because}: the race did not show"), LESSON),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Verdict;

    #[test]
    fn the_race_must_show_without_and_must_not_show_with() {
        let verdict = |with: f64, without: f64| {
            let figures = Figures(vec![
                Figure::exact(ASKED, "pairs", 20.0),
                Figure::exact("with EPOLLONESHOT: replies in the wrong order", "pairs", with),
                Figure::exact("with EPOLLONESHOT: a reply that never came", "pairs", 0.0),
                Figure::exact("without EPOLLONESHOT: replies in the wrong order", "pairs", without),
                Figure::exact("without EPOLLONESHOT: a reply that never came", "pairs", 0.0),
            ]);
            judge(&figures).expect("all figures are there").verdict
        };
        assert_eq!(verdict(0.0, 20.0), Verdict::Holds);
        assert_eq!(verdict(0.0, 1.0), Verdict::Holds);
        assert_eq!(verdict(1.0, 20.0), Verdict::Refuted);
        assert_eq!(verdict(0.0, 0.0), Verdict::Inconclusive);
    }
}
