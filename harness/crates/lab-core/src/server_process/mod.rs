//! A server as a process: how it is started, waited for and ended.
//!
//! * `launch`: what to start, and how; `options`: its command line;
//! * `start`: its free port, its private directory, starting it and waiting until it is ready; `owner`:
//!   whether the port is its own;
//! * `guard`: a process beside it that leaves nothing behind; `run`: one that should end by itself;
//! * `server`: the process that runs; `lines`: what it prints.

mod guard;
mod launch;
mod lines;
pub(crate) mod options;
mod owner;
mod run;
mod server;
mod start;

pub use launch::{Launch, Ready, Stderr};
pub use options::override_options;
pub use run::Ended;
pub use server::{EndedEarly, Ender, Server};
