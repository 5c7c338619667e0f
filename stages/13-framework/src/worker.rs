//! A loop, as the rest of the server sees it: from other threads one can queue something for it, and read
//! what it counts.

use crate::counters::Counters;
use crate::event_loop::EventLoop;
use loop_per_thread::remote::Remote;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};
use std::sync::{Arc, Mutex, PoisonError};

/// No connection: see [`WorkerState::busy`].
pub(crate) const NOBODY: u64 = u64::MAX;

/// One loop.
pub(crate) struct Worker {
    pub(crate) remote: Remote<EventLoop>,
    pub(crate) state: Arc<WorkerState>,
}

/// What a loop and the other threads share.
#[derive(Debug)]
pub(crate) struct WorkerState {
    /// Connections that are open or on their way. Relaxed: a count for a limit.
    pub(crate) open: AtomicUsize,
    /// The token of the connection whose callback runs at this moment. Relaxed: the answer to "is it busy?"
    /// is old when it arrives, whatever the ordering.
    pub(crate) busy: AtomicU64,
    /// The loop has ended: what is queued now will not run. Release and Acquire: see
    /// [`crate::Server::each_block`].
    pub(crate) ended: AtomicBool,
    pub(crate) counters: Counters,
    services: Mutex<HashMap<&'static str, usize>>,
}

impl WorkerState {
    pub(crate) fn new() -> Self {
        Self {
            open: AtomicUsize::new(0),
            busy: AtomicU64::new(NOBODY),
            ended: AtomicBool::new(false),
            counters: Counters::new(),
            services: Mutex::default(),
        }
    }

    /// How many connections have this service.
    pub(crate) fn of_service(&self, service: &str) -> usize {
        let services = self.services.lock().unwrap_or_else(PoisonError::into_inner);
        services.get(service).copied().unwrap_or(0)
    }

    /// A connection leaves a service, or comes to one, or both.
    pub(crate) fn recount(&self, from: Option<&'static str>, to: Option<&'static str>) {
        let mut services = self.services.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = from.and_then(|from| services.get_mut(from)) {
            *count -= 1;
        }
        if let Some(to) = to {
            *services.entry(to).or_default() += 1;
        }
    }
}
