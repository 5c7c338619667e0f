//! The harness: runs, probes and measures the stages. It knows a stage only as a process that prints one
//! line, speaks TCP and takes a signal, so it works as well on a server written in another language.

pub mod bench;
pub mod charts;
pub mod distributed;
pub mod doctor;
pub mod files;
pub mod generators;
pub mod grade;
pub mod host;
mod interruption;
pub mod load;
pub mod network;
pub mod probes;
pub mod process;
pub mod records;
pub mod references;
pub mod report;
mod rounds;
pub mod run_stage;
pub mod scenario;
pub mod seed_table;
pub mod stages;
pub mod stats;
pub mod units;
pub mod webbench;
pub mod wire;
