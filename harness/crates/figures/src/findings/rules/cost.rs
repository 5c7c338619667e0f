//! What a request costs each design: the range, the steps, the references, and what cannot be told apart.

use super::words::{idea, times};
use super::{Finding, finding, is_stage, main_costs, sorted};
use crate::costs::Costs;
use crate::figures::Data;
use crate::sample::Change;
use records::{FLOOR, is_reference};

/// From the cheapest design to the dearest, each against the floor. That one is the only cheapest is not said:
/// its neighbour may not be distinguishable from it.
pub(super) fn range(data: &Data) -> Option<Finding> {
    let costs = main_costs(data)?;
    let stages = costs.servers().into_iter().filter(is_stage);
    let all = sorted(stages.filter_map(|s| Some((s, costs.over_floor(s)?))), |(_, change)| change.ratio);
    let ((cheap, least), (dear, most)) = (*all.first()?, *all.last()?);
    (most.is_real() && costs.change(cheap, dear)?.is_real()).then_some(())?;
    let (load, cheapest, dearest) = (costs.load.words(), idea(cheap), idea(dear));
    let least = if least.is_real() {
        format!("{cheapest} ({cheap}) needs {} the CPU time of the floor for a request", times(least))
    } else {
        format!("{cheapest} ({cheap}) cannot be told from the floor by the CPU time of a request")
    };
    let text = format!(
        "With {load}, {least}, and {dearest} ({dear}) {} as much as the floor; the other designs are in between.",
        times(most)
    );
    finding("what-each-idea-costs", text)
}

/// The steps that add to the cost and those that save, each the largest first.
pub(super) fn steps(data: &Data) -> Option<Finding> {
    let steps = main_costs(data)?.steps();
    let of = |words: &str, size: fn(&Change) -> f64| {
        // A twin is a contrast and no step.
        let is_one = |(_, step, change): &&(String, String, Change)| {
            change.is_real() && size(change) > 1.0 && !step.contains('-')
        };
        let its = sorted(steps.iter().filter(is_one), |(.., change)| -size(change));
        let mut its = its
            .into_iter()
            .map(|(base, step, change)| format!("{} ({base}→{step}) {}", idea(step), change.text()));
        let first = its.next()?;
        let then: Vec<String> = its.collect();
        let then = if then.is_empty() { String::new() } else { format!(", then {}", then.join(", ")) };
        Some(format!("{words} {first}{then}"))
    };
    let both = [
        of("what adds most to a request's cost is", |change| change.ratio),
        of("what saves most is", |change| 1.0 / change.ratio),
    ];
    let both: Vec<String> = both.into_iter().flatten().collect();
    (!both.is_empty()).then_some(())?;
    finding("what-each-idea-costs", format!("From stage to stage, {}.", both.join("; ")))
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
        line(names(true), "Steps that change the cost of a request by nothing that can be told"),
        line(
            floor.into_iter().map(|server| format!("{} ({server})", idea(server))).collect(),
            "Not distinguishable from the floor",
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
                "an event loop (04) needs 1.10 times [1.0",
                "the CPU time of the floor for a request, and a process per connection (02) 2.20 times [2.1",
            ],
        );
        let near = says(range, costs_of(&[("02", 2.2), ("04", 1.0)], 0.5));
        contains(
            near,
            &["an event loop (04) cannot be told from the floor", "a process per connection (02) 2.20 times"],
        );
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
                "adds most to a request's cost is handing requests to workers (05→06) +18 % [",
                "; what saves most is io_uring (10→11) −9 % [",
            ],
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
