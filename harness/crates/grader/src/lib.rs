//! The grader: runs the probes against a server, compares with what was declared, and reports
//! what is a surprise.
//!
//! * `probes`: what a server can do, asked over TCP and by signals;
//! * `task`: what is graded, and what is expected of it; `examine`: one run of the probes; `points`: what it
//!   earns; `table`: what a reader sees; `report`: what other tools read.
//!
//! It does not know how a grade is kept or drawn, and nothing of load and speed. A server in any language is
//! graded alike.

mod examine;
mod points;
pub mod probes;
mod report;
mod table;
mod task;

pub use examine::{Plan, examine, look, none, raise_descriptor_limit};
pub use points::{Points, Score, Tally, Withheld};
pub use report::{Format, Report, Row, write};
pub use table::{Rows, evidence_block, print, print_list, say};
pub use task::{Args, Expectations, Graded, Task, expected_of};
