//! Running probes: one with its server, or all of them a few at a time.

use super::{Fault, Finding, Outcome, Probe, Subject, Target};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

/// Probes spend nearly all of their time waiting, so several share a CPU without disturbing each other.
const AT_ONCE: usize = 8;

/// Runs one probe with a server of its own.
pub fn run_one(probe: &'static Probe, target: &Target) -> Finding {
    let start = Instant::now();
    let (outcome, detail, hint) = match judge(probe, target) {
        Ok(remark) => (Outcome::Pass, remark, ""),
        Err(fault) => (fault.outcome, fault.detail, fault.hint.unwrap_or(probe.hint)),
    };
    Finding { probe: probe.name, outcome, detail, hint, seconds: start.elapsed().as_secs_f64() }
}

/// The remark of a probe that passes. A crash beats what the probe saw of it.
fn judge(probe: &Probe, target: &Target) -> Result<String, Fault> {
    let mut subject = Subject::start(target, &probe.setup)?;
    let verdict = (probe.run)(&mut subject);
    match subject.crash() {
        Some(words) => Err(Fault::crash(words)),
        None => verdict.map(|()| subject.remark),
    }
}

/// Runs the probes and returns the findings in the order of `probes`; `done` is called with each at its end.
pub fn run_all(probes: &[&'static Probe], target: &Target, done: &(dyn Fn(&Finding) + Sync)) -> Vec<Finding> {
    // A server that runs already is shared, so only one probe at a time is undisturbed there.
    let shares_a_server = matches!(target, Target::Address(_));
    let (alone, together): (Vec<usize>, Vec<usize>) =
        (0..probes.len()).partition(|&index| probes[index].alone || shares_a_server);
    let findings: Mutex<Vec<(usize, Finding)>> = Mutex::new(Vec::new());
    let run = |index: usize| {
        let finding = run_one(probes[index], target);
        done(&finding);
        findings.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push((index, finding));
    };
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            // Relaxed: each index is taken once whatever the order, and it publishes nothing.
            scope.spawn(|| {
                while let Some(&index) = together.get(next.fetch_add(1, Ordering::Relaxed)) {
                    run(index);
                }
            });
        }
    });
    alone.into_iter().for_each(run);
    let mut findings = findings.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
    findings.sort_by_key(|(index, _)| *index);
    findings.into_iter().map(|(_, finding)| finding).collect()
}
