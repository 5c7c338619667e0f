//! `pipelining-batches`: several requests in one write of the client's. Stage 10 answers all that it has read
//! with one write; nginx answers each by itself.

use crate::experiment::{Experiment, Seconds};
use crate::format;
use crate::measure::{Ask, Contender, Rounds, cpu, in_turns};
use crate::needs::Need;
use crate::report::{Axis, Chart, Figure, Figures, Judgement, Measured, Point, Series};
use crate::session::Session;
use anyhow::{Result, anyhow};
use bench::references::Name;
use lab_core::server_process::Launch;

/// The experiment.
pub(super) const EXPERIMENT: Experiment = Experiment {
    id: "pipelining-batches",
    method: "Eight clients that keep their connections send up to 64 requests in one write, and read the \
             replies before they send again; the same server, started twice, is asked in turns of 10 ms with \
             single requests and with pipelined ones. Compared is the server's CPU time per request, of \
             stage 10 with one worker and of nginx, which writes each reply by itself.",
    needs: &[Need::Cpus(2), Need::Reference(Name::Nginx)],
    seconds: Seconds { quick: 11.0, full: 55.0 },
    run,
    judge,
};

const CLIENTS: u32 = 8;
/// The depth that the claim names.
const DEPTH: u64 = 16;
/// What it says of that depth.
const TIMES: f64 = 5.0;

fn name_of(server: &str, depth: u64) -> String {
    format!("{server}: depth 1 / depth {depth}")
}

fn run(session: &mut Session) -> Result<Measured> {
    let rounds = Rounds::of_starts(session.pick(5, 9), session.pick(16, 30));
    let cpus = cpu(0).map(|cpu| vec![cpu]);
    let nginx = Name::Nginx.find().map_err(|install| anyhow!("it needs nginx: {install}"))?;
    let servers = [
        (
            "stage 10",
            session.launch("10", &["--workers", "1"], cpus.clone())?,
            session.pick(&[4, DEPTH, 64][..], &[2, 4, 8, DEPTH, 64][..]),
        ),
        ("nginx", Launch { cpus, ..nginx.launch() }, session.pick(&[DEPTH][..], &[4, DEPTH, 64][..])),
    ];
    let count: usize = servers.iter().map(|(.., depths)| depths.len()).sum();
    let (mut figures, mut series, mut done) = (Figures::default(), Vec::new(), 0);
    for (server, launch, depths) in servers {
        let mut points = Vec::new();
        for &depth in depths {
            let share = |done: usize| done as f64 / count as f64;
            session.step(share(done), format_args!("{server}, depth {depth}"))?;
            let contender =
                |pipeline| Contender { launch: launch.clone(), ask: Ask { pipeline, ..Ask::kept(CLIENTS) } };
            let (single, pipelined) = (contender(1), contender(depth));
            let costs = in_turns(session, [&single, &pipelined], rounds, (share(done), share(done + 1)))?;
            done += 1;
            let us = |depth, at| {
                let name = format!("{server}, depth {depth}: server's CPU time per request");
                Figure::median(name, "µs", &costs.cpu_us(at))
            };
            if points.is_empty() {
                let alone = us(1, 0)?;
                points.push(Point::at(1.0, &alone));
                figures.push(alone);
            }
            let batched = us(depth, 1)?;
            points.push(Point::at(depth as f64, &batched));
            figures.push(batched);
            figures.push(costs.cpu_ratio(name_of(server, depth))?);
        }
        series.push(Series { name: server.to_owned(), points });
    }
    let chart = Chart {
        title: "What does answering a batch with one write save?".to_owned(),
        x: Axis::logarithmic("requests that a client sends at once (pipeline depth)"),
        y: Axis::logarithmic("server's CPU time per request, µs"),
        series,
    };
    Ok(Measured { figures, chart: Some(chart) })
}

fn judge(figures: &Figures) -> Result<Judgement> {
    const LESSON: &str = "Most of what a small request costs is its system calls: a server that reads many \
                          requests with one call and answers them with one shares that cost among them.";
    const SOURCE: &str = "The claim is the lab's own, made from earlier measurements on another machine.";
    let stage = figures.get(&name_of("stage 10", DEPTH))?;
    let nginx = figures.get(&name_of("nginx", DEPTH))?;
    let because = format!(
        "at depth {DEPTH} a request is {} times as cheap as a single one for stage 10, and {} times for \
         nginx",
        format::ratio(stage),
        format::ratio(nginx)
    );
    let is_cheap = |figure: &Figure| match figure {
        figure if figure.low() > TIMES => Some(true),
        figure if figure.high() < TIMES => Some(false),
        _ => None,
    };
    Ok(match (is_cheap(stage), is_cheap(nginx)) {
        (Some(true), Some(false)) => Judgement::holds(because, LESSON),
        (Some(false), _) => Judgement::refuted(because, LESSON, SOURCE),
        (Some(true), Some(true)) => {
            Judgement::depends(format!("on the depth alone, not on the one write: {because}"), LESSON, SOURCE)
        }
        _ => Judgement::inconclusive(because, LESSON),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Verdict;

    #[test]
    fn it_must_be_cheap_and_only_where_a_batch_leaves_in_one_write() {
        let verdict = |stage: (f64, f64), nginx: (f64, f64)| {
            let figures = Figures(vec![
                Figure::between(name_of("stage 10", DEPTH), stage),
                Figure::between(name_of("nginx", DEPTH), nginx),
            ]);
            judge(&figures).expect("all figures are there").verdict
        };
        assert_eq!(verdict((8.0, 10.0), (1.1, 1.5)), Verdict::Holds);
        assert_eq!(verdict((1.5, 2.0), (1.1, 1.5)), Verdict::Refuted);
        assert_eq!(verdict((8.0, 10.0), (6.0, 7.0)), Verdict::Depends);
        assert_eq!(verdict((4.0, 6.0), (1.1, 1.5)), Verdict::Inconclusive);
        assert_eq!(verdict((8.0, 10.0), (4.0, 6.0)), Verdict::Inconclusive);
    }
}
