//! Points: what each probe is worth, and what a server has earned.

use crate::probes::{self, Expected, Outcome, PROBES, Probe};
use crate::report::Row;
use anyhow::{Context, Result, bail, ensure};
use lab_core::units::count;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs::read_to_string;
use std::path::Path;

/// A file of points.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// To what the points of all probes that are run are scaled, if they are.
    total: Option<f64>,
    /// Of probes, and of groups: those of a group are divided evenly among its probes that have none of their
    /// own.
    points: BTreeMap<String, f64>,
}

/// What the probes are worth.
#[derive(Debug, Clone, PartialEq)]
pub struct Points {
    /// Scaled already. Each probe has its points, whether it can be asked here or not.
    of: BTreeMap<&'static str, f64>,
}

/// What the rows have earned together, and where the rest went.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tally {
    /// The points of all rows that count.
    pub score: Score,
    /// What was lost, and where: a probe, or the probes that a run that was cut short did not reach.
    pub lost: Vec<(String, f64)>,
    /// What could not be earned here, and why: the groups or probes, the reason, and their points.
    pub withheld: Vec<Withheld>,
}

/// Points that count on neither side.
#[derive(Debug, Clone, PartialEq)]
pub struct Withheld {
    /// Groups, where none of their probes counts; else probes.
    pub names: Vec<&'static str>,
    /// Why they could not be earned.
    pub reason: String,
    /// How many points that is.
    pub points: f64,
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
        Self { of: chosen.iter().map(|probe| (probe.name, 1.0)).collect() }
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
            false => toml::from_str(text).map_err(|error| probes::in_one_line(text, &error))?,
        };
        // JSON may have all of it in one line, and its own errors name the place.
        let at = |name: &str| if is_json { String::new() } else { place_of_key(text, name) };
        let unknown: Vec<&str> =
            file.points.keys().map(String::as_str).filter(|name| probes::select(name).is_err()).collect();
        if !unknown.is_empty() {
            let groups = probes::groups().collect::<Vec<_>>().join(", ");
            let name = |name: &&str| format!("{}`{name}`{}", at(name), probes::nearest(name));
            let names = unknown.iter().map(name).collect::<Vec<_>>().join(", ");
            bail!(
                "no probe or group {names}: the groups are {groups}, and ./lab grade --list shows the probes"
            );
        }
        ensure!(
            file.total != Some(0.0),
            "{}`{TOTAL}` must be more than 0: it is what all points together are worth",
            at(TOTAL)
        );
        let named = file.points.iter().map(|(name, points)| (name.as_str(), points));
        for (name, points) in named.chain(file.total.iter().map(|total| (TOTAL, total))) {
            ensure!(
                points.is_finite() && *points >= 0.0,
                "{}`{name}` must be a number of points, 0 or more, not {points}",
                at(name)
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
        let sum: f64 = of.values().sum();
        ensure!(sum > 0.0, "no probe that is run has points");
        // By all points of the file, so that a group is worth the same wherever it is asked.
        let scale = file.total.map_or(1.0, |total| total / sum);
        Ok(Self { of: of.into_iter().map(|(name, points)| (name, points * scale)).collect() })
    }

    /// Gives each row its score, and returns that of all of them. A probe without a row was not run, and
    /// earns nothing.
    pub fn give(&self, rows: &mut [Row]) -> Tally {
        let mut tally = Tally::default();
        let mut withheld: Vec<(String, Vec<&'static Probe>)> = Vec::new();
        let mut unasked: BTreeMap<String, Vec<(&'static str, f64)>> = BTreeMap::new();
        for row in rows.iter_mut() {
            let Some(possible) = self.of.get(row.probe.name).copied() else { continue };
            let is_declared = row.expected != Expected::Exactly(Outcome::Pass);
            if row.is_excused || is_declared {
                let reason = match row.is_excused {
                    true => row.detail.clone(),
                    false => format!("declared: {}", row.expected),
                };
                match withheld.iter_mut().find(|(other, _)| *other == reason) {
                    Some((_, probes)) => probes.push(row.probe),
                    None => withheld.push((reason, vec![row.probe])),
                }
                continue;
            }
            let earned = if row.outcome == Outcome::Pass { possible } else { 0.0 };
            row.score = Some(Score { earned, possible });
            tally.score.earned += earned;
            tally.score.possible += possible;
            match row.outcome {
                _ if earned >= possible => {}
                Outcome::NotApplicable => {
                    unasked.entry(row.detail.clone()).or_default().push((row.probe.name, possible))
                }
                _ => tally.lost.push((row.probe.name.to_owned(), possible)),
            }
        }
        // Of a server that does not start every probe has the same reason.
        for (reason, probes) in unasked {
            let points = probes.iter().map(|(_, points)| points).sum();
            let names = match probes[..] {
                [(only, _)] => only.to_owned(),
                _ => count(probes.len(), "probe"),
            };
            tally.lost.push((format!("{names} ({reason})"), points));
        }
        let is_run = |name: &str| rows.iter().any(|row| row.probe.name == name);
        let missing: Vec<f64> =
            self.of.iter().filter(|(name, _)| !is_run(name)).map(|(_, points)| *points).collect();
        if missing.iter().any(|points| *points > 0.0) {
            let points: f64 = missing.iter().sum();
            tally.score.possible += points;
            tally.lost.push((format!("{} not run", count(missing.len(), "probe")), points));
        }
        tally.withheld =
            withheld.into_iter().map(|(reason, probes)| self.withheld(reason, &probes)).collect();
        tally.withheld.retain(|part| part.points > 0.0);
        tally
    }

    /// What these probes would be worth.
    fn withheld(&self, reason: String, probes: &[&'static Probe]) -> Withheld {
        let has = |name: &str| probes.iter().any(|probe| probe.name == name);
        let is_whole = |group: &str| {
            let is_worth = |probe: &&Probe| probe.group() == group && self.of.contains_key(probe.name);
            let of_group: Vec<&Probe> = PROBES.iter().filter(is_worth).collect();
            of_group.len() > 1 && of_group.iter().all(|probe| has(probe.name))
        };
        let mut names: Vec<&'static str> = Vec::new();
        for probe in probes {
            let name = if is_whole(probe.group()) { probe.group() } else { probe.name };
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let points = probes.iter().filter_map(|probe| self.of.get(probe.name)).sum();
        Withheld { names, reason, points }
    }
}

impl Tally {
    /// What was lost and where, in one line; nothing if all was earned.
    pub fn lost(&self) -> Option<String> {
        let parts: Vec<String> =
            self.lost.iter().map(|(name, points)| format!("{name} {}", rounded(*points))).collect();
        (!parts.is_empty()).then(|| format!("lost: {}", parts.join(", ")))
    }

    /// What could not be earned here and why, in one line; nothing if everything could.
    pub fn withheld(&self) -> Option<String> {
        let points: f64 = self.withheld.iter().map(|part| part.points).sum();
        let all = points + self.score.possible;
        let part = |part: &Withheld| format!("{} ({})", part.names.join(", "), part.reason);
        let parts: Vec<String> = self.withheld.iter().map(part).collect();
        let (points, all) = (rounded(points), rounded(all));
        (!parts.is_empty())
            .then(|| format!("{points} of {all} points cannot be earned here: {}", parts.join("; ")))
    }
}

/// The key of the sum.
const TOTAL: &str = "total";

/// The line of a key in TOML, as `line 3: `; empty if it is not written plainly.
fn place_of_key(text: &str, name: &str) -> String {
    let is_it = |line: &str| {
        line.split_once('=').is_some_and(|(key, _)| key.trim().trim_matches(['"', '\'']) == name)
    };
    (1..)
        .zip(text.lines())
        .find(|(_, line)| is_it(line))
        .map_or_else(String::new, |(at, _)| format!("line {at}: "))
}

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
            Finding { outcome, is_excused, ..Finding::skipped(probe, "not asked", false) }
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
        let score = sum.score;
        assert!((score.earned - 14.0).abs() < 1e-9 && (score.possible - 14.0).abs() < 1e-9, "{sum:?}");
        assert_eq!((sum.lost(), sum.withheld()), (None, None));
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
        assert_eq!(sum.score, Score { earned: 12.5, possible: 25.0 });
        let scored: Vec<&str> =
            rows.iter().filter(|row| row.score.is_some()).map(|row| row.probe.name).collect();
        assert_eq!(scored, ["half-close", "two-clients"]);
        assert_eq!(sum.score.to_string(), "12.5 of 25 points");
        // None of them disappears in silence.
        assert_eq!(sum.lost().as_deref(), Some("lost: half-close (not asked) 12.5"));
        let said =
            "25 of 50 points cannot be earned here: keep-alive (not asked); idle-holders (declared: starved)";
        assert_eq!(sum.withheld().as_deref(), Some(said));
    }

    /// Protects a grade that was interrupted from being taken for a whole one, and the reader from a list of
    /// every probe of a group.
    #[test]
    fn what_was_not_run_is_lost_and_a_whole_group_is_named_once() {
        let points =
            Points::parse("total = 10\n[points]\ntimeouts = 5\nkeep-alive = 3\nend = 2\n", false, &all());
        let points = points.unwrap();
        let mut rows = rows(&Expectations::new(), |probe| match probe.group() {
            "timeouts" => (Outcome::NotApplicable, true),
            _ => (Outcome::Pass, false),
        });
        rows.retain(|row| row.probe.group() != "end");
        let sum = points.give(&mut rows);
        assert_eq!(sum.score.to_string(), "3 of 5 points");
        let number = all().iter().filter(|probe| probe.group() == "end").count();
        assert_eq!(sum.lost(), Some(format!("lost: {number} probes not run 2")));
        let said = "5 of 10 points cannot be earned here: timeouts (not asked)";
        assert_eq!(sum.withheld().as_deref(), Some(said));
    }

    /// Protects teachers: a mistake in the file is one line that names it.
    #[test]
    fn a_mistake_in_the_file_is_one_line() {
        for (text, named) in [
            ("[points]\nkeep-alive = 1\nno-such = 1\nneither = 2\n", "line 4: `neither`"),
            ("[points]\npipelined = 1\n", "line 2: `pipelined` (nearest: `pipelined-"),
            ("[points]\nkeep-alive = -1\n", "line 2: `keep-alive`"),
            ("total = 10\n", "points"),
            ("total = 0\n[points]\nkeep-alive = 1\n", "line 1: `total` must be more than 0"),
            ("[points]\nkeep-alive = 'many'\n", "line 2: `keep-alive`: invalid type: string \"many\""),
            ("total = 'x'\n[points]\nkeep-alive = 1\n", "line 1: `total`: "),
            ("[weights]\n", "line 1: unknown field `weights`"),
            ("[points]\nkeep-alive = 0\n", "no probe that is run"),
        ] {
            let error = format!("{:#}", Points::parse(text, false, &all()).unwrap_err());
            assert!(error.contains(named) && error.lines().count() == 1, "{text}: {error}");
        }
    }
}
