//! The table that the command ends with: a line for each number of clients, in the seed's unit and in ours.

use comfy_table::{CellAlignment, Table, presets};
use lab_core::units::number;
use records::{Limiter, SeedCell, SeedTable};

/// The table, with what must be known to read it.
pub(super) fn text(table: &SeedTable) -> String {
    let measured: Vec<_> = table.rows.iter().filter(|row| row.skipped().is_none()).collect();
    let mut text = Table::new();
    text.load_style(presets::UTF8_HORIZONTAL_ONLY);
    let names = measured.iter().flat_map(|row| {
        ["pages/min", "requests/s", "overflows/s"].map(|unit| format!("{}\n{unit}", row.title))
    });
    text.set_header(["clients".to_owned()].into_iter().chain(names));
    for (at, clients) in table.clients.iter().enumerate() {
        let cells = measured.iter().flat_map(|row| cells(row.cells[at].as_ref()));
        text.add_row([clients.to_string()].into_iter().chain(cells));
    }
    for column in text.column_iter_mut() {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let mut lines = vec![
        "right answers only; overflows: times that the kernel found an accept queue full; \
         * the generator was the limit"
            .to_owned(),
    ];
    if !measured.is_empty() {
        lines.push(text.to_string());
    }
    for row in &table.rows {
        lines.extend(row.skipped().map(|reason| format!("{}: skipped: {reason}", row.title)));
        // A reason does not fit into a cell.
        let failed = table.clients.iter().zip(&row.cells).filter_map(|(clients, cell)| match cell {
            Some(SeedCell::Skipped(reason)) if row.skipped().is_none() => {
                Some(format!("{}, {clients} clients: {reason}", row.title))
            }
            _ => None,
        });
        lines.extend(failed);
    }
    lines.join("\n")
}

fn cells(cell: Option<&SeedCell>) -> [String; 3] {
    let Some(SeedCell::Measured(point)) = cell else { return ["–", "–", "–"].map(String::from) };
    let mark = if point.limiter == Limiter::Generator { " *" } else { "" };
    [
        format!("{}{mark}", number(point.pages_per_minute.median)),
        number(point.requests_per_second.median),
        point.listen_overflows_per_second.map_or("–".into(), number),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use lab_core::stats::Estimate;
    use records::{SeedPoint, SeedRow};

    fn point(pages: f64) -> Option<SeedCell> {
        Some(SeedCell::Measured(SeedPoint {
            requests_per_second: Estimate { median: pages / 60.0, interval: None },
            pages_per_minute: Estimate { median: pages, interval: None },
            errors: 0,
            listen_overflows_per_second: Some(1234.0),
            listen_drops_per_second: None,
            limiter: Limiter::Generator,
            rounds: 1,
        }))
    }

    #[test]
    fn both_units_stand_side_by_side_and_every_gap_has_its_reason() {
        let skipped = |reason: &str| Some(SeedCell::Skipped(reason.into()));
        let row = |title: &str, cells| SeedRow { stage: "01".into(), title: title.into(), cells };
        let table = SeedTable {
            clients: vec![5, 3000],
            rows: vec![
                row("serial", vec![point(123_720.0), skipped("cannot fork 3000 clients")]),
                row("1 process", vec![skipped("not built yet"), skipped("not built yet")]),
            ],
        };
        let text = text(&table);
        for part in [
            "123,720 *",
            "2,062",
            "1,234",
            "serial, 3000 clients: cannot fork 3000 clients",
            "1 process: skipped: not built yet",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert_eq!(text.matches("not built yet").count(), 1, "said once: {text}");
    }
}
