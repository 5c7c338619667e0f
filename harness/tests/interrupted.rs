//! A run that is ended in the middle: by Ctrl-C, by an orderly stop, by a terminal that is closed, by a kill
//! that cannot be caught. Nothing stays behind, no record is damaged, and the same command goes on.

use nix::sys::signal::Signal;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use test_support::{LONG, Place, Run, lines, measured};

/// On the floor alone, by the lab's own generator: four points of a second each. webbench makes a connection
/// per request, so with keep-alive it is in the file as skipped, once per number of clients.
const FOUR_POINTS: &str = "--stages floor --references floor --tools builtin,webbench --concurrency 1,2 \
                          --keep-alive on --duration 1 --rounds 2 --quick --phases survey";
/// A round of the standard profile, in this order: one point in pairs, two of the survey, one of idle
/// connections.
const OTHER_PHASES: &str = "--stages floor --references floor --tools builtin --concurrency 1,2,4 --keep-alive on \
                            --duration 1 --rounds 1 --phases paired,survey,idle";
/// Processes that are not ended before the harness itself have so long.
const SOON: Duration = Duration::from_secs(5);

/// Begins the run and waits for the middle of it: records are there, and a server and a generator run.
fn begun(place: &Place, args: &str, records: usize) -> Run {
    let mut run = place.start_bench(args);
    run.wait_until("records, a server and a generator", || {
        let files = place.data_files();
        let written = files.first().map_or(0, |file| measured_lines(file).len());
        let running = place.running();
        let runs = |what: &str| running.iter().any(|(_, command)| command.contains(what));
        written >= records && runs("/floor ") && runs("/harness load ")
    });
    run
}

fn only_file(place: &Place) -> PathBuf {
    let files = place.data_files();
    assert_eq!(files.len(), 1, "{files:?}");
    files[0].clone()
}

/// The whole lines with figures, but for the runs of the floor around pairs.
fn measured_lines(file: &Path) -> Vec<Value> {
    let is_point = |line: &Value| line["phase"] != "floor";
    let is_measured = |line: &Value| {
        is_point(line) && line.get("requests_per_second").is_some_and(|speed| !speed.is_null())
    };
    lines(file).0.into_iter().filter(is_measured).collect()
}

/// What tells a point from all others.
fn key(line: &Value) -> String {
    let names = ["phase", "stage", "tool", "concurrency", "keep_alive", "pipeline", "path", "round"];
    let mut parts = names.map(|name| line[name].to_string()).to_vec();
    parts.push(line["idle"]["connections"].to_string());
    parts.join(" ")
}

/// How often each point is in the file; those that were disturbed and put aside are not counted.
fn counts(file: &Path) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    let is_point = |line: &&Value| line["dropped"] != Value::Bool(true) && line["phase"] != "floor";
    for line in lines(file).0.iter().filter(is_point) {
        *counts.entry(key(line)).or_default() += 1;
    }
    counts
}

/// Runs the same command again: it goes on in the same file, keeps its whole lines as they are and completes
/// it.
fn goes_on(place: &Place, args: &str) -> PathBuf {
    let file = only_file(place);
    let before = fs::read(&file).expect("it is there");
    let whole = before.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
    let done = measured_lines(&file).len();

    let finished = place.bench(args);
    assert!(finished.status.success(), "{finished:?}");
    assert_eq!(finished.lines_with(&["going on with", &file.display().to_string()]), 1, "{finished:?}");
    assert_eq!(only_file(place), file);
    let after = fs::read(&file).expect("it is there");
    assert!(after.starts_with(&before[..whole]), "what was recorded was changed");
    assert!(lines(&file).1.is_empty(), "the last line is whole");
    assert!(measured_lines(&file).len() > done, "nothing was left to do: {finished:?}");
    assert_eq!(place.left_behind(SOON), [""; 0]);
    file
}

/// All four points and the two skipped ones, each once.
fn is_complete(file: &Path) {
    let counts = counts(file);
    assert!(counts.values().all(|&count| count == 1), "{counts:#?}");
    let records = records::read(file).expect("every line is a record");
    assert_eq!(measured(&records).count(), 4, "{counts:#?}");
    let skipped: Vec<_> = records.iter().filter(|record| record.key.tool == "webbench").collect();
    assert_eq!(skipped.len(), 2, "{skipped:#?}");
    assert!(skipped.iter().all(|record| record.skipped().is_some()), "{skipped:#?}");
}

/// A signal that can be caught: the harness ends its children itself and says what is there.
fn is_ended_by(signal: Signal) {
    let place = Place::new();
    let run = begun(&place, FOUR_POINTS, 1);
    run.signal(signal);
    let finished = run.wait(LONG);
    assert_eq!(place.left_behind(SOON), [""; 0], "after {signal}");
    assert!(matches!(finished.status.code(), Some(130 | 143)), "{finished:?}");
    assert_eq!(finished.lines_with(&["interrupted", "same command goes on"]), 1, "{finished:?}");
    assert!(!finished.stderr.contains("panicked"), "{finished:?}");

    let file = only_file(&place);
    assert!(lines(&file).1.is_empty(), "the last line is whole after {signal}");
    assert!((1..4).contains(&measured_lines(&file).len()), "it was the middle of the run");
    is_complete(&goes_on(&place, FOUR_POINTS));
}

#[test]
fn ctrl_c_leaves_nothing_behind_and_the_rerun_goes_on() {
    is_ended_by(Signal::SIGINT);
}

#[test]
fn an_orderly_stop_leaves_nothing_behind_and_the_rerun_goes_on() {
    is_ended_by(Signal::SIGTERM);
}

#[test]
fn a_closed_terminal_leaves_nothing_behind_and_the_rerun_goes_on() {
    is_ended_by(Signal::SIGHUP);
}

/// That is what nohup is for: it has the signal ignored, and whoever starts a run of an hour that way relies
/// on it.
#[test]
fn a_run_under_nohup_outlives_its_terminal() {
    let place = Place::new();
    let mut command = place.command("nohup");
    command.arg(env!("CARGO_BIN_EXE_harness")).arg("bench-all").arg("--out").arg(place.out());
    command.args(FOUR_POINTS.split_whitespace());
    let mut run = Run::start(command);
    run.wait_until("a record", || {
        place.data_files().first().is_some_and(|file| !measured_lines(file).is_empty())
    });
    let finished = run.signal_and_wait(Signal::SIGHUP);
    assert!(finished.status.success(), "{finished:?}");
    is_complete(&only_file(&place));
}

/// SIGKILL cannot be caught. The lab promises whole data; that the children die too is the kernel's doing
/// (`PR_SET_PDEATHSIG`), and worth a test, since a server that stays would disturb every later run.
#[test]
fn a_kill_damages_no_record_and_the_rerun_goes_on() {
    let place = Place::new();
    let run = begun(&place, FOUR_POINTS, 1);
    run.signal(Signal::SIGKILL);
    let finished = run.wait(LONG);
    assert_eq!(finished.status.signal(), Some(9), "{finished:?}");
    assert_eq!(place.left_behind(SOON), [""; 0]);

    let file = only_file(&place);
    assert!((1..4).contains(&measured_lines(&file).len()), "it was the middle of the run");
    // A kill in the middle of a write cannot be timed from here. This is what it leaves.
    let mut damaged = OpenOptions::new().append(true).open(&file).expect("it is there");
    damaged.write_all(br#"{"stage":"floor","title":"the ker"#).expect("written");
    is_complete(&goes_on(&place, FOUR_POINTS));
}

/// The phases differ in what a point is, and none is done twice or forgotten. The run is ended in the open
/// loop, whose rates come from a peak that must then be found again, or already in the pairs, if something
/// disturbs them.
#[test]
fn a_run_goes_on_in_every_phase() {
    let place = Place::new();
    let run = begun(&place, OTHER_PHASES, 1);
    let finished = run.signal_and_wait(Signal::SIGINT);
    assert_eq!(finished.status.code(), Some(130), "{finished:?}");
    assert_eq!(place.left_behind(SOON), [""; 0]);
    let counts = counts(&goes_on(&place, OTHER_PHASES));
    assert!(counts.values().all(|&count| count == 1), "{counts:#?}");
    let of = |phase: &str| counts.keys().filter(|key| key.starts_with(&format!("{phase:?} "))).count();
    assert_eq!(["paired", "survey", "idle"].map(of), [1, 2, 1], "{counts:#?}");
}

/// Figures of two programs must not meet in one file: another commit begins anew, and so does a tree with
/// changes, which have no name.
#[test]
fn a_run_of_another_program_is_not_gone_on_with() {
    let (clean, other, changed) =
        (("0123456789", ""), ("fedcba9876", ""), ("0123456789", " M harness/src/main.rs"));
    for (first, second) in [(clean, other), (clean, changed), (changed, clean), (changed, changed)] {
        let place = Place::new();
        let begin = |(commit, changes), files: usize| {
            place.commit(commit, changes);
            let mut run = place.start_bench(FOUR_POINTS);
            run.wait_until("records in a file of its own", || {
                let found = place.data_files();
                found.len() > files && found.iter().all(|file| !lines(file).0.is_empty())
            });
            run.signal_and_wait(Signal::SIGINT)
        };
        begin(first, 0);
        let file = only_file(&place);
        let before = fs::read(&file).expect("it is there");
        let finished = begin(second, 1);
        assert_eq!(finished.lines_with(&["going on"]), 0, "{first:?}, {second:?}: {finished:?}");
        assert_eq!(fs::read(&file).expect("it is there"), before, "{first:?}, {second:?}");
    }
}
