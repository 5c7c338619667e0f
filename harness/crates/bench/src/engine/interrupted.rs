//! Runs that were interrupted: the same command on the same commit finds its file and its order.

use anyhow::{Context, Result};
use lab_core::host::Host;
use records::{Content, Phase, Record, newest_first, read};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// Options that do not change what is measured.
const ELSEWHERE: [&str; 2] = ["--out", "--seed"];

/// The command line as it is recorded: without the program, and without what only says where the results go.
pub(crate) fn command_line() -> String {
    recorded(std::env::args().skip(1))
}

fn recorded(mut args: impl Iterator<Item = String>) -> String {
    let mut words = Vec::new();
    while let Some(arg) = args.next() {
        if ELSEWHERE.contains(&arg.as_str()) {
            args.next();
        } else if arg != "--fresh" && !ELSEWHERE.iter().any(|option| arg.starts_with(&format!("{option}="))) {
            words.push(arg);
        }
    }
    // The aliases are the same command: a run that was begun by one name goes on by the other.
    if let Some(name) = words.first_mut().filter(|name| *name == "bench") {
        *name = "bench-all".into();
    }
    for word in &mut words {
        if let Some(profile) = word.strip_prefix("--rigor") {
            *word = format!("--profile{profile}");
        }
    }
    words.join(" ")
}

/// A run that may be unfinished.
pub(super) struct Run {
    pub(super) seed: u64,
    pub(super) path: PathBuf,
    pub(super) records: Vec<Record>,
}

/// What there is of an earlier run of the same command.
pub(super) enum Interrupted {
    /// Nothing that could be gone on with.
    None,
    /// It may be unfinished, and this run can go on with it.
    Resumable(Run),
    /// It is unfinished and this run begins anew all the same, for this reason.
    Unfit(String),
}

/// Looks at the runs of this kind, the newest first, for one that this one can go on with. Uncommitted
/// changes have no name, so a run with them never goes on. A damaged file that may be of such a run is an
/// error: to begin anew would hide it.
pub(super) fn find_interrupted(
    directory: &Path,
    content: Content,
    command: &str,
    seed: Option<u64>,
    host: &Host,
) -> Result<Interrupted> {
    let mut found = Interrupted::None;
    // A directory that cannot be read has nothing to go on with, and writing there will tell.
    for path in newest_first(directory, content).unwrap_or_default() {
        let records = match read(&path) {
            Ok(records) => records,
            Err(_) if is_of_another(&path, command) => continue,
            Err(damage) => return Err(damage).context(DAMAGED),
        };
        let Some(first) = records.first() else { continue };
        match judge(Run { seed: first.context.seed, path, records }, command, seed, host) {
            Interrupted::None => {}
            Interrupted::Resumable(run) => return Ok(Interrupted::Resumable(run)),
            // The newest one is what the user expects to go on.
            Interrupted::Unfit(reason) if matches!(found, Interrupted::None) => {
                found = Interrupted::Unfit(reason)
            }
            Interrupted::Unfit(_) => {}
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

fn judge(run: Run, command: &str, seed: Option<u64>, host: &Host) -> Interrupted {
    let Some(first) = run.records.first() else { return Interrupted::None };
    if first.context.command != command {
        return Interrupted::None;
    }
    let reason = if host.dirty || first.context.host.dirty {
        "uncommitted changes have no name, so nothing says that both are of one program"
    } else if host.commit.is_empty() || first.context.host.commit.is_empty() {
        "the commit is not known, so nothing says that both are of one program"
    } else if first.context.host.commit != host.commit {
        "it is of another commit"
    } else if !first.context.host.is_same_machine(host) {
        "it is of another machine, or of another kernel"
    } else if seed.is_some_and(|seed| seed != run.seed) {
        "it has another seed"
    } else {
        return Interrupted::Resumable(run);
    };
    let measured = run.records.iter().filter(|record| !record.context.dropped && is_planned(record)).count();
    if measured >= first.context.points_planned {
        return Interrupted::None;
    }
    Interrupted::Unfit(format!("{} is unfinished, but {reason}: beginning anew", run.path.display()))
}

/// A run of the floor around a pair is no point of the plan.
fn is_planned(record: &Record) -> bool {
    record.skipped().is_none() && record.key.phase != Phase::Floor
}

#[cfg(test)]
mod tests {
    use super::*;
    use records::Writer;
    use records::sample::record;

    /// Protects a run that was interrupted from beginning anew because the same thing was typed in another
    /// way.
    #[test]
    fn a_command_is_recorded_without_what_does_not_change_what_is_measured() {
        let recorded = |line: &str| recorded(line.split(' ').map(str::to_owned));
        assert_eq!(recorded("bench-all --out x --quick --seed=7 --fresh"), "bench-all --quick");
        assert_eq!(recorded("bench --quick --out=x"), "bench-all --quick");
        assert_eq!(recorded("bench --rigor full --rounds 9"), "bench-all --profile full --rounds 9");
        assert_eq!(recorded("bench --rigor=full"), "bench-all --profile=full");
        assert_eq!(recorded("scenario spin --stages bench"), "scenario spin --stages bench");
    }

    fn host(commit: &str, dirty: bool) -> Host {
        Host { commit: commit.into(), dirty, ..Host::default() }
    }

    fn run(host: Host) -> Run {
        let mut record = record("05", "wrk", 64, true, 10.0);
        (record.context.host, record.context.points_planned) = (host, 2);
        Run { seed: 7, path: "data.jsonl".into(), records: vec![record] }
    }

    #[test]
    fn only_the_same_command_commit_machine_and_seed_go_on() {
        let same = |run, command: &str, seed, host| match judge(run, command, seed, &host) {
            Interrupted::Resumable(_) => Ok(()),
            Interrupted::None => Err(String::new()),
            Interrupted::Unfit(reason) => Err(reason),
        };
        let clean = || host("abc", false);
        assert_eq!(same(run(clean()), "bench-all", None, clean()), Ok(()));
        assert_eq!(same(run(clean()), "bench-all", Some(7), clean()), Ok(()));
        assert_eq!(same(run(clean()), "bench-all --quick", None, clean()), Err(String::new()));
        let why = |outcome: Result<(), String>| outcome.expect_err("it begins anew");
        assert!(why(same(run(clean()), "bench-all", Some(8), clean())).contains("another seed"));
        assert!(why(same(run(clean()), "bench-all", None, host("def", false))).contains("another commit"));
        let elsewhere = Host { kernel: "another".into(), ..clean() };
        assert!(why(same(run(clean()), "bench-all", None, elsewhere)).contains("another machine"));
        assert!(why(same(run(clean()), "bench-all", None, host("abc", true))).contains("uncommitted"));
        assert!(why(same(run(host("abc", true)), "bench-all", None, clean())).contains("uncommitted"));
        let mut whole = run(host("abc", true));
        whole.records.push(whole.records[0].clone());
        assert_eq!(same(whole, "bench-all", None, clean()), Err(String::new()), "a whole run is no news");
    }

    /// Files of runs of a command, the oldest first.
    fn files(runs: &[(&str, u64)]) -> (tempfile::TempDir, Vec<PathBuf>) {
        let directory = tempfile::tempdir().expect("a directory");
        let file = |(at, (command, seed)): (usize, &(&str, u64))| {
            let mut record = record("05", "wrk", 64, true, 10.0);
            (record.context.command, record.context.seed) = ((*command).to_owned(), *seed);
            (record.context.host, record.context.points_planned) = (host("abc", false), 2);
            let mut writer =
                Writer::create(directory.path(), &format!("{at}-abc-table")).expect("a new file");
            writer.write(&record).expect("written");
            writer.path().to_owned()
        };
        let files = runs.iter().enumerate().map(file).collect();
        (directory, files)
    }

    fn earlier_in(directory: &tempfile::TempDir, command: &str, seed: Option<u64>) -> Result<Interrupted> {
        find_interrupted(directory.path(), Content::Table, command, seed, &host("abc", false))
    }

    #[test]
    fn the_newest_run_that_fits_goes_on_whatever_was_run_after_it() {
        let (directory, files) = files(&[("table", 1), ("table", 2), ("table", 3), ("table --seconds 2", 4)]);
        let found = |seed| match earlier_in(&directory, "table", seed).expect("nothing is damaged") {
            Interrupted::Resumable(run) => Ok(run.path),
            Interrupted::None => Err(String::new()),
            Interrupted::Unfit(reason) => Err(reason),
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
}
