//! The grader's probes: what a server can do, asked over TCP and by signals.
//!
//! A probe is a row of [`PROBES`]; the rows are in `rows`, and what a probe does in the modules beside it. It
//! knows no stage, so a server in any language can be graded, and its outcome depends neither on fine timing
//! nor on luck: what must be slow is a sleep or a silent client, and every bound is far from what a right
//! server needs.

mod access_log;
mod client;
mod closing;
mod concurrency;
mod deadlines;
mod echo;
mod ending;
mod evidence;
mod files;
mod footprint;
mod framing;
mod half_close;
mod heads;
mod http;
mod kept_memory;
mod leaks;
mod limits;
mod listener;
mod malformed;
mod narrow;
mod payload;
mod peers;
mod pools;
mod ports;
mod probe;
mod profile;
mod queues;
mod replays;
mod requests;
mod resources;
mod routes;
mod rows;
mod runner;
mod served;
mod shell;
mod short_writes;
mod shutdown;
mod signals;
mod subject;
mod timeouts;
mod transcript;
mod tree;
mod verdict;
mod waiting;

pub use evidence::{Evidence, Replay};
pub use probe::Probe;
pub use profile::{Profile, choose, current, shipped};
pub(crate) use profile::{in_one_line, note_whether_it_closes};
pub use routes::{Failure, FirstLook, Route, first_look};
pub(crate) use rows::nearest;
pub use rows::{PROBES, find, groups, select};
pub use runner::{Limits, Run, run_all, run_one};
pub use subject::{START_LIMIT, Setup, Target};
pub use verdict::{Expected, Fault, Finding, Outcome, Verdict};

use subject::Subject;
