//! `backlog`: stage 01, which serves one connection at a time, with accept queues of several lengths, by the
//! number of clients that make a connection for each request.

use crate::experiment::{Experiment, Seconds};
use crate::format;
use crate::measure::{cpu, put_on, warm_up};
use crate::needs::Need;
use crate::report::{Axis, Chart, Figure, Figures, Judgement, Measured, Point, Series};
use crate::session::Session;
use anyhow::{Context, Result};
use lab_core::network::AcceptQueues;
use lab_core::units::count;
use load::Args;
use std::collections::BTreeMap;
use std::time::Duration;

/// The experiment.
pub(super) const EXPERIMENT: Experiment = Experiment {
    id: "backlog",
    method: "Stage 01 with an accept queue of 5, 20 and 4,096 serves 1 to 50 clients that make a connection \
             for each request, on another CPU. Measured are how often the queue was full (ListenOverflows in \
             /proc/net/netstat), the requests per second, and the 99th percentile and the longest of the \
             waits.",
    needs: &[Need::Cpus(2)],
    seconds: Seconds { quick: 12.0, full: 80.0 },
    run,
    judge,
};

/// The source's accept queue, and the one that mended ten clients.
const SHORT: u32 = 5;
const LONGER: u32 = 20;
const FEW: u32 = 5;
const TEN: u32 = 10;

/// What is measured of each load.
const OVERFLOWS: &str = "times that the accept queue was full";
const SPEED: &str = "requests per second";
const P99: &str = "99 % of the waits within";
const LONGEST: &str = "longest wait";

fn name_of(backlog: u32, clients: u32, what: &str) -> String {
    format!("backlog {backlog}, {}: {what}", count(clients as usize, "client"))
}

const RATIO: &str = "backlog 5: requests per second with 10 clients / with 5";

fn run(session: &mut Session) -> Result<Measured> {
    anyhow::ensure!(AcceptQueues::now().is_some(), "the kernel does not count full accept queues");
    let rounds = session.pick(2, 3);
    let backlogs = session.pick(&[SHORT, LONGER][..], &[SHORT, LONGER, 4096][..]);
    let sizes = session.pick(&[FEW, TEN][..], &[1, FEW, 7, TEN, 20, 50][..]);
    let mut values: BTreeMap<(u32, u32), [Vec<f64>; 4]> = BTreeMap::new();
    let all = (rounds * backlogs.len() * sizes.len()) as f64;
    let mut done = 0.0;
    for round in 0..rounds {
        session.step(done / all, format_args!("round {} of {rounds}", round + 1))?;
        for &backlog in backlogs {
            for &clients in sizes {
                session.tick(done / all, format_args!("backlog {backlog}, {clients} clients"))?;
                done += 1.0;
                let found = measured(session, backlog, clients)?;
                for (values, value) in values.entry((backlog, clients)).or_default().iter_mut().zip(found) {
                    values.push(value);
                }
            }
        }
    }
    let mut figures = Figures::default();
    let mut series: Vec<Series> = Vec::new();
    for ((backlog, clients), of_each) in &values {
        let longest = Figure::median(LONGEST, "ms", &of_each[3])?;
        let name = format!("accept queue of {backlog}");
        if series.last().is_none_or(|line| line.name != name) {
            series.push(Series { name, points: Vec::new() });
        }
        series.last_mut().expect("one was added").points.push(Point::at(f64::from(*clients), &longest));
        let whats = [(OVERFLOWS, ""), (SPEED, "requests/s"), (P99, "ms"), (LONGEST, "ms")];
        for ((what, unit), values) in whats.into_iter().zip(of_each) {
            figures.push(Figure::median(name_of(*backlog, *clients, what), unit, values)?);
        }
    }
    let speeds = |clients| &values[&(SHORT, clients)][1];
    figures.push(Figure::ratio(RATIO, speeds(TEN), speeds(FEW))?);
    let chart = Chart {
        title: "How long does the unluckiest client of a serial server wait?".to_owned(),
        x: Axis::logarithmic("clients at once, a connection for each request"),
        y: Axis::logarithmic("longest wait, ms"),
        series,
    };
    Ok(Measured { figures, chart: Some(chart) })
}

/// Times that the queue was full, requests per second, 99th percentile and longest wait in ms.
fn measured(session: &mut Session, backlog: u32, clients: u32) -> Result<[f64; 4]> {
    let server = session.start("01", &["--backlog", &backlog.to_string()], cpu(0).map(|cpu| vec![cpu]))?;
    warm_up(&server)?;
    let before = AcceptQueues::now().unwrap_or_default();
    let args = Args {
        connections: clients,
        close: true,
        // The kernel sends a dropped SYN again after a second: the longest wait must have its time to end.
        duration: Duration::from_millis(1_350),
        timeout: Duration::from_secs(30),
        ..Args::new(&format!("http://{}/", server.addr))
    };
    let report = put_on(session, &args)?;
    let overflows = AcceptQueues::now().unwrap_or_default().since(before).overflows;
    let waits = report.main.service_us.context("no request was answered")?;
    let ms = |us: u64| us as f64 / 1000.0;
    Ok([overflows as f64, report.requests_per_second, ms(waits.p99), ms(waits.max)])
}

fn judge(figures: &Figures) -> Result<Judgement> {
    const LESSON: &str = "A full accept queue drops a connection silently, and its client tries again a \
                          second later: such waits are a few of many thousand, so look at the longest wait \
                          and at ListenOverflows, not at the requests per second alone.";
    const SOURCE: &str = "Pages per minute of webbench, between two virtual machines: a client whose \
                          connection was dropped waits for a second or more, which webbench shows as fewer \
                          pages and not as a wait.";
    /// In the source the speed falls to a quarter.
    const DROPPED: f64 = 0.5;
    let of = |backlog, clients, what| figures.get(&name_of(backlog, clients, what));
    let (five, ten, mended) =
        (of(SHORT, FEW, OVERFLOWS)?, of(SHORT, TEN, OVERFLOWS)?, of(LONGER, TEN, OVERFLOWS)?);
    let (speed, longest, before) = (figures.get(RATIO)?, of(SHORT, TEN, LONGEST)?, of(SHORT, FEW, LONGEST)?);
    let because = format!(
        "with ten clients the queue of five was full {} times and the longest wait is {}, with five clients \
         {} times and {}; the server answers {} times as many requests; a queue of 20 was full {} times",
        format::value(ten.value),
        format::with_unit(longest),
        format::value(five.value),
        format::with_unit(before),
        format::ratio(speed),
        format::value(mended.value)
    );
    let (overflows, none) = (ten.low() > 0.0 && five.high() < ten.low(), ten.high() == 0.0);
    Ok(match () {
        () if none => Judgement::refuted(because, LESSON, SOURCE),
        () if overflows && speed.high() < DROPPED => Judgement::holds(because, LESSON),
        () if overflows && speed.low() > DROPPED => Judgement::depends(
            format!("on what is looked at, the longest wait or the requests per second: {because}"),
            LESSON,
            SOURCE,
        ),
        () => Judgement::inconclusive(because, LESSON),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Verdict;

    #[test]
    fn the_queue_must_overflow_and_the_speed_must_fall() {
        let verdict = |ten: (f64, f64), speed: (f64, f64)| {
            let figures = Figures(vec![
                Figure::exact(name_of(SHORT, FEW, OVERFLOWS), "", 0.0),
                Figure::between(name_of(SHORT, TEN, OVERFLOWS), ten),
                Figure::exact(name_of(LONGER, TEN, OVERFLOWS), "", 0.0),
                Figure::exact(name_of(SHORT, TEN, LONGEST), "ms", 1033.0),
                Figure::exact(name_of(SHORT, FEW, LONGEST), "ms", 2.0),
                Figure::between(RATIO, speed),
            ]);
            judge(&figures).expect("all figures are there").verdict
        };
        let (level, fallen) = ((0.95, 1.05), (0.2, 0.3));
        assert_eq!(verdict((30.0, 40.0), fallen), Verdict::Holds);
        assert_eq!(verdict((30.0, 40.0), level), Verdict::Depends);
        assert_eq!(verdict((0.0, 0.0), level), Verdict::Refuted);
        assert_eq!(verdict((0.0, 3.0), level), Verdict::Inconclusive);
        assert_eq!(verdict((30.0, 40.0), (0.4, 0.7)), Verdict::Inconclusive);
        // A sixth less is not the source's fall to a quarter.
        assert_eq!(verdict((30.0, 40.0), (0.77, 0.92)), Verdict::Depends);
    }
}
