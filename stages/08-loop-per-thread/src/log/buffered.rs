//! `--log async`: double buffering, as muduo and seed 003 do it.
//!
//! ```text
//!   loops                                         the writer's thread
//!   append: lock, copy, unlock                    sleep until a buffer is full, or lines are 3 s old
//!     filling: [lines......      ]   -- swap -->  lock, take full and filling, leave empty ones, unlock
//!     full:    [lines][lines]        ---------->  write them to the file, which may take its time
//!     spare:   [ ]                   <----------  lock, give them back, unlock
//! ```
//!
//! The lock is held to copy a few lines or to swap a few pointers, never to write. A loop never waits for the disk: there
//! are four buffers and never more, and when all of them are full, lines are *dropped*, and counted, and the count is
//! written where they are missing. A log that may not lose lines must be able to stop the server; a log that may grow
//! will, one day, take all the memory.
//!
//! A line is *accepted* when it is in a buffer. What is accepted is written before the process ends, unless it is killed
//! (SIGKILL, or a second SIGTERM): then the last 3 s are gone. That, and not speed alone, is what one pays or gets.

use super::{Level, begin, count};
use kit::clock::Clock;
use std::fs::File;
use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How much memory the log may take, and how old a line may become in it.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    /// Bytes in a buffer.
    pub buffer: usize,
    /// How many buffers there are, 2 at least.
    pub buffers: usize,
    /// How long a line waits, at most, for its buffer to become full.
    pub patience: Duration,
}

impl Default for Sizes {
    fn default() -> Self {
        Self { buffer: 1024 * 1024, buffers: 4, patience: Duration::from_secs(3) }
    }
}

/// A file that another thread writes to.
#[derive(Debug)]
pub struct Buffered {
    shared: Arc<Shared>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Shared {
    sizes: Sizes,
    front: Mutex<Front>,
    /// Rung when there is something for the writer.
    bell: Condvar,
}

/// What the loops see.
#[derive(Debug)]
struct Front {
    filling: Vec<u8>,
    /// In the order in which they were filled.
    full: Vec<Vec<u8>>,
    spare: Vec<Vec<u8>>,
    /// Lines that were dropped and not yet told of.
    lost: u64,
    closed: bool,
}

impl Buffered {
    /// A log in `file`.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn new(file: File, sizes: Sizes) -> io::Result<Self> {
        let mut buffers = (0..sizes.buffers.max(2)).map(|_| Vec::with_capacity(sizes.buffer));
        let filling = buffers.next().unwrap_or_default();
        let front = Front { filling, full: Vec::new(), spare: buffers.collect(), lost: 0, closed: false };
        let shared = Arc::new(Shared { sizes, front: Mutex::new(front), bell: Condvar::new() });
        let writer = {
            let shared = Arc::clone(&shared);
            thread::Builder::new().name("log".to_owned()).spawn(move || shared.write(file))?
        };
        Ok(Self { shared, writer: Mutex::new(Some(writer)) })
    }

    // ANCHOR: append
    /// Accepts whole lines, or drops and counts them. Never waits for the file.
    pub fn append(&self, lines: &[u8]) {
        let mut front = self.shared.lock();
        if front.closed || !front.make_room(lines.len(), self.shared.sizes.buffer) {
            front.lost += count(lines);
            return;
        }
        let first = front.filling.is_empty();
        front.filling.extend_from_slice(lines);
        drop(front);
        // The first line begins a buffer's time; and a buffer that became full has just made this one the first.
        if first {
            self.shared.bell.notify_one();
        }
    }
    // ANCHOR_END: append

    /// Writes all that was accepted; how many lines were lost and could not be told of in the file.
    pub fn close(&self) -> u64 {
        self.shared.lock().closed = true;
        self.shared.bell.notify_one();
        if let Some(writer) = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take() {
            let _ = writer.join();
        }
        self.shared.lock().lost
    }
}

impl Front {
    /// Makes room for `length` bytes in the buffer that is being filled, if any buffer has it.
    fn make_room(&mut self, length: usize, most: usize) -> bool {
        if self.filling.len() + length <= most {
            return true;
        }
        let fits = length <= most;
        match self.spare.pop_if(|_| fits) {
            Some(empty) => {
                self.full.push(std::mem::replace(&mut self.filling, empty));
                true
            }
            None => false,
        }
    }

    fn has_nothing(&self) -> bool {
        self.filling.is_empty() && self.full.is_empty() && self.lost == 0
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Front> {
        self.front.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // ANCHOR: swap
    /// Waits for lines and takes them, and the number of those that were dropped; whether these are the last.
    fn swap(&self, taken: &mut Vec<Vec<u8>>) -> (u64, bool) {
        // With nothing to write it sleeps for ever: an idle server uses no CPU.
        let waits = |front: &mut Front| front.has_nothing() && !front.closed;
        let front = self.bell.wait_while(self.lock(), waits).unwrap_or_else(PoisonError::into_inner);
        let fills = |front: &mut Front| front.full.is_empty() && !front.closed;
        let patience = self.sizes.patience;
        let (mut front, _) =
            self.bell.wait_timeout_while(front, patience, fills).unwrap_or_else(PoisonError::into_inner);
        taken.append(&mut front.full);
        // The last one waits if there is no empty one to put in its place: there must not be one more.
        if let Some(empty) = front.spare.pop().or_else(|| front.closed.then(Vec::new)) {
            taken.push(std::mem::replace(&mut front.filling, empty));
        }
        (std::mem::take(&mut front.lost), front.closed)
    }
    // ANCHOR_END: swap

    /// The writer.
    fn write(&self, mut file: File) {
        let (mut taken, mut clock) = (Vec::new(), Clock::new());
        loop {
            let (dropped, last) = self.swap(&mut taken);
            let mut lost = dropped;
            for lines in taken.iter().filter(|lines| !lines.is_empty()) {
                // A full disk: these lines are gone too. (How many of them arrived is not known.)
                if file.write_all(lines).is_err() {
                    lost += count(lines);
                }
            }
            if lost > 0 {
                let mut line = Vec::new();
                begin(&mut line, Level::Warn, &clock.read().date);
                line.extend_from_slice(format!("{lost} lines were lost\n").as_bytes());
                if file.write_all(&line).is_ok() {
                    lost = 0;
                }
            }
            let mut front = self.lock();
            front.lost += lost;
            for mut buffer in taken.drain(..) {
                buffer.clear();
                front.spare.push(buffer);
            }
            if last {
                return;
            }
        }
    }
}
