//! The command line of `./lab load`.

use super::mix::Mix;
use super::reference::Expected;
use super::target::Target;
use anyhow::{Context, Result, ensure};
use lab_core::wire::Authority;
use lab_core::{Usage, whole};
use serde::Serialize;
use std::ops::RangeInclusive;
use std::time::Duration;

/// The maximum of clients of a kind: all of them are at one address, so ports are the limit.
const MAX_CLIENTS: u64 = 20_000;

/// The options of `./lab load`.
#[derive(clap::Args, Clone, Debug, Serialize)]
pub struct Args {
    /// `http://HOST[:PORT]/PATH`
    #[arg(value_name = "URL")]
    pub url: String,
    /// What the Host header says, instead of the URL's host: a server of several names can be asked by its
    /// address.
    #[arg(long, value_name = "HOST[:PORT]")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Clients at once.
    #[arg(short, long, value_name = "N", default_value = "64", value_parser = whole::<u32>(1..=MAX_CLIENTS))]
    pub connections: u32,
    /// Threads; each has its share of the clients.
    #[arg(short, long, value_name = "N", default_value = "1", value_parser = whole::<u32>(1..=256))]
    pub threads: u32,
    /// How long to measure.
    #[arg(short, long, value_name = "SECONDS", default_value = "10", value_parser = some_time)]
    #[serde(serialize_with = "in_seconds", rename = "duration_seconds")]
    pub duration: Duration,
    /// How long the load is put on before that, uncounted.
    #[arg(long, value_name = "SECONDS", default_value = "0", value_parser = any_time)]
    #[serde(serialize_with = "in_seconds", rename = "warm_up_seconds")]
    pub warm_up: Duration,
    /// A connection per request, as `Connection: close` asks for; default: connections are kept.
    #[arg(long, conflicts_with_all = ["requests_per_connection", "pipeline"])]
    pub close: bool,
    /// Close a connection after N requests.
    #[arg(long, value_name = "N", value_parser = whole::<u64>(1..=1_000_000_000))]
    pub requests_per_connection: Option<u64>,
    /// Requests that a client sends at once, in one write, before it reads the replies.
    #[arg(long, value_name = "DEPTH", default_value = "1", value_parser = whole::<u64>(1..=1024))]
    pub pipeline: u64,
    /// Open loop: send R requests per second, all clients together, whether answers come or not.
    #[arg(long, value_name = "R", conflicts_with = "pipeline", allow_negative_numbers = true, value_parser = rate)]
    pub rate: Option<f64>,
    /// Look at the sockets all the time instead of sleeping until the next request is due: a CPU that sleeps
    /// may wake up a millisecond late, above all that of a virtual machine. It needs a CPU to itself.
    #[arg(long, requires = "rate")]
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub spin: bool,
    /// So many per cent of the requests, evenly spread, ask for another path: `5:/sleep/50`. Right is there a
    /// 200 with the lab's body for that path, or that of its first reply. They are counted and timed apart.
    #[arg(long, value_name = "PERCENT:PATH", conflicts_with = "pipeline")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mix: Option<Mix>,
    /// The status of a right reply.
    #[arg(long, value_name = "CODE", default_value = "200", value_parser = whole::<u16>(200..=599))]
    pub status: u16,
    /// The body of a right reply. Default: the lab's body for `/` and `/bytes/N`, else that of the first
    /// reply; also where the replies announce no length.
    #[arg(long, value_name = "TEXT", conflicts_with = "learn_body")]
    pub body: Option<String>,
    /// The first reply's body is the right one, whatever the path.
    #[arg(long)]
    pub learn_body: bool,
    /// Give a request up, and its connection, after this time.
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = some_time)]
    #[serde(serialize_with = "in_seconds", rename = "timeout_seconds")]
    pub timeout: Duration,
    /// Beside the load: clients that connect and say nothing.
    #[arg(long, value_name = "N", default_value = "0", value_parser = whole::<u32>(0..=MAX_CLIENTS))]
    pub idle: u32,
    /// Beside the load: clients that ask for `/bytes/67108864` and read 4 KB of it every 100 ms.
    #[arg(long, value_name = "N", default_value = "0", value_parser = whole::<u32>(0..=MAX_CLIENTS))]
    pub slow: u32,
    /// Print one JSON object.
    #[arg(long)]
    #[serde(skip)]
    pub json: bool,
}

impl Args {
    /// The defaults of the command line, for a program that puts the load on by itself.
    pub fn new(url: &str) -> Self {
        #[derive(clap::Parser)]
        struct Typed {
            #[command(flatten)]
            args: Args,
        }
        // A URL is any text here; it is looked at when the load begins.
        <Typed as clap::Parser>::parse_from(["load", "--", url]).args
    }

    /// Looks at what no option can see alone.
    pub(super) fn check(&self) -> Result<Target> {
        let mut target = Target::parse(&self.url)?;
        if let Some(host) = &self.host {
            target.host = Authority::parse(host, Some(80)).context("--host").map_err(Usage::of)?.header();
        }
        ensure!(
            self.threads <= self.connections,
            Usage::new(format!(
                "--threads {} is more than --connections {}: a thread needs a client",
                self.threads, self.connections
            ))
        );
        Ok(target)
    }

    pub(super) fn requests_per_connection(&self) -> u64 {
        if self.close { 1 } else { self.requests_per_connection.unwrap_or(u64::MAX) }
    }

    pub(super) fn expected(&self, path: &str) -> Expected {
        match &self.body {
            Some(body) => Expected::text(body.clone().into_bytes()),
            None if self.learn_body || self.status != 200 => Expected::learnt(),
            None => Expected::by_path(path),
        }
    }
}

fn any_time(text: &str) -> Result<Duration, String> {
    number(text, 0.0..=86_400.0, "seconds").map(Duration::from_secs_f64)
}

fn some_time(text: &str) -> Result<Duration, String> {
    number(text, 0.01..=86_400.0, "seconds").map(Duration::from_secs_f64)
}

fn rate(text: &str) -> Result<f64, String> {
    number(text, 0.01..=10_000_000.0, "requests per second")
}

fn number(text: &str, allowed: RangeInclusive<f64>, unit: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number| allowed.contains(number));
    number.ok_or_else(|| format!("{} to {} {unit} are allowed", allowed.start(), allowed.end()))
}

fn in_seconds<S: serde::Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(time.as_secs_f64())
}
