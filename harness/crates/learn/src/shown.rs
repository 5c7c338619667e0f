//! What a learner sees.

use crate::attempt::Attempt;
use crate::exercise::{Exercise, Lab};
use crate::progress::{Progress, State};
use crate::work::Work;
use grader::evidence_block;
use grader::probes::{self, Finding, Outcome};
use std::fmt::Write;
use std::io::{IsTerminal, stdout};

/// A word in a colour of the terminal, if there is one.
fn coloured(word: &str, outcome: Outcome) -> String {
    let plain = !stdout().is_terminal() || std::env::var_os("NO_COLOR").is_some();
    match (plain, outcome) {
        (true, _) => word.to_owned(),
        (false, Outcome::Pass) => format!("\x1b[32m{word}\x1b[0m"),
        (false, Outcome::NotApplicable) => format!("\x1b[33m{word}\x1b[0m"),
        (false, _) => format!("\x1b[31m{word}\x1b[0m"),
    }
}

/// A line for each probe, and all that is known of the first one that failed.
pub(crate) fn attempt(exercise: &Exercise, attempt: &Attempt) -> String {
    let mut text = String::new();
    let width = exercise.probes.iter().map(String::len).max().unwrap_or(0);
    for finding in &attempt.findings {
        let word = format!("{:<14}", finding.outcome.to_string());
        let what = match finding.outcome {
            Outcome::Pass => "",
            Outcome::NotApplicable => &finding.detail,
            _ => probes::find(finding.probe).map_or("", |probe| probe.sentence),
        };
        let line = format!("  {} {:<width$}  {what}", coloured(&word, finding.outcome), finding.probe);
        let _ = writeln!(text, "{}", line.trim_end());
    }
    let (passed, all) = (attempt.passed(), exercise.probes.len());
    match attempt.first_failure() {
        Some(finding) => {
            let _ = writeln!(text, "{passed} of {all} probes pass. The first one that does not:\n");
            text.push_str(&failure(finding));
        }
        None => {
            let _ = writeln!(text, "{passed} of {all} probes pass.");
        }
    }
    text
}

fn failure(finding: &Finding) -> String {
    let mut text = format!("{}: {}", finding.probe, finding.outcome);
    let _ = writeln!(text, "{}{}", if finding.detail.is_empty() { "" } else { ": " }, finding.detail);
    if !finding.hint.is_empty() {
        let _ = writeln!(text, "Hint: {}", finding.hint);
    }
    if let Some(evidence) = &finding.evidence {
        text.push_str(&evidence_block(finding.probe, evidence));
    }
    text.trim_end().to_owned() + "\n"
}

/// Where the learner is, and what comes next.
pub(crate) fn overview(lab: &Lab, work: &Work, progress: &Progress) -> String {
    let mut text = String::new();
    let all = lab.exercises.len();
    let _ = writeln!(text, "{} of {all} exercises solved.\n", progress.solved(lab));
    text.push_str(&next(lab, work, progress));
    text.push('\n');
    text.push_str(&list(lab, progress));
    text
}

/// The next exercise, and what to type.
pub(crate) fn next(lab: &Lab, work: &Work, progress: &Progress) -> String {
    let Some(exercise) = progress.next(lab) else {
        return "All exercises are solved. What is left: the mutants (./lab mutants --list).\n".into();
    };
    let again = if progress.state(exercise) == State::Opened { "Go on with" } else { "Next" };
    format!(
        "{again}: {} (chapter {:02}, {}, about {} minutes)\n\n    {}\n",
        exercise.title,
        exercise.chapter,
        exercise.difficulty,
        exercise.minutes,
        work.command(&exercise.name)
    )
}

/// Every exercise in a line.
pub(crate) fn list(lab: &Lab, progress: &Progress) -> String {
    let width = lab.exercises.iter().map(|exercise| exercise.name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for exercise in &lab.exercises {
        let state = progress.state(exercise).word();
        let _ = writeln!(
            text,
            "  {state:<6}  {:<width$}  {:<6}  {:>3} min  {}",
            exercise.name,
            exercise.difficulty.to_string(),
            exercise.minutes,
            exercise.title
        );
    }
    text
}
