//! The columns of the chart: where each number of workers has its place.

use super::super::text::{self, SMALL};

/// Left of the axes, for the numbers.
pub(super) const NUMBERS: i32 = 96;
/// All of them, if there are few.
const ROOM: i32 = 804;
/// Of a column at least: a marker and a little more. With more columns the picture is wider.
const LEAST: i32 = 24;
/// Between markers that stand side by side, at most.
const STEP: i32 = 16;
/// Of the largest marker.
const MARKER: i32 = 18;

/// Between two labels.
const GAP: i32 = 8;

/// Of the servers that have no such option.
const NO_OPTION: &str = "no --workers";

/// A column for each number of workers, and one for the servers without that option.
pub(super) struct Columns(Vec<Column>);

/// Its edges are pixels.
pub(super) struct Column {
    pub(super) workers: Option<usize>,
    pub(super) left: i32,
    pub(super) right: i32,
}

impl Columns {
    /// `workers` ascending.
    pub(super) fn new(workers: impl IntoIterator<Item = usize>, without_option: bool) -> Self {
        let all: Vec<Option<usize>> =
            workers.into_iter().map(Some).chain(without_option.then_some(None)).collect();
        let equal = ROOM / all.len().max(1) as i32;
        // Its label is a word and cannot be left out.
        let named = if without_option { equal.max(text::width(NO_OPTION, SMALL) + 5 * GAP) } else { 0 };
        let others = all.len() as i32 - i32::from(without_option);
        let numbered = ((ROOM - named) / others.max(1)).min(equal).max(LEAST);
        let mut left = NUMBERS;
        let column = |workers: Option<usize>| {
            let width = if workers.is_some() { numbered } else { named };
            left += width;
            Column { workers, left: left - width, right: left }
        };
        Self(all.into_iter().map(column).collect())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Column> {
        self.0.iter()
    }

    /// The right edge of the last one.
    pub(super) fn end(&self) -> i32 {
        self.0.last().map_or(NUMBERS, |column| column.right)
    }

    pub(super) fn of(&self, workers: Option<usize>) -> Option<&Column> {
        self.0.iter().find(|column| column.workers == workers)
    }

    /// What stands below them, and where: the last number, the first, and of the others as many as there is room for.
    pub(super) fn labels(&self) -> Vec<(i32, String)> {
        let numbered: Vec<(i32, usize)> =
            self.0.iter().filter_map(|column| Some((column.middle(), column.workers?))).collect();
        let widest = numbered.iter().map(|(_, workers)| text::width(&workers.to_string(), SMALL)).max();
        let width = numbered.windows(2).map(|pair| pair[1].0 - pair[0].0).min().unwrap_or(LEAST).max(1);
        let every = ((widest.unwrap_or(0) + GAP + width - 1) / width) as usize;
        let ends = numbered.last().into_iter().chain(numbered.first());
        let labels =
            ends.chain(numbered.iter().step_by(every)).map(|(at, workers)| (*at, workers.to_string()));
        let named = self.of(None).map(|column| (column.middle(), NO_OPTION.to_owned()));
        text::apart(named.into_iter().chain(labels), SMALL)
    }
}

impl Column {
    pub(super) fn middle(&self) -> i32 {
        self.left + (self.right - self.left) / 2
    }

    /// The place of a marker among so many, which keep away from those of the next column.
    pub(super) fn place(&self, at: usize, among: usize) -> i32 {
        let (at, among, width) = (at as i32, among.max(1) as i32, self.right - self.left);
        let step = STEP.min(width * 8 / 10 / among).min((width - MARKER) / (among - 1).max(1));
        self.middle() + (2 * at - (among - 1)) * step / 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Protects the reader of many columns: every label is whole, none touches another, and no marker lies in another's column.
    #[test]
    fn many_columns_have_fewer_labels_and_keep_their_markers_apart() {
        for (count, without_option) in [(1, false), (3, true), (11, true), (40, true), (100, false)] {
            let columns = Columns::new((1..=count).map(|number| 10 * number), without_option);
            let labels = columns.labels();
            let number = |at: usize| (10 * at).to_string();
            assert!(
                labels.iter().any(|(_, label)| *label == number(count)),
                "the last of {count}: {labels:?}"
            );
            assert!(labels.iter().any(|(_, label)| *label == number(1)), "the first of {count}: {labels:?}");
            assert!(labels.len() > count / 4, "{count}: {labels:?}");
            assert!(count > 11 || labels.len() == count + usize::from(without_option), "{labels:?}");
            for (at, (one, text)) in labels.iter().enumerate() {
                for (other, others) in &labels[at + 1..] {
                    let room = (text::width(text, SMALL) + text::width(others, SMALL)) / 2;
                    assert!((one - other).abs() > room, "{text} touches {others}");
                }
            }
            for column in columns.iter() {
                for among in [1, 2, 14] {
                    let (first, last) = (column.place(0, among), column.place(among - 1, among));
                    assert!(first - MARKER / 2 >= column.left - 1, "{first} in {}", column.left);
                    assert!(last + MARKER / 2 <= column.right + 1, "{last} in {}", column.right);
                }
            }
        }
    }
}
