//! Going on with a run that was interrupted: the same command on the same commit finds its file and its order.

use super::skips::is_as_it_must_be;
use super::{Plan, Point};
use crate::host::Host;
use crate::records::{Content, Phase, Record, newest_first, read};
use anyhow::{Context, Result};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Options that do not change what is measured.
const ELSEWHERE: [&str; 2] = ["--out", "--seed"];

/// The command line as it is recorded: without the program, and without what only says where the results go.
pub(crate) fn command() -> String {
    let mut words = Vec::new();
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        if ELSEWHERE.contains(&arg.as_str()) {
            args.next();
        } else if arg != "--fresh" && !ELSEWHERE.iter().any(|option| arg.starts_with(&format!("{option}="))) {
            words.push(arg);
        }
    }
    words.join(" ")
}

/// A run that may be unfinished.
pub(crate) struct Run {
    pub(crate) seed: u64,
    pub(crate) path: PathBuf,
    pub(crate) records: Vec<Record>,
}

/// What there is of an earlier run of the same command.
pub(crate) enum Earlier {
    /// Nothing that could be gone on with.
    Nothing,
    /// It may be unfinished, and this run can go on with it.
    Same(Run),
    /// It is unfinished and this run begins anew all the same, for this reason.
    Other(String),
}

/// Looks at the runs of this kind, the newest first, for one that this one can go on with. Uncommitted changes have no name,
/// so a run with them never goes on. A damaged file that may be of such a run is an error: to begin anew would hide it.
pub(crate) fn earlier(
    directory: &Path,
    content: Content,
    command: &str,
    seed: Option<u64>,
    host: &Host,
) -> Result<Earlier> {
    let mut found = Earlier::Nothing;
    // A directory that cannot be read has nothing to go on with, and writing there will tell.
    for path in newest_first(directory, content).unwrap_or_default() {
        let records = match read(&path) {
            Ok(records) => records,
            Err(_) if is_of_another(&path, command) => continue,
            Err(damage) => return Err(damage).context(DAMAGED),
        };
        let Some(first) = records.first() else { continue };
        match judge(Run { seed: first.seed, path, records }, command, seed, host) {
            Earlier::Nothing => {}
            Earlier::Same(run) => return Ok(Earlier::Same(run)),
            // The newest one is what the user expects to go on.
            Earlier::Other(reason) if matches!(found, Earlier::Nothing) => found = Earlier::Other(reason),
            Earlier::Other(_) => {}
        }
    }
    Ok(found)
}

const DAMAGED: &str = "a damaged file may be of a run that this command could go on with: mend or move it, or begin anew \
                       with --fresh (nothing recorded is lost)";

/// Whether the lines that are whole say so.
fn is_of_another(path: &Path, command: &str) -> bool {
    let bytes = fs::read(path).unwrap_or_default();
    let lines = bytes.split(|&byte| byte == b'\n');
    let mut values = lines.filter_map(|line| serde_json::from_slice::<Value>(line).ok());
    values.find_map(|line| Some(line.get("command")?.as_str()? != command)).unwrap_or(false)
}

fn judge(run: Run, command: &str, seed: Option<u64>, host: &Host) -> Earlier {
    let Some(first) = run.records.first() else { return Earlier::Nothing };
    if first.command != command {
        return Earlier::Nothing;
    }
    let reason = if host.dirty || first.host.dirty {
        "uncommitted changes have no name, so nothing says that both are of one program"
    } else if host.commit.is_empty() || first.host.commit.is_empty() {
        "the commit is not known, so nothing says that both are of one program"
    } else if first.host.commit != host.commit {
        "it is of another commit"
    } else if !first.host.is_same_machine(host) {
        "it is of another machine, or of another kernel"
    } else if seed.is_some_and(|seed| seed != run.seed) {
        "it has another seed"
    } else {
        return Earlier::Same(run);
    };
    let measured = run.records.iter().filter(|record| !record.dropped && record.skipped.is_none()).count();
    if measured >= first.points_planned {
        return Earlier::Nothing;
    }
    Earlier::Other(format!("{} is unfinished, but {reason}: beginning anew", run.path.display()))
}

/// What tells one point of a run from the others.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    phase: Phase,
    stage: String,
    tool: String,
    concurrency: usize,
    keep_alive: bool,
    /// Per cent of the peak; 0 where there is none.
    share: u32,
    round: u32,
}

/// Where an open loop was at a share of the server's own peak.
fn share_of_peak(record: &Record) -> Option<f64> {
    record.open_loop?.share_of_peak
}

impl Key {
    fn of(record: &Record) -> Self {
        Self {
            phase: record.phase,
            stage: record.stage.clone(),
            tool: record.tool.clone(),
            concurrency: record.concurrency,
            keep_alive: record.keep_alive,
            share: share_of_peak(record).map_or(0, |share| (share * 100.0).round() as u32),
            round: record.round,
        }
    }
}

/// What a run has measured already.
#[derive(Default)]
pub(super) struct Done {
    path: PathBuf,
    /// Measured, or recorded with a reason that will hold for ever. What failed is tried again.
    points: BTreeSet<Key>,
    /// Points that nobody could measure were recorded when the run began.
    skipped: BTreeSet<Key>,
    /// What the latency phase has found to be a server's peak, by server and round.
    peaks: BTreeMap<(String, u32), f64>,
}

impl Done {
    /// What the run has.
    pub(super) fn of(run: &Run) -> Self {
        let kept = || run.records.iter().filter(|record| !record.dropped);
        let has_failed =
            |record: &&Record| record.skipped.as_ref().is_some_and(|reason| !is_as_it_must_be(reason));
        let peak = |record: &Record| {
            let peak = record.open_loop?.rate / share_of_peak(record)?;
            Some(((record.stage.clone(), record.round), peak))
        };
        Self {
            path: run.path.clone(),
            points: kept().filter(|record| !has_failed(record)).map(Key::of).collect(),
            skipped: kept().filter(|record| record.skipped.is_some()).map(Key::of).collect(),
            peaks: run.records.iter().filter_map(peak).collect(),
        }
    }

    /// Whether the reason why a point of the plan cannot be measured is there.
    pub(super) fn has_reason(&self, plan: &Plan, point: &Point) -> bool {
        self.skipped.contains(&key(plan, point, 1))
    }

    /// The peaks that this start of the servers has found: rates of one start are shares of one peak.
    pub(super) fn peaks(&self, plan: &Plan, round: u32) -> BTreeMap<String, f64> {
        let same = |(_, at): &&(String, u32)| plan.start_of(*at) == plan.start_of(round);
        self.peaks
            .iter()
            .filter(|(key, _)| same(key))
            .map(|((stage, _), peak)| (stage.clone(), *peak))
            .collect()
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// How many points of the plan are there.
    pub(super) fn count(&self, plan: &Plan) -> usize {
        let rounds = 1..=plan.rounds();
        rounds
            .map(|round| plan.blocks(round).concat().iter().filter(|p| self.has(plan, p, round)).count())
            .sum()
    }

    /// Seconds that measuring them took, about.
    pub(super) fn seconds(&self, plan: &Plan) -> f64 {
        let rounds = 1..=plan.rounds();
        let of = |round| {
            let points = plan.blocks(round).concat();
            points.iter().filter(|p| self.has(plan, p, round)).map(|p| plan.seconds_of(p)).sum::<f64>()
        };
        rounds.map(of).sum()
    }

    /// Whether the point is there.
    pub(super) fn has(&self, plan: &Plan, point: &Point, round: u32) -> bool {
        self.points.contains(&key(plan, point, round))
    }
}

fn key(plan: &Plan, point: &Point, round: u32) -> Key {
    Key {
        phase: point.phase,
        stage: plan.subjects[point.subject].name.clone(),
        tool: point.tool_name().to_owned(),
        concurrency: point.concurrency,
        keep_alive: point.keep_alive,
        share: point.share,
        round,
    }
}

#[cfg(test)]
mod tests {
    use super::super::plan::tests::plan;
    use super::super::skips::ab_would_hang;
    use super::*;
    use crate::generators::Tool;
    use crate::records::tests::record;
    use crate::records::{OpenLoop, Writer};
    use crate::stats::Percentiles;

    fn host(commit: &str, dirty: bool) -> Host {
        Host { commit: commit.into(), dirty, ..Host::default() }
    }

    fn run(host: Host) -> Run {
        let mut record = record("05", "wrk", 64, true, 10.0);
        (record.host, record.points_planned) = (host, 2);
        Run { seed: 7, path: "data.jsonl".into(), records: vec![record] }
    }

    #[test]
    fn only_the_same_command_commit_machine_and_seed_go_on() {
        let same = |run, command: &str, seed, host| match judge(run, command, seed, &host) {
            Earlier::Same(_) => Ok(()),
            Earlier::Nothing => Err(String::new()),
            Earlier::Other(reason) => Err(reason),
        };
        let clean = || host("abc", false);
        assert_eq!(same(run(clean()), "bench", None, clean()), Ok(()));
        assert_eq!(same(run(clean()), "bench", Some(7), clean()), Ok(()));
        assert_eq!(same(run(clean()), "bench --quick", None, clean()), Err(String::new()));
        let why = |outcome: Result<(), String>| outcome.expect_err("it begins anew");
        assert!(why(same(run(clean()), "bench", Some(8), clean())).contains("another seed"));
        assert!(why(same(run(clean()), "bench", None, host("def", false))).contains("another commit"));
        let elsewhere = Host { kernel: "another".into(), ..clean() };
        assert!(why(same(run(clean()), "bench", None, elsewhere)).contains("another machine"));
        assert!(why(same(run(clean()), "bench", None, host("abc", true))).contains("uncommitted"));
        assert!(why(same(run(host("abc", true)), "bench", None, clean())).contains("uncommitted"));
        let mut whole = run(host("abc", true));
        whole.records.push(whole.records[0].clone());
        assert_eq!(same(whole, "bench", None, clean()), Err(String::new()), "a whole run is no news");
    }

    /// Files of runs of a command, the oldest first.
    fn files(runs: &[(&str, u64)]) -> (tempfile::TempDir, Vec<PathBuf>) {
        let directory = tempfile::tempdir().expect("a directory");
        let file = |(at, (command, seed)): (usize, &(&str, u64))| {
            let mut record = record("05", "wrk", 64, true, 10.0);
            (record.command, record.seed) = ((*command).to_owned(), *seed);
            (record.host, record.points_planned) = (host("abc", false), 2);
            let mut writer =
                Writer::create(directory.path(), &format!("{at}-abc-table")).expect("a new file");
            writer.write(&record).expect("written");
            writer.path().to_owned()
        };
        let files = runs.iter().enumerate().map(file).collect();
        (directory, files)
    }

    fn earlier_in(directory: &tempfile::TempDir, command: &str, seed: Option<u64>) -> Result<Earlier> {
        earlier(directory.path(), Content::Table, command, seed, &host("abc", false))
    }

    #[test]
    fn the_newest_run_that_fits_goes_on_whatever_was_run_after_it() {
        let (directory, files) = files(&[("table", 1), ("table", 2), ("table", 3), ("table --seconds 2", 4)]);
        let found = |seed| match earlier_in(&directory, "table", seed).expect("nothing is damaged") {
            Earlier::Same(run) => Ok(run.path),
            Earlier::Nothing => Err(String::new()),
            Earlier::Other(reason) => Err(reason),
        };
        assert_eq!(found(None).as_ref(), Ok(&files[2]));
        assert_eq!(found(Some(1)).as_ref(), Ok(&files[0]));
        let reason = found(Some(9)).expect_err("no such seed");
        assert!(reason.contains("2-abc-table") && reason.contains("another seed"), "the newest: {reason}");
    }

    #[test]
    fn a_damaged_file_stops_those_that_it_may_concern() {
        let (directory, files) = files(&[("table", 1), ("table --seconds 2", 2)]);
        let is_error = |command: &str| earlier_in(&directory, command, None).is_err();
        let damage = |file: &Path| {
            let whole = fs::read_to_string(file).expect("it is there");
            fs::write(file, format!("{whole}{{\"stage\":\n")).expect("written");
        };
        damage(&files[1]);
        assert!(!is_error("table"), "it is of another command");
        let Err(error) = earlier_in(&directory, "table --seconds 2", None) else { panic!("it is damaged") };
        let line = format!("{error:#}");
        for words in ["--fresh", "1-abc-table.jsonl, line 2"] {
            assert!(line.contains(words), "{words}: {line}");
        }
        fs::write(&files[1], "no record\n").expect("written");
        assert!(is_error("table"), "nothing says whose it is");
    }

    /// A server that failed may have been fixed, and a machine that had no room may have some.
    #[test]
    fn what_failed_is_tried_again_and_what_can_never_be_is_not() {
        let plan = plan(vec![64], 1);
        let of = |stage: &str, tool: &str, reason: Option<String>| {
            let mut record = record(stage, tool, 64, false, 1.0);
            record.figures = record.figures.filter(|_| reason.is_none());
            record.skipped = reason;
            record
        };
        let records = vec![
            of("01", "wrk", None),
            of("02", "wrk", Some("refused: the server has died".into())),
            of("03", "ab", Some(ab_would_hang(4, 64))),
        ];
        let done = Done::of(&Run { seed: 7, path: "data.jsonl".into(), records });
        let has = |subject, tool| {
            let is =
                |p: &&Point| p.subject == subject && p.tool == tool && !p.keep_alive && p.concurrency == 64;
            done.has(&plan, plan.points.iter().find(is).expect("it is planned"), 1)
        };
        assert!(has(1, Tool::Wrk) && has(3, Tool::Ab));
        assert!(!has(2, Tool::Wrk), "it failed");
        assert_eq!(done.count(&plan), 2);
    }

    #[test]
    fn the_rates_of_one_start_are_shares_of_one_peak() {
        let mut open = record("01", "builtin", 64, true, 500.0);
        let latency_us = Percentiles { p50: 1, p90: 1, p99: 1, p99_9: 1, max: 1 };
        (open.phase, open.round) = (Phase::Latency, 2);
        open.open_loop =
            Some(OpenLoop { rate: 500.0, share_of_peak: Some(0.5), latency_us, late: 0, never_sent: 0 });
        let done = Done::of(&Run { seed: 7, path: "data.jsonl".into(), records: vec![open] });
        let mut plan = plan(vec![64], 4);
        plan.amount.starts = 2;
        let peak = |round| done.peaks(&plan, round).get("01").copied();
        assert_eq!([1, 2, 3, 4].map(peak), [Some(1000.0), Some(1000.0), None, None]);
    }
}
