//! A stage without sockets: it hands bytes to the protocol, runs work and drains the write buffer.

use kit::clock::LoopContext;
use kit::protocol::http::{Http, Settings};
use kit::protocol::work::{Answer, Job, Outcome};
use kit::protocol::{Phase, Protocol};
use kit::write_buffer::{Body, WriteBuffer};
use nix::errno::Errno;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// The time at which all tests run: later than any file.
pub(crate) const DATE: &[u8; 29] = b"Fri, 01 Jan 2100 00:00:00 GMT";
/// The same in seconds since 1970.
const SECOND: i64 = 4_102_444_800;

/// That time, as a protocol is told it.
pub(crate) fn now() -> LoopContext {
    LoopContext { ms: 0, draining: false, second: SECOND, date: *DATE }
}

/// What a peer, and the server itself, have seen of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    /// All replies.
    pub(crate) wire: Vec<u8>,
    /// Bytes that the protocol took.
    pub(crate) taken: usize,
    /// It said Close, and whether to linger.
    pub(crate) closed: Option<bool>,
    /// Where it stands.
    pub(crate) phase: Phase,
}

/// One connection of a server.
pub(crate) struct Stage {
    http: Http,
    input: Vec<u8>,
    out: WriteBuffer,
    /// The time, as the next call is told it.
    pub(crate) now: LoopContext,
    /// What each opening of a file fails with, if it shall fail.
    pub(crate) open_fails: Option<Errno>,
    /// `now.draining` from the moment on at which work runs.
    pub(crate) drain_during_work: bool,
    wire: Vec<u8>,
    taken: usize,
    closed: bool,
}

impl Stage {
    pub(crate) fn new(settings: &Arc<Settings>) -> Self {
        Self {
            http: Http::new(settings.clone()),
            input: Vec::new(),
            out: WriteBuffer::default(),
            now: now(),
            open_fails: None,
            drain_during_work: false,
            wire: Vec::new(),
            taken: 0,
            closed: false,
        }
    }

    /// Bytes arrive. Runs until more are needed or the conversation is over.
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
        // Each call but the last must take a byte, send a byte or finish a request, so this is generous.
        let max_calls = 8 + 4 * self.input.len();
        for _ in 0..max_calls {
            let (used, work) = self.http.receive(&self.input, &mut self.out, &self.now);
            self.input.drain(..used);
            self.taken += used;
            let closing = self.http.phase() == Phase::Closing;
            assert!(!self.closed || closing && work.is_none(), "a conversation that was over went on");
            if let Some(work) = work {
                self.now.draining |= self.drain_during_work;
                let answer = match (&work.job, self.open_fails) {
                    (Job::Open { .. }, Some(errno)) => {
                        Answer { outcome: Outcome::Opened(Err(errno)), ticket: work.ticket }
                    }
                    (Job::Open { .. }, None) => work.run(),
                    // There is no need to wait in a test.
                    (Job::Sleep(_) | Job::Spin(_), _) => {
                        Answer { outcome: Outcome::Waited, ticket: work.ticket }
                    }
                };
                self.http.finish(answer, &mut self.out, &self.now);
            } else if closing && self.input.is_empty() {
                self.closed = true;
                return self.drain();
            } else if self.out.is_full() {
                self.drain();
            } else if !closing {
                return self.drain();
            }
        }
        panic!("{max_calls} calls and no end");
    }

    /// The deadline has passed.
    pub(crate) fn expire(&mut self) {
        self.http.expire(&mut self.out, &self.now);
        self.drain();
        self.feed(b"");
    }

    pub(crate) fn seen(&self) -> Seen {
        Seen {
            wire: self.wire.clone(),
            taken: self.taken,
            closed: self.closed.then(|| self.http.must_linger()),
            phase: self.http.phase(),
        }
    }

    /// The replies so far.
    pub(crate) fn wire(&self) -> &[u8] {
        &self.wire
    }

    fn drain(&mut self) {
        let mut buffer = [0; 4096];
        while !self.out.is_empty() {
            let (bytes, body) = self.out.parts();
            self.wire.extend_from_slice(bytes);
            let mut sent = bytes.len();
            match body {
                Some(Body::File { file, offset, left }) => {
                    let max = buffer.len().min(*left as usize);
                    let read = file.read_at(&mut buffer[..max], *offset).unwrap();
                    assert!(read > 0, "the file shrank");
                    self.wire.extend_from_slice(&buffer[..read]);
                    sent += read;
                }
                Some(body @ Body::Pattern { .. }) => {
                    self.wire.extend_from_slice(body.filler());
                    sent += body.filler().len();
                }
                None => {}
            }
            self.out.advance(sent);
        }
    }
}

/// What comes of bytes that arrive in these pieces.
pub(crate) fn converse<'a>(settings: &Arc<Settings>, pieces: impl IntoIterator<Item = &'a [u8]>) -> Seen {
    let mut stage = Stage::new(settings);
    for piece in pieces {
        stage.feed(piece);
    }
    stage.seen()
}
