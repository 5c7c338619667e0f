//! `./lab scenario concurrency`: what a connection costs, by what holds it.
//!
//! Where a conversation stands while its client says nothing is in a process, in a thread, on the stack of a
//! fiber, in a future, or in a state machine that was written by hand. Three loads compare them: connections
//! that say nothing (their memory), pairs with the floor (CPU time and context switches per request), and
//! quick requests beside some that sleep (how long they wait). The points are those of a run of everything
//! and of the scenario `slow`; most of these servers are twins, which a run of everything leaves out.

use super::servers::{CLIENTS, by_workers, point};
use crate::cpus::cpus;
use crate::engine::{Clients, Method, Outcome, Point, Setup, Subject};
use crate::generators::{Load, WARM_UP};
use crate::recipes::options::{Measured, Options};
use crate::recipes::select;
use crate::recipes::whole_number::whole;
use anyhow::Result;
use lab_core::stages::{Stage, discover};
use records::{Content, Phase};
use std::time::Duration;

/// The options of `./lab scenario concurrency`.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct Args {
    /// Stages, ranges and twins.
    #[arg(long, value_name = "LIST", default_value = "2,2-threads,12-fibers,12,12-tokio,10,4")]
    stages: String,
    /// Connections that say nothing.
    #[arg(long, value_name = "N", default_value_t = 1000, allow_negative_numbers = true, value_parser = whole::<u16>(1..=20_000))]
    connections: u16,
    /// Clients at once, of the pairs and of the quick requests.
    #[arg(long, value_name = "N", default_value_t = CLIENTS, allow_negative_numbers = true, value_parser = whole::<u32>(1..=10_000))]
    clients: u32,
    /// Milliseconds of each of the two servers of a pair.
    #[arg(long, value_name = "MS", default_value_t = 600, allow_negative_numbers = true, value_parser = whole::<u32>(20..=60_000))]
    millis: u32,
    /// How many workers the stages that have the option have beside slow requests; elsewhere they have one
    /// for each CPU.
    #[arg(long, value_name = "N", default_value_t = 4, allow_negative_numbers = true, value_parser = whole::<u16>(1..=1024))]
    workers: u16,
    /// So many per cent of the requests ask for the other path.
    #[arg(long, value_name = "PERCENT:PATH", default_value = "5:/sleep/50")]
    mix: load::Mix,
    /// Requests per second, quick and slow ones together.
    #[arg(long, value_name = "N", default_value_t = 200, allow_negative_numbers = true, value_parser = whole::<u32>(1..=1_000_000))]
    rate: u32,
    /// Seconds of quick requests beside slow ones, after a warm-up.
    #[arg(long, value_name = "SECONDS", default_value_t = 2, allow_negative_numbers = true, value_parser = whole::<u32>(1..=3600))]
    seconds: u32,
    /// The CPUs of the servers and of the generator; default: the first one and the second one.
    #[arg(long, value_name = "SERVER:GENERATOR")]
    cpus: Option<String>,
    #[command(flatten)]
    pub(super) options: Options,
}

/// Measures and records.
pub(super) fn run(args: Args) -> Result<Outcome> {
    let (server_cpus, generator_cpus) = cpus(args.cpus.as_deref())?;
    let all = discover()?;
    let stages = select::stages(Some(&args.stages), &all)?;
    let (subjects, points) = plan(&args, &stages, Subject::floor("/")?, &generator_cpus);
    let measured = Measured { content: Content::Concurrency, subjects, points, rounds: ROUNDS };
    args.options.measure(measured, Setup::new(Vec::new(), server_cpus)?)
}

/// From six on there is an interval. So many take about nine minutes.
const ROUNDS: u32 = 9;

/// The servers and the three loads of each. The floor is there for the pairs.
fn plan(
    args: &Args,
    stages: &[&Stage],
    floor: Option<Subject>,
    generator_cpus: &[usize],
) -> (Vec<Subject>, Vec<Point>) {
    let cpus = Some(generator_cpus.to_vec());
    let load = Load { concurrency: args.clients as usize, cpus, ..Load::new("/") };
    let beside_slow = Load {
        mix: Some(args.mix.clone()),
        duration: Duration::from_secs(args.seconds.into()),
        warm_up: WARM_UP,
        ..load.clone()
    };
    let open = (Phase::Slow, Method::Open(args.rate.into()));
    let (mut subjects, mut points) = by_workers(stages, &[args.workers.into()], &beside_slow, open);
    for subject in stages.iter().map(|stage| Subject::stage(stage, &[])).chain(floor) {
        let silent = Load { concurrency: args.connections.into(), ..load.clone() };
        if !subject.is_floor() {
            points.push(point(subjects.len(), Phase::Idle, Method::Idle, silent));
        }
        for keep_alive in [true, false] {
            let duration = Duration::from_millis(args.millis.into());
            let load = Load { keep_alive, duration, ..load.clone() };
            points.push(point(subjects.len(), Phase::Paired, Method::Closed(Clients::Counted), load));
        }
        subjects.push(subject);
    }
    (subjects, points)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Plan;
    use std::collections::BTreeSet;

    fn stage(name: &str, has_workers: bool) -> Stage {
        Stage { name: name.into(), has_workers, ..Stage::default() }
    }

    /// Protects the table from a column without figures: each server has each load, and the floor, without
    /// which there are no pairs, has no others.
    #[test]
    fn each_server_has_each_load() {
        let stages = [stage("02", false), stage("12", true)];
        let args = Args {
            stages: String::new(),
            connections: 1000,
            clients: 64,
            millis: 600,
            workers: 4,
            mix: "5:/sleep/50".parse().expect("a mix"),
            rate: 200,
            seconds: 2,
            cpus: None,
            options: Options::default(),
        };
        let floor = Subject::floor("/").expect("it is known where it is built");
        let (subjects, points) = plan(&args, &stages.iter().collect::<Vec<_>>(), floor, &[1]);
        let loads: BTreeSet<(&str, Phase, bool, usize, Option<usize>)> = points
            .iter()
            .map(|point| {
                let subject = &subjects[point.subject];
                let Load { keep_alive, concurrency, .. } = point.load;
                (subject.name.as_str(), point.phase, keep_alive, concurrency, subject.workers)
            })
            .collect();
        let of = |name, workers| {
            [
                (name, Phase::Paired, true, 64, None),
                (name, Phase::Paired, false, 64, None),
                (name, Phase::Idle, true, 1000, None),
                (name, Phase::Slow, true, 64, workers),
            ]
        };
        let floor = [("floor", Phase::Paired, true, 64, None), ("floor", Phase::Paired, false, 64, None)];
        let expected = of("02", None).into_iter().chain(of("12", Some(4))).chain(floor);
        assert_eq!((loads, points.len()), (expected.collect(), 10));
        let plan = Plan::of_points(subjects, points, 2, 1);
        assert!(plan.skipped.is_empty() && plan.len() == 20, "{:?}", plan.skipped);
        let pairs = plan.of(Phase::Paired).filter(|point| plan.floor_beside(point).is_some());
        assert_eq!(pairs.count(), 6, "each stands beside the floor");
    }
}
