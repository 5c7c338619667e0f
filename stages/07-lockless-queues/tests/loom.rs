//! The ring and the parker under loom: every order in which two threads can run (up to three preemptions,
//! which finds nearly every fault that more would), and every value that the memory model lets a load
//! return. Loom also fails a run in which all threads wait: that is how a lost wake-up shows.
//!
//! Run with `RUSTFLAGS="--cfg loom" cargo test -p lockless-queues --release --test loom --target-dir
//! target/loom`.
//!
//! Two things keep the model honest. Each scenario counts the branches that matter and the test demands that
//! the exploration reached them: a model in which the ring never fills says nothing about a full ring. And
//! the last tests break the code on purpose, below it (see `sync::Fault`), and demand that loom finds it.
#![cfg(loom)]

use lockless_queues::notifier::Notifier;
use lockless_queues::parker::{Parker, with_notifier};
use lockless_queues::ring::{Consumer, ring};
use lockless_queues::sync::{Fault, UnsafeCell};
use loom::sync::{Condvar, Mutex};
use loom::thread::{self, Thread};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// What the exploration came across, counted over all runs of a model. Plain atomics: loom must not see them.
#[derive(Default)]
struct Reached {
    full: AtomicUsize,
    empty: AtomicUsize,
    slept: AtomicUsize,
    rung_before_wait: AtomicUsize,
    left_in_ring: AtomicUsize,
}

fn count(branch: &AtomicUsize) {
    branch.fetch_add(1, Relaxed);
}

#[track_caller]
fn assert_reached(branches: &[(&str, &AtomicUsize)]) {
    for (name, branch) in branches {
        assert!(branch.load(Relaxed) > 0, "the model never came to: {name}");
    }
}

fn explore(scenario: impl Fn() + Send + Sync + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(scenario);
}

/// Every item carries its number, and says when it is dropped.
struct Item(usize, Arc<AtomicUsize>);

impl Drop for Item {
    fn drop(&mut self) {
        count(&self.1);
    }
}

/// `items` go through a ring of `capacity` in order, none lost, none twice, each dropped once.
fn in_order(capacity: usize, items: usize, reached: &Reached) {
    let dropped = Arc::new(AtomicUsize::new(0));
    let (mut producer, mut consumer) = ring(capacity);
    let counter = dropped.clone();
    let full = Arc::new(AtomicUsize::new(0));
    let was_full = full.clone();
    let pushing = thread::spawn(move || {
        for number in 0..items {
            let mut item = Item(number, counter.clone());
            while let Err(back) = producer.push(item) {
                assert_eq!(back.0, number, "a full ring returns what it was given");
                count(&was_full);
                item = back;
                thread::yield_now();
            }
        }
    });
    for number in 0..items {
        let item = loop {
            match consumer.pop() {
                Some(item) => break item,
                None => {
                    count(&reached.empty);
                    thread::yield_now();
                }
            }
        };
        assert_eq!(item.0, number, "first in, first out");
        assert_eq!(
            dropped.load(Relaxed),
            number,
            "an item is dropped by the side that popped it, and only once"
        );
    }
    pushing.join().expect("the producer ends");
    assert!(consumer.pop().is_none(), "nothing comes twice");
    reached.full.fetch_add(full.load(Relaxed), Relaxed);
}

#[test]
fn a_ring_of_two_keeps_order_and_loses_nothing() {
    let reached = Arc::new(Reached::default());
    let shared = reached.clone();
    // Four items: three wrap the indices past the end of `usize`, see `START`.
    explore(move || in_order(2, 4, &shared));
    assert_reached(&[("a full ring", &reached.full), ("an empty ring", &reached.empty)]);
}

#[test]
fn a_ring_of_one_keeps_order_and_loses_nothing() {
    let reached = Arc::new(Reached::default());
    let shared = reached.clone();
    explore(move || in_order(1, 4, &shared));
    assert_reached(&[("a full ring", &reached.full), ("an empty ring", &reached.empty)]);
}

/// What is left in the ring when both ends go, in either order, is dropped exactly once.
#[test]
fn what_is_left_is_dropped_once() {
    let reached = Arc::new(Reached::default());
    let shared = reached.clone();
    explore(move || {
        let dropped = Arc::new(AtomicUsize::new(0));
        let counter = dropped.clone();
        let (mut producer, mut consumer) = ring(2);
        let pushing = thread::spawn(move || {
            for number in 0..3 {
                // A full ring returns the item, and it is dropped here.
                drop(producer.push(Item(number, counter.clone())));
            }
        });
        drop(consumer.pop());
        if !consumer.is_empty() {
            count(&shared.left_in_ring);
        }
        drop(consumer);
        pushing.join().expect("the producer ends");
        assert_eq!(dropped.load(Relaxed), 3, "every item is dropped once");
    });
    assert_reached(&[("items left in the ring", &reached.left_in_ring)]);
}

/// A notifier like `Eventfd` and `Pipe`: a notification is kept until a thread waits.
struct Counter {
    rung: Mutex<bool>,
    changed: Condvar,
    reached: Arc<Reached>,
}

impl Counter {
    fn boxed(reached: Arc<Reached>) -> Box<dyn Notifier> {
        Box::new(Self { rung: Mutex::new(false), changed: Condvar::new(), reached })
    }
}

impl Notifier for Counter {
    fn notify(&self) {
        *self.rung.lock().expect("no thread panics") = true;
        self.changed.notify_one();
    }

    fn wait(&self) {
        let mut rung = self.rung.lock().expect("no thread panics");
        count(if *rung { &self.reached.rung_before_wait } else { &self.reached.slept });
        while !*rung {
            rung = self.changed.wait(rung).expect("no thread panics");
        }
        *rung = false;
    }
}

/// A notifier like `Park`. The handle lies in a bare cell, so loom fails any run in which a producer could
/// reach it before the parker has left it there.
struct Token {
    parker: UnsafeCell<Option<Thread>>,
    reached: Arc<Reached>,
}

// SAFETY: the cell is written once, by the parker, before it first announces that it sleeps, and read only
// by the threads that saw such an announcement. Loom checks just this.
unsafe impl Send for Token {}
// SAFETY: as above.
unsafe impl Sync for Token {}

impl Token {
    fn boxed(reached: Arc<Reached>) -> Box<dyn Notifier> {
        Box::new(Self { parker: UnsafeCell::new(None), reached })
    }
}

impl Notifier for Token {
    fn prepare(&self) {
        // SAFETY: only the parker writes, so it may read its own writing at any time.
        if self.parker.with(|parker| unsafe { (*parker).is_none() }) {
            // SAFETY: no thread reads the cell before the announcement that follows.
            self.parker.with_mut(|parker| unsafe { *parker = Some(thread::current()) });
        }
    }

    fn notify(&self) {
        // SAFETY: the announcement has been seen, so the handle was left before, and is not written again.
        self.parker.with(|parker| unsafe { (*parker).as_ref().expect("a handle was left").unpark() });
    }

    fn wait(&self) {
        count(&self.reached.slept);
        thread::park();
    }
}

/// The worker's loop: work first, then sleep.
fn pop_or_sleep(consumer: &mut Consumer<usize>, parker: &Parker) -> usize {
    loop {
        match consumer.pop() {
            Some(item) => return item,
            None => parker.park_unless(|| !consumer.is_empty()),
        }
    }
}

/// A consumer that sleeps is woken for each item. A lost wake-up leaves both threads waiting, and loom fails.
fn always_woken(notifier: Box<dyn Notifier>) {
    let (mut producer, mut consumer) = ring(2);
    let (unparker, parker) = with_notifier(notifier);
    let pushing = thread::spawn(move || {
        for item in 0..2 {
            producer.push(item).expect("two items fit");
            unparker.unpark();
        }
    });
    assert_eq!(pop_or_sleep(&mut consumer, &parker), 0);
    assert_eq!(pop_or_sleep(&mut consumer, &parker), 1);
    pushing.join().expect("the producer ends");
}

#[test]
fn no_wakeup_is_lost_with_a_counter() {
    let reached = Arc::new(Reached::default());
    let shared = reached.clone();
    explore(move || always_woken(Counter::boxed(shared.clone())));
    assert_reached(&[
        ("a consumer that slept", &reached.slept),
        ("a ring between the last look and the wait", &reached.rung_before_wait),
    ]);
}

#[test]
fn no_wakeup_is_lost_with_a_thread_token() {
    let reached = Arc::new(Reached::default());
    let shared = reached.clone();
    explore(move || always_woken(Token::boxed(shared.clone())));
    assert_reached(&[("a consumer that slept", &reached.slept)]);
}

/// Two threads unpark the same consumer, as a dispatcher and a shutdown do; neither's news is missed.
#[test]
fn two_producers_do_not_hide_each_other() {
    let reached = Arc::new(Reached::default());
    let shared = reached.clone();
    explore(move || {
        let (mut producer, mut consumer) = ring(1);
        let (unparker, parker) = with_notifier(Counter::boxed(shared.clone()));
        let stop = loom::sync::Arc::new(loom::sync::atomic::AtomicBool::new(false));
        let (stopping, second) = (stop.clone(), unparker.clone());
        let pushing = thread::spawn(move || {
            producer.push(7).expect("one item fits");
            unparker.unpark();
        });
        let shutting_down = thread::spawn(move || {
            stopping.store(true, Relaxed);
            second.unpark();
        });
        // Once the one is there, only news of the other may keep the consumer awake.
        let (mut item, mut stopped) = (None, false);
        loop {
            item = item.or_else(|| consumer.pop());
            stopped |= stop.load(Relaxed);
            if item.is_some() && stopped {
                break;
            }
            parker
                .park_unless(|| (item.is_none() && !consumer.is_empty()) || (!stopped && stop.load(Relaxed)));
        }
        pushing.join().expect("the producer ends");
        shutting_down.join().expect("the shutdown ends");
    });
    assert_reached(&[("a consumer that slept", &reached.slept)]);
}

/// Runs `scenario` with the real code weakened by `fault`; loom has to fail it, with a message about
/// `symptom`.
#[track_caller]
fn must_be_found(fault: Fault, symptom: &str, scenario: impl Fn() + Send + Sync + 'static) {
    fault.inject();
    let outcome = catch_unwind(AssertUnwindSafe(|| explore(scenario)));
    Fault::None.inject();
    let panic = outcome.expect_err("the model passes broken code");
    let message = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or_default();
    assert!(message.contains(symptom), "loom found something else: {message}");
}

#[test]
fn a_relaxed_publish_is_found() {
    let reached = Reached::default();
    must_be_found(Fault::NoRelease, "Causality violation", move || in_order(2, 4, &reached));
}

#[test]
fn a_relaxed_look_is_found() {
    let reached = Reached::default();
    must_be_found(Fault::NoAcquire, "Causality violation", move || in_order(2, 4, &reached));
}

#[test]
fn a_missing_fence_is_found_as_a_lost_wakeup() {
    let reached = Arc::new(Reached::default());
    must_be_found(Fault::NoFence, "deadlock", move || always_woken(Counter::boxed(reached.clone())));
}

#[test]
fn a_handle_that_is_not_published_is_found() {
    let reached = Arc::new(Reached::default());
    // Only the parker can fail here: no item is pushed, and the flag is loom's own.
    must_be_found(Fault::NoRelease, "Causality violation", move || {
        let (unparker, parker) = with_notifier(Token::boxed(reached.clone()));
        let flag = loom::sync::Arc::new(loom::sync::atomic::AtomicBool::new(false));
        let raised = flag.clone();
        let raising = thread::spawn(move || {
            raised.store(true, Relaxed);
            unparker.unpark();
        });
        while !flag.load(Relaxed) {
            parker.park_unless(|| flag.load(Relaxed));
        }
        raising.join().expect("the unparker ends");
    });
}
