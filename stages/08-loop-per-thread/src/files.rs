//! Three ways from a file into a socket (seed 003 weighs them and takes the second).
//!
//! ```text
//!   copy       disk -> page cache -> our buffer -> socket       two calls and two copies for each piece
//!   mmap       disk -> page cache ---------------> socket       one call, one copy; a page fault for what is new here
//!   sendfile   disk -> page cache - - - - - - - -> socket       one call; the socket refers to the pages
//! ```
//!
//! The seed chose mmap since a head must precede the bytes, and `sendfile` sends no head. It need not: the head goes first
//! with `MSG_MORE`, and the kernel joins the two ([`kit::flush`]). Files of 16 KiB and less are read when they are opened and
//! leave with their head in one write, whatever is chosen here.
//!
//! What if somebody shortens the file while it is sent? A read and a `sendfile` come to the end too early, and the connection
//! is closed, since the length that the head has promised cannot be kept. A mapping is worse: who *touches* a page behind the
//! end gets SIGBUS, and a server that builds its reply from the mapping dies of another process's `truncate`. Here only the kernel
//! touches the pages, in `send`, which then fails with `EFAULT`: the connection is closed. But the rest of the last page
//! reads as zeros, and zeros are sent. A file that is served should be replaced by `rename`, not overwritten.

use clap::ValueEnum;
use kit::outbox::Source;
use kit::protocol::work::{Answer, Outcome};
use nix::errno::Errno;
use nix::libc::{self, c_void, off_t};
use nix::sys::socket::{MsgFlags, send};
use nix::sys::uio::pread;
use std::cell::RefCell;
use std::fs::File;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::{self, NonNull};
use std::sync::Arc;

/// How much is copied at once.
const PIECE: usize = 64 * 1024;

/// A way from a file into a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Files {
    /// read and write
    Copy,
    /// mmap and write
    Mmap,
    /// sendfile
    Sendfile,
}

impl Files {
    // ANCHOR: prepare
    /// Between the work of a request and its reply: if a file was opened, it will be sent in this way.
    pub fn prepare(self, mut answer: Answer) -> Answer {
        if let Outcome::Opened(Ok(opened)) = &mut answer.outcome {
            opened.send_through(|file, size| match self {
                Files::Copy => Some(Arc::new(Copied(Arc::clone(file)))),
                // Out of address space, or a file system that cannot map: then sendfile.
                Files::Mmap => Some(Arc::new(Mapped::new(file, size).ok()?)),
                // What kit does unasked.
                Files::Sendfile => None,
            });
        }
        answer
    }
    // ANCHOR_END: prepare
}

/// A file that goes through our memory.
#[derive(Debug)]
struct Copied(Arc<File>);

thread_local! {
    /// Used only between a read and the write that follows it, so one serves all connections of a thread.
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

impl Source for Copied {
    fn send(&self, socket: BorrowedFd<'_>, offset: u64, most: usize) -> nix::Result<usize> {
        BUFFER.with_borrow_mut(|buffer| {
            buffer.resize(PIECE, 0);
            let length = pread(&self.0, &mut buffer[..most.min(PIECE)], offset as off_t)?;
            if length == 0 {
                return Ok(0);
            }
            // What the socket does not take now is read again later: nothing is kept for a slow reader.
            send(socket.as_raw_fd(), &buffer[..length], MsgFlags::MSG_NOSIGNAL)
        })
    }
}

/// A file that is mapped.
#[derive(Debug)]
struct Mapped {
    address: NonNull<c_void>,
    length: usize,
}

// SAFETY: the mapping belongs to the process and not to a thread, and nobody here reads or writes it but the kernel.
unsafe impl Send for Mapped {}
// SAFETY: as above.
unsafe impl Sync for Mapped {}

impl Mapped {
    fn new(file: &File, size: u64) -> nix::Result<Self> {
        let length = usize::try_from(size).map_err(|_| Errno::EOVERFLOW)?;
        // SAFETY: a new mapping at a place of the kernel's choice touches no memory that anybody has.
        let address = unsafe {
            libc::mmap(ptr::null_mut(), length, libc::PROT_READ, libc::MAP_SHARED, file.as_raw_fd(), 0)
        };
        if address == libc::MAP_FAILED {
            return Err(Errno::last());
        }
        // The mapping keeps the file; its descriptor is free again.
        Ok(Self { address: NonNull::new(address).ok_or(Errno::ENOMEM)?, length })
    }
}

impl Source for Mapped {
    fn send(&self, socket: BorrowedFd<'_>, offset: u64, most: usize) -> nix::Result<usize> {
        let offset = (offset as usize).min(self.length);
        let most = most.min(self.length - offset);
        // SAFETY: the range is within the mapping, which lives as long as self. No reference to it is made: its bytes may
        // change, or go away, while they are read, which the kernel bears and a `&[u8]` does not.
        let sent = unsafe {
            let from = self.address.as_ptr().byte_add(offset);
            libc::send(socket.as_raw_fd(), from, most, libc::MSG_NOSIGNAL)
        };
        Errno::result(sent).map(|sent| sent as usize)
    }
}

impl Drop for Mapped {
    fn drop(&mut self) {
        // SAFETY: this is the mapping that `new` made, and nobody has a reference into it.
        unsafe { libc::munmap(self.address.as_ptr(), self.length) };
    }
}
