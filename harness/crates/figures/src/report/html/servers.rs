//! Who is measured, and what each one looks like on every chart.

use crate::charts::Style;
use records::{FLOOR, Kind, Phase, Record, label, order};
use serde::Serialize;

/// A server, as the page's legend has it.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Server {
    pub(super) name: String,
    pub(super) title: String,
    /// As the charts and the tables name it.
    pub(super) label: String,
    pub(super) kind: Kind,
    /// The configuration that it ran with, if it is not one of ours.
    #[serde(skip)]
    pub(super) configuration: Option<String>,
    colour: String,
    /// The corners of its marker, around the point, in pixels.
    marker: &'static [(i32, i32)],
    dashes: Option<(i32, i32)>,
}

/// The servers of the records, in the order of the charts: the floor, the stages, the other references.
pub(super) fn of(records: &[Record]) -> Vec<Server> {
    let mut servers: Vec<Server> = Vec::new();
    // Seed 002's table calls a stage as the seed does; the others know its title.
    let (table, others): (Vec<&Record>, Vec<&Record>) =
        records.iter().partition(|record| record.phase == Phase::Table);
    for record in others.into_iter().chain(table) {
        if !servers.iter().any(|server| server.name == record.stage) {
            servers.push(server(record));
        }
    }
    servers.sort_by(|a, b| order(&a.name).cmp(&order(&b.name)));
    servers
}

fn server(record: &Record) -> Server {
    let style = Style::of(&record.stage);
    let (red, green, blue) = (style.colour.0, style.colour.1, style.colour.2);
    Server {
        name: record.stage.clone(),
        title: record.title.clone(),
        label: label(&record.stage, &record.title),
        // Records of an older harness do not say what a server is.
        kind: if record.stage == FLOOR { Kind::Reference } else { record.kind },
        configuration: record.configuration.clone(),
        colour: format!("#{red:02x}{green:02x}{blue:02x}"),
        marker: style.marker(),
        dashes: style.dashes(),
    }
}
