//! The applications, and the command line that chooses one.

pub(crate) mod httpd;

use clap::{Parser, ValueEnum};
use framework::Settings;
use kit::options::workers;
use std::io;
use std::num::NonZeroUsize;
use std::thread::available_parallelism;

/// Stage 13: servers on a framework.
#[derive(Debug, Parser)]
#[command(version)]
pub(crate) struct Options {
    /// What is served
    #[arg(long, value_enum, default_value = "httpd")]
    pub(crate) app: App,

    /// How many loops a process has, each in its thread [default: the number of CPUs]
    #[arg(long, value_name = "N", value_parser = workers)]
    pub(crate) workers: Option<usize>,

    /// How many processes serve
    #[arg(long, value_name = "N", default_value = "1", value_parser = workers)]
    pub(crate) processes: usize,

    /// What a client over the limit on connections is told; without it accepting pauses
    #[arg(long, value_name = "TEXT")]
    pub(crate) busy_message: Option<String>,

    /// What every stage understands.
    #[command(flatten)]
    pub(crate) common: kit::options::Options,
}

/// An application.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum App {
    /// What every stage serves
    Httpd,
}

impl Options {
    /// The settings of a server that runs as a stage.
    pub(crate) fn settings(&self) -> Settings {
        let cpus = || available_parallelism().map_or(1, NonZeroUsize::get);
        Settings {
            addr: self.common.addr,
            backlog: self.common.backlog,
            workers: self.workers.unwrap_or_else(cpus),
            processes: self.processes,
            idle_timeout: self.common.idle_timeout,
            max_connections: Some(self.common.max_connections),
            busy_message: self.busy_message.clone().map(String::into_bytes),
            signals: true,
            announce: true,
            ..Settings::default()
        }
    }
}

/// Runs the application that was chosen.
///
/// # Errors
/// Why it cannot serve.
pub(crate) fn run(options: Options) -> io::Result<()> {
    match options.app {
        App::Httpd => httpd::run(&options),
    }
}
