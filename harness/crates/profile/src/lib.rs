//! `./lab profile N`: where does the time go?
//!
//! A request costs CPU time, and it waits. Neither is seen in requests per second:
//!
//! * **on a CPU**: a flame graph of the stacks that perf finds, the kernel's included (`on_cpu`); where the
//!   kernel forbids perf, the user's share by callgrind and the system's by strace (`callgrind`);
//! * **off the CPU**: how long each thread was ready without a CPU and how long it waited, and for what: from
//!   `/proc/PID/task/TID/schedstat`, and from looks at which system call it is in (`states`, `threads`);
//! * **what the kernel is asked for**: system calls, context switches and wake-ups for each request,
//!   beside those of the floor, which does what no server can do without (`calls`).
//!
//! `./lab instructions` counts what one request costs, and compares with a committed table (`instructions`).
//!
//! Each has a server of its own and the same load (`target`), since strace slows a server down tenfold and
//! what is measured beside it would mean nothing.

mod callgrind;
mod calls;
pub mod instructions;
mod on_cpu;
mod report;
mod states;
mod target;
mod threads;

pub use calls::{COUNT, Strace, table};

use anyhow::{Context, Result};
use lab_core::server_process::Launch;
use lab_core::stages::{binary_directory, discover, find};
use lab_core::{Usage, whole};
use report::Report;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use target::{Load, Target};

/// The options of `./lab profile`.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// The stage or twin: 4, 04, 5-mio.
    #[arg(value_name = "STAGE")]
    stage: String,
    /// The load: options of `./lab load`, and the path: '-c 1 --close /bytes/4096'.
    #[arg(long, value_name = "WORDS", default_value = "-c 64 /", allow_hyphen_values = true)]
    load: String,
    /// Seconds under load, five times: with and without strace for the stage and for the floor, and with
    /// perf.
    #[arg(long, value_name = "N", default_value = "3", value_parser = whole::<u64>(1..=600))]
    seconds: u64,
    /// The CPUs of the server and of the generator; default: the first one and the second one.
    #[arg(long, value_name = "SERVER:GENERATOR")]
    cpus: Option<String>,
    /// Where the flame graph and the tables go [default: results/look/profile-NN]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Options of the stage, behind `--`.
    #[arg(last = true, value_name = "STAGE OPTIONS")]
    options: Vec<String>,
}

/// Profiles a stage, writes the pictures and tables, and prints the tables. What a tool that is missing or
/// not allowed would have shown is left out with a line that says what to install or to allow.
///
/// # Errors
/// The stage does not run or does not answer, or the results cannot be written.
pub fn run(args: Args) -> Result<ExitCode> {
    let load = Load::parse(&args.load, Duration::from_secs(args.seconds)).map_err(Usage::of)?;
    let all = discover()?;
    let stage = find(&all, &args.stage)?;
    let (server_cpus, generator_cpus) = bench::cpus::cpus(args.cpus.as_deref())?;
    let mut launch = stage.launch(&args.options);
    launch.cpus = Some(server_cpus.clone());
    let server = Target { name: stage.name.clone(), launch, generator_cpus: generator_cpus.clone() };
    let floor = load.floor_options().map(|options| {
        let mut launch = Launch::new(binary_directory()?.join("floor"));
        (launch.args, launch.cpus) = (options, Some(server_cpus.clone()));
        anyhow::Ok(Target { name: "floor".to_owned(), launch, generator_cpus })
    });
    let floor = floor.transpose()?;
    let out = args.out.unwrap_or_else(|| format!("results/look/profile-{}", stage.name).into());
    fs::create_dir_all(&out).with_context(|| format!("cannot write to {}", out.display()))?;
    let mut report = Report::new(stage, &args.options, &load);
    // First what disturbs nothing.
    let states = states::measure(&server, &load)?;
    let beside = floor.as_ref().map(|floor| states::measure(floor, &load)).transpose()?;
    report.states(&states, beside.as_ref());
    let counted = match part(calls::count(&server, &load)) {
        Ok(counted) => {
            let of_floor = floor.as_ref().and_then(|floor| part(calls::count(floor, &load)).ok());
            report.calls(&counted, of_floor.as_ref());
            Some(counted)
        }
        Err(missing) => {
            report.left_out("the system calls per request", &missing);
            None
        }
    };
    match part(on_cpu::record(&server, &load, &out)) {
        Ok(stacks) => report.on_cpu(&stacks),
        Err(missing) => {
            report.left_out("the flame graph", &missing);
            match part(callgrind::count(&server, &load)) {
                Ok(shares) => report.without_perf(&shares, counted.as_ref()),
                Err(missing) => report.left_out("the user's share", &missing),
            }
        }
    }
    let page = out.join("README.md");
    let text = report.text();
    fs::write(&page, &text).with_context(|| format!("cannot write {}", page.display()))?;
    print!("{text}");
    println!("page    {}", page.display());
    Ok(ExitCode::SUCCESS)
}

/// A part whose tool is there and fails is left out like one whose tool is missing: the server and the load
/// were good when nothing looked at them.
fn part<T>(outcome: Result<Result<T, Missing>>) -> Result<T, Missing> {
    outcome.unwrap_or_else(|error| Err(format!("{error:#}").replace('\n', "; ")))
}

/// Why a part is left out: what is missing, and the command that installs or allows it.
pub type Missing = String;
