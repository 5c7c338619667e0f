//! What a request costs each design: the range, the steps, the references, and what cannot be told apart.

use super::probe::outcomes;
use super::words::{idea, times};
use super::{Finding, Place, finding, is_stage, main_costs, sorted};
use crate::costs::{Costs, costs};
use crate::figures::Data;
use crate::sample::Change;
use records::{FLOOR, Phase, is_reference};

/// From the cheapest design to the dearest, each against the floor. That one is the only cheapest is not
/// said: its neighbour may not be distinguishable from it.
pub(super) fn range(data: &Data) -> Option<Finding> {
    range_of(&main_costs(data)?)
}

/// The same with a connection for each request.
pub(super) fn range_of_short(data: &Data) -> Option<Finding> {
    let all = costs(data, Phase::Paired);
    let costs = all.iter().find(|costs| costs.load.is_short)?;
    let found = range_of(costs)?;
    let also = patient(data, costs).unwrap_or_default();
    // The picture has the connections that are kept.
    Some(Finding { text: format!("{}{also}", found.text), shown_in: Place::Table, ..found })
}

/// The cheapest of those that a few idle clients do not starve, where it is not the cheapest of all: who
/// reads that a blocking loop is cheap must not take it for the choice.
fn patient(data: &Data, costs: &Costs) -> Option<String> {
    let [starved, passed] = outcomes(data, "idle-holders");
    let median = |server: &&str| costs.sample(server).median().unwrap_or(f64::INFINITY);
    let cheapest = |of: &dyn Fn(&&str) -> bool| {
        let stages = costs.servers().into_iter().filter(is_stage).filter(|server| of(server));
        stages.min_by(|one, other| median(one).total_cmp(&median(other)))
    };
    let first = cheapest(&|_| true)?;
    starved.contains(first).then_some(())?;
    let best = cheapest(&|server| passed.contains(server))?;
    let over = times(costs.over_floor(best)?);
    Some(format!(
        " Of the designs that idle clients do not starve, {} ({best}) takes least, {over}.",
        idea(best)
    ))
}

fn range_of(costs: &Costs) -> Option<Finding> {
    let stages = costs.servers().into_iter().filter(is_stage);
    let all = sorted(stages.filter_map(|s| Some((s, costs.over_floor(s)?))), |(_, change)| change.ratio);
    let ((cheap, least), (dear, most)) = (*all.first()?, *all.last()?);
    (most.is_real() && costs.change(cheap, dear)?.is_real()).then_some(())?;
    let (load, cheapest, dearest) = (costs.load.words(), idea(cheap), idea(dear));
    let least = if least.is_real() {
        format!("the least CPU time in {cheapest} ({cheap}), {} as much as in the floor", times(least))
    } else {
        format!("no more CPU time in {cheapest} ({cheap}) than in the floor, as far as can be told")
    };
    let text = format!(
        "With {load}, a request takes {least}, and the most in {dearest} ({dear}), {} as much as in the floor.",
        times(most)
    );
    finding("what-each-idea-costs", text)
}

/// What adds most to the cost, what saves most, and then the smaller steps in the order of the stages.
pub(super) fn steps(data: &Data) -> Option<Finding> {
    // A twin is a contrast and no step.
    let is_one = |(_, step, change): &(String, String, Change)| change.is_real() && !step.contains('-');
    let costs = main_costs(data)?;
    let steps: Vec<_> = costs.steps().into_iter().filter(is_one).collect();
    let words = |(base, step, change): &(String, String, Change), verb: &str| {
        format!("{} ({base}→{step}){verb} {}", idea(step), change.text())
    };
    let size = |(.., change): &&(String, String, Change)| change.ratio;
    let adds = sorted(steps.iter(), size).pop().filter(|(.., change)| change.ratio > 1.0);
    let saves = sorted(steps.iter(), size).into_iter().next().filter(|(.., change)| change.ratio < 1.0);
    // What a step saves may be what another one has added: both ends tell.
    let told = |step: &(String, String, Change), verb: &str| {
        let ends = [&step.0, &step.1].map(|server| costs.over_floor(server).map(|over| over.ratio));
        let ends = match ends {
            [Some(from), Some(to)] => format!(", from {from:.2} to {to:.2} times the floor"),
            _ => String::new(),
        };
        format!("{}{ends}", words(step, verb))
    };
    let first = [
        adds.map(|step| told(step, " adds most to a request's cost,")),
        saves.map(|step| told(step, " saves most,")),
    ];
    let first: Vec<String> = first.into_iter().flatten().collect();
    (!first.is_empty()).then_some(())?;
    let is_told = |step: &&(String, String, Change)| {
        [adds, saves].into_iter().flatten().any(|other| std::ptr::eq(other, *step))
    };
    let rest: Vec<String> = steps.iter().filter(|step| !is_told(step)).map(|step| words(step, "")).collect();
    let rest = match rest.as_slice() {
        [] => String::new(),
        rest => format!(" Smaller steps: {}.", rest.join(", ")),
    };
    finding(
        "what-each-idea-costs",
        format!("From stage to stage, with {}, {}.{rest}", costs.load.words(), first.join("; ")),
    )
}

/// The cheapest stage beside the references.
pub(super) fn references(data: &Data) -> Option<Finding> {
    let costs = main_costs(data)?;
    let median = |server: &&str| costs.sample(server).median().unwrap_or(f64::INFINITY);
    let stages = costs.servers().into_iter().filter(is_stage);
    let best = stages.min_by(|one, other| median(one).total_cmp(&median(other)))?;
    let others = costs.servers().into_iter().filter(|server| is_reference(server) && *server != FLOOR);
    let words: Vec<String> = others
        .filter_map(|server| Some((server, costs.change(best, server)?)))
        .filter(|(_, change)| change.is_real())
        .map(|(server, change)| format!("{server} takes {}", times(change)))
        .collect();
    (!words.is_empty()).then_some(())?;
    let words = words.join(" and ");
    finding(
        "what-each-idea-costs",
        format!("Of the references, {words} the CPU time per request of {} ({best}).", idea(best)),
    )
}

/// What cannot be told apart: the steps whose interval holds 1, and those with too few rounds.
pub(in crate::findings) fn alike(data: &Data) -> Vec<String> {
    let Some(costs) = main_costs(data) else { return Vec::new() };
    let steps = costs.steps();
    let names = |is_settled: bool| {
        let its = steps.iter().filter(|(.., change)| !change.is_real() && change.is_settled() == is_settled);
        its.map(|(base, step, _)| format!("{} ({base}→{step})", idea(step))).collect::<Vec<_>>()
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
        line(
            names(true),
            &format!("With {}, no change of a request's cost can be told for", costs.load.words()),
        ),
        line(
            floor.into_iter().map(|server| format!("{} ({server})", idea(server))).collect(),
            "Not distinguishable from the floor",
        ),
        line(names(false), "Steps with too few rounds to tell"),
        one_cpu(&costs),
        between_runs(&costs),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// What the costs cannot show where a server has one CPU.
fn one_cpu(costs: &Costs) -> Option<String> {
    let is_one =
        !costs.lines.is_empty() && costs.lines.iter().all(|line| line.record.context.server_cpus.len() == 1);
    is_one.then(|| {
        "What threads cost that run at the same time: the server had one CPU, so no thread waited for a lock that \
         another CPU held, and no cache line was shared with one."
            .to_owned()
    })
}

/// How far the runs of one commit differ.
fn between_runs(costs: &Costs) -> Option<String> {
    let spread = |server: &&str| {
        let medians = costs.sample(server).by_run();
        let ends = medians.iter().fold((f64::MAX, 0.0_f64), |(a, b), &m| (a.min(m), b.max(m)));
        (medians.len() > 1).then(|| (100.0 * (ends.1 / ends.0 - 1.0), medians.len()))
    };
    let all = costs.servers().into_iter().filter_map(|server| Some((server, spread(&server)?)));
    let mut all = sorted(all, |(_, (spread, _))| *spread);
    let (server, (most, runs)) = all.pop()?;
    let others = all.pop().map(|(_, (most, _))| format!(", of the others by up to {most:.1} %"));
    let order = order(costs, runs).map(|least| {
        format!(", and their order correlates with at least {least:.2} (Spearman's rank correlation)")
    });
    Some(format!(
        "Between the {runs} runs of this commit the median cost of a server over the floor's, with {}, differs by \
         up to {most:.1} % ({server}){}{}.",
        costs.load.words(),
        others.unwrap_or_default(),
        order.unwrap_or_default()
    ))
}

/// How far the runs agree which server costs less: the least rank correlation of two of them.
fn order(costs: &Costs, runs: usize) -> Option<f64> {
    let medians = costs.servers().into_iter().map(|server| costs.sample(server).by_run());
    // A server that a run lacks has no rank in it.
    let medians: Vec<Vec<f64>> = medians.filter(|medians| medians.len() == runs).collect();
    let ranks = |run: usize| -> Vec<usize> {
        let below = |one: &Vec<f64>| medians.iter().filter(|other| other[run] < one[run]).count();
        medians.iter().map(below).collect()
    };
    let (all, n): (Vec<Vec<usize>>, _) = ((0..runs).map(ranks).collect(), medians.len() as f64);
    let correlation = |one: &[usize], other: &[usize]| {
        let squares = one.iter().zip(other).map(|(one, other)| one.abs_diff(*other).pow(2));
        1.0 - 6.0 * squares.sum::<usize>() as f64 / (n * (n * n - 1.0))
    };
    let pairs = (0..runs).flat_map(|one| (0..one).map(move |other| (one, other)));
    let all = pairs.map(|(one, other)| correlation(&all[one], &all[other]));
    (n > 2.0).then(|| all.fold(1.0, f64::min))
}

#[cfg(test)]
mod tests {
    use super::super::invented::{contains, costs_of, pairs, says};
    use super::*;
    use crate::figures::Source;
    use std::path::Path;

    #[test]
    fn the_range_of_costs_is_told_if_its_ends_differ() {
        let text = says(range, costs_of(&[("02", 2.2), ("04", 1.1)], 0.5));
        contains(
            text,
            &[
                "the least CPU time in an event loop (04), 1.10 times [1.0",
                "the most in a process per connection (02), 2.20 times [2.1",
            ],
        );
        let near = says(range, costs_of(&[("02", 2.2), ("04", 1.0)], 0.5));
        contains(near, &["no more CPU time in an event loop (04) than in the floor", "(02), 2.20 times"]);
        assert_eq!(says(range, costs_of(&[("02", 1.11), ("04", 1.1)], 5.0)), None);
        assert_eq!(says(range, pairs("floor", 1.0, 0.1)), None, "no design at all");
        assert_eq!(says(range, Vec::new()), None);
    }

    /// Protects the sentence from another number than the picture beside it has.
    #[test]
    fn the_factor_over_the_floor_is_the_one_of_the_figure() {
        let floor = pairs("floor", 0.9, 0.1);
        let records = [pairs("02", 2.2, 0.5), pairs("04", 1.2, 0.5), floor].concat();
        contains(says(range, records), &["2.20 times"]);
    }

    #[test]
    fn a_step_is_told_if_its_interval_has_one_sign() {
        let servers = [("05", 1.1), ("06", 1.3), ("07", 1.3), ("10", 1.1), ("11", 1.0)];
        contains(
            says(steps, costs_of(&servers, 0.5)),
            &[
                "handing requests to workers (05→06) adds most to a request's cost, +18 % [",
                "], from 1.10 to 1.30 times the floor; io_uring (10→11) saves most, −9 % [",
                "], from 1.10 to 1.00 times the floor.",
            ],
        );
        let more = [("04", 1.0), ("05", 1.05), ("06", 1.3), ("10", 1.1), ("11", 1.0)];
        contains(
            says(steps, costs_of(&more, 0.5)),
            &["from 1.10 to 1.00 times the floor. Smaller steps: edge-triggered events (04→05) +5 % ["],
        );
        assert_eq!(says(steps, costs_of(&servers, 20.0)), None);
        assert_eq!(says(steps, Vec::new()), None);
        let one = says(steps, costs_of(&servers[..2], 0.5)).expect("a step that adds");
        assert!(!one.contains("saves"), "{one}");
        let data = [Source { records: costs_of(&servers, 0.5), ..Source::default() }];
        let alike = alike(&Data::new(&data, Path::new(".")));
        assert!(alike[0].contains("06→07") && !alike[0].contains("05→06"), "{alike:?}");
    }

    /// Protects from a claim of three rounds, and from silence about what is not known.
    #[test]
    fn a_step_of_few_rounds_is_said_to_have_too_few() {
        let few: Vec<_> = costs_of(&[("05", 1.1), ("06", 1.13)], 0.5).into_iter().step_by(3).collect();
        assert_eq!(says(steps, few.clone()), None);
        let data = [Source { records: few, ..Source::default() }];
        let alike = alike(&Data::new(&data, Path::new(".")));
        assert!(
            alike.iter().any(|line| line.contains("too few rounds") && line.contains("05→06")),
            "{alike:?}"
        );
        assert!(super::alike(&Data::new(&[], Path::new("."))).is_empty());
    }

    /// Protects the claim that two runs agree: of three servers in the opposite order they do not.
    #[test]
    fn runs_agree_as_far_as_they_have_one_order() {
        let run = |costs: &[(&str, f64)]| Source { records: costs_of(costs, 0.5), ..Source::default() };
        let says = |runs: &[Source]| alike(&Data::new(runs, Path::new("."))).pop().expect("two runs");
        let up = [("04", 1.1), ("06", 1.4), ("09", 1.7)];
        let same = says(&[run(&up), run(&up)]);
        assert!(same.contains("Between the 2 runs") && same.contains("at least 1.00"), "{same}");
        let other = says(&[run(&up), run(&[("04", 1.1), ("06", 1.7), ("09", 1.4)])]);
        assert!(other.contains("at least 0.80"), "{other}");
    }

    #[test]
    fn references_are_told_if_they_differ_from_the_cheapest_stage() {
        contains(
            says(references, costs_of(&[("11", 1.0), ("nginx", 1.3)], 0.5)),
            &["nginx takes 1.30 times", "of io_uring (11)"],
        );
        assert_eq!(says(references, costs_of(&[("11", 1.0), ("nginx", 1.01)], 3.0)), None);
        assert_eq!(says(references, costs_of(&[("11", 1.0)], 0.5)), None, "no reference but the floor");
        assert_eq!(says(references, Vec::new()), None);
    }
}
