//! `./lab profile` as a program: a real stage for a second.

use lab_core::stages::discover;
use std::fs;
use test_support::{LONG, Place};

/// The stage that this needs is built with the workspace; a test of the harness alone has none.
fn is_built(name: &str) -> bool {
    let stages = discover().expect("a workspace");
    let is_built = stages.iter().any(|stage| stage.name == name && stage.binary.is_file());
    if !is_built {
        eprintln!("SKIPPED: not built: {name}; `cargo build --workspace --bins`");
    }
    is_built
}

/// Protects the page: what was seen is there, what a machine does not have is named with what mends it, and
/// nothing is left running.
#[test]
fn the_page_has_each_part_or_says_what_is_missing() {
    if !is_built("07") {
        return;
    }
    let place = Place::new();
    let out = place.out().display().to_string();
    let words = ["profile", "7", "--seconds", "1", "--load", "-c 8 /", "--out", &out, "--", "--workers", "2"];
    let finished = place.start(&words).wait(2 * LONG);
    assert!(finished.status.success(), "{finished:?}");
    let page = fs::read_to_string(place.out().join("README.md")).expect("a page");
    assert!(finished.stdout.contains(page.trim_end()), "the terminal shows the page");
    for words in
        ["stage 07", "--workers 2", "## Running, ready, waiting", "## For each request", "CPU time, µs"]
    {
        assert!(page.contains(words), "{words}: {page}");
    }
    // Reactor and workers each have a row; those wait in epoll or for the reactor.
    assert!(page.matches("| worker ").count() == 2 && page.contains("epoll_wait"), "{page}");
    let parts = [
        ("## System calls for each request", "apt-get install strace", "ptrace_scope"),
        ("## On the CPU", "apt-get install linux-perf", "perf_event_paranoid"),
    ];
    for (part, install, allow) in parts {
        assert!([part, install, allow].iter().any(|words| page.contains(words)), "{part}: {page}");
    }
    if page.contains("[The flame graph]") {
        let svg = fs::read_to_string(place.out().join("on-cpu.svg")).expect("a picture");
        assert!(svg.contains("<svg") && svg.contains("Stage 07 on its CPU"), "{svg}");
    }
    assert_eq!(place.left_behind(LONG), [""; 0]);
}

/// Protects a machine without tools: the page has what can be seen without them.
#[test]
fn without_tools_the_states_are_there_and_each_missing_tool_is_named() {
    if !is_built("04") {
        return;
    }
    let place = Place::new();
    let out = place.out().display().to_string();
    let harness = test_support::program("harness");
    let mut command = place.command(harness);
    command.env("PATH", place.path("bin")).args(["profile", "4", "--seconds", "1", "--out", &out]);
    let finished = test_support::Run::start(command).wait(2 * LONG);
    assert!(finished.status.success(), "{finished:?}");
    for words in ["## Running, ready, waiting", "install strace", "install linux-perf", "install valgrind"] {
        assert!(finished.stdout.contains(words), "{words}: {finished:?}");
    }
}
