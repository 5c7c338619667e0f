//! `./lab learn`, as a learner meets it.

use learn::{Kind, Lab, Starter, solve};
use nix::sys::signal::Signal;
use serde_json::Value;
use std::fs::{create_dir_all, read_to_string, write};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;
use test_support::{Finished, LONG, Place, Run};

const EXERCISE: &str = "05-read-until-short";
/// The exercises' own tests may be building in the same folder, on a machine that builds much else.
const BUILD: Duration = Duration::from_secs(600);

/// The learner's folder in this place.
fn work(place: &Place) -> PathBuf {
    place.path("work")
}

fn start(place: &Place, words: &[&str]) -> Run {
    let work = work(place).display().to_string();
    place.start(&[&["learn", "--work", &work], words].concat())
}

fn run(place: &Place, words: &[&str]) -> Finished {
    start(place, words).wait(BUILD)
}

fn progress(work: &Path) -> Value {
    let text = read_to_string(work.join("progress.json")).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
}

fn attempts(work: &Path) -> u64 {
    progress(work)["exercises"][EXERCISE]["attempts"].as_u64().unwrap_or(0)
}

/// The target folder of the exercises' own tests: what the crates have in common is built once.
fn share_target(place: &Place) {
    let programs = lab_core::stages::binary_directory().expect("this test has a path");
    let target = programs.parent().expect("a folder").join("exercises/target");
    create_dir_all(&target).expect("a folder");
    create_dir_all(work(place)).expect("a folder");
    symlink(&target, work(place).join("target")).expect("a link");
}

/// Protects the first minute: nothing was done yet, and the line to type next is there.
#[test]
fn a_learner_who_has_done_nothing_is_told_what_to_type() {
    let place = Place::new();
    let finished = run(&place, &[]);
    assert!(finished.status.success(), "{finished:?}");
    let lab = Lab::find().expect("the tree");
    let first = lab.exercises.first().expect("there is an exercise");
    let next = format!("\n    ./lab learn --work {} {}\n", work(&place).display(), first.name);
    assert!(finished.stdout.contains(&next), "{finished:?}");
    assert!(finished.stdout.lines().count() < lab.exercises.len() + 8, "{}", finished.stdout);
    assert!(!work(&place).exists(), "a look makes nothing");
}

/// Protects whoever mistypes a name.
#[test]
fn a_bad_name_is_one_line_with_the_nearest_names() {
    let place = Place::new();
    for (words, expected) in [
        (&["5-read-until-shrot"][..], EXERCISE),
        (&["hint", "read-til-short"], EXERCISE),
        (&["reset"], "no exercise is open yet"),
        (&["hint", EXERCISE, "x"], "unexpected"),
        (&[EXERCISE, "x"], "one word too many"),
        (&["list", "--once"], "does not go with `list`"),
        (&["--format", "json"], "--report"),
    ] {
        let finished = run(&place, words);
        assert_eq!(finished.status.code(), Some(2), "{words:?}: {finished:?}");
        assert!(finished.complaint().contains(expected), "{words:?}: {finished:?}");
    }
    write_progress(&work(&place), "{ what");
    let finished = run(&place, &["hint", EXERCISE]);
    assert_eq!(finished.status.code(), Some(1), "{finished:?}");
    assert!(finished.complaint().contains("progress.json is no progress"), "{finished:?}");
}

/// Protects a solution that is more than the stage has: without the work it came from, the stage is no other
/// source for it.
#[test]
fn a_solution_that_was_written_by_hand_is_not_overwritten_by_the_stage() {
    let place = Place::new();
    let lab = Lab::find().expect("the tree");
    let path = lab.exercise(EXERCISE).expect("it is there").solution(&lab.root);
    let before = read_to_string(&path).expect("there is a solution");
    let finished = run(&place, &["solution", EXERCISE]);
    let after = read_to_string(&path).unwrap_or_default();
    if after != before {
        write(&path, &before).expect("put back");
    }
    assert_eq!(after, before, "{finished:?}");
    assert_eq!(finished.status.code(), Some(1), "{finished:?}");
    let said = format!("notes/solutions/{EXERCISE}.patch is not what the stage has");
    assert!(finished.complaint().contains(&said), "{finished:?}");
}

fn write_progress(work: &Path, text: &str) {
    create_dir_all(work).expect("a folder");
    write(work.join("progress.json"), text).expect("written");
}

/// Protects what was handed in: to grade it again never begins the next exercise there.
#[test]
fn once_more_is_the_exercise_that_was_opened_last() {
    let place = Place::new();
    let entry = r#"{ "opened": "2026-01-02T03:04:05Z", "solved": "2026-01-02T03:04:06Z" }"#;
    let text = format!(r#"{{ "current": "{EXERCISE}", "exercises": {{ "{EXERCISE}": {entry} }} }}"#);
    write_progress(&work(&place), &text);
    let finished = run(&place, &["--once"]);
    assert_eq!(finished.status.code(), Some(1), "{finished:?}");
    assert!(finished.complaint().contains(&format!("{EXERCISE} was opened last")), "{finished:?}");
    let left: Vec<_> =
        work(&place).read_dir().expect("a folder").map(|entry| entry.expect("one").path()).collect();
    assert_eq!(left, [work(&place).join("progress.json")]);
}

/// Protects a learner from seeing all hints at once, and from losing count of them.
#[test]
fn hints_unfold_one_by_one() {
    let place = Place::new();
    let lab = Lab::find().expect("the tree");
    let all = lab.exercise(EXERCISE).expect("it is there").hints.len();
    for round in 1..=all + 1 {
        let shown = run(&place, &["hint", EXERCISE]).stdout;
        assert_eq!(shown.matches("Hint ").count(), round.min(all), "{shown}");
        assert_eq!(shown.contains("There is no further hint"), round > all, "{shown}");
    }
}

/// Protects the learner's loop: a starter that is not solved, Ctrl-C, the same again, a save that solves it;
/// and what a course sees of it.
#[test]
fn an_exercise_is_opened_watched_solved_and_reported() {
    let place = Place::new();
    share_target(&place);
    let work = work(&place);

    let mut watching = start(&place, &[EXERCISE]);
    watching.wait_until_within(BUILD, "an attempt", || attempts(&work) == 1);
    let ended = watching.signal_and_wait(Signal::SIGINT);
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    assert!(ended.stdout.contains("The starter is in"), "{}", ended.stdout);
    let lab = Lab::find().expect("the tree");
    let exercise = lab.exercise(EXERCISE).expect("it is there");
    let first = exercise.probes.iter().find(|probe| exercise.fails.contains(probe)).expect("one fails");
    assert!(ended.stdout.contains(&format!("The first one that does not:\n\n{first}: ")), "{}", ended.stdout);
    assert!(ended.stdout.contains("> sent, < received"), "{}", ended.stdout);
    assert_eq!(place.left_behind(LONG), [""; 0]);
    assert!(read_to_string(work.join("AGENTS.md")).expect("it is there").contains("Ask for a prediction"));

    let once = run(&place, &["--once"]);
    assert_eq!(once.status.code(), Some(1), "the exercise that is open is not solved: {once:?}");

    let mut watching = start(&place, &[EXERCISE]);
    watching.wait_until_within(BUILD, "another attempt", || attempts(&work) == 3);
    // The solution, saved file by file.
    let mut starter = Starter::of(&lab, exercise).expect("it is cut");
    solve(&mut starter).expect("the solution fits");
    let folder = work.join(EXERCISE);
    starter.write(&folder, EXERCISE, Kind::Alone).expect("saved");
    let solved = watching.wait(BUILD);
    assert_eq!(solved.status.code(), Some(0), "{solved:?}");
    assert!(solved.stdout.contains("Your work is in"), "{}", solved.stdout);
    assert!(solved.stdout.contains("\nSolved: "), "{}", solved.stdout);

    let report = run(&place, &["--report", "--format", "json"]).stdout;
    let report: Value = serde_json::from_str(&report).expect("JSON");
    assert_eq!(report[0]["solved"], 1);
    let rows = report[0]["exercises"].as_array().expect("a list");
    let row = rows.iter().find(|row| row["name"] == EXERCISE).expect("a row");
    assert_eq!((&row["state"], row["attempts"].as_u64() >= Some(4)), (&"solved".into(), true), "{row}");
    let table = run(&place, &["--report"]).stdout;
    assert!(table.contains(EXERCISE) && table.contains("1 of "), "{table}");

    // One that has handed in nothing does not hide the others.
    let some = run(&place, &["--report", "/nowhere", &work.display().to_string()]);
    assert_eq!(some.status.code(), Some(1), "{some:?}");
    assert!(
        some.stdout.contains("/nowhere: no progress.json") && some.stdout.contains(": 1 of "),
        "{some:?}"
    );

    let reset = run(&place, &["reset", EXERCISE]);
    assert!(reset.stdout.contains(&format!("--work {} {EXERCISE}", work.display())), "{reset:?}");
    assert!(reset.status.success(), "{reset:?}");
    let server = |folder: &str| read_to_string(work.join(folder).join("src/server.rs")).expect("it is there");
    assert_ne!(server(EXERCISE), server(&format!("{EXERCISE}.bak")));
}
