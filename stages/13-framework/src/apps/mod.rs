//! The applications, and the command line that chooses one.

mod cgi;
mod chat;
mod dashboard;
pub(crate) mod httpd;

use clap::{Parser, ValueEnum};
use framework::Settings;
use kit::options::workers;
use std::io;
use std::num::NonZeroUsize;
use std::thread::available_parallelism;
use std::time::Duration;

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

    /// How long a program of --app cgi may run
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = seconds)]
    pub(crate) cgi_time: Duration,

    /// How many bytes it may write
    #[arg(long, value_name = "BYTES", default_value = "1048576", value_parser = bytes)]
    pub(crate) cgi_output: usize,

    /// How often --app dashboard sends its figures
    #[arg(long, value_name = "MS", default_value = "500", value_parser = interval)]
    pub(crate) dashboard_interval: Duration,

    /// A page of --app dashboard may start load against this server
    #[arg(long)]
    pub(crate) dashboard_load: bool,

    /// What every stage understands.
    #[command(flatten)]
    pub(crate) common: kit::options::Options,
}

/// An application.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum App {
    /// What every stage serves
    Httpd,
    /// Lines to everybody else, over plain TCP or WebSocket
    Chat,
    /// A program below --root for each request: /cgi-bin/NAME (CGI/1.1)
    Cgi,
    /// What every stage serves, and a live page at / for a browser
    Dashboard,
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

fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(seconds) if (0.01..=3_600.0).contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        _ => Err("expected a number of seconds from 0.01 to 3600".to_owned()),
    }
}

fn interval(text: &str) -> Result<Duration, String> {
    match text.parse().map(Duration::from_millis) {
        Ok(interval) if dashboard::INTERVALS.contains(&interval) => Ok(interval),
        _ => Err("expected a whole number of milliseconds from 10 to 10000".to_owned()),
    }
}

fn bytes(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(bytes @ 1..=1_073_741_824) => Ok(bytes),
        _ => Err("expected a whole number from 1 to 1073741824".to_owned()),
    }
}

/// Runs the application that was chosen.
///
/// # Errors
/// Why it cannot serve.
pub(crate) fn run(options: Options) -> io::Result<()> {
    match options.app {
        App::Httpd => httpd::run(&options),
        App::Chat => chat::run(&options),
        App::Cgi => cgi::run(&options),
        App::Dashboard => dashboard::run(&options),
    }
}
