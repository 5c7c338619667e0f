//! The event loop of a thread: when its clients send.
//!
//! In a closed loop a client asks again when it was answered; in an open one requests leave when their time
//! has come, whether the others were answered or not.

use super::schedule::Schedule;
use super::slot::After;
use super::tally::Tallies;
use super::worker::Worker;
use mio::unix::SourceFd;
use mio::{Events, Interest, Token};
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use std::collections::VecDeque;
use std::io::{ErrorKind, Result};
use std::os::fd::{AsFd, AsRawFd};
use std::time::{Duration, Instant};

/// Clients that begin to send between two looks at the sockets and the clock. All connections at once would
/// overflow the server's accept queue, and those that found it full would try again a second later. And where
/// a request costs more than the time between two, some is always due, and the end would never be seen.
const BATCH: usize = 64;

/// A shorter wait is spent looking at the sockets: setting the timer, sleeping and waking take as long.
/// So above some 20,000 requests per second and thread the CPU time of an open loop means nothing.
const SLEEP_FROM: Duration = Duration::from_micros(50);

/// Beyond every slot.
const TIMER: Token = Token(usize::MAX);

/// The clients of a thread, and which of them can send.
pub(super) struct EventLoop<'a> {
    pub(super) worker: Worker<'a>,
    schedule: Schedule,
    events: Events,
    timer: TimerFd,
    /// Clients that can send.
    free: Free,
    /// Those that could not connect and wait for the next tick.
    refused: Vec<usize>,
}

impl<'a> EventLoop<'a> {
    pub(super) fn new(worker: Worker<'a>, schedule: Schedule) -> Result<Self> {
        // epoll counts its timeout in whole milliseconds; at some thousand requests per second that would
        // send them in bursts and add to every latency. A timer counts in nanoseconds.
        let flags = TimerFlags::TFD_CLOEXEC | TimerFlags::TFD_NONBLOCK;
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, flags)?;
        worker.poll.registry().register(
            &mut SourceFd(&timer.as_fd().as_raw_fd()),
            TIMER,
            Interest::READABLE,
        )?;
        let free = Free { clients: (0..worker.clients()).collect(), since: worker.settings.start };
        let refused = Vec::with_capacity(worker.clients());
        Ok(Self { worker, schedule, events: Events::with_capacity(1024), timer, free, refused })
    }

    /// Puts the load on until the end of the run, which cuts off what is on its way.
    pub(super) fn run(mut self) -> Result<Tallies> {
        let settings = self.worker.settings;
        loop {
            let now = Instant::now();
            if self.worker.is_over(now) {
                let over = now.min(settings.end);
                let mut tallies = self.worker.finish(over);
                for due in self.schedule.left(settings.measure_from, over) {
                    tallies.paths[settings.spec_of(due.number)].never_sent(due.intended, over);
                }
                return Ok(tallies);
            }
            self.step(now, None)?;
        }
    }

    /// Puts the load on until `end`, and then waits for every reply that is on its way: a request that is not
    /// answered within `--timeout` is over too.
    pub(super) fn take_turn(&mut self, end: Instant) -> Result<()> {
        loop {
            let now = Instant::now();
            // A client that can send awaits nothing.
            let is_drained = self.free.clients.len() + self.refused.len() == self.worker.clients();
            if now >= end && is_drained {
                return Ok(());
            }
            self.step(now, Some(end))?;
        }
    }

    /// Sends what can be sent, and looks at the sockets once. From `end` on no request begins.
    fn step(&mut self, now: Instant, end: Option<Instant>) -> Result<()> {
        let Self { worker, schedule, events, timer, free, refused } = self;
        let may_begin = |now: Instant| end.is_none_or(|end| now < end);
        if worker.tick(now, |at| free.push(at))? {
            refused.drain(..).for_each(|at| free.push(at));
        }
        for _ in 0..BATCH {
            let now = Instant::now();
            let Some(&at) = free.clients.front().filter(|_| may_begin(now)) else { break };
            let Some(due) = schedule.take(now) else { break };
            free.clients.pop_front();
            let ready = due.intended.max(free.since);
            requeue(worker.begin(at, due, ready, now), at, free, refused);
        }
        let mut pause = worker.wake_at().saturating_duration_since(now);
        if worker.settings.args.spin {
            pause = Duration::ZERO;
        } else if !free.clients.is_empty() && may_begin(now) {
            let until = schedule.next().map(|next| next.saturating_duration_since(Instant::now()));
            match until.filter(|until| *until >= SLEEP_FROM) {
                Some(until) => timer.set(Expiration::OneShot(until.into()), TimerSetTimeFlags::empty())?,
                None => pause = Duration::ZERO,
            }
        }
        match worker.poll.poll(events, Some(pause)) {
            // A signal, such as Ctrl-C, is no event.
            Err(error) if error.kind() == ErrorKind::Interrupted => events.clear(),
            outcome => outcome?,
        }
        for event in events.iter().filter(|event| event.token() != TIMER) {
            let at = event.token().0;
            // A client that was free already, and whose server has closed its connection, stays free.
            let waited = worker.waits(at);
            let mut after = worker.handle_event(at, event);
            if !waited {
                continue;
            }
            if after == After::Free && worker.settings.is_closed_loop() {
                let now = Instant::now();
                let due = may_begin(now).then(|| schedule.take(now)).flatten();
                after = due.map_or(after, |due| worker.begin(at, due, now, now));
            }
            requeue(after, at, free, refused);
        }
        Ok(())
    }
}

/// Clients that can send.
struct Free {
    clients: VecDeque<usize>,
    /// Since when there is always one: before, a request could not leave since every client waited for its
    /// reply, which is the server's doing and not the generator's.
    since: Instant,
}

impl Free {
    fn push(&mut self, at: usize) {
        if self.clients.is_empty() {
            self.since = Instant::now();
        }
        self.clients.push_back(at);
    }
}

fn requeue(after: After, at: usize, free: &mut Free, refused: &mut Vec<usize>) {
    match after {
        After::Busy => {}
        After::Free | After::Lost => free.push(at),
        After::Refused => refused.push(at),
    }
}
