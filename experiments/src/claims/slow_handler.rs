//! `slow-handler`: some requests block the thread that serves them for 50 ms. What do the others wait, by how
//! a server hands its work to threads?

use crate::experiment::{Experiment, Seconds};
use crate::format;
use crate::measure::put_on;
use crate::needs::Need;
use crate::report::{Figure, Figures, Judgement, Measured};
use crate::session::Session;
use anyhow::{Context, Result, anyhow};
use lab_core::server_process::Server;
use load::{Args, Mix};
use std::time::Duration;

/// The experiment.
pub(super) const EXPERIMENT: Experiment = Experiment {
    id: "slow-handler",
    method: "Sixteen clients send 500 requests per second at times that are fixed beforehand (an open loop), \
             of which two in a hundred make the server's thread sleep for 50 ms. Measured is how long the \
             other requests wait, for each kind of server on all CPUs, and for one without such requests.",
    needs: &[Need::Cpus(2)],
    seconds: Seconds { quick: 18.0, full: 80.0 },
    run,
    judge,
};

/// How a server hands work to threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Not at all.
    OneLoop,
    /// To any thread that is free.
    AnyThread,
    /// To several threads, each with clients or a queue of its own.
    OwnQueue,
}

use Kind::{AnyThread, OneLoop, OwnQueue};

/// Name, stage, options.
#[rustfmt::skip] // a row for each server
const SERVERS: [(&str, &str, &[&str], Kind); 10] = [
    ("04, one loop", "04", &[], OneLoop),
    ("05, one loop", "05", &[], OneLoop),
    ("02, a process for each connection", "02", &[], AnyThread),
    ("03, a thread for each connection", "03", &["--workers", "16"], AnyThread),
    ("06, one queue for 4 workers", "06", &["--workers", "4"], AnyThread),
    ("07, one queue for 4 workers", "07", &["--workers", "4", "--queue", "shared"], AnyThread),
    ("07, a ring for each of 4 workers", "07", &["--workers", "4"], OwnQueue),
    ("08, 4 loops", "08", &["--workers", "4"], OwnQueue),
    ("09, 4 processes with a loop each", "09", &["--workers", "4"], OwnQueue),
    ("10, 4 loops", "10", &["--workers", "4"], OwnQueue),
];
const CONTROL: &str = "04, without slow requests";
const WAITED: &str = ": other requests that took longer than 5 ms";
/// More of the requests in a hundred than this wait for the slow ones; as many as that is nothing.
const MANY: f64 = 20.0;
const FEW: f64 = 5.0;

fn run(session: &mut Session) -> Result<Measured> {
    let rounds = session.pick(3, 5);
    let mix: Mix = "2:/sleep/50".parse().map_err(|error| anyhow!("the mix: {error}"))?;
    let mut figures = Figures::default();
    let all: Vec<_> = SERVERS
        .into_iter()
        .map(|(name, stage, options, _)| (name, stage, options, Some(mix.clone())))
        .chain([(CONTROL, "04", &[][..], None)])
        .collect();
    let mut servers: Vec<Server> = Vec::new();
    for (_, stage, options, _) in &all {
        servers.push(session.start(stage, options, None)?);
    }
    let mut waits: Vec<[Vec<f64>; 3]> = vec![Default::default(); all.len()];
    for round in 0..rounds {
        for (at, ((name, .., mix), server)) in all.iter().zip(&servers).enumerate() {
            let share = (round * all.len() + at) as f64 / (rounds * all.len()) as f64;
            session.step(share, format_args!("round {} of {rounds}: {name}", round + 1))?;
            let report = put_on(
                session,
                &Args {
                    connections: 16,
                    rate: Some(500.0),
                    mix: mix.clone(),
                    warm_up: Duration::from_millis(100),
                    duration: session.pick(Duration::from_millis(400), Duration::from_millis(1200)),
                    ..Args::new(&format!("http://{}/", server.addr))
                },
            )?;
            let latency = report.main.latency_us.context("no request was answered")?;
            let asked = report.main.requests + report.main.never_sent.unwrap_or(0);
            let over = report.main.over_5ms.context("an open loop counts them")?;
            let percent = 100.0 * over as f64 / asked.max(1) as f64;
            let ms = [latency.p50, latency.p99].map(|us| us as f64 / 1000.0);
            for (values, value) in waits[at].iter_mut().zip([percent, ms[0], ms[1]]) {
                values.push(value);
            }
        }
    }
    for ((name, ..), [percent, p50, p99]) in all.iter().zip(&waits) {
        figures.push(Figure::median(format!("{name}{WAITED}"), "%", percent)?);
        figures.push(Figure::median(format!("{name}: median wait"), "ms", p50)?);
        figures.push(Figure::median(format!("{name}: 99 % of them within"), "ms", p99)?);
    }
    Ok(figures.into())
}

fn judge(figures: &Figures) -> Result<Judgement> {
    const LESSON: &str = "Work that blocks delays everything that waits for the same thread: it needs a \
                          thread of its own, and those who wait need a queue that any free thread serves.";
    const SOURCE: &str = "The source gives an argument and no measurement. Threads alone are not enough: \
                          what waits in the queue or in the loop of a blocked thread waits with it.";
    let of = |kind: Kind| -> Result<Vec<(&str, &Figure)>> {
        let its = SERVERS.into_iter().filter(|(.., its)| *its == kind);
        its.map(|(name, ..)| Ok((name, figures.get(&format!("{name}{WAITED}"))?))).collect()
    };
    let (one, any, own) = (of(OneLoop)?, of(AnyThread)?, of(OwnQueue)?);
    let control = figures.get(&format!("{CONTROL}{WAITED}"))?;
    let range = |all: &[(&str, &Figure)]| -> String {
        let values = || all.iter().map(|(_, figure)| figure.value);
        let (low, high) = (values().fold(f64::MAX, f64::min), values().fold(0.0, f64::max));
        format!("{} to {} %", format::value(low), format::value(high))
    };
    let because = format!(
        "of the other requests {} wait longer than 5 ms in one loop, {} where any free thread takes the next \
         one, and {} where each thread has a queue or clients of its own",
        range(&one),
        range(&any),
        range(&own)
    );
    let wait = |all: &[(&str, &Figure)]| all.iter().all(|(_, figure)| figure.low() > MANY);
    let free = |all: &[(&str, &Figure)]| all.iter().all(|(_, figure)| figure.high() < FEW);
    Ok(match () {
        () if control.high() >= FEW => Judgement::inconclusive(
            format!(
                "in a round without slow requests {} % of them wait longer than 5 ms too",
                format::value(control.high())
            ),
            LESSON,
        ),
        () if wait(&one) && free(&any) && free(&own) => Judgement::holds(because, LESSON),
        () if wait(&one) && free(&any) && own.iter().any(|(_, figure)| figure.low() > FEW) => {
            Judgement::depends(format!("on how the work is handed over: {because}"), LESSON, SOURCE)
        }
        () if free(&one) => Judgement::refuted(because, LESSON, SOURCE),
        () => Judgement::inconclusive(because, LESSON),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Verdict;

    #[test]
    fn who_waits_depends_on_the_hand_over() {
        let verdict = |one: (f64, f64), any: (f64, f64), own: (f64, f64), control: f64| {
            let mut figures = Figures(vec![Figure::exact(format!("{CONTROL}{WAITED}"), "%", control)]);
            for (name, .., kind) in SERVERS {
                let interval = match kind {
                    OneLoop => one,
                    AnyThread => any,
                    OwnQueue => own,
                };
                figures.push(Figure::between(format!("{name}{WAITED}"), interval));
            }
            judge(&figures).expect("all figures are there").verdict
        };
        let (none, some, many) = ((0.0, 1.0), (8.0, 15.0), (40.0, 60.0));
        assert_eq!(verdict(many, none, none, 0.0), Verdict::Holds);
        assert_eq!(verdict(many, none, some, 0.0), Verdict::Depends);
        assert_eq!(verdict(none, none, none, 0.0), Verdict::Refuted);
        assert_eq!(verdict(many, some, some, 0.0), Verdict::Inconclusive);
        assert_eq!(verdict(many, none, none, 9.0), Verdict::Inconclusive, "the machine is busy");
    }
}
