//! `README.md` for the directory of the charts, as a repository browser shows it.

use super::{SEED_TABLE, machine, tables};
use crate::charts::Chart;
use lab_core::units::count;
use records::{Record, Shape, cells, disturbance, idle, latencies, pairs};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// What the page is made of.
pub(super) struct Page<'a> {
    /// Of one run.
    pub(super) records: &'a [Record],
    pub(super) charts: &'a [Chart],
    /// The path of the run's data from the page.
    pub(super) data: String,
    /// The command that draws and writes everything again.
    pub(super) again: String,
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
        self.figures(&mut page);
        let _ = write!(page, "\n## The machine\n\n{}", tables::machine(first));
        self.configurations(&mut page);
        let _ = write!(page, "\n## Measure again\n\n```sh\n{}\n```\n", machine::measure_again(first));
        page
    }

    fn summary(&self, page: &mut String, first: &Record) {
        let rounds: BTreeSet<u32> = self.records.iter().map(|record| record.round).collect();
        let _ = writeln!(
            page,
            "{} of {} points in {}, {}; {}.\n",
            self.records.iter().filter(|record| machine::is_measured(record)).count(),
            first.points_planned,
            count(rounds.len(), "round"),
            machine::durations(self.records.iter()),
            machine::places(first),
        );
        if first.quick {
            page.push_str("**A quick look**: for orientation only. No difference between servers can be claimed from it.\n\n");
        }
        if let Some(disturbance) = disturbance(self.records) {
            let _ = writeln!(page, "**{disturbance}**\n");
        }
        page.push_str(
            "[report.html](report.html), opened in a browser, has the same figures: servers can be switched on and off there, \
             and every point tells its records.",
        );
        if let Some(chapter) = &self.measuring {
            let _ = write!(
                page,
                " How the figures are made, and how far to believe them: [measuring.md]({chapter})."
            );
        }
        let _ = writeln!(
            page,
            "\n\nData: [{data}]({data}). Charts and pages again:\n\n```sh\n{}\n```",
            self.again,
            data = self.data
        );
    }

    /// Each chart; what it was drawn from where that is not the run.
    fn charts(&self, page: &mut String) {
        for chart in self.charts {
            let _ = write!(
                page,
                "\n## {title}\n\n![{title}]({})\n",
                chart.file,
                title = tables::plain(&chart.title)
            );
            let others: Vec<String> = chart
                .data
                .iter()
                .filter(|file| **file != self.data)
                .map(|file| format!("[{file}]({file})"))
                .collect();
            if !others.is_empty() {
                let _ = write!(page, "\nData: {}.\n", others.join(", "));
            }
            if chart.file.starts_with("seed-table") {
                let _ = write!(page, "\n{SEED_TABLE}\n");
            }
        }
    }

    /// The tables, each with how it is read.
    fn figures(&self, page: &mut String) {
        let mut section = |title: &str, about: &str, table: Option<String>| {
            if let Some(table) = table {
                let _ = write!(page, "\n## {title}\n\n{about}\n\n{table}");
            }
        };
        section(
            "CPU time per request, as a multiple of the floor",
            "Each run stands between two runs of the floor and is divided by their mean. The interval: the rounds are drawn again \
             2,000 times, with replacement, and 95 % of the medians of these draws lie in it (a bootstrap interval).",
            tables::ratios(&pairs(self.records)),
        );
        section(
            "Latency in an open loop",
            "Requests leave at fixed times, whether answers come or not, and the wait is counted from the intended time of \
             sending. *late*: requests that left more than a millisecond after their time, or never. Where the planned rate was \
             *not reached* no latency is given: it would say how long the run was.",
            tables::latency(&latencies(self.records)),
        );
        section(
            "Memory of an idle connection",
            "What each connection adds to the memory of the server's processes. A page of memory that several of them share \
             counts for each in equal parts (Pss). The kernel's own, about 8 kB for each connection, comes on top. 0 B: the \
             server had the memory before, or has not accepted connections that say nothing.",
            tables::idle(&idle(self.records), self.records),
        );
        let about = format!(
            "{} *generator*: the server could do more.",
            match rounds_of_a_point(self.records) {
                0 | 1 => "One round: there are no intervals.",
                2..=4 => "Medians of the rounds; in brackets the smallest and the largest.",
                _ =>
                    "Medians of the rounds, of the pairs' too where the load is the same; in brackets the bootstrap interval, with \
                     fewer than five rounds the smallest and the largest.",
            }
        );
        section("Every point", &about, tables::points(&cells(self.records)));
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
                "\n<details><summary>What {} ran with</summary>\n\n```\n{}\n```\n\n</details>\n",
                tables::plain(name),
                text.trim_end()
            );
        }
    }
}

/// How many rounds the survey has at most at one point.
fn rounds_of_a_point(records: &[Record]) -> usize {
    let mut rounds: BTreeMap<Shape, usize> = BTreeMap::new();
    for shape in records.iter().filter_map(Shape::of) {
        *rounds.entry(shape).or_default() += 1;
    }
    rounds.into_values().max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use records::sample::record;
    use records::{Limiter, Phase};

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
            command: "./lab chart --data results/data/run.jsonl --out results".into(),
            svg: String::new(),
        }];
        let measuring = Some("../notes/src/measuring.md".to_owned());
        let again = "./lab report --data results/data/run.jsonl --out results".to_owned();
        let data = "data/run.jsonl".to_owned();
        let page = Page { records: &records, charts: &charts, data, again, measuring }.text();
        for text in [
            "## Every stage\n\n![Every stage](overview.svg)",
            "```sh\n./lab report --data results/data/run.jsonl --out results\n```",
            "[report.html](report.html)",
            "[data/run.jsonl](data/run.jsonl)",
            "[measuring.md](../notes/src/measuring.md)",
            "| 04 Title of 04 | 1.07 | 1.07 to 1.07 | differs |",
            "| 04 Title of 04 | wrk | one per request | 64 | 50,000 | server |",
            "1 of 64 clients served",
            "./lab bench-all --seed 7",
            "| commit | no commit |",
            "```\nworker_processes 1;\n```\n\n</details>",
        ] {
            assert!(page.contains(text), "{text} is missing in:\n{page}");
        }
    }
}
