//! `accept-batch`: stage 08 with `--accept-batch 1`, `10` and `all`. How often it asks epoll is counted under
//! strace for connections that wait together; what that costs is measured without strace.

use crate::client::Client;
use crate::compare::Comparison;
use crate::experiment::{Experiment, Seconds};
use crate::format;
use crate::measure::{Pinned, Slice, Traced, cpu, interleaved};
use crate::needs::Need;
use crate::report::{Figure, Figures, Judgement, Measured};
use crate::session::Session;
use anyhow::{Result, anyhow, ensure};
use lab_core::process::Usage;
use lab_core::server_process::Server;
use lab_core::wire::{Connection, get};
use nix::sys::signal::Signal;
use std::net::SocketAddr;
use std::thread::spawn;
use std::time::{Duration, Instant};

/// The experiment.
pub(super) const EXPERIMENT: Experiment = Experiment {
    id: "accept-batch",
    method: "Stage 08 is stopped while 200 clients connect, goes on, and its calls of epoll_wait are counted \
             by strace until all are accepted. Then eight clients connect, ask and close again and again, \
             and the server's CPU time per connection is measured in slices that take turns between a server \
             for each batch (and a second one that accepts all).",
    needs: &[Need::Cpus(2), Need::Tracing],
    seconds: Seconds { quick: 14.0, full: 38.0 },
    run,
    judge,
};

const BATCHES: [&str; 3] = ["1", "10", "all"];
const WAITING: usize = 200;
const CLIENTS: usize = 8;

fn run(session: &mut Session) -> Result<Measured> {
    let mut figures = Figures::default();
    for (at, batch) in BATCHES.into_iter().enumerate() {
        session
            .step(at as f64 * 0.1, format_args!("{WAITING} connections that wait, --accept-batch {batch}"))?;
        let calls = calls_for_waiting(session, batch)?;
        let name = format!("batch of {batch}: calls of epoll_wait, {WAITING} connections waiting");
        figures.push(Figure::once(name, "calls", calls as f64));
    }
    session.step(0.3, "connections that come and go")?;
    let server_cpu = cpu(0).map(|cpu| vec![cpu]);
    let mut servers = Vec::new();
    for (name, batch) in [("1", "1"), ("10", "10"), ("all", "all"), ("all again", "all")] {
        let options = ["--workers", "1", "--accept-batch", batch];
        servers.push((name, session.start("08", &options, server_cpu.clone())?));
    }
    let time = session.pick(Duration::from_millis(100), Duration::from_millis(200));
    let slice = |(name, server): &(&str, Server)| -> Slice<'static> {
        let (pid, addr) = (server.pid() as u32, server.addr);
        ((*name).to_owned(), Box::new(move || cpu_per_connection(pid, addr, time)))
    };
    let mut slices: Vec<Slice<'static>> = servers.iter().map(slice).collect();
    let values = interleaved(session, session.pick(21, 41), (0.3, 1.0), &mut slices)?;
    for batch in BATCHES {
        figures.push(Figure::median(
            format!("batch of {batch}: server's CPU time"),
            "µs per connection",
            &values[batch],
        )?);
    }
    for batch in ["1", "10", "all again"] {
        figures.push(Figure::ratio(format!("batch of {batch} / all"), &values[batch], &values["all"])?);
    }
    Ok(figures.into())
}

/// How often the accepting thread calls epoll_wait for connections that are all there.
fn calls_for_waiting(session: &mut Session, batch: &str) -> Result<usize> {
    let options = ["--workers", "1", "--accept-batch", batch];
    let calls_of_it = ["-e", "trace=epoll_wait,epoll_pwait,accept4"];
    let traced = Traced::start(session, "08", &options, &calls_of_it)?;
    traced.signal(Signal::SIGSTOP)?;
    // The kernel shakes hands for a stopped server: they wait in its accept queue.
    let addr = traced.server.addr;
    let clients = (0..WAITING).map(|_| Client::connect(addr)).collect::<Result<Vec<_>>>()?;
    traced.signal(Signal::SIGCONT)?;
    for mut client in clients {
        client.ask("/")?;
        client.reply()?;
    }
    let pid = traced.pid.as_raw();
    Ok(calls(&traced.finish()?, pid))
}

/// Calls of epoll_wait by the first thread between its first accept and its last one.
fn calls(trace: &str, pid: i32) -> usize {
    let own = trace.lines().filter_map(|line| line.strip_prefix(&pid.to_string()).map(str::trim_start));
    let own: Vec<&str> = own.collect();
    let accepts = |line: &&str| line.starts_with("accept4(") && !line.contains("EAGAIN");
    let (Some(first), Some(last)) = (own.iter().position(accepts), own.iter().rposition(accepts)) else {
        return 0;
    };
    // The one that reported the first connection is before it.
    1 + own[first..=last].iter().filter(|line| line.starts_with("epoll_")).count()
}

/// CPU time of the server for a connection with one request, in µs.
fn cpu_per_connection(pid: u32, addr: SocketAddr, time: Duration) -> Result<f64> {
    let clients_cpu = cpu(1);
    let before = Usage::of_tree(pid);
    let client = |_| {
        spawn(move || {
            let _pinned = Pinned::to(clients_cpu);
            let request = get("/", "localhost", Connection::Closed);
            let start = Instant::now();
            let mut connections = 0;
            while start.elapsed() < time {
                let mut client = Client::connect(addr)?;
                client.send(&request)?;
                client.reply()?;
                connections += 1;
            }
            anyhow::Ok(connections)
        })
    };
    let threads: Vec<_> = (0..CLIENTS).map(client).collect();
    let mut connections = 0;
    for thread in threads {
        connections += thread.join().map_err(|_| anyhow!("a client panicked"))??;
    }
    ensure!(connections > 0, "no connection was served");
    Ok(Usage::of_tree(pid).since(&before).cpu.as_secs_f64() * 1e6 / f64::from(connections))
}

fn judge(figures: &Figures) -> Result<Judgement> {
    const LESSON: &str = "A batch saves calls only when connections wait together; accepting all costs one \
                          call more, which is cheap beside the life of a connection.";
    const SOURCE: &str = "Nothing was measured: the source argues with the calls of epoll_wait, of which \
                          there are fewer. What one costs is small beside accepting, serving and closing.";
    let calls = |batch: &str| {
        figures.value(&format!("batch of {batch}: calls of epoll_wait, {WAITING} connections waiting"))
    };
    let itself = figures.get("batch of all again / all")?;
    let (one, ten) = (figures.get("batch of 1 / all")?, figures.get("batch of 10 / all")?);
    let text = |ratio: &Figure| format!("{} {}", format::value(ratio.value), format::interval(ratio));
    let because = format!(
        "for {WAITING} waiting connections epoll_wait is called {}, {} and {} times with batches of 1, 10 \
         and all; the server's CPU time per connection is {} times and {} times that of accepting all",
        calls("1")?,
        calls("10")?,
        calls("all")?,
        text(one),
        text(ten)
    );
    Ok(match (Comparison::of(one, Some(itself)), Comparison::of(ten, Some(itself))) {
        (Comparison::More, Comparison::More) => Judgement::holds(because, LESSON),
        (Comparison::More, Comparison::Same | Comparison::Less) => {
            Judgement::depends(format!("on the batch that it is compared with: {because}"), LESSON, SOURCE)
        }
        (Comparison::Same | Comparison::Less, Comparison::Same | Comparison::Less) => {
            Judgement::refuted(because, LESSON, SOURCE)
        }
        _ => Judgement::inconclusive(because, LESSON),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Verdict;

    #[test]
    fn the_verdict_turns_on_the_cost_and_not_on_the_calls() {
        let verdict = |one: (f64, f64), ten: (f64, f64)| {
            let ratio = |batch: &str, (low, high)| Figure {
                interval: Some((low, high)),
                ..Figure::exact(format!("batch of {batch} / all"), "×", low)
            };
            let mut figures =
                Figures(vec![ratio("1", one), ratio("10", ten), ratio("all again", (0.98, 1.02))]);
            for batch in BATCHES {
                let name = format!("batch of {batch}: calls of epoll_wait, {WAITING} connections waiting");
                figures.push(Figure::exact(name, "calls", 1.0));
            }
            judge(&figures).expect("all figures are there").verdict
        };
        let (same, more, unclear) = ((0.98, 1.02), (1.2, 1.3), (0.8, 1.3));
        assert_eq!(verdict(same, same), Verdict::Refuted);
        assert_eq!(verdict(more, more), Verdict::Holds);
        assert_eq!(verdict(more, same), Verdict::Depends);
        assert_eq!(verdict(unclear, same), Verdict::Inconclusive);
    }

    #[test]
    fn only_the_calls_of_the_accepting_thread_while_it_accepts_are_counted() {
        let trace = "7 epoll_wait(3, [], 8, 5) = 0\n7 epoll_wait(3, [{}], 8, 5) = 1\n7 accept4(4, 0, 0) = 9\n\
                     7 epoll_wait(3, [{}], 8, 5) = 1\n8 epoll_wait(5, [{}], 8, 5) = 1\n7 accept4(4, 0, 0) = \
                     10\n7 accept4(4, 0, 0) = -1 EAGAIN (x)\n7 epoll_wait(3, [], 8, 5) = 0\n";
        assert_eq!(calls(trace, 7), 2);
        assert_eq!(calls("", 7), 0);
    }
}
