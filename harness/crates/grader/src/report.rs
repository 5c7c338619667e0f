//! A grade as data, and the formats in which other tools read it.

use crate::points::{Points, Score, rounded};
use crate::probes::{self, Expected, Finding, Outcome, Probe};
use crate::task::{Expectations, Task, expected_of};
use lab_core::units::xml_characters;
use quick_xml::escape::escape;
use serde_json::{Value, json};
use std::fmt::Write;

/// In what a grade is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// A table for people.
    Table,
    /// The record, one JSON object a line for each run.
    Json,
    /// JUnit's XML, as Jenkins and GitLab read it: a test suite for each server.
    Junit,
    /// Gradescope's results.json.
    Gradescope,
    /// The Test Anything Protocol, version 14; a declared flaw is a TODO.
    Tap,
    /// What a runner of GitHub Classroom's autograding hands to its reporter, before base64.
    Classroom,
}

/// One probe, all of its runs together.
#[derive(Debug, Clone)]
pub struct Row {
    /// The probe.
    pub probe: &'static Probe,
    /// How it ended in the first run that surprises, or in the last one.
    pub outcome: Outcome,
    /// What is declared.
    pub expected: Expected,
    /// Whether any run surprises.
    pub is_surprise: bool,
    /// What was seen.
    pub detail: String,
    /// Where to look; empty after a pass.
    pub hint: &'static str,
    /// How long it took.
    pub seconds: f64,
    /// It could not be run, for a reason that is not the server's.
    pub is_excused: bool,
    /// Its points, if it has any.
    pub score: Option<Score>,
}

impl Row {
    /// The rows of several runs of the same probes.
    pub fn all(expect: &Expectations, runs: &[Vec<Finding>]) -> Vec<Self> {
        let number = runs.iter().map(Vec::len).min().unwrap_or(0);
        let rows = (0..number).filter_map(|index| {
            let is_surprise =
                |finding: &&Finding| !expected_of(expect, finding.probe).allows(finding.outcome);
            let mut findings = runs.iter().map(|run| &run[index]);
            let surprising = findings.clone().find(is_surprise);
            let shown = surprising.or(findings.next_back())?;
            Some(Self {
                probe: probes::find(shown.probe).ok()?,
                outcome: shown.outcome,
                expected: expected_of(expect, shown.probe),
                is_surprise: surprising.is_some(),
                detail: shown.detail.clone(),
                hint: shown.hint,
                seconds: shown.seconds,
                is_excused: shown.is_excused,
                score: None,
            })
        });
        rows.collect()
    }

    /// Whether it is a success for a tool that knows nothing of declared flaws.
    fn is_good(&self) -> bool {
        !self.is_surprise
    }

    fn is_skipped(&self) -> bool {
        self.outcome == Outcome::NotApplicable
    }

    /// What was seen and where to look, in a few lines.
    fn text(&self) -> String {
        let mut text = format!("{}\n{}", self.probe.sentence, self.outcome);
        if !self.detail.is_empty() {
            let _ = write!(text, ": {}", self.detail);
        }
        if self.is_surprise && !self.hint.is_empty() {
            let _ = write!(text, "\nHint: {}", self.hint);
        }
        text
    }
}

/// The grade of one server.
#[derive(Debug, Clone)]
pub struct Report {
    /// What was graded.
    pub title: String,
    /// Every probe that was run.
    pub rows: Vec<Row>,
    /// The points of all of them.
    pub score: Score,
    /// Why nothing could be asked.
    pub failure: Option<String>,
}

impl Report {
    /// The report of several runs of the same probes.
    pub fn of(task: &Task, runs: &[Vec<Finding>], points: &Points, failure: Option<String>) -> Self {
        let mut rows = Row::all(&task.expect, runs);
        let score = points.give(&mut rows);
        Self { title: task.title.clone(), rows, score, failure }
    }

    fn count(&self, is: impl Fn(&Row) -> bool) -> usize {
        self.rows.iter().filter(|row| is(row)).count()
    }

    fn seconds(&self) -> f64 {
        self.rows.iter().map(|row| row.seconds).sum()
    }
}

/// The reports in a format of another tool; nothing for those that are printed as they come.
pub fn write(format: Format, reports: &[Report]) -> Option<String> {
    match format {
        Format::Table | Format::Json => None,
        Format::Junit => Some(junit(reports)),
        Format::Gradescope => Some(format!("{:#}\n", gradescope(reports))),
        Format::Tap => Some(tap(reports)),
        Format::Classroom => Some(format!("{:#}\n", classroom(reports))),
    }
}

/// A name that is unique in the document.
fn name(reports: &[Report], report: &Report, row: &Row) -> String {
    match reports {
        [_] => row.probe.name.to_owned(),
        _ => format!("{}: {}", report.title, row.probe.name),
    }
}

fn xml(text: &str) -> String {
    escape(xml_characters(text)).into_owned()
}

/// `testsuites`, `testsuite` and `testcase`, as in the schema of Jenkins' plugin (junit-10.xsd).
fn junit(reports: &[Report]) -> String {
    let mut text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n".to_owned();
    for report in reports {
        let (failures, skipped) = (report.count(|row| row.is_surprise), report.count(Row::is_skipped));
        let _ = writeln!(
            text,
            "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{failures}\" errors=\"0\" skipped=\"{skipped}\" \
             time=\"{:.3}\">",
            xml(&report.title),
            report.rows.len(),
            report.seconds()
        );
        for row in &report.rows {
            let _ = write!(
                text,
                "    <testcase classname=\"{}\" name=\"{}\" time=\"{:.3}\"",
                xml(row.probe.group()),
                xml(row.probe.name),
                row.seconds
            );
            let _ = match (row.is_surprise, row.is_skipped()) {
                (true, _) => writeln!(
                    text,
                    ">\n      <failure type=\"{}\" message=\"{}\">{}</failure>\n    </testcase>",
                    xml(&row.outcome.to_string()),
                    xml(&row.detail),
                    xml(&row.text())
                ),
                (false, true) => {
                    writeln!(text, ">\n      <skipped message=\"{}\"/>\n    </testcase>", xml(&row.detail))
                }
                (false, false) => writeln!(text, "/>"),
            };
        }
        text.push_str("  </testsuite>\n");
    }
    text + "</testsuites>\n"
}

/// A probe that has no points is left out: it would be shown as one that has failed.
fn gradescope(reports: &[Report]) -> Value {
    let mut tests = Vec::new();
    for report in reports {
        for row in &report.rows {
            let Some(score) = row.score else { continue };
            tests.push(json!({
                "name": name(reports, report, row),
                "score": rounded(score.earned),
                "max_score": rounded(score.possible),
                "status": if row.outcome == Outcome::Pass { "passed" } else { "failed" },
                "output": row.text(),
                "tags": [row.probe.group()],
                "visibility": "visible",
            }));
        }
    }
    let earned: f64 = reports.iter().map(|report| report.score.earned).sum();
    let seconds: f64 = reports.iter().map(Report::seconds).sum();
    json!({
        "score": rounded(earned),
        "execution_time": seconds.ceil() as u64,
        "output": summary(reports),
        "tests": tests,
    })
}

/// What stands above all tests.
fn summary(reports: &[Report]) -> String {
    let lines = reports.iter().map(|report| {
        let not_asked = report.count(Row::is_skipped);
        let mut line = format!("{}: {}", report.title, report.score);
        if not_asked > 0 {
            let _ = write!(line, "; {not_asked} not applicable");
        }
        if let Some(failure) = &report.failure {
            let _ = write!(line, "; {failure}");
        }
        line
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The object that the reporter of GitHub Classroom reads of each runner: the points of a test are added up,
/// and every test that is no `pass` fails the run.
fn classroom(reports: &[Report]) -> Value {
    let mut tests = Vec::new();
    for report in reports {
        for row in &report.rows {
            let Some(score) = row.score else { continue };
            let is_pass = row.outcome == Outcome::Pass;
            tests.push(json!({
                "name": name(reports, report, row),
                "status": if is_pass { "pass" } else { "fail" },
                "score": rounded(score.earned),
                "message": if is_pass { String::new() } else { row.text() },
                "test_code": format!("./lab grade --only {}", row.probe.name),
                "filename": "",
                "line_no": 0,
                "execution_time": format!("{:.0}ms", row.seconds * 1e3),
            }));
        }
    }
    let all_pass = tests.iter().all(|test| test["status"] == "pass");
    let possible: f64 = reports.iter().map(|report| report.score.possible).sum();
    let status = match (reports.iter().any(|report| report.failure.is_some()), all_pass) {
        (true, _) => "error",
        (false, true) => "pass",
        (false, false) => "fail",
    };
    json!({ "version": 1, "status": status, "max_score": rounded(possible), "tests": tests })
}

/// In a description `\` and `#` are escaped; what is behind ` # ` is a directive.
fn tap(reports: &[Report]) -> String {
    let plain = |text: &str| text.replace('\\', "\\\\").replace('#', "\\#").replace(['\n', '\r'], " ");
    let number: usize = reports.iter().map(|report| report.rows.len()).sum();
    let mut text = format!("TAP version 14\n1..{number}\n");
    let rows = reports.iter().flat_map(|report| report.rows.iter().map(move |row| (report, row)));
    for (at, (report, row)) in rows.enumerate() {
        let is_declared = row.expected != Expected::Exactly(Outcome::Pass);
        let directive = match (row.is_skipped(), is_declared) {
            (true, _) => format!(" # SKIP {}", plain(&row.detail)),
            // It may pass or fail: what is not as declared is a failure of the run, and said so by the status.
            (false, true) if row.is_good() => format!(" # TODO declared: {}", row.expected),
            _ => String::new(),
        };
        let is_ok = row.is_skipped() || row.is_good() && row.outcome == Outcome::Pass;
        let word = if is_ok { "ok" } else { "not ok" };
        let _ = writeln!(text, "{word} {} - {}{directive}", at + 1, plain(&name(reports, report, row)));
        if !is_ok {
            // A string of JSON is one of YAML.
            let _ = writeln!(text, "  ---");
            for (key, value) in [
                ("message", row.detail.clone()),
                ("outcome", row.outcome.to_string()),
                ("expected", row.expected.to_string()),
                ("hint", row.hint.to_owned()),
            ] {
                let _ = writeln!(text, "  {key}: {}", Value::from(value));
            }
            let _ = writeln!(text, "  ...");
        }
    }
    text
}
