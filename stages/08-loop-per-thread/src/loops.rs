//! The sub reactors, as the main reactor sees them: it chooses one for each connection, and hands it over.

use crate::event_loop::{EventLoop, Parts};
use crate::remote::Remote;
use access_log::{Level, Log};
use kit::clock::Clock;
use kit::stderr::log_stderr;
use std::convert::Infallible;
use std::io;
use std::os::fd::OwnedFd;
use std::process::exit;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

/// All sub reactors.
pub struct Loops {
    handles: Vec<LoopHandle>,
    /// The loop that gets the next connection.
    next: usize,
    /// Nothing is ever sent: its last sender is dropped when the last loop has ended.
    ended: Receiver<Infallible>,
}

/// One of them.
struct LoopHandle {
    remote: Remote<EventLoop>,
    open: Arc<AtomicUsize>,
    /// Connections of the present batch that it will get.
    chosen: Vec<OwnedFd>,
}

impl Loops {
    /// Starts `count` loops, each in a thread of its own.
    ///
    /// # Errors
    /// Which system call failed, or which thread cannot be started.
    pub fn start(count: usize, parts: &Parts) -> io::Result<Self> {
        let (alive, ended) = channel();
        let start = |index| LoopHandle::start(index, parts, alive.clone());
        Ok(Self { handles: (0..count).map(start).collect::<io::Result<_>>()?, next: 0, ended })
    }

    /// How many connections all of them have.
    pub fn open(&self) -> usize {
        self.handles.iter().map(|handle| handle.open.load(Relaxed)).sum()
    }

    // ANCHOR: hand-out
    /// Chooses the next loop for a connection, for good.
    pub fn choose(&mut self, socket: OwnedFd) {
        let handle = &mut self.handles[self.next];
        // Relaxed: a count for a limit. The socket itself is handed over under the queue's lock.
        handle.open.fetch_add(1, Relaxed);
        handle.chosen.push(socket);
        self.next = (self.next + 1) % self.handles.len();
    }

    /// Hands each loop what was chosen for it: a lock and a wake-up for each loop, not for each connection.
    pub fn hand_out(&mut self) {
        for handle in self.handles.iter_mut().filter(|handle| !handle.chosen.is_empty()) {
            let sockets = std::mem::take(&mut handle.chosen);
            handle.remote.queue_in_loop(|event_loop| {
                sockets.into_iter().for_each(|socket| event_loop.register(socket));
            });
        }
    }
    // ANCHOR_END: hand-out

    /// Tells the loops that no more connections will come. The message waits in the same queue as the
    /// connections, hence behind the last of these.
    pub fn finish(&self) {
        self.handles.iter().for_each(|handle| handle.remote.queue_in_loop(EventLoop::finish));
    }

    /// Waits until all have ended, but not longer than `time`: a request may sleep for longer.
    pub fn wait(&self, time: Duration) {
        let _ = self.ended.recv_timeout(time);
    }
}

impl LoopHandle {
    /// `alive` is dropped when the loop has ended.
    fn start(index: usize, parts: &Parts, alive: Sender<Infallible>) -> io::Result<Self> {
        let event_loop = EventLoop::new(parts.clone())?;
        let handle = Self { remote: event_loop.remote(), open: event_loop.open(), chosen: Vec::new() };
        let (name, log) = (format!("loop-{index}"), Arc::clone(&parts.log));
        let started = thread::Builder::new().name(name.clone()).spawn(move || {
            let (_alive, guard) = (alive, ExitOnDrop(log));
            match event_loop.serve() {
                // The server was told to stop: the thread may end.
                Ok(()) => std::mem::forget(guard),
                Err(error) => log_stderr(format_args!("error: {error}")),
            }
        });
        match started {
            Ok(_) => Ok(handle),
            Err(error) => {
                Err(io::Error::new(error.kind(), format!("cannot start the thread {name}: {error}")))
            }
        }
    }
}

/// Ends the process when it is dropped: a panic drops it too. Without one of its loops the server would go on
/// and leave each n-th connection without an answer.
struct ExitOnDrop(Arc<Log>);

impl Drop for ExitOnDrop {
    fn drop(&mut self) {
        let date = &Clock::new().last().date.to_owned();
        self.0.note(Level::Error, date, format_args!("a loop has failed: the server ends"));
        self.0.close();
        exit(1);
    }
}
