//! Points: what each probe is worth, and what a server has earned.

use crate::probes::{self, Expected, Outcome, Probe};
use crate::report::Row;
use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs::read_to_string;
use std::path::Path;

/// A file of points.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// To what all points are scaled, if they are.
    total: Option<f64>,
    /// Of probes, and of groups: those of a group are divided evenly among its probes that have none of their
    /// own.
    points: BTreeMap<String, f64>,
}

/// What the probes are worth.
#[derive(Debug, Clone, PartialEq)]
pub struct Points {
    of: BTreeMap<&'static str, f64>,
    total: Option<f64>,
}

/// What a probe has earned of what it could. Nothing is counted of one that could not be asked for a reason
/// that is not the server's, nor of one that is declared to fail.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Score {
    /// Points that were earned.
    pub earned: f64,
    /// Points that could be earned.
    pub possible: f64,
}

impl Points {
    /// A point for each of these probes.
    pub fn equal(chosen: &[&'static Probe]) -> Self {
        Self { of: chosen.iter().map(|probe| (probe.name, 1.0)).collect(), total: None }
    }

    /// Reads a file for these probes: TOML, or JSON if its name ends so.
    pub fn read(path: &Path, chosen: &[&'static Probe]) -> Result<Self> {
        let read = || {
            let text = read_to_string(path)?;
            Self::parse(&text, path.extension().is_some_and(|end| end == "json"), chosen)
        };
        read().with_context(|| format!("the points in {}", path.display()))
    }

    fn parse(text: &str, is_json: bool, chosen: &[&'static Probe]) -> Result<Self> {
        let file: File = match is_json {
            true => serde_json::from_str(text)?,
            // Its message is a picture of several lines.
            false => toml::from_str(text).map_err(|error| anyhow::anyhow!("{}", error.message()))?,
        };
        let unknown: Vec<&str> =
            file.points.keys().map(String::as_str).filter(|name| probes::select(name).is_err()).collect();
        if !unknown.is_empty() {
            let groups = probes::groups().collect::<Vec<_>>().join(", ");
            let names = unknown.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            bail!(
                "no probe or group {names}: the groups are {groups}, and ./lab grade --list shows the probes"
            );
        }
        let named = file.points.iter().map(|(name, points)| (name.as_str(), points));
        for (name, points) in named.chain(file.total.iter().map(|total| (TOTAL, total))) {
            ensure!(
                points.is_finite() && *points >= 0.0,
                "`{name}` must be a number of points, not {points}"
            );
        }
        let value = |probe: &Probe| {
            let own = |name: &str| file.points.get(name).copied();
            own(probe.name).or_else(|| {
                let group = own(probe.group())?;
                let shares = |other: &&&Probe| other.group() == probe.group() && own(other.name).is_none();
                Some(group / chosen.iter().filter(shares).count() as f64)
            })
        };
        let of: BTreeMap<&str, f64> =
            chosen.iter().filter_map(|probe| Some((probe.name, value(probe)?))).collect();
        ensure!(of.values().any(|points| *points > 0.0), "no probe that is run has points");
        Ok(Self { of, total: file.total })
    }

    /// Gives each row its score, and returns that of all of them.
    pub fn give(&self, rows: &mut [Row]) -> Score {
        for row in rows.iter_mut() {
            let points = self.of.get(row.probe.name).copied();
            let is_declared = row.expected != Expected::Exactly(Outcome::Pass);
            row.score = points.filter(|_| !row.is_excused && !is_declared).map(|possible| Score {
                earned: if row.outcome == Outcome::Pass { possible } else { 0.0 },
                possible,
            });
        }
        let sum =
            |of: fn(&Score) -> f64| rows.iter().filter_map(|row| row.score.as_ref()).map(of).sum::<f64>();
        let (mut earned, mut possible) = (sum(|score| score.earned), sum(|score| score.possible));
        if let Some(total) = self.total.filter(|_| possible > 0.0) {
            let scale = total / possible;
            for score in rows.iter_mut().filter_map(|row| row.score.as_mut()) {
                *score = Score { earned: score.earned * scale, possible: score.possible * scale };
            }
            (earned, possible) = (earned * scale, total);
        }
        Score { earned, possible }
    }
}

/// The key of the sum.
const TOTAL: &str = "total";

impl std::fmt::Display for Score {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} of {} points", rounded(self.earned), rounded(self.possible))
    }
}

/// By two decimals, as courses print points.
pub(crate) fn rounded(points: f64) -> f64 {
    (points * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probes::{Finding, PROBES};
    use crate::task::Expectations;

    fn all() -> Vec<&'static Probe> {
        PROBES.iter().filter(|probe| !probe.only_on_request).collect()
    }

    fn rows(expect: &Expectations, outcome: impl Fn(&Probe) -> (Outcome, bool)) -> Vec<Row> {
        let findings = all().into_iter().map(|probe| {
            let (outcome, is_excused) = outcome(probe);
            Finding { outcome, is_excused, ..Finding::skipped(probe, "", false) }
        });
        Row::all(expect, &[findings.collect()])
    }

    /// Protects students: the points of a group are shared by its probes, and a probe's own ones win.
    #[test]
    fn a_group_divides_its_points() {
        let points = Points::parse("[points]\nseveral = 10\ntwo-clients = 4\n", false, &all()).unwrap();
        let others = all().iter().filter(|probe| probe.group() == "several").count() - 1;
        assert_eq!(points.of["two-clients"], 4.0);
        assert_eq!(points.of["idle-holders"], 10.0 / others as f64);
        assert_eq!(points.of.len(), others + 1);
        let json = Points::parse(r#"{"points": {"several": 10, "two-clients": 4}}"#, true, &all()).unwrap();
        assert_eq!(json, points);
        let sum = points.give(&mut rows(&Expectations::new(), |_| (Outcome::Pass, false)));
        assert!((sum.earned - 14.0).abs() < 1e-9 && (sum.possible - 14.0).abs() < 1e-9, "{sum:?}");
    }

    /// Protects the rules of the points: a flaw that is declared and what could not be asked count on neither
    /// side, and what the server lacks costs its points.
    #[test]
    fn what_is_declared_or_excused_does_not_count() {
        let points =
            "total = 50\n[points]\ntwo-clients = 1\nidle-holders = 1\nkeep-alive = 1\nhalf-close = 1\n";
        let points = Points::parse(points, false, &all()).unwrap();
        let starved = Expected::parse("starved").unwrap();
        let expect = Expectations::from([("idle-holders", starved)]);
        let mut rows = rows(&expect, |probe| match probe.name {
            "idle-holders" => (Outcome::Starved, false),
            "keep-alive" => (Outcome::NotApplicable, true),
            "half-close" => (Outcome::NotApplicable, false),
            _ => (Outcome::Pass, false),
        });
        let sum = points.give(&mut rows);
        assert_eq!((sum.earned, sum.possible), (25.0, 50.0));
        let scored: Vec<&str> =
            rows.iter().filter(|row| row.score.is_some()).map(|row| row.probe.name).collect();
        assert_eq!(scored, ["half-close", "two-clients"]);
        assert_eq!(sum.to_string(), "25 of 50 points");
    }

    /// Protects teachers: a mistake in the file is one line that names it.
    #[test]
    fn a_mistake_in_the_file_is_one_line() {
        for (text, named) in [
            ("[points]\nkeep-alive = 1\nno-such = 1\nneither = 2\n", "`neither`, `no-such`"),
            ("[points]\nkeep-alive = -1\n", "keep-alive"),
            ("total = 10\n", "points"),
            ("[points]\nkeep-alive = 'many'\n", "many"),
            ("[weights]\n", "weights"),
            ("[points]\nkeep-alive = 0\n", "no probe that is run"),
        ] {
            let error = format!("{:#}", Points::parse(text, false, &all()).unwrap_err());
            assert!(error.contains(named) && error.lines().count() == 1, "{text}: {error}");
        }
    }
}
