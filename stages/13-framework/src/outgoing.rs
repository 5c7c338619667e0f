//! What waits to be sent on one connection: packets, in order, each sent as a whole before the next begins.
//!
//! ```text
//!   front                                                       back
//!   [ begun, `sent` bytes of it | urgent | urgent | packet | packet ]
//!                                ^ write_urgent puts its packet here
//! ```

use crate::hooks::Hooks;
use crate::packet::Packet;
use kit::socket::{MAX_WRITE, send_file};
use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, sendmsg};
use nix::sys::uio::pread;
use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::os::fd::{AsRawFd, BorrowedFd};

/// How many packets leave in one call.
const MAX_PACKETS: usize = 16;
/// How much of a file is given to a hook at once.
const PIECE: usize = 16 * 1024;

/// The queue of one connection.
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    packets: VecDeque<Packet>,
    /// Bytes of the front packet that have left.
    sent: u64,
    /// Packets at the front that are urgent, or begun.
    ahead: usize,
    /// Bytes of memory that wait: those of files do not count.
    queued: usize,
}

impl Outgoing {
    pub(crate) fn is_empty(&self) -> bool {
        self.packets.is_empty()
    }

    /// Bytes of memory that wait.
    pub(crate) fn queued(&self) -> usize {
        self.queued
    }

    pub(crate) fn push(&mut self, packet: Packet, urgent: bool) {
        if packet.len() == 0 {
            return;
        }
        self.queued += packet.bytes().len();
        if urgent {
            self.ahead = self.ahead.max(usize::from(self.sent > 0));
            self.packets.insert(self.ahead, packet);
            self.ahead += 1;
        } else {
            self.packets.push_back(packet);
        }
    }

    /// Sends what the socket takes. Returns whether any byte has left.
    ///
    /// # Errors
    /// `WouldBlock` when the socket has no room for the rest; `EIO` when a file is shorter than was promised;
    /// what send(2) and sendfile(2) say.
    pub(crate) fn flush(
        &mut self,
        socket: BorrowedFd<'_>,
        mut hooks: Option<&mut (dyn Hooks + 'static)>,
    ) -> (bool, io::Result<()>) {
        let mut moved = false;
        while !self.is_empty() {
            let sent = match &mut hooks {
                Some(hooks) => self.send_through(socket, &mut **hooks),
                None => self.send(socket).map_err(io::Error::from),
            };
            match sent {
                Ok(0) => return (moved, Err(Errno::EAGAIN.into())),
                Ok(count) => self.advance(count as u64),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return (moved, Err(error)),
            }
            moved = true;
        }
        (moved, Ok(()))
    }

    /// One system call.
    fn send(&self, socket: BorrowedFd<'_>) -> nix::Result<usize> {
        if let Packet::File { file, offset, length } = &self.packets[0] {
            let left = (length - self.sent).min(MAX_WRITE as u64) as usize;
            return match send_file(socket, file, offset + self.sent, left)? {
                0 => Err(Errno::EIO),
                count => Ok(count),
            };
        }
        let of_memory = self.packets.iter().take_while(|packet| !matches!(packet, Packet::File { .. }));
        let mut slices = [IoSlice::new(&[]); MAX_PACKETS];
        let mut count = 0;
        for (slice, packet) in slices.iter_mut().zip(of_memory) {
            let begin = if count == 0 { self.sent as usize } else { 0 };
            *slice = IoSlice::new(&packet.bytes()[begin..]);
            count += 1;
        }
        sendmsg::<()>(socket.as_raw_fd(), &slices[..count], &[], MsgFlags::MSG_NOSIGNAL, None)
    }

    fn send_through(&self, socket: BorrowedFd<'_>, hooks: &mut dyn Hooks) -> io::Result<usize> {
        match &self.packets[0] {
            Packet::File { file, offset, length } => {
                let mut piece = [0; PIECE];
                let wanted = (length - self.sent).min(PIECE as u64) as usize;
                match pread(file, &mut piece[..wanted], (offset + self.sent) as i64)? {
                    0 => Err(Errno::EIO.into()),
                    count => hooks.write(socket, &piece[..count]),
                }
            }
            packet => hooks.write(socket, &packet.bytes()[self.sent as usize..]),
        }
    }

    /// `count` bytes have left.
    fn advance(&mut self, mut count: u64) {
        while let Some(front) = self.packets.front() {
            let left = front.len() - self.sent;
            if count < left {
                self.sent += count;
                if !front.bytes().is_empty() {
                    self.queued -= count as usize;
                }
                return;
            }
            if !front.bytes().is_empty() {
                self.queued -= left as usize;
            }
            (count, self.sent) = (count - left, 0);
            self.ahead = self.ahead.saturating_sub(1);
            self.packets.pop_front();
        }
        // An idle connection keeps no memory.
        self.packets = VecDeque::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Seek, Write};
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;
    use std::sync::Arc;

    /// Protects a packet that has begun from an urgent one, and the order of urgent ones.
    #[test]
    fn urgent_packets_go_before_what_has_not_begun_and_never_into_a_packet() {
        let mut out = Outgoing::default();
        for text in ["one ", "two "] {
            out.push(text.as_bytes().to_vec().into(), false);
        }
        out.advance(2);
        out.push(b"U1 ".to_vec().into(), true);
        out.push(b"U2 ".to_vec().into(), true);
        out.push(Arc::<[u8]>::from(&b"three"[..]).into(), false);
        assert_eq!(out.queued(), "e U1 U2 two three".len());
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        assert!(out.flush(ours.as_fd(), None).1.is_ok());
        assert_eq!((out.is_empty(), out.queued()), (true, 0));
        drop(ours);
        let mut text = String::new();
        theirs.read_to_string(&mut text).unwrap();
        assert_eq!(text, "e U1 U2 two three");
    }

    /// Protects the order of files among bytes, and a full socket: whatever the pieces, the bytes are the
    /// same, and the count of what waits ends at none.
    #[test]
    fn files_and_bytes_leave_in_order_through_a_socket_that_is_full_again_and_again() {
        let mut file = tempfile::tempfile().unwrap();
        let content: Vec<u8> = (0..600_000_u32).map(|i| (i % 251) as u8).collect();
        file.write_all(&content).unwrap();
        file.rewind().unwrap();
        let mut out = Outgoing::default();
        out.push(vec![b'x'; 300_000].into(), false);
        let file = Arc::new(file);
        out.push(Packet::File { file, offset: 100_000, length: 500_000 }, false);
        out.push(b"end".to_vec().into(), false);
        assert_eq!(out.queued(), 300_003);
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        let reader = std::thread::spawn(move || {
            let mut bytes = Vec::new();
            theirs.read_to_end(&mut bytes).unwrap();
            bytes
        });
        while let (_, Err(error)) = out.flush(ours.as_fd(), None) {
            assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
            std::thread::yield_now();
        }
        drop(ours);
        let expected = [&vec![b'x'; 300_000][..], &content[100_000..], b"end"].concat();
        assert!(reader.join().unwrap() == expected);
        assert_eq!(out.queued(), 0);
    }

    /// Protects a peer that was promised the length of a file.
    #[test]
    fn a_file_that_is_shorter_than_promised_is_an_error() {
        let mut out = Outgoing::default();
        let file = Arc::new(tempfile::tempfile().unwrap());
        out.push(Packet::File { file, offset: 0, length: 10 }, false);
        let (ours, _theirs) = UnixStream::pair().unwrap();
        assert_eq!(out.flush(ours.as_fd(), None).1.unwrap_err().raw_os_error(), Some(Errno::EIO as i32));
    }
}
