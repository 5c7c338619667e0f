//! What all threads of a run must know.

use super::mix::Mix;
use super::reference::Expected;
use super::target::Target;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// What the threads must know. It does not change while they run.
#[derive(Debug)]
pub(super) struct Settings {
    /// Where all clients connect to.
    pub(super) addr: SocketAddr,
    pub(super) target: Target,
    pub(super) main: Question,
    /// What some of the requests ask for instead.
    pub(super) mixed: Option<(Mix, Question)>,
    /// Each client asks again when it was answered, so all of them are needed.
    pub(super) is_closed_loop: bool,
    pub(super) pipeline: u64,
    pub(super) requests_per_connection: u64,
    pub(super) timeout: Duration,
    pub(super) start: Instant,
    /// The end of the warm-up.
    pub(super) measure_from: Instant,
    pub(super) end: Instant,
}

/// A request, and what a right reply to it is.
#[derive(Debug)]
pub(super) struct Question {
    /// A whole pipeline of requests; one request is `request_length` bytes long.
    pub(super) batch: Vec<u8>,
    pub(super) request_length: usize,
    pub(super) status: u16,
    pub(super) expected: Expected,
}

/// Which of the two questions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Main,
    Mixed,
}

impl Settings {
    /// What the request with this number asks.
    pub(super) fn side(&self, number: u64) -> Side {
        match &self.mixed {
            Some((mix, _)) if mix.takes(number) => Side::Mixed,
            _ => Side::Main,
        }
    }

    pub(super) fn question(&self, side: Side) -> &Question {
        match (side, &self.mixed) {
            (Side::Mixed, Some((_, question))) => question,
            _ => &self.main,
        }
    }
}
