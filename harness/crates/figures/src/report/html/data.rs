//! The records as the page holds them.

use super::Source;
use super::plots::{self, Plot};
use super::servers::{self, Server};
use anyhow::{Context, Result};
use records::Record;
use serde::Serialize;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// Everything that the page's script draws from.
#[derive(Serialize)]
pub(super) struct Data {
    pub(super) servers: Vec<Server>,
    pub(super) files: Vec<File>,
    pub(super) plots: Vec<Plot>,
}

impl Data {
    pub(super) fn new(sources: &[Source]) -> Self {
        let records: Vec<Record> = sources.iter().flat_map(|source| source.records.clone()).collect();
        let servers = servers::of(&records);
        let mut plots = plots::all(&records, &servers);
        let ends = sources.iter().scan(0, |end, source| {
            *end += source.records.len();
            Some(*end)
        });
        let ends: Vec<usize> = ends.collect();
        for plot in &mut plots {
            let files: BTreeSet<usize> =
                plot.records().map(|at| ends.partition_point(|&end| end <= at)).collect();
            plot.files = files.into_iter().collect();
        }
        Self { plots, servers, files: sources.iter().map(File::new).collect() }
    }

    /// As JSON that can stand in a `script` element: there is no `<` in it that could end the element or open a comment.
    /// In JSON a `<` is always inside a string, where the escape means the same.
    pub(super) fn json(&self) -> Result<String> {
        let json = serde_json::to_string(self).context("the figures cannot be written as JSON")?;
        Ok(json.replace('<', "\\u003c"))
    }
}

/// A file of records as a table. Record N of the page is line N of the files, counted on from file to file.
#[derive(Serialize)]
pub(super) struct File {
    /// As a link from the page.
    pub(super) file: String,
    /// The fields that are the same in every record.
    common: Map<String, Value>,
    /// The names of the others.
    columns: Vec<String>,
    /// Their values, a row per record; nulls at the end are left out.
    rows: Vec<Vec<Value>>,
}

impl File {
    fn new(source: &Source) -> Self {
        let objects: Vec<Map<String, Value>> = source.records.iter().map(object).collect();
        let names: BTreeSet<&String> = objects.iter().flat_map(Map::keys).collect();
        let (common, columns): (Vec<&String>, Vec<&String>) = names
            .into_iter()
            .partition(|&name| objects.iter().all(|object| object.get(name) == objects[0].get(name)));
        let row = |object: &Map<String, Value>| {
            let value = |name: &&String| object.get(*name).cloned().unwrap_or(Value::Null);
            let mut row: Vec<Value> = columns.iter().map(value).collect();
            while row.last().is_some_and(Value::is_null) {
                row.pop();
            }
            row
        };
        Self {
            file: source.link.clone(),
            common: common.into_iter().map(|name| (name.clone(), objects[0][name].clone())).collect(),
            rows: objects.iter().map(row).collect(),
            columns: columns.into_iter().cloned().collect(),
        }
    }
}

fn object(record: &Record) -> Map<String, Value> {
    match serde_json::to_value(record) {
        Ok(Value::Object(fields)) => fields,
        // A record was read from JSON, so it can be written as JSON; an empty row would be seen on the page.
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use records::sample::record;

    fn source(records: Vec<Record>) -> Source {
        Source { link: "data/run.jsonl".into(), path: "results/data/run.jsonl".into(), records }
    }

    /// What the page holds of a file, put together again as its script does it.
    fn restored(file: &File, at: usize) -> Map<String, Value> {
        let mut fields = file.common.clone();
        fields.extend(file.columns.iter().cloned().zip(file.rows[at].iter().cloned()));
        fields.retain(|_, value| !value.is_null());
        fields
    }

    #[test]
    fn no_field_of_a_record_is_lost_and_what_is_common_is_said_once() {
        let mut skipped = record("01", "ab", 64, true, 1.0);
        (skipped.figures, skipped.skipped) = (None, Some("it would hang".into()));
        let records =
            vec![record("04", "wrk", 64, true, 50_000.0), record("04", "wrk", 8, true, 1.0), skipped];
        let file = File::new(&source(records.clone()));
        for (at, record) in records.iter().enumerate() {
            let mut fields = object(record);
            fields.retain(|_, value| !value.is_null());
            assert_eq!(restored(&file, at), fields);
        }
        assert!(file.common.contains_key("host") && !file.columns.contains(&"host".to_owned()));
    }

    #[test]
    fn no_text_of_a_record_can_end_the_element_that_holds_it() {
        let mut hostile = record("04", "wrk", 64, true, 1.0);
        hostile.title = "</script><!--<script>".into();
        let json = Data::new(&[source(vec![hostile.clone()])]).json().expect("it can be written");
        assert!(!json.contains('<'));
        let value: Value = serde_json::from_str(&json).expect("it is JSON");
        assert_eq!(value["servers"][0]["title"], hostile.title);
    }
}
