//! `seed-ring`: source 000 gives each thread a ring of its own and moves the index of the producers by an
//! atomic fetch-and-add. **The first ring below is an exhibit: it is as the source describes it, and
//! broken.** The second one is stage 07's, in the same kind of steps.
//!
//! ```c
//! c = thread->work_queue + queue_offset(__sync_fetch_and_add(&thread->front, 1));   // any thread
//! *c = task;                                                                        // a step later
//!
//! if (thread_queue_empty(thread)) break;                                            // the worker
//! c = thread->work_queue + queue_offset(thread->rear++);
//! if (c->task) c->task(c->arg);
//! ```

mod rings;

use crate::experiment::{Experiment, Seconds};
use crate::model::{Explored, explore};
use crate::report::{Figure, Figures, Judgement, Measured};
use crate::session::Session;
use anyhow::Result;
use rings::{OurRing, SeedRing};

/// The experiment.
pub(super) const EXPERIMENT: Experiment = Experiment {
    id: "seed-ring",
    method: "The ring of the source and stage 07's ring are written as steps of threads, and every order of \
             the steps is tried, with two producers (one for stage 07's ring, which is made for one) and one \
             worker. A task that is lost, done twice or done before it was written is a fault.",
    needs: &[],
    seconds: Seconds { quick: 1.0, full: 1.0 },
    run,
    judge,
};

fn run(session: &mut Session) -> Result<Measured> {
    session.step(0.1, "two producers and a worker on the ring of the source")?;
    let roomy = explore(SeedRing::new(4, &[&[1, 2], &[3, 4]]));
    session.step(0.4, "the same ring with one producer, and more tasks than slots")?;
    let small = explore(SeedRing::new(2, &[&[1, 2, 3]]));
    session.step(0.7, "stage 07's ring")?;
    let ours = explore(OurRing::new(2, &[1, 2, 3, 4]));
    if let Some((steps, kind)) = &roomy.shortest {
        session.step(1.0, format_args!("shortest fault ({kind}): {}", steps.join(", ")))?;
    }
    let mut figures = Figures::default();
    for (name, explored) in
        [("source, 2 producers", &roomy), ("source, 1 producer, full ring", &small), ("stage 07", &ours)]
    {
        add(&mut figures, name, explored);
    }
    Ok(figures.into())
}

fn add(figures: &mut Figures, name: &str, explored: &Explored) {
    let steps = explored.shortest.as_ref().map_or(0, |(steps, _)| steps.len());
    for (what, unit, value) in [
        ("states", "states", explored.states),
        ("states with a fault", "states", explored.faulty),
        ("kinds of faults", "kinds", explored.kinds.len()),
        ("steps to the nearest fault", "steps", steps),
    ] {
        figures.push(Figure::exact(format!("{name}: {what}"), unit, value as f64));
    }
}

fn judge(figures: &Figures) -> Result<Judgement> {
    const LESSON: &str = "An atomic index makes the index safe, not the slot: a slot must be filled before \
                          its index is published, and there must be room for it.";
    const SOURCE: &str = "Nothing: the source gives no measurement and no test of its ring. What protected \
                          it were few tasks in a large ring.";
    let of = |name: &str| figures.value(&format!("{name}: states with a fault"));
    let (two, full) = (of("source, 2 producers")?, of("source, 1 producer, full ring")?);
    let (ours, visited) = (of("stage 07")?, figures.value("stage 07: states")?);
    let steps = figures.value("source, 2 producers: steps to the nearest fault")?;
    Ok(match (two > 0.0, full > 0.0, ours > 0.0 || visited < 2.0) {
        (_, _, true) => Judgement::inconclusive("the model finds a fault in a ring that loom passes", LESSON),
        (true, ..) => Judgement::refuted(
            format!(
                "{steps} steps are enough for the worker to run a slot that no producer has filled yet; \
                 stage 07's ring has no fault in any of {visited} states"
            ),
            LESSON,
            SOURCE,
        ),
        (false, true, _) => {
            Judgement::depends("it is safe only as long as the ring is never full", LESSON, SOURCE)
        }
        (false, false, _) => Judgement::holds("no order of steps leads to a fault", LESSON),
    })
}

#[cfg(test)]
mod tests {
    use super::rings::{OVERWRITTEN, STALE};
    use super::*;
    use crate::report::Verdict;

    #[test]
    fn the_verdict_follows_the_faults() {
        let verdict = |two: f64, full: f64, ours: f64| {
            let figures = Figures(vec![
                Figure::exact("source, 2 producers: states with a fault", "states", two),
                Figure::exact("source, 2 producers: steps to the nearest fault", "steps", 3.0),
                Figure::exact("source, 1 producer, full ring: states with a fault", "states", full),
                Figure::exact("stage 07: states with a fault", "states", ours),
                Figure::exact("stage 07: states", "states", 100.0),
            ]);
            judge(&figures).expect("all figures are there").verdict
        };
        assert_eq!(verdict(1.0, 1.0, 0.0), Verdict::Refuted);
        assert_eq!(verdict(0.0, 1.0, 0.0), Verdict::Depends);
        assert_eq!(verdict(0.0, 0.0, 0.0), Verdict::Holds);
        assert_eq!(verdict(1.0, 1.0, 1.0), Verdict::Inconclusive);
    }

    /// Protects against a model that finds faults because it is wrong itself: with one producer and room for
    /// all tasks the source's ring fails by the early index alone.
    #[test]
    fn each_fault_has_its_own_cause() {
        let one = explore(SeedRing::new(4, &[&[1, 2]]));
        assert!(one.kinds.contains(STALE) && !one.kinds.contains(OVERWRITTEN), "{:?}", one.kinds);
        let (steps, kind) = one.shortest.expect("a fault");
        assert_eq!((steps.len(), kind), (3, STALE), "{steps:?}");
        let full = explore(SeedRing::new(2, &[&[1, 2, 3]]));
        assert!(full.kinds.contains(OVERWRITTEN), "{:?}", full.kinds);
        let ours = explore(OurRing::new(1, &[1, 2, 3]));
        assert_eq!((ours.faulty, ours.ends), (0, 1), "it ends when all is done: {ours:?}");
    }
}
