//! A figure as rows of text: the same for a Markdown page and for a terminal.

use crate::model::{Axis, Figure, Gap, Look, Matrix, Plot, Point, Points, Scale, Show, gap_lines};
use crate::output::clean;
use comfy_table::{CellAlignment, ContentArrangement, presets};
use std::fmt::Write;

/// Where there is no figure.
const NONE: &str = "–";

/// The figures of a figure.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// What the columns are.
    pub head: Vec<String>,
    /// A row for each server, and for each load where there are several.
    pub rows: Vec<Vec<String>>,
    /// What is missing.
    pub gaps: Vec<String>,
    /// The columns that hold numbers.
    numbers: std::ops::Range<usize>,
}

impl Table {
    /// Everything that the figure shows, and the measures that only the page shows.
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
        for line in &self.gaps {
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
        let gaps = self.gaps.iter().map(|line| format!("\n{line}"));
        clean(&gaps.fold(table.to_string(), |text, line| text + &line))
    }
}

/// What a run ends with in a terminal: the figures of the servers side by side, each under its title.
pub fn summary<'a>(figures: impl Iterator<Item = &'a Figure>) -> String {
    const SHOWN: [&str; 5] = ["overview", "tools-side-by-side", "cpu-per-request", "latency", "idle-memory"];
    let shown = figures.filter(|figure| SHOWN.contains(&figure.id.as_str()));
    let text = |figure: &Figure| {
        let table = match &figure.plot {
            Plot::Points(points) if points.x.is_some() => wide(points),
            _ => Table::of(figure),
        };
        format!("{}\n{}\n", clean(&figure.title), table.terminal())
    };
    shown.map(text).collect::<Vec<_>>().join("\n")
}

/// A row for each server, and a column for each place along x with what a picture shows there: `60 µs / 1.25
/// ms`.
fn wide(points: &Points) -> Table {
    let Some(Axis { scale: Scale::Bands(bands), .. }) = &points.x else { return of_points(points) };
    let (facet, drawn) = (points.facets().first().cloned().unwrap_or_default(), points.drawn());
    let names: Vec<&str> = drawn.iter().map(|&measure| points.measures[measure].name.as_str()).collect();
    let columns = bands.iter().map(|band| format!("{band}\n{}", names.join(" / ")));
    let cell = |series: usize, band: usize| {
        let here = |measure: &usize| {
            let mut its = points.of(&facet, *measure);
            its.find(|point| point.series == series && point.x == band as f64)
        };
        let its: Vec<&Point> = drawn.iter().filter_map(here).collect();
        match its.iter().find(|point| point.look == Look::Missed).and_then(|point| point.note.clone()) {
            Some(why) => why,
            None if its.is_empty() => NONE.to_owned(),
            None => {
                let text = |point: &&Point| points.measures[point.measure].axis.unit.text(point.value);
                its.iter().map(text).collect::<Vec<_>>().join(" / ")
            }
        }
    };
    let row = |(at, series): (usize, &crate::model::Series)| {
        let remark = series.remark.as_ref().map_or(String::new(), |(_, remark)| remark.clone());
        let cells = (0..bands.len()).map(|band| cell(at, band));
        [series.label.clone(), remark].into_iter().chain(cells).collect()
    };
    let rows = points.series.iter().enumerate().map(row).collect();
    let head = ["server".to_owned(), String::new()].into_iter().chain(columns).collect();
    Table { head, rows, gaps: gap_lines(&points.untold()), numbers: 2..2 + bands.len() }
}

fn of_matrix(matrix: &Matrix) -> Table {
    let names = matrix.columns.iter().map(|(name, _)| name.clone());
    let cells = |cells: &Vec<Option<crate::model::Cell>>| {
        cells.iter().map(|cell| cell.as_ref().map_or(String::new(), |cell| cell.sign())).collect::<Vec<_>>()
    };
    let rows = matrix
        .rows
        .iter()
        .zip(&matrix.cells)
        .map(|(probe, row)| std::iter::once(probe.clone()).chain(cells(row)).collect());
    let head = std::iter::once("probe".to_owned()).chain(names).collect();
    Table { head, rows: rows.collect(), ..Table::default() }
}

fn of_points(points: &Points) -> Table {
    let choices = || points.choices.iter().filter(|choice| choice.show != Show::First);
    let mut head = vec!["server".to_owned()];
    head.extend(choices().map(|choice| choice.label.to_lowercase()));
    head.extend(points.x.as_ref().map(|x| x.label.clone()));
    let first = head.len();
    head.extend(points.measures.iter().map(|measure| measure.name.clone()));
    let numbers = first..head.len();
    head.push("note".into());
    let facets = points.facets();
    let mut rows = Vec::new();
    for (at, series) in points.series.iter().enumerate() {
        for facet in &facets {
            let names = points.choices.iter().zip(facet).filter(|(choice, _)| choice.show != Show::First);
            let mut begin = vec![series.label.clone()];
            begin.extend(names.map(|(choice, &option)| choice.options[option].clone()));
            let its = points.points.iter().filter(|point| point.series == at && point.options == *facet);
            let its: Vec<&Point> = its.collect();
            rows.extend(rows_of(points, &begin, &its));
            let gap = points.gaps.iter().find(|gap| is_of(gap, &series.server, facet));
            if let (None, true, Some(gap)) = (&points.x, its.is_empty(), gap) {
                let none = points.measures.iter().map(|_| NONE.to_owned());
                let why = format!("not measured: {}", gap.reason);
                rows.push(begin.into_iter().chain(none).chain([why]).collect());
            }
        }
    }
    Table { head, rows, gaps: gap_lines(&points.untold()), numbers }
}

fn is_of(gap: &Gap, server: &str, facet: &[usize]) -> bool {
    gap.server == server && (gap.options.is_empty() || gap.options == facet)
}

/// A row for each place along x.
fn rows_of(points: &Points, begin: &[String], its: &[&Point]) -> Vec<Vec<String>> {
    let mut places: Vec<f64> = its.iter().map(|point| point.x).collect();
    places.sort_by(f64::total_cmp);
    places.dedup();
    let row = |place: &f64| {
        let here: Vec<&Point> = its.iter().copied().filter(|point| point.x == *place).collect();
        let value = |(at, measure): (usize, &crate::model::Measure)| {
            let point = here.iter().find(|point| point.measure == at);
            point.map_or(NONE.to_owned(), |point| point.text(measure.axis.unit))
        };
        let x = points.x.as_ref().map(|x| match &x.scale {
            Scale::Bands(names) => names.get(*place as usize).cloned().unwrap_or_default(),
            _ => x.unit.tick(*place),
        });
        let values = points.measures.iter().enumerate().map(value);
        begin.iter().cloned().chain(x).chain(values).chain([notes(points, &here)]).collect()
    };
    places.iter().map(row).collect()
}

/// What is to be known of the points of a row, once where it holds for all.
fn notes(points: &Points, here: &[&Point]) -> String {
    let mut notes: Vec<(&str, &str)> = Vec::new();
    for point in here {
        if let Some(note) = point.note.as_deref().filter(|note| notes.iter().all(|(_, other)| other != note))
        {
            notes.push((&points.measures[point.measure].name, note));
        }
    }
    match notes.as_slice() {
        [(_, only)] => (*only).to_owned(),
        _ => notes.iter().map(|(name, note)| format!("{name}: {note}")).collect::<Vec<_>>().join("; "),
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
