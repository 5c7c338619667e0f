//! `serial-collapses`: source 002's own table, measured here: a serial server, one process with an event loop
//! and two, an accept queue of five, a connection for each request. (`./lab table` draws all of it, with
//! webbench.)

use crate::experiment::{Experiment, Seconds};
use crate::format;
use crate::measure::{cpu, put_on, warm_up};
use crate::needs::Need;
use crate::report::{Axis, Chart, Figure, Figures, Judgement, Measured, Point, Series};
use crate::session::Session;
use anyhow::Result;
use lab_core::network::AcceptQueues;
use lab_core::units::count;
use load::Args;
use std::collections::BTreeMap;
use std::time::Duration;

/// The experiment.
pub(super) const EXPERIMENT: Experiment = Experiment {
    id: "serial-collapses",
    method: "One to 3,000 clients make a connection for each request to a freshly started server on another \
             CPU: stage 01 (serial) and stage 09 with one process and with two, each with an accept queue of \
             five as in the source, and stage 04 with the lab's queue of 4,096. Measured are right replies \
             per minute, how many of the clients were served at all, and how often the accept queue was \
             full.",
    needs: &[Need::Cpus(2), Need::Descriptors(8_000)],
    seconds: Seconds { quick: 16.0, full: 110.0 },
    run,
    judge,
};

const SERIAL: &str = "serial (01)";
const LOOP: &str = "1 process (09)";
/// Name, stage, options.
#[rustfmt::skip] // a row for each server
const SERVERS: [(&str, &str, &[&str]); 4] = [
    (SERIAL, "01", &["--backlog", "5"]),
    (LOOP, "09", &["--backlog", "5", "--workers", "1"]),
    ("2 processes (09)", "09", &["--backlog", "5", "--workers", "2"]),
    ("event loop, long queue (04)", "04", &[]),
];
const FEW: u32 = 5;
const MANY: u32 = 3_000;

fn ratio_name(server: &str) -> String {
    format!("{server}: pages/min with {MANY} clients / with {FEW}")
}

fn run(session: &mut Session) -> Result<Measured> {
    let rounds = session.pick(2, 3);
    let sizes = session.pick(&[1, FEW, 10, MANY][..], &[1, FEW, 10, 20, 50, 200, 1_000, MANY][..]);
    let servers = session.pick(&SERVERS[..3], &SERVERS[..]);
    let mut values: BTreeMap<(usize, u32), [Vec<f64>; 3]> = BTreeMap::new();
    let all = (rounds * sizes.len() * servers.len()) as f64;
    let mut done = 0.0;
    for round in 0..rounds {
        for &clients in sizes {
            for (at, (name, stage, options)) in servers.iter().enumerate() {
                let doing = format_args!("round {} of {rounds}: {name}, {clients} at once", round + 1);
                session.tick(done / all, doing)?;
                done += 1.0;
                let found = pages(session, stage, options, clients)?;
                for (values, value) in values.entry((at, clients)).or_default().iter_mut().zip(found) {
                    values.push(value);
                }
            }
        }
        session.step(done / all, format_args!("round {} of {rounds} is over", round + 1))?;
    }
    let mut figures = Figures::default();
    let mut series = Vec::new();
    for (at, (server, ..)) in servers.iter().enumerate() {
        let mut points = Vec::new();
        for &clients in sizes {
            let [pages, served, overflows] = &values[&(at, clients)];
            let name = |what: &str| format!("{server}, {}: {what}", count(clients as usize, "client"));
            let figure = Figure::median(name("right replies"), "pages/min", pages)?;
            points.push(Point::at(f64::from(clients), &figure));
            figures.push(figure);
            figures.push(Figure::median(name("clients that were served"), "clients", served)?);
            figures.push(Figure::median(name("times that the accept queue was full"), "", overflows)?);
        }
        let [many, few] = [MANY, FEW].map(|clients| &values[&(at, clients)][0]);
        figures.push(Figure::ratio(ratio_name(server), many, few)?);
        series.push(Series { name: (*server).to_owned(), points });
    }
    let chart = Chart {
        title: "Does a serial server collapse as clients become many?".to_owned(),
        x: Axis::logarithmic("clients at once"),
        y: Axis::linear("right replies, pages per minute"),
        series,
    };
    Ok(Measured { figures, chart: Some(chart) })
}

/// Right replies per minute, clients that were served, times that the accept queue was full.
fn pages(session: &mut Session, stage: &str, options: &[&str], clients: u32) -> Result<[f64; 3]> {
    let server = session.start(stage, options, cpu(0).map(|cpu| vec![cpu]))?;
    warm_up(&server)?;
    let before = AcceptQueues::now().unwrap_or_default();
    let duration = session.pick(Duration::from_millis(500), Duration::from_millis(900));
    let args = Args {
        connections: clients,
        close: true,
        warm_up: Duration::from_millis(100),
        duration,
        // A client whose connection was dropped tries again after 1, 3 and 7 seconds.
        timeout: Duration::from_secs(30),
        ..Args::new(&format!("http://{}/", server.addr))
    };
    let report = put_on(session, &args)?;
    let overflows = AcceptQueues::now().unwrap_or_default().since(before).overflows;
    Ok([60.0 * report.requests_per_second, report.clients_served as f64, overflows as f64])
}

fn judge(figures: &Figures) -> Result<Judgement> {
    const LESSON: &str = "A serial server with more clients than it can accept is not slower for that: it \
                          serves as fast as before whoever is in the queue, and the others wait. Ask how \
                          many clients are served, and how long they wait, not only how fast.";
    const COLLAPSED: &str = "When clients become many, compare not only how fast a server is but how many of \
                             them it serves at all, and look at the accept queue before you look at the \
                             code.";
    const SOURCE: &str = "Pages per minute of webbench, run once between two virtual machines (for ten seconds, as \
                          the figures show), with \
                          an accept queue of five: a client whose connection was dropped waits for 1 s, \
                          then 3 s, then 7 s, and webbench counts what is left of the speed.";
    let (serial, event_loop) = (figures.get(&ratio_name(SERIAL))?, figures.get(&ratio_name(LOOP))?);
    let because = format!(
        "with {MANY} clients the serial server does {} of what it does with {FEW}, and one process with an \
         event loop {}",
        format::ratio(serial),
        format::ratio(event_loop)
    );
    let falls = |figure: &Figure| figure.high() < 0.5;
    let stays = |figure: &Figure| figure.low() > 0.7;
    Ok(match () {
        () if falls(serial) && stays(event_loop) => Judgement::holds(because, COLLAPSED),
        () if stays(serial) => Judgement::refuted(because, LESSON, SOURCE),
        () if falls(serial) && falls(event_loop) => {
            Judgement::depends(format!("on the clients, whatever the server: {because}"), COLLAPSED, SOURCE)
        }
        () => Judgement::inconclusive(because, COLLAPSED),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Verdict;

    #[test]
    fn the_serial_one_must_fall_and_the_loop_must_not() {
        let verdict = |serial: (f64, f64), event_loop: (f64, f64)| {
            let figures = Figures(vec![
                Figure::between(ratio_name(SERIAL), serial),
                Figure::between(ratio_name(LOOP), event_loop),
            ]);
            judge(&figures).expect("all figures are there").verdict
        };
        let (level, fallen, unsure) = ((0.9, 1.0), (0.2, 0.3), (0.4, 0.8));
        assert_eq!(verdict(fallen, level), Verdict::Holds);
        assert_eq!(verdict(level, level), Verdict::Refuted);
        assert_eq!(verdict(level, fallen), Verdict::Refuted);
        assert_eq!(verdict(fallen, fallen), Verdict::Depends);
        assert_eq!(verdict(unsure, level), Verdict::Inconclusive);
        assert_eq!(verdict(fallen, unsure), Verdict::Inconclusive);
    }
}
