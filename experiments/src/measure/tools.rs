//! A server under one of the load generators: what both used.

use crate::client::{Client, LONG};
use crate::report::{Axis, Chart, Figure, Point, Series};
use crate::session::Session;
use anyhow::{Context, Result};
use bench::generators::{Installed, Load, Tool};
use bench::settled;
use lab_core::process::Usage;
use lab_core::server_process::Server;
use lab_core::stats::Percentiles;
use lab_core::wire::{Connection, Replies, get};
use load::{Args, Report};
use std::io::Write;
use std::net::TcpStream;

use super::pin::{Pinned, cpu};

/// What a tool found, and what it and the server used meanwhile.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    /// Requests that were answered right, per second.
    pub(crate) per_second: f64,
    /// The server's CPU time, in % of one CPU.
    pub(crate) server_percent: f64,
    /// The generator's CPU time, in % of one CPU.
    pub(crate) generator_percent: f64,
    /// The server's CPU time per request, in µs.
    pub(crate) server_us: f64,
    /// The generator's CPU time per request, in µs.
    pub(crate) generator_us: f64,
}

/// The tool, if it is installed.
///
/// # Errors
/// The command that installs it.
pub(crate) fn installed(tool: Tool) -> Result<Installed> {
    tool.find().map_err(|install| anyhow::anyhow!("it needs {}: {install}", tool.name()))
}

/// Runs a tool against a server.
///
/// # Errors
/// The tool fails, or what it says cannot be true; the user has ended the run.
pub(crate) fn run_tool(session: &Session, tool: &Installed, server: &Server, load: &Load) -> Result<Found> {
    let load = Load { addr: server.addr, reply_bytes: length_of_reply(server, load)?, ..load.clone() };
    let pid = server.pid() as u32;
    let before = Usage::of_tree(pid);
    let outcome = tool.run(&load, &mut |_| session.check().is_ok());
    session.check()?;
    let measured = outcome.with_context(|| format!("{} against {}", tool.tool.name(), load.path))?;
    let used = settled(pid, before.processes).since(&before).cpu.as_secs_f64();
    let requests = measured.requests.max(1) as f64;
    Ok(Found {
        per_second: measured.requests_per_second(),
        server_percent: 100.0 * used / measured.seconds,
        generator_percent: 100.0 * measured.generator_cpu_seconds / measured.seconds,
        server_us: used * 1e6 / requests,
        generator_us: measured.generator_cpu_seconds * 1e6 / requests,
    })
}

/// How long a right reply is, head included.
fn length_of_reply(server: &Server, load: &Load) -> Result<u64> {
    let connection = if load.keep_alive { Connection::Kept } else { Connection::Closed };
    let mut stream = TcpStream::connect_timeout(&server.addr, LONG)?;
    stream.write_all(&get(&load.path, "localhost", connection))?;
    Ok(Replies::default().next(&mut stream, LONG)?.bytes)
}

/// Puts a load on with the generator of this process, on the second CPU.
///
/// # Errors
/// What is wrong with the options or the server; the user has ended the run.
pub(crate) fn put_on(session: &Session, args: &Args) -> Result<Report> {
    let _pinned = Pinned::to(cpu(1));
    let report = load::measure_silently(args)?;
    session.check()?;
    Ok(report)
}

/// The percentiles of a run of the generator, in ms.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waits(pub(crate) [f64; 5]);

impl Waits {
    /// In the order of the values.
    pub(crate) const NAMES: [&str; 5] =
        ["half within", "90 % within", "99 % within", "99.9 % within", "longest wait"];
    /// Where the 99th percentile is.
    pub(crate) const P99: usize = 2;
    /// How many of 100 requests take longer than each; the longest wait has no place there.
    const BEYOND: [f64; 4] = [50.0, 10.0, 1.0, 0.1];

    /// From µs.
    pub(crate) fn of(percentiles: Percentiles) -> Self {
        let Percentiles { p50, p90, p99, p99_9, max } = percentiles;
        Self([p50, p90, p99, p99_9, max].map(|us| us as f64 / 1000.0))
    }

    /// The median of each value over the rounds.
    pub(crate) fn figures(name: &str, rounds: &[Self]) -> Result<Vec<Figure>> {
        let figure = |(at, of): (usize, &str)| {
            let values: Vec<f64> = rounds.iter().map(|waits| waits.0[at]).collect();
            Figure::median(format!("{name}: {of}"), "ms", &values)
        };
        Self::NAMES.into_iter().enumerate().map(figure).collect()
    }

    /// A line of a chart of waits: each wait over the share of the requests that take longer.
    pub(crate) fn line(name: &str, figures: &[Figure]) -> Series {
        let points = Self::BEYOND.into_iter().zip(figures);
        let points = points.map(|(beyond, figure)| Point::at(beyond, figure)).collect();
        Series { name: name.to_owned(), points }
    }

    /// The chart of such lines.
    pub(crate) fn chart(title: &str, series: Vec<Series>) -> Chart {
        let x = Axis::logarithmic("of 100 requests so many take longer");
        Chart { title: title.to_owned(), x, y: Axis::logarithmic("wait of a request, ms"), series }
    }
}

/// Asks a server once, so that it has done everything that it does once only.
///
/// # Errors
/// It does not answer.
pub(crate) fn warm_up(server: &Server) -> Result<()> {
    let mut client = Client::connect(server.addr)?;
    client.ask("/")?;
    client.reply().map(drop)
}
