//! Two loads take turns: one server is asked while the other one has nothing to do.
//!
//! It compares two servers on a machine whose speed wanders. What disturbs the machine for longer than two
//! turns disturbs both, so the ratio of what they cost stays.
//!
//! When the time of a turn is over its clients begin no new request, and the turn ends when every reply that
//! is on its way has come. So between two turns no server has anything to answer, and the CPU time that it
//! has used by then belongs to the replies that were counted by then: no two windows of time have to be
//! aligned. Kept connections stay open through the other's turns.
//!
//! One thread puts both loads on, in the process that calls it: who wants it on a CPU binds the thread
//! before.

use super::event_loop::EventLoop;
use super::failure::Failure;
use super::options::Args;
use super::report::{Report, wrong};
use super::run::{raise_descriptor_limit, specs};
use super::schedule::Schedule;
use super::settings::{Gauge, Settings};
use super::tally::{Tallies, Tally};
use super::worker::Worker;
use anyhow::{Context, Result, ensure};
use lab_core::process::thread_cpu_time;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

/// How two loads take turns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Turns {
    /// How long requests are begun in a turn.
    pub length: Duration,
    /// How many turns each of the two has before anything is counted.
    pub warm_up: u32,
    /// How many turns of each are counted.
    pub counted: u32,
}

/// Nobody has anything to answer: CPU times can be read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Boundary {
    /// The warm-up is over, and the counted turns begin.
    WarmUp,
    /// A counted turn is over.
    Turn {
        /// Whose: 0 or 1.
        load: usize,
        /// Requests that were answered right in it.
        answered: u64,
    },
}

/// A turn is no wait for something that should have come at once: a day is more than any run takes.
const NEVER: Duration = Duration::from_secs(86_400);

/// Puts the first load on, then the second, and so on, in closed loops of this thread; `at` is called at each
/// boundary. A report is of the load's own counted turns: so are its time and the CPU time of the thread.
///
/// # Errors
/// What is wrong with the options; an error of `at`; a reply that does not come within `--timeout`; a turn in
/// which no request was answered right.
pub fn alternate(
    loads: [&Args; 2],
    turns: Turns,
    at: &mut dyn FnMut(Boundary) -> Result<()>,
) -> Result<[Report; 2]> {
    for args in loads {
        let is_plain = args.rate.is_none() && args.threads == 1 && args.idle + args.slow == 0;
        ensure!(
            is_plain,
            "loads that take turns are closed loops of one thread, with no other clients beside"
        );
    }
    raise_descriptor_limit(loads[0].connections + loads[1].connections, 2)?;
    let [first, second] = loads.map(settings);
    let (first, second) = (first?, second?);
    let mut sides = [Side::new(&first)?, Side::new(&second)?];
    for _ in 0..turns.warm_up {
        sides.iter_mut().try_for_each(|side| side.take_turn(turns.length).map(drop))?;
    }
    sides.iter_mut().for_each(Side::start_counting);
    at(Boundary::WarmUp)?;
    for _ in 0..turns.counted {
        for (load, side) in sides.iter_mut().enumerate() {
            let answered = side.take_turn(turns.length)?;
            at(Boundary::Turn { load, answered })?;
        }
    }
    Ok(sides.map(Side::report))
}

fn settings(args: &Args) -> Result<Settings<'_>> {
    let target = args.check()?;
    let (addr, specs, start) = (target.reachable()?, specs(args, &target), Instant::now());
    let (stop, gauges) = (Arc::new(AtomicBool::new(false)), vec![Gauge::default()]);
    Ok(Settings { args, target, addr, specs, start, measure_from: start, end: start + NEVER, stop, gauges })
}

/// One of the two loads.
struct Side<'a> {
    event_loop: EventLoop<'a>,
    /// Of its turns so far, with the time that the replies took which came after the end of a turn.
    elapsed: Duration,
    /// CPU time of this thread in them.
    cpu: Duration,
}

impl<'a> Side<'a> {
    fn new(settings: &'a Settings<'a>) -> Result<Self> {
        let worker = Worker::new(settings, 0, settings.args.connections as usize)?;
        let schedule = Schedule::new(settings.start, None, 0, 1);
        let event_loop = EventLoop::new(worker, schedule)?;
        Ok(Self { event_loop, elapsed: Duration::ZERO, cpu: Duration::ZERO })
    }

    fn start_counting(&mut self) {
        self.event_loop.worker.start_counting();
        (self.elapsed, self.cpu) = (Duration::ZERO, Duration::ZERO);
    }

    /// How many requests were answered right in the turn.
    fn take_turn(&mut self, length: Duration) -> Result<u64> {
        let before = (self.tallies().right(), self.tallies().failed());
        let (start, cpu) = (Instant::now(), thread_cpu_time());
        let addr = self.event_loop.worker.settings.addr;
        self.event_loop.take_turn(start + length).with_context(|| format!("the load on {addr}"))?;
        self.elapsed += start.elapsed();
        self.cpu += thread_cpu_time().saturating_sub(cpu);
        let (answered, failed) = (self.tallies().right() - before.0, self.tallies().failed() - before.1);
        // Where this thread had no CPU for the whole turn, nothing was begun: that is no fault of the
        // server's.
        ensure!(answered > 0 || failed == 0, "{addr} answered no request right in a turn: {}", self.faults());
        ensure!(!self.has_timed_out(), "{addr} left requests without a reply: {}", self.faults());
        Ok(answered)
    }

    fn has_timed_out(&self) -> bool {
        let timeout = Failure::NAMES[Failure::Timeout as usize];
        self.tallies().failed() > 0 && self.tallies().paths.iter().any(|path| path.by_kind()[timeout] > 0)
    }

    /// What was wrong so far.
    fn faults(&self) -> String {
        let tallies = self.tallies();
        let kinds = |path: &Tally| wrong(&path.by_kind(), None, None);
        let faults: Vec<String> = tallies.paths.iter().flat_map(kinds).collect();
        let why = tallies.not_connected.map(|kind| format!(" ({kind})"));
        faults.join(", ") + &why.unwrap_or_default()
    }

    fn tallies(&self) -> &Tallies {
        self.event_loop.worker.tallies()
    }

    fn report(self) -> Report {
        let Self { event_loop: EventLoop { worker, .. }, elapsed, cpu } = self;
        let args = worker.settings.args;
        let tallies = Tallies { cpu, ..worker.finish(Instant::now()) };
        Report::new(args, &tallies, Default::default(), elapsed.as_secs_f64(), false)
    }
}
