//! Memory that the kernel picks from when bytes arrive (a *provided buffer ring*,
//! io_uring_register_buf_ring(3)).
//!
//! A receive that waits owns no buffer: ten thousand silent connections have none. When bytes come the kernel
//! takes the next buffer of the ring and the completion names it; the server returns it when it has read
//! it.
//!
//! ```text
//!   ring of entries:  [ buffer 7 | buffer 2 | ... ]   the kernel takes at the head, we put at `tail`
//! ```

use crate::features::needs;
use crate::proactor::{Proactor, explain};
use io_uring::cqueue;
use io_uring::types::{BufRingEntry, IOU_PBUF_RING_INC};
use nix::libc;
use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::io;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU16, Ordering::Release};

/// The buffer group that a receive names.
pub const GROUP: u16 = 0;

/// How many buffers; a power of two. When they run out a receive ends with ENOBUFS and is submitted anew.
const COUNT: u16 = 256;

/// How long each is. Uploads of 1 MB took a third more CPU time with 16 KiB, and two thirds more with 4 KiB.
pub const LENGTH: usize = 8 * 1024;

/// The buffers, and the ring through which the kernel gets them.
pub struct Buffers {
    entries: NonNull<BufRingEntry>,
    memory: Box<[u8]>,
    tail: u16,
    /// With `--bundles`, else empty: for each buffer the one behind it; `last` has none behind it yet.
    behind: Vec<u16>,
    last: u16,
    /// With `--incremental`: how much of each buffer has been filled and read. Else empty.
    filled: Vec<usize>,
}

impl Buffers {
    /// Registers the buffers with a proactor. They must outlive its receives: see [`Buffers::unregister`].
    ///
    /// # Errors
    /// What io_uring_register(2) says.
    pub fn register(proactor: &Proactor) -> io::Result<Self> {
        // SAFETY: the layout is not of zero size.
        let entries = unsafe { alloc_zeroed(layout()) }.cast();
        let entries = NonNull::new(entries).unwrap_or_else(|| handle_alloc_error(layout()));
        let memory = vec![0; usize::from(COUNT) * LENGTH].into_boxed_slice();
        let features = proactor.features();
        let behind = if features.bundles { vec![0; COUNT.into()] } else { Vec::new() };
        let filled = if features.incremental { vec![0; COUNT.into()] } else { Vec::new() };
        let flags = if features.incremental { IOU_PBUF_RING_INC as u16 } else { 0 };
        let mut buffers = Self { entries, memory, tail: 0, behind, last: 0, filled };
        let address = entries.as_ptr() as u64;
        // SAFETY: the ring is COUNT entries long, page-aligned, and lives until it is unregistered.
        let registered =
            unsafe { proactor.submitter().register_buf_ring_with_flags(address, COUNT, GROUP, flags) };
        registered.map_err(|error| match error.raw_os_error() {
            // An older kernel takes the flag for a mistake.
            Some(libc::EINVAL) if features.incremental => needs("--incremental", "6.12"),
            _ => explain("io_uring_register", &error),
        })?;
        (0..COUNT).for_each(|id| buffers.give_back(id));
        Ok(buffers)
    }

    /// The first `length` bytes of those that a completion put into a buffer.
    pub fn get(&self, id: u16, length: usize) -> &[u8] {
        let start = usize::from(id) * LENGTH;
        let from = self.filled.get(usize::from(id)).copied().unwrap_or(0);
        &self.memory[start + from..start + LENGTH.min(from + length)]
    }

    /// `count` bytes have been read of what a completion with these `flags` brought, and `left` are left. The
    /// kernel gets the buffer back, unless it goes on filling it. Returns the buffer that has what is left.
    pub fn was_read(&mut self, id: u16, flags: u32, left: usize, count: usize) -> Option<u16> {
        let next = self.behind.get(usize::from(id)).copied().filter(|_| left > 0);
        let more = cqueue::buffer_more(flags);
        if let Some(filled) = self.filled.get_mut(usize::from(id)) {
            *filled = if more { *filled + count } else { 0 };
        }
        if !more {
            self.give_back(id);
        }
        next
    }

    // ANCHOR: give-back
    /// Returns a buffer to the kernel.
    pub fn give_back(&mut self, id: u16) {
        let address = self.memory[usize::from(id) * LENGTH..].as_mut_ptr();
        // SAFETY: the index is below COUNT, and the kernel reads no entry at or behind the tail.
        unsafe {
            let entry = &mut *self.entries.as_ptr().add(usize::from(self.tail % COUNT));
            entry.set_addr(address as u64);
            entry.set_len(LENGTH as u32);
            entry.set_bid(id);
        }
        self.tail = self.tail.wrapping_add(1);
        if let Some(behind) = self.behind.get_mut(usize::from(self.last)) {
            *behind = id;
            self.last = id;
        }
        // SAFETY: the kernel shares this word with us for as long as the ring is registered; it is aligned
        // for a u16.
        let tail = unsafe { AtomicU16::from_ptr(BufRingEntry::tail(self.entries.as_ptr()).cast_mut()) };
        // Release: the kernel, which loads the tail with acquire, must find the entry written before it.
        tail.store(self.tail, Release);
    }
    // ANCHOR_END: give-back

    /// Takes the ring away from the kernel. No receive may be in flight.
    ///
    /// # Errors
    /// What io_uring_register(2) says.
    pub fn unregister(self, proactor: &Proactor) -> io::Result<()> {
        proactor.submitter().unregister_buf_ring(GROUP)
    }
}

impl Drop for Buffers {
    fn drop(&mut self) {
        // SAFETY: allocated in `register` with the same layout.
        unsafe { dealloc(self.entries.as_ptr().cast(), layout()) };
    }
}

/// The ring must begin on a page boundary.
fn layout() -> Layout {
    const PAGE: usize = 4096;
    Layout::array::<BufRingEntry>(usize::from(COUNT))
        .and_then(|ring| ring.align_to(PAGE))
        .expect("it is small")
}
