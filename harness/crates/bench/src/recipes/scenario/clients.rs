//! `./lab scenario clients`: what a request costs with few clients and with many.
//!
//! With one client every request wakes the server; with many, one wake-up finds several requests. Each server
//! takes turns with the floor, which has as many clients: the ratio at each number compares like with like,
//! and the µs (the ratio times the floor's cost there) tell how the cost changes with the number.

use super::servers::{Compared, point};
use crate::cpus::cpus;
use crate::engine::{Clients, Method, Outcome, Setup};
use crate::generators::Load;
use crate::recipes::options::Measured;
use crate::recipes::select;
use anyhow::Result;
use records::{Content, Phase};
use std::time::Duration;

/// The options of `./lab scenario clients`.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct Args {
    /// Clients at once, which keep their connections.
    #[arg(long, value_name = "LIST", default_value = "1,4,16,64,256,1024", allow_negative_numbers = true)]
    clients: String,
    #[command(flatten)]
    pub(super) servers: Compared,
}

/// Measures and records.
pub(super) fn run(args: Args) -> Result<Outcome> {
    let common = &args.servers.common;
    let clients = select::clients(&args.clients, "--clients")?;
    let (server_cpus, generator_cpus) = cpus(common.cpus.as_deref())?;
    let subjects = args.servers.subjects(server_cpus.len())?;
    let load = Load {
        duration: common.duration(Duration::from_millis(600)),
        cpus: Some(generator_cpus),
        ..Load::new("/")
    };
    let all = (0..subjects.len()).flat_map(|at| clients.iter().map(move |&clients| (at, clients)));
    let points = all.map(|(at, concurrency)| {
        let load = Load { concurrency, ..load.clone() };
        point(at, Phase::Clients, Method::Closed(Clients::Counted), load)
    });
    let points = points.collect();
    let measured = Measured { content: Content::Clients, subjects, points, rounds: 3 };
    common.options.measure(measured, Setup::new(Vec::new(), server_cpus)?)
}
