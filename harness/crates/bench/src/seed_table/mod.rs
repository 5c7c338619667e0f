//! `harness table`: the table of a fellow learner, done again.
//!
//! He measured a serial server and a preforking one with webbench, from 1 to 3,000 clients, with an accept queue of
//! five, and asked why the serial one drops at ten clients. The same table is measured here, with what he had no column
//! for: how often the accept queue was full.
//!
//! * `rows`: the servers; `plan`: the points; `table`: what is printed at the end.

mod plan;
mod rows;
mod table;

use crate::bench_all::{choose_cpus, numbers_of_clients};
use crate::generators::{Load, Tool};
use crate::rounds::{self, Common, Measured, Measuring, Options};
use crate::tally::figures;
use crate::watch::Watch;
use crate::whole_number::whole;
use anyhow::{Result, bail};
use lab_core::host::Host;
use lab_core::server_process::Server;
use lab_core::stages::discover;
use records::{Content, Phase, seed_table};
use std::process::ExitCode;
use std::time::Duration;

/// The options of `harness table`.
#[derive(clap::Args, Clone, Debug)]
#[command(
    after_help = "Seed 002 is a web server that a fellow learner wrote step by step. Its author published this table, \
                        made with webbench and an accept queue of five, and asked why the serial server drops at ten \
                        clients. The chart shows his figures beside those measured here."
)]
pub struct Args {
    /// Clients at once.
    #[arg(long, value_name = "LIST", default_value = CLIENTS, allow_negative_numbers = true)]
    clients: String,
    /// Seconds per point. A client whose connection found the accept queue full tries again after 1, 3, 7, 15 s: the
    /// table was first made with 30.
    #[arg(long, value_name = "SECONDS", default_value = "1", allow_negative_numbers = true, value_parser = whole::<u32>(1..=3600))]
    seconds: u32,
    /// How many connections may wait to be accepted; 5 as when the table was first made.
    #[arg(long, value_name = "N", default_value_t = BACKLOG, allow_negative_numbers = true, value_parser = whole::<u16>(1..=4096))]
    backlog: u16,
    /// The CPUs of the servers and of webbench; default: the first one and the second one, also for two processes.
    #[arg(long, value_name = "SERVER:GENERATOR")]
    cpus: Option<String>,
    #[command(flatten)]
    rounds: Options,
}

/// What the table was first made with.
const CLIENTS: &str = "1,2,5,10,20,50,100,200,500,1000,2000,2500,3000";
/// The same.
const BACKLOG: u16 = 5;

impl Args {
    fn is_whole(&self) -> bool {
        self.clients == CLIENTS && self.backlog == BACKLOG && self.cpus.is_none()
    }
}

/// Measures, records, prints.
pub fn run(args: Args) -> Result<ExitCode> {
    let clients = numbers_of_clients(&args.clients, "--clients")?;
    let (server_cpus, generator_cpus) = choose_cpus(args.cpus.as_deref())?;
    let webbench = match Tool::Webbench.find() {
        Ok(found) => found,
        Err(install) => bail!("webbench is not installed: {install}"),
    };
    let rows = rows::rows(&discover()?, args.backlog);
    let mut host = Host::look();
    host.tools.insert(webbench.tool.name().into(), webbench.version.clone());
    let load = Load {
        addr: ([127, 0, 0, 1], 0).into(),
        host: None,
        path: "/".into(),
        mix: None,
        concurrency: 1,
        keep_alive: false,
        pipeline: 1,
        duration: Duration::from_secs(args.seconds.into()),
        rate: None,
        warm_up: Duration::ZERO,
        learns_body: false,
        reply_bytes: 0,
        variable_bytes: 0,
        cpus: Some(generator_cpus),
    };
    let is_whole = args.is_whole();
    let common = Common { phase: Phase::Table, tool: webbench, load, server_cpus, host, is_whole };
    let plan = |seed| plan::plan(rows, &clients, args.rounds.rounds, args.seconds, seed);
    let table = |records: &[_]| table::text(&seed_table(records));
    rounds::run(&args.rounds, Content::Table, &common, plan, &Webbench(&common), table)
}

/// webbench in a closed loop. Who was served it does not know.
struct Webbench<'a>(&'a Common);

impl Measuring for Webbench<'_> {
    fn measure(&self, server: &Server, load: &Load, stop: &dyn Fn() -> bool) -> Result<Measured> {
        let common = self.0;
        let mut watch = Watch::new(Some(server.pid() as u32));
        let measured = common.tool.run(load, &mut || {
            watch.look();
            !stop()
        })?;
        let cpus = (common.server_cpus.len(), common.tool.cpus(load));
        let figures = figures(&measured, &watch.spent(), cpus, true);
        Ok(Measured { figures, clients_served: load.concurrency, open_loop: None, mix: None })
    }
}
