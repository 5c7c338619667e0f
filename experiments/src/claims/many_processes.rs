//! `many-processes`: connections that have a process or a thread each, against one loop for all of them: the
//! memory of a connection, and what a request costs, as connections become many.

use crate::client::Client;
use crate::experiment::{Experiment, Seconds};
use crate::format;
use crate::measure::{Ask, Contender, Rounds, TURN, in_turns, raise_descriptor_limit};
use crate::needs::Need;
use crate::report::{Axis, Chart, Figure, Figures, Judgement, Measured, Point, Series};
use crate::session::Session;
use anyhow::{Context, Result};
use lab_core::process::memory_of_tree;
use lab_core::server_process::Launch;
use lab_core::units::{bytes, count};
use std::net::SocketAddr;

/// The experiment.
pub(super) const EXPERIMENT: Experiment = Experiment {
    id: "many-processes",
    method: "Stage 02 (a process for each connection), its twin (a thread) and stage 03 (a pool with a \
             thread for each) run on all CPUs, together with the clients, and are asked in turns of 10 ms \
             with stage 04 (one loop), by 1 to 2,000 clients that keep their connections: compared are CPU \
             time and context switches per request. Before that the memory that each connection adds is \
             read, as the proportional set size of all processes.",
    needs: &[Need::Descriptors(5_000), Need::Memory(1_000), Need::Processes(2_500)],
    seconds: Seconds { quick: 15.0, full: 90.0 },
    run,
    judge,
};

const LOOP: &str = "one loop (04)";
/// Name, stage, and how many connections it can have.
const OTHERS: [(&str, &str, u32); 3] = [
    ("processes (02)", "02", 2_000),
    ("threads (02-threads)", "02-threads", 2_000),
    ("a pool of threads (03)", "03", 1_000),
];
/// What the rule is about: a process or a thread for each connection.
const PER_CONNECTION: [&str; 2] = [OTHERS[0].0, OTHERS[1].0];
/// Few connections: what a process or thread costs by itself shows here already.
const FEW: u32 = 64;
/// A connection that takes so many times the memory of the loop's costs too much.
const MUCH: f64 = 10.0;
/// A request that takes so many times the CPU time of the loop's costs too much.
const DEAR: f64 = 1.5;

fn cost_name(server: &str, clients: u32) -> String {
    format!("{}{}", count(clients as usize, "connection"), cost_of(server))
}

/// The end of its names.
fn cost_of(server: &str) -> String {
    format!(": CPU time per request, {server} / {LOOP}")
}

fn memory_name(server: &str) -> String {
    format!("memory of a connection: {server}")
}

fn growth_name(server: &str) -> String {
    format!("from {FEW} connections to many, that ratio grows: {server}")
}

fn run(session: &mut Session) -> Result<Measured> {
    raise_descriptor_limit()?;
    let mut figures = Figures::default();
    let most = session.pick(500, 2_000);
    let servers = OTHERS.map(|(name, stage, _)| (name, stage)).into_iter().chain([(LOOP, "04")]);
    for (at, (server, stage)) in servers.enumerate() {
        let connections = if stage == "03" { most.min(1_000) } else { most };
        session.step(0.05 * at as f64, format_args!("memory of {connections} connections: {server}"))?;
        figures.push(memory(session, server, stage, connections)?);
    }
    let rounds = Rounds {
        starts: 1,
        each: session.pick(5, 9),
        turns: session.pick(6, 10),
        turn: TURN,
        is_bound: false,
    };
    let sizes = session.pick(&[1, FEW, 500][..], &[1, FEW, 500, 2_000][..]);
    let mut series = Vec::new();
    let all = (OTHERS.len() * sizes.len()) as f64;
    for (at, (server, stage, limit)) in OTHERS.into_iter().enumerate() {
        let mut points = Vec::new();
        let mut ends = Vec::new();
        for (nth, &clients) in sizes.iter().enumerate().filter(|(_, clients)| **clients <= limit) {
            let share = |nth: usize| 0.2 + 0.8 * (at * sizes.len() + nth) as f64 / all;
            session.step(share(nth), format_args!("{clients} at once: {server}"))?;
            let launch = launch(session, stage, clients)?;
            let own = Contender { launch, ask: Ask::kept(clients) };
            let other = Contender { launch: session.launch("04", &[], None)?, ask: Ask::kept(clients) };
            let costs = in_turns(session, [&own, &other], rounds, (share(nth), share(nth + 1)))?;
            let ratio = costs.cpu_ratio(cost_name(server, clients))?;
            points.push(Point::at(f64::from(clients), &ratio));
            if clients == FEW || Some(&clients) == sizes.last() {
                ends.push(ratio.clone());
                let name = format!("{clients} connections: context switches, {server}");
                figures.0.extend(Figure::median(name, "per request", &costs.switches(0)).ok());
            }
            figures.push(ratio);
        }
        if let [few, many] = &ends[..] {
            figures.push(growth(server, few, many));
        }
        series.push(Series { name: server.to_owned(), points });
    }
    let chart = Chart {
        title: "What a process or a thread for each connection costs the scheduler".to_owned(),
        x: Axis::logarithmic("connections"),
        y: Axis::linear("CPU time per request, compared with one loop for all connections")
            .with_line(1.0, "as much as with one loop"),
        series,
    };
    Ok(Measured { figures, chart: Some(chart) })
}

/// A server on any CPU; the pool with a thread for each connection.
fn launch(session: &mut Session, stage: &str, clients: u32) -> Result<Launch> {
    let workers = clients.to_string();
    let options: &[&str] = if stage == "03" { &["--workers", &workers] } else { &[] };
    session.launch(stage, options, None)
}

/// What so many connections add to a server's memory, for one of them, in KiB. Each has been served once.
fn memory(session: &mut Session, server: &str, stage: &str, connections: u32) -> Result<Figure> {
    // With the one that comes first.
    let running = launch(session, stage, connections + 1)?.start()?;
    let pid = running.pid() as u32;
    let read = || memory_of_tree(pid).context("the kernel does not permit reading the server's memory");
    // The first one finds what is loaded once.
    let mut clients = vec![served(running.addr)?];
    let before = read()?;
    for _ in 0..connections {
        clients.push(served(running.addr)?);
        session.check()?;
    }
    let added = read()?.saturating_sub(before) as f64 / f64::from(connections) / 1024.0;
    drop(clients);
    Ok(Figure::once(memory_name(server), "KiB", added))
}

fn served(addr: SocketAddr) -> Result<Client> {
    let mut client = Client::connect(addr)?;
    client.ask("/")?;
    client.reply()?;
    Ok(client)
}

/// How the ratio to the loop grows; the interval has the ends of both.
fn growth(server: &str, few: &Figure, many: &Figure) -> Figure {
    let figure = Figure::once(growth_name(server), "×", many.value / few.value);
    let interval = Some((many.low() / few.high(), many.high() / few.low()));
    Figure { interval, n: many.n, interval_is: "from the ends of both intervals".to_owned(), ..figure }
}

fn judge(figures: &Figures) -> Result<Judgement> {
    const LESSON: &str = "Count what a connection costs while it is silent and what a request costs while \
                          it is served: a process or a thread for each connection pays for both, and the \
                          two are paid in different coin, memory and CPU time.";
    const SOURCE: &str = "Nothing was measured. The argument is of the nineties: since then the scheduler \
                          finds the next thread in a time that hardly depends on how many sleep, and a \
                          stack takes memory as far as it is used.";
    let of_loop = figures.value(&memory_name(LOOP))?;
    let (mut much, mut dear, mut texts) = (Vec::new(), Vec::new(), Vec::new());
    for server in PER_CONNECTION {
        let memory = figures.value(&memory_name(server))?;
        let most = figures.0.iter().rfind(|figure| figure.name.ends_with(&cost_of(server)));
        let most = most.with_context(|| format!("the cost of a request was not measured: {server}"))?;
        let growth = figures.get(&growth_name(server))?;
        much.push(memory > MUCH * of_loop);
        dear.push(match most {
            most if most.low() > DEAR => Some(true),
            most if most.high() < DEAR => Some(false),
            _ => None,
        });
        let connections = most.name.split(':').next().unwrap_or_default();
        texts.push(format!(
            "{server}: {} for each connection, and with {connections} a request costs {} times the CPU of \
             the loop's, {} times what that ratio is with {FEW}",
            bytes(memory * 1024.0),
            format::ratio(most),
            format::ratio(growth)
        ));
    }
    let because = format!("{} (the loop: {} for each)", texts.join("; "), bytes(of_loop * 1024.0));
    let all_much = much.iter().all(|much| *much);
    let none_much = much.iter().all(|much| !much);
    let all_are = |wanted: bool| dear.iter().all(|dear| *dear == Some(wanted));
    Ok(match () {
        () if all_much && all_are(true) => Judgement::holds(because, LESSON),
        () if none_much && all_are(false) => Judgement::refuted(because, LESSON, SOURCE),
        () if dear.contains(&None) => Judgement::inconclusive(because, LESSON),
        () if all_are(false) => {
            Judgement::depends(format!("on what is counted, memory or CPU: {because}"), LESSON, SOURCE)
        }
        () => Judgement::depends(
            format!("on what is counted, and on process or thread: {because}"),
            LESSON,
            SOURCE,
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Verdict;

    #[test]
    fn memory_and_scheduler_are_judged_apart() {
        let verdict = |memory: [f64; 2], cost: [(f64, f64); 2]| {
            let mut figures = Figures(vec![Figure::once(memory_name(LOOP), "KiB", 1.0)]);
            for (server, (memory, cost)) in PER_CONNECTION.into_iter().zip(memory.into_iter().zip(cost)) {
                figures.push(Figure::once(memory_name(server), "KiB", memory));
                figures.push(Figure::between(growth_name(server), (0.9, 1.1)));
                // Only the one with most connections counts.
                figures.push(Figure::between(cost_name(server, FEW), (9.0, 9.5)));
                figures.push(Figure::between(cost_name(server, 2_000), cost));
            }
            judge(&figures).expect("all figures are there").verdict
        };
        let (same, more, unclear) = ((0.96, 1.04), (1.7, 2.0), (1.2, 1.9));
        assert_eq!(verdict([200.0, 20.0], [more, more]), Verdict::Holds);
        assert_eq!(verdict([200.0, 20.0], [same, same]), Verdict::Depends);
        assert_eq!(verdict([200.0, 5.0], [more, same]), Verdict::Depends);
        assert_eq!(verdict([5.0, 5.0], [same, same]), Verdict::Refuted);
        assert_eq!(verdict([200.0, 20.0], [more, unclear]), Verdict::Inconclusive);
    }

    #[test]
    fn growth_is_as_unsure_as_both_of_its_ends() {
        let figure = growth("x", &Figure::between("few", (1.0, 2.0)), &Figure::between("many", (3.0, 4.0)));
        assert_eq!(figure.interval, Some((1.5, 4.0)));
    }
}
