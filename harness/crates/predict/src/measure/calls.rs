//! What strace counts.

use super::client::Client;
use super::{Found, Lab, Measured, SETTLED};
use anyhow::{Context, Result};
use book::count_calls;
use lab_core::server_process::Server;
use lab_core::units::count;
use load::{Args, measure_silently};
use profile::{COUNT, Missing, Strace, table};
use std::collections::BTreeMap;
use std::thread::sleep;
use std::time::Duration;

/// How long signals and the last calls are waited for.
const LAST: Duration = Duration::from_millis(500);

/// What strace counted.
struct Counted {
    /// How often each call was made.
    calls: BTreeMap<String, f64>,
    /// By what it is to be divided: seconds, requests.
    amount: f64,
}

/// Counts the calls of a server while `during` runs, which returns by what they are to be divided.
fn counted(server: &Server, during: impl FnOnce() -> Result<f64>) -> Result<Result<Counted, Missing>> {
    let strace = match Strace::attach(&COUNT, server.pid())? {
        Ok(strace) => strace,
        Err(why) => return Ok(Err(why)),
    };
    let amount = during()?;
    let text = strace.end()?;
    // A server that makes no call leaves no table.
    let calls = if text.trim().is_empty() { BTreeMap::new() } else { table(&text)? };
    let calls = calls.into_iter().map(|(name, [count, ..])| (name, count)).collect();
    Ok(Ok(Counted { calls, amount }))
}

pub(super) fn per_second(lab: &Lab, server: &str, clients: usize) -> Result<Measured> {
    const LOOK: Duration = Duration::from_secs(3);
    let server = lab.start(server)?;
    load::raise_descriptor_limit(clients as u32, 1)?;
    let _silent = Client::silent(server.addr, clients, false)?;
    sleep(SETTLED);
    let during = || {
        sleep(LOOK);
        Ok(LOOK.as_secs_f64())
    };
    Ok(counted(&server, during)?.map(|Counted { calls, amount: seconds }| {
        let each = calls.values().sum::<f64>() / seconds;
        let names: Vec<&str> = calls.keys().map(String::as_str).collect();
        let names = if names.is_empty() { "none at all".to_owned() } else { names.join(", ") };
        Found::number(each, format!("{each:.1} system calls in a second ({names})"))
    }))
}

pub(super) fn per_request(lab: &Lab, server: &str, clients: &[u32], wanted: &[String]) -> Result<Measured> {
    let (mut first, mut words) = (None, Vec::new());
    for &clients in clients {
        let server = lab.start(server)?;
        let during = || {
            let mut args = Args::new(&format!("http://{}/", server.addr));
            (args.connections, args.duration) = (clients, Duration::from_secs(1));
            let report = measure_silently(&args)?;
            Ok((report.main.requests + report.main.failed() + report.main.aborted) as f64)
        };
        let Counted { calls, amount: requests } = match counted(&server, during)? {
            Ok(counted) => counted,
            Err(why) => return Ok(Err(why)),
        };
        let is_wanted = |name: &String| wanted.is_empty() || wanted.contains(name);
        let each =
            calls.iter().filter(|(name, _)| is_wanted(name)).map(|(_, count)| count).sum::<f64>() / requests;
        first = first.or(Some(each));
        words.push(format!("{each:.2} for each request with {}", count(clients as usize, "client")));
    }
    let first = first.context("no number of clients is named")?;
    let what = if wanted.is_empty() {
        "system calls".to_owned()
    } else {
        format!("calls of {}", wanted.join(" and "))
    };
    Ok(Ok(Found::number(first, format!("{what}: {} (strace slows the server down)", words.join(", ")))))
}

pub(super) fn more(lab: &Lab, server: &str, than: &str) -> Result<Measured> {
    let mut kept = Vec::new();
    for name in [server, than] {
        match count_calls(lab.stage(name)?)? {
            Ok(calls) => kept.push(calls.kept),
            Err(why) => return Ok(Err(format!("{why:#}"))),
        }
    }
    let difference = kept[0] as f64 - kept[1] as f64;
    Ok(Ok(Found::number(difference, format!("stage {server}: {}, stage {than}: {}", kept[0], kept[1]))))
}

pub(super) fn signals(lab: &Lab, server: &str, clients: usize, signal: &str) -> Result<Measured> {
    let server = lab.start(server)?;
    let silent = Client::silent(server.addr, clients, false)?;
    sleep(SETTLED);
    // The server's own process alone: its children would be slowed down, and end one after the other.
    let only = format!("signal={signal}");
    let options = ["-e", "trace=none", "-e", &only];
    let strace = match Strace::attach_alone(&options, server.pid())? {
        Ok(strace) => strace,
        Err(why) => return Ok(Err(why)),
    };
    drop(silent);
    sleep(LAST);
    let text = strace.end()?;
    let seen = text.lines().filter(|line| line.contains(&format!("--- {signal} "))).count();
    Ok(Ok(Found::number(seen as f64, format!("{seen} × {signal} for {clients} children"))))
}
