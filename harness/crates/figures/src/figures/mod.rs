//! Every figure of the lab, a file for each: it builds the model from records. To add one, write such a file
//! and name it in [`ALL`].

mod caption;
mod context_switches;
mod cpu_per_request;
mod data;
mod idle_memory;
mod latency;
mod overview;
mod probes;
mod requests_per_second;
mod slow;
mod spin;
mod table;
mod tools_side_by_side;

pub use data::Data;

use crate::model::Figure;
use anyhow::Result;
use records::Content;

/// A kind of figure.
pub struct Kind {
    /// The data that it is drawn from.
    pub content: Content,
    /// What its figures' names begin with.
    pub name: &'static str,
    /// Builds those that the data allow.
    pub build: fn(&Data) -> Result<Vec<Figure>>,
}

/// All figures, in the order of the pages.
pub const ALL: [Kind; 11] = [
    Kind { content: Content::Run, name: "overview", build: overview::build },
    Kind { content: Content::Run, name: "cpu-per-request", build: cpu_per_request::build },
    Kind { content: Content::Run, name: "requests-per-second", build: requests_per_second::build },
    Kind { content: Content::Run, name: "tools-side-by-side", build: tools_side_by_side::build },
    Kind { content: Content::Run, name: "latency", build: latency::build },
    Kind { content: Content::Run, name: "context-switches", build: context_switches::build },
    Kind { content: Content::Run, name: "idle-memory", build: idle_memory::build },
    Kind { content: Content::Grades, name: "probes", build: probes::build },
    Kind { content: Content::Table, name: "table", build: table::build },
    Kind { content: Content::Spin, name: "spin", build: spin::build },
    Kind { content: Content::Slow, name: "slow", build: slow::build },
];

/// Builds every figure that data of one kind allow.
pub fn build(content: Content, data: &Data) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for kind in ALL.iter().filter(|kind| kind.content == content) {
        figures.extend((kind.build)(data)?);
    }
    Ok(figures)
}

/// Whether that is the picture of a figure of a run.
pub(crate) fn is_of_a_run(file: &str) -> bool {
    const TOOLS: [&str; 4] = ["ab", "wrk", "webbench", "builtin"];
    let Some(id) = file.strip_suffix(".svg") else { return false };
    ALL.iter().filter(|kind| kind.content == Content::Run).any(|kind| match id.strip_prefix(kind.name) {
        Some("") => true,
        Some(rest) => rest.strip_prefix('-').is_some_and(|tool| TOOLS.contains(&tool)),
        None => false,
    })
}
