//! What was measured: one JSON object a line, written once and never changed; the files of `results/data`,
//! and the summaries that are computed from records.
//!
//! It does not know how a figure was measured, nor how it is drawn: who measures writes records, who draws
//! reads them.

mod c10k;
mod cells;
mod content;
mod cpus;
mod disturbance;
mod figures;
mod file;
mod grades;
mod idle;
mod latencies;
mod lock;
mod outcome;
mod pairs;
mod record;
mod rounds;
#[cfg(any(test, feature = "sample"))]
pub mod sample;
mod servers;
mod slow;
mod spin;
mod state;
mod table;

pub use c10k::{C10kPoint, c10k};
pub use cells::{Cell, Shape, cells};
pub use content::{Content, newest, newest_first};
pub use cpus::{CpusPoint, cpus};
pub use disturbance::{disturbance, straddling};
pub use figures::{Bottleneck, Figures};
pub use file::{Writer, ensure_room, read};
pub use grades::{Grade, Probed, grades, ungraded};
pub use idle::{IdleCost, idle};
pub use latencies::{LatencyCurve, LatencyPoint, latencies};
pub use lock::DirLock;
pub use outcome::{
    Beside, Idle, IdleMemory, Latency, Mix, OpenLoop, Outcome, Paired, Served, Skip, Throughput,
};
pub use pairs::{Pair, interval_name, pairs, pairs_of};
pub use record::{Context, Key, Kind, Phase, Record};
pub use servers::{FLOOR, is_reference, label, order};
pub use slow::{SlowPoint, slow};
pub use spin::{SpinPoint, spin};
pub use state::{ClockState, States};
pub use table::{Table, TableCell, TablePoint, TableRow, table};
