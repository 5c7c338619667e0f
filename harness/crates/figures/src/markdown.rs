//! `README.md` for the directory of the charts, as a repository browser shows it.

use crate::machine;
use crate::model::Figure;
use crate::table::{Table, plain};
use lab_core::units::count;
use records::{Record, disturbance};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// What the page is made of.
pub(crate) struct Page<'a> {
    /// Of one run.
    pub(crate) records: &'a [Record],
    pub(crate) figures: &'a [&'a Figure],
    /// The path of the run's data from the page.
    pub(crate) data: String,
    /// The command that draws and writes everything again.
    pub(crate) again: String,
    /// The path of the chapter about measuring, where there is one.
    pub(crate) measuring: Option<String>,
}

impl Page<'_> {
    /// The page.
    pub(crate) fn text(&self) -> String {
        let Some(first) = self.records.first() else { return String::new() };
        let mut page = String::from("# What was measured\n\n");
        self.summary(&mut page, first);
        for figure in self.figures {
            self.figure(&mut page, figure);
        }
        let _ = write!(page, "\n## The machine\n\n| | |\n|---|---|\n");
        for (what, value) in machine::rows(first) {
            let _ = writeln!(page, "| {} | {} |", plain(&what), plain(&value));
        }
        self.configurations(&mut page);
        let _ = write!(page, "\n## Measure again\n\n```sh\n{}\n```\n", machine::measure_again(first));
        page
    }

    fn summary(&self, page: &mut String, first: &Record) {
        let rounds: BTreeSet<u32> = self.records.iter().map(|record| record.context.round).collect();
        let _ = writeln!(
            page,
            "{} of {} points in {}, {}; {}.\n",
            self.records.iter().filter(|record| machine::is_measured(record)).count(),
            first.context.points_planned,
            count(rounds.len(), "round"),
            machine::durations(self.records.iter()),
            machine::places(first),
        );
        if first.context.quick {
            page.push_str("**A quick look**: for orientation only. No difference between servers can be claimed from it.\n\n");
        }
        if let Some(disturbance) = disturbance(self.records) {
            let _ = writeln!(page, "**{disturbance}**\n");
        }
        page.push_str(
            "[report.html](report.html), opened in a browser, has the same figures: servers can be switched \
             on and off there, and every point shows the records behind it.",
        );
        if let Some(chapter) = &self.measuring {
            let _ = write!(
                page,
                " How the figures are made, and how far to believe them: [measuring.md]({chapter})."
            );
        }
        let _ = writeln!(
            page,
            "\n\nEach table has the median of the rounds and, in brackets, its interval: from five rounds on \
             the rounds are drawn again 2,000 times, with replacement, and 95 % of the medians of these \
             draws lie in it (a bootstrap interval); with fewer it is the smallest and the largest round. \
             *limit: the generator*: the server could do more.\n\n\
             Data: [{data}]({data}). Charts and pages again:\n\n```sh\n{}\n```",
            self.again,
            data = self.data
        );
    }

    /// The picture and the table of a figure; what it was drawn from where that is not the run.
    fn figure(&self, page: &mut String, figure: &Figure) {
        let title = plain(&figure.title);
        let _ = write!(page, "\n## {title}\n\n![{title}]({})\n", figure.file());
        let others = figure.data.iter().filter(|file| **file != self.data);
        let others: Vec<String> = others.map(|file| format!("[{file}]({file})")).collect();
        if !others.is_empty() {
            let _ = write!(page, "\nData: {}.\n", others.join(", "));
        }
        if !figure.about.is_empty() {
            let _ = write!(page, "\n{}\n", plain(&figure.about));
        }
        let table = Table::of(figure).markdown();
        let _ = write!(page, "\n<details><summary>The figures</summary>\n\n{table}\n</details>\n");
    }

    /// What the references ran with, so that it can be judged whether that was fair.
    fn configurations(&self, page: &mut String) {
        let texts: BTreeMap<&str, &str> = self
            .records
            .iter()
            .filter_map(|record| Some((record.key.server.as_str(), record.context.configuration.as_deref()?)))
            .collect();
        for (name, text) in texts {
            let _ = write!(
                page,
                "\n<details><summary>What {} ran with</summary>\n\n```\n{}\n```\n\n</details>\n",
                plain(name),
                text.trim_end()
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::{Data, build};
    use records::sample::{paired, record};
    use records::{Bottleneck, Content};
    use std::path::{Path, PathBuf};

    #[test]
    fn every_figure_on_the_page_can_be_traced() {
        let mut records =
            vec![record("04", "wrk", 64, false, 50_000.0), record("01", "wrk", 64, true, 9_000.0)];
        records[1].outcome.served_mut().clients = 1;
        records[1].figures_mut().expect("measured").limiter = Bottleneck::Clients;
        for (stage, cost) in [("floor", 10.0), ("04", 10.7)] {
            for round in 1..=5 {
                let mut pair = paired(record(stage, "wrk", 64, true, 1e6 / cost), [10.0, 10.0]);
                pair.context.round = round;
                records.push(pair);
            }
        }
        records[0].context.configuration = Some("worker_processes 1;\n".into());
        let files = [PathBuf::from("results/data/run.jsonl")];
        let data = Data::of_run(&records, &files, Path::new("results")).expect("figures");
        let figures = build(Content::Run, &data).expect("figures");
        let figures: Vec<&Figure> = figures.iter().collect();
        let measuring = Some("../notes/src/measuring.md".to_owned());
        let again = "./lab report --data results/data/run.jsonl --out results".to_owned();
        let data = "data/run.jsonl".to_owned();
        let page = Page { records: &records, figures: &figures, data, again, measuring }.text();
        for text in [
            "## Servers with 64 clients that keep their connections (wrk)\n\n![Servers",
            "```sh\n./lab report --data results/data/run.jsonl --out results\n```",
            "[report.html](report.html)",
            "[data/run.jsonl](data/run.jsonl)",
            "[measuring.md](../notes/src/measuring.md)",
            "| 04 Title of 04 | 1.07 [1.07–1.07] | costs more |",
            "| 04 Title of 04 | one per request | 50,000 | 20.00 | limit: the server |",
            "1 of 64 clients served",
            "./lab bench-all --seed 7",
            "| commit | no commit |",
            "```\nworker_processes 1;\n```\n\n</details>",
        ] {
            assert!(page.contains(text), "{text} is missing in:\n{page}");
        }
    }
}
