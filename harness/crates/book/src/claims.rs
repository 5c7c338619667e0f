//! The experiments that a chapter names, and the page of all claims. Which claims there are `experiment`
//! says; what became of them is in `results`, once a run of all has been recorded.

use crate::markdown::with_marked_options;
use anyhow::{Context, Result};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs::read_to_string;
use std::io::ErrorKind;
use std::path::Path;

/// A claim that an experiment examines.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Claim {
    pub(crate) id: String,
    /// The number of a stage, or the name of a page.
    page: String,
    text: String,
}

/// What became of it.
#[derive(Debug, Deserialize)]
struct Recorded {
    id: String,
    verdict: String,
    because: String,
}

/// What `experiment --pages` prints: id, page and claim of each, with tabs between them.
pub(crate) fn listed(printed: &str) -> Result<Vec<Claim>> {
    let claim = |line: &str| {
        let mut fields = line.splitn(3, '\t').map(str::to_owned);
        let mut field = || fields.next().with_context(|| format!("`experiment --pages` printed: {line}"));
        Ok(Claim { id: field()?, page: field()?, text: field()? })
    };
    printed.lines().map(claim).collect()
}

/// The list of each page that names experiments, of each stage, and the page of all claims. The verdicts are
/// those of `claims.json` in `results`; where there is none, nothing is said of them.
pub(crate) fn parts(claims: &[Claim], results: &Path, stages: &[&str]) -> Result<BTreeMap<String, String>> {
    let recorded: Vec<Recorded> = match read(&results.join("claims.json"))? {
        Some(text) => serde_json::from_str(&text).context("results/claims.json cannot be read")?,
        None => Vec::new(),
    };
    let mut pages: Vec<&str> =
        claims.iter().map(|claim| claim.page.as_str()).chain(stages.to_vec()).collect();
    pages.sort_unstable();
    pages.dedup();
    let list = |page: &&str| {
        let its: Vec<&Claim> = claims.iter().filter(|claim| claim.page == *page).collect();
        (format!("experiments-{page}.md"), list(&its, &recorded))
    };
    let mut parts: BTreeMap<String, String> = pages.iter().map(list).collect();
    let ledger = read(&results.join("claims.md"))?;
    parts.insert("claims.md".into(), ledger.map_or_else(|| unmeasured(claims), |ledger| measured(&ledger)));
    Ok(parts)
}

/// A file's text; `None` if there is no such file.
fn read(file: &Path) -> Result<Option<String>> {
    match read_to_string(file) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        text => text.map(Some).with_context(|| format!("{} cannot be read", file.display())),
    }
}

/// The experiments of a page.
fn list(claims: &[&Claim], recorded: &[Recorded]) -> String {
    if claims.is_empty() {
        return "No claim of the sources belongs here; [the ledger](claims.md) has all of them.\n".to_owned();
    }
    let mut text = String::from(
        "These claims belong here. Each command examines one on your machine; \
         [the ledger](claims.md) has all of them.\n\n",
    );
    for claim in claims {
        let Claim { id, text: said, .. } = claim;
        let found = recorded.iter().find(|recorded| recorded.id == *id);
        let verdict = found.map(|found| {
            format!(
                " Recorded: [**{}**](claims.md#{id}): {}.",
                found.verdict,
                found.because.trim_end_matches('.')
            )
        });
        let line = format!("- `./lab experiment {id}`: {said}{}", verdict.unwrap_or_default());
        let _ = writeln!(text, "{}", with_marked_options(&line));
    }
    text
}

/// The ledger as `experiment` writes it, without its title: the page has one. Its pictures are beside it.
fn measured(ledger: &str) -> String {
    let text =
        ledger.strip_prefix("# ").and_then(|rest| rest.split_once('\n')).map_or(ledger, |(_, rest)| rest);
    with_marked_options(&text.trim_start().replace("](claims/", "](../../results/claims/"))
}

/// All claims, before a run was recorded.
fn unmeasured(claims: &[Claim]) -> String {
    let mut text = String::from(
        "No run of all experiments is recorded here yet: `./lab experiment --all` makes one, in about half an \
         hour.\n\n| experiment | claim |\n|---|---|\n",
    );
    for Claim { id, text: said, .. } in claims {
        let _ = writeln!(text, "| `{id}` | {} |", said.replace('|', "\\|"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn claims() -> Vec<Claim> {
        listed("wakeup-cost\t07\tAn eventfd is cheaper.\nunits\treading\tThey are QPS.\n")
            .expect("two claims")
    }

    /// Protects the chapters before a run of all is recorded: each names its experiments, and nothing is said
    /// of a verdict.
    #[test]
    fn an_experiment_without_a_record_is_named_with_its_command_alone() {
        let results = tempfile::tempdir().expect("a directory");
        let parts = parts(&claims(), results.path(), &["07", "08"]).expect("parts");
        let names: Vec<&str> = parts.keys().map(String::as_str).collect();
        assert_eq!(names, ["claims.md", "experiments-07.md", "experiments-08.md", "experiments-reading.md"]);
        assert!(
            parts["experiments-07.md"]
                .ends_with("- `./lab experiment wakeup-cost`: An eventfd is cheaper.\n")
        );
        assert!(parts["experiments-08.md"].starts_with("No claim"));
        assert!(parts["claims.md"].contains("| `units` | They are QPS. |"));
        assert!(listed("wakeup-cost 07").is_err());
    }

    /// Protects the verdict beside the claim, and the pictures of the ledger, which are not beside the page.
    #[test]
    fn a_recorded_verdict_stands_beside_its_experiment() {
        let results = tempfile::tempdir().expect("a directory");
        let json =
            r#"[{"id": "units", "verdict": "refuted", "because": "77 of 78 can be divided by 6", "n": 1}]"#;
        fs::write(results.path().join("claims.json"), json).expect("written");
        let ledger =
            "# Title\n\nText, with `a --b` and (--c 1), --d.\n\n### units\n\n![A chart](claims/units.svg)\n";
        fs::write(results.path().join("claims.md"), ledger).expect("written");
        let parts = parts(&claims(), results.path(), &[]).expect("parts");
        assert!(parts["experiments-reading.md"].ends_with(
            "They are QPS. Recorded: [**refuted**](claims.md#units): 77 of 78 can be divided by 6.\n"
        ));
        assert!(!parts["experiments-07.md"].contains("Recorded"));
        assert_eq!(
            parts["claims.md"],
            "Text, with `a --b` and (`--c` 1), `--d`.\n\n### units\n\n![A chart](../../results/claims/units.svg)\n"
        );
        fs::write(results.path().join("claims.json"), "[{}]").expect("written");
        assert!(super::parts(&claims(), results.path(), &[]).is_err());
    }
}
