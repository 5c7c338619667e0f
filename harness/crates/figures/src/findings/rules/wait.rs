//! How long requests wait: behind slow ones, and under more and more load.

use super::words::{idea, times};
use super::{Finding, finding, is_stage, main_costs, of_server, sample, servers, sorted};
use crate::figures::{Data, Line, latency, slow};
use crate::model::Interval;
use lab_core::units::{count, number, time};
use records::{Phase, Record};
use std::collections::BTreeSet;

/// The share of the quick requests that wait longer than 5 ms behind slow ones.
pub(super) struct Share<'a> {
    pub(super) server: &'a str,
    /// From 0 to 1.
    pub(super) median: f64,
    pub(super) interval: Interval,
}

impl Share<'_> {
    /// `48 %`, `0.5 %`.
    pub(super) fn text(&self) -> String {
        percent(self.median)
    }
}

fn percent(share: f64) -> String {
    if share < 0.01 { format!("{:.1} %", 100.0 * share) } else { format!("{:.0} %", 100.0 * share) }
}

/// The rounds in which the rate was reached.
fn slow_lines<'a>(data: &Data<'a>) -> Vec<Line<'a>> {
    let lines = data.of(&[Phase::Slow]);
    lines.into_iter().filter(|line| latency::is_reached(line.record)).collect()
}

/// From the least to the greatest.
pub(super) fn shares<'a>(data: &Data<'a>) -> Vec<Share<'a>> {
    let lines = slow_lines(data);
    let share = |server| {
        let shares = sample(&of_server(&lines, server), slow::over_5ms);
        Some(Share { server, median: shares.median()?, interval: shares.interval()? })
    };
    sorted(servers(&lines).into_iter().filter_map(share), |share| share.median)
}

/// `5 % of the requests sleep for 50 ms`.
pub(super) fn slow_requests(data: &Data) -> Option<String> {
    let lines = slow_lines(data);
    let mix = lines.iter().find_map(|line| line.record.mix())?;
    Some(format!("{} % of the requests {}", mix.percent, slow::what_it_does(&mix.path)))
}

/// How many workers the servers that have workers had then: `4`.
pub(super) fn workers(data: &Data) -> Option<String> {
    let all: BTreeSet<usize> = slow_lines(data).iter().filter_map(|line| line.record.key.workers).collect();
    let all: Vec<String> = all.into_iter().map(|workers| workers.to_string()).collect();
    (!all.is_empty()).then(|| all.join(" or "))
}

/// Of fewer than this share of the quick requests nobody speaks.
const FEW: f64 = 0.01;

/// How many quick requests wait behind slow ones: where most do, where some do, where none does.
pub(super) fn waits(data: &Data) -> Option<Finding> {
    let all = shares(data);
    let worst = all.last()?.median;
    let group = |share: &Share| match share.median {
        few if few < FEW => 0,
        some if some < worst / 2.0 => 1,
        _ => 2,
    };
    // Groups are told only if no interval of one reaches into the next.
    let is_apart =
        |pair: &[Share]| group(&pair[0]) == group(&pair[1]) || pair[0].interval.high < pair[1].interval.low;
    (all.windows(2).all(is_apart) && group(all.first()?) < 2).then_some(())?;
    let words = |number: usize| {
        let its: Vec<&Share> = all.iter().filter(|share| group(share) == number).collect();
        let (least, most) = (its.first()?.text(), its.last()?.text());
        let range = if least == most { least } else { format!("{least} to {most}") };
        let names: BTreeSet<&str> = its.iter().map(|share| share.server).collect();
        Some(format!("{range} in {}", names.into_iter().collect::<Vec<_>>().join(", ")))
    };
    let groups: Vec<String> = [2, 1, 0].into_iter().filter_map(words).collect();
    let text = format!(
        "Where {}, this share of the others waits longer than 5 ms: {}.",
        slow_requests(data)?,
        groups.join("; ")
    );
    finding("slow", text)
}

/// That cheap and patient are two things: the cheapest of the designs that let no quick request wait, and the
/// cheapest of all.
pub(super) fn cheap_or_patient(data: &Data) -> Option<Finding> {
    let (costs, shares) = (main_costs(data)?, shares(data));
    let over = |server: &str| costs.over_floor(server);
    let is_here = |share: &&Share| costs.servers().contains(&share.server);
    let cheapest = |is_meant: &dyn Fn(&Share) -> bool| {
        let its = shares.iter().filter(is_here).filter(|share| is_meant(share));
        sorted(its.filter_map(|s| Some((s, over(s.server)?))), |(_, cost)| cost.ratio).into_iter().next()
    };
    let (patient, its) = cheapest(&|share| share.interval.high < FEW)?;
    let (cheap, least) = cheapest(&|_| true)?;
    let is_other = cheap.interval.low > FEW && costs.change(cheap.server, patient.server)?.is_real();
    is_other.then_some(())?;
    // What it costs was measured on one CPU, where a loop for each CPU is one loop.
    let with = workers(data).map(|with| format!(" (with {with} loops or workers)")).unwrap_or_default();
    let text = format!(
        "Cheap and patient are two things: of the designs that serve {} and let fewer than {:.0} % of the \
         quick requests wait behind slow ones, the cheapest is {} ({}), at {} the floor's CPU time; {} ({}) \
         takes {}, and lets {} wait{with}.",
        count(costs.load.clients, "client"),
        100.0 * FEW,
        idea(patient.server),
        patient.server,
        times(its),
        idea(cheap.server),
        cheap.server,
        times(least),
        cheap.text()
    );
    finding("what-each-idea-costs", text)
}

/// The highest rate at which the whole interval of what is asked (p99, or p90) is below the limit, by server.
pub(super) fn knee(data: &Data) -> Option<Finding> {
    let lines = data.in_one_state(data.of(&[Phase::Latency]));
    let asked = latency::Asked::of(&lines);
    let lines: Vec<Line> = lines.into_iter().filter(|line| line.record.key.path != "/").collect();
    let rate = |record: &Record| record.open_loop().map_or(0, |open| open.rate.round() as u64);
    let holds = |server: &str, at: u64| {
        let its: Vec<Line> = of_server(&lines, server).into_iter().filter(|l| rate(l.record) == at).collect();
        let reached = !its.is_empty() && its.iter().all(|line| latency::is_reached(line.record));
        let waits = sample(&its, |record| Some((asked.read)(&record.open_loop()?.latency_us) as f64));
        reached && waits.interval().is_some_and(|interval| interval.high < latency::LIMIT)
    };
    let limit = |server: &str| {
        let rates: BTreeSet<u64> = of_server(&lines, server).iter().map(|line| rate(line.record)).collect();
        rates.into_iter().take_while(|rate| holds(server, *rate)).last()
    };
    let stages = servers(&lines).into_iter().filter(is_stage);
    let all = sorted(stages.filter_map(|server| Some((server, limit(server)?))), |(_, rate)| *rate as f64);
    let ((bad, least), (good, most)) = (*all.first()?, *all.last()?);
    let path = &lines.first()?.record.key.path;
    (most > least).then_some(())?;
    let text = format!(
        "With GET {path}, {} ({good}) keeps {} below {} up to {} requests per second, {} ({bad}) up to {}.",
        idea(good),
        asked.name,
        time(latency::LIMIT),
        number(most as f64),
        idea(bad),
        number(least as f64)
    );
    finding("latency", text)
}

#[cfg(test)]
mod tests {
    use super::super::invented::{around, contains, costs_of, says, slow_of};
    use super::*;
    use lab_core::stats::Percentiles;
    use records::sample::{open, record};
    use records::{OpenLoop, Outcome};

    #[test]
    fn waits_behind_slow_requests_are_told_in_groups_if_the_intervals_are_apart() {
        let all = [
            slow_of("04", 480.0, 1.0),
            slow_of("05", 485.0, 1.0),
            slow_of("08", 110.0, 1.0),
            slow_of("06", 2.0, 1.0),
        ];
        contains(
            says(waits, all.concat()),
            &["5 % of the requests sleep", "% in 04, 05", "; 11 % in 08; 0.2 % in 06."],
        );
        let two = [slow_of("04", 400.0, 1.0), slow_of("09", 20.0, 1.0)].concat();
        contains(says(waits, two.clone()), &["longer than 5 ms: 40 % in 04; 2 % in 09."]);
        assert_eq!(says(waits, [slow_of("04", 400.0, 20.0), slow_of("09", 190.0, 40.0)].concat()), None);
        assert_eq!(says(waits, slow_of("04", 400.0, 1.0)), None, "one server alone");
        assert_eq!(says(waits, Vec::new()), None);
        let mut older = two;
        for record in &mut older {
            let Outcome::Latency(latency) = &mut record.outcome else { panic!("an open loop") };
            latency.open_loop.over_5ms = None;
        }
        assert_eq!(says(waits, older), None, "records of before they were counted");
    }

    #[test]
    fn that_the_cheapest_design_is_not_the_patient_one_is_told_if_both_are_certain() {
        let of = |waits: f64, cost: f64| {
            let slow = [slow_of("11", waits, 1.0), slow_of("06", 2.0, 1.0)].concat();
            says(cheap_or_patient, [slow, costs_of(&[("11", 0.97), ("06", cost)], 0.5)].concat())
        };
        contains(
            of(130.0, 1.4),
            &[
                "the cheapest is handing requests to workers (06), at 1.40 times",
                "io_uring (11) takes 0.97 times",
                "lets 13 % wait",
            ],
        );
        assert_eq!(of(130.0, 0.96), None, "the patient one is the cheapest");
        assert_eq!(of(1.0, 1.4), None, "both are patient");
        assert_eq!(says(cheap_or_patient, costs_of(&[("11", 0.97), ("06", 1.4)], 0.5)), None);
        assert_eq!(says(cheap_or_patient, Vec::new()), None);
    }

    fn wait_of(server: &str, rate: f64, p99: f64, apart: f64) -> Vec<Record> {
        let one = |p99: f64| {
            let latency_us = Percentiles { p50: 1, p90: 1, p99: p99 as u64, p99_9: 1, max: 1 };
            let sent =
                OpenLoop { rate, share_of_peak: None, latency_us, over_5ms: None, late: 0, never_sent: 0 };
            let mut one = open(record(server, "builtin", 64, true, rate), sent);
            one.key.path = "/spin/50".into();
            one
        };
        around(p99, apart).map(one).collect()
    }

    #[test]
    fn a_knee_is_told_if_the_whole_interval_is_below_the_limit() {
        let of = |p99: f64, apart: f64| {
            let (four, ten) = (wait_of("04", 1e4, 300.0, 1.0), wait_of("10", 1e4, 300.0, 1.0));
            says(knee, [four, wait_of("04", 2e4, 5000.0, 1.0), ten, wait_of("10", 2e4, p99, apart)].concat())
        };
        contains(
            of(500.0, 1.0),
            &["a listener per thread (10)", "up to 20,000 requests", "an event loop (04) up to 10,000"],
        );
        assert_eq!(of(950.0, 5.0), None, "the interval holds the limit");
        // Where the floor itself is above the limit, p99 says how the machine stalls.
        let of = |floor: f64| {
            let mut floor = wait_of("floor", 1e4, floor, 1.0);
            floor.iter_mut().for_each(|record| record.key.path = "/".into());
            let (four, ten) = (wait_of("04", 1e4, 5000.0, 1.0), wait_of("10", 1e4, 300.0, 1.0));
            says(
                knee,
                [floor, four, wait_of("10", 2e4, 300.0, 1.0), ten, wait_of("04", 5e3, 300.0, 1.0)].concat(),
            )
        };
        contains(of(900.0), &["keeps p99 below", "up to 20,000 requests", "up to 5,000"]);
        contains(of(1100.0), &["keeps p90 below", "up to 20,000 requests", "up to 10,000"]);
        assert_eq!(says(knee, wait_of("04", 1e4, 300.0, 1.0)), None, "one server alone");
        assert_eq!(says(knee, Vec::new()), None);
    }
}
