//! `closed-loop-hides`: a server that stands still for a second, seen by clients that wait for each reply
//! before they ask again, and by clients that ask when their time has come.

use crate::experiment::{Experiment, Seconds};
use crate::format;
use crate::measure::{Waits, cpu, put_on, warm_up};
use crate::needs::Need;
use crate::report::{Figure, Figures, Judgement, Measured};
use crate::session::Session;
use anyhow::{Context, Result};
use lab_core::server_process::Server;
use load::Args;
use nix::sys::signal::Signal;
use std::thread::{scope, sleep};
use std::time::Duration;

/// The experiment.
pub(super) const EXPERIMENT: Experiment = Experiment {
    id: "closed-loop-hides",
    method: "Stage 04 is stopped for a second (SIGSTOP) while sixteen clients ask it, in a closed loop and \
             in an open one of 1,000 requests per second; the open loop counts from the time at which a \
             request should have been sent. Compared are the 99th percentiles, and the longest waits.",
    needs: &[Need::Cpus(2)],
    seconds: Seconds { quick: 10.0, full: 32.0 },
    run,
    judge,
};

const STALL: Duration = Duration::from_secs(1);
/// A percentile above it shows the stall, one below a tenth of it does not.
const SHOWN_MS: f64 = 100.0;

const LOOPS: [&str; 2] = ["closed loop", "open loop"];
const CLOSED: &str = "closed loop: 99 % within";
const OPEN: &str = "open loop: 99 % within";

fn run(session: &mut Session) -> Result<Measured> {
    let rounds = session.pick(2, 5);
    let mut found: [Vec<(Waits, f64)>; 2] = Default::default();
    for round in 0..rounds {
        for (at, rate) in [None, Some(1_000.0)].into_iter().enumerate() {
            let share = (2 * round + at) as f64 / (2 * rounds) as f64;
            session.step(share, format_args!("round {} of {rounds}: {}", round + 1, LOOPS[at]))?;
            found[at].push(stalled(session, rate)?);
        }
    }
    let mut figures = Figures::default();
    let mut series = Vec::new();
    for (name, found) in LOOPS.into_iter().zip(&found) {
        let (waits, requests): (Vec<Waits>, Vec<f64>) = found.iter().copied().unzip();
        let of = Waits::figures(name, &waits)?;
        series.push(Waits::line(name, &of));
        figures.0.extend(of);
        figures.push(Figure::median(format!("{name}: requests"), "requests", &requests)?);
    }
    let chart = Waits::chart("What do a closed loop and an open one show of a stall of one second?", series);
    Ok(Measured { figures, chart: Some(chart) })
}

/// The waits, and the requests that were answered.
fn stalled(session: &mut Session, rate: Option<f64>) -> Result<(Waits, f64)> {
    let server: Server = session.start("04", &[], cpu(0).map(|cpu| vec![cpu]))?;
    warm_up(&server)?;
    let duration = session.pick(Duration::from_millis(2_200), Duration::from_millis(3_000));
    let args = Args {
        connections: 16,
        rate,
        duration,
        timeout: Duration::from_secs(30),
        ..Args::new(&format!("http://{}/", server.addr))
    };
    let report = scope(|scope| {
        let stall = scope.spawn(|| {
            sleep(Duration::from_millis(600));
            server.signal(Signal::SIGSTOP);
            sleep(STALL);
            server.signal(Signal::SIGCONT);
        });
        let report = put_on(session, &args);
        anyhow::ensure!(stall.join().is_ok(), "the stall panicked");
        report
    })?;
    let times = if rate.is_some() { report.main.latency_us } else { report.main.service_us };
    let times = times.context("no request was answered")?;
    Ok((Waits::of(times), report.main.requests as f64))
}

fn judge(figures: &Figures) -> Result<Judgement> {
    const LESSON: &str = "Clients that wait for a reply ask nothing while a server stands still, so one \
                          stall is one slow request for each of them; users do not wait for each other, and \
                          everybody who came meanwhile has waited.";
    const SOURCE: &str = "The claim is the lab's own. Percentiles of a closed loop weigh a stall by the few \
                          requests that were under way when it began.";
    let (closed, open) = (figures.get(CLOSED)?, figures.get(OPEN)?);
    let longest = figures.get("closed loop: longest wait")?;
    let because = format!(
        "with one stall of a second, 99 % of the requests take at most {} ms in the closed loop and {} ms in \
         the open one; the longest wait of the closed loop is {}",
        format::ratio(closed),
        format::ratio(open),
        format::with_unit(longest)
    );
    let shows = |figure: &Figure| figure.low() > SHOWN_MS;
    let hides = |figure: &Figure| figure.high() < SHOWN_MS;
    Ok(match () {
        () if hides(closed) && shows(open) => Judgement::holds(because, LESSON),
        () if shows(closed) && shows(open) => Judgement::refuted(because, LESSON, SOURCE),
        () if hides(closed) && hides(open) => {
            Judgement::depends(format!("on how long the stall is beside the run: {because}"), LESSON, SOURCE)
        }
        () => Judgement::inconclusive(because, LESSON),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Verdict;

    #[test]
    fn one_loop_must_show_what_the_other_hides() {
        let verdict = |closed: (f64, f64), open: (f64, f64)| {
            let figures = Figures(vec![
                Figure::between(CLOSED, closed),
                Figure::between(OPEN, open),
                Figure::exact("closed loop: longest wait", "ms", 1000.0),
            ]);
            judge(&figures).expect("all figures are there").verdict
        };
        let (hidden, shown) = ((0.5, 2.0), (900.0, 990.0));
        assert_eq!(verdict(hidden, shown), Verdict::Holds);
        assert_eq!(verdict(shown, shown), Verdict::Refuted);
        assert_eq!(verdict(hidden, hidden), Verdict::Depends);
        assert_eq!(verdict((50.0, 200.0), shown), Verdict::Inconclusive);
    }
}
