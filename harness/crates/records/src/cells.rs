//! Records of several rounds, put together: one cell per server, tool, load.

use super::{Figures, Limiter, Phase, Record};
use lab_core::stats;
use std::collections::BTreeMap;

/// What one cell was measured under.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Shape {
    /// The server.
    pub stage: String,
    /// The generator.
    pub tool: String,
    /// Whether a client kept its connection.
    pub keep_alive: bool,
    /// Requests sent before the replies are read.
    pub pipeline: usize,
    /// Clients at once.
    pub concurrency: usize,
}

impl Shape {
    /// The shape of the cell that a record is a round of; `None` if it is in no cell.
    pub fn of(record: &Record) -> Option<Self> {
        let is_survey = matches!(record.phase, Phase::Survey | Phase::Paired);
        let counts = is_survey && record.figures.is_some() && !record.dropped;
        counts.then(|| Self {
            stage: record.stage.clone(),
            tool: record.tool.clone(),
            keep_alive: record.keep_alive,
            pipeline: record.pipeline,
            concurrency: record.concurrency,
        })
    }
}

/// The rounds of one shape.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    /// What it was measured under.
    pub shape: Shape,
    /// The server's title.
    pub title: String,
    /// Median of the right answers per second.
    pub requests_per_second: f64,
    /// Its interval, if there were several rounds.
    pub interval: Option<(f64, f64)>,
    /// Median of the server's CPU time per right answer.
    pub cpu_us_per_request: Option<f64>,
    /// Its interval, if there were several rounds.
    pub cpu_interval: Option<(f64, f64)>,
    /// The limiter of most rounds; of two that are equally frequent the one less in favour of the server.
    pub limiter: Limiter,
    /// How many of the clients were served at the same time.
    pub clients_served: usize,
    /// Errors in all rounds.
    pub errors: u64,
    /// In how many of the rounds other programs used more than a tenth of a CPU.
    pub disturbed: usize,
    /// How many rounds.
    pub rounds: usize,
}

impl Cell {
    /// Whether some clients were left waiting while others were served.
    pub fn starves_clients(&self) -> bool {
        self.clients_served < self.shape.concurrency
    }
}

/// Puts the measured records of the survey together. A paired point is one of them: it carries the same load, and is not
/// measured a second time. Skipped and dropped ones are left out.
pub fn cells(records: &[Record]) -> Vec<Cell> {
    let mut groups: BTreeMap<Shape, Vec<&Record>> = BTreeMap::new();
    for record in records {
        if let Some(shape) = Shape::of(record) {
            groups.entry(shape).or_default().push(record);
        }
    }
    groups.into_iter().filter_map(|(shape, records)| cell(shape, &records)).collect()
}

fn cell(shape: Shape, records: &[&Record]) -> Option<Cell> {
    let figures = || records.iter().filter_map(|record| record.figures.as_ref());
    let speeds: Vec<f64> = figures().map(|figures| figures.requests_per_second).collect();
    let costs: Vec<f64> = figures().filter_map(|figures| figures.cpu_us_per_request).collect();
    let limiter = usual_limiter(figures())?;
    Some(Cell {
        shape,
        title: records.first()?.title.clone(),
        requests_per_second: stats::median(&speeds)?,
        interval: stats::interval(&speeds),
        cpu_us_per_request: stats::median(&costs),
        cpu_interval: stats::interval(&costs),
        limiter,
        clients_served: records.iter().map(|record| record.clients_served).min()?,
        errors: figures().map(|figures| figures.errors).sum(),
        disturbed: figures().filter(|figures| figures.is_disturbed()).count(),
        rounds: records.len(),
    })
}

/// The limiter of most rounds; of two that are equally frequent the one less in favour of the server.
pub(super) fn usual_limiter<'a>(rounds: impl Iterator<Item = &'a Figures> + Clone) -> Option<Limiter> {
    let order = [Limiter::Clients, Limiter::Unreached, Limiter::Generator, Limiter::Neither, Limiter::Server];
    let count = |limiter| rounds.clone().filter(|figures| figures.limiter == limiter).count();
    // max_by_key takes the last of equals, so the order is turned round.
    order.into_iter().rev().max_by_key(|&limiter| count(limiter)).filter(|&limiter| count(limiter) > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::record;

    #[test]
    fn rounds_of_one_shape_become_one_cell() {
        let speeds = [30.0, 10.0, 20.0];
        let mut records: Vec<Record> =
            speeds.iter().map(|&speed| record("05", "wrk", 64, true, speed)).collect();
        records.push(record("05", "wrk", 64, false, 5.0));
        let mut skipped = record("05", "ab", 64, true, 5.0);
        skipped.figures = None;
        records.push(skipped);
        let cells = cells(&records);
        assert_eq!(cells.len(), 2, "two shapes were measured");
        assert_eq!(cells[1].requests_per_second, 20.0);
        assert_eq!(cells[1].interval, Some((10.0, 30.0)));
        assert_eq!(cells[0].interval, None, "one round has no spread");
    }

    #[test]
    fn a_paired_point_belongs_to_the_cell_of_its_load() {
        let mut records = [10.0, 20.0, 30.0, 40.0].map(|speed| record("05", "wrk", 64, true, speed));
        records[1].phase = Phase::Paired;
        records[2].phase = Phase::Latency;
        (records[3].phase, records[3].dropped) = (Phase::Paired, true);
        let cells = cells(&records);
        assert_eq!((cells.len(), cells[0].requests_per_second), (1, 15.0));
    }

    #[test]
    fn equally_many_rounds_are_decided_against_the_server() {
        let mut records = [record("05", "wrk", 64, true, 1.0), record("05", "wrk", 64, true, 1.0)];
        records[1].figures.as_mut().expect("measured").limiter = Limiter::Generator;
        assert_eq!(cells(&records)[0].limiter, Limiter::Generator);
        records.reverse();
        assert_eq!(cells(&records)[0].limiter, Limiter::Generator);
    }
}
