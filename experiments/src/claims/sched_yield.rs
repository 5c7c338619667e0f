//! `sched-yield`: **an exhibit,** the worker of source 000: it reads a byte from a pipe, does a batch of
//! work, and calls `sched_yield`. It never has to wait, and another thread on its CPU wants to work too.

use crate::compare::Comparison;
use crate::experiment::{Experiment, Seconds};
use crate::format;
use crate::measure::{Pinned, Slice, cpu, interleaved, thread_cpu, thread_switches};
use crate::report::{Figure, Figures, Judgement, Measured};
use crate::session::Session;
use anyhow::{Context, Result, anyhow};
use nix::fcntl::OFlag;
use nix::unistd::{pipe2, read, write};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::spawn;
use std::time::{Duration, Instant};

/// The experiment.
pub(super) const EXPERIMENT: Experiment = Experiment {
    id: "sched-yield",
    method: "The loop of the source's worker (read a byte, work for 20 µs) runs on a CPU together with a \
             thread that computes without end, with sched_yield after each batch and without. Measured are \
             the other thread's share of the CPU, the batches per second and the worker's context switches, \
             and the same for a worker that has the CPU to itself.",
    needs: &[],
    seconds: Seconds { quick: 8.0, full: 20.0 },
    run,
    judge,
};

const SLICE: Duration = Duration::from_millis(200);
const BATCH: Duration = Duration::from_micros(20);

/// The round that `interleaved` drops is in what the slices note themselves.
const WARM_UP: usize = 1;

/// By whether the worker yields: the other thread's shares, and the switches per batch.
type Others = BTreeMap<bool, (Vec<f64>, Vec<f64>)>;

/// What a slice saw.
struct Seen {
    batches: f64,
    others_share: f64,
    switches: f64,
}

fn run(session: &mut Session) -> Result<Measured> {
    let rounds = session.pick(7, 15);
    let mut figures = Figures::default();
    for (at, (place, beside)) in [("beside another thread", true), ("alone", false)].into_iter().enumerate() {
        let part = (at as f64 / 2.0, (at + 1) as f64 / 2.0);
        session.step(part.0, format_args!("the worker {place}"))?;
        let others: RefCell<Others> = RefCell::default();
        let slice = |yields: bool| -> Slice<'_> {
            let others = &others;
            let measure = move || {
                let seen = work(yields, beside)?;
                let mut others = others.borrow_mut();
                let (shares, switches) = others.entry(yields).or_default();
                shares.push(seen.others_share);
                switches.push(seen.switches / seen.batches);
                Ok(seen.batches)
            };
            (yields.to_string(), Box::new(measure))
        };
        let mut slices = [slice(true), slice(false)];
        let batches = interleaved(session, rounds, part, &mut slices)?;
        drop(slices);
        let others = others.into_inner();
        for (yields, (shares, switches)) in &others {
            let name = |what: &str| {
                format!("{place}, {} sched_yield: {what}", if *yields { "with" } else { "without" })
            };
            figures.push(Figure::median(name("batches"), "per second", &batches[&yields.to_string()])?);
            figures.push(Figure::median(name("context switches"), "per batch", &switches[WARM_UP..])?);
            if beside {
                figures.push(Figure::median(
                    name("the other thread's share of the CPU"),
                    "%",
                    &shares[WARM_UP..],
                )?);
            }
        }
        if beside {
            figures.push(Figure::ratio(
                "the other's share, with / without",
                &others[&true].0,
                &others[&false].0,
            )?);
        }
        let name = format!("batches {place}, with / without");
        figures.push(Figure::ratio(name, &batches["true"], &batches["false"])?);
    }
    Ok(figures.into())
}

/// A slice of the worker's loop, with another thread on the same CPU or without.
fn work(yields: bool, beside: bool) -> Result<Seen> {
    let _pinned = Pinned::to(cpu(0));
    let (reader, writer) = pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?;
    // A byte for each batch that a slice can have: it never waits.
    while write(&writer, &[0; 4096]).is_ok() {}
    let stop = Arc::new(AtomicBool::new(false));
    let other = beside.then(|| {
        let stop = Arc::clone(&stop);
        // It inherits the CPU.
        spawn(move || {
            // Relaxed: nothing but the flag is handed over.
            while !stop.load(Relaxed) {
                black_box(0);
            }
            thread_cpu()
        })
    });
    let (before, start) = (thread_switches(), Instant::now());
    let mut batches = 0;
    while start.elapsed() < SLICE {
        read(&reader, &mut [0]).context("the pipe is empty")?;
        let begun = thread_cpu();
        while thread_cpu() - begun < BATCH {}
        batches += 1;
        if yields {
            std::thread::yield_now();
        }
    }
    let wall = start.elapsed().as_secs_f64();
    let after = thread_switches();
    stop.store(true, Relaxed);
    let others =
        other.map(|other| other.join().map_err(|_| anyhow!("the other thread panicked"))).transpose()?;
    let others = others.map_or(0.0, |cpu| cpu.as_secs_f64());
    Ok(Seen {
        batches: f64::from(batches) / wall,
        others_share: (100.0 * others / wall).max(0.001),
        switches: (after.0 + after.1 - before.0 - before.1) as f64,
    })
}

fn judge(figures: &Figures) -> Result<Judgement> {
    const LESSON: &str = "The scheduler shares a CPU by itself, also with a thread that never yields; a \
                          thread that yields after each batch may give nearly all of it away. A thread that \
                          has nothing to do should block.";
    const SOURCE: &str = "Nothing was measured. A worker that reads from an empty pipe blocks there, which \
                          gives the CPU away without any sched_yield.";
    let share = figures.get("the other's share, with / without")?;
    let alone = figures.get("batches alone, with / without")?;
    let without =
        figures.get("beside another thread, without sched_yield: the other thread's share of the CPU")?;
    let because = format!(
        "without sched_yield the other thread has {} of the CPU, with it {} times as much; a worker alone \
         does {} times as many batches with it",
        format::with_unit(without),
        format::value(share.value),
        format::value(alone.value)
    );
    let starves = without.high() < 10.0;
    Ok(match (Comparison::of(share, None), starves) {
        (Comparison::More, true) => Judgement::holds(because, LESSON),
        (Comparison::More, false) => {
            Judgement::depends(format!("on what is meant by letting others work: {because}"), LESSON, SOURCE)
        }
        (Comparison::Same | Comparison::Less, _) => Judgement::refuted(because, LESSON, SOURCE),
        (Comparison::Unclear, _) => Judgement::inconclusive(because, LESSON),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Verdict;

    #[test]
    fn the_verdict_turns_on_what_the_other_thread_gets() {
        let verdict = |share: (f64, f64), without: f64| {
            let interval = Some(share);
            let figures = Figures(vec![
                Figure { interval, ..Figure::exact("the other's share, with / without", "×", share.0) },
                Figure::exact("batches alone, with / without", "×", 0.98),
                Figure::exact(
                    "beside another thread, without sched_yield: the other thread's share of the CPU",
                    "%",
                    without,
                ),
            ]);
            judge(&figures).expect("all figures are there").verdict
        };
        assert_eq!(verdict((20.0, 30.0), 2.0), Verdict::Holds);
        assert_eq!(verdict((1.8, 1.9), 50.0), Verdict::Depends);
        assert_eq!(verdict((0.98, 1.02), 50.0), Verdict::Refuted);
        assert_eq!(verdict((0.7, 1.6), 50.0), Verdict::Inconclusive);
    }
}
