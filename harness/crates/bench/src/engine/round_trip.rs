//! What a fixed piece of work costs just now: it tells in which of its clock states the machine is.

use nix::sched::{CpuSet, sched_setaffinity};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::Pid;
use std::cell::Cell;
use std::io::{Read, Result, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

/// How long the work is repeated.
const DURATION: Duration = Duration::from_millis(20);
/// What goes there and comes back, bytes.
const MESSAGE: usize = 100;
/// A result that is not older stands for the state before the next point too.
const FRESH: Duration = Duration::from_millis(100);

/// The round trips on one CPU.
pub(super) struct RoundTrip {
    cpu: usize,
    last: Cell<Option<(Instant, f64)>>,
}

impl RoundTrip {
    /// On the first of these CPUs.
    pub(super) fn on(cpus: &[usize]) -> Self {
        Self { cpu: cpus.first().copied().unwrap_or(0), last: Cell::new(None) }
    }

    /// Before a point: what was just found after the one before it, or a new measurement. ns; `None` where
    /// it cannot be measured.
    pub(super) fn before(&self) -> Option<f64> {
        match self.last.get() {
            Some((at, ns)) if at.elapsed() < FRESH => Some(ns),
            _ => self.after(),
        }
    }

    /// After a point.
    pub(super) fn after(&self) -> Option<f64> {
        let cpu = self.cpu;
        // A thread of its own: binding it to the CPU binds nothing else.
        let ns = thread::spawn(move || measure(cpu)).join().ok()?.ok();
        self.last.set(ns.map(|ns| (Instant::now(), ns)));
        ns
    }
}

/// CPU time of one round trip in this thread, ns.
fn measure(cpu: usize) -> Result<f64> {
    let mut cpus = CpuSet::new();
    cpus.set(cpu)?;
    sched_setaffinity(Pid::from_raw(0), &cpus)?;
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let mut here = TcpStream::connect(listener.local_addr()?)?;
    let (mut there, _) = listener.accept()?;
    let mut message = [0; MESSAGE];
    let mut round_trip = || {
        here.write_all(&message)?;
        there.read_exact(&mut message)?;
        there.write_all(&message)?;
        here.read_exact(&mut message)
    };
    // The first ones fault pages in and fill caches.
    for _ in 0..10 {
        round_trip()?;
    }
    let used = || Ok::<_, std::io::Error>(Duration::from(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)?));
    let (start, before) = (Instant::now(), used()?);
    let mut count = 0_u32;
    while start.elapsed() < DURATION {
        round_trip()?;
        count += 1;
    }
    Ok((used()? - before).as_nanos() as f64 / f64::from(count.max(1)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sched::sched_getaffinity;

    #[test]
    fn a_round_trip_takes_some_microseconds_and_binds_no_other_thread() {
        let affinity = || sched_getaffinity(Pid::from_raw(0)).expect("it can be read");
        let before = affinity();
        let first = (0..CpuSet::count()).find(|&cpu| before.is_set(cpu) == Ok(true)).expect("a CPU");
        let round_trip = RoundTrip::on(&[first]);
        let ns = round_trip.after().expect("the loopback is there");
        // Four system calls cost more than a tenth of a microsecond on any machine, and less than ten
        // milliseconds.
        assert!((100.0..10_000_000.0).contains(&ns), "{ns}");
        assert_eq!(affinity(), before);
    }
}
