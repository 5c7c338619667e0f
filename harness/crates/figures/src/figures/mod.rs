//! Every figure of the lab, a file for each: it builds the model from records. To add one, write such a file
//! and name it in [`ALL`].

mod balance;
mod c10k;
mod capacity;
pub(crate) mod caption;
pub(crate) mod concurrency;
pub(crate) mod context_switches;
mod cost_by_clients;
mod data;
pub(crate) mod idle_memory;
pub(crate) mod latency;
mod legend;
pub(crate) mod overload;
mod points;
mod probes;
mod requests_per_second;
pub(crate) mod second_cpu;
pub(crate) mod slow;
mod spin;
pub(crate) mod stealing;
mod table;
mod tools_side_by_side;
pub(crate) mod uring;
mod what_each_idea_costs;

pub use data::{Data, Source};
pub(crate) use data::{Line, is_measured};

use crate::model::Figure;
use records::Content;

/// A kind of figure.
pub struct Kind {
    /// What its figures' names begin with.
    pub name: &'static str,
    /// The data that it is drawn from, and the command that records them.
    pub content: Content,
    /// Builds those that the data allow.
    pub build: fn(&Data) -> Vec<Figure>,
}

/// All figures, in the order of the pages.
pub const ALL: [Kind; 19] = [
    Kind { name: "what-each-idea-costs", content: Content::Run, build: what_each_idea_costs::build },
    Kind { name: "capacity", content: Content::Run, build: capacity::build },
    Kind { name: "latency", content: Content::Latency, build: latency::build },
    Kind { name: "cost-by-clients", content: Content::Clients, build: cost_by_clients::build },
    Kind { name: "c10k", content: Content::C10k, build: c10k::build },
    Kind { name: "slow", content: Content::Slow, build: slow::build },
    Kind { name: "overload", content: Content::Overload, build: overload::build },
    Kind { name: "balance", content: Content::Balance, build: balance::build },
    Kind { name: "concurrency", content: Content::Concurrency, build: concurrency::build },
    Kind { name: "stealing", content: Content::Stealing, build: stealing::build },
    Kind { name: "second-cpu", content: Content::Cpus, build: second_cpu::build },
    Kind { name: "uring", content: Content::Uring, build: uring::build },
    Kind { name: "probes", content: Content::Grades, build: probes::build },
    Kind { name: "tools-side-by-side", content: Content::Run, build: tools_side_by_side::build },
    Kind { name: "requests-per-second", content: Content::Run, build: requests_per_second::build },
    Kind { name: "context-switches", content: Content::Run, build: context_switches::build },
    Kind { name: "idle-memory", content: Content::Run, build: idle_memory::build },
    Kind { name: "spin", content: Content::Spin, build: spin::build },
    Kind { name: "table", content: Content::Table, build: table::build },
];

/// Builds every figure that the data allow.
pub fn build(data: &Data) -> Vec<Figure> {
    ALL.iter().flat_map(|kind| (kind.build)(data)).collect()
}

/// Whether that is the picture of a figure of a run, or of one that there is no more.
pub(crate) fn is_of_a_run(file: &str) -> bool {
    const TOOLS: [&str; 4] = ["ab", "wrk", "webbench", "builtin"];
    const GONE: [&str; 2] = ["overview", "cpu-per-request"];
    let Some(id) = file.strip_suffix(".svg") else { return false };
    // Older runs had open loops and several numbers of clients too.
    let is_of_run = |kind: &&Kind| [Content::Run, Content::Latency, Content::Clients].contains(&kind.content);
    let of_run = ALL.iter().filter(is_of_run).map(|kind| kind.name);
    GONE.contains(&id)
        || of_run.into_iter().any(|name| match id.strip_prefix(name) {
            Some("") => true,
            Some(rest) => rest.strip_prefix('-').is_some_and(|tool| TOOLS.contains(&tool)),
            None => false,
        })
}
