//! The command line that every stage understands.

use crate::protocol::http::Limits;
use crate::stderr::log_stderr;
use clap::error::{ContextKind, ErrorKind};
use clap::{Args, Parser, ValueEnum};
use std::net::SocketAddrV4;
use std::path::PathBuf;
use std::time::Duration;

/// The server never asks for more descriptors than this: some containers allow a thousand million, and the
/// memory that is kept for each would not fit.
pub const MAX_DESCRIPTORS: u64 = 1 << 20;

/// What every stage understands.
#[derive(Args, Clone, Debug)]
#[group(id = "common")] // each stage flattens this into an `Options` of its own
pub struct Options {
    /// Where to listen; port 0 lets the kernel choose
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:8080")]
    pub addr: SocketAddrV4,

    /// What to speak [default: echo in stage 01, http in the others]
    #[arg(long, value_enum)]
    pub protocol: Option<ProtocolKind>,

    /// Serve the files below this directory over HTTP
    #[arg(long, value_name = "DIR")]
    pub root: Option<PathBuf>,

    /// How many connections may wait to be accepted
    #[arg(long, value_name = "N", default_value_t = 4096, value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub backlog: u16,

    /// Above this many open connections, accepting pauses
    #[arg(long, value_name = "N", default_value = "100000", value_parser = connections)]
    pub max_connections: usize,

    /// How long a peer may stay silent between requests or within a body, or not read
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds)]
    pub idle_timeout: Duration,

    /// How long the head of a request may take
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    pub header_timeout: Duration,

    /// What an HTTP request may be
    #[command(flatten)]
    pub limits: Limits,
}

/// A protocol of the lab.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ProtocolKind {
    /// What came in goes out (RFC 862)
    Echo,
    /// HTTP/1.1 and HTTP/1.0
    Http,
}

/// The command line, or one line on stderr that says what was wrong and what is allowed.
///
/// # Errors
/// The exit status: 0 after `--help` and `--version`, else 2.
pub fn parse<O: Parser>() -> Result<O, u8> {
    O::try_parse().map_err(|error| {
        if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
            print!("{error}");
            return 0;
        }
        log_stderr(one_line(&error));
        2
    })
}

/// clap's message is several lines: the fault, a tip, the usage, a hint. Here the fault, with the values
/// that are allowed, and where to read on.
fn one_line(error: &clap::Error) -> String {
    let text = error.to_string();
    let fault = text.split("\n\nUsage").next().unwrap_or(&text);
    let fault = fault.split("\n\nFor more").next().unwrap_or(fault);
    let words: Vec<&str> = fault.split_whitespace().collect();
    let allowed = match error.get(ContextKind::ValidValue) {
        Some(_) => "",
        None => "; --help lists what is allowed",
    };
    words.join(" ") + allowed
}

fn seconds(text: &str) -> Result<Duration, String> {
    let allowed = "a number of seconds from 0.01 to 86400";
    let number: f64 = text.parse().map_err(|_| format!("expected {allowed}"))?;
    if !(0.01..=86_400.0).contains(&number) {
        return Err(format!("expected {allowed}"));
    }
    Ok(Duration::from_secs_f64(number))
}

/// As many as a process can have descriptors for.
fn connections(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number @ 1..=MAX_DESCRIPTORS) => Ok(number as usize),
        _ => Err(format!("expected a whole number from 1 to {MAX_DESCRIPTORS}")),
    }
}

/// A number of workers.
///
/// # Errors
/// What is allowed.
pub fn workers(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number @ 1..=1024) => Ok(number),
        _ => Err("expected a whole number from 1 to 1024".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Parser)]
    struct Stage {
        #[command(flatten)]
        common: Options,
    }

    /// The contract: one line that says what was wrong and what is allowed.
    #[test]
    fn a_bad_option_is_told_in_one_line() {
        for (args, wrong, allowed) in [
            (["--protocol", "ftp"], "ftp", "echo, http"),
            (["--backlog", "0"], "0", "1..=4096"),
            (["--idle-timeout", "soon"], "soon", "from 0.01 to 86400"),
            (["--max-connections", "0"], "0", "from 1 to 1048576"),
            (["--addr", "localhost"], "localhost", "--help"),
            (["--colour", "red"], "--colour", "--help"),
        ] {
            let error = Stage::try_parse_from([&["stage"], &args[..]].concat()).unwrap_err();
            let line = one_line(&error);
            assert!(!line.contains('\n') && line.contains(wrong) && line.contains(allowed), "{line}");
        }
    }
}
