//! What became of the claims of the literature: the ledger that `./lab experiment --all` writes beside the
//! figures. The harness knows no experiment, so it takes the ledger as it is.

use lab_core::units::count;
use serde::{Deserialize, Serialize};
use std::fs::read_to_string;
use std::path::Path;

/// The claims that were examined.
#[derive(Debug, Serialize)]
pub(crate) struct Claims {
    /// How many there are, and what became of them.
    pub(crate) text: String,
    pub(crate) head: [&'static str; 4],
    /// A row for each.
    pub(crate) rows: Vec<[String; 4]>,
    /// The page that has their figures.
    pub(crate) page: &'static str,
}

/// An object of the ledger, as far as the pages show it.
#[derive(Deserialize)]
struct Object {
    id: String,
    claim: String,
    verdict: String,
    because: String,
}

const PAGE: &str = "claims.md";

/// The ledger in this directory; `None` where there is none, or it is not of this kind.
pub(super) fn read(out: &Path) -> Option<Claims> {
    let text = read_to_string(out.join("claims.json")).ok()?;
    let objects: Vec<Object> = serde_json::from_str(&text).ok()?;
    let of = |verdict: &str| objects.iter().filter(|object| object.verdict == verdict).count();
    let verdicts =
        ["holds", "refuted", "depends", "inconclusive"].map(|verdict| format!("{verdict} {}", of(verdict)));
    (!objects.is_empty()).then(|| Claims {
        text: format!(
            "{} of the literature and of this lab were examined, each by an experiment: {}.",
            count(objects.len(), "claim"),
            verdicts.join(", ")
        ),
        head: ["experiment", "claim", "verdict", "why"],
        rows: objects
            .into_iter()
            .map(|Object { id, claim, verdict, because }| [id, claim, verdict, because])
            .collect(),
        page: PAGE,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// Protects the pages before there is a ledger, and beside one that is broken.
    #[test]
    fn the_ledger_is_shown_where_there_is_one() {
        let out = tempfile::tempdir().expect("a directory");
        assert!(read(out.path()).is_none());
        let objects = r#"[{"id": "units", "claim": "They are QPS.", "verdict": "refuted",
                           "because": "77 of 78", "figures": []}]"#;
        fs::write(out.path().join(PAGE.replace(".md", ".json")), objects).expect("written");
        let claims = read(out.path()).expect("a ledger");
        assert!(
            claims.text.starts_with("1 claim of") && claims.text.contains("refuted 1, depends 0"),
            "{}",
            claims.text
        );
        assert_eq!(claims.rows, [["units", "They are QPS.", "refuted", "77 of 78"]]);
        fs::write(out.path().join("claims.json"), "[{}]").expect("written");
        assert!(read(out.path()).is_none());
    }
}
