//! How micro-measurements are made: threads kept on CPUs, alternatives measured in turns, time and CPU time.
//!
//! A machine runs faster for a while and then slower again. Two things that are measured one after the other
//! may so differ by a third without any difference between them. So alternatives are measured in short slices
//! that take turns, in an order that changes from round to round, and are compared within each round; and one
//! of them is measured twice per round, which shows how far a thing differs from itself.
//!
//! * `slices`: anything, in turns; `pairs`: two servers, in turns; `tools`: a server under a load generator;
//! * `traced`: the system calls of a stage; `spawn`, `drain`, `events`, `pin`: what these are made of.

mod drain;
mod events;
mod pairs;
mod pin;
mod slices;
pub mod spawn;
mod tools;
mod traced;

pub use drain::Drain;
pub use events::{PEER_ENDED, await_event};
pub(crate) use pairs::{Ask, Contender, Rounds, TURN, in_turns};
pub use pin::{Pinned, cpu};
pub use slices::{Slice, interleaved};
pub(crate) use tools::{Found, Waits, installed, put_on, run_tool, warm_up};
pub(crate) use traced::{Traced, calls_per_request};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::time::{ClockId, clock_gettime};
use std::time::{Duration, Instant};

/// Nanoseconds per call, over as many calls as `time` allows; the clock is read once per `batch` calls.
pub fn ns_per_call(time: Duration, batch: u32, mut call: impl FnMut()) -> f64 {
    let start = Instant::now();
    let mut calls = 0u64;
    loop {
        for _ in 0..batch {
            call();
        }
        calls += u64::from(batch);
        let elapsed = start.elapsed();
        if elapsed >= time {
            return elapsed.as_nanos() as f64 / calls as f64;
        }
    }
}

/// CPU time of the calling thread.
pub fn thread_cpu() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}

/// Context switches of the calling thread until now: voluntary (it waited) and involuntary (it was
/// preempted).
pub fn thread_switches() -> (u64, u64) {
    let status = procfs::process::Process::myself().and_then(|process| {
        let thread = process.task_from_tid(nix::unistd::gettid().as_raw())?;
        thread.status()
    });
    status.map_or((0, 0), |status| {
        let voluntary = status.voluntary_ctxt_switches.unwrap_or(0);
        (voluntary, status.nonvoluntary_ctxt_switches.unwrap_or(0))
    })
}

/// Raises this process's limit of descriptors to the hard limit.
///
/// # Errors
/// When the limit cannot be read or raised.
pub fn raise_descriptor_limit() -> nix::Result<()> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard)
}
