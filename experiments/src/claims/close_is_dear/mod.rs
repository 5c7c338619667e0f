//! `close-is-dear`: how long write and close take in a serial server, by the number of clients that make a
//! connection for each request; by the server's own clock, since strace makes every call dear.

mod serial;

use crate::experiment::{Experiment, Seconds};
use crate::format;
use crate::measure::put_on;
use crate::needs::Need;
use crate::report::{Axis, Chart, Figure, Figures, Judgement, Measured, Point, Series};
use crate::session::Session;
use anyhow::{Result, ensure};
use lab_core::units::count;
use load::Args;
use serial::{Serial, Times};
use std::collections::BTreeMap;
use std::time::Duration;

/// The experiment.
pub(super) const EXPERIMENT: Experiment = Experiment {
    id: "close-is-dear",
    method: "An exhibit, a serial server that reads its clock before and after write and close, serves 1 to \
             200 clients that make a connection for each request, on another CPU, with the source's accept \
             queue of 5 and with one of 4,096. Compared is the mean time of a call with that for five \
             clients in the same round.",
    needs: &[Need::Cpus(2)],
    seconds: Seconds { quick: 11.0, full: 52.0 },
    run,
    judge,
};

const FEW: u32 = 5;
/// The claim is about more than ten.
const MORE: u32 = 20;
const BACKLOGS: [i32; 2] = [5, 4096];
/// A call, and its nanoseconds.
type Call = (&'static str, fn(&Times) -> u64);
const CALLS: [Call; 2] = [("write", |times| times.write), ("close", |times| times.close)];
/// What the source says that each call takes more, in µs.
const CLAIMED: f64 = 20.0;

fn difference_name(backlog: i32, call: &str) -> String {
    format!("backlog {backlog}, {call}: with {MORE} clients more than with {FEW}")
}

fn run(session: &mut Session) -> Result<Measured> {
    let rounds = session.pick(5, 7);
    let sizes = session.pick(&[FEW, 10, MORE, 100][..], &[1, 2, FEW, 10, MORE, 50, 200][..]);
    let mut values: BTreeMap<(i32, u32, &str), Vec<f64>> = BTreeMap::new();
    for round in 0..rounds {
        session.step(round as f64 / rounds as f64, format_args!("round {} of {rounds}", round + 1))?;
        for backlog in BACKLOGS {
            for &clients in sizes {
                let times = measured(session, backlog, clients)?;
                for (call, of) in CALLS {
                    let us = of(&times) as f64 / times.served as f64 / 1000.0;
                    values.entry((backlog, clients, call)).or_default().push(us);
                }
            }
        }
    }
    let mut figures = Figures::default();
    let mut series = Vec::new();
    for backlog in BACKLOGS {
        for (call, _) in CALLS {
            let mut points = Vec::new();
            for &clients in sizes {
                let name = format!("backlog {backlog}, {}: {call}", count(clients as usize, "client"));
                let figure = Figure::median(name, "µs", &values[&(backlog, clients, call)])?;
                points.push(Point::at(f64::from(clients), &figure));
                figures.push(figure);
            }
            let [more, few] = [MORE, FEW].map(|clients| &values[&(backlog, clients, call)]);
            let differences: Vec<f64> = more.iter().zip(few).map(|(more, few)| more - few).collect();
            figures.push(Figure::median(difference_name(backlog, call), "µs", &differences)?);
            series.push(Series { name: format!("{call}, backlog {backlog}"), points });
        }
    }
    let chart = Chart {
        title: "Do write and close become dear as clients become many?".to_owned(),
        x: Axis::logarithmic("clients at once, a connection for each request"),
        y: Axis::linear("mean time of a call, µs"),
        series,
    };
    Ok(Measured { figures, chart: Some(chart) })
}

fn measured(session: &Session, backlog: i32, clients: u32) -> Result<Times> {
    let server = Serial::start(backlog)?;
    let args = Args {
        connections: clients,
        close: true,
        duration: session.pick(Duration::from_millis(250), Duration::from_millis(400)),
        learn_body: true,
        ..Args::new(&format!("http://{}/", server.addr))
    };
    let report = put_on(session, &args);
    let times = server.stop()?;
    report?;
    ensure!(times.served > 0, "no connection was served");
    Ok(times)
}

fn judge(figures: &Figures) -> Result<Judgement> {
    const LESSON: &str = "The time in a call is the time until it returns, with all that the kernel does on \
                          the way and all that interrupts it: compare it by the program's own clock, and \
                          with strace only how often a call is made.";
    const SOURCE: &str = "Mean times by strace -c, which stops the process twice at each call: what it adds \
                          is larger than the call, and larger still where the CPU has others to run \
                          meanwhile. The source asks for the reason itself and has none.";
    let of = |backlog, call| figures.get(&difference_name(backlog, call));
    let (write, close) = (of(BACKLOGS[0], "write")?, of(BACKLOGS[0], "close")?);
    let because = format!(
        "with {MORE} clients a write takes {} µs more than with {FEW}, and a close {} µs (with the long \
         accept queue {} and {} µs)",
        format::ratio(write),
        format::ratio(close),
        format::ratio(of(BACKLOGS[1], "write")?),
        format::ratio(of(BACKLOGS[1], "close")?)
    );
    let is_dear = |figure: &Figure| match figure {
        figure if figure.low() > CLAIMED / 2.0 => Some(true),
        figure if figure.high() < CLAIMED / 4.0 => Some(false),
        _ => None,
    };
    Ok(match (is_dear(write), is_dear(close)) {
        (Some(true), Some(true)) => Judgement::holds(because, LESSON),
        (Some(false), Some(false)) => Judgement::refuted(because, LESSON, SOURCE),
        (Some(_), Some(_)) => Judgement::depends(format!("on the call: {because}"), LESSON, SOURCE),
        _ => Judgement::inconclusive(because, LESSON),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Verdict;

    #[test]
    fn both_calls_must_become_dear() {
        let verdict = |write: (f64, f64), close: (f64, f64)| {
            let mut figures = Figures::default();
            for backlog in BACKLOGS {
                figures.push(Figure::between(difference_name(backlog, "write"), write));
                figures.push(Figure::between(difference_name(backlog, "close"), close));
            }
            judge(&figures).expect("all figures are there").verdict
        };
        let (dear, cheap, unsure) = ((15.0, 25.0), (-1.0, 1.0), (2.0, 15.0));
        assert_eq!(verdict(dear, dear), Verdict::Holds);
        assert_eq!(verdict(cheap, cheap), Verdict::Refuted);
        assert_eq!(verdict(cheap, dear), Verdict::Depends);
        assert_eq!(verdict(unsure, cheap), Verdict::Inconclusive);
    }
}
