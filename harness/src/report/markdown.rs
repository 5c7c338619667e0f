//! `README.md` for the directory of the charts, as a repository browser shows it.

use super::tables;
use crate::charts::Chart;
use crate::records::{Record, cells, idle, latencies, pairs};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// What the page is made of.
pub(super) struct Page<'a> {
    /// Of one run.
    pub(super) records: &'a [Record],
    pub(super) charts: &'a [Chart],
    /// The path of the run's data from the page.
    pub(super) data: String,
    /// The path of the chapter about measuring, where there is one.
    pub(super) measuring: Option<String>,
}

impl Page<'_> {
    /// The page.
    pub(super) fn text(&self) -> String {
        let Some(first) = self.records.first() else { return String::new() };
        let mut page = String::from("# What was measured\n\n");
        self.summary(&mut page, first);
        self.charts(&mut page);
        if let Some(table) = tables::ratios(&pairs(self.records)) {
            let _ = write!(page, "\n## CPU time per request, as a multiple of the floor\n\n{table}");
        }
        if let Some(table) = tables::latency(&latencies(self.records)) {
            let _ = write!(
                page,
                "\n## Latency in an open loop\n\nFrom the intended time of sending. *late*: requests that left more than \
                 a millisecond after their time, or never.\n\n{table}"
            );
        }
        if let Some(table) = tables::idle(&idle(self.records), self.records) {
            let _ = write!(
                page,
                "\n## Memory of an idle connection\n\nUser memory (Pss) of the whole process tree; the kernel's own, about \
                 8 KB for each socket, comes on top.\n\n{table}"
            );
        }
        let _ = write!(
            page,
            "\n## Every point\n\nMedians of the rounds, the interval in brackets. *generator*: the server could do \
             more.\n\n{}",
            tables::points(&cells(self.records))
        );
        let _ = write!(page, "\n## The machine\n\n{}", tables::machine(first));
        self.configurations(&mut page);
        let _ = write!(
            page,
            "\n## Measure again\n\n```sh\nharness {} --seed {}\n```\n",
            first.command, first.seed
        );
        page
    }

    fn summary(&self, page: &mut String, first: &Record) {
        // A point of the idle phase has no speed.
        let is_measured =
            |record: &&Record| (record.figures.is_some() || record.idle.is_some()) && !record.dropped;
        let rounds: BTreeSet<u32> = self.records.iter().map(|record| record.round).collect();
        let _ = writeln!(
            page,
            "{} of {} points, {} rounds, {} s each, server on CPU {}, generator on CPU {}. Data: [{data}]({data}).\n",
            self.records.iter().filter(is_measured).count(),
            first.points_planned,
            rounds.len(),
            first.duration_seconds,
            list(&first.server_cpus),
            list(&first.generator_cpus),
            data = self.data,
        );
        if let Some(chapter) = &self.measuring {
            let _ = writeln!(
                page,
                "How the figures are made, and how far to believe them: [measuring.md]({chapter})."
            );
        }
    }

    /// Each chart with what it was drawn from, and how.
    fn charts(&self, page: &mut String) {
        for chart in self.charts {
            let data: Vec<String> = chart.data.iter().map(|file| format!("[{file}]({file})")).collect();
            let _ = write!(
                page,
                "\n## {title}\n\n![{title}]({})\n\nData: {}. Again: `{}`\n",
                chart.file,
                data.join(", "),
                chart.command,
                title = chart.title,
            );
        }
    }

    /// What the references ran with, so that it can be judged whether that was fair.
    fn configurations(&self, page: &mut String) {
        let texts: BTreeMap<&str, &str> = self
            .records
            .iter()
            .filter_map(|record| Some((record.stage.as_str(), record.configuration.as_deref()?)))
            .collect();
        for (name, text) in texts {
            let _ = write!(
                page,
                "\n<details><summary>What {name} ran with</summary>\n\n```\n{}\n```\n\n</details>\n",
                text.trim_end()
            );
        }
    }
}

fn list(cpus: &[usize]) -> String {
    cpus.iter().map(usize::to_string).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::tests::record;
    use crate::records::{Limiter, Phase};

    #[test]
    fn every_figure_on_the_page_can_be_traced() {
        let mut records =
            vec![record("04", "wrk", 64, false, 50_000.0), record("01", "wrk", 64, true, 9_000.0)];
        records[1].clients_served = 1;
        records[1].figures.as_mut().expect("measured").limiter = Limiter::Clients;
        for (stage, cost) in [("floor", 10.0), ("04", 10.7)] {
            for round in 1..=5 {
                let mut pair = record(stage, "wrk", 64, true, 1e6 / cost);
                (pair.phase, pair.round, pair.floor_around) = (Phase::Paired, round, Some([10.0, 10.0]));
                records.push(pair);
            }
        }
        records[0].configuration = Some("worker_processes 1;\n".into());
        let charts = [Chart {
            file: "overview.svg".into(),
            title: "Every stage".into(),
            data: vec!["data/run.jsonl".into()],
            command: "harness chart --data results/data/run.jsonl --out results".into(),
            svg: String::new(),
        }];
        let measuring = Some("../notes/src/measuring.md".to_owned());
        let page =
            Page { records: &records, charts: &charts, data: "data/run.jsonl".into(), measuring }.text();
        for text in [
            "## Every stage\n\n![Every stage](overview.svg)",
            "Again: `harness chart --data results/data/run.jsonl --out results`",
            "[data/run.jsonl](data/run.jsonl)",
            "[measuring.md](../notes/src/measuring.md)",
            "| 04 Title of 04 | 1.07 | 1.07 to 1.07 | differs |",
            "| 04 Title of 04 | wrk | one per request | 64 | 50000 |",
            "1 of 64 clients served",
            "--seed 7",
            "| commit | no commit |",
            "```\nworker_processes 1;\n```\n\n</details>",
        ] {
            assert!(page.contains(text), "{text} is missing in:\n{page}");
        }
    }
}
