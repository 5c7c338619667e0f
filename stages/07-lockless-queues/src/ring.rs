//! A bounded queue for one producer and one consumer, without a lock.
//!
//! A lock makes two threads take turns at the *whole* queue. With one thread at each end they need not: the
//! producer alone moves `tail`, the consumer alone moves `head`, and between them every slot belongs to
//! exactly one side. (Source 000's thread pool has the same idea, a ring for each thread, with plain integers
//! for indices and no look at whether the ring is full: what is missing there is what this page is about.)
//!
//! ```text
//!                        head                     tail
//!                         v                        v
//!   slots  |  free  |  item  |  item  |  item  |  free  |  free  |
//!           producer's|     the consumer's      |    the producer's
//!
//!   push: write slots[tail], then tail += 1         tail - head = items in the ring
//!   pop:  read  slots[head], then head += 1         0 = empty, capacity = full
//!
//!   one cache line    | head |  written by the consumer, read by the producer when the ring looks full
//!   one cache line    | tail |  written by the producer, read by the consumer when the ring looks empty
//!
//!   Producer { tail, head_seen }      in the producer's own memory: no other thread reads these
//!   Consumer { head, tail_seen }      in the consumer's own memory
//! ```
//!
//! **Publishing.** Moving an index hands a slot over, so the move must not be seen before the bytes are in
//! place: it is a `Release` store, and the other side looks with an `Acquire` load. Nothing stronger is
//! needed, since each index has one writer and each side reads only the other's.
//!
//! **Cached indices.** The other side's index lies in a cache line that the other core keeps writing; each
//! look at it moves the line across. Each side therefore keeps the value it saw last. An old value is safe:
//! the consumer only ever frees slots and the producer only ever fills them, so an old value shows fewer
//! free slots, or fewer items, than there are. Only when the ring *looks* full (or empty) is the real index
//! read again: once per batch instead of once per item.
//!
//! **Indices run freely** through all values of `usize` and wrap at its end; an index modulo the number of
//! slots is the slot. So full (`tail - head == capacity`) and empty (`tail == head`) differ, and no slot is
//! wasted to tell them apart. The number of slots is a power of two, because only then does the modulo
//! survive the wrap at the end of `usize`; the capacity itself can be any number from one.
//!
//! ```
//! let (mut producer, mut consumer) = lockless_queues::ring::ring(2);
//! assert_eq!((producer.push(1), producer.push(2)), (Ok(()), Ok(())));
//! assert_eq!(producer.push(3), Err(3), "it is full");
//! assert_eq!((consumer.pop(), consumer.pop(), consumer.pop()), (Some(1), Some(2), None));
//! ```

use crate::sync::{Arc, AtomicUsize, UnsafeCell};
use crossbeam::utils::CachePadded;
use std::mem::MaybeUninit;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

/// Both indices begin three short of the end of `usize`, so that every program wraps them within its first
/// four items and a fault there is found in a test, not after years. (Linux starts its `jiffies` five
/// minutes before their end for the same reason.)
const START: usize = usize::MAX - 2;

struct Ring<T> {
    head: CachePadded<AtomicUsize>,
    tail: CachePadded<AtomicUsize>,
    capacity: usize,
    slots: Box<[UnsafeCell<MaybeUninit<T>>]>,
}

// SAFETY: a slot is touched by one thread at a time: `tail` and `head` say whose it is, and the Release and
// Acquire on them order the two owners' accesses. Items cross threads, hence `T: Send`; they are never
// shared, so `T: Sync` is not needed.
unsafe impl<T: Send> Sync for Ring<T> {}

/// The end that pushes. It can move to another thread but not be copied.
pub struct Producer<T> {
    ring: Arc<Ring<T>>,
    tail: usize,
    head_seen: usize,
}

/// The end that pops. It can move to another thread but not be copied.
pub struct Consumer<T> {
    ring: Arc<Ring<T>>,
    head: usize,
    tail_seen: usize,
}

/// A ring that holds at most `capacity` items.
///
/// # Panics
///
/// When `capacity` is zero, or so large that no vector could hold it.
pub fn ring<T>(capacity: usize) -> (Producer<T>, Consumer<T>) {
    assert!(capacity > 0, "a ring holds at least one item");
    let slots = (0..capacity.next_power_of_two()).map(|_| UnsafeCell::new(MaybeUninit::uninit())).collect();
    let ring = Arc::new(Ring {
        head: CachePadded::new(AtomicUsize::new(START)),
        tail: CachePadded::new(AtomicUsize::new(START)),
        capacity,
        slots,
    });
    let producer = Producer { ring: Arc::clone(&ring), tail: START, head_seen: START };
    (producer, Consumer { ring, head: START, tail_seen: START })
}

impl<T> Producer<T> {
    // ANCHOR: push
    /// Appends `item`, or returns it when the ring is full.
    pub fn push(&mut self, item: T) -> Result<(), T> {
        let capacity = self.ring.capacity;
        if self.tail.wrapping_sub(self.head_seen) == capacity {
            // Acquire: the consumer has finished reading a slot before we, having seen it freed, write it
            // again.
            self.head_seen = self.ring.head.load(Acquire);
            if self.tail.wrapping_sub(self.head_seen) == capacity {
                return Err(item);
            }
        }
        self.ring.slot(self.tail).with_mut(|slot| {
            // SAFETY: fewer than `capacity` items are between `head` and `tail`, so the slot at `tail` is
            // free and ours until `tail` moves. Whatever it held was moved out.
            unsafe { (*slot).write(item) };
        });
        self.tail = self.tail.wrapping_add(1);
        // Release: the item is in its slot before the consumer can see the new tail.
        self.ring.tail.store(self.tail, Release);
        Ok(())
    }
    // ANCHOR_END: push

    /// How many items wait. The consumer may have taken some of them by now: no more wait than this.
    pub fn len(&self) -> usize {
        // Relaxed: this reads no slot. A push that follows looks for itself, and never sees an older index.
        self.tail.wrapping_sub(self.ring.head.load(Relaxed))
    }

    /// Whether the consumer has taken everything.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<T> Consumer<T> {
    // ANCHOR: pop
    /// Takes the oldest item, or nothing when the ring is empty.
    pub fn pop(&mut self) -> Option<T> {
        if self.head == self.tail_seen {
            // Acquire: having seen `tail` moved, we see the item that was written before it moved.
            self.tail_seen = self.ring.tail.load(Acquire);
            if self.head == self.tail_seen {
                return None;
            }
        }
        let item = self.ring.slot(self.head).with(|slot| {
            // SAFETY: `head` is before `tail`, so the slot holds an item that was written before `tail`
            // moved. It is read once: `head` moves past it below.
            unsafe { (*slot).assume_init_read() }
        });
        self.head = self.head.wrapping_add(1);
        // Release: the item is out of its slot before the producer may see the slot as free.
        self.ring.head.store(self.head, Release);
        Some(item)
    }
    // ANCHOR_END: pop

    /// How many items wait. The producer may have added some by now: no fewer wait than this.
    pub fn len(&self) -> usize {
        // Relaxed: as in `Producer::len`.
        self.ring.tail.load(Relaxed).wrapping_sub(self.head)
    }

    /// Whether nothing waits yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<T> Ring<T> {
    fn slot(&self, index: usize) -> &UnsafeCell<MaybeUninit<T>> {
        &self.slots[index & (self.slots.len() - 1)]
    }
}

impl<T> Drop for Ring<T> {
    /// Drops what was pushed and never popped. Runs once, when both ends are gone.
    fn drop(&mut self) {
        // Relaxed: the `Arc` has already ordered everything that either end did before this.
        let (mut head, tail) = (self.head.load(Relaxed), self.tail.load(Relaxed));
        while head != tail {
            self.slot(head).with_mut(|slot| {
                // SAFETY: from `head` to `tail` every slot holds an item, and `&mut self` says that no other
                // thread will take it.
                unsafe { (*slot).assume_init_drop() };
            });
            head = head.wrapping_add(1);
        }
    }
}
