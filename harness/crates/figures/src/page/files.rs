//! The records as the page holds them.

use crate::figures::Source;
use lab_core::files::link;
use records::Record;
use serde::Serialize;
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::path::Path;

/// A file of records as a table. Record N of a figure is line N of its file, from 0.
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
    pub(super) fn new(source: &Source, out: &Path) -> Self {
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
            file: link(out, &source.path),
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
    use records::sample::{record, skipped};

    /// What the page holds of a file, put together again as its script does it.
    fn restored(file: &File, at: usize) -> Map<String, Value> {
        let mut fields = file.common.clone();
        fields.extend(file.columns.iter().cloned().zip(file.rows[at].iter().cloned()));
        fields.retain(|_, value| !value.is_null());
        fields
    }

    #[test]
    fn no_field_of_a_record_is_lost_and_what_is_common_is_said_once() {
        let skipped = skipped(record("01", "ab", 64, true, 1.0), "it would hang");
        let records =
            vec![record("04", "wrk", 64, true, 50_000.0), record("04", "wrk", 8, true, 1.0), skipped];
        let source = Source { records: records.clone(), ..Source::default() };
        let file = File::new(&source, Path::new("."));
        for (at, record) in records.iter().enumerate() {
            let mut fields = object(record);
            fields.retain(|_, value| !value.is_null());
            assert_eq!(restored(&file, at), fields);
        }
        assert!(file.common.contains_key("host") && !file.columns.contains(&"host".to_owned()));
    }
}
