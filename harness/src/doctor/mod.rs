//! `harness doctor`: what is missing on this machine, or will distort the figures, and what mends it.
//!
//! * `facts`: what the machine says about itself;
//! * `findings`: what of it matters, and why.

mod facts;
mod findings;

use anyhow::Result;
use facts::Facts;
use findings::{Finding, Level, examine};
use std::process::ExitCode;

/// The options of `harness doctor`.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Args {}

/// Looks, and says what it found. It never fails for what it finds: a distorted figure is better than none,
/// as long as one knows.
pub(crate) fn run(_args: Args) -> Result<ExitCode> {
    let findings = examine(&Facts::look());
    for finding in &findings {
        println!("{}", text(finding));
    }
    let count = |level| findings.iter().filter(|finding| finding.level == level).count();
    let (distorting, missing) = (count(Level::Distorts), count(Level::Missing));
    println!("\n{distorting} of {} points distort figures, {missing} are missing", findings.len());
    Ok(ExitCode::SUCCESS)
}

/// One line for what is well; what it distorts and what mends it below, where it is not.
fn text(finding: &Finding) -> String {
    let sign = match finding.level {
        Level::Good => "ok       ",
        Level::Note => "note     ",
        Level::Distorts => "distorts ",
        Level::Missing => "missing  ",
    };
    let mut text = format!("{sign}{}: {}", finding.subject, finding.found);
    for (name, line) in [("why", &finding.why), ("mend", &finding.mend)] {
        if let Some(line) = line {
            text.push_str(&format!("\n           {name}: {line}"));
        }
    }
    text
}
