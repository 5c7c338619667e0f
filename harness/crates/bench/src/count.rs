//! How many of the clients a server serves at all, and whether every reply is right: counted before anything
//! is measured, by the one generator that looks at each reply.
//!
//! wrk with 64 clients on a server that serves one of them shows a fine speed and no error.

use crate::generators::{Installed, Load};
use anyhow::{Result, ensure};
use lab_core::units::number;
use load::Report;
use std::time::Duration;

/// How long a server may take to its first reply under load before it is called silent.
const PATIENCE: Duration = Duration::from_secs(10);

/// Puts the load on the server and checks every reply. The inner error says why the server must not be
/// measured; the outer one is the generator's.
pub(crate) fn count(checker: &Installed, load: &Load, stop: &dyn Fn() -> bool) -> Result<Result<usize>> {
    let run = |load: &Load| {
        let (report, _) = checker.report(load, &mut |_| !stop())?;
        anyhow::Ok((report.is_silence(), judge(&report)))
    };
    let mut load = load.clone();
    let counted = loop {
        let (is_silence, counted) = run(&load)?;
        // A server on a busy machine may not have been scheduled yet; one that never answers is refused once.
        if !is_silence || load.duration >= PATIENCE || stop() {
            break counted;
        }
        load.duration = PATIENCE.min(load.duration * 4);
    };
    let counted = match counted {
        Ok(counted) if counted < load.concurrency => counted,
        decided => return Ok(decided),
    };
    // A client may have come too late because the machine was busy: those that are starved are so again.
    let (_, longer) = run(&Load { duration: load.duration * 2, ..load.clone() })?;
    Ok(longer.map(|longer| longer.max(counted)))
}

/// What a report says of the clients; an error if a reply was wrong.
pub(crate) fn judge(report: &Report) -> Result<usize> {
    // A client that waits in vain gives up at last: that is starving, and it is counted as such.
    let wrong =
        |(kind, count): (&String, &u64)| (*count > 0 && kind != "timeout").then_some((*count, kind.clone()));
    let mut wrong: Vec<(u64, String)> = report.main.errors.iter().filter_map(wrong).collect();
    wrong.sort_by(|a, b| b.cmp(a));
    let all: u64 = wrong.iter().map(|(count, _)| count).sum();
    let kinds: Vec<String> =
        wrong.iter().map(|(count, kind)| format!("{} {kind}", number(*count as f64))).collect();
    let replies = report.main.requests + all;
    ensure!(
        all == 0,
        "{} of {} replies were wrong ({})",
        number(all as f64),
        number(replies as f64),
        kinds.join(", ")
    );
    ensure!(report.main.requests > 0, "no reply at all within {:.1} s", report.seconds);
    Ok(report.clients_served as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(requests: u64, errors: &[(&str, u64)], served: u64) -> Report {
        let good = include_str!("../tests/fixtures/builtin-good.txt");
        let json = good.lines().rfind(|line| line.starts_with('{')).expect("a report");
        let mut report: Report = serde_json::from_str(json).expect("a report");
        report.main.requests = requests;
        report.main.errors = errors.iter().map(|(kind, count)| ((*kind).to_owned(), *count)).collect();
        report.clients_served = served;
        report
    }

    #[test]
    fn a_server_is_refused_for_wrong_replies_but_not_for_clients_that_wait() {
        let counted = judge(&report(5_000, &[("timeout", 63), ("length", 0)], 1)).expect("it only starves");
        assert_eq!(counted, 1);
        let error = judge(&report(5_643, &[("length", 50), ("status", 7)], 64)).expect_err("1 % is wrong");
        assert_eq!(error.to_string(), "57 of 5,700 replies were wrong (50 length, 7 status)");
        let error = judge(&report(0, &[("status", 1_234_567)], 0)).expect_err("all are wrong");
        assert_eq!(error.to_string(), "1,234,567 of 1,234,567 replies were wrong (1,234,567 status)");
        let error = judge(&report(0, &[("timeout", 64)], 0)).expect_err("silence");
        assert!(error.to_string().contains("no reply at all"));
    }
}
