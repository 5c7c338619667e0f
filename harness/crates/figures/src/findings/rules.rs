//! A rule for each sentence: it looks at the records, and says nothing where their interval does not support
//! it. A factor or a difference is claimed only if its 95 % interval lies on one side; "nothing changes" only
//! if the whole interval lies close to nothing.

use super::Finding;
use crate::costs::{Costs, costs};
use crate::figures::{Data, Line, latency, second_cpu, slow};
use crate::sample::{Change, Sample};
use lab_core::units::{count, number, time};
use records::{FLOOR, Phase, Record, is_reference};
use std::collections::BTreeSet;

/// Returns a sentence if the data support it.
type Rule = fn(&Data) -> Option<Finding>;

/// The most telling first.
pub(super) const ALL: [Rule; 11] = [
    range,
    dearer_steps,
    cheaper_steps,
    second,
    ten_thousand,
    starved,
    waits,
    knee,
    short,
    batching,
    references,
];

/// A change that is smaller than this is none, if the whole interval is.
const NOTHING: f64 = 0.05;

/// What a step adds, in words.
const IDEAS: [(&str, &str); 13] = [
    ("01", "a blocking loop"),
    ("02", "a process per connection"),
    ("02-threads", "a thread per connection"),
    ("03", "a pool of threads"),
    ("04", "an event loop"),
    ("05", "edge-triggered events"),
    ("05-mio", "mio"),
    ("06", "handing requests to workers"),
    ("07", "a ring per worker"),
    ("08", "one loop per thread"),
    ("09", "processes with a loop each"),
    ("10", "a listener per thread"),
    ("11", "io_uring"),
];

fn idea(server: &str) -> &str {
    IDEAS.iter().find(|(name, _)| *name == server).map_or(server, |(_, idea)| idea)
}

fn finding(figure: &'static str, text: String) -> Option<Finding> {
    Some(Finding { text, figure })
}

/// `2.2 times [2.1 to 2.3]`.
fn times(change: Change) -> String {
    format!("{:.2} times [{:.2} to {:.2}]", change.ratio, change.low, change.high)
}

/// From the least to the most, by that number.
fn sorted<T>(all: impl Iterator<Item = T>, number: impl Fn(&T) -> f64) -> Vec<T> {
    let mut all: Vec<T> = all.collect();
    all.sort_by(|one, other| number(one).total_cmp(&number(other)));
    all
}

fn is_stage(server: &&str) -> bool {
    !is_reference(server)
}

/// Costs of the load that figures show first.
fn main_costs<'a>(data: &Data<'a>) -> Option<Costs<'a>> {
    costs(data, Phase::Paired).into_iter().next()
}

/// The dearest design and the cheapest, each against the floor.
fn range(data: &Data) -> Option<Finding> {
    let costs = main_costs(data)?;
    let stages = costs.servers().into_iter().filter(is_stage);
    let all = sorted(stages.filter_map(|s| Some((s, costs.over_floor(s)?))), |(_, change)| change.ratio);
    let ((cheap, least), (dear, most)) = (*all.first()?, *all.last()?);
    (most.is_real() && costs.change(cheap, dear)?.is_real()).then_some(())?;
    let least = if least.is_real() { times(least) } else { "not distinguishable from it".to_owned() };
    let text = format!(
        "With {}, {} ({dear}) is the dearest design: a request costs {} the floor, what the kernel alone \
         needs; {} ({cheap}) is the cheapest: {least}.",
        costs.load.words(),
        idea(dear),
        times(most),
        idea(cheap)
    );
    finding("what-each-idea-costs", text)
}

/// The steps that add to the cost, the one that adds most first.
fn dearer_steps(data: &Data) -> Option<Finding> {
    steps(data, "adds most to the cost of a request", |change| change.ratio)
}

/// Those that save.
fn cheaper_steps(data: &Data) -> Option<Finding> {
    steps(data, "saves most", |change| 1.0 / change.ratio)
}

/// The steps that are more than chance in one direction. A twin is a contrast and no step.
fn steps(data: &Data, verb: &str, size: fn(&Change) -> f64) -> Option<Finding> {
    let mut steps = main_costs(data)?.steps();
    steps.retain(|(_, step, change)| change.is_real() && size(change) > 1.0 && !step.contains('-'));
    steps.sort_by(|one, other| size(&other.2).total_cmp(&size(&one.2)));
    let mut words = steps.iter().map(|(base, step, change)| (idea(step), base, step, change.text()));
    let (first, base, step, change) = words.next()?;
    let others: Vec<String> =
        words.map(|(idea, base, step, change)| format!("{idea} ({base}→{step}) {change}")).collect();
    let then = if others.is_empty() { String::new() } else { format!("; then {}", others.join(", ")) };
    finding("what-each-idea-costs", format!("{} ({base}→{step}) {verb}: {change}{then}.", capital(first)))
}

/// As a sentence begins; a name of the kernel keeps its letters.
fn capital(text: &str) -> String {
    if text.contains('_') {
        return text.to_owned();
    }
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}

/// What a second CPU is worth, for requests that keep one busy.
fn second(data: &Data) -> Option<Finding> {
    let lines = data.in_one_state(data.of(&[Phase::Cpus]));
    let lines: Vec<Line> = lines.into_iter().filter(|line| line.record.key.path != "/").collect();
    let factor = |server| Some((server, second_cpu::factor(&of_server(&lines, server))?));
    let all: Vec<(&str, Change)> = servers(&lines).into_iter().filter_map(factor).collect();
    let none = names(all.iter().filter(|(_, change)| change.is_none(2.0 * NOTHING)));
    let gain = all.iter().filter(|(_, change)| change.is_real() && change.low > 1.0 + NOTHING);
    let gain = sorted(gain, |(_, change)| change.ratio);
    let (best, most) = gain.last()?;
    let text = format!(
        "A second CPU makes {} ({best}) {} as fast where each request keeps a CPU busy{}.",
        idea(best),
        times(*most),
        if none.is_empty() { String::new() } else { format!("; {none} make nothing of it") }
    );
    finding("second-cpu", text)
}

/// What the most idle connections change for the active ones.
fn ten_thousand(data: &Data) -> Option<Finding> {
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
    let text = match dearer {
        Some((server, change)) if none.is_empty() => {
            format!("{idle} idle connections make a request of {server} dearer by {}.", change.text())
        }
        Some((server, change)) => format!(
            "{idle} idle connections make a request of {server} dearer by {}; for {none} they change less than \
             5 %.",
            change.text()
        ),
        None if none.is_empty() => return None,
        None => format!(
            "{idle} idle connections change the cost of an active client's request by less than 5 % in {none}."
        ),
    };
    finding("c10k", text)
}

/// Designs that idle clients starve. A probe is no measurement with a spread: it starves or it does not.
fn starved(data: &Data) -> Option<Finding> {
    const PROBE: &str = "idle-holders";
    let (grades, _) = data.grades();
    let outcome = |grade: &&records::Grade, word: &str| {
        let probed = grade.probes.iter().find(|probed| probed.probe == PROBE);
        grade.options.is_empty()
            && !grade.name.is_empty()
            && probed.is_some_and(|p| p.outcome.starts_with(word))
    };
    let with = |word: &str| {
        let names = grades.iter().filter(|grade| outcome(grade, word)).map(|grade| grade.name.as_str());
        names.collect::<BTreeSet<_>>()
    };
    let (starved, passed) = (with("starved"), with("pass"));
    if starved.is_empty() || passed.is_empty() {
        return None;
    }
    let names: Vec<String> = starved.iter().map(|name| format!("{} ({name})", idea(name))).collect();
    let text = format!(
        "Idle clients that keep their connections starve {}; {} other designs serve the next client beside \
         them.",
        names.join(" and "),
        passed.len()
    );
    finding("probes", text)
}

/// How many quick requests wait behind slow ones.
fn waits(data: &Data) -> Option<Finding> {
    let lines = data.of(&[Phase::Slow]);
    let lines: Vec<Line> = lines.into_iter().filter(|line| latency::is_reached(line.record)).collect();
    let share = |server| {
        let shares = sample(&of_server(&lines, server), slow::over_5ms);
        Some((server, shares.median()?, shares.interval()?))
    };
    let all = sorted(servers(&lines).into_iter().filter_map(share), |(_, share, _)| *share);
    let ((good, least, low), (bad, most, high)) = (all.first()?, all.last()?);
    (high.low > low.high).then_some(())?;
    let text = format!(
        "Of the quick requests beside slow ones, {:.0} % take longer than 5 ms in {} ({bad}), {:.1} % in {} \
         ({good}).",
        100.0 * most,
        idea(bad),
        100.0 * least,
        idea(good)
    );
    finding("slow", text)
}

/// The highest rate at which the whole interval of p99 is below the limit, by server.
fn knee(data: &Data) -> Option<Finding> {
    let lines = data.in_one_state(data.of(&[Phase::Latency]));
    let lines: Vec<Line> = lines.into_iter().filter(|line| line.record.key.path != "/").collect();
    let rate = |record: &Record| record.open_loop().map_or(0, |open| open.rate.round() as u64);
    let holds = |server: &str, at: u64| {
        let its: Vec<Line> = of_server(&lines, server).into_iter().filter(|l| rate(l.record) == at).collect();
        let reached = !its.is_empty() && its.iter().all(|line| latency::is_reached(line.record));
        let p99 = sample(&its, |record| Some(record.open_loop()?.latency_us.p99 as f64));
        reached && p99.interval().is_some_and(|interval| interval.high < latency::LIMIT)
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
        "With GET {path}, {} ({good}) keeps p99 below {} up to {} requests per second, {} ({bad}) up to {}.",
        idea(good),
        time(latency::LIMIT),
        number(most as f64),
        idea(bad),
        number(least as f64)
    );
    finding("latency", text)
}

/// The stages whose request costs more under one load than under another, and how many times as much.
fn dearer<'a>(base: &Costs<'a>, load: &Costs) -> Vec<(&'a str, Change)> {
    let us = |costs: &Costs, server: &str| costs.sample(server).times(costs.floor_us);
    let change = |server: &'a str| Some((server, us(load, server).over(&us(base, server))?));
    let all = base.servers().into_iter().filter(is_stage).filter_map(change);
    sorted(all.filter(|(_, change)| change.is_real() && change.low > 1.0), |(_, change)| change.ratio)
}

/// What a connection per request costs, against a kept one.
fn short(data: &Data) -> Option<Finding> {
    let all = costs(data, Phase::Paired);
    let kept = all.iter().find(|costs| !costs.load.is_short)?;
    let short = all.iter().find(|costs| costs.load.is_short && costs.load.path == kept.load.path)?;
    let all = dearer(kept, short);
    let ((good, least), (bad, most)) = (all.first()?, all.last()?);
    let text = format!(
        "A connection per request costs {} as much as a kept one in {} ({good}), {} in {} ({bad}).",
        times(*least),
        idea(good),
        times(*most),
        idea(bad)
    );
    finding("capacity", text)
}

/// What many clients at once save.
fn batching(data: &Data) -> Option<Finding> {
    let all: Vec<Costs> = costs(data, Phase::Clients);
    let all: Vec<&Costs> = all.iter().filter(|costs| !costs.load.is_short).collect();
    let few = all.iter().min_by_key(|costs| costs.load.clients)?;
    let many = all.iter().max_by_key(|costs| costs.load.clients)?;
    let (server, change) = dearer(many, few).pop()?;
    let text = format!(
        "A request of a lone client costs {} as much as one of {} at once in {} ({server}): with many ready \
         requests a server sleeps less often.",
        times(change),
        count(many.load.clients, "client"),
        idea(server)
    );
    finding("cost-by-clients", text)
}

/// The cheapest stage beside the references.
fn references(data: &Data) -> Option<Finding> {
    let costs = main_costs(data)?;
    let median = |server: &&str| costs.sample(server).median().unwrap_or(f64::INFINITY);
    let stages = costs.servers().into_iter().filter(is_stage);
    let best = stages.min_by(|one, other| median(one).total_cmp(&median(other)))?;
    let others = costs.servers().into_iter().filter(|server| is_reference(server) && *server != FLOOR);
    let words: Vec<String> = others
        .filter_map(|server| Some((server, costs.change(best, server)?)))
        .filter(|(_, change)| change.is_real())
        .map(|(server, change)| format!("{server} costs {} as much", times(change)))
        .collect();
    (!words.is_empty()).then_some(())?;
    finding("what-each-idea-costs", format!("Beside {} ({best}), {}.", idea(best), words.join(", ")))
}

/// What cannot be told apart: the steps whose interval holds 1, and those with too few rounds.
pub(super) fn alike(data: &Data) -> Vec<String> {
    let Some(costs) = main_costs(data) else { return Vec::new() };
    let steps = costs.steps();
    let names = |is_settled: bool| {
        let its = steps.iter().filter(|(.., change)| !change.is_real() && change.is_settled() == is_settled);
        its.map(|(base, step, _)| format!("{base}→{step}")).collect::<Vec<_>>()
    };
    let floor: Vec<&str> = costs
        .servers()
        .into_iter()
        .filter(|server| {
            *server != FLOOR && costs.over_floor(server).is_some_and(|c| c.is_settled() && !c.is_real())
        })
        .collect();
    let line = |names: Vec<String>, words: &str| {
        (!names.is_empty()).then(|| format!("{words}: {}.", names.join(", ")))
    };
    [
        line(names(true), "Steps whose cost per request is not distinguishable from the one before"),
        line(
            floor.into_iter().map(String::from).collect(),
            "Servers whose cost is not distinguishable from the floor's",
        ),
        line(names(false), "Steps with too few rounds to tell"),
        between_runs(&costs),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// How far the runs of one commit differ.
fn between_runs(costs: &Costs) -> Option<String> {
    let spread = |server: &&str| {
        let medians = costs.sample(server).by_run();
        let ends = medians.iter().fold((f64::MAX, 0.0_f64), |(a, b), &m| (a.min(m), b.max(m)));
        (medians.len() > 1).then(|| (100.0 * (ends.1 / ends.0 - 1.0), medians.len()))
    };
    let all = costs.servers().into_iter().filter_map(|server| Some((server, spread(&server)?)));
    let (server, (most, runs)) = all.max_by(|one, other| one.1.0.total_cmp(&other.1.0))?;
    Some(format!(
        "Between the {runs} runs of this commit the median cost of a server over the floor's differs by up to \
         {most:.1} % ({server})."
    ))
}

/// `04, 05`.
fn names<'a>(all: impl Iterator<Item = &'a (&'a str, Change)>) -> String {
    let names: BTreeSet<&str> = all.map(|(server, _)| *server).collect();
    names.into_iter().collect::<Vec<_>>().join(", ")
}

fn servers<'a>(lines: &[Line<'a>]) -> Vec<&'a str> {
    let names: BTreeSet<&str> = lines.iter().map(|line| line.record.key.server.as_str()).collect();
    names.into_iter().collect()
}

fn of_server<'a>(lines: &[Line<'a>], server: &str) -> Vec<Line<'a>> {
    lines.iter().filter(|line| line.record.key.server == server).copied().collect()
}

fn sample(lines: &[Line], value: impl Fn(&Record) -> Option<f64>) -> Sample {
    let mut sample = Sample::default();
    for line in lines {
        value(line.record).into_iter().for_each(|value| sample.push(line.file, value));
    }
    sample
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::Source;
    use lab_core::stats::Percentiles;
    use records::sample::{open, paired, record};
    use records::{Grade, Mix, OpenLoop, Outcome, Probed};
    use std::path::Path;

    /// What a rule says of these records.
    fn says(rule: Rule, records: Vec<Record>) -> Option<String> {
        let sources = [Source { records, ..Source::default() }];
        rule(&Data::new(&sources, Path::new("."))).map(|finding| finding.text)
    }

    /// Seven rounds around a value, this many per cent apart.
    fn around(value: f64, apart: f64) -> impl Iterator<Item = f64> {
        (-3..=3).map(move |round| value * (1.0 + f64::from(round) * apart / 100.0))
    }

    /// Pairs of a server whose request costs so many times the floor's.
    fn pairs(server: &str, ratio: f64, apart: f64) -> Vec<Record> {
        let pair =
            |ratio: f64| paired(record(server, "builtin", 64, true, 1e6 / (10.0 * ratio)), [10.0, 10.0]);
        around(ratio, apart).map(pair).collect()
    }

    /// The floor and some servers.
    fn costs_of(servers: &[(&str, f64)], apart: f64) -> Vec<Record> {
        let floor = pairs("floor", 1.0, 0.1);
        servers.iter().flat_map(|(server, ratio)| pairs(server, *ratio, apart)).chain(floor).collect()
    }

    fn contains(text: Option<String>, words: &[&str]) {
        let text = text.expect("the rule speaks");
        words.iter().for_each(|word| assert!(text.contains(word), "{word}: {text}"));
    }

    #[test]
    fn the_range_of_costs_is_told_if_its_ends_differ() {
        let text = says(range, costs_of(&[("02", 2.2), ("04", 1.1)], 0.5));
        contains(
            text,
            &["a process per connection (02)", "2.20 times [2.1", "an event loop (04)", "1.10 times"],
        );
        assert_eq!(says(range, costs_of(&[("02", 1.11), ("04", 1.1)], 5.0)), None);
        assert_eq!(says(range, Vec::new()), None);
    }

    #[test]
    fn a_step_is_told_if_its_interval_has_one_sign() {
        let servers = [("05", 1.1), ("06", 1.3), ("07", 1.3), ("10", 1.1), ("11", 1.0)];
        contains(
            says(dearer_steps, costs_of(&servers, 0.5)),
            &["Handing requests to workers (05→06)", "+18 % ["],
        );
        contains(says(cheaper_steps, costs_of(&servers, 0.5)), &["io_uring (10→11)", "−9 % ["]);
        assert_eq!(says(dearer_steps, costs_of(&servers, 20.0)), None);
        assert_eq!(says(cheaper_steps, costs_of(&servers, 20.0)), None);
        let data = [Source { records: costs_of(&servers, 0.5), ..Source::default() }];
        let alike = alike(&Data::new(&data, Path::new(".")));
        assert!(alike[0].contains("06→07") && !alike[0].contains("05→06"), "{alike:?}");
    }

    fn on_cpus(server: &str, cpus: usize, speed: f64, apart: f64) -> Vec<Record> {
        let one = |speed: f64| {
            let mut one = record(server, "builtin", 64, true, speed);
            (one.key.phase, one.key.cpus, one.key.path) = (Phase::Cpus, Some(cpus), "/spin/100".into());
            one
        };
        around(speed, apart).map(one).collect()
    }

    #[test]
    fn a_second_cpu_is_told_if_it_is_worth_something() {
        let of = |apart: f64, second: f64| {
            let two = [on_cpus("10", 1, 1e4, apart), on_cpus("10", 2, second * 1e4, apart)];
            let one = [on_cpus("04", 1, 1e4, 0.1), on_cpus("04", 2, 1e4, 0.1)];
            says(second_rule, two.into_iter().chain(one).flatten().collect())
        };
        contains(of(0.5, 1.9), &["a listener per thread (10)", "1.90 times [1.8", "04 make nothing of it"]);
        assert_eq!(of(30.0, 1.2), None);
    }

    use super::second as second_rule;

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
        contains(of(10.05, 0.3), &["10,000 idle connections change", "less than 5 % in 04"]);
        contains(of(13.0, 0.3), &["dearer by +30 %"]);
        assert_eq!(of(10.05, 8.0), None, "an interval that is wide supports neither");
    }

    #[test]
    fn starving_is_told_if_some_starve_and_some_do_not() {
        let grade = |name: &str, outcome: &str| Grade {
            stage: name.into(),
            name: name.into(),
            title: String::new(),
            options: Vec::new(),
            binary_hash: None,
            commit: None,
            started_at: String::new(),
            planned: 1,
            surprises: 0,
            probes: vec![Probed {
                probe: "idle-holders".into(),
                outcome: outcome.into(),
                expected: outcome.into(),
                seconds: 0.0,
                detail: String::new(),
                surprise: false,
                evidence: None,
            }],
            host: record("04", "wrk", 1, true, 1.0).context.host,
        };
        let of = |grades: Vec<Grade>| {
            let sources = [Source { grades, ..Source::default() }];
            starved(&Data::new(&sources, Path::new("."))).map(|finding| finding.text)
        };
        contains(
            of(vec![grade("03", "starved"), grade("04", "pass")]),
            &["starve a pool of threads (03)", "1 other"],
        );
        assert_eq!(of(vec![grade("03", "pass"), grade("04", "pass")]), None);
    }

    fn slow_of(server: &str, over: f64, apart: f64) -> Vec<Record> {
        let latency_us = Percentiles { p50: 1, p90: 1, p99: 1, p99_9: 1, max: 1 };
        let one = |over: f64| {
            let over_5ms = Some(over as u64);
            let sent =
                OpenLoop { rate: 1000.0, share_of_peak: None, latency_us, over_5ms, late: 0, never_sent: 0 };
            let mut one = open(record(server, "builtin", 64, true, 1000.0), sent);
            one.key.phase = Phase::Slow;
            let Outcome::Latency(latency) = &mut one.outcome else { panic!("an open loop") };
            latency.mix = Some(Mix {
                percent: 5,
                path: "/sleep/50".into(),
                requests: 50,
                errors: 0,
                never_sent: None,
                latency_us: None,
                service_us: None,
            });
            one
        };
        around(over, apart).map(one).collect()
    }

    #[test]
    fn waits_behind_slow_requests_are_told_if_the_intervals_are_apart() {
        contains(
            says(waits, [slow_of("04", 400.0, 1.0), slow_of("09", 20.0, 1.0)].concat()),
            &["40 % take longer than 5 ms in an event loop (04)", "2.0 % in processes with a loop each (09)"],
        );
        assert_eq!(says(waits, [slow_of("04", 400.0, 20.0), slow_of("09", 390.0, 20.0)].concat()), None);
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
        let of_short = |apart: f64| {
            let [kept, short] =
                [(true, 6.0), (false, 20.0)].map(|(kept, floor)| with(Phase::Paired, 64, kept, floor, apart));
            says(short_rule, [kept, short].concat())
        };
        contains(of_short(1.0), &["A connection per request costs 3.33 times"]);
        let lone = |apart: f64, floor: f64| {
            says(
                batching,
                [with(Phase::Clients, 1, true, floor, apart), with(Phase::Clients, 1024, true, 6.0, apart)]
                    .concat(),
            )
        };
        contains(lone(1.0, 22.0), &["costs 3.67 times", "one of 1024 clients at once", "an event loop (04)"]);
        assert_eq!(lone(30.0, 6.5), None);
    }

    use super::short as short_rule;

    #[test]
    fn references_are_told_if_they_differ_from_the_cheapest_stage() {
        contains(
            says(references, costs_of(&[("11", 1.0), ("nginx", 1.3)], 0.5)),
            &["Beside io_uring (11)", "nginx costs 1.30 times"],
        );
        assert_eq!(says(references, costs_of(&[("11", 1.0), ("nginx", 1.01)], 3.0)), None);
    }
}
