//! `timer-structure`: 10,000 kept connections, each with a timeout of a minute that every request moves.
//! **The heap without sweeping is an exhibit:** it is the one that source 003 describes. The others are stage
//! 08's.

use crate::experiment::{Experiment, Seconds};
use crate::format;
use crate::measure::{Pinned, Slice, cpu, interleaved};
use crate::report::{Figure, Figures, Judgement, Measured};
use crate::session::Session;
use anyhow::Result;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet};
use std::time::Instant;
use timers::heap::Heap;
use timers::{Structure, Timer, Timers};

/// The experiment.
pub(super) const EXPERIMENT: Experiment = Experiment {
    id: "timer-structure",
    method: "Each request of 10,000 connections takes back a timer and arms it anew, a minute ahead, while \
             the time goes on; the timers that a structure holds are counted. The time of such a pair of \
             operations is measured in slices that take turns, for a heap that only marks, stage 08's heap, \
             its tree (a multimap) and its wheel.",
    needs: &[],
    seconds: Seconds { quick: 6.0, full: 20.0 },
    run,
    judge,
};

const CONNECTIONS: usize = 10_000;
const TIMEOUT_MS: u64 = 60_000;
/// Ten thousand requests per second.
const REQUESTS_PER_MS: usize = 10;

/// The exhibit: a cancelled timer is marked and stays until its time has come.
#[derive(Default)]
struct MarkingHeap {
    heap: BinaryHeap<Reverse<(u64, u64)>>,
    dead: HashSet<u64>,
    next_id: u64,
}

impl MarkingHeap {
    fn arm(&mut self, at: u64) -> u64 {
        self.next_id += 1;
        self.heap.push(Reverse((at, self.next_id)));
        self.next_id
    }

    fn expire(&mut self, now: u64) {
        while self.heap.peek().is_some_and(|Reverse((at, _))| *at <= now) {
            if let Some(Reverse((_, id))) = self.heap.pop() {
                self.dead.remove(&id);
            }
        }
    }
}

/// Connections whose timers are moved: `arm` and `expire` are the structure's, `move_one` is a request.
struct Load {
    random: fastrand::Rng,
    now: u64,
    requests: usize,
}

impl Load {
    fn new() -> Self {
        Self { random: fastrand::Rng::with_seed(3), now: 0, requests: 0 }
    }

    /// The connection that asks next, and whether a millisecond is over.
    fn next(&mut self) -> (usize, bool) {
        self.requests += 1;
        let is_over = self.requests.is_multiple_of(REQUESTS_PER_MS);
        self.now += u64::from(is_over);
        (self.random.usize(..CONNECTIONS), is_over)
    }
}

struct Marking {
    heap: MarkingHeap,
    ids: Vec<u64>,
    load: Load,
}

impl Marking {
    fn new() -> Self {
        let mut heap = MarkingHeap::default();
        let ids = (0..CONNECTIONS).map(|_| heap.arm(TIMEOUT_MS)).collect();
        Self { heap, ids, load: Load::new() }
    }

    fn request(&mut self) {
        let (connection, is_over) = self.load.next();
        self.heap.dead.insert(self.ids[connection]);
        self.ids[connection] = self.heap.arm(self.load.now + TIMEOUT_MS);
        if is_over {
            self.heap.expire(self.load.now);
        }
    }
}

struct Ours<T> {
    timers: T,
    handles: Vec<Option<Timer>>,
    load: Load,
    expired: Vec<u64>,
}

impl<T: Timers> Ours<T> {
    fn new(mut timers: T) -> Self {
        let handles = (0..CONNECTIONS).map(|key| Some(timers.arm(TIMEOUT_MS, key as u64))).collect();
        Self { timers, handles, load: Load::new(), expired: Vec::new() }
    }

    fn request(&mut self) {
        let (connection, is_over) = self.load.next();
        if let Some(timer) = self.handles[connection].take() {
            self.timers.cancel(timer);
        }
        self.handles[connection] = Some(self.timers.arm(self.load.now + TIMEOUT_MS, connection as u64));
        if is_over {
            self.timers.expire(self.load.now, &mut self.expired);
            // One that nobody has asked for in a minute would be closed, and its client comes back.
            for key in self.expired.drain(..) {
                let timer = self.timers.arm(self.load.now + TIMEOUT_MS, key);
                self.handles[key as usize] = Some(timer);
            }
        }
    }
}

/// Boxed timers are timers.
struct Boxed(Box<dyn Timers>);

impl Timers for Boxed {
    fn arm(&mut self, at: u64, key: u64) -> Timer {
        self.0.arm(at, key)
    }

    fn cancel(&mut self, timer: Timer) {
        self.0.cancel(timer);
    }

    fn next(&mut self) -> Option<u64> {
        self.0.next()
    }

    fn expire(&mut self, now: u64, expired: &mut Vec<u64>) {
        self.0.expire(now, expired);
    }
}

fn run(session: &mut Session) -> Result<Measured> {
    let requests = session.pick(200_000, 700_000);
    session.step(0.0, format_args!("{requests} requests of {CONNECTIONS} connections"))?;
    let (mut marking, mut sweeping) = (Marking::new(), Ours::new(Heap::default()));
    let (mut marked, mut swept) = (0, 0);
    for _ in 0..requests {
        marking.request();
        sweeping.request();
        marked = marked.max(marking.heap.heap.len());
        swept = swept.max(sweeping.timers.len());
    }
    let mut figures = Figures(vec![
        Figure::exact("timers that are alive", "timers", CONNECTIONS as f64),
        Figure::exact("most timers in a heap that marks", "timers", marked as f64),
        Figure::exact("most timers in a heap that sweeps", "timers", swept as f64),
    ]);
    session.step(0.3, "ns per move of a timer")?;
    let _pinned = Pinned::to(cpu(0));
    let batch = 20_000;
    let timed = move |request: &mut dyn FnMut()| {
        let start = Instant::now();
        (0..batch).for_each(|_| request());
        Ok(start.elapsed().as_nanos() as f64 / f64::from(batch))
    };
    let ours = |name: &str, structure: Structure| -> Slice<'_> {
        let mut ours = Ours::new(Boxed(structure.build(0)));
        (name.to_owned(), Box::new(move || timed(&mut || ours.request())))
    };
    let mut slices: Vec<Slice<'_>> = vec![
        ("heap that marks".to_owned(), Box::new(move || timed(&mut || marking.request()))),
        ours("heap that sweeps", Structure::Heap),
        ours("tree", Structure::Tree),
        ours("wheel", Structure::Wheel),
    ];
    let values = interleaved(session, session.pick(20, 60), (0.3, 1.0), &mut slices)?;
    for (name, values) in &values {
        figures.push(Figure::median(format!("move a timer: {name}"), "ns", values)?);
    }
    figures.push(Figure::ratio("tree / heap that marks", &values["tree"], &values["heap that marks"])?);
    figures.push(Figure::ratio("tree / heap that sweeps", &values["tree"], &values["heap that sweeps"])?);
    Ok(figures.into())
}

fn judge(figures: &Figures) -> Result<Judgement> {
    const LESSON: &str = "A heap that sweeps when half of it is dead holds at most twice what is alive; and \
                          the best timer is the one that a request does not move at all.";
    const SOURCE: &str = "Nothing was measured. The source compares a heap that never sweeps with a tree, \
                          and takes the one for every heap.";
    let alive = figures.value("timers that are alive")?;
    let marked = figures.value("most timers in a heap that marks")? / alive;
    let swept = figures.value("most timers in a heap that sweeps")? / alive;
    let tree = figures.get("tree / heap that marks")?;
    let because = format!(
        "of {} timers that are alive, a heap that marks holds {} times as many, one that sweeps {} times; a \
         move in the tree takes {} times as long as in the heap that marks",
        format::value(alive),
        format::value(marked),
        format::value(swept),
        format::value(tree.value)
    );
    Ok(match (marked > 3.0, swept <= 3.0) {
        (true, true) => {
            Judgement::depends(format!("on whether the heap is swept: {because}"), LESSON, SOURCE)
        }
        (true, false) if tree.high() < 1.5 => Judgement::holds(because, LESSON),
        (true, false) => Judgement::depends(format!("on what a move may cost: {because}"), LESSON, SOURCE),
        (false, _) => Judgement::refuted(because, LESSON, SOURCE),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Verdict;

    #[test]
    fn the_verdict_turns_on_the_dead_timers() {
        let verdict = |marked: f64, swept: f64, tree: f64| {
            let figures = Figures(vec![
                Figure::exact("timers that are alive", "timers", 100.0),
                Figure::exact("most timers in a heap that marks", "timers", marked),
                Figure::exact("most timers in a heap that sweeps", "timers", swept),
                Figure::exact("tree / heap that marks", "×", tree),
            ]);
            judge(&figures).expect("all figures are there").verdict
        };
        assert_eq!(verdict(3000.0, 200.0, 1.0), Verdict::Depends);
        assert_eq!(verdict(3000.0, 3000.0, 1.0), Verdict::Holds);
        assert_eq!(verdict(3000.0, 3000.0, 2.0), Verdict::Depends);
        assert_eq!(verdict(150.0, 150.0, 1.0), Verdict::Refuted);
    }

    /// Protects the count: the exhibit must keep what is cancelled, and stage 08's heap must not.
    #[test]
    fn the_exhibit_keeps_what_is_cancelled() {
        let (mut marking, mut sweeping) = (Marking::new(), Ours::new(Heap::default()));
        (0..5 * CONNECTIONS).for_each(|_| {
            marking.request();
            sweeping.request();
        });
        assert_eq!(marking.heap.heap.len(), 6 * CONNECTIONS);
        assert!(sweeping.timers.len() <= 2 * CONNECTIONS + 2, "{}", sweeping.timers.len());
    }
}
