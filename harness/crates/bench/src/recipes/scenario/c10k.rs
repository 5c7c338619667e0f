//! `./lab scenario c10k`: active clients at a fixed rate beside silent connections.
//!
//! What the C10k problem was about: most of ten thousand connections say nothing. Their memory is measured
//! before the load, in the server and in the kernel; cost and tail of the active clients under it.

use super::servers::{CLIENTS, Compared, LONG_WARM_UP, point};
use crate::cpus::cpus;
use crate::engine::{Method, Outcome, Point, Setup};
use crate::generators::Load;
use crate::recipes::options::Measured;
use crate::recipes::whole_number::whole;
use anyhow::{Context, Result, ensure};
use lab_core::Usage;
use records::{Content, Phase};
use std::time::Duration;

/// The options of `./lab scenario c10k`.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct Args {
    /// Silent connections; 0 is the active clients alone.
    #[arg(long, value_name = "LIST", default_value = "0,1000,10000")]
    idle: String,
    /// Requests per second of all active clients together.
    #[arg(long, value_name = "N", default_value_t = 20_000, allow_negative_numbers = true, value_parser = whole::<u32>(1..=10_000_000))]
    rate: u32,
    /// Active clients, which keep their connections.
    #[arg(long, value_name = "N", default_value_t = CLIENTS, allow_negative_numbers = true, value_parser = whole::<u32>(1..=20_000))]
    clients: u32,
    #[command(flatten)]
    pub(super) servers: Compared,
}

/// More silent connections than this need more ports than an address has.
const MOST: usize = 20_000;

/// Measures and records.
pub(super) fn run(args: Args) -> Result<Outcome> {
    let common = &args.servers.common;
    let idle = numbers(&args.idle)?;
    let (server_cpus, generator_cpus) = cpus(common.cpus.as_deref())?;
    let subjects = args.servers.subjects(server_cpus.len())?;
    let load = Load {
        concurrency: args.clients as usize,
        duration: common.duration(Duration::from_secs(5)),
        warm_up: LONG_WARM_UP,
        cpus: Some(generator_cpus),
        ..Load::new("/")
    };
    let all = (0..subjects.len()).flat_map(|at| idle.iter().map(move |&idle| (at, idle)));
    let points = all.map(|(at, idle)| {
        let point = point(at, Phase::C10k, Method::Open(args.rate.into()), load.clone());
        // One that has held connections keeps the memory for them.
        Point { idle: Some(idle), fresh: true, ..point }
    });
    let points = points.collect();
    let measured = Measured { content: Content::C10k, subjects, points, rounds: 1 };
    common.options.measure(measured, Setup::new(Vec::new(), server_cpus)?)
}

fn numbers(list: &str) -> Result<Vec<usize>> {
    let number = |word: &str| {
        let number = word.trim().parse().ok();
        number.with_context(|| {
            Usage::new(format!("--idle: '{word}' is no number; write for example 0,1000,10000"))
        })
    };
    let mut numbers = list.split(',').map(number).collect::<Result<Vec<usize>>>()?;
    let most = numbers.iter().copied().max().unwrap_or(0);
    ensure!(most <= MOST, Usage::new(format!("--idle {most} is not possible: 0 to {MOST} are allowed")));
    numbers.sort_unstable();
    numbers.dedup();
    Ok(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_silent_connections_are_a_number_of_them() {
        assert_eq!(numbers("1000, 0,1000").expect("good"), [0, 1000]);
        for bad in ["", "-1", "20001", "many", "1,,2"] {
            assert!(numbers(bad).is_err(), "{bad}");
        }
    }
}
