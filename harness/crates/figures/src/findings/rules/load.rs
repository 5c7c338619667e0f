//! What another load changes: a connection per request, a lone client, idle connections beside the active
//! ones.

use super::words::{idea, times};
use super::{Finding, NOTHING, finding, is_stage, names, of_server, sample, servers, sorted};
use crate::costs::{Costs, costs};
use crate::figures::{Data, Line};
use crate::sample::Change;
use lab_core::units::{count, number};
use records::Phase;

/// What the most idle connections change for the active ones.
pub(super) fn ten_thousand(data: &Data) -> Option<Finding> {
    let lines = data.in_one_state(data.of(&[Phase::C10k]));
    let most = lines.iter().filter_map(|line| line.record.key.idle).max().filter(|most| *most > 0)?;
    let with = |server: &str, idle: usize| {
        let its = of_server(&lines, server).into_iter();
        let its: Vec<Line> = its.filter(|line| line.record.key.idle.unwrap_or(0) == idle).collect();
        sample(&its, |record| record.figures()?.cpu_us_per_request)
    };
    let change = |server: &str| with(server, most).over(&with(server, 0));
    let stages = servers(&lines).into_iter().filter(is_stage);
    let all = sorted(stages.filter_map(|server| Some((server, change(server)?))), |(_, change)| change.ratio);
    let idle = number(most as f64);
    let none = names(all.iter().filter(|(_, change)| change.is_none(NOTHING)));
    let dearer = all.last().filter(|(_, change)| change.is_real() && change.ratio > 1.0 + NOTHING);
    let none = if none.is_empty() {
        String::new()
    } else {
        format!("they change the cost of an active client's request by less than 5 % in {none}")
    };
    let dearer = dearer.map(|(server, change)| {
        format!("a request of {} ({server}) costs more: {}", idea(server), change.text())
    });
    let both: Vec<String> =
        [dearer, Some(none).filter(|none| !none.is_empty())].into_iter().flatten().collect();
    (!both.is_empty()).then_some(())?;
    let text = format!("With {idle} idle connections beside it, {}.", both.join("; "));
    finding("c10k", text)
}

/// What a connection per request costs, against a kept one.
pub(super) fn short(data: &Data) -> Option<Finding> {
    let all = costs(data, Phase::Paired);
    let kept = all.iter().find(|costs| !costs.load.is_short)?;
    let short = all.iter().find(|costs| costs.load.is_short && costs.load.path == kept.load.path)?;
    let all = dearer(kept, short);
    let ((good, least), (bad, most)) = (all.first()?, all.last()?);
    let text = format!(
        "A new connection for each request takes from {} the CPU time of a kept one in {} ({good}) to {} in {} \
         ({bad}).",
        times(*least),
        idea(good),
        times(*most),
        idea(bad)
    );
    finding("capacity", text)
}

/// What many clients at once save.
pub(super) fn batching(data: &Data) -> Option<Finding> {
    let all: Vec<Costs> = costs(data, Phase::Clients);
    let all: Vec<&Costs> = all.iter().filter(|costs| !costs.load.is_short).collect();
    let few = all.iter().min_by_key(|costs| costs.load.clients).filter(|costs| costs.load.clients == 1)?;
    let many = all.iter().max_by_key(|costs| costs.load.clients)?;
    let (server, change) = dearer(many, few).pop()?;
    let text = format!(
        "A request of a lone client takes {} the CPU time of one of {} at once in {} ({server}): with many \
         ready requests a server sleeps less often.",
        times(change),
        count(many.load.clients, "client"),
        idea(server)
    );
    finding("cost-by-clients", text)
}

/// The stages whose request costs more under one load than under another, and how many times as much.
fn dearer<'a>(base: &Costs<'a>, load: &Costs) -> Vec<(&'a str, Change)> {
    let us = |costs: &Costs, server: &str| costs.sample(server).times(costs.floor_us);
    let change = |server: &'a str| Some((server, us(load, server).over(&us(base, server))?));
    let all = base.servers().into_iter().filter(is_stage).filter_map(change);
    sorted(all.filter(|(_, change)| change.is_real() && change.low > 1.0), |(_, change)| change.ratio)
}

#[cfg(test)]
mod tests {
    use super::super::invented::{around, contains, says};
    use super::*;
    use lab_core::stats::Percentiles;
    use records::sample::{open, paired, record};
    use records::{OpenLoop, Record};

    fn beside(server: &str, idle: usize, cost: f64, apart: f64) -> Vec<Record> {
        let latency_us = Percentiles { p50: 1, p90: 1, p99: 1, p99_9: 1, max: 1 };
        let one = |cost: f64| {
            let sent = OpenLoop {
                rate: 1.0,
                share_of_peak: None,
                latency_us,
                over_5ms: None,
                late: 0,
                never_sent: 0,
            };
            let mut one = open(record(server, "builtin", 64, true, 1e6 / cost), sent);
            (one.key.phase, one.key.idle) = (Phase::C10k, Some(idle));
            one
        };
        around(cost, apart).map(one).collect()
    }

    #[test]
    fn idle_connections_change_nothing_only_if_the_whole_interval_is_near_nothing() {
        let of = |then: f64, apart: f64| {
            says(ten_thousand, [beside("04", 0, 10.0, apart), beside("04", 10_000, then, apart)].concat())
        };
        contains(of(10.05, 0.3), &["With 10,000 idle connections", "less than 5 % in 04"]);
        contains(of(13.0, 0.3), &["of an event loop (04) costs more: +30 %"]);
        assert_eq!(of(10.05, 8.0), None, "an interval that is wide supports neither");
        assert_eq!(says(ten_thousand, beside("04", 10_000, 10.0, 0.3)), None, "nothing to compare with");
        assert_eq!(says(ten_thousand, beside("04", 0, 10.0, 0.3)), None, "no idle connections");
        assert_eq!(says(ten_thousand, Vec::new()), None);
    }

    #[test]
    fn short_connections_and_a_lone_client_are_told_if_they_cost_more() {
        let with = |phase: Phase, clients: usize, keep_alive: bool, floor: f64, apart: f64| {
            let pair = move |ratio: f64| {
                let mut pair = paired(
                    record("04", "builtin", clients, keep_alive, 1e6 / (ratio * floor)),
                    [floor, floor],
                );
                pair.key.phase = phase;
                pair
            };
            around(1.1, apart).map(pair).collect::<Vec<Record>>()
        };
        let of_short = |apart: f64, floor: f64| {
            let [kept, short] = [(true, 6.0), (false, floor)]
                .map(|(kept, floor)| with(Phase::Paired, 64, kept, floor, apart));
            says(super::short, [kept, short].concat())
        };
        contains(of_short(1.0, 20.0), &["A new connection for each request takes from 3.33 times"]);
        assert_eq!(of_short(30.0, 6.5), None, "the intervals meet");
        let kept = with(Phase::Paired, 64, true, 6.0, 1.0);
        assert_eq!(says(super::short, kept), None, "no short connections");
        assert_eq!(says(super::short, Vec::new()), None);
        let lone = |apart: f64, floor: f64| {
            says(
                batching,
                [with(Phase::Clients, 1, true, floor, apart), with(Phase::Clients, 1024, true, 6.0, apart)]
                    .concat(),
            )
        };
        contains(lone(1.0, 22.0), &["takes 3.67 times", "one of 1024 clients at once", "an event loop (04)"]);
        assert_eq!(lone(30.0, 6.5), None);
        assert_eq!(says(batching, with(Phase::Clients, 1, true, 22.0, 1.0)), None, "nothing to compare with");
        assert_eq!(says(batching, with(Phase::Clients, 64, true, 22.0, 1.0)), None, "no lone client");
        assert_eq!(says(batching, Vec::new()), None);
    }
}
