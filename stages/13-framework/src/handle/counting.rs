//! What a server counts.

use super::{ConnectionId, Server};
use crate::counters::{WorkerCounters, add};
use crate::worker::{Worker, WorkerState};
use prefork::scoreboard::Slot;
use std::sync::atomic::Ordering::Relaxed;

/// For whoever asks.
impl Server {
    /// How many connections this process has: of one service, or all.
    pub fn count(&self, service: Option<&str>) -> usize {
        let of = |worker: &Worker| match service {
            Some(service) => worker.state.of_service(service),
            None => worker.state.open.load(Relaxed),
        };
        self.workers().iter().map(of).sum()
    }

    /// Whether a callback or a task of the connection runs at this moment. In a callback of its own that is
    /// so; elsewhere the answer may be old when it arrives.
    pub fn is_busy(&self, id: ConnectionId) -> bool {
        let worker = self.workers().get(id.worker as usize);
        worker.is_some_and(|worker| worker.state.busy.load(Relaxed) == id.token)
    }

    /// What each worker of this process has counted.
    pub fn counters(&self) -> Vec<WorkerCounters> {
        let measured = self.settings().measure;
        let of = |worker: &Worker| worker.state.counters.snapshot(worker.state.open.load(Relaxed), measured);
        self.workers().iter().map(of).collect()
    }
}

/// For the loops.
impl Server {
    /// In one of several processes: counts connections there too.
    pub(crate) fn count_in(&self, slot: &'static Slot) {
        let _ = self.shared.slot.set(slot);
    }

    /// A connection is on its way to a worker. Relaxed: a count for a limit, which orders no other memory.
    pub(crate) fn opened(&self, worker: usize) {
        self.workers()[worker].state.open.fetch_add(1, Relaxed);
        if let Some(slot) = self.shared.slot.get() {
            slot.open.fetch_add(1, Relaxed);
        }
    }

    /// A connection of a worker is over. Relaxed as before.
    pub(crate) fn closed(&self, worker: &WorkerState) {
        worker.open.fetch_sub(1, Relaxed);
        if let Some(slot) = self.shared.slot.get() {
            slot.open.fetch_sub(1, Relaxed);
        }
    }

    /// A connection changes its service.
    pub(crate) fn recount(&self, id: ConnectionId, from: &'static str, to: &'static str) {
        if let Some(worker) = self.workers().get(id.worker as usize) {
            worker.state.recount(Some(from), Some(to));
        }
    }

    pub(crate) fn count_requests(&self, id: ConnectionId, count: u64) {
        if let Some(worker) = self.workers().get(id.worker as usize) {
            add(&worker.state.counters.requests, count);
        }
    }
}
