//! One run of the probes, with a progress bar.

use crate::probes::{self, Failure, Finding, FirstLook, Limits, Probe, Run, Target, current, first_look};
use crate::task::{Task, expected_of};
use indicatif::{ProgressBar, ProgressStyle};
use lab_core::units::count;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::collections::BTreeMap;

/// A thousand clients need a thousand descriptors. Where the hard limit is too low the probe says so.
pub fn raise_descriptor_limit() {
    if let Ok((_, hard)) = getrlimit(Resource::RLIMIT_NOFILE) {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}

/// How the probes are run.
pub struct Plan<'a> {
    /// Which of them.
    pub chosen: &'a [&'static Probe],
    /// How long they may take.
    pub limits: Limits,
    /// After the first surprise no further probe is run.
    pub until_first_failure: bool,
    /// How many times everything is run.
    pub rounds: u32,
    /// Whether the run has been interrupted.
    pub is_interrupted: &'a dyn Fn() -> bool,
}

impl Plan<'_> {
    /// What is going to be done and how long it may take, in one line.
    pub fn words(&self, servers: usize) -> String {
        let probes = count(self.chosen.len(), "probe");
        // One that has begun is still waited for.
        let most = self.limits.all + self.limits.probe;
        let each = if servers > 1 || self.rounds > 1 { " for each run" } else { "" };
        format!(
            "{probes}, at most {} s{each}, at most {} s a probe",
            most.as_secs(),
            self.limits.probe.as_secs()
        )
    }

    /// How many of the probes will be asked of a server with a profile, and why the others are not; nothing
    /// if no profile was chosen.
    pub fn profile_words(&self, target: &Target) -> Option<String> {
        let profile = current();
        if profile.is_lab() {
            return None;
        }
        let (outside, inside): (Vec<&Probe>, Vec<&Probe>) =
            self.chosen.iter().copied().partition(|probe| profile.leaves_out(probe).is_some());
        let mut hindered: BTreeMap<&str, usize> = BTreeMap::new();
        for reason in inside.iter().filter_map(|probe| target.hindrance(&probe.setup)) {
            *hindered.entry(reason).or_default() += 1;
        }
        let asked = inside.len() - hindered.values().sum::<usize>();
        Some(in_words(profile.name(), asked, outside.len(), &hindered))
    }
}

fn in_words(name: &str, asked: usize, outside: usize, hindered: &BTreeMap<&str, usize>) -> String {
    let is = |number: usize| if number == 1 { "is" } else { "are" };
    let apply = if asked == 1 { "applies" } else { "apply" };
    let mut words = format!("{name}: {asked} of them {apply}, {outside} {} outside the profile", is(outside));
    for (reason, number) in hindered {
        words.push_str(&format!(", {number} {} not applicable ({reason})", is(*number)));
    }
    words
}

/// Looks whether there is something to grade, and says what would otherwise fail in many probes.
pub fn look(task: &Task) -> Result<FirstLook, Failure> {
    let look = first_look(&task.target)?;
    probes::note_whether_it_closes(look.closes && task.stage.is_none());
    // A stage has its routes; where one of them is broken, the probes say how.
    if task.stage.is_none() && !look.missing.is_empty() {
        match current().is_lab() {
            true => eprintln!("This server lacks routes that the probes ask for:"),
            false => eprintln!("This server lacks routes of its profile:"),
        }
        look.missing.iter().for_each(|(route, came)| eprintln!("  {}: {came}", route.words()));
        eprintln!("A probe that needs one of them is not applicable.");
    }
    if look.is_slow() {
        let seconds = look.answered_after.as_secs_f64();
        eprintln!("The first reply took {seconds:.1} s: bounds of many probes are 5 s, and some are less.");
    }
    Ok(look)
}

/// The findings for a server of which nothing can be asked.
pub fn none(plan: &Plan<'_>, reason: &str, is_excused: bool) -> Vec<Finding> {
    plan.chosen.iter().map(|probe| Finding::skipped(probe, reason, is_excused)).collect()
}

/// Runs the probes on a server.
pub fn examine(plan: &Plan<'_>, task: &Task, look: &FirstLook, round: u32) -> Vec<Finding> {
    // indicatif draws on stderr, and only where that is a terminal.
    let bar = ProgressBar::new(plan.chosen.len() as u64);
    if let Ok(style) = ProgressStyle::with_template("{prefix} {wide_bar} {pos}/{len} {msg}") {
        bar.set_style(style);
    }
    bar.set_prefix(match plan.rounds {
        1 => task.title.clone(),
        rounds => format!("run {round} of {rounds}"),
    });
    let lacks = |probe: &Probe| {
        let is_missing = |route| look.missing.iter().any(|(missing, _)| *missing == route);
        if task.stage.is_some() {
            return None;
        }
        let route = probe.routes.iter().copied().find(|route| is_missing(*route));
        let lacks = route.map(|route| format!("the server lacks {}", route.words()));
        let closes = look.closes && probe.needs_open_connection;
        lacks.or_else(|| closes.then(|| "the server closes after each reply: see keep-alive".to_owned()))
    };
    let is_surprise = |finding: &Finding| !expected_of(&task.expect, finding.probe).allows(finding.outcome);
    let run = Run {
        limits: plan.limits,
        lacks: &lacks,
        is_last: plan.until_first_failure.then_some(&is_surprise),
        is_interrupted: plan.is_interrupted,
        done: &|finding| {
            bar.set_message(finding.probe);
            bar.inc(1);
        },
    };
    let findings = probes::run_all(plan.chosen, &task.target, &run);
    bar.finish_and_clear();
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Protects teachers, who read in the first line how much of the grade there will be.
    #[test]
    fn what_is_not_asked_is_counted_with_its_reason() {
        let hindered = BTreeMap::from([("no $OPTIONS", 30)]);
        let said = "mine: 64 of them apply, 0 are outside the profile, 30 are not applicable (no $OPTIONS)";
        assert_eq!(in_words("mine", 64, 0, &hindered), said);
        let said = "mine: 1 of them applies, 1 is outside the profile";
        assert_eq!(in_words("mine", 1, 1, &BTreeMap::new()), said);
    }
}
