//! A grade as data, and the formats in which other tools read it.

use crate::points::{Points, Score, Tally, rounded};
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
    /// The points of all of them, what was lost, and what could not be earned.
    pub tally: Tally,
    /// Why nothing could be asked.
    pub failure: Option<String>,
}

impl Report {
    /// The report of several runs of the same probes.
    pub fn of(task: &Task, runs: &[Vec<Finding>], points: &Points, failure: Option<String>) -> Self {
        let mut rows = Row::all(&task.expect, runs);
        let tally = points.give(&mut rows);
        Self { title: task.title.clone(), rows, tally, failure }
    }

    /// The points, what was lost and where, and what could not be earned here and why: a line each.
    pub fn points(&self) -> String {
        let lines = [Some(self.tally.score.to_string()), self.tally.lost(), self.tally.withheld()];
        lines.into_iter().flatten().collect::<Vec<_>>().join("\n")
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
    let earned: f64 = reports.iter().map(|report| report.tally.score.earned).sum();
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
        let mut line = format!("{}: {}", report.title, report.tally.score);
        if not_asked > 0 {
            let _ = write!(line, "; {not_asked} not applicable");
        }
        if let Some(withheld) = report.tally.withheld() {
            let _ = write!(line, "; {withheld}");
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
    let possible: f64 = reports.iter().map(|report| report.tally.score.possible).sum();
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
            // It may pass or fail: what is not as declared is a failure of the run, and said so by the
            // status.
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Two servers: one with a pass, a failure, a declared flaw and two that were not asked, and one that did
    /// not start. The texts have what each format must escape.
    fn reports() -> Vec<Report> {
        let starved = Expected::parse("starved").unwrap();
        let expect = Expectations::from([("idle-holders", starved)]);
        let finding = |name: &str, outcome, is_excused| Finding {
            outcome,
            is_excused,
            seconds: 0.25,
            hint: "Look # here.",
            ..Finding::skipped(probes::find(name).unwrap(), "a \"<b>\" & \\ # \u{1b}[1m\nsecond line", false)
        };
        let runs = [vec![
            finding("keep-alive", Outcome::Pass, false),
            finding("half-close", Outcome::Wrong, false),
            finding("idle-holders", Outcome::Starved, false),
            finding("body-413", Outcome::NotApplicable, true),
            finding("in-order", Outcome::NotApplicable, false),
        ]];
        let report = |title: &str, runs: &[Vec<Finding>], failure: Option<&str>| {
            let mut rows = Row::all(&expect, runs);
            let points = Points::equal(&rows.iter().map(|row| row.probe).collect::<Vec<_>>());
            let tally = points.give(&mut rows);
            Report { title: title.into(), rows, tally, failure: failure.map(str::to_owned) }
        };
        let none = [vec![finding("keep-alive", Outcome::NotApplicable, false)]];
        vec![report("./a & <b>", &runs, None), report("other", &none, Some("it does not start"))]
    }

    /// Protects Jenkins and GitLab, by the schema of Jenkins' plugin (junit-10.xsd): which elements and
    /// attributes there are, and that the counts are those of the elements.
    #[test]
    fn junit_has_its_structure() {
        let text = write(Format::Junit, &reports()).unwrap();
        let document = roxmltree::Document::parse(&text).unwrap();
        assert_eq!(document.root_element().tag_name().name(), "testsuites");
        let allowed: &[(&str, &[&str], &[&str])] = &[
            ("testsuites", &["testsuite"], &["name", "time", "tests", "failures", "errors"]),
            ("testsuite", &["testcase"], &["name", "tests", "failures", "errors", "skipped", "time"]),
            ("testcase", &["failure", "skipped"], &["name", "classname", "time"]),
            ("failure", &[], &["type", "message"]),
            ("skipped", &[], &["message"]),
        ];
        for element in document.descendants().filter(roxmltree::Node::is_element) {
            let name = element.tag_name().name();
            let (_, children, attributes) = allowed.iter().find(|row| row.0 == name).expect(name);
            assert!(
                element.attributes().all(|attribute| attributes.contains(&attribute.name())),
                "{element:?}"
            );
            for child in element.children().filter(roxmltree::Node::is_element) {
                assert!(children.contains(&child.tag_name().name()), "{child:?}");
            }
        }
        let suite = document.descendants().find(|node| node.has_tag_name("testsuite")).unwrap();
        let count =
            |name: &str| suite.descendants().filter(|node| node.has_tag_name(name)).count().to_string();
        assert_eq!(suite.attribute("name"), Some("./a & <b>"));
        assert_eq!(suite.attribute("tests"), Some(&*count("testcase")));
        assert_eq!(suite.attribute("failures"), Some(&*count("failure")));
        assert_eq!(suite.attribute("skipped"), Some(&*count("skipped")));
        assert_eq!((&*count("testcase"), &*count("failure"), &*count("skipped")), ("5", "1", "2"));
    }

    /// Protects Gradescope, by its specification of results.json: the keys, their types, and the allowed
    /// words.
    #[test]
    fn gradescope_has_its_structure() {
        let value: Value = serde_json::from_str(&write(Format::Gradescope, &reports()).unwrap()).unwrap();
        let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
        let set = |keys: &[&str]| keys.iter().map(ToString::to_string).collect::<BTreeSet<_>>();
        assert_eq!(keys(&value), set(&["score", "execution_time", "output", "tests"]));
        assert!(value["output"].as_str().unwrap().contains("it does not start"));
        let tests = value["tests"].as_array().unwrap();
        let mut sum = 0.0;
        for test in tests {
            assert_eq!(
                keys(test),
                set(&["name", "score", "max_score", "status", "output", "tags", "visibility"])
            );
            sum += test["score"].as_f64().unwrap();
            assert!(test["score"].as_f64() <= test["max_score"].as_f64());
            assert!(["passed", "failed"].contains(&test["status"].as_str().unwrap()));
            assert_eq!(test["visibility"], "visible");
            assert!(test["tags"][0].is_string() && test["output"].is_string());
        }
        let names: BTreeSet<&str> = tests.iter().map(|test| test["name"].as_str().unwrap()).collect();
        // Neither the declared flaw nor what could not be asked; the server that did not start earns nothing.
        assert_eq!((tests.len(), names.len()), (4, 4));
        assert_eq!((value["score"].as_f64(), sum), (Some(1.0), 1.0));
    }

    /// Protects GitHub Classroom, by what its reporter reads: it adds up `score`, takes `max_score` and
    /// `status` of the whole, and prints `name` and `message` of each test.
    #[test]
    fn classroom_has_its_structure() {
        let value: Value = serde_json::from_str(&write(Format::Classroom, &reports()).unwrap()).unwrap();
        assert_eq!((&value["version"], &value["status"]), (&1.into(), &"error".into()));
        assert_eq!(value["max_score"].as_f64(), Some(4.0));
        for test in value["tests"].as_array().unwrap() {
            let status = test["status"].as_str().unwrap();
            assert!(["pass", "fail", "error"].contains(&status));
            assert!(test["score"].is_number() && test["name"].is_string() && test["line_no"].is_number());
            assert_eq!(test["message"].as_str().unwrap().is_empty(), status == "pass");
        }
        let status = |reports: &[Report]| classroom(reports)["status"].clone();
        assert_eq!(status(&reports()[..1]), "fail");
        let mut good = reports();
        good.truncate(1);
        good[0].rows.truncate(1);
        assert_eq!(status(&good), "pass");
    }

    /// Protects readers of TAP, by its specification: the version, the plan, test points numbered from 1, the
    /// escapes, and blocks of YAML that are indented by two.
    #[test]
    fn tap_has_its_structure() {
        let text = write(Format::Tap, &reports()).unwrap();
        let mut lines = text.lines();
        assert_eq!((lines.next(), lines.next()), (Some("TAP version 14"), Some("1..6")));
        let mut points = Vec::new();
        let mut is_in_yaml = false;
        for line in lines {
            match line {
                "  ---" => is_in_yaml = true,
                "  ..." => is_in_yaml = false,
                line if is_in_yaml => assert!(line.starts_with("  ") && line.contains(": \""), "{line}"),
                line => points.push(line),
            }
        }
        assert!(!is_in_yaml);
        assert_eq!(points[0], "ok 1 - ./a & <b>: keep-alive");
        assert_eq!(points[1], "not ok 2 - ./a & <b>: half-close");
        assert_eq!(points[2], "not ok 3 - ./a & <b>: idle-holders # TODO declared: starved");
        assert!(
            points[3].starts_with("ok 4 - ./a & <b>: body-413 # SKIP a \"<b>\" & \\\\ \\# "),
            "{}",
            points[3]
        );
        assert_eq!(points.len(), 6);
    }
}
