//! Seed 002's table, put together from the rounds: servers in rows, numbers of clients in columns.

use super::cells::usual_limiter;
use super::{Figures, Limiter, Phase, Record};
use lab_core::stats::{Estimate, median};
use std::collections::BTreeMap;

/// webbench's unit is a page per minute, ours a right answer per second.
const SECONDS_PER_MINUTE: f64 = 60.0;

/// The whole table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SeedTable {
    /// The numbers of clients, ascending.
    pub clients: Vec<usize>,
    /// The servers, by stage and title.
    pub rows: Vec<SeedRow>,
}

/// One server.
#[derive(Clone, Debug, PartialEq)]
pub struct SeedRow {
    /// The stage that was run.
    pub stage: String,
    /// What the seed calls it: `serial`, `1 process`, `2 processes`.
    pub title: String,
    /// One for each of the table's numbers of clients; `None` where there is no record.
    pub cells: Vec<Option<SeedCell>>,
}

/// One number of clients.
#[derive(Clone, Debug, PartialEq)]
pub enum SeedCell {
    /// What the rounds have shown.
    Measured(SeedPoint),
    /// Why there are no figures.
    Skipped(String),
}

/// The rounds of one server and number of clients.
#[derive(Clone, Debug, PartialEq)]
pub struct SeedPoint {
    /// Right answers per second: failures are no pages, whatever webbench's own speed says.
    pub requests_per_second: Estimate,
    /// The same in webbench's unit, which is the seed's.
    pub pages_per_minute: Estimate,
    /// Failed, short and refused requests in all rounds.
    pub errors: u64,
    /// Median of the times per second that the kernel found an accept queue full.
    pub listen_overflows_per_second: Option<f64>,
    /// Median of the connections per second that it dropped while it was to queue them.
    pub listen_drops_per_second: Option<f64>,
    /// The limiter of most rounds; of two that are equally frequent the one less in favour of the server.
    pub limiter: Limiter,
    /// How many rounds.
    pub rounds: usize,
}

impl SeedTable {
    /// Whether nothing of it was measured or tried.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

impl SeedRow {
    /// Why nothing of the row was measured, if so: the first reason.
    pub fn skipped(&self) -> Option<&str> {
        let mut reasons = self.cells.iter().flatten().map(|cell| match cell {
            SeedCell::Measured(_) => None,
            SeedCell::Skipped(reason) => Some(reason.as_str()),
        });
        let first = reasons.next()??;
        reasons.all(|reason| reason.is_some()).then_some(first)
    }
}

/// Puts the records of the table together. Where one round was measured and another failed, the measured ones count.
pub fn seed_table(records: &[Record]) -> SeedTable {
    let mut rows: BTreeMap<(&str, &str), BTreeMap<usize, Vec<&Record>>> = BTreeMap::new();
    for record in records.iter().filter(|record| record.phase == Phase::Table && !record.dropped) {
        let row = rows.entry((&record.stage, &record.title)).or_default();
        row.entry(record.concurrency).or_default().push(record);
    }
    let mut clients: Vec<usize> = rows.values().flat_map(|row| row.keys().copied()).collect();
    clients.sort_unstable();
    clients.dedup();
    let row = |((stage, title), cells): ((&str, &str), BTreeMap<usize, Vec<&Record>>)| SeedRow {
        stage: stage.to_owned(),
        title: title.to_owned(),
        cells: clients.iter().map(|clients| cell(cells.get(clients)?)).collect(),
    };
    let rows = rows.into_iter().map(row).collect();
    SeedTable { clients, rows }
}

fn cell(records: &[&Record]) -> Option<SeedCell> {
    let figures: Vec<&Figures> = records.iter().filter_map(|record| record.figures.as_ref()).collect();
    if figures.is_empty() {
        return records.iter().find_map(|record| record.skipped.clone()).map(SeedCell::Skipped);
    }
    let speeds: Vec<f64> = figures.iter().map(|figures| figures.requests_per_second).collect();
    let pages: Vec<f64> = speeds.iter().map(|speed| speed * SECONDS_PER_MINUTE).collect();
    let per_second = |count: fn(&Figures) -> Option<u64>| {
        let rate = |figures: &&Figures| Some(count(figures)? as f64 / figures.seconds.max(f64::MIN_POSITIVE));
        median(&figures.iter().filter_map(rate).collect::<Vec<_>>())
    };
    Some(SeedCell::Measured(SeedPoint {
        requests_per_second: Estimate::of(&speeds)?,
        pages_per_minute: Estimate::of(&pages)?,
        errors: figures.iter().map(|figures| figures.errors).sum(),
        listen_overflows_per_second: per_second(|figures| figures.listen_overflows),
        listen_drops_per_second: per_second(|figures| figures.listen_drops),
        limiter: usual_limiter(figures.iter().copied())?,
        rounds: figures.len(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::record;

    fn point(stage: &str, title: &str, clients: usize, speed: f64, overflows: u64) -> Record {
        let mut record = record(stage, "webbench", clients, false, speed);
        (record.phase, record.title) = (Phase::Table, title.into());
        record.figures.as_mut().expect("measured").listen_overflows = Some(overflows);
        record
    }

    fn skipped(stage: &str, title: &str, clients: usize, reason: &str) -> Record {
        let mut record = point(stage, title, clients, 1.0, 0);
        (record.figures, record.skipped) = (None, Some(reason.into()));
        record
    }

    #[test]
    fn servers_are_rows_and_clients_are_columns() {
        let mut records = vec![point("01", "serial", 10, 500.0, 80)];
        for speed in [1900.0, 2100.0, 2000.0] {
            records.push(point("01", "serial", 5, speed, 0));
        }
        for clients in [5, 10] {
            records.push(skipped("09", "1 process", clients, "not built yet"));
        }
        let table = seed_table(&records);
        assert_eq!(table.clients, [5, 10]);
        let [serial, process] = table.rows.as_slice() else { panic!("two rows: {table:?}") };
        assert_eq!((serial.title.as_str(), serial.skipped()), ("serial", None));
        assert_eq!(process.skipped(), Some("not built yet"));
        let Some(SeedCell::Measured(five)) = &serial.cells[0] else { panic!("measured: {serial:?}") };
        assert_eq!((five.pages_per_minute.median, five.requests_per_second.median), (120_000.0, 2000.0));
        assert_eq!(five.pages_per_minute.interval, Some((114_000.0, 126_000.0)));
        assert_eq!((five.rounds, five.listen_overflows_per_second), (3, Some(0.0)));
        let Some(SeedCell::Measured(ten)) = &serial.cells[1] else { panic!("measured: {serial:?}") };
        assert_eq!(ten.listen_overflows_per_second, Some(80.0));
    }

    #[test]
    fn a_failed_round_hides_no_other_and_is_told_from_one_that_nobody_tried() {
        let records = [
            skipped("01", "serial", 5, "webbench gave up"),
            point("01", "serial", 5, 100.0, 0),
            skipped("01", "serial", 10, "webbench gave up"),
            point("09", "1 process", 10, 100.0, 0),
        ];
        let table = seed_table(&records);
        assert!(matches!(&table.rows[0].cells[0], Some(SeedCell::Measured(point)) if point.rounds == 1));
        let failed = &table.rows[0].cells[1];
        assert!(matches!(failed, Some(SeedCell::Skipped(reason)) if reason.contains("gave up")));
        assert_eq!(table.rows[1].cells[0], None, "nobody has tried");
        assert_eq!(table.rows[0].skipped(), None, "a part of the row was measured");
    }
}
