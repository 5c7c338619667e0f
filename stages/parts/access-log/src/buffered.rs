//! `--log async`: double buffering, as muduo and source 003 do it.
//!
//! ```text
//!   loops                                         the writer's thread
//!   append: lock, copy, unlock                    sleep until a buffer is full, or lines are 3 s old
//!     filling: [lines......      ]   -- swap -->  lock, take full and filling, leave empty ones, unlock
//!     full:    [lines][lines]        ---------->  write them to the file, which may take its time
//!     spare:   [ ]                   <----------  lock, put them back, unlock
//! ```
//!
//! The lock is held to copy a few lines or to swap a few pointers, never to write. A loop never waits for the
//! disk: there are four buffers and never more, and when all of them are full, lines are *dropped*, and
//! counted, and the count is written where they are missing. A log that may not lose lines must be able to
//! stop the server; a log that may grow will, one day, take all the memory.
//!
//! A line is *accepted* when it is in a buffer. What is accepted is written before the process ends, unless
//! it is killed (SIGKILL, or a second SIGTERM): then the last 3 s are gone. That is the price, and the loop's
//! time is what it buys.

use crate::line_file::LineFile;
use crate::{Level, begin, count};
use kit::clock::Clock;
use std::fs::File;
use std::io;
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
    pub max_age: Duration,
}

impl Default for Sizes {
    fn default() -> Self {
        Self { buffer: 1024 * 1024, buffers: 4, max_age: Duration::from_secs(3) }
    }
}

/// A file that another thread writes to.
#[derive(Debug)]
pub struct Buffered {
    queue: Arc<BufferQueue>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

/// What the loops and the writer share.
#[derive(Debug)]
struct BufferQueue {
    sizes: Sizes,
    state: Mutex<QueueState>,
    /// Notified when there is something for the writer.
    has_lines: Condvar,
}

/// Where each buffer is.
#[derive(Debug)]
struct QueueState {
    filling: Vec<u8>,
    /// In the order in which they were filled.
    full: Vec<Vec<u8>>,
    spare: Vec<Vec<u8>>,
    /// Lines that were dropped and not yet reported.
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
        let state =
            QueueState { filling, full: Vec::new(), spare: buffers.collect(), lost: 0, closed: false };
        let queue = Arc::new(BufferQueue { sizes, state: Mutex::new(state), has_lines: Condvar::new() });
        let (file, shared) = (LineFile::new(file), Arc::clone(&queue));
        let writer = thread::Builder::new().name("log".to_owned()).spawn(move || shared.write(file));
        let named =
            |error: io::Error| io::Error::new(error.kind(), format!("cannot start the thread log: {error}"));
        Ok(Self { queue, writer: Mutex::new(Some(writer.map_err(named)?)) })
    }

    // ANCHOR: append
    /// Accepts whole lines, or drops and counts them. Never waits for the file.
    pub fn append(&self, lines: &[u8]) {
        let mut state = self.queue.lock();
        if state.closed || !state.make_room(lines.len(), self.queue.sizes.buffer) {
            state.lost += count(lines);
            return;
        }
        let first = state.filling.is_empty();
        state.filling.extend_from_slice(lines);
        drop(state);
        // The first line begins a buffer's time; and a buffer that became full has just made this one the
        // first.
        if first {
            self.queue.has_lines.notify_one();
        }
    }
    // ANCHOR_END: append

    /// Writes all that was accepted; returns how many lines were lost and could not be reported in the file.
    pub fn close(&self) -> u64 {
        self.queue.lock().closed = true;
        self.queue.has_lines.notify_one();
        if let Some(writer) = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take() {
            let _ = writer.join();
        }
        self.queue.lock().lost
    }
}

impl QueueState {
    /// Makes room for `length` bytes in the buffer that is being filled, if any buffer has it.
    fn make_room(&mut self, length: usize, max: usize) -> bool {
        if self.filling.len() + length <= max {
            return true;
        }
        let fits = length <= max;
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

impl BufferQueue {
    fn lock(&self) -> MutexGuard<'_, QueueState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // ANCHOR: swap
    /// Waits for lines and takes them; returns how many were dropped, and whether these are the last.
    fn swap(&self, taken: &mut Vec<Vec<u8>>) -> (u64, bool) {
        // With nothing to write it sleeps for ever: an idle server uses no CPU.
        let waits = |state: &mut QueueState| state.has_nothing() && !state.closed;
        let state = self.has_lines.wait_while(self.lock(), waits).unwrap_or_else(PoisonError::into_inner);
        let fills = |state: &mut QueueState| state.full.is_empty() && !state.closed;
        let waited = self.has_lines.wait_timeout_while(state, self.sizes.max_age, fills);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        taken.append(&mut state.full);
        // The last one waits if there is no empty one to put in its place: there must not be one more.
        if let Some(empty) = state.spare.pop().or_else(|| state.closed.then(Vec::new)) {
            taken.push(std::mem::replace(&mut state.filling, empty));
        }
        (std::mem::take(&mut state.lost), state.closed)
    }
    // ANCHOR_END: swap

    /// The writer.
    fn write(&self, mut file: LineFile) {
        let (mut taken, mut clock) = (Vec::new(), Clock::new());
        loop {
            let (dropped, last) = self.swap(&mut taken);
            let mut lost = dropped + taken.iter().map(|lines| file.write(lines)).sum::<u64>();
            if lost > 0 {
                let mut line = Vec::new();
                begin(&mut line, Level::Warn, &clock.read().date);
                line.extend_from_slice(format!("{lost} lines were lost\n").as_bytes());
                if file.write(&line) == 0 {
                    lost = 0;
                }
            }
            let mut state = self.lock();
            state.lost += lost;
            for mut buffer in taken.drain(..) {
                buffer.clear();
                state.spare.push(buffer);
            }
            if last {
                return;
            }
        }
    }
}
