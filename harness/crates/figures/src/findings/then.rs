//! Then and now: what became dearer or cheaper since the last standard run of another commit.

use crate::charts::commit;
use crate::costs::costs;
use crate::figures::{Data, Source};
use crate::sample::Change;
use records::{Content, FLOOR, Phase, Record, label, newest_first};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// The comparison.
#[derive(Debug, Serialize)]
pub(crate) struct Then {
    /// What is compared with what, and the outcome.
    pub(crate) text: String,
    /// Server, then, now, change.
    pub(crate) rows: Vec<[String; 4]>,
}

/// With the newest standard run of another commit on the same machine, in the directory of the first run.
pub(super) fn compare(data: &Data, sources: &[Source]) -> Option<Then> {
    let now = sources.iter().find(|source| Content::of(&source.path) == Some(Content::Run))?;
    let host = &now.records.first()?.context.host;
    let is_standard = |file: &PathBuf| !file.to_string_lossy().contains("quick");
    let others = newest_first(now.path.parent()?, Content::Run).ok()?;
    let others = others.into_iter().filter(|file| is_standard(file) && commit(file) != commit(&now.path));
    let older = others.filter(|file| file.file_stem() < now.path.file_stem());
    let source = older.filter_map(|file| Source::open(&file).ok()).find(|source| {
        let is_there = |record: &Record| record.context.host.is_same_machine(host);
        source.records.first().is_some_and(is_there)
    })?;
    let sources = [source];
    let old = Data::new(&sources, Path::new("."));
    of(data, &old, sources[0].path.file_name()?.to_string_lossy().as_ref())
}

/// Of the load that both have and figures show first.
fn of(now: &Data, then: &Data, name: &str) -> Option<Then> {
    let (now, all) = (costs(now, Phase::Paired), costs(then, Phase::Paired));
    let now = now.first()?;
    let then = all.iter().find(|then| then.load == now.load)?;
    let change = |server: &&str| Some(((*server).to_owned(), now.sample(server).over(&then.sample(server))?));
    let servers: Vec<&str> = now.servers().into_iter().filter(|server| *server != FLOOR).collect();
    let changes: Vec<(String, Change)> = servers.iter().filter_map(change).collect();
    let real = |is_dearer: bool| {
        let its = changes.iter().filter(|(_, change)| change.is_real() && (change.ratio > 1.0) == is_dearer);
        let names: Vec<String> = its.map(|(server, change)| format!("{server} {}", change.text())).collect();
        if names.is_empty() { "none".to_owned() } else { names.join(", ") }
    };
    let count = |is_settled: bool| {
        changes.iter().filter(|(_, change)| !change.is_real() && change.is_settled() == is_settled).count()
    };
    let text = format!(
        "CPU time per request over the floor's, with {}, compared with {name}. Dearer: {}. Cheaper: {}. Not \
         distinguishable: {} of {}; too few rounds: {}.",
        now.load.words(),
        real(true),
        real(false),
        count(true),
        changes.len(),
        count(false)
    );
    let median = |costs: &crate::costs::Costs, server: &str| {
        costs.sample(server).median().map_or(String::new(), |ratio| format!("{ratio:.2}"))
    };
    let title = |server: &str| {
        let record = now.lines.iter().find(|line| line.record.key.server == server);
        label(server, record.map_or("", |line| &line.record.key.title))
    };
    let rows = changes
        .iter()
        .map(|(server, change)| [title(server), median(then, server), median(now, server), change.text()])
        .collect();
    (!changes.is_empty()).then_some(Then { text, rows })
}

#[cfg(test)]
mod tests {
    use super::*;
    use records::sample::{paired, record};

    fn source(costs: &[(&str, f64)]) -> Source {
        let mut records = Vec::new();
        for (server, cost) in costs {
            for round in 0..7 {
                let noise = 1.0 + 0.002 * f64::from(round);
                records.push(paired(record(server, "builtin", 64, true, 1e6 / (cost * noise)), [10.0, 10.0]));
            }
        }
        Source { records, ..Source::default() }
    }

    /// Protects from a list of changes that are chance.
    #[test]
    fn only_what_changed_beyond_the_interval_is_called_dearer_or_cheaper() {
        let then = [source(&[("floor", 10.0), ("04", 11.0), ("05", 11.0), ("06", 13.0)])];
        let now = [source(&[("floor", 10.0), ("04", 12.0), ("05", 11.0), ("06", 12.0)])];
        let [old, new] = [&then, &now].map(|sources| Data::new(sources, Path::new(".")));
        let found = of(&new, &old, "old.jsonl").expect("both have pairs");
        for words in ["Dearer: 04 +9 %", "Cheaper: 06 −8 %", "Not distinguishable: 1 of 3"] {
            assert!(found.text.contains(words), "{words}: {}", found.text);
        }
        assert_eq!(found.rows[0][1..3], ["1.11", "1.21"]);
    }
}
