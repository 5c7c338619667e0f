//! Three ways from a file into a socket (source 003 weighs them and takes the second).
//!
//! ```text
//!   copy       disk -> page cache -> our buffer -> socket     two calls and two copies for each piece
//!   mmap       disk -> page cache ---------------> socket     one copy, and page faults for what is new;
//!                                                             a mapping is made and removed for each piece
//!   sendfile   disk -> page cache - - - - - - - -> socket     one call; the socket refers to the pages
//! ```
//!
//! The source chose mmap since a head must precede the bytes, and `sendfile` sends no head. It need not: the
//! head goes first with `MSG_MORE`, and the kernel joins the two ([`kit::socket`]). Files of 16 KiB and less
//! are read when they are opened and leave with their head in one write, whatever is chosen here.
//!
//! What if another process shortens the file while it is sent? A read and a `sendfile` come to the end too
//! early, and the connection is closed, since the length that the head has promised cannot be kept. A mapping
//! is worse: a process that *touches* a page behind the end gets SIGBUS, and a server that builds its reply
//! from the mapping dies of another process's `truncate`. Here only the kernel touches the pages, in `send`,
//! which then fails with `EFAULT`: the connection is closed. But the rest of the last page reads as zeros,
//! and zeros are sent. A file that is served should be replaced by `rename`, not overwritten.

use clap::ValueEnum;
use kit::socket::{SendFile, send_file};
use nix::errno::Errno;
use nix::libc::{self, c_void, off_t};
use nix::sys::socket::{MsgFlags, send};
use nix::sys::stat::fstat;
use nix::sys::uio::pread;
use std::cell::RefCell;
use std::fs::File;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::{self, NonNull};

/// How much is copied at once.
const PIECE: usize = 64 * 1024;

/// A mapping begins with a page. The largest pages of today's machines are this long, which is a multiple of
/// all the smaller ones.
const MAX_PAGE: u64 = 64 * 1024;

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
    // ANCHOR: choose
    /// The function that sends a file in this way.
    pub fn send_file(self) -> SendFile {
        match self {
            Files::Copy => send_copied,
            Files::Mmap => send_mapped,
            Files::Sendfile => send_file,
        }
    }
    // ANCHOR_END: choose
}

thread_local! {
    /// Used only between a read and the write that follows it, so one buffer serves all connections of a
    /// thread.
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Sends bytes of a file through our memory.
///
/// # Errors
/// What pread(2) and send(2) say.
pub fn send_copied(socket: BorrowedFd<'_>, file: &File, offset: u64, max: usize) -> nix::Result<usize> {
    BUFFER.with_borrow_mut(|buffer| {
        buffer.resize(PIECE, 0);
        let length = pread(file, &mut buffer[..max.min(PIECE)], offset as off_t)?;
        if length == 0 {
            return Ok(0);
        }
        // What the socket does not take now is read again later: nothing is kept for a slow reader.
        send(socket.as_raw_fd(), &buffer[..length], MsgFlags::MSG_NOSIGNAL)
    })
}

/// Sends bytes of a file out of a mapping, which lives as long as this call: a peer that reads slowly costs
/// no address space, and a connection that ends leaves none behind.
///
/// # Errors
/// What fstat(2), mmap(2) and send(2) say; `EFAULT` when the file became shorter after it was mapped.
pub fn send_mapped(socket: BorrowedFd<'_>, file: &File, offset: u64, max: usize) -> nix::Result<usize> {
    // The end of the file is asked for each time: behind it there is nothing to map, but a mapping succeeds.
    let left = (fstat(file)?.st_size as u64).saturating_sub(offset);
    let length = max.min(usize::try_from(left).unwrap_or(usize::MAX));
    if length == 0 {
        return Ok(0);
    }
    // Out of address space, or a file system that cannot map.
    let Ok(window) = Window::map(file, offset, length) else {
        return send_file(socket, file, offset, max);
    };
    // SAFETY: the range is within the mapping, which lives until the end of this function. No reference to it
    // is made: its bytes may change, or go away, while they are read, which the kernel bears and a `&[u8]`
    // does not.
    let sent = unsafe { libc::send(socket.as_raw_fd(), window.bytes(), length, libc::MSG_NOSIGNAL) };
    Errno::result(sent).map(|sent| sent as usize)
}

/// Pages of a file, mapped.
#[derive(Debug)]
struct Window {
    address: NonNull<c_void>,
    length: usize,
    /// How far behind its beginning the wanted bytes are.
    skip: usize,
}

impl Window {
    fn map(file: &File, offset: u64, length: usize) -> nix::Result<Self> {
        let skip = (offset % MAX_PAGE) as usize;
        let length = length + skip;
        let begin = (offset - skip as u64) as off_t;
        let (protection, descriptor) = (libc::PROT_READ, file.as_raw_fd());
        // SAFETY: a new mapping at a place of the kernel's choice touches no memory that is in use.
        let address =
            unsafe { libc::mmap(ptr::null_mut(), length, protection, libc::MAP_SHARED, descriptor, begin) };
        if address == libc::MAP_FAILED {
            return Err(Errno::last());
        }
        Ok(Self { address: NonNull::new(address).ok_or(Errno::ENOMEM)?, length, skip })
    }

    /// Where the wanted bytes begin.
    fn bytes(&self) -> *const c_void {
        // SAFETY: `skip` is less than `length`, so the result is within the mapping.
        unsafe { self.address.as_ptr().byte_add(self.skip) }
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        // SAFETY: this is the mapping that `map` made, and no reference points into it.
        unsafe { libc::munmap(self.address.as_ptr(), self.length) };
    }
}
