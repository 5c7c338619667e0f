//! `edge-beats-level`: stage 05 with both triggers. Only the trigger differs; then how far a turn reads does
//! too, as in a level-triggered loop that is written as usual.

use crate::compare::Comparison::{self, Less, More, Same, Unclear};
use crate::experiment::{Experiment, Seconds};
use crate::format;
use crate::measure::{Ask, Contender, Rounds, calls_per_request, cpu, in_turns};
use crate::needs::Need;
use crate::report::{Figure, Figures, Judgement, Measured};
use crate::session::Session;
use anyhow::Result;
use lab_core::units::count;

/// The experiment.
pub(super) const EXPERIMENT: Experiment = Experiment {
    id: "edge-beats-level",
    method: "Stage 05 is asked in turns of 10 ms with --trigger edge and with --trigger level, both reading \
             until a read would block, and with --trigger level and one read, by one client and by 64 that \
             keep their connections; so is the edge-triggered server beside itself. Compared is the server's \
             CPU time per request in each pair of freshly started servers; the system calls are counted under \
             strace, with one client that asks again as soon as it has its reply: the traced server is so \
             slow that the next request is often there before it looks once more.",
    needs: &[Need::Cpus(2)],
    seconds: Seconds { quick: 15.0, full: 55.0 },
    run,
    judge,
};

const EDGE: [&str; 4] = ["--trigger", "edge", "--drain", "until-would-block"];
const DRAINS: [(&str, [&str; 4]); 2] = [
    ("level, reading until it would block", ["--trigger", "level", "--drain", "until-would-block"]),
    ("level, one read", ["--trigger", "level", "--drain", "once"]),
];
const CLIENTS: [u32; 2] = [1, 64];
const ITSELF: &str = "64 clients: edge / itself";

fn name_of(clients: u32, drain: &str) -> String {
    format!("{}: {drain} / edge", count(clients as usize, "client"))
}

fn run(session: &mut Session) -> Result<Measured> {
    let rounds = Rounds::of_starts(session.pick(5, 11), session.pick(20, 40));
    let mut figures = Figures::default();
    let mut contender = |options: &[&str], clients| {
        let launch = session.launch("05", options, cpu(0).map(|cpu| vec![cpu]))?;
        anyhow::Ok(Contender { launch, ask: Ask::kept(clients) })
    };
    let mut pairs = Vec::new();
    for clients in CLIENTS {
        for (drain, options) in DRAINS {
            let pair = [contender(&options, clients)?, contender(&EDGE, clients)?];
            pairs.push((name_of(clients, drain), pair));
        }
    }
    pairs.push((ITSELF.to_owned(), [contender(&EDGE, 64)?, contender(&EDGE, 64)?]));
    let all = pairs.len() as f64;
    for (at, (name, [one, other])) in pairs.iter().enumerate() {
        session.step(at as f64 / all, name)?;
        let part = (at as f64 / all, (at + 1) as f64 / all);
        let costs = in_turns(session, [one, other], rounds, part)?;
        if let Some(of) = name.strip_suffix(&format!("{} / edge", DRAINS[0].0)) {
            let name = format!("{of}edge, server's CPU time per request");
            figures.push(Figure::median(name, "µs", &costs.cpu_us(1))?);
        }
        figures.push(costs.cpu_ratio(name.clone())?);
    }
    if let Some(missing) = Need::Tracing.missing() {
        session.step(1.0, format_args!("the system calls are not counted: {missing}"))?;
    } else {
        for (name, options) in [("edge", EDGE), DRAINS[0], DRAINS[1]] {
            let calls: f64 = calls_per_request(session, "05", &options, 1)?.values().sum();
            figures.push(Figure::once(format!("{name}: system calls"), "per request", calls));
        }
    }
    Ok(figures.into())
}

fn judge(figures: &Figures) -> Result<Judgement> {
    const LESSON: &str = "Compare two triggers with everything else alike: edge-triggered reading must read \
                          until nothing is left, and level-triggered reading need not, which is a system \
                          call of difference and no property of the trigger.";
    const SOURCE: &str = "Nothing was measured: the source says itself that it has not verified it.";
    let itself = figures.get(ITSELF)?;
    let ratios = |(drain, _): (&'static str, [&str; 4])| -> Result<Vec<&Figure>> {
        CLIENTS.into_iter().map(|clients| figures.get(&name_of(clients, drain))).collect()
    };
    let (trigger, drain) = (ratios(DRAINS[0])?, ratios(DRAINS[1])?);
    let compared = |ratios: &[&Figure]| -> Vec<Comparison> {
        ratios.iter().map(|ratio| Comparison::of(ratio, Some(itself))).collect()
    };
    let text = |ratios: &[&Figure]| -> String {
        let each = |(clients, ratio): (u32, &&Figure)| format!("{} ({clients})", format::ratio(ratio));
        CLIENTS.into_iter().zip(ratios).map(each).collect::<Vec<_>>().join(" and ")
    };
    let because = format!(
        "level-triggered costs {} times as much CPU as edge-triggered where both read until nothing is left \
         (clients in brackets), and {} times where it reads once",
        text(&trigger),
        text(&drain)
    );
    let (trigger, drain) = (compared(&trigger), compared(&drain));
    let is_all = |all: &[Comparison], wanted| all.iter().all(|found| *found == wanted);
    let differs = |all: &[Comparison]| all.iter().any(|found| [More, Less].contains(found));
    Ok(if is_all(&trigger, More) || is_all(&trigger, Less) {
        Judgement::refuted(because, LESSON, SOURCE)
    } else if trigger.contains(&Unclear) {
        Judgement::inconclusive(because, LESSON)
    } else if differs(&trigger) {
        Judgement::depends(format!("on the number of clients: {because}"), LESSON, SOURCE)
    } else if differs(&drain) {
        Judgement::depends(format!("on how far a turn reads, not on the trigger: {because}"), LESSON, SOURCE)
    } else {
        debug_assert!(is_all(&trigger, Same));
        Judgement::holds(because, LESSON)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Verdict;

    #[test]
    fn the_trigger_and_the_drain_are_told_apart() {
        let verdict = |trigger: [(f64, f64); 2], drain: (f64, f64)| {
            let mut figures = Figures(vec![Figure::between(ITSELF, (0.99, 1.01))]);
            for (clients, trigger) in CLIENTS.into_iter().zip(trigger) {
                figures.push(Figure::between(name_of(clients, DRAINS[0].0), trigger));
                figures.push(Figure::between(name_of(clients, DRAINS[1].0), drain));
            }
            judge(&figures).expect("all figures are there").verdict
        };
        let (same, more, less, unclear) = ((0.98, 1.02), (1.1, 1.2), (0.8, 0.9), (0.8, 1.2));
        assert_eq!(verdict([same; 2], same), Verdict::Holds);
        assert_eq!(verdict([same; 2], unclear), Verdict::Holds, "the trigger alone is claimed");
        assert_eq!(verdict([same; 2], less), Verdict::Depends);
        assert_eq!(verdict([same, more], same), Verdict::Depends);
        assert_eq!(verdict([more; 2], less), Verdict::Refuted);
        assert_eq!(verdict([less; 2], same), Verdict::Refuted);
        assert_eq!(verdict([same, unclear], less), Verdict::Inconclusive);
    }
}
