//! The queues that are compared, behind two traits.

use crossbeam::channel;
use crossbeam::queue::{ArrayQueue, SegQueue};
use lockless_queues::ring::{Consumer, Producer, ring};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, mpsc};

/// Large enough that neither side meets the other's end often, as in a server.
const CAPACITY: usize = 1024;

/// The producer's end of a bounded queue.
pub(crate) trait Push: Send {
    /// Whether there was room.
    fn push(&mut self, item: u64) -> bool;
}

/// The consumer's end.
pub(crate) trait Pop: Send {
    fn pop(&mut self) -> Option<u64>;
}

impl Push for Producer<u64> {
    fn push(&mut self, item: u64) -> bool {
        Producer::push(self, item).is_ok()
    }
}

impl Pop for Consumer<u64> {
    fn pop(&mut self) -> Option<u64> {
        Consumer::pop(self)
    }
}

impl Push for Arc<ArrayQueue<u64>> {
    fn push(&mut self, item: u64) -> bool {
        ArrayQueue::push(self, item).is_ok()
    }
}

impl Pop for Arc<ArrayQueue<u64>> {
    fn pop(&mut self) -> Option<u64> {
        ArrayQueue::pop(self)
    }
}

impl Push for channel::Sender<u64> {
    fn push(&mut self, item: u64) -> bool {
        self.try_send(item).is_ok()
    }
}

impl Pop for channel::Receiver<u64> {
    fn pop(&mut self) -> Option<u64> {
        self.try_recv().ok()
    }
}

impl Push for Arc<SegQueue<u64>> {
    fn push(&mut self, item: u64) -> bool {
        // It has no bound, and grows.
        SegQueue::push(self, item);
        true
    }
}

impl Pop for Arc<SegQueue<u64>> {
    fn pop(&mut self) -> Option<u64> {
        SegQueue::pop(self)
    }
}

impl Push for rtrb::Producer<u64> {
    fn push(&mut self, item: u64) -> bool {
        rtrb::Producer::push(self, item).is_ok()
    }
}

impl Pop for rtrb::Consumer<u64> {
    fn pop(&mut self) -> Option<u64> {
        rtrb::Consumer::pop(self).ok()
    }
}

impl Push for mpsc::SyncSender<u64> {
    fn push(&mut self, item: u64) -> bool {
        self.try_send(item).is_ok()
    }
}

impl Pop for mpsc::Receiver<u64> {
    fn pop(&mut self) -> Option<u64> {
        self.try_recv().ok()
    }
}

type Locked = Arc<Mutex<VecDeque<u64>>>;

impl Push for Locked {
    fn push(&mut self, item: u64) -> bool {
        let mut queue = self.lock().expect("no thread panics");
        let room = queue.len() < CAPACITY;
        if room {
            queue.push_back(item);
        }
        room
    }
}

impl Pop for Locked {
    fn pop(&mut self) -> Option<u64> {
        self.lock().expect("no thread panics").pop_front()
    }
}

pub(crate) type Ends = (Box<dyn Push>, Box<dyn Pop>);
pub(crate) type NamedQueue = (&'static str, fn() -> Ends);

/// The queues by name. Boxed, so that every one of them pays for the same indirect call.
pub(crate) fn queues() -> [NamedQueue; 7] {
    fn both<Q: Push + Pop + Clone + 'static>(queue: Q) -> Ends {
        (Box::new(queue.clone()), Box::new(queue))
    }
    [
        ("ring", || {
            let (producer, consumer) = ring(CAPACITY);
            (Box::new(producer), Box::new(consumer))
        }),
        ("rtrb", || {
            let (producer, consumer) = rtrb::RingBuffer::new(CAPACITY);
            (Box::new(producer), Box::new(consumer))
        }),
        ("ArrayQueue", || both(Arc::new(ArrayQueue::new(CAPACITY)))),
        ("SegQueue", || both(Arc::new(SegQueue::new()))),
        ("sync_channel", || {
            let (sender, receiver) = mpsc::sync_channel(CAPACITY);
            (Box::new(sender), Box::new(receiver))
        }),
        ("channel", || {
            let (sender, receiver) = channel::bounded(CAPACITY);
            (Box::new(sender), Box::new(receiver))
        }),
        ("Mutex<VecDeque>", || both(Locked::new(Mutex::new(VecDeque::with_capacity(CAPACITY))))),
    ]
}
