//! The wake-up path under loom: every order in which wakers and the executor can run (up to three
//! preemptions), and every value that the memory model lets a load return. Loom also fails a run in which all
//! threads wait: that is how a lost wake-up shows.
//!
//! Run with `RUSTFLAGS="--cfg loom" cargo test -p async-await --release --test loom --target-dir
//! target/loom`.
//!
//! The scenarios count the branches that matter, and the last tests break the code on purpose: below it (see
//! `sync::Fault`), or in the order in which the executor uses it. What is broken in the code itself are the
//! mutants of the kind `wake-ups`.
#![cfg(loom)]

use async_await::blocking::Reply;
use async_await::sync::Fault;
use async_await::wake::{Notify, RunQueue, Waking};
use loom::sync::atomic::AtomicBool;
use loom::sync::{Condvar, Mutex};
use loom::thread;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll, Waker};

const TASK: u64 = 7;

/// In place of the eventfd: a notification is kept until the next wait.
#[derive(Debug)]
struct Bell {
    rung: Mutex<bool>,
    changed: Condvar,
    /// A fault: it is never rung.
    mute: bool,
}

impl Bell {
    fn new(mute: bool) -> Self {
        Self { rung: Mutex::new(false), changed: Condvar::new(), mute }
    }

    fn wait(&self) {
        let mut rung = self.rung.lock().expect("no panic");
        while !*rung {
            rung = self.changed.wait(rung).expect("no panic");
        }
        *rung = false;
    }
}

impl Notify for Bell {
    fn notify(&self) {
        if !self.mute {
            *self.rung.lock().expect("no panic") = true;
            self.changed.notify_one();
        }
    }
}

/// How the executor of a model uses the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Executor {
    Right,
    /// It marks the task as not queued when the poll is over.
    ClearsAfterPoll,
    /// It looks at the queue, then says that it sleeps, and does not look again.
    LooksBeforeSleep,
    /// Its bell is mute.
    NeverNotified,
}

/// What the exploration came across. Plain atomics: loom must not see them.
#[derive(Default)]
struct Reached {
    slept: AtomicUsize,
    polled_in_vain: AtomicUsize,
    merged: AtomicUsize,
}

fn explore(scenario: impl Fn() + Send + Sync + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(scenario);
}

/// `wakers` threads each make something true and wake the one task, which ends when all of it is true. What
/// they make true is relaxed: nothing but the wake-up makes a later poll see it.
fn wakes(wakers: usize, executor: Executor, reached: &Reached) {
    let queue = Arc::new(RunQueue::new(Bell::new(executor == Executor::NeverNotified)));
    let waking = Arc::new(Waking::new(TASK, Arc::clone(&queue)));
    let done: Arc<Vec<AtomicBool>> = Arc::new((0..wakers).map(|_| AtomicBool::new(false)).collect());
    waking.schedule();
    let threads: Vec<_> = (0..wakers)
        .map(|index| {
            let (waking, done) = (Arc::clone(&waking), Arc::clone(&done));
            thread::spawn(move || {
                done[index].store(true, Relaxed);
                waking.schedule();
            })
        })
        .collect();
    let mut polls = 0;
    let poll = |polls: &mut usize| {
        *polls += 1;
        done.iter().all(|done| done.load(Relaxed))
    };
    loop {
        let Some(task) = queue.pop() else {
            let may_sleep = match executor {
                Executor::LooksBeforeSleep => {
                    let _ = queue.may_sleep();
                    true
                }
                _ => queue.may_sleep(),
            };
            if may_sleep {
                reached.slept.fetch_add(1, Relaxed);
                queue.notifier().wait();
            }
            queue.awake();
            continue;
        };
        assert_eq!(task, TASK);
        let ready = match executor {
            Executor::ClearsAfterPoll => {
                let ready = poll(&mut polls);
                waking.poll(|| ready)
            }
            _ => waking.poll(|| poll(&mut polls)),
        };
        if ready {
            break;
        }
        reached.polled_in_vain.fetch_add(1, Relaxed);
    }
    threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
    if polls <= wakers {
        reached.merged.fetch_add(1, Relaxed);
    }
    // Wake-ups that came too late for the last poll are one entry at most.
    let _ = queue.pop();
    assert_eq!(queue.pop(), None, "the task is in the queue twice");
}

#[test]
fn no_wake_up_is_lost_and_none_is_a_poll_too_many() {
    for wakers in [1, 2] {
        let reached = Arc::new(Reached::default());
        let shared = Arc::clone(&reached);
        explore(move || wakes(wakers, Executor::Right, &shared));
        assert!(reached.slept.load(Relaxed) > 0, "the executor never slept");
        assert!(reached.polled_in_vain.load(Relaxed) > 0, "it never polled too early");
        assert!(reached.merged.load(Relaxed) > 0, "no two wake-ups became one poll");
    }
}

/// Another thread leaves an answer for the one task, which ends when it has it.
fn answers(reached: &Reached) {
    let queue = Arc::new(RunQueue::new(Bell::new(false)));
    let waking = Arc::new(Waking::new(TASK, Arc::clone(&queue)));
    let waker = Waker::from(Arc::clone(&waking));
    let reply = Arc::new(Reply::default());
    waking.schedule();
    let other = Arc::clone(&reply);
    let thread = thread::spawn(move || other.put(TASK));
    let mut polls = 0;
    let answer = loop {
        if queue.pop().is_none() {
            if queue.may_sleep() {
                reached.slept.fetch_add(1, Relaxed);
                queue.notifier().wait();
            }
            queue.awake();
            continue;
        }
        polls += 1;
        match waking.poll(|| reply.poll(&mut Context::from_waker(&waker))) {
            Poll::Ready(answer) => break answer,
            Poll::Pending => _ = reached.polled_in_vain.fetch_add(1, Relaxed),
        }
    };
    thread.join().expect("no panic");
    assert_eq!(answer, TASK);
    assert!(polls <= 2, "polled {polls} times for one answer");
    assert_eq!(queue.pop(), None, "woken after the end");
}

/// Protects a task that waits for another thread, whichever of the two comes first.
#[test]
fn an_answer_is_not_lost_between_the_look_and_the_wait() {
    let reached = Arc::new(Reached::default());
    let shared = Arc::clone(&reached);
    explore(move || answers(&shared));
    assert!(reached.slept.load(Relaxed) > 0, "the executor never slept");
    assert!(reached.polled_in_vain.load(Relaxed) > 0, "it never polled too early");
}

/// Whether loom finds that something is wrong.
fn is_found(fault: Fault, executor: Executor) -> bool {
    let model = || {
        fault.inject();
        let reached = Arc::new(Reached::default());
        explore(move || wakes(2, executor, &reached));
    };
    let found = catch_unwind(AssertUnwindSafe(model)).is_err();
    Fault::None.inject();
    found
}

#[test]
fn each_fault_of_the_exchanges_is_found() {
    for fault in [Fault::StoresForSwaps, Fault::RelaxedSwaps, Fault::BlindSwaps] {
        assert!(is_found(fault, Executor::Right), "{fault:?}");
    }
}

#[test]
fn each_fault_of_an_executor_is_found() {
    for executor in [Executor::ClearsAfterPoll, Executor::LooksBeforeSleep, Executor::NeverNotified] {
        assert!(is_found(Fault::None, executor), "{executor:?}");
    }
    assert!(!is_found(Fault::None, Executor::Right));
}
