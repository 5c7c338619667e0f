//! `./lab scenario stealing`: where work stealing helps.
//!
//! Quick requests beside long ones, which keep the thread busy that serves them. Where a connection belongs
//! to one thread, the long requests of one thread delay the clients of that thread, however little the others
//! have to do; where any thread may go on with any task, a thread without work takes it. Three loads: no long
//! requests, as many for each thread, and all of them for one thread (a hot shard). Only where they are
//! changes between the last two; a server whose threads steal gets the same load twice.
//!
//! How the thread of a connection is told from outside is in `by_worker`. The stages run `/spin` in their
//! loop; 12 and its twins hand it to other threads, unless they are told that it runs on the executor.
//!
//! The servers have all the CPUs, and the generator the same: there must be two for the threads, and both
//! have time left, since the long requests need less than one of them.

use super::servers::{CLIENTS, point};
use crate::cpus::shared_cpus;
use crate::engine::{Long, Method, Outcome, Point, Setup, Slowed, Subject};
use crate::generators::Load;
use crate::recipes::options::{Measured, Options};
use crate::recipes::select;
use crate::recipes::whole_number::whole;
use anyhow::{Context, Result, bail, ensure};
use lab_core::Usage;
use lab_core::stages::{Stage, discover};
use records::{Content, Phase, Placement};
use std::time::Duration;

/// The options of `./lab scenario stealing`.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct Args {
    /// The servers: 10, 12, 12-fibers, 12-tokio.
    #[arg(long, value_name = "LIST", default_value = "10,12,12-tokio")]
    stages: String,
    /// How many workers [default: one for each CPU]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = whole::<u16>(2..=64))]
    workers: Option<u16>,
    /// Quick requests per second.
    #[arg(long, value_name = "N", default_value_t = 1000, allow_negative_numbers = true, value_parser = whole::<u32>(1..=1_000_000))]
    rate: u32,
    /// Clients of quick requests at once, which keep their connections.
    #[arg(long, value_name = "N", default_value_t = CLIENTS, allow_negative_numbers = true, value_parser = whole::<u32>(1..=10_000))]
    clients: u32,
    /// Long requests per second, on average.
    #[arg(long, value_name = "N", default_value_t = 300, allow_negative_numbers = true, value_parser = whole::<u32>(1..=100_000))]
    long_rate: u32,
    /// For how many microseconds a long request keeps its thread busy.
    #[arg(long, value_name = "US", default_value_t = 2000, allow_negative_numbers = true, value_parser = whole::<u32>(50..=1_000_000))]
    spin: u32,
    /// How many connections carry the long requests.
    #[arg(long, value_name = "N", default_value_t = 16, allow_negative_numbers = true, value_parser = whole::<u16>(1..=256))]
    long_clients: u16,
    /// Which threads have the long requests: none of them, each as many, or one all.
    #[arg(long, value_name = "LIST", default_value = "none,each,one", value_delimiter = ',', value_parser = placement)]
    placements: Vec<Placement>,
    /// Seconds per point, after a warm-up of half as long.
    #[arg(long, value_name = "SECONDS", default_value_t = 2, allow_negative_numbers = true, value_parser = whole::<u32>(1..=3600))]
    seconds: u32,
    /// The CPUs of the servers and of the generator; default: the first two for both.
    #[arg(long, value_name = "SERVER:GENERATOR")]
    cpus: Option<String>,
    #[command(flatten)]
    pub(super) options: Options,
}

/// From six on there is an interval. So many take between four and five minutes.
const ROUNDS: u32 = 7;

/// A server in which a long request runs on the thread that serves its connection.
struct Design {
    stage: &'static str,
    /// What it needs to be told for that.
    options: &'static [&'static str],
    /// Whether all its threads wait on one epoll instance, and take tasks from each other.
    steals: bool,
}

const DESIGNS: [Design; 4] = [
    Design { stage: "10", options: &[], steals: false },
    Design { stage: "12", options: &["--spin", "executor"], steals: false },
    Design { stage: "12-fibers", options: &["--spin", "executor"], steals: false },
    Design { stage: "12-tokio", options: &["--spin", "executor"], steals: true },
];

fn placement(word: &str) -> Result<Placement> {
    Ok(match word {
        "none" => Placement::None,
        "each" => Placement::Each,
        "one" => Placement::One,
        _ => bail!("expected none, each or one"),
    })
}

/// Measures and records.
pub(super) fn run(args: Args) -> Result<Outcome> {
    let (server_cpus, generator_cpus) = shared_cpus(args.cpus.as_deref())?;
    let wanted = f64::from(args.long_rate) * f64::from(args.spin) / 1e6;
    ensure!(
        wanted < server_cpus.len() as f64,
        Usage::new(format!(
            "--long-rate and --spin ask for {wanted:.1} CPUs, and the servers have {}: one must be left over",
            server_cpus.len()
        ))
    );
    let all = discover()?;
    let stages = select::stages(Some(&args.stages), &all)?;
    let (subjects, points) = plan(&args, &stages, (server_cpus.len(), &generator_cpus))?;
    let measured = Measured { content: Content::Stealing, subjects, points, rounds: ROUNDS };
    args.options.measure(measured, Setup::new(Vec::new(), server_cpus)?)
}

/// The servers, and the three loads of each.
fn plan(
    args: &Args,
    stages: &[&Stage],
    (server_cpus, generator_cpus): (usize, &[usize]),
) -> Result<(Vec<Subject>, Vec<Point>)> {
    // There must be another thread than the hot one, on a single CPU too.
    let workers = args.workers.map_or(server_cpus.max(2), usize::from);
    let duration = Duration::from_secs(args.seconds.into());
    let load = Load {
        concurrency: args.clients as usize,
        duration,
        // The connections of both kinds are opened and dealt in this time.
        warm_up: duration / 2,
        cpus: Some(generator_cpus.to_vec()),
        ..Load::new("/")
    };
    let (mut subjects, mut points) = (Vec::new(), Vec::new());
    for stage in stages {
        let design = DESIGNS.iter().find(|design| design.stage == stage.name);
        let design = design.context(Usage::new(
            "--stages: only 10, 12, 12-fibers and 12-tokio run a long request on the thread of its connection",
        ))?;
        for &placement in &args.placements {
            let long = Long {
                placement,
                connections: args.long_clients.into(),
                rate: args.long_rate.into(),
                micros: args.spin,
                instances: if design.steals { 1 } else { workers },
            };
            let open = Method::Open(args.rate.into());
            let point = point(subjects.len(), Phase::Stealing, open, load.clone());
            points.push(Point { fresh: true, by_worker: Some(Slowed::Long(long)), ..point });
        }
        subjects.push(subject(stage, design, workers));
    }
    Ok((subjects, points))
}

/// A stage with so many workers, whose long requests run on the threads of their connections.
fn subject(stage: &Stage, design: &Design, workers: usize) -> Subject {
    let workers_option = ["--workers".to_owned(), workers.to_string()];
    let own = design.options.iter().map(|word| (*word).to_owned());
    let options: Vec<String> = own.chain(workers_option).collect();
    Subject {
        configuration: Some(options.join(" ")),
        workers: Some(workers),
        ..Subject::stage(stage, &options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args() -> Args {
        Args {
            stages: String::new(),
            workers: None,
            rate: 1000,
            clients: 64,
            long_rate: 300,
            spin: 2000,
            long_clients: 16,
            placements: vec![Placement::None, Placement::Each, Placement::One],
            seconds: 2,
            cpus: None,
            options: Options::default(),
        }
    }

    fn stage(name: &str) -> Stage {
        Stage { name: name.into(), has_workers: true, ..Stage::default() }
    }

    /// Protects the comparison: the same long requests for all, on the executors' own threads; and the one
    /// server whose threads share an epoll instance is not looked at as if each had its own.
    #[test]
    fn each_server_has_the_same_long_requests_in_three_places() {
        let stages = ["10", "12", "12-tokio"].map(stage);
        let (subjects, points) =
            plan(&args(), &stages.iter().collect::<Vec<_>>(), (2, &[0, 1])).expect("they are known");
        let options: Vec<&str> =
            subjects.iter().map(|subject| subject.configuration.as_deref().expect("options")).collect();
        let told = "--spin executor --workers 2";
        assert_eq!(options, ["--workers 2", told, told]);
        let long = |point: &Point| match point.by_worker {
            Some(Slowed::Long(long)) => long,
            other => panic!("{other:?} is not a load with long requests"),
        };
        let found: Vec<_> = points.iter().map(|point| (point.subject, long(point))).collect();
        assert_eq!(found.len(), 9);
        for (at, long) in found {
            assert_eq!((long.connections, long.micros, long.instances), (16, 2000, [2, 2, 1][at]));
        }
        for places in points.chunks(3) {
            let places: Vec<Placement> = places.iter().map(|point| long(point).placement).collect();
            assert_eq!(places, [Placement::None, Placement::Each, Placement::One]);
        }
        let error = plan(&args(), &[&stage("04")], (2, &[0])).map(drop).expect_err("one loop alone");
        assert!(error.to_string().contains("only 10, 12"), "{error}");
    }
}
