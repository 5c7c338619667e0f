//! `timer-source`: a loop must wake when its earliest timer fires. It can give `epoll_wait` a timeout, or
//! watch a timerfd that it sets; what does the setting cost, and how late does each wake?

use crate::compare::Comparison;
use crate::experiment::{Experiment, Seconds};
use crate::format;
use crate::measure::{Pinned, Slice, cpu, interleaved, ns_per_call};
use crate::report::{Figure, Figures, Judgement, Measured};
use crate::session::Session;
use anyhow::Result;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::eventfd::EventFd;
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use std::time::{Duration, Instant};
use timers::source::{TimerSource, WakeBy};

/// The experiment.
pub(super) const EXPERIMENT: Experiment = Experiment {
    id: "timer-source",
    method: "A turn of a loop that finds an event is timed with a timeout given to epoll_wait, with a \
             timerfd that is set in each turn, and with stage 08's timerfd, which is set only when the \
             earliest timer comes nearer. Then both sleep for 1 ms, and the time by which they are late is \
             noted.",
    needs: &[],
    seconds: Seconds { quick: 3.0, full: 10.0 },
    run,
    judge,
};

const TIMEOUT: &str = "epoll_wait with a timeout";
const AGAIN: &str = "epoll_wait with a timeout, again";
const EACH_TURN: &str = "timerfd set in each turn";
const WHEN_EARLIER: &str = "timerfd set when earlier (stage 08)";
/// A minute ahead, as an idle timeout is: it does not fire.
const AHEAD_MS: u64 = 60_000;

/// An epoll instance in which an event is always ready, and perhaps a timerfd.
struct Turn {
    epoll: Epoll,
    _ready: EventFd,
    timer: TimerFd,
}

impl Turn {
    fn new() -> Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let ready = EventFd::from_value(1)?;
        epoll.add(&ready, EpollEvent::new(EpollFlags::EPOLLIN, 0))?;
        let flags = TimerFlags::TFD_CLOEXEC | TimerFlags::TFD_NONBLOCK;
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, flags)?;
        epoll.add(&timer, EpollEvent::new(EpollFlags::EPOLLIN | EpollFlags::EPOLLET, 1))?;
        Ok(Self { epoll, _ready: ready, timer })
    }

    fn wait(&self, timeout: EpollTimeout) {
        let _ = self.epoll.wait(&mut [EpollEvent::empty(); 8], timeout);
    }

    fn set(&self, ahead: Duration) {
        let expiration = Expiration::OneShot(TimeSpec::from_duration(ahead));
        let _ = self.timer.set(expiration, TimerSetTimeFlags::empty());
    }
}

fn run(session: &mut Session) -> Result<Measured> {
    const SLICE: Duration = Duration::from_millis(10);
    let rounds = session.pick(15, 51);
    let _pinned = Pinned::to(cpu(0));
    let turn = Turn::new()?;
    let mut source = TimerSource::new(WakeBy::Timerfd, &turn.epoll, 2)?;
    let mut now = 1;
    let timeout = EpollTimeout::try_from(AHEAD_MS)?;
    session.step(0.0, "turns of a loop that finds an event")?;
    let by_timeout = || Ok(ns_per_call(SLICE, 50, || turn.wait(timeout)));
    let mut slices: Vec<Slice<'_>> = vec![
        (TIMEOUT.to_owned(), Box::new(by_timeout)),
        (AGAIN.to_owned(), Box::new(by_timeout)),
        (
            EACH_TURN.to_owned(),
            Box::new(|| {
                Ok(ns_per_call(SLICE, 50, || {
                    turn.set(Duration::from_millis(AHEAD_MS));
                    turn.wait(EpollTimeout::NONE);
                }))
            }),
        ),
        (
            WHEN_EARLIER.to_owned(),
            Box::new(|| {
                Ok(ns_per_call(SLICE, 50, || {
                    // Each request moves its connection's timer a little further away, and never nearer.
                    now += 1;
                    let timeout = source.timeout(Some(now + AHEAD_MS), now);
                    turn.wait(timeout.unwrap_or(EpollTimeout::NONE));
                }))
            }),
        ),
    ];
    let values = interleaved(session, rounds, (0.0, 0.6), &mut slices)?;
    drop(slices);
    let mut figures = Figures::default();
    for name in [TIMEOUT, EACH_TURN, WHEN_EARLIER] {
        figures.push(Figure::median(format!("a turn: {name}"), "ns", &values[name])?);
    }
    for name in [EACH_TURN, WHEN_EARLIER] {
        figures.push(Figure::ratio(format!("{name} / {TIMEOUT}"), &values[name], &values[TIMEOUT])?);
    }
    figures.push(Figure::ratio("the timeout / itself", &values[AGAIN], &values[TIMEOUT])?);
    session.step(0.6, "how late each wakes")?;
    late(session, &mut figures)?;
    Ok(figures.into())
}

/// How late the loop wakes when nothing but the timer is there.
fn late(session: &Session, figures: &mut Figures) -> Result<()> {
    const SLEEP: Duration = Duration::from_millis(1);
    let turn = Turn::new()?;
    turn.epoll.delete(&turn._ready)?;
    let lateness = |sleep: &dyn Fn()| {
        let start = Instant::now();
        sleep();
        Ok(start.elapsed().saturating_sub(SLEEP).as_secs_f64() * 1e6)
    };
    let by_timeout = || lateness(&|| turn.wait(EpollTimeout::from(1u8)));
    let by_timerfd = || {
        lateness(&|| {
            turn.set(SLEEP);
            turn.wait(EpollTimeout::NONE);
        })
    };
    let mut slices: Vec<Slice<'_>> = vec![
        ("epoll_wait with a timeout of 1 ms".to_owned(), Box::new(by_timeout)),
        ("timerfd set to 1 ms".to_owned(), Box::new(by_timerfd)),
    ];
    for (name, values) in interleaved(session, session.pick(100, 500), (0.6, 1.0), &mut slices)? {
        figures.push(Figure::median(format!("late: {name}"), "µs", &values)?);
    }
    Ok(())
}

fn judge(figures: &Figures) -> Result<Judgement> {
    const LESSON: &str = "A timerfd costs a system call each time that it is set: set it when the earliest \
                          timer comes nearer, not with each request, and it costs nothing.";
    const SOURCE: &str = "A timerfd that was set anew at each update of a timer, in a test that the source itself calls not \
         rigorous and gives no figures of: it measured its own use of a timerfd.";
    let itself = figures.get("the timeout / itself")?;
    let ratio = |name: &str| figures.get(&format!("{name} / {TIMEOUT}"));
    let (each, earlier) = (ratio(EACH_TURN)?, ratio(WHEN_EARLIER)?);
    let because = format!(
        "set in each turn, a timerfd makes the turn {} times as long; set only when the earliest timer comes \
         nearer, {} times",
        format::value(each.value),
        format::value(earlier.value)
    );
    Ok(match (Comparison::of(each, Some(itself)), Comparison::of(earlier, Some(itself))) {
        (Comparison::More, Comparison::More) => Judgement::holds(because, LESSON),
        (Comparison::More, Comparison::Unclear) if earlier.low() > 1.0 => {
            Judgement::inconclusive(because, LESSON)
        }
        (Comparison::More, _) => {
            Judgement::depends(format!("on how often it is set: {because}"), LESSON, SOURCE)
        }
        (Comparison::Same | Comparison::Less, _) => Judgement::refuted(because, LESSON, SOURCE),
        (Comparison::Unclear, _) => Judgement::inconclusive(because, LESSON),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Verdict;

    #[test]
    fn what_is_set_often_and_what_is_set_seldom_are_told_apart() {
        let verdict = |each: (f64, f64), earlier: (f64, f64)| {
            let ratio = |name: String, (low, high)| Figure {
                interval: Some((low, high)),
                ..Figure::exact(name, "×", (low + high) / 2.0)
            };
            let figures = Figures(vec![
                ratio("the timeout / itself".into(), (0.99, 1.01)),
                ratio(format!("{EACH_TURN} / {TIMEOUT}"), each),
                ratio(format!("{WHEN_EARLIER} / {TIMEOUT}"), earlier),
            ]);
            judge(&figures).expect("all figures are there").verdict
        };
        assert_eq!(verdict((3.0, 3.2), (0.99, 1.02)), Verdict::Depends);
        assert_eq!(verdict((3.0, 3.2), (1.2, 1.3)), Verdict::Holds);
        assert_eq!(verdict((3.0, 3.2), (1.01, 1.3)), Verdict::Inconclusive);
        assert_eq!(verdict((0.99, 1.02), (0.99, 1.02)), Verdict::Refuted);
        assert_eq!(verdict((0.7, 1.4), (0.99, 1.02)), Verdict::Inconclusive);
    }
}
