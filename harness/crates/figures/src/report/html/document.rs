//! The HTML around the charts. maud escapes every text that comes from a record, a Cargo.toml or a tool.

use super::Source;
use super::data::Data;
use super::plots::Plot;
use crate::charts::Chart;
use crate::report::machine;
use anyhow::Result;
use lab_core::units::{count, xml_characters};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use records::{Kind, Phase, Record, disturbance};
use std::collections::BTreeSet;

const STYLE: &str = include_str!("page/page.css");
/// One program; `page.js` starts it.
const SCRIPT: &str = concat!(
    include_str!("page/scale.js"),
    include_str!("page/state.js"),
    include_str!("page/record.js"),
    include_str!("page/mark.js"),
    include_str!("page/pointing.js"),
    include_str!("page/plot.js"),
    include_str!("page/page.js")
);
/// The browser itself is told to fetch nothing.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'";

/// What stands on the page.
pub(super) struct Page<'a> {
    pub(super) data: &'a Data,
    pub(super) charts: &'a [Chart],
    pub(super) sources: &'a [Source],
    /// All records of the sources.
    pub(super) records: &'a [&'a Record],
    /// The command that writes the page again.
    pub(super) again: String,
}

impl Page<'_> {
    pub(super) fn html(&self) -> Result<String> {
        let json = self.data.json()?;
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta http-equiv="Content-Security-Policy" content=(POLICY);
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    title { "c10k-lab: what was measured" }
                    style { (PreEscaped(STYLE)) }
                }
                body {
                    (self.header())
                    div.columns {
                        details #legend open {
                            summary { "Servers" }
                            noscript { p { "Without JavaScript the page draws nothing: " a href="README.md" { "README.md" } " has the same charts as pictures." } }
                        }
                        main {
                            @for plot in &self.data.plots { (self.plot(plot)) }
                            (self.pictures())
                            (reading())
                            (self.machine())
                            (self.references())
                            (self.again())
                        }
                    }
                    div #tip role="status" hidden {}
                    script type="application/json" id="data" { (PreEscaped(json)) }
                    script { (PreEscaped(SCRIPT)) }
                }
            }
        };
        // maud escapes markup; a control character is none, and a page should have none of them either.
        Ok(xml_characters(&page.into_string()))
    }

    fn header(&self) -> Markup {
        // Seed 002's table is another run, shown beside this one.
        let run: Vec<Record> = self
            .records
            .iter()
            .filter(|record| record.key.phase != Phase::Table)
            .map(|&record| record.clone())
            .collect();
        let all = || self.records.iter().map(|&record| record.clone()).collect();
        let run = if run.is_empty() { all() } else { run };
        let measured = run.iter().filter(|record| machine::is_measured(record)).count();
        let rounds: BTreeSet<_> =
            run.iter().map(|record| (record.context.seed, record.context.round)).collect();
        html! {
            header {
                h1 { "What was measured" }
                p {
                    (measured) " points in " (count(rounds.len(), "round"))
                    ", " (machine::durations(run.iter()))
                    @if let Some(first) = run.first() {
                        "; " (machine::places(first)) "; " (first.context.host.summary()) "; " (first.context.host.commit_name()) "; begun " (first.context.started_at)
                    }
                    "."
                }
                @if run.iter().any(|record| record.context.quick) {
                    p.warning { "A quick look: short points, for orientation only. No difference between servers can be claimed from it." }
                }
                @if let Some(disturbance) = disturbance(&run) { p.warning { (disturbance) } }
                nav {
                    @for plot in &self.data.plots { a href=(format!("#{}", plot.id)) { (plot.title) } " " }
                    a href="#reading" { "How to read" } " " a href="#machine" { "The machine" } " " a href="#again" { "Again" }
                }
            }
        }
    }

    fn plot(&self, plot: &Plot) -> Markup {
        html! {
            figure data-plot=(plot.id) id=(plot.id) {
                h2 { (plot.title) }
                p { (plot.about) }
                div.switches {}
                div.canvas {}
                div.gaps {}
                div.record hidden {}
                details { summary { "The figures" } div.figures {} }
                figcaption {
                    "Data: " (links(plot.files.iter().map(|&at| self.data.files[at].file.as_str())))
                    ". Drawn again by " code { (self.again) }
                }
            }
        }
    }

    /// The charts that need no switch, as they are; the others as links.
    fn pictures(&self) -> Markup {
        let (drawn, still): (Vec<&Chart>, Vec<&Chart>) = self
            .charts
            .iter()
            .partition(|chart| self.data.plots.iter().any(|plot| chart.file.starts_with(plot.picture)));
        html! {
            @for chart in still {
                figure.picture {
                    h2 { (chart.title) }
                    div.paper { (PreEscaped(chart.svg.as_str())) }
                    (caption(chart))
                }
            }
            @if !drawn.is_empty() {
                details.block {
                    summary { "The charts above as pictures" }
                    ul { @for chart in drawn { li { a href=(chart.file) { (chart.title) } ". " (caption(chart)) } } }
                }
            }
        }
    }

    /// A table for each machine, or each state of one, that there are records of.
    fn machine(&self) -> Markup {
        let mut hosts: Vec<(&Source, &Record)> = Vec::new();
        for source in self.sources {
            for record in &source.records {
                if !hosts.iter().any(|(_, other)| other.context.host == record.context.host) {
                    hosts.push((source, record));
                }
            }
        }
        html! {
            section #machine {
                h2 { "The machine" }
                @for (source, record) in &hosts {
                    @if hosts.len() > 1 { h3 { "of " (source.link) } }
                    div.wide { table { tbody {
                        @for (what, value) in machine::rows(record) { tr { th scope="row" { (what) } td { (value) } } }
                    } } }
                }
            }
        }
    }

    /// What the stages are compared with, and how it was configured.
    fn references(&self) -> Markup {
        let others: Vec<_> = self.data.servers.iter().filter(|server| server.kind != Kind::Stage).collect();
        html! {
            @if !others.is_empty() {
                section #references {
                    h2 { "The references" }
                    @for server in others {
                        h3 { (server.label) }
                        p { (server.title) }
                        @if let Some(text) = &server.configuration {
                            details { summary { "Its configuration" } pre { (text) } }
                        }
                    }
                }
            }
        }
    }

    fn again(&self) -> Markup {
        let commands: BTreeSet<String> =
            self.records.iter().map(|record| machine::measure_again(record)).collect();
        html! {
            section #again {
                h2 { "Again" }
                p { "The data: " (links(self.data.files.iter().map(|file| file.file.as_str()))) ", one JSON object a line; nothing on this page comes from elsewhere." }
                p { "The page and its charts, from the recorded data:" }
                pre { (self.again) }
                p { "The measuring, at the commit that is named above:" }
                pre { @for command in commands { (command) "\n" } }
            }
        }
    }
}

fn caption(chart: &Chart) -> Markup {
    html! {
        p.source { "Data: " (links(chart.data.iter().map(String::as_str))) ". Drawn again by " code { (chart.command) } }
    }
}

fn links<'a>(files: impl Iterator<Item = &'a str>) -> Markup {
    html! { @for (at, file) in files.enumerate() { @if at > 0 { ", " } a href=(file) { (file) } } }
}

fn reading() -> Markup {
    html! {
        section #reading {
            h2 { "How to read the charts" }
            dl {
                dt { "a filled marker" }
                dd { "The server was the limit, or nobody was: with few clients it is the way there and back that takes the time." }
                dt { "a hollow marker" }
                dd { "The generator had used up its CPU: the server could do more, so two hollow points say nothing about which server is faster. Look at the CPU time per request." }
                dt { "a cross" }
                dd { "Some of the clients were not served at all. The others share all of the server, so the speed looks better than it is." }
                dt { "a whisker" }
                dd { "From five rounds on, the 95 % bootstrap interval of the median: the rounds are drawn again 2,000 times, with replacement, and 95 % of the medians of these draws lie in it. With two to four rounds, the smallest and the largest." }
                dt { "a marker at the edge of a logarithmic axis" }
                dd { "stands for 0, which has no place on such an axis; the note under the chart names it." }
                dt { "rate not reached" }
                dd { "Fewer than 95 % of the requests that an open loop planned were answered in its time. Their waits would say how long the run was, so they are listed under the chart and not drawn." }
                dt { "Pss" }
                dd { "The memory of a server's processes; a page that several of them share counts for each in equal parts." }
                dt { "markers side by side" }
                dd { "stand for the same number of clients, or the same load: the one at the line between them." }
                dt { "not distinguishable" }
                dd { "The interval touches that of the floor measured against itself: the difference may be chance." }
                dt { "÷ floor" }
                dd { "The server's CPU time per request over that of the floor in the runs just before and just after. The floor is a server that reads and writes one constant reply without any parsing: what the kernel costs. This figure survives a slow generator and a busy machine; requests per second do not." }
                dt { "a click on a point" }
                dd { "shows its records, with the line of the data file that each one is. With the keyboard: Tab to the chart, then the arrow keys, Enter, Escape." }
            }
        }
    }
}
