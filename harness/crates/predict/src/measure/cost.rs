//! What a request costs in one server, as a multiple of what it costs in another.

use super::{Found, Lab};
use anyhow::{Context, Result, ensure};
use bench::cpus::{Bound, cpus};
use lab_core::process::Usage;
use lab_core::stats::Estimate;
use load::{Args, Boundary, Turns, alternate};
use std::time::Duration;

/// The load of the lab's usual figure.
const CLIENTS: u32 = 64;
/// As in the bench, which says why: shorter ones gain nothing, longer ones sample another state of the
/// machine.
const TURN: Duration = Duration::from_millis(10);
const WARM_UP: u32 = 10;
/// Turns of each server between a start and its end.
const COUNTED: u32 = 32;
/// How often both are started. A server differs from itself after a restart more than within one run, so it
/// is the starts that tell how sure the ratio is; a reader waits a second for each.
const STARTS: usize = 6;
/// In turns a server differs from itself by about a hundredth: less than twice that is no difference.
const SMALLEST: f64 = 0.02;

pub(super) fn ratio(lab: &Lab, (server, to): (&str, &str), is_closed: bool) -> Result<Found> {
    // The other one comes first, as the floor does in the bench.
    let pair = [to, server];
    let ratios: Vec<f64> = (0..STARTS).map(|_| of_one_start(lab, pair, is_closed)).collect::<Result<_>>()?;
    let estimate = Estimate::of(&ratios).context("nothing was measured")?;
    let (low, high) = estimate.interval.context("one start says nothing")?;
    let median = estimate.median;
    let key = match (low, high) {
        (low, _) if low > 1.0 + SMALLEST => "more",
        (_, high) if high < 1.0 - SMALLEST => "less",
        _ => "alike",
    };
    let load = if is_closed { "a connection for each request" } else { "kept connections" };
    let words = format!(
        "{median:.2} times the CPU time, interval {low:.2} to {high:.2} ({CLIENTS} clients, {load}, {STARTS} starts)"
    );
    Ok(Found { number: Some(median), key: Some(key.to_owned()), words })
}

/// What the second server's request costs, as a multiple of the first one's.
fn of_one_start(lab: &Lab, pair: [&str; 2], is_closed: bool) -> Result<f64> {
    let (server_cpus, generator_cpus) = cpus(None)?;
    let start = |words: &str| {
        let mut launch = lab.launch(words)?;
        launch.cpus = Some(server_cpus.clone());
        launch.start().with_context(|| format!("stage {words}"))
    };
    let servers = [start(pair[0])?, start(pair[1])?];
    let options = servers.each_ref().map(|server| {
        let mut args = Args::new(&format!("http://{}/", server.addr));
        (args.connections, args.close) = (CLIENTS, is_closed);
        args
    });
    let used = || servers.each_ref().map(|server| Usage::of_tree(server.pid() as u32).cpu);
    let (mut before, mut after) = ([Duration::ZERO; 2], [Duration::ZERO; 2]);
    let (mut answered, mut turns) = ([0_u64; 2], 0);
    let counted = Turns { length: TURN, warm_up: WARM_UP, counted: COUNTED };
    let bound = Bound::to(&generator_cpus)?;
    let ended = alternate([&options[0], &options[1]], counted, &mut |boundary| {
        // Neither has anything to answer here, so what each has used belongs to what it has answered.
        match boundary {
            Boundary::WarmUp => before = used(),
            Boundary::Turn { load, answered: more } => {
                answered[load] += more;
                turns += 1;
                if turns == 2 * COUNTED {
                    after = used();
                }
            }
        }
        Ok(())
    });
    drop(bound);
    ended?;
    let cost = |at: usize| {
        let cpu = after[at].saturating_sub(before[at]).as_secs_f64();
        ensure!(answered[at] > 0 && cpu > 0.0, "stage {} answered nothing", pair[at]);
        Ok(cpu / answered[at] as f64)
    };
    Ok(cost(1)? / cost(0)?)
}
