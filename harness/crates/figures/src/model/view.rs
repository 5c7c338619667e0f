//! What is shown of values: which of them stand on which picture, and the words beside and below it.

use super::points::{Gap, Interval, Look, Measure, Point, Points, Show, Spread};
use super::style::Style;
use super::unit::NONE;
use std::collections::BTreeMap;

/// Measures that share a picture, told apart by their marks: those that are drawn first.
pub fn together(mut measures: Vec<Measure>) -> Vec<Measure> {
    let drawn = measures.iter().filter(|measure| measure.drawn).count();
    let (mut first, mut later) = (0..drawn, drawn..);
    for measure in &mut measures {
        let at = if measure.drawn { first.next() } else { later.next() };
        measure.style = Style::series(at.unwrap_or_default());
    }
    measures
}

impl Points {
    /// The points of some options, of one measure.
    pub fn of<'a>(&'a self, options: &'a [usize], measure: usize) -> impl Iterator<Item = &'a Point> + Clone {
        self.points.iter().filter(move |point| point.measure == measure && point.options == options)
    }

    /// The measures that a picture has.
    pub fn drawn(&self) -> Vec<usize> {
        let drawn = (0..self.measures.len()).filter(|&at| self.measures[at].drawn);
        drawn.take(if self.show == Show::First { 1 } else { usize::MAX }).collect()
    }

    /// The options of each picture that a figure without switches consists of; those without a point are left
    /// out.
    pub fn facets(&self) -> Vec<Vec<usize>> {
        let mut all = vec![Vec::new()];
        for choice in &self.choices {
            let options = if choice.show == Show::First { 1 } else { choice.options.len() };
            let with = |facet: &Vec<usize>| {
                let facet = facet.clone();
                (0..options).map(move |option| facet.iter().copied().chain([option]).collect::<Vec<usize>>())
            };
            all = all.iter().flat_map(with).collect();
        }
        all.retain(|facet| self.points.iter().any(|point| point.options == *facet));
        all
    }

    /// What sets a picture apart from those beside it: `Connections kept (keep-alive)`.
    pub fn facet_name(&self, options: &[usize]) -> String {
        let names = self.choices.iter().zip(options).filter(|(choice, _)| choice.show != Show::First);
        names.map(|(choice, &option)| choice.says[option].as_str()).collect::<Vec<_>>().join(", ")
    }

    /// The points that a picture has.
    pub fn shown(&self) -> Vec<&Point> {
        let (facets, drawn) = (self.facets(), self.drawn());
        let is_shown = |point: &&Point| drawn.contains(&point.measure) && facets.contains(&point.options);
        self.points.iter().filter(is_shown).collect()
    }

    /// What is missing and not said by an empty row.
    pub fn untold(&self) -> Vec<Gap> {
        let has_row = |gap: &&Gap| {
            let series = self.series_of(&gap.server).filter(|_| self.x.is_none());
            let has_point = |series: usize| {
                let mut its = self.points.iter().filter(|point| point.series == series);
                its.any(|point| gap.options.is_empty() || point.options == gap.options)
            };
            series.is_some_and(|series| !has_point(series))
        };
        self.gaps.iter().filter(|gap| !has_row(gap)).cloned().collect()
    }

    /// Which of the series is that server.
    pub fn series_of(&self, server: &str) -> Option<usize> {
        self.series.iter().position(|series| series.server == server)
    }

    /// What the whiskers are, and what is missing.
    pub(super) fn words(&self) -> Vec<String> {
        let shown = self.shown();
        let of = |spread| shown.iter().any(|point| point.interval.is_some_and(|i| i.spread == spread));
        let whiskers = match (of(Spread::Range), of(Spread::Bootstrap)) {
            (false, false) => "",
            (true, false) => "Whiskers: the smallest and the largest round.",
            (false, true) => "Whiskers: 95 % bootstrap interval of the median.",
            (true, true) => {
                "Whiskers: 95 % bootstrap interval of the median; with fewer than five rounds the smallest \
                 and the largest."
            }
        };
        std::iter::once(whiskers.to_owned()).chain(gap_lines(&self.untold())).collect()
    }
}

/// `Not measured: 01, 03 with 64 clients (ab would hang …)`: what a reader would look for and not find. What
/// is missing for the same reason under the same loads is named together.
pub fn gap_lines(gaps: &[Gap]) -> Vec<String> {
    type Loads = Vec<(Option<usize>, usize)>;
    let mut missing: BTreeMap<&str, BTreeMap<&str, Loads>> = BTreeMap::new();
    for gap in gaps {
        let loads = missing.entry(&gap.reason).or_default().entry(&gap.name).or_default();
        loads.push((gap.workers, gap.clients));
    }
    let mut lines = Vec::new();
    for (reason, servers) in missing {
        let mut alike: BTreeMap<Loads, Vec<&str>> = BTreeMap::new();
        for (name, mut loads) in servers {
            loads.sort_unstable();
            loads.dedup();
            alike.entry(loads).or_default().push(name);
        }
        let line = |(loads, names): (&Loads, &Vec<&str>)| {
            format!("Not measured: {} {} ({reason})", names.join(", "), with(loads))
        };
        lines.extend(alike.iter().map(line));
    }
    lines
}

/// `with 64 clients and 2, 4 workers`.
fn with(loads: &[(Option<usize>, usize)]) -> String {
    let mut by_clients: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for &(workers, clients) in loads {
        by_clients.entry(clients).or_default().extend(workers);
    }
    let mut by_workers: BTreeMap<Vec<usize>, Vec<usize>> = BTreeMap::new();
    for (clients, workers) in by_clients {
        by_workers.entry(workers).or_default().push(clients);
    }
    let words = by_workers.iter().map(|(workers, clients)| {
        let workers =
            if workers.is_empty() { String::new() } else { format!(" and {}", counts(workers, "worker")) };
        format!("with {}{workers}", counts(clients, "client"))
    });
    words.collect::<Vec<_>>().join(", ")
}

/// `1 client`, `16, 64 clients`.
pub fn counts(numbers: &[usize], noun: &str) -> String {
    match numbers {
        [one] => lab_core::units::count(*one, noun),
        _ => format!("{} {noun}s", numbers.iter().map(usize::to_string).collect::<Vec<_>>().join(", ")),
    }
}

/// What stands beside a row.
impl Points {
    /// `1.07 (1.03 to 1.10), not distinguishable`; `silent 176 B, served once 352 B` of several measures.
    pub fn figures_of(&self, points: &[&Point]) -> String {
        let drawn: Vec<&&Point> = points.iter().filter(|point| point.is_drawn()).collect();
        let one = |point: &&&Point| {
            let Measure { name, axis, .. } = &self.measures[point.measure];
            let value = axis.unit.text(point.value);
            match point.interval {
                _ if drawn.len() > 1 => format!("{name} {value}"),
                // A bar's figure stands beside the whisker that says the rest.
                _ if self.bars => value,
                Some(Interval { low, high, .. }) => {
                    format!("{value} ({} to {})", axis.unit.text(low), axis.unit.text(high))
                }
                None => value,
            }
        };
        let aside = drawn.iter().find_map(|point| point.aside.clone());
        drawn.iter().map(one).chain(aside).collect::<Vec<_>>().join(", ")
    }

    /// Why a row has no mark.
    pub fn why_not(&self, series: usize, options: &[usize], points: &[&Point]) -> String {
        let missed = points.iter().find_map(|point| match (&point.note, point.look) {
            (Some(why), Look::Missed) => Some(why.clone()),
            // There is a point, and its value is no number.
            (Some(note), _) => Some(format!("{NONE}, {note}")),
            (None, _) => None,
        });
        let is_here = |gap: &&Gap| {
            gap.server == self.series[series].server && (gap.options.is_empty() || gap.options == options)
        };
        let gap = || self.gaps.iter().find(is_here).map(|gap| format!("not measured: {}", gap.reason));
        missed.or_else(gap).unwrap_or_else(|| "not measured".into())
    }
}
