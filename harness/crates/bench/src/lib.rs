//! Measuring: what is run, in which order, how often, and what is recorded of it. `bench_all` measures every
//! stage, `seed_table` a table that was published, `scenario` loads under which more workers show.
//!
//! * `generators`: the programs that put load on a server; `references`: servers by others, to compare with;
//! * `rounds`: every point once in each round, for commands that bring their own way to measure one;
//! * `smoke` and `count`: a server that answers wrong is not measured, and one that leaves clients waiting is
//!   known for it;
//! * `watch` and `watched`: what the server and the machine use meanwhile; `tally`: the figures of a point;
//! * `quiet`: waiting for other programs; `earlier`: going on with a run that was interrupted.
//!
//! It draws nothing, judges no server but by whether its replies are right, and knows a stage only as a
//! process that prints one line, speaks TCP and takes a signal.

pub mod bench_all;
mod count;
mod earlier;
pub mod generators;
mod quiet;
pub mod references;
mod rounds;
pub mod scenario;
pub mod seed_table;
mod smoke;
mod tally;
mod watch;
mod watched;
mod whole_number;
