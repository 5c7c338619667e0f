//! `./lab table` as a program: what it refuses, and what it says of a server that dies.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::process::Command;
use test_support::{LONG, Place, Run, program, write_program};

/// The floor stands for stage 01: programs are looked for beside the harness.
fn table(place: &Place, args: &str) -> Run {
    let directory = place.path("built");
    fs::create_dir(&directory).expect("a directory");
    for program in ["harness", "floor", "webbench"].map(program) {
        let copy = directory.join(program.file_name().expect("a name"));
        fs::hard_link(&program, &copy).or_else(|_| fs::copy(&program, &copy).map(drop)).expect("a copy");
    }
    write_program(&directory.join("stage-01"), "exec \"$(dirname \"$0\")/floor\"");
    let mut command = place.command(directory.join("harness"));
    command.arg("table").arg("--out").arg(place.out()).args(args.split_whitespace());
    Run::start(command)
}

/// The process whose command line ends so, or None.
fn process(place: &Place, end: &str) -> Option<i32> {
    place.running().into_iter().find(|(_, command)| command.trim_end().ends_with(end)).map(|(pid, _)| pid)
}

#[test]
fn a_server_that_dies_is_reported_with_its_signal_and_has_served_no_client() {
    let place = Place::new();
    let mut run = table(&place, "--clients 4 --seconds 1 --rounds 1");
    // It is asked for its version before any server runs.
    let measures = |command: &str| command.contains("/webbench ") && !command.trim_end().ends_with("-V");
    run.wait_until("webbench", || place.running().iter().any(|(_, command)| measures(command)));
    let server = process(&place, "/floor").expect("it runs");
    kill(Pid::from_raw(server), Signal::SIGKILL).expect("it is of this place");
    let finished = run.wait(LONG);
    assert!(finished.complaint().contains("nothing was measured"), "{finished:?}");
    let records = place.records();
    let record = records.iter().find(|record| record.key.server == "01").expect("it was tried");
    let reason = record.skipped().expect("it failed");
    assert!(reason.starts_with("the server has died (signal: 9"), "{reason}");
    assert_eq!(
        (record.key.concurrency, record.served().clients, record.context.note.as_deref()),
        (4, 0, None)
    );
    assert_eq!(place.left_behind(LONG), [""; 0]);
}

/// webbench has a process for each client, and none is left to disturb the next run.
#[test]
fn no_client_outlives_a_harness_that_is_killed() {
    let place = Place::new();
    let mut run = table(&place, "--clients 30 --seconds 60 --rounds 1");
    run.wait_until("30 clients", || {
        place.running().iter().filter(|(_, command)| command.contains("/webbench ")).count() == 31
    });
    run.signal_and_wait(Signal::SIGKILL);
    assert_eq!(place.left_behind(std::time::Duration::from_secs(10)), [""; 0]);
}

#[test]
fn bad_input_gives_one_clear_line_and_no_file() {
    let rows: [(&[&str], &str); 11] = [
        (&["--clients", "0"], "--clients 0 is not possible"),
        (&["--clients", "1,many"], "'many' is no number"),
        (&["--clients", "-5"], "--clients: '-5' is no number"),
        (&["--seconds", "0"], "1 to 3600"),
        (&["--seconds", "1.5"], "1 to 3600"),
        (&["--seconds", "-1"], "1 to 3600"),
        (&["--rounds", "0"], "1 to 1000"),
        (&["--seed", "-1"], "0 to 18446744073709551615"),
        (&["--backlog", "5000"], "1 to 4096"),
        (&["--cpus", "0"], "SERVER:GENERATOR"),
        (&["--cpus", "4095:0"], "CPU 4095"),
    ];
    for (args, hint) in rows {
        let out = tempfile::tempdir().expect("a directory");
        let mut command = Command::new(env!("CARGO_BIN_EXE_harness"));
        let output =
            command.arg("table").args(args).arg("--out").arg(out.path()).output().expect("it was built");
        assert!(matches!(output.status.code(), Some(1 | 2)), "{args:?}: {output:?}");
        let first = String::from_utf8_lossy(&output.stderr).lines().next().unwrap_or_default().to_owned();
        assert!(first.contains(hint), "{args:?}: {first}");
        assert!(output.stdout.is_empty() && !out.path().join("data").exists(), "{args:?}: {output:?}");
    }
}
