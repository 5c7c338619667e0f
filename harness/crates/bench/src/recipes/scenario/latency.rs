//! `./lab scenario latency`: the same requests per second for every server, in an open loop.
//!
//! A rate that is a share of each server's own peak asks each another question. At the same rates the load
//! that a server bears before its tail grows can be read off. With a reply of 13 bytes the generator is worn
//! out about when the server is; where every request keeps a CPU busy, the knee is the server's.

use super::servers::{CLIENTS, Compared, LONG_WARM_UP, point};
use crate::cpus::cpus;
use crate::engine::{Clients, Method, Outcome, Setup};
use crate::generators::{Load, WARM_UP};
use crate::recipes::options::Measured;
use crate::recipes::select::numbers_up_to;
use crate::recipes::whole_number::whole;
use anyhow::Result;
use records::{Content, Kind, Phase};
use std::time::Duration;

/// The options of `./lab scenario latency`.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct Args {
    /// Requests per second for `/`.
    #[arg(long, value_name = "LIST", default_value = "10000,20000,40000,60000,80000")]
    rates: String,
    /// Requests per second where each keeps a CPU busy; of the stages only, since nothing else can.
    #[arg(long, value_name = "LIST", default_value = "4000,8000,12000,14000,16000,18000")]
    busy_rates: String,
    /// For how many microseconds such a request keeps a CPU busy.
    #[arg(long, value_name = "US", default_value_t = 50, allow_negative_numbers = true, value_parser = whole::<u32>(1..=1_000_000))]
    spin: u32,
    /// Clients at once, which keep their connections.
    #[arg(long, value_name = "N", default_value_t = CLIENTS, allow_negative_numbers = true, value_parser = whole::<u32>(1..=20_000))]
    clients: u32,
    #[command(flatten)]
    pub(super) servers: Compared,
}

/// More requests per second than any generator sends.
const MOST: usize = 10_000_000;

/// Measures and records.
pub(super) fn run(args: Args) -> Result<Outcome> {
    let common = &args.servers.common;
    let paths = [
        ("/".to_owned(), numbers_up_to(&args.rates, "--rates", MOST)?),
        (format!("/spin/{}", args.spin), numbers_up_to(&args.busy_rates, "--busy-rates", MOST)?),
    ];
    let (server_cpus, generator_cpus) = cpus(common.cpus.as_deref())?;
    let subjects = args.servers.subjects(server_cpus.len())?;
    let mut points = Vec::new();
    for (path, rates) in &paths {
        let load = Load {
            concurrency: args.clients as usize,
            duration: common.duration(Duration::from_secs(5)),
            warm_up: LONG_WARM_UP,
            // At the lower rates a CPU that sleeps between two requests sends one in a hundred late.
            spins: generator_cpus.iter().all(|cpu| !server_cpus.contains(cpu)),
            cpus: Some(generator_cpus.clone()),
            ..Load::new(path)
        };
        let peak = Load { duration: Duration::from_secs(1), warm_up: WARM_UP, ..load.clone() };
        for at in (0..subjects.len()).filter(|&at| path == "/" || subjects[at].kind == Kind::Stage) {
            points.push(point(at, Phase::Peak, Method::Closed(Clients::Reported), peak.clone()));
            let open = |&rate: &usize| point(at, Phase::Latency, Method::Open(rate as f64), load.clone());
            points.extend(rates.iter().map(open));
        }
    }
    let measured = Measured { content: Content::Latency, subjects, points, rounds: 1 };
    common.options.measure(measured, Setup::new(Vec::new(), server_cpus)?)
}
