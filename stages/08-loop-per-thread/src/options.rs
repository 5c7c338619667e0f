//! How many loops, how they accept, and which parts they use.

use clap::Parser;
use kit::options::workers;
use sending_files::Files;
use timers::Structure;
use timers::source::WakeBy;

/// Stage 08: one loop per thread.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Options {
    /// How many loops serve connections, each in its thread [default: the number of CPUs]
    #[arg(long, value_name = "N", value_parser = workers)]
    pub workers: Option<usize>,

    /// How many connections are accepted at each wake-up: 1, a number, or all that wait
    #[arg(long, value_name = "N", default_value = "all", value_parser = batch)]
    pub accept_batch: usize,

    /// In what a loop keeps its timers
    #[arg(long, value_enum, default_value = "heap")]
    pub timers: Structure,

    /// What wakes a loop when a timer fires
    #[arg(long, value_enum, default_value = "epoll")]
    pub timer_source: WakeBy,

    /// How files get into sockets
    #[arg(long, value_enum, default_value = "sendfile")]
    pub files: Files,

    /// What is logged, where, and by whom.
    #[command(flatten)]
    pub logging: access_log::Options,

    /// What every stage understands.
    #[command(flatten)]
    pub common: kit::options::Options,
}

fn batch(text: &str) -> Result<usize, String> {
    match (text, text.parse()) {
        ("all", _) => Ok(usize::MAX),
        (_, Ok(number @ 1..)) => Ok(number),
        _ => Err("expected a whole number from 1 on, or all".to_owned()),
    }
}
