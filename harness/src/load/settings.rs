//! What all threads of a run must know.

use super::reference::Reference;
use super::target::Target;
use std::time::{Duration, Instant};

/// What the threads must know. It does not change while they run.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) target: Target,
    /// A whole pipeline of requests; one request is `request_length` bytes long.
    pub(super) batch: Vec<u8>,
    pub(super) request_length: usize,
    pub(super) pipeline: u64,
    pub(super) requests_per_connection: u64,
    pub(super) status: u16,
    pub(super) reference: Reference,
    pub(super) timeout: Duration,
    pub(super) start: Instant,
    /// The end of the warm-up.
    pub(super) measure_from: Instant,
    pub(super) end: Instant,
}
