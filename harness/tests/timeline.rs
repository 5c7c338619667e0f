//! `./lab timeline`: a real run of a stage and of another server, where strace may trace.

use std::fs;
use std::path::Path;
use std::process::Command;
use test_support::{LONG, Place};

/// Whether strace is there and may trace. Where not, a test says that it was skipped.
fn can_trace() -> bool {
    let tried = Command::new("strace").args(["-f", "-o", "/dev/null", "true"]).output();
    let works = tried.is_ok_and(|output| output.status.success());
    if !works {
        eprintln!("skipped: strace is not installed, or may not trace here");
    }
    works
}

/// The events of a timeline.
fn read(folder: &Path, name: &str) -> serde_json::Value {
    for ending in ["svg", "html"] {
        assert!(folder.join(format!("{name}.{ending}")).is_file(), "{name}.{ending}");
    }
    serde_json::from_slice(&fs::read(folder.join(format!("{name}.json"))).expect("it is there"))
        .expect("JSON")
}

/// Protects the first page that a student opens: the run is a real one, and it shows the flaw of the stage.
#[test]
fn a_stage_is_recorded_and_its_flaw_is_named() {
    if !can_trace() {
        return;
    }
    let place = Place::new();
    let out = place.path("out");
    let finished = place.start(&["timeline", "1", "--out", out.to_str().expect("text")]).wait(LONG);
    assert!(finished.status.success(), "{finished:?}");
    let finding = "in the accept queue, while main waited for client A.";
    assert!(finished.stdout.contains("Client B waited") && finished.stdout.contains(finding), "{finished:?}");
    let timeline = read(&out, "01-two-clients");
    let lanes: Vec<_> =
        timeline["lanes"].as_array().expect("lanes").iter().map(|lane| lane["name"].clone()).collect();
    assert!(
        ["client A", "client B", "accept queue", "main"]
            .iter()
            .all(|name| lanes.iter().any(|lane| lane == name))
    );
    assert_eq!(place.left_behind(LONG), [""; 0]);
}

/// Protects a reader with a server of their own: the command is run by a shell, which is no lane that
/// matters.
#[test]
fn any_command_can_be_recorded() {
    if !can_trace() {
        return;
    }
    let place = Place::new();
    let stage = test_support::program("stage-04");
    let (out, command) = (place.path("out"), format!("exec {} --addr 127.0.0.1:$PORT", stage.display()));
    let words = ["timeline-cmd", &command, "--out", out.to_str().expect("text")];
    let finished = place.start(&words).wait(LONG);
    assert!(finished.status.success() && finished.stdout.contains("No client waited"), "{finished:?}");
    assert!(read(&out, "command-two-clients")["arrows"].as_array().expect("arrows").len() >= 4);
    assert_eq!(place.left_behind(LONG), [""; 0]);
}

/// Protects a user of a container: one line says what is forbidden and what helps, and nothing is written.
#[test]
fn where_tracing_is_forbidden_one_line_says_so() {
    let place = Place::new();
    place.program("strace", "echo 'strace: ptrace(PTRACE_TRACEME): Operation not permitted' >&2; exit 1");
    let out = place.path("out");
    let finished = place.start(&["timeline", "1", "--out", out.to_str().expect("text")]).wait(LONG);
    assert_eq!(finished.status.code(), Some(1));
    let line = finished.complaint();
    assert!(line.contains("Operation not permitted") && line.contains("ptrace_scope"), "{line}");
    assert!(!out.exists());
}

/// Protects users from a page of usage text: what is wrong and what is allowed, before anything is started.
#[test]
fn a_mistake_is_one_line_that_says_what_is_allowed() {
    let place = Place::new();
    let empty = place.path("tmp");
    let empty = empty.to_str().expect("text");
    for (words, allowed) in [
        (&["timeline"][..], "<STAGE>"),
        (&["timeline", "99"], "02-threads"),
        (&["timeline", "1", "--scenario", "nonsense"], "four-silent"),
        (&["timeline", "--scenario", "shared", "all"], "./lab timeline 9 --scenario shared"),
        (&["timeline", "9", "--workers", "2", "--out", "x"], "before the options of the stage"),
        (&["timeline", "--draw", empty], "has no .json"),
        (&["timeline-cmd"], "<COMMAND>"),
        (&["timeline-cmd", "./mine"], "$PORT"),
        (&["timeline-cmd", "./mine $PORT", "--scenario", "nonsense"], "four-silent"),
    ] {
        let finished = place.start(words).wait(LONG);
        assert_eq!(
            (finished.status.code(), finished.stdout.as_str()),
            (Some(2), ""),
            "{words:?}: {finished:?}"
        );
        let line = finished.complaint();
        assert!(line.contains(allowed), "{words:?}: {line}");
    }
}

/// Protects the pages that are committed: they can be drawn again where nothing can be recorded.
#[test]
fn a_folder_is_drawn_again_from_its_data() {
    let place = Place::new();
    let book = Path::new(env!("CARGO_MANIFEST_DIR")).join("../notes/src/timelines");
    let (name, out) = ("01-two-clients", place.path("out"));
    fs::create_dir(&out).expect("a folder");
    fs::copy(book.join(format!("{name}.json")), out.join(format!("{name}.json"))).expect("it is there");
    let finished = place.start(&["timeline", "--draw", out.to_str().expect("text")]).wait(LONG);
    assert!(finished.status.success(), "{finished:?}");
    for ending in ["svg", "html"] {
        let text =
            |folder: &Path| fs::read_to_string(folder.join(format!("{name}.{ending}"))).expect("it is there");
        assert!(text(&out) == text(&book), "{ending}");
    }
}
