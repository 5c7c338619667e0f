//! How many replies come, in which order, and what the grader says of them.

use super::client::{Client, LONG, request};
use super::{Found, Lab};
use anyhow::{Context, Result, ensure};
use book::predictions::Candidate;
use grader::probes::{Outcome, Target, find, run_one};
use std::thread::sleep;
use std::time::Duration;

/// What a reader types in chapter 05: a slow request, so that the rest has arrived before the next read, and
/// nine quick ones.
const QUICK: usize = 9;
const SLOW: &str = "/sleep/300";
/// Longer than the slow one takes: nothing comes any more.
const SILENCE: Duration = Duration::from_millis(1200);

fn burst(client: &mut Client) -> Result<usize> {
    let mut bytes = small(SLOW);
    bytes.extend(small("/").repeat(QUICK));
    client.send(&bytes)?;
    Ok(client.replies_until_silence(SILENCE))
}

/// The request that the chapter types: so many of them fit into one read.
fn small(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").into_bytes()
}

pub(super) fn fewest(lab: &Lab, servers: &[Candidate]) -> Result<Found> {
    let mut counts = Vec::new();
    for Candidate { key, server } in servers {
        let server = lab.start(server)?;
        counts.push((key, burst(&mut Client::connect(server.addr)?)?));
    }
    let least = counts.iter().map(|(_, count)| *count).min().context("there is no server")?;
    let mut hanging = counts.iter().filter(|(_, count)| *count == least);
    let (key, _) = hanging.next().context("there is no server")?;
    ensure!(hanging.next().is_none() && least <= QUICK, "no server answers fewer than all others here");
    let words: Vec<String> = counts.iter().map(|(key, replies)| format!("{key}: {replies}")).collect();
    Ok(Found::key(key, format!("replies to a burst of {} requests: {}", QUICK + 1, words.join(", "))))
}

pub(super) fn after_one_more(lab: &Lab, server: &str) -> Result<Found> {
    let server = lab.start(server)?;
    let mut client = Client::connect(server.addr)?;
    let before = burst(&mut client)?;
    client.send(&small("/"))?;
    let all = before + client.replies_until_silence(SILENCE);
    Ok(Found::number(all as f64, format!("{before} after the burst, {all} after one request more")))
}

pub(super) fn order(lab: &Lab, server: &str) -> Result<Found> {
    const BODY: &str = "slept";
    let server = lab.start(server)?;
    let mut client = Client::connect(server.addr)?;
    client.send(&request("/sleep/200"))?;
    sleep(Duration::from_millis(50));
    client.send(&request("/"))?;
    let mut bodies = Vec::new();
    for _ in 0..2 {
        bodies.push(String::from_utf8_lossy(&client.reply(LONG)?.body).trim().to_owned());
    }
    let key = if bodies[0].starts_with(BODY) { "in-order" } else { "swapped" };
    Ok(Found::key(key, format!("first `{}`, then `{}`", bodies[0], bodies[1])))
}

pub(super) fn probe(lab: &Lab, server: &str, probe: &str) -> Result<Found> {
    let mut launch = lab.launch(server)?;
    launch.is_guarded = true;
    let finding = run_one(find(probe)?, &Target::Stage(launch));
    let key = match finding.outcome {
        Outcome::Pass => "pass",
        Outcome::Starved => "starved",
        Outcome::Wrong => "wrong",
        Outcome::NotApplicable => return Err(anyhow::anyhow!("{}", finding.detail)),
        Outcome::Crash | Outcome::Hang | Outcome::Leak | Outcome::Spin => "broken",
    };
    let detail = if finding.detail.is_empty() { String::new() } else { format!(": {}", finding.detail) };
    Ok(Found::key(key, format!("the probe `{probe}` ends as `{}`{detail}", finding.outcome)))
}
