//! `client-is-the-bottleneck`: one server under ab, wrk, webbench and the lab's own generator, each with the
//! CPU time of both sides.

use crate::experiment::{Experiment, Seconds};
use crate::format;
use crate::measure::{Found, cpu, installed, run_tool, warm_up};
use crate::needs::Need;
use crate::report::{Figure, Figures, Judgement, Measured};
use crate::session::Session;
use anyhow::Result;
use bench::generators::{Load, Tool};
use std::time::Duration;

/// The experiment.
pub(super) const EXPERIMENT: Experiment = Experiment {
    id: "client-is-the-bottleneck",
    method: "ab, wrk, webbench and the built-in generator take turns with one server (stage 10 with one \
             worker) on another CPU, each with 32 clients for a second, with kept connections and with one \
             for each request; ab may use both CPUs in one more run. Measured are the requests per second \
             and the CPU time of the tool and of the server.",
    needs: &[Need::Cpus(2), Need::Tool(Tool::Ab), Need::Tool(Tool::Wrk), Need::Tool(Tool::Builtin)],
    seconds: Seconds { quick: 13.0, full: 50.0 },
    run,
    judge,
};

/// Name, tool, whether it keeps its connections, whether it may use both CPUs. Those that decide nothing are
/// left out with --quick.
#[rustfmt::skip] // a row for each run
const RUNS: [(&str, Tool, bool, bool); 8] = [
    ("ab -k", Tool::Ab, true, false),
    ("ab -k on both CPUs", Tool::Ab, true, true),
    ("ab", Tool::Ab, false, false),
    ("wrk, kept", Tool::Wrk, true, false),
    ("wrk, short", Tool::Wrk, false, false),
    ("webbench, short", Tool::Webbench, false, false),
    ("built-in, kept", Tool::Builtin, true, false),
    ("built-in, short", Tool::Builtin, false, false),
];
/// Who uses so many per cent of its CPU is busy.
const BUSY: f64 = 80.0;
const SHARE: &str = "the connection's share of the server's CPU time, built-in generator";

fn run(session: &mut Session) -> Result<Measured> {
    let rounds = session.pick(2, 5);
    let server = session.start("10", &["--workers", "1"], cpu(0).map(|cpu| vec![cpu]))?;
    warm_up(&server)?;
    let is_wanted = |name: &str| session.pick(!["wrk, short", "webbench, short"].contains(&name), true);
    let tools = RUNS.map(|(name, tool, ..)| is_wanted(name).then(|| installed(tool)));
    let mut found: [Vec<Found>; RUNS.len()] = Default::default();
    for round in 0..rounds {
        for (at, (name, _, keep_alive, both)) in RUNS.into_iter().enumerate() {
            // Of those that are needed none is missing.
            let Some(Ok(tool)) = &tools[at] else { continue };
            let share = (round * RUNS.len() + at) as f64 / (rounds * RUNS.len()) as f64;
            session.step(share, name)?;
            let load = Load {
                concurrency: 32,
                keep_alive,
                duration: Duration::from_secs(1),
                cpus: if both { None } else { cpu(1).map(|cpu| vec![cpu]) },
                ..Load::new("/")
            };
            found[at].push(run_tool(session, tool, &server, &load)?);
        }
    }
    let mut figures = Figures::default();
    for ((name, ..), found) in RUNS.into_iter().zip(&found).filter(|(_, found)| !found.is_empty()) {
        let mut add = |what: &str, unit: &str, value: fn(&Found) -> f64| -> Result<()> {
            let values: Vec<f64> = found.iter().map(value).collect();
            figures.push(Figure::median(format!("{name}: {what}"), unit, &values)?);
            Ok(())
        };
        add("requests", "per second", |found| found.per_second)?;
        add("CPU of the tool", "% of a CPU", |found| found.generator_percent)?;
        add("CPU of the server", "% of a CPU", |found| found.server_percent)?;
        add("the tool's CPU time", "µs per request", |found| found.generator_us)?;
        add("the server's CPU time", "µs per request", |found| found.server_us)?;
    }
    let of = |name: &str| RUNS.iter().position(|run| run.0 == name).map(|at| &found[at]);
    let shares: Vec<f64> = of("built-in, kept")
        .into_iter()
        .flatten()
        .zip(of("built-in, short").into_iter().flatten())
        .map(|(kept, short)| 100.0 * (1.0 - kept.server_us / short.server_us))
        .collect();
    figures.push(Figure::median(SHARE, "%", &shares)?);
    Ok(figures.into())
}

fn judge(figures: &Figures) -> Result<Judgement> {
    const LESSON: &str = "Look at the CPU of the client before you believe a figure: where the client has \
                          none left, the figure is the client's, and a connection for each request makes it \
                          one of connections.";
    const SOURCE: &str = "The source quotes a talk and measures nothing. A tool of one thread is no limit as \
                          long as a request costs the server more than it costs the tool.";
    let of = |run: &str, what: &str| figures.get(&format!("{run}: {what}"));
    let (tool, server) = (of("ab -k", "CPU of the tool")?, of("ab -k", "CPU of the server")?);
    let both = of("ab -k on both CPUs", "CPU of the tool")?;
    let share = figures.get(SHARE)?;
    let because = format!(
        "ab -k uses {} of a CPU, which is about one, also where it may use two ({}), while the server is \
         busy for {}; a connection is {} of what the server does for a request with one of its own",
        percent(tool),
        percent(both),
        percent(server),
        percent(share)
    );
    // The CPU time counts how a tool starts and ends, and its seconds do not: one thread seems to use a tenth
    // more than a CPU. A second thread would use much of another one.
    let is_single = both.high() < 130.0;
    // The one that is busy and has less left is the limit. Where neither is busy, others had the CPUs.
    let client = tool.low() > BUSY && tool.low() > server.high();
    let not_client = server.low() > BUSY && server.low() > tool.high();
    Ok(match () {
        () if is_single && client && share.low() > 50.0 => Judgement::holds(because, LESSON),
        () if (not_client || !is_single) && share.high() < 50.0 => {
            Judgement::refuted(because, LESSON, SOURCE)
        }
        () if is_single && (client || not_client) && (share.low() > 50.0 || share.high() < 50.0) => {
            Judgement::depends(format!("on -k: {because}"), LESSON, SOURCE)
        }
        () => Judgement::inconclusive(because, LESSON),
    })
}

fn percent(figure: &Figure) -> String {
    format!("{} %", format::ratio(figure))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Verdict;

    #[test]
    fn the_tool_must_be_the_limit_and_the_connection_most_of_the_work() {
        let verdict = |tool: (f64, f64), server: (f64, f64), share: (f64, f64)| {
            let figures = Figures(vec![
                Figure::between("ab -k: CPU of the tool", tool),
                Figure::between("ab -k on both CPUs: CPU of the tool", tool),
                Figure::between("ab -k: CPU of the server", server),
                Figure::between(SHARE, share),
            ]);
            judge(&figures).expect("all figures are there").verdict
        };
        let (full, idle, most, little) = ((97.0, 100.0), (50.0, 60.0), (60.0, 80.0), (10.0, 20.0));
        assert_eq!(verdict(full, idle, most), Verdict::Holds);
        assert_eq!(verdict(idle, full, little), Verdict::Refuted);
        assert_eq!(verdict((150.0, 190.0), idle, little), Verdict::Refuted, "it has two threads");
        assert_eq!(verdict(idle, full, most), Verdict::Depends);
        assert_eq!(verdict(full, idle, little), Verdict::Depends);
        assert_eq!(verdict((81.0, 100.0), (70.0, 90.0), most), Verdict::Inconclusive);
        assert_eq!(verdict((20.0, 23.0), (25.0, 28.0), most), Verdict::Inconclusive, "others had the CPUs");
        assert_eq!(verdict(full, idle, (40.0, 60.0)), Verdict::Inconclusive);
    }
}
