//! Counts that all processes see, in memory that they share.
//!
//! After fork(2) every process has its own copy of all memory, but what was mapped `MAP_SHARED` stays one. A row belongs to one
//! child, which alone writes to it; so a child that is killed cannot leave a sum wrong: its parent clears its row.

use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous};
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

/// The rows of all children. The memory is never unmapped: it is needed for as long as there is a process.
#[derive(Clone, Copy, Debug)]
pub struct Board {
    rows: &'static [Row],
}

/// What one child counts. Relaxed throughout: counts, which order no other memory. A row has its own cache line, so that
/// counting in one process does not slow another.
#[derive(Debug)]
#[repr(align(128))]
pub struct Row {
    /// Connections that are open.
    pub open: AtomicUsize,
    /// Times that the child was woken to accept.
    pub woken: AtomicU64,
    /// Connections that it has accepted.
    pub accepted: AtomicU64,
}

impl Board {
    /// A board with a row for each of `count` children, all zero.
    ///
    /// # Errors
    /// What mmap(2) says.
    pub fn new(count: usize) -> nix::Result<Self> {
        let length = NonZeroUsize::new(count * size_of::<Row>()).expect("there is at least one child");
        let protection = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: new memory, wherever the kernel likes.
        let memory = unsafe { mmap_anonymous(None, length, protection, MapFlags::MAP_SHARED) }?;
        // SAFETY: page-aligned, `count` rows long, zeroed by the kernel (a valid value of every atomic), never unmapped.
        let rows = unsafe { std::slice::from_raw_parts(memory.cast::<Row>().as_ptr(), count) };
        Ok(Self { rows })
    }

    /// How many rows.
    pub fn count(&self) -> usize {
        self.rows.len()
    }

    /// The row of a child.
    pub fn row(&self, child: usize) -> &'static Row {
        &self.rows[child]
    }

    /// Connections open in all children.
    pub fn open(&self) -> usize {
        self.rows.iter().map(|row| row.open.load(Relaxed)).sum()
    }

    /// Connections accepted and wake-ups for it, in all children.
    pub fn accepted_and_woken(&self) -> (u64, u64) {
        let sum = |count: fn(&Row) -> &AtomicU64| self.rows.iter().map(|row| count(row).load(Relaxed)).sum();
        (sum(|row| &row.accepted), sum(|row| &row.woken))
    }
}
