//! `processes`: stage 09 with one process and with two, on one CPU and on all, by what a request costs and by
//! the number of clients.

use crate::compare::Comparison::{self, Less, More, Same, Unclear};
use crate::experiment::{Experiment, Seconds};
use crate::format;
use crate::measure::{Ask, Contender, Rounds, cpu, in_turns};
use crate::needs::Need;
use crate::report::{Figure, Figures, Judgement, Measured};
use crate::session::Session;
use anyhow::Result;
use std::time::Duration;

/// The experiment.
pub(super) const EXPERIMENT: Experiment = Experiment {
    id: "processes",
    method: "Stage 09 with two processes is asked in turns of 50 ms with the same stage with one, by clients \
             that make a connection for each request, for a cheap reply and for one that takes 200 µs of \
             CPU. On one CPU the clients have another one; on two they share both with the server, as the \
             machine has no third.",
    needs: &[Need::Cpus(2)],
    seconds: Seconds { quick: 16.0, full: 70.0 },
    run,
    judge,
};

const WORK: [(&str, &str); 2] = [("a cheap request", "/"), ("200 µs of work", "/spin/200")];
const CPUS: [&str; 2] = ["one CPU", "two CPUs"];

fn name_of(cpus: &str, work: &str, clients: u32) -> String {
    format!("{cpus}, {work}, {clients} clients: two processes / one")
}

fn run(session: &mut Session) -> Result<Measured> {
    let sizes = session.pick(&[64][..], &[64, 500][..]);
    let mut figures = Figures::default();
    let count = (CPUS.len() * WORK.len() * sizes.len()) as f64;
    let mut done = 0.0;
    for cpus in CPUS {
        let is_one = cpus == CPUS[0];
        let rounds = Rounds {
            starts: session.pick(5, 7),
            each: 1,
            turns: session.pick(4, 8),
            turn: Duration::from_millis(50),
            is_bound: is_one,
        };
        for (work, path) in WORK {
            for &clients in sizes {
                let name = name_of(cpus, work, clients);
                session.step(done / count, &name)?;
                let mut contender = |workers| {
                    let bound = cpu(0).map(|cpu| vec![cpu]).filter(|_| is_one);
                    let launch = session.launch("09", &["--workers", workers], bound)?;
                    anyhow::Ok(Contender { launch, ask: Ask::short(clients).path(path) })
                };
                let (two, one) = (contender("2")?, contender("1")?);
                let costs = in_turns(session, [&two, &one], rounds, (done / count, (done + 1.0) / count))?;
                let speed = Figure::median(
                    format!("{cpus}, {work}, {clients} clients: one process"),
                    "requests/s",
                    &costs.per_second(1),
                )?;
                figures.push(speed);
                figures.push(costs.speed_ratio(name)?);
                done += 1.0;
            }
        }
    }
    Ok(figures.into())
}

fn judge(figures: &Figures) -> Result<Judgement> {
    const LESSON: &str = "A second process gives a server a second CPU, if there is one that nobody else \
                          needs: on a CPU that is busy already it adds none, whatever the number of \
                          clients.";
    const SOURCE: &str = "Pages per minute of webbench, measured once, between two virtual machines: the \
                          clients had a machine of their own, so the server's second CPU was idle. The pair \
                          that is quoted is the lowest figure of one process from ten clients on beside the \
                          highest of two: at 3,000 clients the ratio is 1.40.";
    let family = |cpus: &'static str| -> Vec<(String, &Figure, Comparison)> {
        let all = figures.0.iter().filter(|figure| figure.name.ends_with(": two processes / one"));
        let of = all.filter(|figure| figure.name.starts_with(cpus));
        of.map(|figure| {
            let load = figure.name.trim_start_matches(cpus).trim_start_matches(", ");
            let load = load.trim_end_matches(": two processes / one").to_owned();
            (load, figure, Comparison::of(figure, None))
        })
        .collect()
    };
    let (one, two) = (family(CPUS[0]), family(CPUS[1]));
    anyhow::ensure!(!one.is_empty() && !two.is_empty(), "one of the two numbers of CPUs was not measured");
    let text = |all: &[(String, &Figure, Comparison)]| -> String {
        let each =
            |(load, figure, _): &(String, &Figure, Comparison)| format!("{} ({load})", format::ratio(figure));
        all.iter().map(each).collect::<Vec<_>>().join(", ")
    };
    let because = format!(
        "two processes serve so many times what one serves, on two CPUs: {}; on one CPU: {}",
        text(&two),
        text(&one)
    );
    let gains = |all: &[(String, &Figure, Comparison)]| {
        all.iter().filter(|(.., comparison)| *comparison == More).count()
    };
    let unclear = two.iter().chain(&one).any(|(.., comparison)| *comparison == Unclear);
    Ok(match (gains(&two), gains(&one)) {
        (0, _) if !unclear => Judgement::refuted(because, LESSON, SOURCE),
        (gain, 0) if gain == two.len() && !unclear => Judgement::holds(because, LESSON),
        // However unclear another load is: one gains surely, and another one surely does not.
        (gain, _) if gain > 0 && two.iter().any(|(.., found)| [Same, Less].contains(found)) => {
            Judgement::depends(format!("on what a request costs: {because}"), LESSON, SOURCE)
        }
        (gain, _) if gain > 0 && !unclear => {
            Judgement::depends(format!("on the load, not on the CPUs alone: {because}"), LESSON, SOURCE)
        }
        _ => Judgement::inconclusive(because, LESSON),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Verdict;

    #[test]
    fn two_cpus_must_help_and_one_must_not() {
        let verdict = |two: [(f64, f64); 2], one: (f64, f64)| {
            let mut figures = Figures::default();
            for ((work, _), ratio) in WORK.into_iter().zip(two) {
                figures.push(Figure::between(name_of(CPUS[1], work, 64), ratio));
                figures.push(Figure::between(name_of(CPUS[0], work, 64), one));
            }
            judge(&figures).expect("all figures are there").verdict
        };
        let (same, more, unclear) = ((0.96, 1.04), (1.5, 1.8), (0.8, 1.2));
        assert_eq!(verdict([more, more], same), Verdict::Holds);
        assert_eq!(verdict([same, more], same), Verdict::Depends);
        assert_eq!(verdict([same, more], unclear), Verdict::Depends);
        assert_eq!(verdict([more, more], more), Verdict::Depends);
        assert_eq!(verdict([same, same], same), Verdict::Refuted);
        assert_eq!(verdict([unclear, more], same), Verdict::Inconclusive);
        assert_eq!(verdict([more, more], unclear), Verdict::Inconclusive);
        assert!(judge(&Figures::default()).is_err());
    }
}
