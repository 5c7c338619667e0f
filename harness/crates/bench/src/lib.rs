//! Measuring: what is run, in which order, how often, and what is recorded of it.
//!
//! * `recipes`: what is measured: every stage, a table that was published, loads under which more workers
//!   show;
//! * `engine`: how: it says how long that takes, runs the points in shuffled rounds, records each at once,
//!   and goes on with a run that was interrupted;
//! * `generators`: the programs that put load on a server; `references`: servers by others, to compare with;
//! * `cpus`: where both run; `smoke` and `count`: a server that answers wrong is not measured, and one that
//!   leaves clients waiting is known for it;
//! * `watch`: what the server and the machine use meanwhile, and `by_worker` what each of its workers
//!   does; `tally`: the figures of a point.
//!
//! It draws nothing, judges no server but by whether its replies are right, and knows a stage only as a
//! process that prints one line, speaks TCP and takes a signal.

mod by_worker;
mod count;
pub mod cpus;
pub mod engine;
pub mod generators;
pub mod recipes;
pub mod references;
mod smoke;
mod tally;
mod watch;

pub use watch::settled;
