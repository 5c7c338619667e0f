//! `./lab stage N`: runs a stage on the terminal until Ctrl-C.

use crate::Cli;
use anyhow::{Context, Result};
use clap::CommandFactory;
use lab_core::server_process::{EndedEarly, Launch, Server, Stderr, override_options};
use lab_core::stages::{self, Stage};
use lab_core::whole;
use nix::sys::signal::Signal;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitCode, ExitStatus};
use std::time::Duration;

/// Where a stage listens unless another place is named.
const DEFAULT_ADDR: &str = "127.0.0.1:8080";

/// The options.
#[derive(clap::Args)]
#[command(disable_help_flag = true, override_usage = "./lab stage [OPTIONS] <STAGE> [STAGE OPTIONS]...")]
pub(crate) struct Args {
    /// Print help; behind a stage: that stage's options.
    #[arg(short, long)]
    help: bool,

    /// Listen on this port of 127.0.0.1; 0 is any.
    #[arg(long, value_parser = whole::<u16>(0..=65_535))]
    port: Option<u16>,

    /// The stage or twin: 4, 04, 5-mio.
    #[arg(required_unless_present = "help")]
    stage: Option<String>,

    /// Options for the stage (`stage 4 --help` lists them); from the first one on all are the stage's.
    #[arg(value_name = "STAGE OPTIONS", allow_hyphen_values = true)]
    options: Vec<String>,
}

/// Runs it.
pub(crate) fn run(mut args: Args) -> Result<ExitCode> {
    let Some(name) = args.stage.take() else {
        let mut lab = Cli::command();
        lab.build();
        lab.find_subcommand_mut("stage").context("it was typed")?.print_help()?;
        return Ok(ExitCode::SUCCESS);
    };
    let stages = stages::discover()?;
    let stage = stages::find(&stages, &name)?;
    let launch = launch(stage, &args);
    if args.help || launch.args.iter().any(|arg| matches!(arg.as_str(), "--help" | "-h" | "--version" | "-V"))
    {
        return Ok(exit_code(launch.command()?.status()?));
    }
    // Before the server starts: a Ctrl-C between the two must not leave it behind.
    let signals = Signals::new([SIGINT, SIGTERM]).context("cannot catch signals")?;
    let server = match launch.start() {
        Ok(server) => server,
        // The stage said in one line on the terminal what was wrong. Its status stands for itself.
        Err(error) => match error.downcast_ref::<EndedEarly>() {
            Some(EndedEarly(status)) => return Ok(exit_code(*status)),
            None => return Err(error),
        },
    };
    introduce(stage, server.addr, server.pid(), protocol(&launch.args));
    Ok(exit_code(follow(server, signals)))
}

fn launch(stage: &Stage, args: &Args) -> Launch {
    let addr = args.port.map_or(DEFAULT_ADDR.to_owned(), |port| format!("127.0.0.1:{port}"));
    let mut launch = stage.launch(&override_options(&["--addr".to_owned(), addr], &args.options));
    launch.args.extend(args.help.then(|| "--help".to_owned()));
    launch.stderr = Stderr::Inherited;
    launch
}

/// Passes each signal on exactly once until the server ends. The server has a process group of its own, so a
/// Ctrl-C of the terminal reaches it only through here.
fn follow(mut server: Server, mut signals: Signals) -> ExitStatus {
    loop {
        for signal in signals.pending() {
            if let Ok(signal) = Signal::try_from(signal) {
                server.signal(signal);
            }
        }
        if let Some(status) = server.wait(Duration::from_millis(20)) {
            return status;
        }
    }
}

/// As a shell shows it: 128 + n for a death by signal n.
fn exit_code(status: ExitStatus) -> ExitCode {
    let code = status.code().or(status.signal().map(|signal| 128 + signal)).unwrap_or(1);
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}

fn protocol(args: &[String]) -> &str {
    let value = args.iter().position(|arg| arg == "--protocol").and_then(|at| args.get(at + 1));
    value.map_or("http", String::as_str)
}

fn introduce(stage: &Stage, addr: SocketAddr, pid: i32, protocol: &str) {
    let (host, port) = (addr.ip(), addr.port());
    println!("Stage {}, {}, listens on {addr} ({protocol}); its pid is {pid}.", stage.name, stage.title);
    println!("{}", stage.idea);
    println!();
    println!("Try:");
    if protocol == "echo" {
        println!("  printf 'hello\\n' | nc -q1 {host} {port}");
        println!("  nc {host} {port}          # type, and see it come back; in two terminals at once?");
        println!("  head -c 1000000 /dev/zero | nc -q1 {host} {port} | wc -c");
    } else {
        let held = stage.serves_at_once.map_or(64, |limit| limit.min(64));
        println!("  curl -v http://{addr}/");
        println!("  printf 'GET / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n' | nc -q1 {host} {port}");
        println!("  wrk -t1 -c{held} -d2s http://{addr}/");
    }
    println!();
    println!("Read: notes/src/{}", stage.chapter);
    println!("Stop: Ctrl-C");
}
