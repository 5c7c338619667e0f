//! What every part of the harness stands on: processes and their trees, hosts, the stages by their metadata,
//! servers as processes, addresses, requests and replies, command lines, files, diffs, units, statistics,
//! interruption.
//!
//! It does not know what is done with a server: no load, no probe, no record, no figure. It knows a stage
//! only as a process that prints one line, speaks TCP and takes a signal, and it knows no stage by name.

pub mod clock;
mod command_line;
pub mod diff;
pub mod files;
pub mod host;
pub mod interruption;
pub mod network;
pub mod process;
pub mod server_process;
pub mod stages;
pub mod stats;
pub mod units;
pub mod wire;

pub use command_line::{Usage, one_line, whole};
