//! The crate as a library: draws recorded data and writes the pages beside the pictures.
//!
//! `cargo run -p figures --example report -- --data results/data/RUN.jsonl --out /tmp/look`

use clap::Parser;
use figures::{charts, report};
use std::process::ExitCode;

#[derive(Parser)]
struct Options {
    #[command(flatten)]
    args: charts::Args,
}

fn main() -> anyhow::Result<ExitCode> {
    report::run(Options::parse().args)
}
