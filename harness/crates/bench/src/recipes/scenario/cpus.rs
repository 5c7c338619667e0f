//! `./lab scenario cpus`: what a second CPU is worth.
//!
//! Each server runs on one CPU with one worker and on two with two. Where the machine has no CPU left for the
//! generator, it shares those of the server, and the records say so: the factor is then that of both
//! together.

use super::servers::{CLIENTS, Compared, point, with_workers};
use crate::cpus::pair_of_cpus;
use crate::engine::{Clients, Method, Outcome, Point, Setup, Subject};
use crate::generators::{Load, WARM_UP};
use crate::recipes::options::Measured;
use crate::recipes::select;
use crate::recipes::whole_number::whole;
use anyhow::Result;
use lab_core::stages::{Stage, discover};
use records::{Content, Kind, Phase};
use std::time::Duration;

/// The options of `./lab scenario cpus`.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct Args {
    /// For how many microseconds a request keeps a CPU busy, where it does; `/` is asked for too.
    #[arg(long, value_name = "US", default_value_t = 100, allow_negative_numbers = true, value_parser = whole::<u32>(1..=1_000_000))]
    spin: u32,
    /// Clients at once, which keep their connections.
    #[arg(long, value_name = "N", default_value_t = CLIENTS, allow_negative_numbers = true, value_parser = whole::<u32>(1..=20_000))]
    clients: u32,
    #[command(flatten)]
    pub(super) servers: Compared,
}

/// Measures and records.
pub(super) fn run(args: Args) -> Result<Outcome> {
    let common = &args.servers.common;
    let [one, two] = pair_of_cpus(common.cpus.as_deref())?;
    let all = discover()?;
    let stages = select::stages(common.stages.as_deref(), &all)?;
    let references = args.servers.references()?;
    let (mut subjects, mut points) = (Vec::new(), Vec::new());
    for (server_cpus, generator_cpus) in [&one, &two] {
        let cpus = server_cpus.len();
        let of_stage = |stage: &&Stage| with_workers(stage, stage.has_workers.then_some(cpus));
        let others = references.iter().map(|reference| Subject::reference(reference, cpus));
        for subject in stages.iter().map(of_stage).chain(Subject::floor("/")?).chain(others) {
            let label = format!("{} on {cpus} CPU{}", subject.name, if cpus == 1 { "" } else { "s" });
            for path in ["/".to_owned(), format!("/spin/{}", args.spin)] {
                if path != "/" && subject.kind != Kind::Stage {
                    continue;
                }
                let load = Load {
                    concurrency: args.clients as usize,
                    duration: common.duration(Duration::from_secs(1)),
                    warm_up: WARM_UP,
                    cpus: Some(generator_cpus.clone()),
                    ..Load::new(path)
                };
                let point = point(subjects.len(), Phase::Cpus, Method::Closed(Clients::Reported), load);
                points.push(Point { fresh: true, ..point });
            }
            subjects.push(Subject { label, cpus: Some(server_cpus.clone()), ..subject });
        }
    }
    let measured = Measured { content: Content::Cpus, subjects, points, rounds: 3 };
    common.options.measure(measured, Setup::new(Vec::new(), two.0)?)
}
