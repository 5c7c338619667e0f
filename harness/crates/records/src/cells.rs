//! Records of several rounds, put together: one cell per server, tool, load.

use super::rounds::Rounds;
use super::{Bottleneck, Phase, Record};

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
        let is_survey = matches!(record.key.phase, Phase::Survey | Phase::Paired);
        let counts = is_survey && record.figures().is_some() && !record.context.dropped;
        counts.then(|| Self {
            stage: record.key.server.clone(),
            tool: record.key.tool.clone(),
            keep_alive: record.key.keep_alive,
            pipeline: record.key.pipeline,
            concurrency: record.key.concurrency,
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
    pub limiter: Bottleneck,
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

/// Puts the measured records of the survey together. A paired point is one of them: it carries the same load,
/// and is not measured a second time. Skipped and dropped ones are left out.
pub fn cells(records: &[Record]) -> Vec<Cell> {
    Rounds::group(records, Shape::of).into_iter().filter_map(|(shape, rounds)| cell(shape, &rounds)).collect()
}

fn cell(shape: Shape, rounds: &Rounds) -> Option<Cell> {
    let speed = rounds.estimate(|figures| Some(figures.requests_per_second))?;
    let cost = rounds.estimate(|figures| figures.cpu_us_per_request);
    Some(Cell {
        shape,
        title: rounds.first().key.title.clone(),
        requests_per_second: speed.median,
        interval: speed.interval,
        cpu_us_per_request: cost.map(|cost| cost.median),
        cpu_interval: cost.and_then(|cost| cost.interval),
        limiter: rounds.bottleneck()?,
        clients_served: rounds.clients_served(),
        errors: rounds.errors(),
        disturbed: rounds.figures().filter(|figures| figures.is_disturbed()).count(),
        rounds: rounds.len(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{record, skipped};

    #[test]
    fn rounds_of_one_shape_become_one_cell() {
        let speeds = [30.0, 10.0, 20.0];
        let mut records: Vec<Record> =
            speeds.iter().map(|&speed| record("05", "wrk", 64, true, speed)).collect();
        records.push(record("05", "wrk", 64, false, 5.0));
        records.push(skipped(record("05", "ab", 64, true, 5.0), "it is not installed"));
        let cells = cells(&records);
        assert_eq!(cells.len(), 2, "two shapes were measured");
        assert_eq!(cells[1].requests_per_second, 20.0);
        assert_eq!(cells[1].interval, Some((10.0, 30.0)));
        assert_eq!(cells[0].interval, None, "one round has no spread");
    }

    #[test]
    fn a_paired_point_belongs_to_the_cell_of_its_load() {
        let mut records = [10.0, 20.0, 30.0, 40.0].map(|speed| record("05", "wrk", 64, true, speed));
        records[1].key.phase = Phase::Paired;
        records[2].key.phase = Phase::Latency;
        (records[3].key.phase, records[3].context.dropped) = (Phase::Paired, true);
        let cells = cells(&records);
        assert_eq!((cells.len(), cells[0].requests_per_second), (1, 15.0));
    }

    #[test]
    fn rounds_of_another_clock_state_are_left_out() {
        let at = |server: &str, speed, ns| {
            let mut record = record(server, "wrk", 64, true, speed);
            record.context.round_trip_ns = Some([ns, ns]);
            record
        };
        let mut records: Vec<Record> = (0..6).map(|_| at("05", 90.0, 5000.0)).collect();
        records.extend((0..3).map(|_| at("05", 60.0, 6600.0)));
        records.push(at("06", 50.0, 6600.0));
        let cells = cells(&records);
        assert_eq!((cells[0].rounds, cells[0].interval), (6, Some((90.0, 90.0))));
        assert_eq!(cells[1].rounds, 1, "it has no round in the state that most points share");
    }

    #[test]
    fn equally_many_rounds_are_decided_against_the_server() {
        let mut records = [record("05", "wrk", 64, true, 1.0), record("05", "wrk", 64, true, 1.0)];
        records[1].figures_mut().expect("measured").limiter = Bottleneck::Generator;
        assert_eq!(cells(&records)[0].limiter, Bottleneck::Generator);
        records.reverse();
        assert_eq!(cells(&records)[0].limiter, Bottleneck::Generator);
    }
}
