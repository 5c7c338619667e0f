//! What a probe sent and received, with times, kept within bounds: a probe of 10,000 connections and one of
//! 16 MiB cost a few hundred KiB.
//!
//! A [`Recorder`] belongs to one run of a probe; every connection writes into it through its [`Log`]. Time is
//! counted from the first connection, and connections are named by letters.

use super::payload::Payload;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The first events of a run that are kept whatever follows.
const FIRST_EVENTS: usize = 32;
/// The last events that are kept.
const LAST_EVENTS: usize = 256;
/// What is kept of a reply: its head and the first bytes of its body.
const KEPT_BYTES: usize = 512;
/// Pieces of at most so many bytes that follow each other are one event: a request that dribbles.
const DRIBBLE: u64 = 8;

/// What happened on a connection, or beside all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// So many connections were made, one after the other; the first of them has the event's letter.
    Connected(u32),
    /// A connection was made that takes little at a time.
    ConnectedNarrow,
    /// A connection could not be made, and why.
    NotConnected(String),
    /// Bytes left, in so many writes.
    Sent { payload: Payload, pieces: u32 },
    /// The same bytes were sent again, so many times.
    SentAgain(u64),
    /// Bytes came; `is_whole` once they are a whole reply.
    Received { kept: Vec<u8>, total: u64, is_whole: bool },
    /// Nothing came for so long.
    Waited(Duration),
    /// The probe has shut its sending side.
    Finished,
    /// The probe has closed in order.
    Closed,
    /// The probe has closed with a reset.
    Reset,
    /// The server has ended its side.
    Ended,
    /// The server has reset the connection.
    WasReset,
    /// Something beside the connections: a signal, an exit status.
    Note(String),
}

/// One event.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    /// When it began, since the first connection.
    pub(crate) at: Duration,
    /// When the last of it came.
    pub(crate) until: Duration,
    /// Which connection, by number; `None` for a note.
    pub(crate) connection: Option<u32>,
    pub(crate) what: What,
}

#[derive(Debug, Default)]
struct Events {
    begun: Option<Instant>,
    connections: u32,
    first: Vec<Event>,
    last: VecDeque<Event>,
    dropped: u64,
}

impl Events {
    fn now(&mut self, at: Instant) -> Duration {
        at.saturating_duration_since(*self.begun.get_or_insert(at))
    }

    fn push(&mut self, event: Event) {
        if self.first.len() < FIRST_EVENTS {
            return self.first.push(event);
        }
        if self.last.len() == LAST_EVENTS {
            self.last.pop_front();
            self.dropped += 1;
        }
        self.last.push_back(event);
    }

    fn newest(&mut self) -> Option<&mut Event> {
        self.last.back_mut().or(self.first.last_mut())
    }

    /// The newest event of a connection, where it is not too long ago.
    fn newest_of(&mut self, connection: u32) -> Option<&mut Event> {
        let is_its = |event: &&mut Event| event.connection == Some(connection);
        // Far back there are only connections that were silent for long: those begin a new event.
        self.last.iter_mut().rev().chain(self.first.iter_mut().rev()).take(32).find(is_its)
    }
}

/// The events of one run of a probe. A clone writes into the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recorder(Arc<Mutex<Events>>);

thread_local! {
    /// The recorder of the probe that this thread runs.
    static CURRENT: RefCell<Option<Recorder>> = const { RefCell::new(None) };
    /// The connection that this thread has used last: a fault that is found now is about it.
    static LAST_USED: Cell<Option<u32>> = const { Cell::new(None) };
}

/// The connection that this thread has used last.
pub(crate) fn last_used() -> Option<u32> {
    LAST_USED.get()
}

impl Recorder {
    /// Runs `probe` with this recorder as the one of the thread.
    pub(crate) fn during<T>(&self, probe: impl FnOnce() -> T) -> T {
        let before = CURRENT.replace(Some(self.clone()));
        LAST_USED.set(None);
        let result = probe();
        CURRENT.replace(before);
        result
    }

    /// The recorder of the probe that this thread runs, or a new one that nobody reads.
    pub(crate) fn current() -> Self {
        CURRENT.with_borrow(|current| current.clone().unwrap_or_default())
    }

    fn events(&self) -> MutexGuard<'_, Events> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection was made.
    pub(crate) fn connected(&self) -> Log {
        self.has_connected(What::Connected(1))
    }

    /// A connection was made that takes little at a time.
    pub(crate) fn connected_narrow(&self) -> Log {
        self.has_connected(What::ConnectedNarrow)
    }

    fn has_connected(&self, what: What) -> Log {
        let mut events = self.events();
        let at = events.now(Instant::now());
        let id = events.connections;
        events.connections += 1;
        match events.newest() {
            Some(Event { until, what: What::Connected(count), .. }) if what == What::Connected(1) => {
                (*until, *count) = (at, *count + 1);
            }
            _ => events.push(Event { at, until: at, connection: Some(id), what }),
        }
        LAST_USED.set(Some(id));
        Log { recorder: self.clone(), id }
    }

    /// A connection could not be made.
    pub(crate) fn not_connected(&self, why: &str) {
        let mut events = self.events();
        let at = events.now(Instant::now());
        let id = events.connections;
        events.connections += 1;
        let what = What::NotConnected(why.to_owned());
        events.push(Event { at, until: at, connection: Some(id), what });
    }

    /// Something beside the connections.
    pub(crate) fn note(&self, text: impl Into<String>) {
        let mut events = self.events();
        let at = events.now(Instant::now());
        events.push(Event { at, until: at, connection: None, what: What::Note(text.into()) });
    }

    /// The events that were kept, and after how many of them so many others were dropped.
    pub(crate) fn kept(&self) -> (Vec<Event>, Option<(usize, u64)>) {
        let events = self.events();
        let gap = (events.dropped > 0).then_some((events.first.len(), events.dropped));
        (events.first.iter().chain(&events.last).cloned().collect(), gap)
    }
}

/// One connection's way into the recorder.
#[derive(Clone, Debug)]
pub(crate) struct Log {
    recorder: Recorder,
    id: u32,
}

impl Log {
    fn push(&self, what: What) {
        let mut events = self.recorder.events();
        let at = events.now(Instant::now());
        events.push(Event { at, until: at, connection: Some(self.id), what });
        LAST_USED.set(Some(self.id));
    }

    /// These bytes have left, or are about to.
    pub(crate) fn sent(&self, bytes: &[u8]) {
        LAST_USED.set(Some(self.id));
        let added = Payload::of(bytes);
        let mut events = self.recorder.events();
        let now = events.now(Instant::now());
        if let Some(Event { until, connection, what, .. }) = events.newest()
            && *connection == Some(self.id)
        {
            match what {
                What::Sent { payload, pieces }
                    if added.total() <= DRIBBLE && payload.total() <= DRIBBLE * u64::from(*pieces) =>
                {
                    payload.append(added);
                    (*until, *pieces) = (now, *pieces + 1);
                    return;
                }
                What::Sent { payload, pieces: 1 } if *payload == added && added.total() > DRIBBLE => {
                    *until = now;
                    let event =
                        Event { at: now, until: now, connection: Some(self.id), what: What::SentAgain(1) };
                    return events.push(event);
                }
                What::SentAgain(count) => {
                    // The event before this one has what is repeated; a sender of something else is rare.
                    (*until, *count) = (now, *count + 1);
                    return;
                }
                _ => {}
            }
        }
        let what = What::Sent { payload: added, pieces: 1 };
        events.push(Event { at: now, until: now, connection: Some(self.id), what });
    }

    /// These bytes came at `at`, and belong to the reply whose first ones came before, if it is unfinished.
    pub(crate) fn received(&self, bytes: &[u8], at: Instant) {
        LAST_USED.set(Some(self.id));
        if bytes.is_empty() {
            return;
        }
        let mut events = self.recorder.events();
        let at = events.now(at);
        if let Some(Event { until, what: What::Received { kept, total, is_whole: false }, .. }) =
            events.newest_of(self.id)
        {
            kept.extend(bytes.iter().take(KEPT_BYTES - kept.len().min(KEPT_BYTES)));
            *total += bytes.len() as u64;
            *until = at;
            return;
        }
        let kept = bytes[..bytes.len().min(KEPT_BYTES)].to_vec();
        let what = What::Received { kept, total: bytes.len() as u64, is_whole: false };
        events.push(Event { at, until: at, connection: Some(self.id), what });
    }

    /// What came is a whole reply.
    pub(crate) fn whole(&self) {
        if let Some(Event { what: What::Received { is_whole, .. }, .. }) =
            self.recorder.events().newest_of(self.id)
        {
            *is_whole = true;
        }
    }

    /// Nothing came for so long.
    pub(crate) fn waited(&self, limit: Duration) {
        self.push(What::Waited(limit));
    }

    /// The sending side was shut.
    pub(crate) fn finished(&self) {
        self.push(What::Finished);
    }

    /// The probe has closed; `with_reset` if not in order.
    pub(crate) fn closed(&self, with_reset: bool) {
        let used = LAST_USED.get();
        self.push(if with_reset { What::Reset } else { What::Closed });
        // A connection that is dropped behind a fault is not the one that the fault is about.
        LAST_USED.set(used);
    }

    /// The server has ended its side.
    pub(crate) fn ended(&self) {
        self.push(What::Ended);
    }

    /// The server has reset the connection.
    pub(crate) fn was_reset(&self) {
        self.push(What::WasReset);
    }
}

/// The letter of a connection: A to Z, AA and so on.
pub(crate) fn letter(connection: u32) -> String {
    let mut letters = Vec::new();
    let mut rest = connection;
    loop {
        letters.insert(0, b'A' + (rest % 26) as u8);
        match rest / 26 {
            0 => break,
            more => rest = more - 1,
        }
    }
    letters.iter().map(|letter| char::from(*letter)).collect()
}
