//! The command line of the harness: each command is a function of a crate below, or glue between two of them.
//!
//! * `bench_all`: measured by `bench`, drawn by `figures`; `grade`: judged by `grader`, kept in `records`;
//! * `run_stage`, `step`, `distributed`, `doctor`, `test`: commands that nothing else needs.

mod bench_all;
mod distributed;
mod doctor;
mod grade;
mod run_stage;
mod step;
mod test;

use bench::recipes::{self, scenario, table};
use clap::{Parser, Subcommand};
use figures::{charts, report};
use nix::sys::signal::{SigHandler, Signal, signal};
use std::process::ExitCode;

/// Runs, probes and measures the stages of the lab.
#[derive(Parser)]
#[command(version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run a stage until Ctrl-C.
    Stage(run_stage::Args),
    /// Show what changed from one stage to the next, every file of it.
    Step(step::Args),
    /// Ask a server what it can do, and compare with what is expected of it.
    Grade(grade::Args),
    /// Measure the stages with ab, wrk and webbench.
    #[command(visible_alias = "bench")]
    BenchAll(recipes::bench_all::Args),
    /// Measure a published table again (source 002's): a serial and a preforking server, webbench with 1 to
    /// 3,000 clients.
    Table(table::Args),
    /// Measure what a run of everything does not show: waiting at fixed rates, few clients and many, silent
    /// connections, a second CPU, more workers.
    Scenario(scenario::Args),
    /// Put load on a server from several hosts at once, by Tsung.
    Distributed(distributed::Args),
    /// Put load on a server that is running, and check its replies.
    Load(load::Args),
    /// Draw the charts again from recorded data.
    Chart(charts::Args),
    /// Draw the charts again, and write the page beside them.
    Report(charts::Args),
    /// Say what is missing on this machine, or will distort the figures.
    Doctor(doctor::Args),
    /// Everything that must hold: the checks of the code, every probe against every stage, a short bench.
    Test(test::Args),
}

fn main() -> ExitCode {
    // `harness … | head` ends quietly, as other programs do. Sockets are not concerned: std and nix send with
    // MSG_NOSIGNAL.
    // SAFETY: no thread runs yet and the action is the default one.
    let _ = unsafe { signal(Signal::SIGPIPE, SigHandler::SigDfl) };
    let outcome = match Cli::parse().command {
        Command::Stage(args) => run_stage::run(args),
        Command::Step(args) => step::run(args),
        Command::Grade(args) => grade::run(args),
        Command::BenchAll(args) => bench_all::run(args),
        Command::Table(args) => bench_all::shown(table::run(args)),
        Command::Scenario(args) => scenario::run(args, &bench_all::show),
        Command::Distributed(args) => distributed::run(args),
        Command::Load(args) => load::run(args),
        Command::Chart(args) => charts::run(args),
        Command::Report(args) => report::run(args),
        Command::Doctor(args) => doctor::run(args),
        Command::Test(args) => test::run(args),
    };
    outcome.unwrap_or_else(|error| {
        // One line: what was wrong, then why.
        eprintln!("harness: {error:#}");
        ExitCode::FAILURE
    })
}
