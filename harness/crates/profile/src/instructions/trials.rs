//! What was tried to need fewer instructions, also what was taken out again: else somebody tries it once
//! more.

use anyhow::{Context, Result};
use serde::Deserialize;
use std::fmt::Write;
use std::fs::read_to_string;
use std::path::Path;

/// A change, counted alone.
#[derive(Clone, Debug, Deserialize)]
pub struct Trial {
    /// What was changed.
    pub change: String,
    /// What was counted before it and after it.
    pub counted: String,
    /// Instructions for each request before it.
    pub before: f64,
    /// And with it.
    pub after: f64,
    /// It is in the code; if not, it was taken out again.
    pub kept: bool,
}

/// The trials, in their order; none where there is no such file.
///
/// # Errors
/// It cannot be read, or is no list of trials.
pub fn trials(root: &Path) -> Result<Vec<Trial>> {
    let file = root.join("results/instructions-tried.json");
    if !file.is_file() {
        return Ok(Vec::new());
    }
    let text = read_to_string(&file).with_context(|| format!("{} cannot be read", file.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is no list of trials", file.display()))
}

/// The trials as a part of the page; nothing where there are none.
pub(super) fn section(trials: &[Trial]) -> String {
    let mut text = String::new();
    for (kept, title) in
        [(true, "What brought something"), (false, "What brought nothing, and is not in the code")]
    {
        let mut trials = trials.iter().filter(|trial| trial.kept == kept).peekable();
        if trials.peek().is_none() {
            continue;
        }
        let _ = write!(text, "\n**{title}**, each change counted alone:\n\n");
        text.push_str("| change | counted | before | after | |\n|---|---|---:|---:|---:|\n");
        for Trial { change, counted, before, after, .. } in trials {
            let percent = (after / before - 1.0) * 100.0;
            let _ = writeln!(text, "| {change} | {counted} | {before:.0} | {after:.0} | {percent:+.1} % |");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Protects the list of what brought nothing: it is the reason why nobody tries it once more.
    #[test]
    fn what_was_taken_out_again_is_listed_apart() {
        let trial = |change: &str, after, kept| Trial {
            change: change.to_owned(),
            counted: "one `GET /`".to_owned(),
            before: 1_000.0,
            after,
            kept,
        };
        let text = section(&[trial("in vain", 999.0, false), trial("of use", 900.0, true)]);
        let (kept, dropped) = text.split_once("brought nothing").expect("both lists");
        assert!(kept.contains("| of use | one `GET /` | 1000 | 900 | -10.0 % |"), "{text}");
        assert!(dropped.contains("| in vain | one `GET /` | 1000 | 999 | -0.1 % |"), "{text}");
        assert_eq!(section(&[]), "");
    }
}
