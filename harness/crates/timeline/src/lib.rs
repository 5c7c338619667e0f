//! Who waits for whom: a server is run under strace(1) while a few clients talk to it, and the run is drawn
//! with a lane for each client, each queue and each thread on one axis of time.
//!
//! * `scenario`: what the clients of a run do; `clients`: doing it, and keeping what was sent and received;
//! * `record`: the server under strace; `strace`: what strace writes, taken apart;
//! * `tasks`, `meaning`: who made a call, which client a descriptor stands for, in which calls a thread
//!   waits;
//! * `queues`, `flows`, `findings`: what no call shows and the calls around it tell;
//! * `build`: all of that as a [`Timeline`], which is what is stored;
//! * `axis`, `layout`, `svg`, `page`: from a timeline to a still picture and to a page to step through;
//! * `command`: the command line.
//!
//! It knows a server only as a process that listens: a stage, or any command.

mod axis;
mod build;
mod clients;
mod command;
mod findings;
mod flows;
mod layout;
mod meaning;
pub mod model;
mod page;
mod queues;
mod record;
mod scenario;
mod strace;
mod svg;
mod tasks;
#[cfg(test)]
mod tests;

pub use command::{Args, CmdArgs, run, run_cmd};
pub use model::Timeline;
