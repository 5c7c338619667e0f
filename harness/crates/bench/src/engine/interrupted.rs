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

/// Looks at the runs of this kind, the newest first, for one of the same command that this one can go on
/// with; where there is none, it says why the newest unfinished one is not gone on with. A damaged file that
/// may be of such a run is an error: to begin anew would hide it.
pub(super) fn find_interrupted(
    directory: &Path,
    content: Content,
    command: &str,
    seed: Option<u64>,
    host: &Host,
) -> Result<Result<Run, Option<String>>> {
    let mut reason = None;
    // A directory that cannot be read has nothing to go on with, and writing there will tell.
    for path in newest_first(directory, content).unwrap_or_default() {
        let records = match read(&path) {
            Ok(records) => records,
            Err(_) if is_of_another(&path, command) => continue,
            Err(damage) => return Err(damage).context(DAMAGED),
        };
        let Some(first) = records.first().filter(|first| first.context.command == command) else { continue };
        match unfit(&first.context, seed, host) {
            None => return Ok(Ok(Run { seed: first.context.seed, path, records })),
            Some(why) if !is_finished(&records) => {
                let line = || format!("{} is unfinished, but {why}: beginning anew", path.display());
                reason.get_or_insert_with(line);
            }
            Some(_) => {}
        }
    }
    Ok(Err(reason))
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

/// Why a run cannot go on with one of the same command, if so. Uncommitted changes have no name.
fn unfit(its: &records::Context, seed: Option<u64>, host: &Host) -> Option<&'static str> {
    match () {
        () if host.dirty || its.host.dirty => {
            Some("uncommitted changes have no name, so nothing says that both are of one program")
        }
        () if host.commit.is_empty() || its.host.commit.is_empty() => {
            Some("the commit is not known, so nothing says that both are of one program")
        }
        () if its.host.commit != host.commit => Some("it is of another commit"),
        () if !its.host.is_same_machine(host) => Some("it is of another machine, or of another kernel"),
        () if seed.is_some_and(|seed| seed != its.seed) => Some("it has another seed"),
        () => None,
    }
}

/// A run of the floor around a pair is no point of the plan.
fn is_finished(records: &[Record]) -> bool {
    let is_measured = |record: &&Record| {
        !record.context.dropped && record.skipped().is_none() && record.key.phase != Phase::Floor
    };
    let planned = records.first().map_or(0, |first| first.context.points_planned);
    records.iter().filter(is_measured).count() >= planned
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

    #[test]
    fn only_the_same_commit_machine_and_seed_go_on() {
        let why = |its: Host, seed, host: Host| {
            let context = records::Context { host: its, seed: 7, ..records::Context::default() };
            unfit(&context, seed, &host).unwrap_or_default()
        };
        let clean = || host("abc", false);
        assert_eq!((why(clean(), None, clean()), why(clean(), Some(7), clean())), ("", ""));
        assert!(why(clean(), Some(8), clean()).contains("another seed"));
        assert!(why(clean(), None, host("def", false)).contains("another commit"));
        let elsewhere = Host { kernel: "another".into(), ..clean() };
        assert!(why(clean(), None, elsewhere).contains("another machine"));
        assert!(why(clean(), None, host("abc", true)).contains("uncommitted"));
        assert!(why(host("abc", true), None, clean()).contains("uncommitted"));
        assert!(why(host("", false), None, clean()).contains("not known"));
    }

    #[test]
    fn the_runs_of_the_floor_are_no_points_of_the_plan() {
        let mut records = vec![record("05", "wrk", 64, true, 10.0); 2];
        records.iter_mut().for_each(|record| record.context.points_planned = 2);
        assert!(is_finished(&records));
        records[1].key.phase = Phase::Floor;
        assert!(!is_finished(&records));
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

    fn earlier_in(
        directory: &tempfile::TempDir,
        command: &str,
        seed: Option<u64>,
    ) -> Result<Result<Run, Option<String>>> {
        find_interrupted(directory.path(), Content::Table, command, seed, &host("abc", false))
    }

    #[test]
    fn the_newest_run_that_fits_goes_on_whatever_was_run_after_it() {
        let (directory, files) = files(&[("table", 1), ("table", 2), ("table", 3), ("table --seconds 2", 4)]);
        let found = |seed| {
            let found = earlier_in(&directory, "table", seed).expect("nothing is damaged");
            found.map(|run| run.path).map_err(Option::unwrap_or_default)
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
