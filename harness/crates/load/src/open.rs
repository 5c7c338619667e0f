//! The open loop: requests leave when their time has come, whether the others were answered or not.

use super::closed::poll;
use super::schedule::Schedule;
use super::tally::Tallies;
use super::worker::{After, Worker};
use mio::unix::SourceFd;
use mio::{Events, Interest, Token};
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use std::collections::VecDeque;
use std::io::Result;
use std::os::fd::{AsFd, AsRawFd};
use std::time::{Duration, Instant};

/// A shorter wait is spent looking at the sockets: setting the timer, sleeping and waking take as long.
/// So above some 20,000 requests per second and thread the generator's CPU time tells nothing.
const SLEEP_FROM: Duration = Duration::from_micros(50);

/// Beyond every slot.
const TIMER: Token = Token(usize::MAX);

pub(super) fn run(
    mut worker: Worker,
    mut schedule: Schedule,
    measure_from: Instant,
    end: Instant,
) -> Result<Tallies> {
    let mut events = Events::with_capacity(1024);
    // epoll counts its timeout in whole milliseconds; at some thousand requests per second that would send
    // them in bursts and add to every latency. A timer counts in nanoseconds.
    let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_CLOEXEC | TimerFlags::TFD_NONBLOCK)?;
    worker.poll.registry().register(&mut SourceFd(&timer.as_fd().as_raw_fd()), TIMER, Interest::READABLE)?;
    // First in, first out: every client has its turn.
    let mut free: VecDeque<usize> = (0..worker.clients()).collect();
    // They try again at the next tick: who is refused at once would do nothing else.
    let mut refused: Vec<usize> = Vec::new();
    loop {
        let now = Instant::now();
        if worker.is_over(now, measure_from) {
            // After an interrupt what was not yet due is not missed.
            let over = now.min(end);
            let settings = worker.settings;
            let mut tallies = worker.finish(over);
            for due in schedule.left(measure_from, over) {
                tallies.of(settings.side(due.number)).never_sent(due.intended, over);
            }
            return Ok(tallies);
        }
        if worker.tick(now, |at| free.push_back(at)) {
            free.extend(refused.drain(..));
        }
        let look_up = worker.wake_at();
        while let Some(&at) = free.front() {
            let now = Instant::now();
            // Where a request costs more than the time between two, some is always due, and the end would
            // never be seen.
            if now >= look_up {
                break;
            }
            let Some(due) = schedule.take(now) else { break };
            free.pop_front();
            match worker.begin(at, due, now) {
                After::Busy => {}
                After::Refused => refused.push(at),
                After::Free | After::Lost => free.push_back(at),
            }
        }
        let mut pause = worker.wake_at().saturating_duration_since(now);
        if !free.is_empty() {
            let until = schedule.next().saturating_duration_since(Instant::now());
            if until < SLEEP_FROM {
                pause = Duration::ZERO;
            } else {
                timer.set(Expiration::OneShot(until.into()), TimerSetTimeFlags::empty())?;
            }
        }
        poll(&mut worker, &mut events, pause)?;
        for event in events.iter().filter(|event| event.token() != TIMER) {
            let at = event.token().0;
            // A client that was free already, and whose server has closed its connection, stays free.
            let waited = worker.waits(at);
            match worker.ready(at, event) {
                After::Refused if waited => refused.push(at),
                After::Free | After::Lost if waited => free.push_back(at),
                _ => {}
            }
        }
    }
}
