//! The scenario that Tsung runs: the template `engines/tsung.xml`, filled in.

use super::Args;
use anyhow::{Context, Result};
use load::Target;
use std::fs;
use std::net::SocketAddr;

const SCENARIO: &str = include_str!("../../engines/tsung.xml");
/// Clients that come in a second.
const MAX_ARRIVALS: u32 = 2_000;

/// A host that makes load.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Worker {
    pub(super) host: String,
    pub(super) processes: u32,
}

/// All at once would measure the accept queue.
pub(super) fn arrivals_per_second(clients: u32) -> u32 {
    (clients * 10).min(MAX_ARRIVALS)
}

/// The scenario, filled in.
pub(super) fn scenario(args: &Args, addr: SocketAddr, target: &Target) -> String {
    let lines: Vec<String> = args
        .workers
        .iter()
        .map(|Worker { host, processes }| {
            format!("    <client host=\"{}\" cpu=\"{processes}\" maxusers=\"60000\"/>", xml(host))
        })
        .collect();
    SCENARIO
        .replace("@WORKERS@", &lines.join("\n"))
        .replace("@HOST@", &addr.ip().to_string())
        .replace("@PORT@", &addr.port().to_string())
        .replace("@CLIENTS@", &args.clients.to_string())
        .replace("@RATE@", &arrivals_per_second(args.clients).to_string())
        .replace("@MILLISECONDS@", &(u64::from(args.duration) * 1000).to_string())
        .replace("@VERSION@", if args.close { "1.0" } else { "1.1" })
        .replace("@AUTHORITY@", &xml(&target.host))
        // Last: what it holds is the user's.
        .replace("@PATH@", &xml(&target.path))
}

/// A text inside quotes in XML.
fn xml(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}

impl Worker {
    /// Reads `load1=4` or `load1`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (host, processes) = text.trim().split_once('=').unwrap_or((text.trim(), "1"));
        let processes = processes.parse().ok().filter(|processes| (1..=256).contains(processes));
        let is_known = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
        let is_host = !host.is_empty() && !host.starts_with('-') && host.bytes().all(is_known);
        let worker = processes.filter(|_| is_host).map(|processes| Self { host: host.to_owned(), processes });
        worker.ok_or_else(|| "write HOST or HOST=N, N from 1 to 256, for example load1=4,load2=4".to_owned())
    }
}

/// The short name, as Erlang calls this host.
pub(super) fn this_host() -> Result<String> {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").context("cannot read this host's name")?;
    let name = name.trim();
    Ok(name.split('.').next().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        args: Args,
    }

    fn args(words: &[&str]) -> Args {
        Cli::parse_from(["distributed"].iter().chain(words)).args
    }

    /// Whatever a URL may hold, the scenario stays XML with one request in it, and nothing is left to be
    /// filled in.
    #[test]
    fn a_scenario_is_filled_in() {
        let args = args(&[
            "http://127.0.0.1:81/a?b=\"<&@HOST@",
            "--clients",
            "7",
            "--close",
            "--workers",
            "load1=4, load2",
        ]);
        let target = Target::parse(&args.url).expect("a URL");
        let scenario = scenario(&args, target.addrs[0], &target);
        assert!(
            scenario.contains(r#"url="/a?b=&quot;&lt;&amp;@HOST@" method="GET" version="1.0""#),
            "{scenario}"
        );
        assert!(scenario.contains(r#"<http_header name="Host" value="127.0.0.1:81"/>"#), "{scenario}");
        assert!(
            scenario.contains(r#"<client host="load1" cpu="4""#) && scenario.contains(r#"maxnumber="7""#)
        );
        let filled = scenario.replace("&amp;@HOST@", "");
        for name in
            ["WORKERS", "HOST", "PORT", "CLIENTS", "RATE", "MILLISECONDS", "VERSION", "PATH", "AUTHORITY"]
        {
            assert!(
                SCENARIO.contains(&format!("@{name}@")) && !filled.contains(&format!("@{name}@")),
                "{name}"
            );
        }
    }

    #[test]
    fn workers_are_hosts_with_numbers() {
        let read = args(&["http://127.0.0.1:81/", "--workers", "load1=4, load2"]).workers;
        assert_eq!(
            read,
            [Worker { host: "load1".into(), processes: 4 }, Worker { host: "load2".into(), processes: 1 }]
        );
        for bad in ["", "a,,b", "a=0", "a=257", "a=x", "=4", "a b", "a\"/>"] {
            let words = ["distributed", "http://127.0.0.1:81/", "--workers", bad];
            let error = Cli::try_parse_from(words).map(|_| ()).expect_err(bad).to_string();
            assert!(error.contains("HOST=N"), "{error}");
        }
        assert!(Worker::parse("-x").is_err());
    }
}
