//! The states of each thread under load: running, ready, or waiting, and for what.
//!
//! The kernel counts the first two exactly; the rest of the time the thread waits. For what is seen by
//! looking, a few hundred times a second, at the system call that it is in. A server is not slowed down by
//! that, as it would be by a trace of its calls.

use super::target::{Load, Target, WARM_UP};
use super::threads::{Past, Thread, pasts, threads};
use anyhow::Result;
use lab_core::process::Usage;
use std::collections::BTreeMap;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Between two looks.
const LOOK: Duration = Duration::from_millis(5);

/// What was seen of a server.
#[derive(Debug)]
pub(super) struct States {
    pub(super) threads: Vec<State>,
    /// Requests per second of the whole load.
    pub(super) speed: f64,
    /// CPU time per request of the whole process tree, µs; threads and processes that have ended are in it.
    pub(super) cpu_us: f64,
    /// Over all threads that lived through it, for each request.
    pub(super) slept: f64,
    pub(super) preempted: f64,
    /// Threads or processes have ended meanwhile and took their counts with them.
    pub(super) is_part: bool,
}

/// One thread; shares of the time.
#[derive(Debug)]
pub(super) struct State {
    pub(super) name: String,
    pub(super) running: f64,
    pub(super) ready: f64,
    pub(super) waiting: f64,
    /// In what it waits, and the share of its looks that found it there; the most frequent first.
    pub(super) waits_in: Vec<(&'static str, f64)>,
    /// Context switches because it waited, per second.
    pub(super) sleeps: f64,
}

/// Looks at a server under load.
pub(super) fn measure(target: &Target, load: &Load) -> Result<States> {
    let server = target.start()?;
    let pid = server.pid();
    let under_load = target.load(&server, load, false)?;
    // The generator needs some time to begin: the looks end before its load does.
    const STARTING: Duration = Duration::from_millis(150);
    sleep(WARM_UP + STARTING);
    let window = load.duration.saturating_sub(2 * STARTING).max(LOOK);
    let mut seen: BTreeMap<Thread, BTreeMap<&'static str, u64>> = BTreeMap::new();
    let names: BTreeMap<Thread, String> =
        threads(pid).into_iter().map(|thread| (thread, thread.name())).collect();
    let (before, used, start) = (pasts(pid), Usage::of_tree(pid as u32), Instant::now());
    while start.elapsed() < window {
        for &thread in before.keys() {
            if let Some(call) = thread.waits_in() {
                *seen.entry(thread).or_default().entry(call).or_default() += 1;
            }
        }
        sleep(LOOK);
    }
    let (after, used, elapsed) =
        (pasts(pid), Usage::of_tree(pid as u32).since(&used), start.elapsed().as_secs_f64());
    let report = under_load.end()?;
    server.stop()?;
    let speed = report.requests_per_second;
    let requests = (speed * elapsed).max(1.0);
    let lived: Vec<(Thread, Past)> = before
        .iter()
        .filter_map(|(thread, before)| Some((*thread, after.get(thread)?.since(*before))))
        .collect();
    let sum = |of: fn(&Past) -> u64| lived.iter().map(|(_, past)| of(past)).sum::<u64>() as f64 / requests;
    Ok(States {
        speed,
        cpu_us: used.cpu.as_secs_f64() * 1e6 / requests,
        slept: sum(|past| past.slept),
        preempted: sum(|past| past.preempted),
        is_part: used.known_context_switches().is_none(),
        threads: lived
            .iter()
            .map(|(thread, past)| {
                let name = names.get(thread).cloned().unwrap_or_default();
                state(name, *past, elapsed, seen.get(thread))
            })
            .collect(),
    })
}

fn state(name: String, past: Past, elapsed: f64, seen: Option<&BTreeMap<&'static str, u64>>) -> State {
    let share = |time: Duration| (time.as_secs_f64() / elapsed).min(1.0);
    let (running, ready) = (share(past.running), share(past.ready));
    let looks: u64 = seen.iter().flat_map(|seen| seen.values()).sum();
    let mut waits_in: Vec<(&'static str, f64)> = seen
        .iter()
        .flat_map(|seen| seen.iter())
        .map(|(call, count)| (*call, *count as f64 / looks.max(1) as f64))
        .collect();
    waits_in.sort_by(|one, other| other.1.total_cmp(&one.1));
    let waiting = (1.0 - running - ready).max(0.0);
    State { name, running, ready, waiting, waits_in, sleeps: past.slept as f64 / elapsed }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_neither_running_nor_ready_waits() {
        let past = Past {
            running: Duration::from_millis(500),
            ready: Duration::from_millis(300),
            slept: 40,
            preempted: 1,
        };
        let seen = BTreeMap::from([("read", 5), ("epoll_wait", 15)]);
        let state = state("worker".into(), past, 2.0, Some(&seen));
        assert_eq!((state.running, state.ready), (0.25, 0.15));
        assert!((state.waiting - 0.6).abs() < 1e-9 && state.sleeps == 20.0, "{state:?}");
        assert_eq!(state.waits_in, [("epoll_wait", 0.75), ("read", 0.25)]);
    }

    /// Protects from a share below nothing: the two clocks are not read at the same instant.
    #[test]
    fn a_thread_that_ran_all_the_time_has_not_waited() {
        let past = Past { running: Duration::from_millis(1003), ..Past::default() };
        let state = state("worker".into(), past, 1.0, None);
        assert_eq!((state.running, state.waiting), (1.0, 0.0));
        assert!(state.waits_in.is_empty());
    }
}
