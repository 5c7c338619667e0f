//! What several threads of a probe share of one connection: a handle, and how long a reply may be.

use crate::probes::profile;
use crate::probes::routes::{SMALL_BODY, longest_body};
use crate::probes::transcript::Log;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Instant;

/// The longest body that a right server sends on a connection, by what it was asked for so far. A clone
/// counts into the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Longest(std::sync::Arc<std::sync::Mutex<(Vec<u8>, u64, u64)>>);

impl Longest {
    /// So many bytes of what was sent are looked at again, for a request that comes in pieces.
    const CARRIED: usize = 64;

    pub(super) fn asked(&self, bytes: &[u8]) {
        let mut guard = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let (carried, sent, asked) = &mut *guard;
        *sent += bytes.len() as u64;
        if profile::current().is_echo() {
            return;
        }
        carried.extend_from_slice(bytes);
        *asked = longest_body(carried).max(*asked);
        carried.drain(..carried.len().saturating_sub(Self::CARRIED));
    }

    /// What was sent may come back.
    pub(super) fn bytes(&self) -> u64 {
        let guard = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        // A 408 answers nothing at all.
        guard.1.saturating_add(guard.2.max(SMALL_BODY))
    }
}

/// A second handle of a connection, for reading and writing at once. What goes through it stands in the
/// transcript as well.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(super) stream: TcpStream,
    pub(super) log: Log,
    pub(super) longest: Longest,
}

impl Stream {
    pub(crate) fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        if how != Shutdown::Read {
            self.log.finished();
        }
        self.stream.shutdown(how)
    }
}

impl std::ops::Deref for Stream {
    type Target = TcpStream;

    fn deref(&self) -> &TcpStream {
        &self.stream
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let sent = self.stream.write(bytes)?;
        self.longest.asked(&bytes[..sent]);
        self.log.sent(&bytes[..sent]);
        Ok(sent)
    }

    /// One event of the transcript, however many writes it takes; what was cut short is told.
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.longest.asked(bytes);
        self.log.sent(bytes);
        self.stream.write_all(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.stream.read(buffer)?;
        match length {
            0 => self.log.ended(),
            _ => self.log.received(&buffer[..length], Instant::now()),
        }
        Ok(length)
    }
}
