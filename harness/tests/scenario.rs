//! `harness scenario` as a program: small numbers, real stages.

use lab_core::stages::discover;
use nix::sys::signal::Signal;
use records::{Content, DirLock, Phase, newest, read, slow, spin};
use std::fs;
use std::process::Command;
use test_support::{LONG, Place, lines, measured};

fn scenario(place: &Place, args: &str) -> test_support::Run {
    let out = place.out().display().to_string();
    let words: Vec<&str> = ["scenario"].into_iter().chain(args.split_whitespace()).collect();
    place.start(&[&words[..], &["--out", &out]].concat())
}

/// The stages that this needs are built with the workspace; a test of the harness alone has none.
fn is_built(names: &[&str]) -> bool {
    let stages = discover().expect("a workspace");
    let missing: Vec<&&str> = names
        .iter()
        .filter(|name| !stages.iter().any(|stage| stage.name == **name && stage.binary.is_file()))
        .collect();
    if !missing.is_empty() {
        eprintln!("SKIPPED: not built: {missing:?}; `cargo build --workspace --bins`");
    }
    missing.is_empty()
}

#[test]
fn more_workers_are_measured_where_a_stage_has_them() {
    if !is_built(&["01", "04", "06"]) {
        return;
    }
    let place = Place::new();
    let args = "spin --stages 1,4,6 --workers 1,2 --spin 200 --clients 8 --rounds 2";
    let run = scenario(&place, args);
    let finished = run.wait(LONG);
    assert!(finished.status.success(), "{finished:?}");
    assert_eq!(finished.lines_with(&["6 points in 2 rounds; about "]), 1, "{finished:?}");
    assert_eq!(finished.lines_with(&["skipped: 01: it serves one client at a time"]), 1, "{finished:?}");
    for words in ["of the ideal", "04 Non-blocking epoll", "06 EPOLLONESHOT", "data    "] {
        assert!(finished.stdout.contains(words), "{words}: {finished:?}");
    }
    let records = place.records();
    assert!(records.iter().all(|record| record.key.phase == Phase::Spin && record.key.path == "/spin/200"));
    assert_eq!((records.len(), measured(&records).count()), (7, 6), "{records:#?}");
    let points = spin(&records);
    let found: Vec<_> = points.iter().map(|point| (point.stage.as_str(), point.workers)).collect();
    assert_eq!(found, [("04", None), ("06", Some(1)), ("06", Some(2))]);
    for point in &points {
        assert_eq!(
            (point.errors, point.clients, point.clients_served, point.rounds),
            (0, 8, 8, 2),
            "{point:?}"
        );
        // One worker can do no more than the busy time allows, however fast the machine is.
        let most = point.ideal(200.0) * 1.02;
        assert!((1.0..most).contains(&point.requests_per_second.median), "{point:?}");
        // The busy time is CPU time. What is counted here begins and ends beside the requests, so not quite
        // all of it is seen.
        assert!(point.cpu_us_per_request.is_some_and(|cost| cost.median > 180.0), "{point:?}");
    }
    // Everything is there, so the same command is another run.
    assert_eq!(place.data_files(), [newest(&place.out().join("data"), Content::Spin).expect("its file")]);
    assert_eq!(place.left_behind(LONG), [""; 0]);
}

#[test]
fn quick_requests_are_told_from_the_slow_ones_beside_them() {
    if !is_built(&["04", "06"]) {
        return;
    }
    let place = Place::new();
    let args =
        "slow --stages 4,6 --workers 3 --mix 10:/sleep/40 --rate 100 --clients 16 --seconds 1 --rounds 1";
    let finished = scenario(&place, args).wait(LONG);
    assert!(finished.status.success(), "{finished:?}");
    assert!(finished.stdout.contains("10 % of 100 requests a second ask for /sleep/40"), "{finished:?}");
    let records = place.records();
    assert!(records.iter().all(|record| record.key.phase == Phase::Slow), "{records:#?}");
    let [four, six] = slow(&records).try_into().expect("two servers");
    assert_eq!((four.workers, six.workers), (None, Some(3)));
    for point in [&four, &six] {
        assert_eq!((point.errors, point.clients, point.percent), (0, 16, 10), "{point:?}");
        assert!(point.slow_p50.is_some_and(|slow| slow.median >= 39_000.0), "{point:?}");
        let record = records.iter().find(|record| record.key.server == point.stage).expect("it was measured");
        let mix = record.mix().expect("it has one");
        let figures = record.figures().expect("it was measured");
        assert!((5..=11).contains(&mix.requests), "one in ten of about a hundred: {mix:?}");
        assert!(figures.requests <= 91 && figures.requests > mix.requests, "{figures:?}");
    }
    // The one loop sleeps, and a request that comes meanwhile waits: at least one of a hundred.
    assert!(four.p99.median >= 10_000.0, "{four:?}");

    let drawn = place.start(&["chart", "--out", &place.out().display().to_string()]).wait(LONG);
    assert!(drawn.status.success() && place.out().join("slow.svg").is_file(), "{drawn:?}");
}

#[test]
fn an_interrupted_scenario_keeps_what_is_done_and_goes_on() {
    if !is_built(&["04", "06"]) {
        return;
    }
    let place = Place::new();
    let args = "spin --stages 4,6 --workers 1 --clients 4 --rounds 2";
    let mut run = scenario(&place, args);
    run.wait_until("a record", || measured(&place.records()).count() >= 1);
    let finished = run.signal_and_wait(Signal::SIGINT);
    assert_eq!(finished.status.code(), Some(130), "{finished:?}");
    assert_eq!(finished.lines_with(&["interrupted; what was measured is in"]), 1, "{finished:?}");
    assert_eq!(place.left_behind(LONG), [""; 0]);
    let before = measured(&place.records()).count();
    assert!((1..4).contains(&before), "it was the middle of the run");

    let finished = scenario(&place, args).wait(LONG);
    assert!(finished.status.success(), "{finished:?}");
    assert_eq!(finished.lines_with(&["going on with", &format!("{before} of 4 points")]), 1, "{finished:?}");
    assert_eq!((place.data_files().len(), measured(&place.records()).count()), (1, 4));
}

/// A run that can go on is recognised by its command, not by being the last one there. The terminal is closed
/// meanwhile.
#[test]
fn the_same_command_goes_on_whatever_was_run_after_it() {
    if !is_built(&["04", "06"]) {
        return;
    }
    let place = Place::new();
    let args = "spin --stages 4,6 --workers 1 --clients 4 --rounds 2";
    let interrupted = |args: &str, files: usize| {
        let mut run = scenario(&place, args);
        run.wait_until("a record in a file of its own", || {
            let found = place.data_files();
            found.len() == files && found.iter().all(|file| !lines(file).0.is_empty())
        });
        let finished = run.signal_and_wait(Signal::SIGHUP);
        assert_eq!(finished.status.code(), Some(130), "{finished:?}");
        assert_eq!(place.left_behind(LONG), [""; 0]);
        finished
    };
    interrupted(&format!("{args} --seed 1"), 1);
    let first = place.data_files().remove(0);
    interrupted(&format!("{args} --seconds 2"), 2);
    let finished = interrupted(&format!("{args} --seed 2"), 3);
    assert_eq!(finished.lines_with(&["is unfinished, but it has another seed"]), 1, "{finished:?}");

    let finished = scenario(&place, &format!("{args} --seed 1")).wait(LONG);
    assert!(finished.status.success(), "{finished:?}");
    let file = first.display().to_string();
    assert_eq!(finished.lines_with(&["going on with", &file]), 1, "{finished:?}");
    assert_eq!(measured(&read(&first).expect("every line is a record")).count(), 4);
}

/// To begin anew without a word would be to lose the hour that is in the file.
#[test]
fn a_damaged_file_is_not_passed_over() {
    if !is_built(&["04"]) {
        return;
    }
    let place = Place::new();
    let args = "spin --stages 4 --clients 4 --rounds 2";
    let mut run = scenario(&place, args);
    run.wait_until("a record", || measured(&place.records()).count() == 1);
    run.signal_and_wait(Signal::SIGINT);
    let file = place.data_files().remove(0);
    let damaged = fs::read_to_string(&file).expect("it is there") + "{\"stage\":\n";
    fs::write(&file, &damaged).expect("written");

    let finished = scenario(&place, args).wait(LONG);
    let line = finished.complaint();
    assert!(line.contains(", line 2") && line.contains("--fresh"), "{line}");
    assert_eq!(place.data_files(), [file.as_path()]);
    assert_eq!(fs::read_to_string(&file).expect("it is there"), damaged);
    assert!(scenario(&place, &format!("{args} --fresh")).wait(LONG).status.success());
}

/// Nothing else shows that somebody measures here already, before the first record is written.
#[test]
fn a_second_run_in_the_same_place_is_refused_at_once() {
    if !is_built(&["04"]) {
        return;
    }
    let place = Place::new();
    let claim = DirLock::on(&place.out().join("data")).expect("nobody is there");
    for args in
        ["spin --stages 4 --rounds 1", "slow --stages 4 --rounds 1", "spin --stages 4 --rounds 1 --fresh"]
    {
        let finished = scenario(&place, args).wait(LONG);
        let line = finished.complaint();
        assert!(line.contains("another run measures into") && line.contains("wait for its end"), "{line}");
        assert!(place.data_files().is_empty(), "{args}");
    }
    drop(claim);
    let finished = scenario(&place, "spin --stages 4 --clients 4 --rounds 1").wait(LONG);
    assert!(finished.status.success(), "{finished:?}");
}

#[test]
fn bad_input_gives_one_clear_line_and_no_file() {
    let rows: [(&[&str], &str); 14] = [
        (&["spin", "--workers", "0"], "--workers 0 is not possible: 1 to 1024"),
        (&["spin", "--workers", "1,many"], "'many' is no number"),
        (&["spin", "--spin", "0"], "1000000"),
        (&["spin", "--spin", "20000"], "give --seconds 3 or more"),
        (&["spin", "--workers", "-1"], "'-1' is no number"),
        (&["spin", "--stages", "99"], "no stage `99`"),
        (&["spin", "--cpus", "0"], "SERVER:GENERATOR"),
        (&["spin", "--cpus", "a:b"], "0:1"),
        (&["spin", "--seed", "-1"], "0 to 18446744073709551615"),
        (&["slow", "--rounds", "1.5"], "1 to 1000 "),
        (&["slow", "--mix", "5"], "PERCENT:PATH"),
        (&["slow", "--mix", "200:/sleep/50"], "1 to 99 per cent"),
        (&["slow", "--rate", "0"], "1000000"),
        (&["slow", "--rounds", "0"], "1 to 1000 "),
    ];
    for (args, hint) in rows {
        let out = tempfile::tempdir().expect("a directory");
        let mut command = Command::new(env!("CARGO_BIN_EXE_harness"));
        let output =
            command.arg("scenario").args(args).arg("--out").arg(out.path()).output().expect("it was built");
        assert!(matches!(output.status.code(), Some(1 | 2)), "{args:?}: {output:?}");
        let first = String::from_utf8_lossy(&output.stderr).lines().next().unwrap_or_default().to_owned();
        assert!(first.contains(hint), "{args:?}: {first}");
        assert!(output.stdout.is_empty() && !out.path().join("data").exists(), "{args:?}: {output:?}");
    }
}

/// A load that could not show what it asks for is refused, and the reason is recorded.
#[test]
fn a_mixed_path_that_is_wrong_or_too_slow_is_not_measured() {
    if !is_built(&["04"]) {
        return;
    }
    for (mix, reason) in [("5:/nope", "404"), ("5:/sleep/300", "give --seconds 4 or more")] {
        let place = Place::new();
        let run = scenario(&place, &format!("slow --stages 4 --mix {mix} --seconds 2 --rounds 1"));
        let finished = run.wait(LONG);
        assert_eq!(finished.status.code(), Some(1), "{finished:?}");
        assert_eq!(finished.lines_with(&[reason]), 1, "{finished:?}");
        let records = place.records();
        assert!(records.iter().all(|record| record.figures().is_none()), "{records:#?}");
        assert!(records[0].skipped().is_some_and(|said| said.contains(reason)), "{records:#?}");
    }
}

/// Protects the declaration that the scenarios rely on: it says what the stage's own help says.
#[test]
fn a_stage_declares_its_workers() {
    let stages = discover().expect("a workspace");
    let mut looked_at = 0;
    for stage in stages.iter().filter(|stage| stage.binary.is_file()) {
        let help = Command::new(&stage.binary).arg("--help").output().expect("it was built");
        let has_option = String::from_utf8_lossy(&help.stdout).contains("--workers ");
        assert_eq!(stage.has_workers, has_option, "stage {}: `workers` in its Cargo.toml", stage.name);
        looked_at += 1;
    }
    if looked_at == 0 {
        eprintln!("SKIPPED: no stage is built; `cargo build --workspace --bins`");
    }
}
