//! `wakeup-cost`: a thread wakes another one and is woken by it, by a pipe, an eventfd, a condition variable
//! or by parking. The first two and the last are stage 07's (`--wakeup`).

use crate::compare::Comparison;
use crate::experiment::{Experiment, Seconds};
use crate::format;
use crate::measure::{Pinned, Slice, cpu, interleaved, ns_per_call};
use crate::report::{Figure, Figures, Judgement, Measured};
use crate::session::Session;
use anyhow::{Result, anyhow};
use lockless_queues::notifier::{Eventfd, Notifier, Park, Pipe};
use std::collections::BTreeMap;
use std::sync::{Arc, Barrier, Condvar, Mutex};
use std::time::{Duration, Instant};

/// The experiment.
pub(super) const EXPERIMENT: Experiment = Experiment {
    id: "wakeup-cost",
    method: "Two threads on a CPU each wake one another in turns, by each of the four means, and then do so \
             on one CPU; one thread alone notifies itself, so that nobody sleeps. The means are measured in \
             short slices that take turns, the eventfd twice per round.",
    needs: &[],
    seconds: Seconds { quick: 8.0, full: 25.0 },
    run,
    judge,
};

/// A flag under a lock, as a pool's queue has it.
#[derive(Default)]
struct Signal {
    rung: Mutex<bool>,
    changed: Condvar,
}

impl Notifier for Signal {
    fn notify(&self) {
        *self.rung.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = true;
        self.changed.notify_one();
    }

    fn wait(&self) {
        let rung = self.rung.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let rung = self.changed.wait_while(rung, |rung| !*rung);
        *rung.unwrap_or_else(|poisoned| poisoned.into_inner()) = false;
    }
}

type Make = fn() -> Result<Arc<dyn Notifier>>;

/// The eventfd stands twice: how far it differs from itself is what cannot be told from no difference.
const MEANS: [(&str, Make); 5] = [
    ("eventfd", || Ok(Arc::new(Eventfd::new()?))),
    ("eventfd again", || Ok(Arc::new(Eventfd::new()?))),
    ("pipe", || Ok(Arc::new(Pipe::new()?))),
    ("condition variable", || Ok(Arc::new(Signal::default()))),
    ("park", || Ok(Arc::new(Park::default()))),
];

fn run(session: &mut Session) -> Result<Measured> {
    let rounds = session.pick(15, 40);
    let trips = session.pick(1500, 3000);
    let mut figures = Figures::default();
    for (at, (place, far)) in [("two CPUs", 1), ("one CPU", 0)].into_iter().enumerate() {
        session.step(at as f64 / 3.0, format_args!("a thread wakes a thread, {place}"))?;
        let cpus = (cpu(0), cpu(far));
        let mut slices: Vec<Slice<'_>> = MEANS
            .iter()
            .map(|&(name, make)| -> Slice<'_> {
                (name.to_owned(), Box::new(move || ping_pong(make()?, make()?, trips, cpus)))
            })
            .collect();
        let part = (at as f64 / 3.0, (at + 1) as f64 / 3.0);
        let values = interleaved(session, rounds, part, &mut slices)?;
        add(&mut figures, place, "a wake-up", "µs", &values, &MEANS.map(|(name, _)| name))?;
    }
    session.step(0.67, "one thread notifies itself")?;
    let _pinned = Pinned::to(cpu(0));
    let slice = |(name, make): (&str, Make)| -> Result<Slice<'_>> {
        let notifier = make()?;
        notifier.prepare();
        let call = move || {
            let once = || {
                notifier.notify();
                notifier.wait();
            };
            Ok(ns_per_call(Duration::from_millis(5), 100, once))
        };
        Ok((name.to_owned(), Box::new(call)))
    };
    let mut slices = MEANS.into_iter().map(slice).collect::<Result<Vec<_>>>()?;
    let values = interleaved(session, rounds, (0.67, 1.0), &mut slices)?;
    add(&mut figures, "nobody sleeps", "notify and take", "ns", &values, &MEANS.map(|(name, _)| name))?;
    Ok(figures.into())
}

/// Microseconds for a wake-up: half a round trip. Starting the thread is not counted.
fn ping_pong(
    there: Arc<dyn Notifier>,
    back: Arc<dyn Notifier>,
    trips: u32,
    cpus: (Option<usize>, Option<usize>),
) -> Result<f64> {
    let _pinned = Pinned::to(cpus.0);
    let ready = Arc::new(Barrier::new(2));
    let (its, its_there, its_back) = (Arc::clone(&ready), Arc::clone(&there), Arc::clone(&back));
    let far = std::thread::spawn(move || {
        let _pinned = Pinned::to(cpus.1);
        its_there.prepare();
        its.wait();
        // The handles of both sides are there before either notifies.
        its.wait();
        for _ in 0..trips {
            its_there.wait();
            its_back.notify();
        }
    });
    back.prepare();
    ready.wait();
    ready.wait();
    let start = Instant::now();
    for _ in 0..trips {
        there.notify();
        back.wait();
    }
    let us = start.elapsed().as_secs_f64() * 1e6 / f64::from(trips) / 2.0;
    far.join().map_err(|_| anyhow!("the far thread panicked"))?;
    Ok(us)
}

fn add(
    figures: &mut Figures,
    place: &str,
    what: &str,
    unit: &str,
    values: &BTreeMap<String, Vec<f64>>,
    names: &[&str],
) -> Result<()> {
    for name in names.iter().filter(|name| **name != "eventfd again") {
        figures.push(Figure::median(format!("{place}: {what} by {name}"), unit, &values[*name])?);
    }
    let eventfd = &values["eventfd"];
    figures.push(Figure::ratio(format!("{place}: pipe / eventfd"), &values["pipe"], eventfd)?);
    figures.push(Figure::ratio(format!("{place}: eventfd / itself"), &values["eventfd again"], eventfd)?);
    Ok(())
}

fn judge(figures: &Figures) -> Result<Judgement> {
    const LESSON: &str = "A wake-up costs what the scheduler costs; the means by which it is asked for \
                          hardly matters, and not to sleep matters most. What an eventfd saves is a \
                          descriptor and a buffer.";
    const SOURCE: &str = "Nothing: the source argues from a counter of 8 bytes against a buffer, which is \
                          true of the two calls and small beside the wake-up that they cause.";
    let compare = |place: &str| {
        let ratio = figures.get(&format!("{place}: pipe / eventfd"))?;
        let itself = figures.get(&format!("{place}: eventfd / itself"))?;
        let text = format!("{} {}", format::with_unit(ratio), format::interval(ratio));
        anyhow::Ok((Comparison::of(ratio, Some(itself)), text))
    };
    let (awake, calls) = compare("nobody sleeps")?;
    let (waking, wake_ups) = compare("two CPUs")?;
    // Older records have it too, and no verdict hangs on it: there the thread is woken without a second CPU.
    let same_cpu =
        compare("one CPU").map_or_else(|_| String::new(), |(_, text)| format!("on the same CPU: {text}, "));
    let because = format!(
        "the calls alone, pipe to eventfd: {calls}; with the wake-up of a thread {same_cpu}on another CPU: {wake_ups}"
    );
    Ok(match (awake, waking) {
        (Comparison::More, Comparison::More) => Judgement::holds(because, LESSON),
        (Comparison::More, _) => {
            Judgement::depends(format!("on whether another CPU must be woken: {because}"), LESSON, SOURCE)
        }
        (Comparison::Unclear, _) => Judgement::inconclusive(because, LESSON),
        (Comparison::Same | Comparison::Less, _) => Judgement::refuted(because, LESSON, SOURCE),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Verdict;

    fn verdict(awake: (f64, f64), waking: (f64, f64)) -> Verdict {
        let ratio = |name: &str, (low, high)| Figure {
            interval: Some((low, high)),
            ..Figure::exact(name, "×", (low + high) / 2.0)
        };
        let figures = Figures(vec![
            ratio("nobody sleeps: pipe / eventfd", awake),
            ratio("nobody sleeps: eventfd / itself", (0.99, 1.01)),
            ratio("two CPUs: pipe / eventfd", waking),
            ratio("two CPUs: eventfd / itself", (0.98, 1.02)),
        ]);
        judge(&figures).expect("all figures are there").verdict
    }

    #[test]
    fn cheaper_calls_and_cheaper_wake_ups_are_told_apart() {
        assert_eq!(verdict((1.1, 1.2), (1.05, 1.1)), Verdict::Holds);
        assert_eq!(verdict((1.1, 1.2), (0.98, 1.02)), Verdict::Depends);
        assert_eq!(verdict((1.1, 1.2), (0.7, 1.4)), Verdict::Depends);
        assert_eq!(verdict((0.98, 1.02), (1.1, 1.2)), Verdict::Refuted);
        assert_eq!(verdict((0.8, 1.3), (1.1, 1.2)), Verdict::Inconclusive);
    }

    /// Protects against a mean that does not wake: the run would hang here and not on a user's machine.
    #[test]
    fn every_mean_wakes() {
        for (_, make) in MEANS {
            let us =
                ping_pong(make().expect("a descriptor"), make().expect("a descriptor"), 50, (None, None));
            assert!(us.expect("both threads end") > 0.0);
        }
    }
}
