//! What a loop does for other threads and for later times.

use super::EventLoop;
use crate::connection::Connection;
use crate::counters::subtract;
use crate::handle::ConnectionId;
use crate::link::Phase;
use crate::protocol::Reason;
use crate::schedule::{Entry, Ran, Schedule};
use crate::worker::NOBODY;
use kit::connection_table::Token;
use std::sync::atomic::Ordering::Relaxed;

impl EventLoop {
    /// Runs what other threads have queued.
    pub(super) fn run_pending(&mut self) {
        for task in self.pending.take() {
            self.state.counters.tasks.fetch_sub(1, Relaxed);
            task(self);
        }
    }

    /// Runs `task` for a connection, or without one if it is gone or closing.
    pub(crate) fn run_task(&mut self, token: Token, task: impl FnOnce(Option<&mut Connection<'_>>)) {
        let id = ConnectionId { worker: self.index, token };
        match self.links.get_mut(token).filter(|link| link.phase == Phase::Open) {
            None => task(None),
            Some(link) => {
                self.state.busy.store(token, Relaxed);
                let (buffer, clock, server) = (&mut self.buffer, &mut self.clock, &self.server);
                task(Some(&mut Connection { link, buffer, clock, server, id }));
                self.state.busy.store(NOBODY, Relaxed);
                self.settle(token);
            }
        }
    }

    /// Runs `task` for each connection of a service, or of all, but not for `origin`.
    pub(crate) fn each(
        &mut self,
        origin: Option<ConnectionId>,
        service: Option<&str>,
        task: &mut dyn FnMut(&mut Connection<'_>),
    ) {
        let origin = origin.filter(|origin| origin.worker == self.index).map(|origin| origin.token);
        for token in self.links.select(|link| service.is_none_or(|service| service == link.service)) {
            if Some(token) != origin {
                self.run_task(token, |connection| connection.into_iter().for_each(&mut *task));
            }
        }
    }

    /// Runs a task at a later time.
    pub(crate) fn schedule_task(&mut self, id: u64, entry: Entry) {
        self.schedule.insert(id, entry, &mut self.deadlines);
    }

    /// A task was cancelled.
    pub(crate) fn forget_task(&mut self, id: u64) {
        self.schedule.remove(id, &mut self.deadlines);
        self.state.counters.timers.fetch_sub(1, Relaxed);
    }

    /// Runs the tasks whose time has come, and pings the connections that have been silent for too long. Some
    /// timers fire too early.
    pub(super) fn check_deadlines(&mut self) {
        let now = self.clock.now().ms;
        for key in self.deadlines.expired(now) {
            if let Some(id) = Schedule::id_of(key) {
                if self.schedule.run(id, now, &self.server, &mut self.deadlines) == Ran::Last {
                    self.state.counters.timers.fetch_sub(1, Relaxed);
                }
                continue;
            }
            let Some(link) = self.links.get_mut(key) else { continue };
            if link.timer.take().is_some() {
                subtract(&self.state.counters.deadlines, 1);
            }
            if link.deadline.is_none_or(|deadline| deadline > now) {
                self.update(key);
            } else if link.phase == Phase::Open {
                link.touch(now);
                link.deadline = link.deadline.filter(|deadline| *deadline > now);
                self.visit(key, |protocol, connection| protocol.ping(connection));
                self.settle(key);
            } else {
                let lingers = link.phase == Phase::Lingering;
                let reason = if lingers { Reason::Closed } else { Reason::Dropped("it does not read") };
                self.remove(key, &reason);
            }
        }
    }
}
