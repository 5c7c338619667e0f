//! `./lab scenario balance`: what each worker has of the load.
//!
//! Five ways in which a connection finds a worker, of stages 09 and 10, with connections that are kept and
//! with one for each request, and both again while one worker is slowed down. How a worker is told from
//! outside is in `by_worker`: its connections by what its epoll instance watches, its requests by the
//! bytes that its thread has read, the wait of its clients by a few connections beside the load whose
//! worker is known.
//!
//! The servers have all the CPUs, and the generator one thread on each of the same: over the loopback the
//! CPU of the client is the one on which a packet is processed, and one client CPU alone would decide
//! everything where connections are steered by it.

use super::servers::{CLIENTS, point};
use crate::cpus::shared_cpus;
use crate::engine::{Method, Outcome, Point, Setup, Slowed, Subject};
use crate::generators::Load;
use crate::recipes::options::{Measured, Options};
use crate::recipes::select;
use crate::recipes::whole_number::whole;
use anyhow::{Result, ensure};
use lab_core::Usage;
use lab_core::stages::{Stage, discover, find};
use records::{Content, Phase};
use std::time::Duration;

/// The options of `./lab scenario balance`.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct Args {
    /// The stages whose ways are measured: 9, 10.
    #[arg(long, value_name = "LIST", default_value = "9,10")]
    stages: String,
    /// How many workers [default: one for each CPU]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = whole::<u16>(2..=64))]
    workers: Option<u16>,
    /// Requests per second on kept connections.
    #[arg(long, value_name = "N", default_value_t = 6000, allow_negative_numbers = true, value_parser = whole::<u32>(1..=1_000_000))]
    rate: u32,
    /// Requests per second, each on a connection of its own.
    #[arg(long, value_name = "N", default_value_t = 2000, allow_negative_numbers = true, value_parser = whole::<u32>(1..=1_000_000))]
    short_rate: u32,
    /// Clients at once.
    #[arg(long, value_name = "N", default_value_t = CLIENTS, allow_negative_numbers = true, value_parser = whole::<u32>(1..=10_000))]
    clients: u32,
    /// Seconds per point, after a warm-up of one second.
    #[arg(long, value_name = "SECONDS", default_value_t = 3, allow_negative_numbers = true, value_parser = whole::<u32>(1..=3600))]
    seconds: u32,
    /// The CPUs of the servers and of the generator; default: the first two for both.
    #[arg(long, value_name = "SERVER:GENERATOR")]
    cpus: Option<String>,
    #[command(flatten)]
    pub(super) options: Options,
}

/// The connections of the load are opened and dealt in this time, and those beside it after half of it.
const WARM_UP: Duration = Duration::from_secs(1);

/// How a connection finds a worker: the stage, its options, and what it is called.
const POLICIES: [(&str, &[&str], &str); 5] = [
    ("9", &["--accept", "shared"], "shared listener"),
    ("9", &["--accept", "exclusive"], "EPOLLEXCLUSIVE"),
    ("9", &["--accept", "notify"], "notified in turn"),
    ("10", &["--steer", "hash"], "SO_REUSEPORT by hash"),
    ("10", &["--steer", "cpu"], "SO_REUSEPORT by CPU"),
];

/// Measures and records.
pub(super) fn run(args: Args) -> Result<Outcome> {
    let (server_cpus, generator_cpus) = shared_cpus(args.cpus.as_deref())?;
    // Connections have to be dealt to somebody else, on a single CPU too.
    let workers = args.workers.map_or(server_cpus.len().max(2), usize::from);
    let all = discover()?;
    let chosen = select::stages(Some(&args.stages), &all)?;
    let (mut subjects, mut points) = (Vec::new(), Vec::new());
    for (name, options, title) in POLICIES {
        let stage = find(&all, name)?;
        if !chosen.iter().any(|chosen| chosen.name == stage.name) {
            continue;
        }
        for (keep_alive, rate) in [(true, args.rate), (false, args.short_rate)] {
            for slowed in [Slowed::None, Slowed::One] {
                let load = Load {
                    keep_alive,
                    concurrency: args.clients as usize,
                    duration: Duration::from_secs(args.seconds.into()),
                    warm_up: WARM_UP,
                    cpus: Some(generator_cpus.clone()),
                    ..Load::new("/")
                };
                let point = point(subjects.len(), Phase::Balance, Method::Open(rate.into()), load);
                points.push(Point { fresh: true, by_worker: Some(slowed), ..point });
            }
        }
        subjects.push(subject(stage, options, title, workers));
    }
    ensure!(
        !subjects.is_empty(),
        Usage::new("--stages: only 9 and 10 let a connection find a worker in several ways")
    );
    let measured = Measured { content: Content::Balance, subjects, points, rounds: 5 };
    args.options.measure(measured, Setup::new(Vec::new(), server_cpus)?)
}

/// A stage with a policy and so many workers.
fn subject(stage: &Stage, policy: &[&str], title: &str, workers: usize) -> Subject {
    let workers_option = ["--workers".to_owned(), workers.to_string()];
    let options: Vec<String> = policy.iter().map(|word| (*word).to_owned()).chain(workers_option).collect();
    Subject {
        title: title.to_owned(),
        label: format!("{}, {title}", stage.name),
        configuration: Some(options.join(" ")),
        workers: Some(workers),
        ..Subject::stage(stage, &options)
    }
}
