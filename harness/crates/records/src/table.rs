//! Source 002's table, put together from the rounds: servers in rows, numbers of clients in columns.

use super::rounds::Rounds;
use super::{Bottleneck, Figures, Phase, Record};
use lab_core::stats::Estimate;
use std::collections::{BTreeMap, BTreeSet};

/// webbench's unit is a page per minute, ours a right answer per second.
const SECONDS_PER_MINUTE: f64 = 60.0;

/// The whole table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    /// The numbers of clients, ascending.
    pub clients: Vec<usize>,
    /// The servers, by stage and title.
    pub rows: Vec<TableRow>,
}

/// One server.
#[derive(Clone, Debug, PartialEq)]
pub struct TableRow {
    /// The stage that was run.
    pub stage: String,
    /// What the source calls it: `serial`, `1 process`, `2 processes`.
    pub title: String,
    /// One for each of the table's numbers of clients; `None` where there is no record.
    pub cells: Vec<Option<TableCell>>,
}

/// One number of clients.
#[derive(Clone, Debug, PartialEq)]
pub enum TableCell {
    /// What the rounds have shown.
    Measured(TablePoint),
    /// Why there are no figures.
    Skipped(String),
}

/// The rounds of one server and number of clients.
#[derive(Clone, Debug, PartialEq)]
pub struct TablePoint {
    /// Right answers per second: failures are no pages, whatever webbench's own speed says.
    pub requests_per_second: Estimate,
    /// The same in webbench's unit, which is the source's.
    pub pages_per_minute: Estimate,
    /// Failed, short and refused requests in all rounds.
    pub errors: u64,
    /// Median of the times per second that the kernel found an accept queue full.
    pub listen_overflows_per_second: Option<f64>,
    /// Median of the connections per second that it dropped while it was to queue them.
    pub listen_drops_per_second: Option<f64>,
    /// The limiter of most rounds; of two that are equally frequent the one less in favour of the server.
    pub limiter: Bottleneck,
    /// How many rounds.
    pub rounds: usize,
}

impl Table {
    /// Whether nothing of it was measured or tried.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

impl TableRow {
    /// Why nothing of the row was measured, if so: the first reason.
    pub fn skipped(&self) -> Option<&str> {
        let mut reasons = self.cells.iter().flatten().map(|cell| match cell {
            TableCell::Measured(_) => None,
            TableCell::Skipped(reason) => Some(reason.as_str()),
        });
        let first = reasons.next()??;
        reasons.all(|reason| reason.is_some()).then_some(first)
    }
}

/// Puts the records of the table together. Where one round was measured and another failed, the measured ones
/// count.
pub fn table(records: &[Record]) -> Table {
    let key = |record: &'_ Record| {
        let key = &record.key;
        Some(((key.server.clone(), key.title.clone()), key.concurrency))
    };
    let mut rows: BTreeMap<(String, String), BTreeMap<usize, TableCell>> = BTreeMap::new();
    for ((server, clients), rounds) in Rounds::by(records, Phase::Table, key) {
        rows.entry(server).or_default().extend(cell(&rounds).map(|cell| (clients, cell)));
    }
    let clients: BTreeSet<usize> = rows.values().flat_map(|row| row.keys().copied()).collect();
    let row = |((stage, title), mut cells): (_, BTreeMap<usize, TableCell>)| TableRow {
        stage,
        title,
        cells: clients.iter().map(|clients| cells.remove(clients)).collect(),
    };
    let rows = rows.into_iter().map(row).collect();
    Table { clients: clients.into_iter().collect(), rows }
}

fn cell(rounds: &Rounds) -> Option<TableCell> {
    if rounds.figures().next().is_none() {
        return rounds.iter().find_map(Record::skipped).map(|reason| TableCell::Skipped(reason.into()));
    }
    let per_second = |count: fn(&Figures) -> Option<u64>| {
        let rate = |figures: &Figures| Some(count(figures)? as f64 / figures.seconds.max(f64::MIN_POSITIVE));
        rounds.estimate(rate).map(|estimate| estimate.median)
    };
    let pages = |figures: &Figures| Some(figures.requests_per_second * SECONDS_PER_MINUTE);
    Some(TableCell::Measured(TablePoint {
        requests_per_second: rounds.estimate(|figures| Some(figures.requests_per_second))?,
        pages_per_minute: rounds.estimate(pages)?,
        errors: rounds.errors(),
        listen_overflows_per_second: per_second(|figures| figures.listen_overflows),
        listen_drops_per_second: per_second(|figures| figures.listen_drops),
        limiter: rounds.bottleneck()?,
        rounds: rounds.figures().count(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    fn point(stage: &str, title: &str, clients: usize, speed: f64, overflows: u64) -> Record {
        let mut record = sample::record(stage, "webbench", clients, false, speed);
        (record.key.phase, record.key.title) = (Phase::Table, title.into());
        record.figures_mut().expect("measured").listen_overflows = Some(overflows);
        record
    }

    fn skipped(stage: &str, title: &str, clients: usize, reason: &str) -> Record {
        sample::skipped(point(stage, title, clients, 1.0, 0), reason)
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
        let table = table(&records);
        assert_eq!(table.clients, [5, 10]);
        let [serial, process] = table.rows.as_slice() else { panic!("two rows: {table:?}") };
        assert_eq!((serial.title.as_str(), serial.skipped()), ("serial", None));
        assert_eq!(process.skipped(), Some("not built yet"));
        let Some(TableCell::Measured(five)) = &serial.cells[0] else { panic!("measured: {serial:?}") };
        assert_eq!((five.pages_per_minute.median, five.requests_per_second.median), (120_000.0, 2000.0));
        assert_eq!(five.pages_per_minute.interval, Some((114_000.0, 126_000.0)));
        assert_eq!((five.rounds, five.listen_overflows_per_second), (3, Some(0.0)));
        let Some(TableCell::Measured(ten)) = &serial.cells[1] else { panic!("measured: {serial:?}") };
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
        let table = table(&records);
        assert!(matches!(&table.rows[0].cells[0], Some(TableCell::Measured(point)) if point.rounds == 1));
        let failed = &table.rows[0].cells[1];
        assert!(matches!(failed, Some(TableCell::Skipped(reason)) if reason.contains("gave up")));
        assert_eq!(table.rows[1].cells[0], None, "nobody has tried");
        assert_eq!(table.rows[0].skipped(), None, "a part of the row was measured");
    }
}
