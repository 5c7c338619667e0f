//! `tools-disagree`: ab, wrk and webbench ask one server for the same, with a connection for each request,
//! which is the one way that all three have: a reply that costs nearly nothing, and one that costs a lot.

use crate::experiment::{Experiment, Seconds};
use crate::format;
use crate::measure::{Found, cpu, installed, run_tool, warm_up};
use crate::needs::Need;
use crate::report::{Figure, Figures, Judgement, Measured};
use crate::session::Session;
use anyhow::{Context, Result};
use bench::generators::{Load, Tool};
use std::time::Duration;

/// The experiment.
pub(super) const EXPERIMENT: Experiment = Experiment {
    id: "tools-disagree",
    method: "ab, wrk and webbench take turns with one server (stage 04) on another CPU, each with 32 clients \
             that make a connection for each request, for a second: for a reply that costs nearly nothing \
             and for one that takes 1 ms of the server's CPU. Compared are the requests per second of the \
             fastest tool with those of the slowest, and what each tool uses of its CPU.",
    needs: &[Need::Cpus(2), Need::Tool(Tool::Ab), Need::Tool(Tool::Wrk), Need::Tool(Tool::Webbench)],
    seconds: Seconds { quick: 19.0, full: 46.0 },
    run,
    judge,
};

const TOOLS: [Tool; 3] = [Tool::Ab, Tool::Wrk, Tool::Webbench];
const REQUESTS: [(&str, &str); 2] = [("a cheap request", "/"), ("1 ms of the server's CPU", "/spin/1000")];

fn spread_name(request: &str) -> String {
    format!("{request}: fastest tool / slowest tool")
}

fn run(session: &mut Session) -> Result<Measured> {
    let rounds = session.pick(2, 5);
    let tools = TOOLS.into_iter().map(installed).collect::<Result<Vec<_>>>()?;
    let server = session.start("04", &[], cpu(0).map(|cpu| vec![cpu]))?;
    warm_up(&server)?;
    let mut found: [[Vec<Found>; TOOLS.len()]; REQUESTS.len()] = Default::default();
    for round in 0..rounds {
        for (request, (name, path)) in REQUESTS.into_iter().enumerate() {
            for (at, tool) in tools.iter().enumerate() {
                let done = (round * REQUESTS.len() + request) * tools.len() + at;
                let share = done as f64 / (rounds * REQUESTS.len() * tools.len()) as f64;
                session.step(share, format_args!("{}: {name}", tool.tool.name()))?;
                let load = Load {
                    concurrency: 32,
                    keep_alive: false,
                    duration: Duration::from_secs(1),
                    cpus: cpu(1).map(|cpu| vec![cpu]),
                    ..Load::new(path)
                };
                found[request][at].push(run_tool(session, tool, &server, &load)?);
            }
        }
    }
    let mut figures = Figures::default();
    for ((name, _), by_tool) in REQUESTS.into_iter().zip(&found) {
        for (tool, found) in TOOLS.into_iter().zip(by_tool) {
            let of = |value: fn(&Found) -> f64| found.iter().map(value).collect::<Vec<f64>>();
            let name = |what: &str| format!("{name}, {}: {what}", tool.name());
            figures.push(Figure::median(name("requests"), "per second", &of(|found| found.per_second))?);
            figures.push(Figure::median(
                name("the tool's CPU time"),
                "µs per request",
                &of(|found| found.generator_us),
            )?);
            figures.push(Figure::median(name("the server is busy"), "%", &of(|found| found.server_percent))?);
        }
        let spreads: Vec<f64> = (0..rounds)
            .map(|round| {
                let speeds = || by_tool.iter().map(|found| found[round].per_second);
                speeds().fold(f64::MIN, f64::max) / speeds().fold(f64::MAX, f64::min)
            })
            .collect();
        figures.push(Figure::median(spread_name(name), "×", &spreads)?);
    }
    Ok(figures.into())
}

fn judge(figures: &Figures) -> Result<Judgement> {
    const LESSON: &str = "Requests per second belong to a server and a tool together: before you quote them, \
                          look at which of the two had nothing left to give.";
    const SOURCE: &str = "The claim is the lab's own, made from earlier measurements on another machine.";
    /// Tools that differ by less agree.
    const AGREE: f64 = 1.15;
    let (cheap, dear) =
        (figures.get(&spread_name(REQUESTS[0].0))?, figures.get(&spread_name(REQUESTS[1].0))?);
    let each = |(tool, request): (Tool, &str)| -> Result<String> {
        let speed = figures.value(&format!("{request}, {}: requests", tool.name()))?;
        let cost = figures.value(&format!("{request}, {}: the tool's CPU time", tool.name()))?;
        Ok(format!(
            "{} {} ({} µs of its own for each)",
            tool.name(),
            format::value(speed),
            format::value(cost)
        ))
    };
    let cheap_ones =
        TOOLS.map(|tool| (tool, REQUESTS[0].0)).map(each).into_iter().collect::<Result<Vec<_>>>();
    let because = format!(
        "the fastest tool sees {} times the requests of the slowest where one costs nearly nothing, and {} \
         times where it costs 1 ms; requests per second of a cheap one: {}",
        format::ratio(cheap),
        format::ratio(dear),
        cheap_ones.context("a tool was not measured")?.join(", ")
    );
    let agree = |figure: &Figure| match figure {
        figure if figure.high() < AGREE => Some(true),
        figure if figure.low() > AGREE => Some(false),
        _ => None,
    };
    Ok(match (agree(cheap), agree(dear)) {
        (Some(false), Some(true)) => Judgement::holds(because, LESSON),
        (Some(true), _) => Judgement::refuted(because, LESSON, SOURCE),
        (Some(false), Some(false)) => {
            Judgement::depends(format!("on the tool, however dear a request is: {because}"), LESSON, SOURCE)
        }
        _ => Judgement::inconclusive(because, LESSON),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Verdict;

    #[test]
    fn they_must_disagree_about_a_cheap_request_alone() {
        let verdict = |cheap: (f64, f64), dear: (f64, f64)| {
            let mut figures = Figures(vec![
                Figure::between(spread_name(REQUESTS[0].0), cheap),
                Figure::between(spread_name(REQUESTS[1].0), dear),
            ]);
            for tool in TOOLS {
                for what in ["requests", "the tool's CPU time"] {
                    let name = format!("{}, {}: {what}", REQUESTS[0].0, tool.name());
                    figures.push(Figure::exact(name, "", 1.0));
                }
            }
            judge(&figures).expect("all figures are there").verdict
        };
        assert_eq!(verdict((1.5, 2.0), (1.01, 1.05)), Verdict::Holds);
        assert_eq!(verdict((1.01, 1.05), (1.01, 1.05)), Verdict::Refuted);
        assert_eq!(verdict((1.5, 2.0), (1.3, 1.4)), Verdict::Depends);
        assert_eq!(verdict((1.1, 1.4), (1.01, 1.05)), Verdict::Inconclusive);
        assert_eq!(verdict((1.5, 2.0), (1.05, 1.4)), Verdict::Inconclusive);
    }
}
