//! `harness table`: a published table, measured again.
//!
//! Its author measured a serial server and a preforking one with webbench, from 1 to 3,000 clients, with an
//! accept queue of five, and asked why the serial one drops at ten clients. The same table is measured here,
//! with a column that it did not have: how often the accept queue was full.
//!
//! `rows`: the servers.

mod rows;

use super::options::{Measured, Options};
use super::select::clients;
use super::whole_number::whole;
use crate::cpus::cpus;
use crate::engine::{Clients, Method, Outcome, Point, Setup};
use crate::generators::{Load, Tool};
use anyhow::{Result, bail};
use lab_core::stages::discover;
use records::{Content, Phase};
use rows::rows;
use std::time::Duration;

/// The options of `harness table`.
#[derive(clap::Args, Clone, Debug)]
#[command(
    after_help = "Source 002 is a web server that a fellow learner wrote step by step. Its author published this table, \
                        made with webbench and an accept queue of five, and asked why the serial server drops at ten \
                        clients. The chart shows the published figures beside those measured here."
)]
pub struct Args {
    /// Clients at once.
    #[arg(
        long,
        value_name = "LIST",
        default_value = "1,2,5,10,20,50,100,200,500,1000,2000,2500,3000",
        allow_negative_numbers = true
    )]
    clients: String,
    /// Seconds per point. A client whose connection found the accept queue full tries again after 1, 3, 7, 15
    /// s: the table was first made with 30.
    #[arg(long, value_name = "SECONDS", default_value = "1", allow_negative_numbers = true, value_parser = whole::<u32>(1..=3600))]
    seconds: u32,
    /// How many connections may wait to be accepted; 5 as when the table was first made.
    #[arg(long, value_name = "N", default_value_t = 5, allow_negative_numbers = true, value_parser = whole::<u16>(1..=4096))]
    backlog: u16,
    /// The CPUs of the servers and of webbench; default: the first one and the second one, also for two
    /// processes.
    #[arg(long, value_name = "SERVER:GENERATOR")]
    cpus: Option<String>,
    #[command(flatten)]
    options: Options,
}

/// Measures and records.
pub fn run(args: Args) -> Result<Outcome> {
    let clients = clients(&args.clients, "--clients")?;
    let (server_cpus, generator_cpus) = cpus(args.cpus.as_deref())?;
    let webbench = match Tool::Webbench.find() {
        Ok(found) => found,
        Err(install) => bail!("webbench is not installed: {install}"),
    };
    let load = Load {
        keep_alive: false,
        duration: Duration::from_secs(args.seconds.into()),
        cpus: Some(generator_cpus),
        ..Load::new("/")
    };
    let subjects = rows(&discover()?, args.backlog);
    let points = points(subjects.len(), &clients, &load);
    let measured = Measured { content: Content::Table, subjects, points, rounds: 5 };
    args.options.measure(measured, Setup::new(vec![webbench], server_cpus)?)
}

/// Every row with every number of clients.
fn points(rows: usize, clients: &[usize], load: &Load) -> Vec<Point> {
    let point = |subject, clients| Point {
        subject,
        phase: Phase::Table,
        tool: Tool::Webbench,
        // It does not know which clients were served.
        method: Method::Closed(Clients::Assumed),
        load: Load { concurrency: clients, ..load.clone() },
        idle: None,
        rounds: u32::MAX,
        fresh: true,
    };
    (0..rows).flat_map(|subject| clients.iter().map(move |&clients| point(subject, clients))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Plan, Subject};
    use lab_core::server_process::Launch;

    #[test]
    fn the_time_that_webbench_sleeps_is_told_beforehand() {
        let mut rows = rows(&[], 5);
        rows[0] = Subject::command("01", "serial", Launch::new("serial"));
        let points = points(rows.len(), &[1, 3000], &Load::new("/"));
        let plan = Plan::of_points(rows, points, 2, 4);
        assert_eq!(
            (plan.points().count(), plan.skipped.len(), plan.len()),
            (2, 4, 4),
            "two rows are not built"
        );
        assert!(plan.seconds() > 4.0 * 2.0 + 2.0 * 1.5, "{}", plan.seconds());
    }
}
