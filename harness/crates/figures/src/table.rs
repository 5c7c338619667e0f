//! A figure as rows of text: the same for a Markdown page and for a terminal.

use crate::model::{Figure, Marker, Matrix, NONE, Plot, Point, Points};
use crate::output::clean;
use comfy_table::{CellAlignment, ContentArrangement, presets};
use std::collections::BTreeSet;
use std::fmt::Write;

/// The figures of a figure.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// What the columns are.
    pub head: Vec<String>,
    /// A row for each server, and for each load where there are several.
    pub rows: Vec<Vec<String>>,
    /// What stands below it: remarks, and what is missing.
    pub lines: Vec<String>,
    /// The columns that hold numbers.
    numbers: std::ops::Range<usize>,
}

impl Table {
    /// Everything that the figure shows, and the panels that only the page shows.
    pub fn of(figure: &Figure) -> Self {
        match &figure.plot {
            Plot::Points(points) => of_points(points),
            Plot::Matrix(matrix) => of_matrix(matrix),
        }
    }

    /// As Markdown.
    pub fn markdown(&self) -> String {
        let cells = |row: &[String]| row.iter().map(|cell| plain(cell)).collect::<Vec<_>>().join(" | ");
        let rule: String = (0..self.head.len())
            .map(|at| if self.numbers.contains(&at) { "---:|" } else { "---|" })
            .collect();
        let mut table = format!("| {} |\n|{rule}\n", cells(&self.head));
        for row in &self.rows {
            let _ = writeln!(table, "| {} |", cells(row));
        }
        for line in &self.lines {
            let _ = write!(table, "\n{}.\n", plain(line));
        }
        table
    }

    /// For a terminal.
    pub fn terminal(&self) -> String {
        let mut table = comfy_table::Table::new();
        table
            .set_content_arrangement(ContentArrangement::Dynamic)
            .load_style(presets::UTF8_BORDERS_ONLY)
            .set_header(&self.head)
            .add_rows(&self.rows);
        for at in self.numbers.clone() {
            if let Some(column) = table.column_mut(at) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        let lines = self.lines.iter().map(|line| format!("\n{line}"));
        clean(&lines.fold(table.to_string(), |text, line| text + &line))
    }
}

/// What a run ends with in a terminal: the figures of the servers side by side, each under its title.
pub fn summary<'a>(figures: impl Iterator<Item = &'a Figure>) -> String {
    const SHOWN: [&str; 4] = ["what-each-idea-costs", "capacity", "tools-side-by-side", "idle-memory"];
    let shown = figures.filter(|figure| SHOWN.contains(&figure.id.as_str()));
    let text = |figure: &Figure| format!("{}\n{}\n", clean(&figure.title), Table::of(figure).terminal());
    shown.map(text).collect::<Vec<_>>().join("\n")
}

fn of_matrix(matrix: &Matrix) -> Table {
    let names = matrix.columns.iter().map(|(name, _)| name.clone());
    let cells = |cells: &Vec<Option<crate::model::Cell>>| {
        cells.iter().map(|cell| cell.as_ref().map_or(String::new(), |cell| cell.sign())).collect::<Vec<_>>()
    };
    let rows = matrix.rows.iter().zip(&matrix.cells);
    let rows = rows.map(|(probe, row)| std::iter::once(probe.clone()).chain(cells(row)).collect());
    let head = std::iter::once("probe".to_owned()).chain(names).collect();
    Table { head, rows: rows.collect(), ..Table::default() }
}

/// A row for each series at each place and mark, a column for each panel.
fn of_points(points: &Points) -> Table {
    let mut head = vec!["server".to_owned()];
    head.extend(points.x.as_ref().map(|x| x.label.clone()));
    head.extend((!points.marks.is_empty()).then(String::new));
    let first = head.len();
    head.extend(points.panels.iter().map(|panel| panel.name.clone()));
    let numbers = first..head.len();
    head.push("note".into());
    let mut rows = Vec::new();
    for (at, series) in points.series.iter().enumerate() {
        let its: Vec<&Point> = points.points.iter().filter(|point| point.series == at).collect();
        // Places along x are never negative, so their bits have their order.
        let places: BTreeSet<(u64, usize)> =
            its.iter().map(|point| (point.x.to_bits(), point.mark)).collect();
        for (x, mark) in places {
            let here = || its.iter().copied().filter(move |p| (p.x.to_bits(), p.mark) == (x, mark));
            let cell = |panel: usize| {
                let point = here().find(|point| point.panel == panel);
                point.map_or(NONE.to_owned(), |point| text(points, point))
            };
            let place = points.x.as_ref().map(|x_axis| x_axis.unit.tick(f64::from_bits(x)));
            let mark = points.marks.get(mark).map(|mark| mark.name.clone());
            let begin = [series.label.clone()].into_iter().chain(place).chain(mark);
            // What is said of a panel that is not drawn belongs to its points; why a figure is missing is
            // told.
            let is_told = |p: &&Point| !points.panels[p.panel].hidden || p.marker == Marker::Missed;
            let notes: BTreeSet<&str> = here().filter(is_told).filter_map(|p| p.note.as_deref()).collect();
            let notes = notes.into_iter().collect::<Vec<_>>().join("; ");
            rows.push(begin.chain((0..points.panels.len()).map(cell)).chain([notes]).collect());
        }
    }
    Table { head, rows, lines: points.remarks().chain(points.missing()).collect(), numbers }
}

/// `1.07 [1.03–1.10]`; a dash where there is no figure.
fn text(points: &Points, point: &Point) -> String {
    if point.marker == Marker::Missed {
        return NONE.to_owned();
    }
    let unit = points.panels[point.panel].axis.unit;
    let value = unit.text(point.value);
    match &point.interval {
        Some(interval) => format!("{value} [{}–{}]", unit.text(interval.low), unit.text(interval.high)),
        None => value,
    }
}

/// A text of a record, a Cargo.toml or a tool: nothing in it is markup (ab's version has `<$Revision$>`),
/// nothing ends the cell.
pub(crate) fn plain(text: &str) -> String {
    let escape = |c: char| match c {
        '&' => "&amp;".to_owned(),
        '<' => "&lt;".to_owned(),
        '|' => "\\|".to_owned(),
        '\n' | '\r' => " ".to_owned(),
        other => other.to_string(),
    };
    text.chars().map(escape).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_becomes_markup_or_another_cell() {
        let table = Table {
            head: vec!["a".into(), "b".into()],
            rows: vec![vec!["<script>|&\nb".to_owned(), "2".to_owned()]],
            ..Table::default()
        };
        assert_eq!(table.markdown(), "| a | b |\n|---|---|\n| &lt;script>\\|&amp; b | 2 |\n");
    }
}
