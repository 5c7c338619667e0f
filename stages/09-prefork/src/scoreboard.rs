//! What all processes see, in memory that they share (Apache's scoreboard).
//!
//! After fork(2) every process has its own copy of all memory, but what was mapped `MAP_SHARED` stays one. A
//! slot belongs to one child, which alone counts in it; so a child that is killed cannot leave a sum wrong:
//! its parent clears its slot.

use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous};
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};

/// The slots of all children. The memory is never unmapped: it is needed for as long as there is a process.
#[derive(Clone, Copy, Debug)]
pub struct Scoreboard {
    slots: &'static [Slot],
}

/// What is shared about one child. The counts are Relaxed throughout: they order no other memory. A slot has
/// its own cache line, so that counting in one process does not slow another.
#[derive(Debug)]
#[repr(align(128))]
pub struct Slot {
    /// Connections that are open.
    pub open: AtomicUsize,
    /// Times that the child was woken to accept.
    pub woken: AtomicU64,
    /// Connections that it has accepted.
    pub accepted: AtomicU64,
    /// The parent stores true with Release when the whole server stops, and signals the child then. The
    /// child, which loads with Acquire, so knows that the listeners refuse new connections, and that a signal
    /// without it is for this child alone.
    pub stopping: AtomicBool,
}

impl Scoreboard {
    /// A scoreboard with a slot for each of `count` children, all zero.
    ///
    /// # Errors
    /// What mmap(2) says.
    pub fn new(count: usize) -> nix::Result<Self> {
        let length = NonZeroUsize::new(count * size_of::<Slot>()).expect("there is at least one child");
        let protection = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: new memory, wherever the kernel likes.
        let memory = unsafe { mmap_anonymous(None, length, protection, MapFlags::MAP_SHARED) }?;
        // SAFETY: page-aligned, `count` slots long, zeroed by the kernel (a valid value of every atomic),
        // never unmapped.
        let slots = unsafe { std::slice::from_raw_parts(memory.cast::<Slot>().as_ptr(), count) };
        Ok(Self { slots })
    }

    /// How many slots.
    pub fn count(&self) -> usize {
        self.slots.len()
    }

    /// The slot of a child.
    pub fn slot(&self, slot: usize) -> &'static Slot {
        &self.slots[slot]
    }

    /// Connections open in all children.
    pub fn open(&self) -> usize {
        self.slots.iter().map(|slot| slot.open.load(Relaxed)).sum()
    }

    /// Connections accepted and wake-ups for it, in all children.
    pub fn accepted_and_woken(&self) -> (u64, u64) {
        let sum =
            |count: fn(&Slot) -> &AtomicU64| self.slots.iter().map(|slot| count(slot).load(Relaxed)).sum();
        (sum(|slot| &slot.accepted), sum(|slot| &slot.woken))
    }
}
