//! `report.html`: one page that holds everything, its figures drawn by the reader's browser, so that servers
//! can be switched on and off and every point asked where it comes from. It works from a file, without any
//! network.
//!
//! `files` has the records as the page holds them, said once what is the same in all; the page itself, its
//! style and its scripts are in `script`.

mod files;

use crate::machine;
use crate::model::{Figure, Style};
use crate::output::{clean, write as write_file};
use anyhow::{Context, Result};
use files::{File, Source};
use lab_core::units::count;
use records::{Content, FLOOR, Kind, Phase, Record, disturbance, label, order};
use serde::Serialize;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

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
    run: Run,
    servers: Vec<Server>,
    files: Vec<File>,
    figures: &'a [&'a Figure],
}

/// What is said of the run as a whole.
#[derive(Serialize)]
struct Run {
    summary: String,
    warnings: Vec<String>,
    /// The machines, each with the file whose records name it first.
    machines: Vec<(String, Vec<(String, String)>)>,
    /// The command that writes the page again.
    again: String,
    /// Those that measure again.
    measure: BTreeSet<String>,
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

impl Run {
    fn new(sources: &[Source], out: &Path) -> Self {
        let all = || sources.iter().flat_map(|source| &source.records);
        // The table is another run, shown beside this one.
        let run: Vec<Record> = all().filter(|record| record.key.phase != Phase::Table).cloned().collect();
        let run = if run.is_empty() { all().cloned().collect() } else { run };
        let measured = run.iter().filter(|record| machine::is_measured(record)).count();
        let rounds: BTreeSet<_> =
            run.iter().map(|record| (record.context.seed, record.context.round)).collect();
        let (rounds, durations) = (count(rounds.len(), "round"), machine::durations(run.iter()));
        let made = run.first().map_or(String::new(), |first| {
            let (places, host) = (machine::places(first), &first.context.host);
            format!(
                "; {places}; {}; {}; begun {}",
                host.summary(),
                host.commit_name(),
                first.context.started_at
            )
        });
        let quick = run.iter().any(|record| record.context.quick).then(|| {
            "A quick look: short points, for orientation only. No difference between servers can be claimed \
             from it."
                .to_owned()
        });
        let mut machines: Vec<(&Source, &Record)> = Vec::new();
        for (source, record) in
            sources.iter().flat_map(|source| source.records.iter().map(move |r| (source, r)))
        {
            if !machines.iter().any(|(_, other)| other.context.host == record.context.host) {
                machines.push((source, record));
            }
        }
        let paths: Vec<&str> = sources.iter().map(|source| source.path.as_str()).collect();
        Self {
            summary: format!("{measured} points in {rounds}, {durations}{made}."),
            warnings: quick.into_iter().chain(disturbance(&run)).collect(),
            machines: machines.iter().map(|(of, record)| (of.link.clone(), machine::rows(record))).collect(),
            again: format!("./lab report --data {} --out {}", paths.join(" "), out.display()),
            measure: all().map(machine::measure_again).collect(),
        }
    }
}

/// Writes `report.html` into the directory of the charts, with the records that they were drawn from.
pub(crate) fn write(figures: &[&Figure], out: &Path) -> Result<PathBuf> {
    let files = files_of(figures, out);
    let sources = files.iter().map(|file| Source::open(file, out)).collect::<Result<Vec<_>>>()?;
    let file = out.join(FILE);
    write_file(&file, &clean(&html(&sources, figures, out)?))?;
    Ok(file)
}

fn html(sources: &[Source], figures: &[&Figure], out: &Path) -> Result<String> {
    let records: Vec<&Record> = sources.iter().flat_map(|source| &source.records).collect();
    let data = Data {
        run: Run::new(sources, out),
        servers: servers(&records),
        files: sources.iter().map(File::new).collect(),
        figures,
    };
    // The data last: nothing in it is a place to fill.
    let page = PAGE.replace("{{style}}", STYLE).replace("{{reading}}", READING).replace("{{script}}", SCRIPT);
    let (before, after) = page.split_once("{{data}}").context("the page has no place for its data")?;
    Ok([before, &data.json()?, after].concat())
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
    use records::sample::record;
    use serde_json::Value;

    #[test]
    fn no_text_of_a_record_can_end_the_element_that_holds_it() {
        let mut hostile = record("04", "wrk", 64, true, 1.0);
        hostile.key.title = "</script><!--<script>".into();
        let source =
            Source { link: "data/run.jsonl".into(), path: String::new(), records: vec![hostile.clone()] };
        let html = html(&[source], &[&Figure::default()], Path::new(".")).expect("it can be written");
        let json = html.split("id=\"data\">").nth(1).and_then(|rest| rest.split("</script>").next());
        let json = json.expect("the element");
        assert!(!json.contains('<'));
        let value: Value = serde_json::from_str(json).expect("it is JSON");
        assert_eq!(value["servers"][0]["title"], hostile.key.title);
    }
}
