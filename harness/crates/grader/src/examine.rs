//! One run of the probes, with a progress bar.

use crate::probes::{self, Finding, Outcome, Probe};
use crate::task::Task;
use indicatif::{ProgressBar, ProgressStyle};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// A thousand clients need a thousand descriptors. Where the hard limit is too low the probe says so.
pub fn raise_descriptor_limit() {
    if let Ok((_, hard)) = getrlimit(Resource::RLIMIT_NOFILE) {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}

/// Runs the probes on a server; one that cannot run on this machine has a finding for each all the same.
pub fn examine(chosen: &[&'static Probe], task: &Task, round: u32, rounds: u32) -> Vec<Finding> {
    if let Some(reason) = &task.lacks {
        eprintln!("skipped: {}: {reason}", task.title);
        let skipped = |probe: &&'static Probe| Finding {
            probe: probe.name,
            outcome: Outcome::NotApplicable,
            detail: reason.clone(),
            hint: "",
            seconds: 0.0,
            evidence: None,
        };
        return chosen.iter().map(skipped).collect();
    }
    // indicatif draws on stderr, and only where that is a terminal.
    let bar = ProgressBar::new(chosen.len() as u64);
    if let Ok(style) = ProgressStyle::with_template("{prefix} {wide_bar} {pos}/{len} {msg}") {
        bar.set_style(style);
    }
    bar.set_prefix(if rounds > 1 { format!("run {round} of {rounds}") } else { task.title.clone() });
    let findings = probes::run_all(chosen, &task.target, &|finding| {
        bar.set_message(finding.probe);
        bar.inc(1);
    });
    bar.finish_and_clear();
    findings
}
