//! A thread's sockets. Nothing is shared with other threads while the load runs.
//!
//! A socket is registered once, edge-triggered, and then costs one read and one write per batch:
//!
//! * a read that does not fill the buffer has emptied the socket, so no second read asks for `EAGAIN`;
//! * interest in writing is registered only where a write was refused; that happens to a connection that is
//!   not yet established, and to a batch larger than the socket's buffer.

use super::connection::Next;
use super::failure::Failure;
use super::reply::Checker;
use super::schedule::Due;
use super::settings::{Gauge, Settings};
use super::slot::{After, Slot, Socket};
use super::tally::{Tallies, Times};
use lab_core::process::thread_cpu_time;
use mio::event::Event;
use mio::net::TcpStream;
use mio::{Interest, Poll, Token};
use std::io::{Error, ErrorKind, Read, Result, Write};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// How often timeouts are looked for and the counts are published.
pub(super) const TICK: Duration = Duration::from_millis(50);

/// The clients of a thread.
pub(super) struct Worker<'a> {
    pub(super) settings: &'a Settings<'a>,
    gauge: &'a Gauge,
    pub(super) poll: Poll,
    slots: Vec<Slot>,
    buffer: Vec<u8>,
    /// What is right, in the order of the specs: the short cut of one would be no use for another.
    checkers: Vec<Checker>,
    tallies: Tallies,
    next_tick: Instant,
    warm: bool,
    cpu_before: Duration,
}

impl<'a> Worker<'a> {
    pub(super) fn new(settings: &'a Settings<'a>, thread: usize, clients: usize) -> Result<Self> {
        let now = settings.start;
        let specs = settings.specs.iter();
        let checkers = specs.map(|spec| Checker::new(spec.status, spec.expected.clone()));
        Ok(Self {
            settings,
            gauge: &settings.gauges[thread],
            poll: Poll::new()?,
            slots: std::iter::repeat_with(|| Slot::new(now)).take(clients).collect(),
            buffer: vec![0; 64 * 1024],
            checkers: checkers.collect(),
            tallies: Tallies::new(now, settings.specs.len()),
            next_tick: now + TICK,
            warm: false,
            cpu_before: Duration::ZERO,
        })
    }

    pub(super) fn clients(&self) -> usize {
        self.slots.len()
    }

    /// Whether replies are awaited on a slot.
    pub(super) fn waits(&self, at: usize) -> bool {
        self.slots[at].connection.waiting_since().is_some()
    }

    /// When the loop must look at the clock again.
    pub(super) fn wake_at(&self) -> Instant {
        self.next_tick.min(self.settings.end)
    }

    /// Whether the run is over. At the end of the warm-up everything that was counted is forgotten.
    pub(super) fn is_over(&mut self, now: Instant) -> bool {
        if !self.warm && now >= self.settings.measure_from {
            self.start_counting();
        }
        now >= self.settings.end || self.settings.is_stopped()
    }

    /// Forgets everything that was counted.
    pub(super) fn start_counting(&mut self) {
        self.warm = true;
        self.tallies = Tallies::new(self.settings.count_from(), self.settings.specs.len());
        self.slots.iter_mut().for_each(|slot| slot.connection.served = false);
        self.cpu_before = thread_cpu_time();
    }

    /// What was counted so far.
    pub(super) fn tallies(&self) -> &Tallies {
        &self.tallies
    }

    /// Once a tick: times out requests that have waited too long, and publishes the counts. Calls `lost` with
    /// each slot that lost its connection. Returns whether it was time.
    ///
    /// # Errors
    /// `ConnectionRefused` when the first connections were all refused: nothing listens there, and going on
    /// would measure nothing.
    pub(super) fn tick(&mut self, now: Instant, mut lost: impl FnMut(usize)) -> Result<bool> {
        if now < self.next_tick {
            return Ok(false);
        }
        self.next_tick = now + TICK;
        let refused = self.tallies.not_connected.filter(|kind| *kind == ErrorKind::ConnectionRefused);
        if let Some(kind) = refused
            && self.slots.iter().all(|slot| slot.socket.is_none() && !slot.was_connected)
        {
            return Err(kind.into());
        }
        let mut open = 0;
        for (at, slot) in self.slots.iter_mut().enumerate() {
            let waiting = slot.connection.waiting_since();
            if waiting.is_some_and(|since| now.saturating_duration_since(since) > self.settings.args.timeout)
            {
                slot.connection.lost(Failure::Timeout, &mut self.tallies.paths[slot.spec]);
                slot.socket = None;
                lost(at);
            }
            open += u64::from(slot.socket.is_some());
        }
        // For display only: each is right by itself, and they need not be consistent with each other.
        self.gauge.right.store(self.tallies.right(), Ordering::Relaxed);
        self.gauge.failed.store(self.tallies.failed(), Ordering::Relaxed);
        self.gauge.open.store(open, Ordering::Relaxed);
        Ok(true)
    }

    /// Sends the next batch on a slot that can send, on a new connection if it has none; from `ready` on it
    /// could have been sent.
    pub(super) fn begin(&mut self, at: usize, due: Due, ready: Instant, now: Instant) -> After {
        let slot = &mut self.slots[at];
        let times = Times { intended: due.intended, sent: now };
        slot.spec = self.settings.spec_of(due.number);
        let length = self.settings.specs[slot.spec].request_length;
        let is_new = slot.socket.is_none();
        if is_new {
            slot.connection.reopen(self.settings.args.requests_per_connection());
        }
        slot.connection.begin(times, self.settings.args.pipeline, length);
        let tally = &mut self.tallies.paths[slot.spec];
        tally.sent(times, ready);
        if is_new {
            self.tallies.opened += 1;
            slot.was_tried = true;
            let stream = TcpStream::connect(self.settings.addr);
            // Else the end of a batch that took two writes would wait for the server's acknowledgement.
            let stream = match stream.and_then(|stream| stream.set_nodelay(true).map(|()| stream)) {
                Ok(stream) => stream,
                Err(error) => {
                    self.tallies.not_connected = Some(error.kind());
                    slot.connection.lost(Failure::Connect, tally);
                    return After::Refused;
                }
            };
            slot.socket = Some(Socket { stream, interest: None, established: false });
        }
        self.write(at)
    }

    /// Something happened to a socket. Afterwards it is empty, or gone.
    pub(super) fn handle_event(&mut self, at: usize, event: &Event) -> After {
        let has_ended = event.is_read_closed();
        if !self.slots[at].connection.unwritten().is_empty() {
            let after = self.write(at);
            let connects = self.slots[at].socket.as_ref().is_some_and(|socket| !socket.established);
            if after != After::Busy || connects {
                return after;
            }
        }
        let slot = &mut self.slots[at];
        let mut after = After::Busy;
        // A slot whose connection was closed in this turn has no socket, and its registration went with it.
        while let Some(socket) = &mut slot.socket {
            match socket.stream.read(&mut self.buffer) {
                Ok(0) => {
                    let waits = slot.connection.waiting_since().is_some();
                    let tally = &mut self.tallies.paths[slot.spec];
                    slot.connection.ended(Instant::now(), &self.checkers[slot.spec], tally);
                    slot.socket = None;
                    return if waits { After::Lost } else { After::Free };
                }
                Ok(count) => {
                    // Read after the socket: the time of the reply, and of the request that follows it.
                    let now = Instant::now();
                    self.tallies.bytes += count as u64;
                    let input = &self.buffer[..count];
                    let checker = &mut self.checkers[slot.spec];
                    match slot.connection.receive(input, now, checker, &mut self.tallies.paths[slot.spec]) {
                        Next::Wait => {}
                        Next::Free => after = After::Free,
                        Next::Close => {
                            slot.socket = None;
                            return After::Free;
                        }
                    }
                    // After a short read the socket is empty, unless what is left is its end.
                    if count < self.buffer.len() && !has_ended {
                        return after;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return after,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return self.fail(at, Failure::Read, &error),
            }
        }
        after
    }

    fn write(&mut self, at: usize) -> After {
        let slot = &mut self.slots[at];
        let Some(socket) = &mut slot.socket else { return After::Free };
        let batch = &self.settings.specs[slot.spec].batch;
        let mut refused = false;
        while !refused && !slot.connection.unwritten().is_empty() {
            match socket.stream.write(&batch[slot.connection.unwritten()]) {
                Ok(count) => {
                    (socket.established, slot.was_connected) = (true, true);
                    slot.connection.wrote(count);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => refused = true,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return self.fail(at, Failure::Write, &error),
            }
        }
        let both = Interest::READABLE | Interest::WRITABLE;
        let wanted = if refused { both } else { Interest::READABLE };
        let registry = self.poll.registry();
        // Registering reports what is ready already, so nothing is missed by registering late.
        let registered = match socket.interest {
            None => registry.register(&mut socket.stream, Token(at), wanted),
            Some(interest) if refused && interest != both => {
                registry.reregister(&mut socket.stream, Token(at), wanted)
            }
            Some(_) => return After::Busy,
        };
        socket.interest = Some(wanted);
        match registered {
            Err(error) => self.fail(at, Failure::Connect, &error),
            Ok(()) => After::Busy,
        }
    }

    fn fail(&mut self, at: usize, failure: Failure, error: &Error) -> After {
        let slot = &mut self.slots[at];
        let established = slot.socket.as_ref().is_some_and(|socket| socket.established);
        let waits = slot.connection.waiting_since().is_some();
        if !established {
            self.tallies.not_connected = Some(error.kind());
        }
        let failure = if established { failure } else { Failure::Connect };
        slot.connection.lost(failure, &mut self.tallies.paths[slot.spec]);
        slot.socket = None;
        match (established, waits) {
            (false, _) => After::Refused,
            (true, true) => After::Lost,
            (true, false) => After::Free,
        }
    }

    /// The counts, with what was unanswered at the end, which is `now`.
    pub(super) fn finish(mut self, now: Instant) -> Tallies {
        for slot in &mut self.slots {
            slot.connection.abort(now, &mut self.tallies.paths[slot.spec]);
            self.tallies.served += u64::from(slot.connection.served);
            let was_needed = slot.was_tried || self.settings.is_closed_loop();
            self.tallies.never_connected += u64::from(was_needed && !slot.was_connected);
        }
        self.tallies.note(self.checkers);
        self.tallies.cpu = thread_cpu_time().saturating_sub(self.cpu_before);
        self.tallies
    }
}
