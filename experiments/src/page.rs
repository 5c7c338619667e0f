//! The ledger as it is published: `claims.json` for programs, `claims.md` for the book. Both are written from
//! the record of each id that counts (see [`newest`]), and from nothing else.

use crate::drawing;
use crate::experiment;
use crate::format;
use crate::ledger::{self, CLAIMS, Claim, Group};
use crate::noise;
use crate::report::{Figure, Verdict};
use crate::store::{Record, Run, newest, runs};
use anyhow::{Context, Result};
use lab_core::files::write_atomically;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// The newest record of each id.
type Newest = BTreeMap<String, Record>;

/// Where the pictures are, beside the page.
const PICTURES: &str = "claims";

/// Writes both files and the pictures into a directory, from the records below it.
///
/// # Errors
/// When they cannot be written.
pub(crate) fn publish(out: &Path) -> Result<()> {
    let runs = runs(&out.join("data"));
    let newest = judged(&runs);
    draw(&newest, &runs, &out.join(PICTURES))?;
    let json = serde_json::to_vec_pretty(&objects(&newest)?).context("the ledger is plain data")?;
    write_atomically(&out.join("claims.json"), &[&json[..], b"\n"].concat())?;
    write_atomically(&out.join("claims.md"), markdown(&newest).as_bytes())
}

/// The newest record of each id, with the verdict that today's rule draws from its figures. A record that
/// lacks a figure of today's rule keeps the verdict that it has.
pub(crate) fn judged(runs: &[Run]) -> Newest {
    let mut newest = newest(runs);
    for experiment in experiment::all() {
        if let Some(record) = newest.get_mut(experiment.id)
            && let Ok(judgement) = noise::judge(experiment.judge, &record.report.figures)
        {
            record.report.judgement = judgement;
        }
    }
    newest
}

/// Draws the charts of the records.
fn draw(newest: &Newest, runs: &[Run], pictures: &Path) -> Result<()> {
    for record in newest.values() {
        let is_it = |known: &Record| known.id == record.id && known.at == record.at;
        let run = runs.iter().rfind(|run| run.records.iter().any(is_it));
        let data = run.and_then(|run| run.path.file_name()).unwrap_or_default().to_string_lossy();
        if let Some(svg) = drawing::draw(record, &data)? {
            fs::create_dir_all(pictures).with_context(|| format!("cannot write {}", pictures.display()))?;
            write_atomically(&pictures.join(format!("{}.svg", record.id)), svg.as_bytes())?;
        }
    }
    Ok(())
}

/// An object for each claim that was measured, in the order of the ledger.
fn objects(newest: &Newest) -> Result<Vec<Value>> {
    let measured = CLAIMS.iter().filter_map(|claim| newest.get(claim.id));
    let object = |record: &Record| {
        let mut object = serde_json::to_value(record)?;
        object["commit"] = json!(record.host.commit);
        Ok(object)
    };
    measured.map(object).collect()
}

/// The page.
fn markdown(newest: &Newest) -> String {
    let mut page = String::from(INTRODUCTION);
    line(&mut page, &counts(newest));
    for group in Group::ALL {
        let claims: Vec<&Claim> = CLAIMS.iter().filter(|claim| claim.group == group).collect();
        line(&mut page, &format!("\n## {}\n", group.title()));
        line(&mut page, "| claim | verdict | why |\n|---|---|---|");
        claims.iter().for_each(|claim| line(&mut page, &row(claim, newest.get(claim.id))));
        claims.iter().filter_map(|claim| newest.get(claim.id)).for_each(|record| details(&mut page, record));
    }
    page
}

const INTRODUCTION: &str = "\
# The claims, measured

Courses, blogs and books about network servers repeat sentences such as \"an eventfd is cheaper than a pipe\".
This page takes the sentences of five such texts (the sources 000 to 004) one by one, with a few of this
lab's own, and says what became of each on one machine. It is written by `./lab experiment --all`;
`./lab experiment ID` examines one claim on your machine.

* **holds**: it was seen as it is claimed;
* **refuted**: the opposite was seen, or no difference where a difference is claimed, or a difference that is
  of something else than the claim says;
* **depends**: it is true under a condition that the claim does not name;
* **inconclusive**: the figures do not decide it;
* **not measured yet**: there is no record.

Where the intervals of the figures allow another verdict, the sentence says that it *depends on noise*, and
which one another run could find.

An interval in brackets is how sure the figure beside it is, and each table says of which kind it is. A
ratio is the median of ratios of measurements of the same round, so that a machine that becomes faster or
slower changes both.
";

fn counts(newest: &Newest) -> String {
    let measured = || CLAIMS.iter().filter_map(|claim| newest.get(claim.id));
    let of = |verdict| measured().filter(|record| record.report.judgement.verdict == verdict).count();
    let [holds, refuted, depends, inconclusive] =
        [Verdict::Holds, Verdict::Refuted, Verdict::Depends, Verdict::Inconclusive].map(of);
    format!(
        "\nOf {} claims {} are measured: {holds} hold, {refuted} are refuted, {depends} depend on something, \
         {inconclusive} are inconclusive.",
        CLAIMS.len(),
        measured().count()
    )
}

fn row(claim: &Claim, record: Option<&Record>) -> String {
    let Some(record) = record else {
        return format!("| `{}`: {} | not measured yet | |", claim.id, cell(claim.text));
    };
    let judgement = &record.report.judgement;
    let (word, because) = (judgement.verdict.word(), cell(&judgement.because));
    format!("| [`{0}`](#{0}): {1} | **{word}** | {because} |", claim.id, cell(claim.text))
}

/// What stands below the tables: how it was measured, the figures, what to remember.
fn details(page: &mut String, record: &Record) {
    let judgement = &record.report.judgement;
    line(page, &format!("\n### {}\n", record.id));
    // The claim as the ledger words it today; the record keeps how it read then.
    let (claim, source) =
        ledger::find(&record.id).map_or((&*record.claim, &*record.source), |it| (it.text, it.source));
    line(page, &format!("*{claim}* (source {source})\n"));
    line(page, &format!("**How it was measured.** {}\n", record.method));
    figures(page, &record.report.figures.0);
    if let Some(chart) = &record.report.chart {
        line(page, &format!("\n![{}]({PICTURES}/{}.svg)", chart.title, record.id));
    }
    line(page, &format!("\n**Verdict: {}.** {}.\n", judgement.verdict.word(), judgement.because));
    if let Some(measured) = &judgement.what_was_measured {
        line(page, &format!("**What the source really measured.** {measured}\n"));
    }
    line(page, &format!("**Remember.** {}\n", judgement.lesson));
    line(
        page,
        &format!(
            "<small>{} run of {}, {}, {}</small>",
            record.profile.word(),
            record.at,
            record.host.summary(),
            record.host.commit_name()
        ),
    );
}

fn figures(page: &mut String, figures: &[Figure]) {
    line(page, "| figure | value | interval | measurements |\n|---|---:|---|---:|");
    for figure in figures {
        let (value, interval) = (format::with_unit(figure), format::interval(figure));
        line(page, &format!("| {} | {value} | {interval} | {} |", cell(&figure.name), figure.n));
    }
    let mut kinds: Vec<&str> = figures
        .iter()
        .filter(|figure| figure.interval.is_some())
        .map(|figure| figure.interval_is.as_str())
        .collect();
    kinds.sort_unstable();
    kinds.dedup();
    if !kinds.is_empty() {
        line(page, &format!("\nInterval: {}.", kinds.join("; ")));
    }
}

/// A text within a table: a bar would begin the next column.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn line(page: &mut String, text: &str) {
    // Writing into memory does not fail.
    let _ = writeln!(page, "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tests::record;

    fn newest() -> Newest {
        BTreeMap::from([("units".to_owned(), record("units", "2026-01-02T03:04:05Z"))])
    }

    /// Protects the page against a claim that disappears because nobody has measured it.
    #[test]
    fn every_claim_has_a_row_measured_or_not() {
        let page = markdown(&newest());
        for claim in &CLAIMS {
            assert!(page.contains(&format!("`{}`", claim.id)), "{}", claim.id);
        }
        assert_eq!(page.matches("| not measured yet |").count(), CLAIMS.len() - 1);
        assert_eq!(page.matches("\n### ").count(), 1, "details of what was measured alone");
        assert!(page.contains("Of 41 claims 1 are measured: 0 hold, 1 are refuted"), "{page}");
    }

    #[test]
    fn the_file_for_programs_has_what_they_look_for() {
        let objects = objects(&newest()).expect("plain data");
        assert_eq!(objects.len(), 1);
        for key in ["id", "claim", "source", "verdict", "figures", "host", "commit", "lesson", "profile"] {
            assert!(objects[0].get(key).is_some(), "{key}");
        }
        assert_eq!((&objects[0]["verdict"], &objects[0]["commit"]), (&json!("refuted"), &json!("abc")));
    }

    #[test]
    fn a_bar_stays_within_its_cell() {
        assert_eq!(cell("a|b"), "a\\|b");
    }
}
