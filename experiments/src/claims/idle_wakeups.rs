//! `idle-wakeups`: **an exhibit,** source 000's pool: threads that read a byte from a pipe for each task, and
//! a reactor that is a task itself and posts itself again when its epoll_wait has returned. Then every stage.

use crate::experiment::{Experiment, Seconds};
use crate::fleet;
use crate::report::{Figure, Figures, Judgement, Measured};
use crate::session::Session;
use anyhow::{Result, anyhow};
use nix::fcntl::OFlag;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollTimeout};
use nix::unistd::{pipe2, read, write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread::{sleep, spawn};
use std::time::Duration;

/// The experiment.
pub(super) const EXPERIMENT: Experiment = Experiment {
    id: "idle-wakeups",
    method: "The source's pool of two threads runs without any request, with its reactor that posts itself \
             again after at most 1 ms or 100 ms, and without it; counted is how often a read of the pipe \
             returns. Then every stage is left alone with ten silent connections, and its context switches \
             are counted.",
    needs: &[],
    seconds: Seconds { quick: 8.0, full: 18.0 },
    run,
    judge,
};

fn run(session: &mut Session) -> Result<Measured> {
    let time = session.pick(Duration::from_secs(1), Duration::from_secs(2));
    let mut figures = Figures::default();
    for (at, (name, interval)) in [
        ("a reactor that posts itself after 1 ms", Some(1u16)),
        ("a reactor that posts itself after 100 ms", Some(100)),
        ("no reactor", None),
    ]
    .into_iter()
    .enumerate()
    {
        session.step(at as f64 * 0.12, format_args!("the source's pool: {name}"))?;
        let reads = pool(interval, time)? as f64 / time.as_secs_f64();
        figures.push(Figure::once(format!("{name}: reads that return"), "per second", reads));
    }
    session.step(0.4, "every stage with ten silent connections")?;
    let fleet = fleet::start(session, &[], 10)?;
    session.sleep(Duration::from_millis(500))?;
    let before: Vec<_> = fleet.iter().map(fleet::Member::usage).collect();
    let watched = session.pick(Duration::from_secs(3), Duration::from_secs(10));
    session.sleep(watched)?;
    for (member, before) in fleet.iter().zip(before) {
        let switches = member.usage().since(&before).context_switches as f64 / watched.as_secs_f64();
        figures.push(Figure::once(
            format!("stage {}, idle: context switches", member.name),
            "per second",
            switches,
        ));
    }
    Ok(figures.into())
}

/// How many reads of the pipe return in `time`, to two threads and without any request.
fn pool(reactor: Option<u16>, time: Duration) -> Result<u64> {
    let (reader, writer) = pipe2(OFlag::O_CLOEXEC)?;
    let (reader, writer) = (Arc::new(reader), Arc::new(writer));
    let epoll = Arc::new(Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?);
    let (stop, reads) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let worker = || {
        let (reader, writer) = (Arc::clone(&reader), Arc::clone(&writer));
        let (epoll, stop, reads) = (Arc::clone(&epoll), Arc::clone(&stop), Arc::clone(&reads));
        spawn(move || {
            // Relaxed, here and below: a flag and a count, and nothing that they would order.
            while read(&*reader, &mut [0]).is_ok() && !stop.load(Relaxed) {
                reads.fetch_add(1, Relaxed);
                if let Some(interval) = reactor {
                    // reactor_review: nothing is watched, as no client comes.
                    let _ = epoll.wait(&mut [EpollEvent::empty()], EpollTimeout::from(interval));
                    // srv_cycle_core: it posts itself, and a byte for whoever takes it.
                    let _ = write(&*writer, &[0]);
                }
            }
        })
    };
    let workers = [worker(), worker()];
    if reactor.is_some() {
        write(&*writer, &[0])?;
    }
    sleep(time);
    let count = reads.load(Relaxed);
    stop.store(true, Relaxed);
    // A byte for each, and none of them reads a second one.
    write(&*writer, &[0; 2])?;
    for worker in workers {
        worker.join().map_err(|_| anyhow!("a worker panicked"))?;
    }
    Ok(count)
}

fn judge(figures: &Figures) -> Result<Judgement> {
    const LESSON: &str = "Ask what writes, not why read returns: a loop that posts itself keeps its own \
                          threads awake. A thread of an idle server should wake up once a second at most.";
    const SOURCE: &str = "The reactor, which is a task of the pool and posts itself again: each of its turns \
                          writes a byte to the pipe, so a thread is woken at every polling interval, with or \
                          without requests.";
    let reads = |name: &str| figures.value(&format!("{name}: reads that return"));
    let (fast, slow) = (
        reads("a reactor that posts itself after 1 ms")?,
        reads("a reactor that posts itself after 100 ms")?,
    );
    let none = reads("no reactor")?;
    let because = format!(
        "with two threads and no request, reads return {fast:.0} and {slow:.0} times a second when a reactor \
         posts itself after 1 ms and 100 ms, and {none:.0} times without it"
    );
    Ok(match (none > 0.0, fast > 2.0 * slow && slow > 0.0) {
        (false, true) => Judgement::refuted(because, LESSON, SOURCE),
        (true, _) => Judgement::holds(because, LESSON),
        (false, false) => Judgement::inconclusive(because, LESSON),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Verdict;

    #[test]
    fn the_verdict_turns_on_what_happens_without_the_reactor() {
        let verdict = |fast: f64, slow: f64, none: f64| {
            let figure =
                |name: &str, value| Figure::once(format!("{name}: reads that return"), "per second", value);
            let figures = Figures(vec![
                figure("a reactor that posts itself after 1 ms", fast),
                figure("a reactor that posts itself after 100 ms", slow),
                figure("no reactor", none),
            ]);
            judge(&figures).expect("all figures are there").verdict
        };
        assert_eq!(verdict(900.0, 10.0, 0.0), Verdict::Refuted);
        assert_eq!(verdict(900.0, 10.0, 500.0), Verdict::Holds);
        assert_eq!(verdict(0.0, 0.0, 0.0), Verdict::Inconclusive);
    }

    /// What is refuted is no matter of speed: nobody writes, so no read returns.
    #[test]
    fn without_a_writer_no_read_returns() {
        assert_eq!(pool(None, Duration::from_millis(50)).expect("the pool ends"), 0);
    }
}
