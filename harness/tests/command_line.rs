//! What a user types, and what a mistake costs: one line.

use super::refusals::place_with_stage;
use nix::sys::signal::Signal;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use test_support::{LONG, Place, Run, write_program};

const SOON: Duration = Duration::from_secs(5);

/// `./lab` of a place in which `just` is this script; nothing is built or installed.
fn lab(place: &Place, just: &str) -> Command {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../lab");
    std::fs::copy(script, place.path("lab")).expect("the script is there");
    std::fs::create_dir_all(place.path(".tools/bin")).expect("a directory");
    write_program(&place.path(".tools/bin/just"), just);
    let mut command = place.command("sh");
    command.arg(place.path("lab"));
    command
}

/// Protects users from a page of usage text, and from the name of a program that they did not type.
#[test]
fn a_mistake_is_one_line_that_says_what_is_allowed() {
    let place = Place::new();
    for (words, allowed) in [
        ("", "bench-all"),
        ("nonsense", "bench-all"),
        ("stage", "<STAGE>"),
        ("step", "<STAGE>"),
        ("grade", "<STAGE>"),
        ("grade --cmd", "<COMMAND>"),
        ("bench-all --profile nonsense", "quick, standard, full"),
        ("scenario", "spin, slow"),
        ("scenario nonsense", "spin, slow"),
        ("load http://127.0.0.1:1/ --rate x", "requests per second are allowed"),
        ("report nonsense", "'nonsense'"),
        ("doctor nonsense", "'nonsense'"),
        ("test --no-bnch", "--no-bench"),
    ] {
        let finished = place.start(&words.split_whitespace().collect::<Vec<_>>()).wait(LONG);
        assert_eq!(
            (finished.status.code(), finished.stdout.as_str()),
            (Some(2), ""),
            "{words}: {finished:?}"
        );
        let line = finished.complaint();
        assert_eq!(finished.stderr, format!("{line}\n"), "{words}");
        assert!(line.contains(allowed) && !line.contains("harness"), "{words}: {line}");
    }
}

/// Protects scripts that read the help, or the version that a record names.
#[test]
fn help_is_no_mistake() {
    let place = Place::new();
    for words in [&["--help"][..], &["--version"], &["grade", "--help"], &["help", "step"]] {
        let finished = place.start(words).wait(LONG);
        assert_eq!((finished.status.code(), finished.stderr.as_str()), (Some(0), ""), "{words:?}");
        assert!(finished.stdout.contains("lab") && !finished.stdout.contains("harness "), "{finished:?}");
    }
}

#[test]
fn a_recipe_that_is_not_there_is_one_line_too() {
    let place = Place::new();
    let mut command = lab(&place, "case $1 in --summary) echo 'stage step' ;; *) echo \"just $*\" ;; esac");
    command.args(["nonsense", "4"]);
    let finished = Run::start(command).wait(LONG);
    assert_eq!((finished.status.code(), finished.stdout.as_str()), (Some(2), ""), "{finished:?}");
    assert_eq!(finished.stderr, format!("{}\n", finished.complaint()));
    assert!(finished.stderr.contains("'nonsense'") && finished.stderr.contains("stage step"), "{finished:?}");
    // What is there, and just's own options, are just's.
    for words in [&["step", "4"][..], &["bench", "--quick"], &["--list"]] {
        let mut command =
            lab(&place, "case $1 in --summary) echo 'stage step' ;; *) echo \"just $*\" ;; esac");
        command.args(words);
        assert_eq!(Run::start(command).wait(LONG).stdout, format!("just {}\n", words.join(" ")));
    }
}

/// Protects the learner who ends a stage as the stage says: a Ctrl-C reaches the whole process group, and no
/// part of it calls that an error.
#[test]
fn ctrl_c_ends_a_stage_without_a_word() {
    let (place, harness) = place_with_stage("exec \"${0%/*}/floor\" --addr 127.0.0.1:0");
    // The stages are found from where the harness is started, and the script goes to its own folder.
    let started = format!("cd '{}' && exec '{}' \"$@\"", env!("CARGO_MANIFEST_DIR"), harness.display());
    let started = write_program(&place.path("started"), &started);
    let just = format!("case $1 in --evaluate) echo '{}' ;; esac", started.display());
    let mut command = lab(&place, &just);
    command.args(["stage", "1", "--protocol", "http"]).process_group(0);
    let mut run = Run::start(command);
    let runs_floor = |(_, command): &(i32, String)| command.contains("/floor --addr");
    run.wait_until("server", || place.running().iter().any(runs_floor));
    run.signal_group(Signal::SIGINT);
    let finished = run.wait(LONG);
    assert_eq!((finished.status.code(), finished.stderr.as_str()), (Some(0), ""), "{finished:?}");
    assert_eq!(place.left_behind(SOON), [""; 0]);
}
