//! `report.html`: one page that holds everything, its figures drawn by the reader's browser, so that servers can be
//! switched on and off and every point asked where it comes from. It works from a file, without any network.
//!
//! * `files`: the records as the page holds them, said once what is the same in all;
//! * `document`: the HTML; the scripts and the style beside it are in `script`.

mod document;
mod files;

use crate::model::Figure;
use crate::output::{clean, write as write_file};
use anyhow::{Context, Result};
use files::{File, Source};
use records::{Content, FLOOR, Kind, Phase, Record, label, order};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// The page's name.
const FILE: &str = "report.html";

/// Everything that the page's script draws from.
#[derive(Serialize)]
struct Data<'a> {
    servers: Vec<Server>,
    files: Vec<File>,
    figures: &'a [&'a Figure],
}

/// A server, as the page's legend has it.
#[derive(Clone, Debug, Serialize)]
struct Server {
    name: String,
    title: String,
    /// As the figures and the tables name it.
    label: String,
    kind: Kind,
    style: crate::model::Style,
    /// The configuration that it ran with, if it is not one of ours.
    #[serde(skip)]
    configuration: Option<String>,
}

impl Data<'_> {
    /// As JSON that can stand in a `script` element: there is no `<` in it that could end the element or open a comment.
    /// In JSON a `<` is always inside a string, where the escape means the same.
    fn json(&self) -> Result<String> {
        let json = serde_json::to_string(self).context("the figures cannot be written as JSON")?;
        Ok(json.replace('<', "\\u003c"))
    }
}

/// Writes `report.html` into the directory of the charts, with the records that they were drawn from.
pub(crate) fn write(figures: &[&Figure], out: &Path) -> Result<PathBuf> {
    let files = files_of(figures, out);
    let sources = files.iter().map(|file| Source::open(file, out)).collect::<Result<Vec<_>>>()?;
    let records: Vec<&Record> = sources.iter().flat_map(|source| &source.records).collect();
    let data = Data { servers: servers(&records), files: sources.iter().map(File::new).collect(), figures };
    let paths: Vec<&str> = sources.iter().map(|source| source.path.as_str()).collect();
    let again = format!("./lab report --data {} --out {}", paths.join(" "), out.display());
    let page = document::Page { data: &data, sources: &sources, records: &records, again };
    let file = out.join(FILE);
    write_file(&file, &clean(&page.html()?))?;
    Ok(file)
}

/// The files of records behind the figures, each once. Grades are no figures.
fn files_of(figures: &[&Figure], out: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = Vec::new();
    for link in figures.iter().flat_map(|figure| &figure.data) {
        let file = out.join(link);
        // The reader of a command is spared the way up and down again.
        let file = if link.starts_with("..") { file.canonicalize().unwrap_or(file) } else { file };
        if Content::of(&file) != Some(Content::Grades) && !files.contains(&file) {
            files.push(file);
        }
    }
    files
}

/// The servers of the records, in the order of the figures: the floor, the stages, the other references.
fn servers(records: &[&Record]) -> Vec<Server> {
    let mut servers: Vec<Server> = Vec::new();
    // The table calls a stage as its source does; the others know its title.
    let (table, others): (Vec<&Record>, Vec<&Record>) =
        records.iter().partition(|record| record.phase == Phase::Table);
    for record in others.into_iter().chain(table) {
        if !servers.iter().any(|server| server.name == record.stage) {
            servers.push(Server {
                name: record.stage.clone(),
                title: record.title.clone(),
                label: label(&record.stage, &record.title),
                // Records of an older harness do not say what a server is.
                kind: if record.stage == FLOOR { Kind::Reference } else { record.kind },
                style: crate::model::Style::of(&record.stage),
                configuration: record.configuration.clone(),
            });
        }
    }
    servers.sort_by(|a, b| order(&a.name).cmp(&order(&b.name)));
    servers
}

#[cfg(test)]
mod tests {
    use super::*;
    use records::sample::record;
    use serde_json::Value;

    #[test]
    fn no_text_of_a_record_can_end_the_element_that_holds_it() {
        let mut hostile = record("04", "wrk", 64, true, 1.0);
        hostile.title = "</script><!--<script>".into();
        let source =
            Source { link: "data/run.jsonl".into(), path: String::new(), records: vec![hostile.clone()] };
        let data = Data {
            servers: servers(&[&hostile]),
            files: vec![File::new(&source)],
            figures: &[&Figure::default()],
        };
        let json = data.json().expect("it can be written");
        assert!(!json.contains('<'));
        let value: Value = serde_json::from_str(&json).expect("it is JSON");
        assert_eq!(value["servers"][0]["title"], hostile.title);
    }
}
