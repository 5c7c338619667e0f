//! `queues`: stage 07 with one locked queue for all workers and with a queue for each, by what a request
//! costs and by how evenly that is spread.

use crate::compare::Comparison::{self, Less, More, Same, Unclear};
use crate::experiment::{Experiment, Seconds};
use crate::format;
use crate::measure::{Ask, Contender, Rounds, TURN, in_turns};
use crate::needs::Need;
use crate::report::{Axis, Chart, Figure, Figures, Judgement, Measured, Point, Series};
use crate::session::Session;
use anyhow::{Result, anyhow};
use load::Mix;

/// The experiment.
pub(super) const EXPERIMENT: Experiment = Experiment {
    id: "queues",
    method: "Stage 07 with two workers on all CPUs, together with 32 clients that keep their connections, \
             is asked in turns of 10 ms with a queue for each worker (a lock, crossbeam's ArrayQueue, a \
             ring) and with one locked queue for all, for requests of 0 to 100 µs, and with one request in \
             ten that takes 500 µs; so is the one queue beside itself. Compared are the requests per second \
             and the context switches per request.",
    needs: &[Need::Cpus(2)],
    seconds: Seconds { quick: 19.0, full: 105.0 },
    run,
    judge,
};

const QUEUES: [(&str, &str); 3] =
    [("a locked queue each", "mutex"), ("an ArrayQueue each", "crossbeam"), ("a ring each", "ring")];
/// Name, path, and where on the chart.
const TASKS: [(&str, &str, f64); 4] = [
    ("0 µs", "/", 0.0),
    ("1 µs", "/spin/1", 1.0),
    ("10 µs", "/spin/10", 10.0),
    ("100 µs", "/spin/100", 100.0),
];
const SKEWED: &str = "10 µs, one in ten 500 µs";
const ITSELF: &str = "10 µs: one queue / itself";
const CLIENTS: u32 = 32;

fn name_of(task: &str, queue: &str) -> String {
    format!("{task}: requests per second, {queue} / one queue")
}

fn run(session: &mut Session) -> Result<Measured> {
    let rounds = Rounds {
        starts: session.pick(1, 3),
        each: session.pick(5, 3),
        turns: session.pick(16, 30),
        turn: TURN,
        is_bound: false,
    };
    let tasks = session.pick(&[TASKS[0], TASKS[2]][..], &TASKS[..]);
    let mix: Mix = "10:/spin/500".parse().map_err(|error| anyhow!("the mix: {error}"))?;
    let even = tasks.iter().map(|(name, path, x)| (*name, Ask::kept(CLIENTS).path(*path), Some(*x)));
    let skewed = (SKEWED, Ask { mix: Some(mix), ..Ask::kept(CLIENTS).path("/spin/10") }, None);
    let mut figures = Figures::default();
    let mut series = QUEUES.map(|(name, _)| Series { name: name.to_owned(), points: Vec::new() });
    let count = ((tasks.len() + 1) * QUEUES.len() + 1) as f64;
    let mut done = 0.0;
    let mut contender = |queue: &str, ask: &Ask| {
        let launch = session.launch("07", &["--workers", "2", "--queue", queue], None)?;
        anyhow::Ok(Contender { launch, ask: ask.clone() })
    };
    let mut pairs = Vec::new();
    for (task, ask, x) in even.chain([skewed]) {
        for (at, (queue, option)) in QUEUES.into_iter().enumerate() {
            let pair = [contender(option, &ask)?, contender("shared", &ask)?];
            pairs.push((name_of(task, queue), Some((at, x)), pair));
        }
    }
    let ask = Ask::kept(CLIENTS).path("/spin/10");
    pairs.push((ITSELF.to_owned(), None, [contender("shared", &ask)?, contender("shared", &ask)?]));
    for (name, place, [own, shared]) in &pairs {
        session.step(done / count, name)?;
        let costs = in_turns(session, [own, shared], rounds, (done / count, (done + 1.0) / count))?;
        done += 1.0;
        let ratio = costs.speed_ratio(name.clone())?;
        if let Some((at, Some(x))) = place {
            series[*at].points.push(Point::at(*x, &ratio));
        }
        figures.push(ratio);
        let switches = [costs.switches(0), costs.switches(1)];
        if place.is_some() && switches.iter().all(|switches| switches.len() == costs.0[0].len()) {
            let name = name.replace("requests per second", "context switches per request");
            figures.push(Figure::ratio(name, &switches[0], &switches[1])?);
        }
    }
    let chart = Chart {
        title: "What does a queue for each worker bring?".to_owned(),
        x: Axis::logarithmic("work of a request, µs"),
        y: Axis::linear("requests per second, compared with one locked queue for all workers")
            .with_line(1.0, "as many as with one queue"),
        series: series.into(),
    };
    Ok(Measured { figures, chart: Some(chart) })
}

fn judge(figures: &Figures) -> Result<Judgement> {
    const LESSON: &str = "A queue takes some hundred nanoseconds and a request ten microseconds and more: \
                          what a queue decides is who waits for whom and how often a thread must be woken, \
                          and that is what to measure.";
    const SOURCE: &str = "Nothing was measured: the source changes its pool to a ring for each thread and \
                          reports no figures for it.";
    let itself = figures.get(ITSELF)?;
    let mut found = Vec::new();
    for figure in &figures.0 {
        let load = figure.name.strip_suffix(" / one queue");
        if let Some((task, queue)) = load.and_then(|load| load.split_once(": requests per second, ")) {
            found.push((task, queue, figure, Comparison::of(figure, Some(itself))));
        }
    }
    anyhow::ensure!(!found.is_empty(), "no queue was compared");
    let of = |wanted| found.iter().filter(|(.., comparison)| *comparison == wanted).count();
    let least = found.iter().min_by(|one, other| one.2.value.total_cmp(&other.2.value));
    let most = found.iter().max_by(|one, other| one.2.value.total_cmp(&other.2.value));
    let text = |(task, queue, figure, _): &(&str, &str, &Figure, Comparison)| {
        format!("{} ({queue}, {task})", format::ratio(figure))
    };
    let ends: Vec<String> = least.into_iter().chain(most).map(text).collect();
    let because = format!(
        "of {} comparisons with one queue, a queue for each worker serves more in {}, less in {} and as much \
         in {}, and {} are undecided: the noise hides what they are; from {} to {} times as many requests",
        found.len(),
        of(More),
        of(Less),
        of(Same),
        of(Unclear),
        ends[0],
        ends[1]
    );
    Ok(match (of(More), of(Less) + of(Same), of(Unclear)) {
        (more, 0, 0) if more > 0 => Judgement::holds(because, LESSON),
        (0, known, unclear) if known > unclear => Judgement::refuted(because, LESSON, SOURCE),
        (more, known, _) if more > 0 && known > 0 => {
            Judgement::depends(format!("on the queue and on what waits in it: {because}"), LESSON, SOURCE)
        }
        _ => Judgement::inconclusive(because, LESSON),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Verdict;

    #[test]
    fn it_must_beat_it_in_every_comparison() {
        let verdict = |ratios: [(f64, f64); 3]| {
            let mut figures = Figures(vec![Figure::between(ITSELF, (0.98, 1.02))]);
            for ((queue, _), ratio) in QUEUES.into_iter().zip(ratios) {
                figures.push(Figure::between(name_of("0 µs", queue), ratio));
            }
            judge(&figures).expect("all figures are there").verdict
        };
        let (same, more, less, unclear) = ((0.97, 1.03), (1.2, 1.3), (0.7, 0.8), (0.8, 1.2));
        assert_eq!(verdict([more; 3]), Verdict::Holds);
        assert_eq!(verdict([same, less, same]), Verdict::Refuted);
        assert_eq!(verdict([same, less, unclear]), Verdict::Refuted);
        assert_eq!(verdict([more, same, unclear]), Verdict::Depends);
        assert_eq!(verdict([more, more, unclear]), Verdict::Inconclusive);
        assert_eq!(verdict([unclear, unclear, same]), Verdict::Inconclusive);
        assert!(judge(&Figures(vec![Figure::between(ITSELF, (0.9, 1.1))])).is_err());
    }
}
