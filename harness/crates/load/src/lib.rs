//! Two load generators that can be used alone: the built-in one, and in [`webbench`] a clean-room driver that
//! counts as webbench 1.5 does. Neither knows a stage, a plan or a record: they get a URL and report what
//! they counted.
//!
//! `./lab load` is the built-in one.
//!
//! It exists because the others each hide something: what they count as a success, how long a request really
//! waited, how many of the clients were served at all. It drives a server in one of two ways:
//!
//! * a **closed loop**: each client asks again when it was answered. It finds the most that a server can do.
//!   A server that stalls is asked less during the stall, so the times hide the wait (*coordinated
//!   omission*);
//! * an **open loop** (`--rate`): the times of sending are fixed beforehand, as if by independent users, and
//!   a latency counts from the time at which the request should have been sent.
//!
//! Modules:
//!
//! * `options`: the command line, validated; `target`: the URL and the request;
//! * `reply`: bytes in, verdicts out; `reference`: the body that is expected; `template`: the short cut for
//!   a reply that repeats the one before; `connection`: the requests of one connection. None of them makes a
//!   system call;
//! * `schedule`: when requests should leave; `mix`: which of them ask for another path;
//! * `slot`: a client with its socket; `worker`: a thread's clients; `event_loop`: when they send;
//! * `turns`: two loads on one thread, each in its turn;
//! * `bystanders`: idle and slow clients beside the load;
//! * `failure` and `tally`: what is counted; `report` and `progress`: what the user sees.

mod bystanders;
mod connection;
mod event_loop;
mod failure;
mod mix;
mod options;
mod progress;
mod reference;
mod reply;
mod report;
mod run;
mod schedule;
mod settings;
mod slot;
mod tally;
mod target;
mod template;
mod turns;
pub mod webbench;
mod worker;

pub use mix::Mix;
pub use options::Args;
pub use report::{PathReport, Report};
pub use run::{measure, measure_silently, raise_descriptor_limit};
pub use target::Target;
pub use turns::{Boundary, Turns, alternate};

use anyhow::{Result, bail};
use std::process::ExitCode;

/// Puts the load on the server and reports. Wrong replies are reported and leave the exit status alone; it is
/// a failure when no request at all was answered right, and when a client was never connected: then the load
/// was not the one that was asked for.
pub fn run(args: Args) -> Result<ExitCode> {
    let (json, connections) = (args.json, args.connections);
    let report = measure(&args)?;
    if json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        println!("{}", report.table());
    }
    if report.interrupted {
        return Ok(ExitCode::from(130));
    }
    if report.main.requests == 0 {
        bail!("no request was answered right: {}", report.complaint());
    }
    match report.clients_never_connected {
        0 => Ok(ExitCode::SUCCESS),
        missing => bail!("{missing} of {connections} clients never connected"),
    }
}
