//! The designs in one table: the idea of each, what a request costs it, and whom it keeps waiting.

use super::probe::outcomes;
use super::wait::{Share, shares};
use crate::costs::{Costs, costs};
use crate::figures::Data;
use crate::model::Unit;
use lab_core::stages;
use lab_core::units::count;
use records::{Phase, is_reference, label, order};
use serde::Serialize;
use std::collections::BTreeSet;

/// The table. A cell is empty where nothing was measured.
#[derive(Debug, Serialize)]
pub(crate) struct Designs {
    pub(crate) head: [&'static str; 7],
    pub(crate) rows: Vec<[String; 7]>,
    /// What the columns mean.
    pub(crate) note: String,
}

const HEAD: [&str; 7] = [
    "design",
    "idea",
    "CPU time ÷ floor",
    "change from the stage that it builds on",
    "÷ floor, a connection per request",
    "a new client beside a few idle ones",
    "quick requests that wait",
];

/// A row for every step of the staircase that was measured or graded; twins are contrasts and no steps.
pub(crate) fn designs(data: &Data) -> Option<Designs> {
    let costs = costs(data, Phase::Paired);
    let (kept, short): (Vec<&Costs>, Vec<&Costs>) = costs.iter().partition(|costs| !costs.load.is_short);
    let first = *kept.first()?;
    let (idle, shares) = (outcomes(data, "idle-holders"), shares(data));
    let measured = kept.iter().flat_map(|costs| costs.servers());
    let all: BTreeSet<&str> = measured.chain(idle.iter().flatten().copied()).collect();
    let is_step = |name: &&str| !is_reference(name) && !name.contains('-');
    let mut names: Vec<&str> = all.into_iter().filter(is_step).collect();
    names.sort_by_key(|name| order(name));
    let known = stages::discover().unwrap_or_default();
    let row = |name: &&str| {
        let stage = known.iter().find(|stage| stage.name == **name);
        let title = stage.map_or_else(|| label(name, name), |stage| format!("{name} {}", stage.title));
        [
            title,
            stage.map(|stage| stage.idea.clone()).unwrap_or_default(),
            cost(&kept, name),
            change(first, name),
            cost(&short, name),
            waits(&idle, name),
            shares.iter().find(|share| share.server == *name).map(Share::text).unwrap_or_default(),
        ]
    };
    let rows: Vec<[String; 7]> = names.iter().map(row).collect();
    let slow = super::wait::slow_requests(data).map(|slow| {
        let with = super::wait::workers(data);
        let with = with
            .map(|with| format!(" and a design with several threads, processes or loops has {with} of them"))
            .unwrap_or_default();
        format!("; the share over 5 ms, where {slow}{with}")
    });
    let note = format!(
        "CPU time of one request with {}, over that of the floor with as many; the change of that cost; the same \
         with a connection for each request, over a floor that closes too. For these columns the server had one CPU, so that a loop for each CPU is one loop here. Quick requests that wait: behind slow ones{}. \
         nginx and h2o, on the figures below, do more for a request than these servers.",
        first.load.words(),
        slow.unwrap_or_default()
    );
    (rows.len() > 1).then_some(Designs { head: HEAD, rows, note })
}

/// `1.05 [1.04–1.06]`; with how many clients, where they are fewer than those of the others.
fn cost(all: &[&Costs], server: &str) -> String {
    let usual = all.first().map(|costs| &costs.load);
    let own = all.iter().find(|costs| costs.is_like_with_like && costs.servers().contains(&server));
    let Some((costs, over)) = own.and_then(|costs| Some((costs, costs.over_floor(server)?))) else {
        return String::new();
    };
    let text = |value| Unit::Hundredths.text(value);
    let with = match Some(&costs.load) == usual {
        true => String::new(),
        false => format!(" with {}", count(costs.load.clients, "client")),
    };
    format!("{} [{}–{}]{with}", text(over.ratio), text(over.low), text(over.high))
}

/// `04→05 +4 % [2 to 5]`.
fn change(costs: &Costs, server: &str) -> String {
    let step = costs.steps().into_iter().find(|(_, step, _)| step == server);
    step.map(|(base, step, change)| format!("{base}→{step} {}", change.text())).unwrap_or_default()
}

fn waits([starved, passed]: &[BTreeSet<&str>; 2], server: &str) -> String {
    match (starved.contains(server), passed.contains(server)) {
        (true, _) => "starves".into(),
        (_, true) => "is served".into(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::invented::{costs_of, slow_of};
    use super::*;
    use crate::figures::Source;
    use std::path::Path;

    #[test]
    fn a_row_has_what_was_measured_of_a_design() {
        let mut records = costs_of(&[("04", 1.1), ("05", 1.2), ("05-mio", 1.3), ("nginx", 1.4)], 0.5);
        records.extend(slow_of("04", 480.0, 0.5));
        let sources = [Source { records, ..Source::default() }];
        let table = designs(&Data::new(&sources, Path::new("."))).expect("two designs");
        assert_eq!(table.rows.len(), 2, "neither twins nor references: {:?}", table.rows);
        let [title, idea, cost, change, short, idle, slow] = &table.rows[0];
        assert!(title.starts_with("04 ") && !idea.is_empty(), "{title}: {idea}");
        assert!(cost.starts_with("1.10 [1.0"), "{cost}");
        assert_eq!([change, short, idle, slow].map(String::as_str), ["", "", "", "48 %"]);
        assert!(table.rows[1][3].starts_with("04→05 +9 % ["), "{:?}", table.rows[1]);
        assert!(table.note.contains("64 clients"), "{}", table.note);
        assert!(designs(&Data::new(&[], Path::new("."))).is_none());
    }
}
