//! The requests of one connection: what is to be written, what is awaited. No socket; the time is handed in.
//!
//! Requests leave in batches: as many as the pipeline is deep, in one write. The next batch leaves when the
//! last one was answered.

use super::failure::Failure;
use super::reply::{Checker, Reader, Reply};
use super::tally::{Tally, Times};
use std::time::Instant;

/// The state of a connection.
#[derive(Debug)]
pub(super) struct Connection {
    reader: Reader,
    times: Times,
    /// Bytes of the batch that were written, and its length.
    written: usize,
    length: usize,
    /// Requests of the batch without an answer.
    awaited: u64,
    /// Requests that may still be begun on this connection.
    left: u64,
    first_byte_came: bool,
    /// Got a right reply.
    pub(super) served: bool,
}

/// What is next after bytes have come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Next {
    /// More replies are awaited.
    Wait,
    /// Every request was answered; the connection can carry more.
    Free,
    /// Every request is over; the connection cannot carry more.
    Close,
}

impl Connection {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            reader: Reader::default(),
            times: Times { intended: now, sent: now },
            written: 0,
            length: 0,
            awaited: 0,
            left: 0,
            first_byte_came: false,
            served: false,
        }
    }

    /// The connection is new and may carry so many requests.
    pub(super) fn reopen(&mut self, requests: u64) {
        *self = Self { left: requests, served: self.served, ..Self::new(self.times.sent) };
    }

    /// Begins a batch of at most `depth` requests, each `request_length` bytes long.
    pub(super) fn begin(&mut self, times: Times, depth: u64, request_length: usize) {
        let requests = depth.min(self.left);
        self.left -= requests;
        self.awaited = requests;
        self.times = times;
        self.first_byte_came = false;
        (self.written, self.length) = (0, requests as usize * request_length);
    }

    /// The part of the batch that is not yet written.
    pub(super) fn unwritten(&self) -> std::ops::Range<usize> {
        self.written..self.length
    }

    pub(super) fn wrote(&mut self, count: usize) {
        self.written += count;
    }

    /// When the requests that are awaited were begun; `None` if there are none.
    pub(super) fn waiting_since(&self) -> Option<Instant> {
        (self.awaited > 0).then_some(self.times.sent)
    }

    /// Bytes have come.
    pub(super) fn receive(
        &mut self,
        input: &[u8],
        now: Instant,
        checker: &mut Checker,
        tally: &mut Tally,
    ) -> Next {
        if self.awaited == 0 {
            // No reply is awaited: the one before was longer than it announced.
            tally.failed(Failure::Surplus, 1, self.times);
            return Next::Close;
        }
        if !self.first_byte_came {
            self.first_byte_came = true;
            tally.first_byte(self.times, now);
        }
        let (mut rest, mut right) = (input, 0);
        let next = loop {
            let (taken, reply) = self.reader.feed(rest, checker);
            rest = &rest[taken..];
            let Some(mut reply) = reply else { break Next::Wait };
            self.awaited -= 1;
            if self.awaited == 0 && !rest.is_empty() {
                reply = Reply { failure: reply.failure.or(Some(Failure::Surplus)), keeps: false };
            }
            match reply.failure {
                None => right += 1,
                Some(failure) => tally.failed(failure, 1, self.times),
            }
            match (reply.keeps, self.awaited) {
                (true, 0) if self.left > 0 => break Next::Free,
                (true, 0) => break Next::Close,
                (true, _) => {}
                (false, others) => {
                    // The server ends the connection with this reply: the others will have none.
                    tally.failed(Failure::Closed, others, self.times);
                    self.awaited = 0;
                    break Next::Close;
                }
            }
            if rest.is_empty() {
                break Next::Wait;
            }
        };
        self.served |= right > 0;
        tally.right(right, self.times, now);
        next
    }

    /// The server has closed the connection.
    pub(super) fn ended(&mut self, now: Instant, checker: &Checker, tally: &mut Tally) {
        if self.reader.is_inside() && self.awaited > 0 {
            match self.reader.end(checker) {
                Some(Reply { failure: None, .. }) => {
                    self.served = true;
                    tally.right(1, self.times, now);
                }
                Some(Reply { failure: Some(failure), .. }) => tally.failed(failure, 1, self.times),
                // It announced more than it sent.
                None => tally.failed(Failure::Truncated, 1, self.times),
            }
            self.awaited -= 1;
        }
        self.lost(Failure::Closed, tally);
    }

    /// What is awaited will not come.
    pub(super) fn lost(&mut self, failure: Failure, tally: &mut Tally) {
        tally.failed(failure, self.awaited, self.times);
        self.awaited = 0;
    }

    /// The run is over.
    pub(super) fn abort(&mut self, now: Instant, tally: &mut Tally) {
        tally.aborted(self.awaited, self.times, now);
        self.awaited = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::super::reference::Expected;
    use super::*;

    const RIGHT: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\nHello, World!";
    const LAST: &[u8] = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 13\r\n\r\nHello, World!";

    struct Trial {
        connection: Connection,
        checker: Checker,
        tally: Tally,
        now: Instant,
    }

    impl Trial {
        fn new(requests: u64, depth: u64) -> Self {
            let now = Instant::now();
            let mut connection = Connection::new(now);
            connection.reopen(requests);
            connection.begin(Times { intended: now, sent: now }, depth, 10);
            Self {
                connection,
                checker: Checker::new(200, Expected::by_path("/")),
                tally: Tally::new(now),
                now,
            }
        }

        fn receive(&mut self, input: &[u8]) -> Next {
            self.connection.receive(input, self.now, &mut self.checker, &mut self.tally)
        }

        fn end(&mut self) {
            self.connection.ended(self.now, &self.checker, &mut self.tally);
        }

        fn failed(&self, failure: Failure) -> u64 {
            self.tally.by_kind()[Failure::NAMES[failure as usize]]
        }
    }

    #[test]
    fn a_batch_is_over_when_its_last_reply_is_whole() {
        let stream = RIGHT.repeat(3);
        for cut in 1..stream.len() {
            let mut trial = Trial::new(u64::MAX, 3);
            assert_eq!(trial.connection.unwritten(), 0..30);
            assert_eq!(trial.receive(&stream[..cut]), Next::Wait, "cut at {cut}");
            assert_eq!(trial.receive(&stream[cut..]), Next::Free, "cut at {cut}");
            assert_eq!((trial.tally.right, trial.tally.failed_in_all()), (3, 0));
            assert_eq!(trial.tally.service.len(), 3);
            assert_eq!(trial.tally.first_byte.len(), 1);
        }
    }

    #[test]
    fn a_connection_carries_no_more_requests_than_it_may() {
        let mut trial = Trial::new(5, 4);
        assert_eq!(trial.receive(&RIGHT.repeat(4)), Next::Free);
        trial.connection.begin(trial.connection.times, 4, 10);
        assert_eq!(trial.connection.unwritten(), 0..10, "one is left");
        assert_eq!(trial.receive(RIGHT), Next::Close);
        assert_eq!(trial.tally.right, 5);
    }

    /// Every request that was begun ends in exactly one count, whatever happens to its connection.
    #[test]
    fn every_request_is_counted_once() {
        type End = fn(&mut Trial);
        let ends: [(End, Failure); 4] = [
            (Trial::end, Failure::Closed),
            (|trial| trial.connection.lost(Failure::Timeout, &mut trial.tally), Failure::Timeout),
            (|trial| assert_eq!(trial.receive(LAST), Next::Close), Failure::Closed),
            (|trial| assert_eq!(trial.receive(b"rubbish\r\n\r\n"), Next::Close), Failure::Malformed),
        ];
        for (end, failure) in ends {
            let mut trial = Trial::new(u64::MAX, 4);
            assert_eq!(trial.receive(RIGHT), Next::Wait);
            end(&mut trial);
            assert_eq!(trial.tally.right + trial.tally.failed_in_all(), 4);
            assert!(trial.failed(failure) > 0, "{failure:?}");
            assert_eq!(trial.connection.waiting_since(), None);
            trial.end();
            assert_eq!(trial.tally.right + trial.tally.failed_in_all(), 4, "and not twice");
        }
    }

    #[test]
    fn a_reply_that_is_cut_off_is_no_wrong_body() {
        for cut in 1..RIGHT.len() {
            let mut trial = Trial::new(u64::MAX, 1);
            assert_eq!(trial.receive(&RIGHT[..cut]), Next::Wait);
            trial.end();
            let failed = (trial.failed(Failure::Truncated), trial.tally.failed_in_all());
            assert_eq!(failed, (1, 1), "cut at {cut}");
        }
    }

    /// A body may end with the connection; then the requests behind it will have no reply.
    #[test]
    fn a_reply_that_ends_with_the_connection_is_right() {
        let mut trial = Trial::new(u64::MAX, 3);
        assert_eq!(trial.receive(b"HTTP/1.1 200 OK\r\n\r\npage"), Next::Wait);
        trial.end();
        assert_eq!((trial.tally.right, trial.failed(Failure::Closed), trial.connection.served), (1, 2, true));
        assert_eq!(trial.connection.waiting_since(), None);
    }

    /// The interim reply and the final one in one segment, and in two.
    #[test]
    fn an_interim_reply_answers_nothing() {
        const INTERIM: &[u8] = b"HTTP/1.1 103 Early Hints\r\n\r\n";
        let stream = [INTERIM, INTERIM, RIGHT].concat();
        for cut in 1..stream.len() {
            let mut trial = Trial::new(u64::MAX, 1);
            assert_eq!(trial.receive(&stream[..cut]), Next::Wait, "cut at {cut}");
            assert_eq!(trial.receive(&stream[cut..]), Next::Free, "cut at {cut}");
            assert_eq!((trial.tally.right, trial.tally.failed_in_all()), (1, 0), "cut at {cut}");
        }
        let mut trial = Trial::new(u64::MAX, 1);
        assert_eq!(trial.receive(INTERIM), Next::Wait);
        trial.end();
        assert_eq!((trial.tally.right, trial.failed(Failure::Closed)), (0, 1), "it was not answered");
    }

    #[test]
    fn more_than_was_asked_for_is_no_success() {
        let mut trial = Trial::new(u64::MAX, 1);
        assert_eq!(trial.receive(&[RIGHT, b"!"].concat()), Next::Close);
        assert_eq!((trial.tally.right, trial.failed(Failure::Surplus)), (0, 1));
        let mut trial = Trial::new(u64::MAX, 1);
        assert_eq!((trial.receive(RIGHT), trial.receive(b"!")), (Next::Free, Next::Close));
        assert_eq!((trial.tally.right, trial.failed(Failure::Surplus)), (1, 1));
    }
}
