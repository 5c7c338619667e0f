//! What a request costs each design: the range, the steps, the references, and what cannot be told apart.

use super::words::{capital, idea, times};
use super::{Finding, finding, is_stage, main_costs, sorted};
use crate::costs::Costs;
use crate::figures::Data;
use crate::sample::Change;
use records::{FLOOR, is_reference};

/// The dearest design and the cheapest, each against the floor.
pub(super) fn range(data: &Data) -> Option<Finding> {
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
pub(super) fn dearer_steps(data: &Data) -> Option<Finding> {
    steps(data, "adds most to the cost of a request", |change| change.ratio)
}

/// Those that save.
pub(super) fn cheaper_steps(data: &Data) -> Option<Finding> {
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
        .map(|(server, change)| format!("{server} costs {} as much", times(change)))
        .collect();
    (!words.is_empty()).then_some(())?;
    finding("what-each-idea-costs", format!("Beside {} ({best}), {}.", idea(best), words.join(", ")))
}

/// What cannot be told apart: the steps whose interval holds 1, and those with too few rounds.
pub(in crate::findings) fn alike(data: &Data) -> Vec<String> {
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

#[cfg(test)]
mod tests {
    use super::super::invented::{contains, costs_of, says};
    use super::*;
    use crate::figures::Source;
    use std::path::Path;

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

    #[test]
    fn references_are_told_if_they_differ_from_the_cheapest_stage() {
        contains(
            says(references, costs_of(&[("11", 1.0), ("nginx", 1.3)], 0.5)),
            &["Beside io_uring (11)", "nginx costs 1.30 times"],
        );
        assert_eq!(says(references, costs_of(&[("11", 1.0), ("nginx", 1.01)], 3.0)), None);
    }
}
