//! The sub reactors, as the main reactor sees them: it chooses one for each connection, and hands it over.

use crate::event_loop::{EventLoop, Parts};
use crate::log::{Level, Log};
use crate::remote::Remote;
use kit::clock::Clock;
use kit::shutdown::DRAIN_SECONDS;
use kit::words::say;
use std::convert::Infallible;
use std::io;
use std::os::fd::OwnedFd;
use std::process::exit;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

/// Before the process is ended for what does not end by itself (see [`kit::shutdown`]), the log must be written.
const LAST_LINES: Duration = Duration::from_millis(200);

/// All sub reactors.
pub struct Loops {
    seats: Vec<Seat>,
    /// The loop that gets the next connection.
    next: usize,
    /// Nothing is ever sent: its last sender is dropped when the last loop has ended.
    ended: Receiver<Infallible>,
}

/// One of them.
struct Seat {
    remote: Remote<EventLoop>,
    open: Arc<AtomicUsize>,
    /// Connections of the present batch that it will get.
    chosen: Vec<OwnedFd>,
}

impl Loops {
    /// Starts `count` loops, each in a thread of its own.
    ///
    /// # Errors
    /// When descriptors or threads run out.
    pub fn start(count: usize, parts: &Parts) -> io::Result<Self> {
        let (alive, ended) = channel();
        let seats = (0..count).map(|_| Seat::start(parts, alive.clone())).collect::<io::Result<_>>()?;
        Ok(Self { seats, next: 0, ended })
    }

    /// How many connections all of them have.
    pub fn open(&self) -> usize {
        self.seats.iter().map(|seat| seat.open.load(Relaxed)).sum()
    }

    // ANCHOR: hand-out
    /// Chooses the next loop for a connection, for good.
    pub fn choose(&mut self, socket: OwnedFd) {
        let seat = &mut self.seats[self.next];
        // Relaxed: a count for a limit. What the loop must see of the socket is handed over under the queue's lock.
        seat.open.fetch_add(1, Relaxed);
        seat.chosen.push(socket);
        self.next = (self.next + 1) % self.seats.len();
    }

    /// Gives each loop what was chosen for it: a lock and a wake-up for each loop, and not for each connection.
    pub fn hand_out(&mut self) {
        for seat in self.seats.iter_mut().filter(|seat| !seat.chosen.is_empty()) {
            let sockets = std::mem::take(&mut seat.chosen);
            seat.remote
                .queue_in_loop(|event_loop| sockets.into_iter().for_each(|socket| event_loop.adopt(socket)));
        }
    }
    // ANCHOR_END: hand-out

    /// Tells the loops that nothing will come any more. They hear of it in the queue in which the connections are, hence
    /// after the last of these.
    pub fn stop(&self) {
        self.seats.iter().for_each(|seat| seat.remote.queue_in_loop(EventLoop::stop));
    }

    /// Waits until all have ended, but not longer than leaves time to write the log: a request may sleep for longer.
    pub fn wait(self) {
        let end = Instant::now() + Duration::from_secs(u64::from(DRAIN_SECONDS)) - LAST_LINES;
        let _ = self.ended.recv_timeout(end.saturating_duration_since(Instant::now()));
    }
}

impl Seat {
    /// `alive` is dropped when the loop has ended.
    fn start(parts: &Parts, alive: Sender<Infallible>) -> io::Result<Self> {
        let event_loop = EventLoop::new(parts.clone())?;
        let seat = Self { remote: event_loop.remote(), open: event_loop.open(), chosen: Vec::new() };
        let log = Arc::clone(&parts.log);
        thread::Builder::new().name("loop".to_owned()).spawn(move || {
            let (_alive, vital) = (alive, Vital(log));
            match event_loop.serve() {
                // As it should: there is nothing to raise the alarm for.
                Ok(()) => std::mem::forget(vital),
                Err(error) => say(format_args!("error: {error}")),
            }
        })?;
        Ok(seat)
    }
}

/// Without one of its loops a server would go on, and leave each n-th connection without an answer: it is better to end.
struct Vital(Arc<Log>);

impl Drop for Vital {
    /// The loop has failed, or panicked.
    fn drop(&mut self) {
        let date = &Clock::new().last().date.to_owned();
        self.0.note(Level::Error, date, format_args!("a loop has failed: the server ends"));
        self.0.close();
        exit(1);
    }
}
