//! `proactor-faster`: stage 11, which asks the kernel to receive and send, against stages 10 and 05, which
//! ask what is ready. 10 and 11 differ in nothing else: a listener and a ring or an epoll for each thread.

use crate::compare::Comparison::{self, Less, More, Same};
use crate::experiment::{Experiment, Seconds};
use crate::format;
use crate::measure::{Ask, Contender, Rounds, calls_per_request, cpu, in_turns};
use crate::needs::Need;
use crate::report::{Axis, Chart, Figure, Figures, Judgement, Measured, Point, Series};
use crate::session::Session;
use anyhow::Result;
use lab_core::units::count;

/// The experiment.
pub(super) const EXPERIMENT: Experiment = Experiment {
    id: "proactor-faster",
    method: "Stage 11 (completion, io_uring) with one worker is asked in turns of 10 ms with stage 10 and \
             with stage 05 (readiness, epoll), by 1 to 256 clients that keep their connections; so is stage \
             10 beside itself. Compared is the server's CPU time per request in each pair of freshly started \
             servers, and the system calls for one request and for 64 that wait together are counted under \
             strace.",
    needs: &[Need::Cpus(2), Need::Stage("11")],
    seconds: Seconds { quick: 18.0, full: 82.0 },
    run,
    judge,
};

const READINESS: [(&str, &str, &[&str]); 2] =
    [("stage 10", "10", &["--workers", "1"]), ("stage 05", "05", &[])];
const CLIENTS: [u32; 4] = [1, 8, 64, 256];
const ITSELF: &str = "64 clients: stage 10 / itself";

fn name_of(clients: u32, other: &str) -> String {
    format!("{}: stage 11 / {other}", count(clients as usize, "client"))
}

fn run(session: &mut Session) -> Result<Measured> {
    let rounds = Rounds::of_starts(session.pick(7, 11), session.pick(16, 30));
    let others = session.pick(&READINESS[..1], &READINESS[..]);
    let mut figures = Figures::default();
    let mut contender = |stage: &str, options: &[&str], clients| {
        let launch = session.launch(stage, options, cpu(0).map(|cpu| vec![cpu]))?;
        anyhow::Ok(Contender { launch, ask: Ask::kept(clients) })
    };
    let mut pairs = Vec::new();
    for &(other, stage, options) in others {
        for clients in CLIENTS {
            let pair = [contender("11", &["--workers", "1"], clients)?, contender(stage, options, clients)?];
            pairs.push((name_of(clients, other), clients, pair));
        }
    }
    let ten = || READINESS[0].2;
    pairs.push((ITSELF.to_owned(), 64, [contender("10", ten(), 64)?, contender("10", ten(), 64)?]));
    let all = pairs.len() as f64;
    let mut series: Vec<Series> = Vec::new();
    for (at, (name, clients, [one, other])) in pairs.iter().enumerate() {
        session.step(at as f64 / all, name)?;
        let part = (at as f64 / all, (at + 1) as f64 / all);
        let costs = in_turns(session, [one, other], rounds, part)?;
        let ratio = costs.cpu_ratio(name.clone())?;
        if name == ITSELF {
            figures.push(ratio);
            continue;
        }
        let line = name.split(": ").last().unwrap_or_default().to_owned();
        if line.ends_with(READINESS[0].0) {
            let name =
                format!("{}: stage 11, server's CPU time per request", count(*clients as usize, "client"));
            figures.push(Figure::median(name, "µs", &costs.cpu_us(0))?);
        }
        if series.last().is_none_or(|series| series.name != line) {
            series.push(Series { name: line, points: Vec::new() });
        }
        series.last_mut().expect("one was added").points.push(Point::at(f64::from(*clients), &ratio));
        figures.push(ratio);
    }
    if let Some(missing) = Need::Tracing.missing() {
        session.step(1.0, format_args!("the system calls are not counted: {missing}"))?;
    } else {
        for (stage, options) in [("11", ten()), ("10", ten())] {
            for clients in [1, 64] {
                let calls: f64 = calls_per_request(session, stage, options, clients)?.values().sum();
                let name = format!("stage {stage}: system calls, {} waiting", count(clients, "request"));
                figures.push(Figure::once(name, "per request", calls));
            }
        }
    }
    let chart = Chart {
        title: "When is completion cheaper than readiness?".to_owned(),
        x: Axis::logarithmic("clients at once"),
        y: Axis::linear("server's CPU time per request, ratio").with_line(1.0, "both cost the same"),
        series,
    };
    Ok(Measured { figures, chart: Some(chart) })
}

fn judge(figures: &Figures) -> Result<Judgement> {
    const LESSON: &str = "Completion saves system calls where many requests wait together, and a request \
                          that comes alone finds nothing to share a call with: measure it at your own \
                          number of clients.";
    const SOURCE: &str = "Nothing was measured. What Linux had then, aio, is asynchronous for files opened \
                          with O_DIRECT alone; io_uring came in Linux 5.1 and its multishot receive in 6.0.";
    let itself = figures.get(ITSELF)?;
    let mut found = Vec::new();
    for clients in CLIENTS {
        let ratio = figures.get(&name_of(clients, READINESS[0].0))?;
        found.push((clients, ratio, Comparison::of(ratio, Some(itself))));
    }
    let each =
        |(clients, ratio, _): &(u32, &Figure, Comparison)| format!("{} at {clients}", format::ratio(ratio));
    let because = format!(
        "stage 11 costs so many times the CPU of stage 10, by clients: {}",
        found.iter().map(each).collect::<Vec<_>>().join(", ")
    );
    let has = |wanted| found.iter().any(|(.., comparison)| *comparison == wanted);
    let all_less = found.iter().all(|(.., comparison)| *comparison == Less);
    let all_known_and_none_less = found.iter().all(|(.., comparison)| [More, Same].contains(comparison));
    Ok(match () {
        () if all_less => Judgement::holds(format!("and Linux has one today: {because}"), LESSON),
        () if all_known_and_none_less => Judgement::refuted(because, LESSON, SOURCE),
        () if has(Less) && (has(More) || has(Same)) => {
            Judgement::depends(format!("on the number of clients: {because}"), LESSON, SOURCE)
        }
        () => Judgement::inconclusive(because, LESSON),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Verdict;

    #[test]
    fn it_may_depend_on_the_clients() {
        let verdict = |ratios: [(f64, f64); 4]| {
            let mut figures = Figures(vec![Figure::between(ITSELF, (0.99, 1.01))]);
            for (clients, ratio) in CLIENTS.into_iter().zip(ratios) {
                figures.push(Figure::between(name_of(clients, READINESS[0].0), ratio));
            }
            judge(&figures).expect("all figures are there").verdict
        };
        let (same, more, less, unclear) = ((0.98, 1.02), (1.1, 1.2), (0.8, 0.9), (0.8, 1.2));
        assert_eq!(verdict([less; 4]), Verdict::Holds);
        assert_eq!(verdict([more, same, same, more]), Verdict::Refuted);
        assert_eq!(verdict([more, unclear, less, less]), Verdict::Depends);
        assert_eq!(verdict([same, less, less, less]), Verdict::Depends);
        assert_eq!(verdict([unclear, less, less, less]), Verdict::Inconclusive);
        assert_eq!(verdict([unclear, more, same, same]), Verdict::Inconclusive);
    }
}
