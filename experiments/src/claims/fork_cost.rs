//! `fork-cost`: what it costs to start a process, a thread, or nothing (a hand-off to a thread that is
//! there), by the memory that the parent has touched. The measuring itself is an exhibit, a process with one
//! thread.

use crate::exhibit;
use crate::experiment::{Experiment, Seconds};
use crate::format;
use crate::needs::Need;
use crate::report::{Axis, Chart, Figure, Figures, Judgement, Measured, Point, Series};
use crate::session::Session;
use anyhow::{Context, Result, ensure};
use std::process::Command;

/// The experiment.
pub(super) const EXPERIMENT: Experiment = Experiment {
    id: "fork-cost",
    method: "A process touches so many MiB of memory and then starts, waits for and counts the time of \
             children that exit at once, of threads that end at once, and of jobs handed to a waiting \
             thread. The memory has pages of 4 KiB; the largest size is measured with huge pages of 2 MiB \
             too.",
    needs: &[Need::Memory(1200)],
    seconds: Seconds { quick: 8.0, full: 25.0 },
    run,
    judge,
};

const WAYS: [&str; 3] = ["fork and wait", "thread and join", "hand-off to a waiting thread"];

fn run(session: &mut Session) -> Result<Measured> {
    let sizes = session.pick(&[0, 64, 512][..], &[0, 16, 64, 256, 512, 1024][..]);
    let rounds = session.pick(15, 50);
    let mut figures = Figures::default();
    let mut series = WAYS.map(|name| Series { name: name.to_owned(), points: Vec::new() });
    for (at, &mib) in sizes.iter().enumerate() {
        session.step(at as f64 / (sizes.len() + 1) as f64, format_args!("{mib} MiB touched"))?;
        for (way, figure) in measured(&format!("+{mib} MiB"), mib, "small", rounds)?.into_iter().enumerate() {
            // A logarithmic axis has no 0: the process itself has about 2 MiB.
            series[way].points.push(Point::at(f64::from(mib.max(2)), &figure));
            figures.push(figure);
        }
    }
    let most = sizes.last().copied().unwrap_or_default();
    session.step(0.9, format_args!("{most} MiB in huge pages"))?;
    figures.0.extend(measured(&format!("+{most} MiB in huge pages"), most, "huge", rounds)?);
    let by_size = figures.clone();
    let value = |mib, way| by_size.get(&format!("+{mib} MiB: {way}"));
    for (way, name) in WAYS.iter().zip(["fork", "thread", "hand-off"]) {
        let (small, large) = (value(0, way)?, value(most, way)?);
        let (low, high) = (large.low() / small.high(), large.high() / small.low());
        let growth = Figure::once(
            format!("{name}: growth from +0 to the largest size"),
            "×",
            large.value / small.value,
        );
        let interval_is = "from the ends of both intervals".to_owned();
        figures.push(Figure { interval: Some((low, high)), n: large.n, interval_is, ..growth });
    }
    let chart = Chart {
        title: "What it costs to start something, by the memory of the parent".to_owned(),
        x: Axis::logarithmic("memory that the parent has touched, MiB (pages of 4 KiB)"),
        y: Axis::logarithmic("µs"),
        series: series.into(),
    };
    Ok(Measured { figures, chart: Some(chart) })
}

/// The three ways in a process of this size.
fn measured(size: &str, mib: u32, pages: &str, rounds: u32) -> Result<Vec<Figure>> {
    let mut command = Command::new(exhibit::program()?);
    command.args([exhibit::WORD, "spawn", &mib.to_string(), pages, &rounds.to_string()]);
    let output = command.output().context("the exhibit does not start")?;
    ensure!(
        output.status.success(),
        "the exhibit failed: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    let mut columns: [Vec<f64>; 3] = Default::default();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        for (column, word) in columns.iter_mut().zip(line.split(' ')) {
            column.push(word.parse().with_context(|| format!("the exhibit printed {line:?}"))?);
        }
    }
    WAYS.iter()
        .zip(&columns)
        .map(|(way, values)| Figure::median(format!("{size}: {way}"), "µs", values))
        .collect()
}

fn judge(figures: &Figures) -> Result<Judgement> {
    const LESSON: &str = "The price of a fork grows with the parent's page table: fork early and small, or \
                          keep processes and threads that are there.";
    const SOURCE: &str = "Nothing was measured. The page table is copied, but a small parent has a small \
                          one, and huge pages make it 512 times smaller.";
    let growth = |name: &str| figures.get(&format!("{name}: growth from +0 to the largest size"));
    let (fork, thread) = (growth("fork")?, growth("thread")?);
    let (small_fork, small_thread) =
        (figures.get("+0 MiB: fork and wait")?, figures.get("+0 MiB: thread and join")?);
    let because = format!(
        "a fork of a parent that has touched nothing takes {}, and that of the largest parent {} times as much; \
         a thread of the smallest takes {}, and one of the largest {} times as much",
        format::with_unit(small_fork),
        format::value(fork.value),
        format::with_unit(small_thread),
        format::value(thread.value)
    );
    let grows = fork.low() > 2.0;
    let thread_does_not = thread.low() < 2.0;
    let is_dearer = small_fork.low() > small_thread.high();
    Ok(match (grows, thread_does_not, is_dearer) {
        (true, true, true) => Judgement::holds(because, LESSON),
        (true, true, false) => {
            Judgement::depends(format!("on the memory of the parent: {because}"), LESSON, SOURCE)
        }
        (false, ..) if fork.high() < 2.0 => Judgement::refuted(because, LESSON, SOURCE),
        _ => Judgement::inconclusive(because, LESSON),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Verdict;

    /// µs of a fork and a thread at +0, and their growth.
    fn verdict(fork: f64, thread: f64, fork_grows: (f64, f64), thread_grows: (f64, f64)) -> Verdict {
        let growth = |name: &str, (low, high)| Figure {
            interval: Some((low, high)),
            ..Figure::exact(format!("{name}: growth from +0 to the largest size"), "×", (low + high) / 2.0)
        };
        let figures = Figures(vec![
            Figure::exact("+0 MiB: fork and wait", "µs", fork),
            Figure::exact("+0 MiB: thread and join", "µs", thread),
            growth("fork", fork_grows),
            growth("thread", thread_grows),
        ]);
        judge(&figures).expect("all figures are there").verdict
    }

    #[test]
    fn a_fork_must_grow_and_a_thread_must_not() {
        assert_eq!(verdict(600.0, 50.0, (10.0, 20.0), (0.8, 1.2)), Verdict::Holds);
        assert_eq!(verdict(60.0, 70.0, (10.0, 20.0), (0.8, 1.2)), Verdict::Depends);
        assert_eq!(verdict(600.0, 50.0, (0.9, 1.1), (0.8, 1.2)), Verdict::Refuted);
        assert_eq!(verdict(600.0, 50.0, (1.0, 9.0), (0.8, 1.2)), Verdict::Inconclusive);
        assert_eq!(verdict(600.0, 50.0, (10.0, 20.0), (3.0, 4.0)), Verdict::Inconclusive);
    }
}
