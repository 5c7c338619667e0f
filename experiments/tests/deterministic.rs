//! What the lab says of the deterministic claims, held: an experiment whose verdict changes has found that
//! the kernel, a stage or itself has changed.
//!
//! They run the stages and the exhibits as processes. `cargo test` builds the binary of a package only for
//! its own tests, so those that are not there are built here.

use experiments::experiment::all;
use experiments::report::{Report, Verdict};
use experiments::session::Session;
use std::path::Path;
use std::process::Command;
use std::sync::Once;

/// Builds the stages, once, in the profile of this test. Cargo does nothing where they are up to date.
fn build_the_stages() {
    static BUILT: Once = Once::new();
    BUILT.call_once(|| {
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--quiet", "--workspace", "--bins"]);
        if Path::new(env!("CARGO_BIN_EXE_experiment")).parent().is_some_and(|at| at.ends_with("release")) {
            build.arg("--release");
        }
        assert!(build.status().expect("cargo runs").success(), "the stages cannot be built");
    });
}

#[track_caller]
fn report(id: &str) -> Report {
    build_the_stages();
    let experiment = all().into_iter().find(|experiment| experiment.id == id).expect("it is built");
    experiment.report(&mut Session::silent()).expect("it runs")
}

#[track_caller]
fn ends_as(id: &str, verdict: Verdict) -> Report {
    let report = report(id);
    assert_eq!(report.judgement.verdict, verdict, "{}", report.judgement.because);
    report
}

#[track_caller]
fn value(report: &Report, name: &str) -> f64 {
    report.figures.value(name).expect("it was measured")
}

#[test]
fn an_edge_is_reported_once_and_a_level_again() {
    let report = ends_as("edge-or-level", Verdict::Holds);
    assert_eq!(value(&report, "edge, read once: reports of epoll"), 1.0);
    assert_eq!(value(&report, "level, read once: reports of epoll"), 2.0);
}

#[test]
fn a_pool_serves_as_many_clients_as_it_has_threads() {
    ends_as("pool-starves", Verdict::Holds);
}

#[test]
fn a_state_machine_makes_all_cuts_equal() {
    let report = ends_as("split-request", Verdict::Holds);
    let broken = value(&report, "a parser without memory: answered wrongly");
    assert_eq!(broken, value(&report, "cuts"), "no cut leaves a whole request");
}

#[test]
fn unread_bytes_cause_a_reset() {
    let report = ends_as("close-with-unread", Verdict::Depends);
    assert_eq!(value(&report, "503 sent, lingering close: ended by RST"), 0.0);
    assert_eq!(value(&report, "503 sent, lingering close: the peer got the reply"), 10.0);
}

#[test]
fn a_cycle_of_owners_leaks() {
    let report = ends_as("arc-cycle", Verdict::Holds);
    assert_eq!(value(&report, "token: alive when closed"), 0.0);
}

#[test]
fn a_write_behind_the_reset_raises_sigpipe() {
    let report = ends_as("sigpipe", Verdict::Depends);
    assert_eq!(value(&report, "stages of the lab"), value(&report, "stages of the lab that survive"));
    assert_eq!(value(&report, "ignored, 2 write(s), peer resets: killed"), 0.0);
}

#[test]
fn without_oneshot_two_workers_have_one_connection() {
    ends_as("two-threads-one-fd", Verdict::Holds);
}

#[test]
fn the_ring_of_the_source_is_broken_and_that_of_stage_07_is_not() {
    let report = ends_as("seed-ring", Verdict::Refuted);
    assert_eq!(value(&report, "stage 07: states with a fault"), 0.0);
    assert!(value(&report, "stage 07: states") > 20.0, "the model visits something");
}

#[test]
fn a_listener_that_closes_at_once_resets_what_waits_and_every_stage_answers_it() {
    let report = ends_as("listener-closed-at-once", Verdict::Holds);
    assert_eq!(value(&report, "closes its listener at once (exhibit): reset"), 20.0);
}

#[test]
fn the_tables_of_source_002_are_pages_per_minute() {
    let report = ends_as("units", Verdict::Refuted);
    assert_eq!(value(&report, "divisible by 6 (a run of 10 s)"), 77.0);
}
