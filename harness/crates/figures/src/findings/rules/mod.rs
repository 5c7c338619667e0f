//! A rule for each sentence: it looks at the records, and says nothing where their interval does not support
//! it. A factor or a difference is claimed only if its 95 % interval lies on one side; "nothing changes" only
//! if the whole interval lies close to nothing.
//!
//! A file for each group of rules; `words` has what they share in their sentences.

mod beyond;
mod cost;
mod cpus;
mod designs;
mod held;
#[cfg(test)]
mod invented;
mod load;
mod probe;
mod slowed;
mod stolen;
mod uring;
mod wait;
mod words;

pub(super) use cost::alike;
pub(super) use designs::{Designs, designs};

use super::{Finding, Place};
use crate::costs::{Costs, costs};
use crate::figures::{Data, Line};
use crate::sample::{Change, Sample};
use records::{Phase, Record, is_reference};
use std::collections::BTreeSet;

/// Returns a sentence if the data support it.
type Rule = fn(&Data) -> Option<Finding>;

/// The most telling first: the first six are on the first screen, each of the others with its figure.
pub(super) const ALL: [Rule; 18] = [
    cost::range,
    probe::starved,
    cost::steps,
    wait::waits,
    wait::cheap_or_patient,
    cost::range_of_short,
    load::ten_thousand,
    beyond::peak,
    cpus::second,
    slowed::worker,
    wait::knee,
    probe::delayed,
    load::short,
    load::batching,
    uring::epoll,
    cost::references,
    held::memory,
    stolen::waits,
];

/// A change that is smaller than this is none, if the whole interval is.
const NOTHING: f64 = 0.05;

fn finding(figure: &'static str, text: String) -> Option<Finding> {
    Some(Finding { text, figure, shown_in: Place::Figure })
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
