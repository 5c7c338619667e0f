//! `report.html`: one page that holds everything, its figures drawn by the reader's browser, so that servers
//! can be switched on and off and every point asked where it comes from. It works from a file, without any
//! network.
//!
//! `files` has the records as the page holds them, said once what is the same in all; the page itself, its
//! style and its scripts are in `script`.

mod files;

use crate::charts::Drawing;
use crate::findings::Front;
use crate::model::{Figure, Style};
use crate::output::{clean, write as write_file};
use anyhow::{Context, Result};
use files::File;
use records::{FLOOR, Kind, Phase, Record, label, order};
use serde::Serialize;
use std::path::PathBuf;

/// The page's name.
const FILE: &str = "report.html";

/// Everything else on the page is in this one; the browser itself is told to fetch nothing.
const PAGE: &str = include_str!("script/page.html");
/// What the signs on the figures mean.
const READING: &str = include_str!("script/reading.html");
const STYLE: &str = include_str!("script/page.css");
/// One program; `page.js` starts it.
const SCRIPT: &str = concat!(
    include_str!("script/scale.js"),
    include_str!("script/state.js"),
    include_str!("script/record.js"),
    include_str!("script/mark.js"),
    include_str!("script/pointing.js"),
    include_str!("script/plot.js"),
    include_str!("script/lines.js"),
    include_str!("script/rows.js"),
    include_str!("script/matrix.js"),
    include_str!("script/document.js"),
    include_str!("script/page.js")
);

/// Everything that the page's script draws from.
#[derive(Serialize)]
struct Data<'a> {
    front: &'a Front,
    servers: Vec<Server>,
    files: Vec<File>,
    figures: Vec<&'a Figure>,
}

/// A server, as the page's legend has it.
#[derive(Clone, Debug, Serialize)]
struct Server {
    name: String,
    title: String,
    /// As the figures and the tables name it.
    label: String,
    kind: Kind,
    style: Style,
    /// The configuration that it ran with, if it is not one of ours.
    configuration: Option<String>,
}

impl Data<'_> {
    /// As JSON that can stand in a `script` element: there is no `<` in it that could end the element or open
    /// a comment. In JSON a `<` is always inside a string, where the escape means the same.
    fn json(&self) -> Result<String> {
        let json = serde_json::to_string(self).context("the figures cannot be written as JSON")?;
        Ok(json.replace('<', "\\u003c"))
    }
}

/// Writes `report.html` into the directory of the charts, with the records that they were drawn from.
pub(crate) fn write(front: &Front, drawing: &Drawing) -> Result<PathBuf> {
    let file = drawing.out.join(FILE);
    write_file(&file, &clean(&html(front, drawing)?))?;
    Ok(file)
}

fn html(front: &Front, drawing: &Drawing) -> Result<String> {
    // Grades are no records.
    let sources = || drawing.sources.iter().filter(|source| source.grades.is_empty());
    let records: Vec<&Record> = sources().flat_map(|source| &source.records).collect();
    let files = sources().map(|source| File::new(source, &drawing.out)).collect();
    let figures = drawing.charts.iter().map(|chart| &chart.figure).collect();
    let data = Data { front, servers: servers(&records), files, figures };
    // The data last: nothing in it is a place to fill.
    let page = PAGE.replace("{{style}}", STYLE).replace("{{reading}}", READING).replace("{{script}}", SCRIPT);
    let (before, after) = page.split_once("{{data}}").context("the page has no place for its data")?;
    Ok([before, &data.json()?, after].concat())
}

/// The servers of the records, in the order of the figures: the floor, the stages, the other references.
fn servers(records: &[&Record]) -> Vec<Server> {
    let mut servers: Vec<Server> = Vec::new();
    // The table calls a stage as its source does; the others know its title.
    let (table, others): (Vec<&Record>, Vec<&Record>) =
        records.iter().partition(|record| record.key.phase == Phase::Table);
    for record in others.into_iter().chain(table) {
        if !servers.iter().any(|server| server.name == record.key.server) {
            servers.push(Server {
                name: record.key.server.clone(),
                title: record.key.title.clone(),
                label: label(&record.key.server, &record.key.title),
                // Records of an older harness do not say what a server is.
                kind: if record.key.server == FLOOR { Kind::Reference } else { record.context.kind },
                style: Style::of(&record.key.server),
                configuration: record.context.configuration.clone(),
            });
        }
    }
    servers.sort_by(|a, b| order(&a.name).cmp(&order(&b.name)));
    servers
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::Source;
    use records::sample::record;
    use serde_json::Value;

    #[test]
    fn no_text_of_a_record_can_end_the_element_that_holds_it() {
        let mut hostile = record("04", "wrk", 64, true, 1.0);
        hostile.key.title = "</script><!--<script>".into();
        let source = Source { records: vec![hostile.clone()], ..Source::default() };
        let drawing = Drawing { charts: Vec::new(), sources: vec![source], out: PathBuf::from(".") };
        let html = html(&Front::of(&drawing), &drawing).expect("it can be written");
        let json = html.split("id=\"data\">").nth(1).and_then(|rest| rest.split("</script>").next());
        let json = json.expect("the element");
        assert!(!json.contains('<'));
        let value: Value = serde_json::from_str(json).expect("it is JSON");
        assert_eq!(value["servers"][0]["title"], hostile.key.title);
    }
}
