//! The command line of the harness: each command is a function of a crate below, or glue between two of them.
//!
//! * `bench_all`: measured by `bench`, drawn by `figures`; `grade`: judged by `grader`, kept in `records`;
//! * `notes` and `book`, of the crate `book`: the generated parts of the book, its check, and all that can be
//!   read in one folder; `predict` and `reveal` ask its questions and measure the answers;
//! * `run_stage`, `step`, `distributed`, `doctor`, `test`: commands that nothing else needs.

mod bench_all;
mod distributed;
mod doctor;
mod grade;
mod run_stage;
mod step;
mod test;

use bench::recipes::{self, scenario, table};
use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand};
use figures::{charts, report};
use lab_core::clock::now;
use lab_core::host::Host;
use lab_core::{Usage, one_line};
use nix::sys::signal::{SigHandler, Signal, signal};
use std::process::ExitCode;

/// The exit status of a mistake in the command line.
const USAGE: u8 = 2;

/// What `./lab` has beside the commands: the recipes of the justfile that are none of them.
const MORE_RECIPES: &str = "\
More recipes of ./lab:
  setup           Install what is optional: ab, wrk, nginx, h2o, tsung, mdbook, strace, curl, nc
  notes           Open the book
  notes-generate  Write the generated parts of the book again: costs, diffs
  notes-calls     Record the system calls of one request for the book, by strace
  notes-check     Check that the book agrees with the tree
  grade-cmd       Ask any server that takes a port: ./lab grade-cmd './mine --port $PORT'
  grade-all       Grade every stage, its twins and its variants
  timelines       Record every timeline of the book again
  experiment      Examine a claim of the literature on this machine: ./lab experiment --list
  microbench      Measure wake-ups, timers, parsing, files, spawning and queues, without any server
  bench-queues    Compare stage 07's ring with other queues, without any network
  check           Format, clippy and the tests of every crate
  cargo-mutants   Change kit's protocol and the ring by a machine, and see whether their tests notice
  loom            Check the ring and its parker in every order in which their threads could run
  miri            Check the ring under Miri: needs a nightly toolchain with the miri component";

/// Runs, probes and measures the stages of the lab.
#[derive(Parser)]
// What a user types: the recipes of the justfile have the names of the commands.
#[command(name = "lab", bin_name = "./lab", version, arg_required_else_help = false)]
#[command(after_help = MORE_RECIPES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run a stage until Ctrl-C.
    Stage(run_stage::Args),
    /// The exercises that build: where you are and what comes next; opens one, and grades it at each save.
    Learn(learn::Args),
    /// Show what changed from one stage to the next, every file of it.
    Step(step::Args),
    /// Answer a chapter's questions before you read it: your guesses are kept.
    Predict(predict::PredictArgs),
    /// Measure what a chapter asks, and see each guess beside its result.
    Reveal(predict::RevealArgs),
    /// Ask a server what it can do, and compare with what is expected of it.
    Grade(grade::Args),
    /// Measure the stages with ab, wrk and webbench.
    #[command(visible_alias = "bench")]
    BenchAll(Box<recipes::bench_all::Args>),
    /// Measure a published table again (source 002's): a serial and a preforking server, webbench with 1 to
    /// 3,000 clients.
    Table(table::Args),
    /// Measure what a run of everything does not show: waiting at fixed rates, few clients and many, silent
    /// connections, a second CPU, more workers.
    #[command(arg_required_else_help = false)]
    Scenario(scenario::Args),
    /// Put load on a server from several hosts at once, by Tsung.
    Distributed(distributed::Args),
    /// Put load on a server that is running, and check its replies.
    Load(load::Args),
    /// Draw the charts again from recorded data.
    Chart(charts::Args),
    /// Draw the charts again, and write the page beside them.
    Report(charts::Args),
    /// Where the time of a stage goes: a flame graph, the states of its threads, system calls per request
    /// beside the floor's. Half a minute.
    Profile(profile::Args),
    /// Count the instructions and system calls of a request, and compare with the committed table: needs
    /// valgrind.
    Instructions(profile::instructions::Args),
    /// Say what is missing on this machine, or will distort the figures.
    Doctor,
    /// Build servers with one mistake each, and see whether the probe and the test that must catch it do.
    Mutants(mutants::Args),
    /// Record who waits for whom: a stage under strace, and a few clients; drawn as a page to step through.
    Timeline(timeline::Args),
    /// The same for any server that takes a port: ./lab timeline-cmd './mine --port $PORT'
    TimelineCmd(timeline::CmdArgs),
    /// Run the stages and their queues under the sanitizers of a nightly compiler.
    Sanitize(mutants::sanitize::Args),
    /// The generated parts of the book, and its check: `./lab notes-generate`, `notes-calls`, `notes-check`.
    // The recipe `notes` opens the book.
    #[command(hide = true)]
    Notes(book::Args),
    /// Build the book, the report, the timelines, slides and an EPUB into one folder for any static host.
    /// Half a minute.
    Book(book::site::Args),
    /// Everything that must hold: the checks of the code, every probe against every stage, a short bench.
    Test(test::Args),
}

fn main() -> ExitCode {
    // `harness … | head` ends quietly, as other programs do. Sockets are not concerned: std and nix send with
    // MSG_NOSIGNAL.
    // SAFETY: no thread runs yet and the action is the default one.
    let _ = unsafe { signal(Signal::SIGPIPE, SigHandler::SigDfl) };
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return refuse(&error),
    };
    let outcome = match cli.command {
        Command::Stage(args) => run_stage::run(args),
        Command::Learn(args) => learn::run(args),
        Command::Step(args) => step::run(args),
        Command::Predict(args) => predict::predict(args),
        Command::Reveal(args) => predict::reveal(args),
        Command::Grade(args) => grade::run(args),
        Command::BenchAll(args) => bench_all::run(*args),
        Command::Table(args) => bench_all::shown(table::run(args)),
        Command::Scenario(args) => scenario::run(args, &bench_all::show),
        Command::Distributed(args) => distributed::run(args),
        Command::Load(args) => load::run(args),
        Command::Chart(args) => charts::run(args),
        Command::Report(args) => report::run(args),
        Command::Profile(args) => profile::run(args),
        Command::Instructions(args) => profile::instructions::run(args),
        Command::Doctor => doctor::run(),
        Command::Mutants(args) => mutants::run(args),
        Command::Timeline(args) => timeline::run(args),
        Command::TimelineCmd(args) => timeline::run_cmd(args),
        Command::Sanitize(args) => mutants::sanitize::run(args),
        Command::Notes(args) => book::run(args, &Cli::command()),
        Command::Book(args) => book::site::run(args),
        Command::Test(args) => test::run(args),
    };
    outcome.unwrap_or_else(|error| {
        // One line: what was wrong, then why.
        eprintln!("lab: {}", chain(&error));
        if error.is::<Usage>() { ExitCode::from(USAGE) } else { ExitCode::FAILURE }
    })
}

/// The error and its causes in one line. Some libraries have the text of the cause in their own already, and
/// it would be there twice.
fn chain(error: &anyhow::Error) -> String {
    let mut parts: Vec<String> = Vec::new();
    for cause in error.chain().map(ToString::to_string) {
        if !parts.last().is_some_and(|last| last.contains(&cause)) {
            parts.push(cause);
        }
    }
    parts.join(": ")
}

/// What a file of records is called, but for its ending: `20260102T030405Z-1234567890-grades`.
fn data_name(host: &Host, what: &str) -> String {
    let commit = if host.commit.is_empty() { "nocommit" } else { &host.commit };
    format!("{}-{commit}-{what}", now().replace(['-', ':'], ""))
}

/// Help is printed as clap writes it; a mistake is one line. Returns the exit status.
fn refuse(error: &clap::Error) -> ExitCode {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        print!("{error}");
        return ExitCode::SUCCESS;
    }
    let line = one_line(error);
    match error.kind() {
        // clap itself names only the one that is alike, if any.
        ErrorKind::InvalidSubcommand => {
            let fault = line.trim_end_matches("; see --help");
            eprintln!("lab: {fault}; allowed are {}", subcommands().join(", "));
        }
        _ => eprintln!("lab: {line}"),
    }
    ExitCode::from(USAGE)
}

/// What may follow the commands that the user typed.
fn subcommands() -> Vec<String> {
    let mut command = Cli::command();
    for word in std::env::args().skip(1) {
        let Some(known) = command.find_subcommand(word) else { break };
        command = known.clone();
    }
    command.get_subcommands().map(|command| command.get_name().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::chain;
    use anyhow::Context;
    use std::io::Error;

    /// Protects the reader of an error from reading its cause twice.
    #[test]
    fn a_cause_that_was_told_is_not_told_again() {
        let denied = || Error::from_raw_os_error(13);
        let told = format!("cannot write x: {}", denied());
        assert_eq!(chain(&Err::<(), _>(denied()).context(told.clone()).unwrap_err()), told);
        assert_eq!(chain(&Err::<(), _>(denied()).context("cannot write x").unwrap_err()), told);
    }
}
