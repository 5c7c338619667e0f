//! What was measured: one JSON object a line, written once and never changed; the files of `results/data`,
//! and what a reader must know of the records in them: in which clock state each was made, and whether other
//! programs disturbed it.
//!
//! It does not know how a figure was measured, nor how it is drawn: `bench` and `grader` write records,
//! `figures` reads them.

mod content;
mod disturbance;
mod figures;
mod file;
mod grades;
mod lock;
mod outcome;
mod record;
#[cfg(any(test, feature = "sample"))]
pub mod sample;
mod servers;
mod state;

pub use content::{Content, newest, newest_first};
pub use disturbance::{disturbance, straddling};
pub use figures::{Bottleneck, Figures};
pub use file::{Writer, ensure_room, read};
pub use grades::{Evidence, Grade, Probed, Replay, grades, ungraded};
pub use lock::DirLock;
pub use outcome::{
    Beside, ClientTimeout, Idle, IdleMemory, Latency, LongRequests, Mix, OpenLoop, Outcome, Paired, Served,
    Skip, Throughput, WorkerLoad,
};
pub use record::{Context, Key, Kind, Phase, Placement, Record};
pub use servers::{FLOOR, is_reference, label, order};
pub use state::{ClockState, States};
