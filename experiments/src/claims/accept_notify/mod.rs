//! `accept-notify`: how many processes wake up for a connection, by the way in which stage 09 accepts; what
//! an edge-triggered listener loses that accepts one at a time; and how a parent and a child wait for each
//! other.

mod dispatch;

use crate::client::Client;
use crate::experiment::{Experiment, Seconds};
use crate::format;
use crate::report::{Figure, Figures, Judgement, Measured};
use crate::session::Session;
use anyhow::Result;
use dispatch::{accepted, second_connection};
use lab_core::process::Usage;
use lab_core::server_process::Server;
use lab_core::wire::{Connection, get};
use std::net::SocketAddr;
use std::time::Duration;

/// The experiment.
pub(super) const EXPERIMENT: Experiment = Experiment {
    id: "accept-notify",
    method: "Stage 09 with eight idle processes gets one connection after the other, each with a request, \
             and its context switches are counted for each way to accept. Then 50 connections are there \
             before a listener is looked at that accepts one for each report, and a parent notifies a busy \
             child over a socket pair as in the source, with a blocking end and without.",
    needs: &[],
    seconds: Seconds { quick: 3.0, full: 7.0 },
    run,
    judge,
};

const WAYS: [(&str, &str); 4] = [
    ("shared epoll", "shared"),
    ("EPOLLEXCLUSIVE", "exclusive"),
    ("SO_REUSEPORT", "reuseport"),
    ("notify", "notify"),
];
const PROCESSES: &str = "8";
const BURST: usize = 50;
const LOST: &str = "edge-triggered listener, one accept for each report: connections left waiting";

fn switches_name(way: &str) -> String {
    format!("{way}: context switches of all processes")
}

fn run(session: &mut Session) -> Result<Measured> {
    let rounds = session.pick(7, 15);
    let connections = session.pick(60, 150);
    let mut servers: Vec<(&str, Server, Vec<f64>)> = Vec::new();
    for (name, way) in WAYS {
        let server = session.start("09", &["--workers", PROCESSES, "--accept", way], None)?;
        // Every process has done what it does once only.
        switches(&server, 4 * connections)?;
        servers.push((name, server, Vec::new()));
    }
    for round in 0..rounds {
        session.step(0.6 * round as f64 / rounds as f64, format_args!("round {} of {rounds}", round + 1))?;
        for (_, server, values) in &mut servers {
            values.push(switches(server, connections)?);
        }
    }
    let mut figures = Figures::default();
    for (name, _, values) in &servers {
        figures.push(Figure::median(switches_name(name), "per connection", values)?);
    }
    drop(servers);
    session.step(0.6, format_args!("a burst of {BURST}"))?;
    for (name, is_edge, takes_all) in [
        (LOST, true, false),
        ("edge-triggered listener, accepts all: connections left waiting", true, true),
        ("level-triggered listener, one accept for each report: connections left waiting", false, false),
    ] {
        let left = BURST - accepted(BURST, is_edge, takes_all)?;
        figures.push(Figure::exact(name, &format!("of {BURST}"), left as f64));
    }
    session.step(0.7, "a busy child and a parent that goes on notifying")?;
    let limit = session.pick(Duration::from_secs(1), Duration::from_secs(2));
    for (parent, blocks) in [("blocking", true), ("non-blocking", false)] {
        for (child, drains) in [("one word", false), ("all words", true)] {
            let second = second_connection(blocks, drains, limit)?;
            let name = |what: &str| format!("{parent} parent, child reads {child} for each report: {what}");
            let yes = |is: bool| f64::from(u8::from(is));
            figures.push(Figure::exact(
                name("the next connection is served"),
                "(1 = yes)",
                yes(second.is_served),
            ));
            figures.push(Figure::exact(name("the parent hangs"), "(1 = yes)", yes(second.parent_hangs)));
            figures.push(Figure::once(name("words sent"), "", second.words as f64));
        }
    }
    Ok(figures.into())
}

/// Context switches of all processes for a connection with one request.
fn switches(server: &Server, connections: u32) -> Result<f64> {
    let pid = server.pid() as u32;
    let before = Usage::of_tree(pid);
    for _ in 0..connections {
        one_connection(server.addr)?;
    }
    Ok(Usage::of_tree(pid).since(&before).context_switches as f64 / f64::from(connections))
}

fn one_connection(addr: SocketAddr) -> Result<()> {
    let mut client = Client::connect(addr)?;
    client.send(&get("/", "localhost", Connection::Closed))?;
    client.reply().map(drop)
}

fn judge(figures: &Figures) -> Result<Judgement> {
    const LESSON: &str = "A herd is what wakes up in vain: let the kernel wake one (EPOLLEXCLUSIVE, \
                          SO_REUSEPORT) or notify one yourself, and accept until nothing waits wherever a \
                          report comes once.";
    const SOURCE: &str = "The source gives an argument and counts no wake-ups: both of its tables were \
                          measured with the notification alone.";
    let of = |way: &str| figures.get(&switches_name(way));
    let (shared, notify) = (of("shared epoll")?, of("notify")?);
    let lost = figures.value(LOST)?;
    let (hangs, served) = (
        figures.value("blocking parent, child reads one word for each report: the parent hangs")?,
        figures
            .value("blocking parent, child reads all words for each report: the next connection is served")?,
    );
    let deadlock = if hangs == 1.0 { "hangs in its send" } else { "does not hang" };
    let mended = if served == 1.0 { "is served" } else { "is not served" };
    let because = format!(
        "a connection costs {} context switches where eight processes share an epoll of the listener, {} \
         with a notification, {} with EPOLLEXCLUSIVE and {} with SO_REUSEPORT; of a burst of {BURST} an \
         edge-triggered listener that accepts one at a time leaves {lost} waiting; a parent with a blocking \
         pair {deadlock} where the child reads one word at a time, and the next connection {mended} where it \
         reads all",
        format::ratio(shared),
        format::ratio(notify),
        format::ratio(of("EPOLLEXCLUSIVE")?),
        format::ratio(of("SO_REUSEPORT")?)
    );
    let prevents = match (notify.high() < 0.7 * shared.low(), notify.low() > 0.9 * shared.high()) {
        (true, _) => Some(true),
        (_, true) => Some(false),
        _ => None,
    };
    Ok(match (prevents, lost > 0.0) {
        (Some(true), true) => Judgement::holds(because, LESSON),
        (Some(false), false) => Judgement::refuted(because, LESSON, SOURCE),
        (Some(true), false) => {
            Judgement::depends(format!("on the half of the claim, the herd alone: {because}"), LESSON, SOURCE)
        }
        (Some(false), true) => {
            Judgement::depends(format!("on the half of the claim, the loss alone: {because}"), LESSON, SOURCE)
        }
        (None, _) => Judgement::inconclusive(because, LESSON),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Verdict;

    #[test]
    fn both_halves_of_the_claim_count() {
        let verdict = |shared: (f64, f64), notify: (f64, f64), lost: f64| {
            let mut figures = Figures(vec![Figure::exact(LOST, "", lost)]);
            for (way, _) in WAYS {
                let interval = if way == "notify" { notify } else { shared };
                figures.push(Figure::between(switches_name(way), interval));
            }
            for (child, what) in
                [("one word", "the parent hangs"), ("all words", "the next connection is served")]
            {
                let name = format!("blocking parent, child reads {child} for each report: {what}");
                figures.push(Figure::exact(name, "", 1.0));
            }
            judge(&figures).expect("all figures are there").verdict
        };
        let (herd, few) = ((8.0, 10.0), (2.0, 4.0));
        assert_eq!(verdict(herd, few, 49.0), Verdict::Holds);
        assert_eq!(verdict(herd, few, 0.0), Verdict::Depends);
        assert_eq!(verdict(herd, herd, 49.0), Verdict::Inconclusive);
        assert_eq!(verdict(few, herd, 49.0), Verdict::Depends);
        assert_eq!(verdict(few, herd, 0.0), Verdict::Refuted);
    }

    /// The deterministic part of the claim.
    #[test]
    fn an_edge_is_one_report_for_a_whole_burst() {
        assert_eq!(accepted(20, true, false).expect("it runs"), 1);
        assert_eq!(accepted(20, true, true).expect("it runs"), 20);
        assert_eq!(accepted(20, false, false).expect("it runs"), 20);
    }

    /// Protects the exhibit: the deadlock of the source must be one, and must go where the child reads all.
    #[test]
    fn a_parent_that_blocks_and_a_child_that_reads_one_word_wait_for_each_other() {
        let stuck = second_connection(true, false, Duration::from_millis(500)).expect("it runs");
        assert!(stuck.parent_hangs && !stuck.is_served, "{stuck:?}");
        let mended = second_connection(true, true, Duration::from_secs(20)).expect("it runs");
        assert!(mended.is_served && !mended.parent_hangs, "{mended:?}");
    }
}
