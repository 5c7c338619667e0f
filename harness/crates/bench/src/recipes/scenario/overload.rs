//! `./lab scenario overload`: beyond the peak.
//!
//! An open loop at shares of the peak, up to twice of it, by clients that give up. Below the peak every
//! policy serves everybody. Above it a queue that only grows makes each request wait longer than its
//! client does, and the server works for clients that have gone; whoever refuses some of them, or serves
//! the newest first, goes on answering at the speed of its peak.
//!
//! The policies are options of stage 07, whose requests keep a CPU busy: so the peak is the server's, and the
//! generator has time enough to keep its times at twice of it. Each point has a server of its own, since the
//! queue of the point before it would spoil the next.

use super::servers::point;
use crate::cpus::cpus;
use crate::engine::{Clients, Method, Outcome, Point, Setup, Subject};
use crate::generators::{Load, WARM_UP};
use crate::recipes::options::{Measured, Options};
use crate::recipes::whole_number::whole;
use anyhow::{Result, ensure};
use lab_core::Usage;
use lab_core::stages::{Stage, discover, find};
use records::{Content, Phase};
use std::time::Duration;

/// The options of `./lab scenario overload`.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct Args {
    /// Offered loads, as multiples of the peak that is measured first.
    #[arg(long, value_name = "LIST", default_value = "0.5,0.8,1,1.2,1.5,2")]
    loads: String,
    /// For how many milliseconds a client waits before it gives up and closes its connection.
    #[arg(long, value_name = "MS", default_value_t = 200, allow_negative_numbers = true, value_parser = whole::<u32>(10..=60_000))]
    timeout: u32,
    /// For how many microseconds a request keeps a CPU busy.
    #[arg(long, value_name = "US", default_value_t = 1000, allow_negative_numbers = true, value_parser = whole::<u32>(50..=1_000_000))]
    spin: u32,
    /// How many requests the bounded queue holds.
    #[arg(long, value_name = "N", default_value_t = 64, allow_negative_numbers = true, value_parser = whole::<u32>(1..=100_000))]
    limit: u32,
    /// After how many milliseconds in the queue a request is refused, where its age decides.
    #[arg(long, value_name = "MS", default_value_t = 50, allow_negative_numbers = true, value_parser = whole::<u32>(1..=60_000))]
    age: u32,
    /// Connections, each with one request at a time: enough for all that wait in the server.
    #[arg(long, value_name = "N", default_value_t = 1000, allow_negative_numbers = true, value_parser = whole::<u32>(1..=20_000))]
    clients: u32,
    /// Seconds per point, after a warm-up of half as long.
    #[arg(long, value_name = "SECONDS", default_value_t = 3, allow_negative_numbers = true, value_parser = whole::<u32>(1..=3600))]
    seconds: u32,
    /// The CPUs of the server and of the generator; default: the first one and the second one.
    #[arg(long, value_name = "SERVER:GENERATOR")]
    cpus: Option<String>,
    #[command(flatten)]
    pub(super) options: Options,
}

/// A closed loop with as many clients finds the peak without a queue that makes it dearer.
const CLIENTS_AT_THE_PEAK: usize = 64;

/// Measures and records.
pub(super) fn run(args: Args) -> Result<Outcome> {
    let loads = loads(&args.loads)?;
    let (server_cpus, generator_cpus) = cpus(args.cpus.as_deref())?;
    let all = discover()?;
    let stage = find(&all, "7")?;
    let policies = [
        ("unbounded".to_owned(), "unbounded queue".to_owned()),
        (format!("bounded:{}", args.limit), format!("bounded queue of {}", args.limit)),
        ("lifo".to_owned(), "last in, first out".to_owned()),
        (format!("by-age:{}", args.age), format!("503 by age, {} ms", args.age)),
    ];
    let subjects: Vec<Subject> =
        policies.iter().map(|(policy, title)| subject(stage, policy, title)).collect();
    let duration = Duration::from_secs(args.seconds.into());
    let load = Load {
        concurrency: args.clients as usize,
        timeout: Some(Duration::from_millis(args.timeout.into())),
        duration,
        warm_up: duration / 2,
        cpus: Some(generator_cpus),
        ..Load::new(format!("/spin/{}", args.spin))
    };
    let peak = Load { concurrency: CLIENTS_AT_THE_PEAK, timeout: None, warm_up: WARM_UP, ..load.clone() };
    let peak = point(0, Phase::Peak, Method::Closed(Clients::Reported), peak);
    // Once for all rounds and policies: they are to have the same load.
    let mut points = vec![Point { rounds: 1, fresh: true, ..peak }];
    for at in 0..subjects.len() {
        let of_peak = |&share: &f64| Point {
            fresh: true,
            ..point(at, Phase::Overload, Method::OfPeak(share), load.clone())
        };
        points.extend(loads.iter().map(of_peak));
    }
    let measured = Measured { content: Content::Overload, subjects, points, rounds: 5 };
    args.options.measure(measured, Setup::new(Vec::new(), server_cpus)?)
}

/// Stage 07 with a policy.
fn subject(stage: &Stage, policy: &str, title: &str) -> Subject {
    let options = ["--overload", policy].map(str::to_owned);
    Subject {
        title: title.to_owned(),
        label: format!("{}, {title}", stage.name),
        configuration: Some(options.join(" ")),
        ..Subject::stage(stage, &options)
    }
}

/// Multiples of the peak, ascending, each once.
fn loads(list: &str) -> Result<Vec<f64>> {
    let load = |word: &str| word.trim().parse::<f64>().ok().filter(|load| (0.05..=10.0).contains(load));
    let mut loads = Vec::new();
    for word in list.split(',') {
        let known = load(word);
        ensure!(
            known.is_some(),
            Usage::new(format!(
                "--loads: '{word}' is no multiple of the peak from 0.05 to 10; write for example 0.5,1,2"
            ))
        );
        loads.extend(known);
    }
    loads.sort_by(f64::total_cmp);
    loads.dedup();
    Ok(loads)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loads_are_multiples_of_the_peak() {
        assert_eq!(loads("2, 0.5,1,2").expect("good"), [0.5, 1.0, 2.0]);
        for bad in ["", "0", "-1", "11", "NaN", "inf", "much", "1,,2"] {
            let error = loads(bad).expect_err(bad).to_string();
            assert!(error.contains("0.05 to 10"), "{bad}: {error}");
        }
    }
}
