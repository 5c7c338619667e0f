//! A server that sends back what it receives has no requests and no replies. For the probes a request is a
//! number of bytes that end with CRLF, and its reply is the same bytes.
//!
//! Such a server writes while its client still writes. A client that writes a large request before it reads
//! would wait for the server, and the server for it: so a request that may not fit into the buffers of both
//! kernels is written by a thread of its own.

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{MsgFlags, send};
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd, AsRawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{JoinHandle, spawn};

/// What a request ends with, and a reply.
pub(super) const END: &[u8] = b"\r\n";

/// What both kernels hold at the least, of what nobody reads.
pub(super) const FITS: usize = 8 * 1024;

/// A request whose reply is `body`.
pub(super) fn request(body: &[u8]) -> Vec<u8> {
    [body, END].concat()
}

/// So many bytes that repeat every 64, in short lines: a server that reads a line at a time needs no large
/// buffer.
pub(super) fn filler(length: usize) -> Vec<u8> {
    let line = [[b'x'; 63].as_slice(), b"\n"].concat();
    let mut lines = line.repeat(length.div_ceil(line.len()));
    lines.truncate(length);
    lines
}

/// Writes what a client sends, in order, on a thread of its own.
#[derive(Debug)]
pub(super) struct Feeder {
    /// `None` is the end of what is sent. It is taken away when the client ends.
    queue: Option<Sender<Option<Vec<u8>>>>,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Feeder {
    /// One for this connection.
    pub(super) fn new(stream: TcpStream) -> Self {
        let (queue, waiting) = channel();
        let is_over = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&is_over);
        Self { queue: Some(queue), is_over, thread: Some(spawn(move || feed(&stream, &waiting, &over))) }
    }

    /// Writes these bytes after what was sent before.
    pub(super) fn send(&self, bytes: &[u8]) {
        self.put(Some(bytes.to_vec()));
    }

    /// Shuts the sending side after what was sent before.
    pub(super) fn finish(&self) {
        self.put(None);
    }

    fn put(&self, item: Option<Vec<u8>>) {
        // An error means that the connection is gone, which the next read reports better.
        let _ = self.queue.as_ref().map(|queue| queue.send(item));
    }
}

impl Drop for Feeder {
    /// What is not written yet is given up, so that the connection ends when its client does.
    fn drop(&mut self) {
        // Relaxed: it only says that it is over.
        self.is_over.store(true, Relaxed);
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn feed(stream: &TcpStream, waiting: &Receiver<Option<Vec<u8>>>, is_over: &AtomicBool) {
    /// How often it looks whether it is over, in milliseconds.
    const LOOK: u8 = 5;
    while let Ok(item) = waiting.recv() {
        let Some(bytes) = item else {
            let _ = stream.shutdown(Shutdown::Write);
            continue;
        };
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            if is_over.load(Relaxed) {
                return;
            }
            let mut it = [PollFd::new(stream.as_fd(), PollFlags::POLLOUT)];
            if poll(&mut it, PollTimeout::from(LOOK)) != Ok(1) {
                continue;
            }
            // The socket stays a blocking one for the thread that reads.
            match send(stream.as_raw_fd(), rest, MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL) {
                Ok(count) => rest = &rest[count..],
                Err(Errno::EAGAIN | Errno::EINTR) => {}
                Err(_) => return,
            }
        }
    }
}
