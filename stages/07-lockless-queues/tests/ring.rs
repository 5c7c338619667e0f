//! The ring and the parker with real threads, real memory and real system calls. What no number of runs
//! can show, all interleavings, is in `tests/loom.rs`.
#![cfg(not(loom))]

use clap::ValueEnum;
use lockless_queues::parker::{Parker, Unparker, Wakeup, parker};
use lockless_queues::ring::{Consumer, Producer, ring};
use proptest::prelude::*;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// Miri runs a thousand times slower, and ThreadSanitizer, whose options `./lab sanitize` sets, ten times.
fn sized(normal: usize) -> usize {
    match (cfg!(miri), std::env::var_os("TSAN_OPTIONS").is_some()) {
        (true, _) => (normal / 5_000).max(8),
        (false, true) => (normal / 20).max(8),
        (false, false) => normal,
    }
}

/// Says when it is dropped.
#[derive(Debug)]
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Relaxed);
    }
}

/// Runs `body` on a thread of its own and fails when it has not ended after 30 s: a lost item or a lost
/// wake-up must be a failure, not a test that never ends.
fn within_half_a_minute(body: impl FnOnce() + Send + 'static) {
    let (done, ended) = mpsc::channel();
    let running = thread::spawn(move || {
        body();
        let _ = done.send(());
    });
    match ended.recv_timeout(Duration::from_secs(30)) {
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("still running after 30 s"),
        // Disconnected: the body panicked, and joining says with what.
        Ok(()) | Err(mpsc::RecvTimeoutError::Disconnected) => {
            running.join().expect("the body does not panic")
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: sized(256) as u32,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// Whatever is pushed and popped, the ring answers as a `VecDeque` with a limit would. Capacities that
    /// are not a power of two are among them; the indices wrap at the end of `usize` at the fourth item.
    #[test]
    fn behaves_like_a_bounded_deque(capacity in 1usize..9, pushes in prop::collection::vec(any::<bool>(), 0..200)) {
        let (mut producer, mut consumer) = ring(capacity);
        let mut model = VecDeque::new();
        for (number, push) in pushes.into_iter().enumerate() {
            if push {
                let expected = if model.len() < capacity { Ok(()) } else { Err(number) };
                if expected.is_ok() {
                    model.push_back(number);
                }
                prop_assert_eq!(producer.push(number), expected);
            } else {
                prop_assert_eq!(consumer.pop(), model.pop_front());
            }
            prop_assert_eq!((producer.len(), consumer.len()), (model.len(), model.len()));
            prop_assert_eq!((producer.is_empty(), consumer.is_empty()), (model.is_empty(), model.is_empty()));
        }
    }

    /// Every item is dropped exactly once, wherever it ended: popped, given back, or left in the ring.
    #[test]
    fn drops_each_item_once(capacity in 1usize..9, pushes in prop::collection::vec(any::<bool>(), 0..60)) {
        let dropped = Arc::new(AtomicUsize::new(0));
        let (mut producer, mut consumer) = ring(capacity);
        let mut made = 0;
        for push in pushes {
            if push {
                made += 1;
                drop(producer.push(Counted(dropped.clone())));
            } else {
                drop(consumer.pop());
            }
            prop_assert_eq!(dropped.load(Relaxed), made - consumer.len(), "what is in the ring is not dropped");
        }
        drop(producer);
        drop(consumer);
        prop_assert_eq!(dropped.load(Relaxed), made);
    }
}

#[test]
#[should_panic(expected = "at least one item")]
fn a_ring_for_nothing_is_refused() {
    ring::<u8>(0);
}

/// Numbers pushed by one thread arrive in order at another, however small the ring.
#[test]
fn a_million_items_cross_in_order() {
    for capacity in [1, 3, 1024] {
        within_half_a_minute(move || {
            let items = sized(1_000_000) / if capacity == 1 { 10 } else { 1 };
            let (mut producer, mut consumer) = ring(capacity);
            let pushing = thread::spawn(move || {
                for number in 0..items {
                    // Boxed, so that a slot read too early or twice is a fault of memory and not just of
                    // order.
                    let mut item = Box::new(number);
                    while let Err(back) = producer.push(item) {
                        item = back;
                        thread::yield_now();
                    }
                }
            });
            for number in 0..items {
                let item = loop {
                    match consumer.pop() {
                        Some(item) => break item,
                        None => thread::yield_now(),
                    }
                };
                assert_eq!(*item, number, "capacity {capacity}");
            }
            pushing.join().expect("the producer ends");
            assert!(consumer.pop().is_none(), "nothing comes twice");
        });
    }
}

/// Either end may outlive the other, on another thread.
#[test]
fn the_last_end_drops_what_is_left() {
    for producer_first in [true, false] {
        let dropped = Arc::new(AtomicUsize::new(0));
        let (mut producer, consumer) = ring(4);
        for _ in 0..3 {
            producer.push(Counted(dropped.clone())).expect("three of four fit");
        }
        if producer_first {
            drop(producer);
            assert_eq!(dropped.load(Relaxed), 0, "the consumer can still pop them");
            thread::spawn(move || drop(consumer)).join().expect("drops");
        } else {
            drop(consumer);
            assert_eq!(dropped.load(Relaxed), 0, "an item is not dropped while an end lives");
            thread::spawn(move || drop(producer)).join().expect("drops");
        }
        assert_eq!(dropped.load(Relaxed), 3);
    }
}

/// One direction of a conversation.
struct Sender(Producer<usize>, Unparker);
struct Receiver(Consumer<usize>, Parker);

impl Sender {
    fn send(&mut self, item: usize) {
        self.0.push(item).expect("one item at a time");
        self.1.unpark();
    }
}

impl Receiver {
    fn receive(&mut self) -> usize {
        loop {
            match self.0.pop() {
                Some(item) => return item,
                None => self.1.park_unless(|| !self.0.is_empty()),
            }
        }
    }
}

fn direction(wakeup: Wakeup) -> (Sender, Receiver) {
    let (producer, consumer) = ring(1);
    let (unparker, parker) = parker(wakeup).expect("descriptors are free");
    (Sender(producer, unparker), Receiver(consumer, parker))
}

/// Two threads hand one item to and fro; both sleep between, so each of the 20,000 steps needs its wake-up.
#[test]
fn no_wakeup_is_lost() {
    for &wakeup in Wakeup::value_variants() {
        within_half_a_minute(move || {
            let rounds = sized(10_000);
            let (mut there, mut here) = direction(wakeup);
            let (mut back, mut home) = direction(wakeup);
            let echo = thread::spawn(move || {
                for _ in 0..rounds {
                    let item = here.receive();
                    back.send(item);
                }
            });
            for number in 0..rounds {
                there.send(number);
                assert_eq!(home.receive(), number, "{wakeup:?}");
            }
            echo.join().expect("the echo ends");
        });
    }
}

/// A notification between the consumer's last look and its wait ends that wait at once. What `ready`
/// does here, a producer on another core does.
#[test]
fn a_ring_before_the_wait_is_kept() {
    for &wakeup in Wakeup::value_variants() {
        within_half_a_minute(move || {
            let (unparker, parker) = parker(wakeup).expect("descriptors are free");
            for _ in 0..sized(10_000) {
                parker.park_unless(|| {
                    unparker.unpark();
                    false
                });
            }
        });
    }
}

/// A consumer that is awake is not rung for: a million notifications leave nothing behind that would end the
/// next wait.
#[test]
fn notifying_an_awake_consumer_leaves_no_trace() {
    for &wakeup in Wakeup::value_variants() {
        within_half_a_minute(move || {
            let (unparker, parker) = parker(wakeup).expect("descriptors are free");
            (0..sized(1_000_000)).for_each(|_| unparker.unpark());
            let news = AtomicBool::new(false);
            thread::scope(|scope| {
                scope.spawn(|| {
                    // Time for a wait that had been rung for to end too early.
                    thread::sleep(Duration::from_millis(20));
                    news.store(true, Relaxed);
                    unparker.unpark();
                });
                parker.park_unless(|| news.load(Relaxed));
                assert!(news.load(Relaxed), "{wakeup:?}: woken by a notification from before the sleep");
            });
        });
    }
}

/// A pipe holds 65,536 bytes. A producer that notifies more often than that while no thread waits must not
/// block the producer, and still wakes the consumer.
#[test]
fn a_full_pipe_does_not_block_the_producer() {
    within_half_a_minute(|| {
        let (unparker, parker) = parker(Wakeup::Pipe).expect("descriptors are free");
        for _ in 0..sized(70_000) {
            // Announced, rung and not waited for: the consumer found its item at the last look.
            parker.park_unless(|| {
                unparker.unpark();
                true
            });
        }
        parker.park_unless(|| false);
    });
}
