//! What all threads of a run share.

use super::options::Args;
use super::reference::Expected;
use super::target::Target;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

/// What the threads share. Nothing but the flag and the gauges changes while they run.
#[derive(Debug)]
pub(super) struct Settings<'a> {
    pub(super) args: &'a Args,
    pub(super) target: Target,
    /// Where all clients connect to.
    pub(super) addr: SocketAddr,
    /// That of the main path, and where there is a mix the one that some of the requests ask instead.
    pub(super) specs: Vec<RequestSpec>,
    pub(super) start: Instant,
    /// The end of the warm-up.
    pub(super) measure_from: Instant,
    pub(super) end: Instant,
    /// The run is to end early.
    pub(super) stop: Arc<AtomicBool>,
    /// One for each thread.
    pub(super) gauges: Vec<Gauge>,
}

/// What a thread publishes once a tick, for the progress line.
#[derive(Debug, Default)]
pub(super) struct Gauge {
    pub(super) right: AtomicU64,
    pub(super) failed: AtomicU64,
    pub(super) open: AtomicU64,
}

/// A request, and what a right reply to it is.
#[derive(Debug)]
pub(super) struct RequestSpec {
    /// A whole pipeline of requests; one request is `request_length` bytes long.
    pub(super) batch: Vec<u8>,
    pub(super) request_length: usize,
    pub(super) status: u16,
    pub(super) expected: Expected,
}

impl Settings<'_> {
    /// Whether the run is to end early. The flag carries no other data, so its order does not matter.
    pub(super) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Whether each client asks again when it was answered, so that all of them are needed.
    pub(super) fn is_closed_loop(&self) -> bool {
        self.args.rate.is_none()
    }

    /// Requests that should leave from then on are counted. In a closed loop a reply that comes in the window
    /// counts, whenever it was asked for: as many are unanswered at the end as came over from the warm-up.
    pub(super) fn count_from(&self) -> Instant {
        if self.is_closed_loop() { self.start } else { self.measure_from }
    }

    /// The index of the spec of the request with this number.
    pub(super) fn spec_of(&self, number: u64) -> usize {
        usize::from(self.args.mix.as_ref().is_some_and(|mix| mix.takes(number)))
    }
}
