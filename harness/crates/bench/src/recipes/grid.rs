//! A table on the terminal.

use comfy_table::{CellAlignment, Table, presets};

/// A table with this head, every column but the first to the right.
pub(super) fn grid<T: ToString>(header: impl IntoIterator<Item = T>) -> Table {
    let mut table = left(header);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// The same with words in every column.
pub(super) fn left<T: ToString>(header: impl IntoIterator<Item = T>) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY);
    table.set_header(header.into_iter().map(|name| name.to_string()));
    table
}
