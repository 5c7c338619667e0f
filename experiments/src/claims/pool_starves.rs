//! `pool-starves`: stage 03 with N workers, N clients that have been served and keep their connections, and
//! one client more. Stage 04, one thread with epoll, is asked the same.

use crate::client::Client;
use crate::experiment::{Experiment, Seconds};
use crate::report::{Figure, Figures, Judgement, Measured};
use crate::session::Session;
use anyhow::Result;
use std::time::Duration;

/// The experiment.
pub(super) const EXPERIMENT: Experiment = Experiment {
    id: "pool-starves",
    method: "One client after the other is served by stage 03 with N workers and keeps its connection, until \
             one gets no reply; then another client leaves. Stage 04 is asked the same, with as many clients \
             and three more.",
    needs: &[],
    seconds: Seconds { quick: 3.0, full: 8.0 },
    run,
    judge,
};

fn run(session: &mut Session) -> Result<Measured> {
    let mut figures = Figures::default();
    let pools = session.pick(&[1, 4][..], &[1, 2, 4, 8][..]);
    let limit = session.pick(Duration::from_millis(700), Duration::from_millis(1500));
    for (at, &workers) in pools.iter().enumerate() {
        session.step(at as f64 / pools.len() as f64, format_args!("stage 03 with {workers} workers"))?;
        let text = workers.to_string();
        let (served, freed) = served_at_once(session, "03", &["--workers", &text], workers + 3, limit)?;
        let name = |what| format!("stage 03, {workers} workers: {what}");
        figures.push(Figure::exact(name("clients served at once"), "clients", served as f64));
        let freed = f64::from(u8::from(freed));
        figures.push(Figure::exact(name("the next one is served once a client leaves"), "(1 = yes)", freed));
    }
    let most = pools.last().copied().unwrap_or(1) + 3;
    let (served, _) = served_at_once(session, "04", &[], most, limit)?;
    figures.push(Figure::exact("stage 04, one thread: clients served at once", "clients", served as f64));
    figures.push(Figure::exact("stage 04, one thread: clients that asked", "clients", most as f64));
    Ok(figures.into())
}

/// How many of `most` clients are served while all before them keep their connections, and whether the first
/// one that is not is served as soon as another leaves.
fn served_at_once(
    session: &mut Session,
    stage: &str,
    options: &[&str],
    most: usize,
    limit: Duration,
) -> Result<(usize, bool)> {
    let server = session.start(stage, options, None)?;
    let mut holders: Vec<Client> = Vec::new();
    let mut freed = false;
    for _ in 0..most {
        let mut client = Client::connect(server.addr)?;
        client.ask("/")?;
        if !client.has_answer_within(limit)? {
            // A machine too busy to answer in time would not answer for this reason.
            holders.pop();
            freed = client.reply().is_ok();
            let served = holders.len() + 1;
            server.stop()?;
            return Ok((served, freed));
        }
        client.reply()?;
        holders.push(client);
    }
    let served = holders.len();
    drop(holders);
    server.stop()?;
    Ok((served, freed))
}

fn judge(figures: &Figures) -> Result<Judgement> {
    const LESSON: &str = "A thread that waits for a client's next request serves nobody: in a pool the \
                          number of open connections is limited by the threads, not by the work.";
    const FOUND: &str = ": clients served at once";
    let loop_serves_all = figures.value("stage 04, one thread: clients served at once")?
        == figures.value("stage 04, one thread: clients that asked")?;
    let (mut starved, mut pools) = (0, 0);
    for (name, figure) in figures.family("stage 03, ") {
        let Some(workers) = name.strip_suffix(FOUND).and_then(|name| name.split(' ').next()) else {
            continue;
        };
        let freed = figures
            .value(&format!("stage 03, {workers} workers: the next one is served once a client leaves"))?;
        pools += 1;
        starved += u32::from(figure.value == workers.parse::<f64>()? && freed == 1.0);
    }
    Ok(if !loop_serves_all {
        Judgement::inconclusive(
            "the event loop served not all clients either: the machine was too busy",
            LESSON,
        )
    } else if starved == pools && pools > 0 {
        Judgement::holds(
            "with N workers exactly N clients are served, and the next one as soon as one of them leaves; \
             the event loop of stage 04 serves all of them with one thread",
            LESSON,
        )
    } else if starved == 0 {
        Judgement::refuted(
            "more clients than workers were served at once",
            LESSON,
            "A pool whose threads give a connection back between requests would not starve.",
        )
    } else {
        Judgement::inconclusive(format!("{starved} of {pools} pools starved"), LESSON)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Verdict;

    fn verdict(served: [f64; 2], freed: f64, by_04: f64) -> Verdict {
        let mut figures = Figures::default();
        for (workers, served) in [1, 4].into_iter().zip(served) {
            let name = format!("stage 03, {workers} workers");
            figures.push(Figure::exact(format!("{name}: clients served at once"), "clients", served));
            let name = format!("{name}: the next one is served once a client leaves");
            figures.push(Figure::exact(name, "", freed));
        }
        figures.push(Figure::exact("stage 04, one thread: clients served at once", "clients", by_04));
        figures.push(Figure::exact("stage 04, one thread: clients that asked", "clients", 7.0));
        judge(&figures).expect("all figures are there").verdict
    }

    #[test]
    fn a_pool_starves_if_it_serves_as_many_as_it_has_workers_and_then_recovers() {
        assert_eq!(verdict([1.0, 4.0], 1.0, 7.0), Verdict::Holds);
        assert_eq!(verdict([4.0, 7.0], 0.0, 7.0), Verdict::Refuted);
        assert_eq!(verdict([1.0, 7.0], 1.0, 7.0), Verdict::Inconclusive);
        assert_eq!(verdict([1.0, 4.0], 0.0, 7.0), Verdict::Refuted, "a hang is no starvation");
        assert_eq!(verdict([1.0, 4.0], 1.0, 3.0), Verdict::Inconclusive, "the machine is busy");
    }
}
