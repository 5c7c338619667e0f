//! What a queue between two threads costs: stage 07's ring, rtrb's, crossbeam's `ArrayQueue`, `SegQueue` and
//! bounded channel, the `sync_channel` of std, and a locked `VecDeque`, and what it costs to wake the thread
//! at the other end.
//!
//! | group | measures | per |
//! |---|---|---|
//! | `same_thread` | a push and a pop by one thread: the instructions, without any other core | item |
//! | `two_threads` | a producer and a consumer that never sleep, a core each | item |
//! | `hand_off` | an item there and an item back; both threads sleep in between | round trip: two wake-ups |
//! | `notify_awake` | telling a consumer that is not asleep: a fence and a load | call |
//!
//! Read the last two before the first two. A request costs a server about 10 µs, nearly all of it in the
//! kernel. A queue that takes 20 ns instead of 100 ns saves less than one part in a hundred of that: no
//! tool that counts requests per second can see it. A thread that must be woken costs microseconds, so what
//! matters about a queue in a server is how often its consumer sleeps, and how it is woken.
//!
//! The threads of `two_threads` and `hand_off` are pinned to the first two CPUs that this process may use;
//! with only one they take turns on it, and the figures are those of the scheduler. On a machine where two
//! CPUs are two hyper-threads of one core, or where others run too, expect these two groups to vary by a
//! factor of two and more between runs; compare what stands in one run.
//!
//! `./lab bench-queues` runs it, `./lab bench-queues --quick` in about a minute.

mod hand_off;
mod queues;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use crossbeam::utils::Backoff;
use experiments::measure::{Pinned, cpu};
use hand_off::hand_off;
use lockless_queues::parker::{Wakeup, parker};
use queues::queues;
use std::hint::black_box;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

/// Runs `near` and `far` on a CPU each; how long `near` took. Starting the threads is not counted.
pub(crate) fn on_two_cpus(near: impl FnOnce() + Send, far: impl FnOnce() + Send) -> Duration {
    let ready = Barrier::new(2);
    thread::scope(|scope| {
        let far = scope.spawn(|| {
            let _pinned = Pinned::to(cpu(1));
            ready.wait();
            far();
        });
        let near = scope.spawn(|| {
            let _pinned = Pinned::to(cpu(0));
            ready.wait();
            let start = Instant::now();
            near();
            start.elapsed()
        });
        far.join().expect("the far thread ends");
        near.join().expect("the near thread ends")
    })
}

fn same_thread(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("same_thread");
    group.throughput(Throughput::Elements(1));
    for (name, queue) in queues() {
        group.bench_function(name, |bencher| {
            let (mut push, mut pop) = queue();
            bencher.iter(|| {
                assert!(push.push(black_box(1)));
                pop.pop()
            });
        });
    }
    group.finish();
}

fn two_threads(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("two_threads");
    group.throughput(Throughput::Elements(1));
    for (name, queue) in queues() {
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|items| {
                let (mut push, mut pop) = queue();
                let push_all = move || {
                    for item in 0..items {
                        let backoff = Backoff::new();
                        while !push.push(item) {
                            backoff.snooze();
                        }
                    }
                };
                let pop_all = || {
                    for expected in 0..items {
                        let backoff = Backoff::new();
                        let item = loop {
                            match pop.pop() {
                                Some(item) => break item,
                                None => backoff.snooze(),
                            }
                        };
                        assert_eq!(item, expected, "a fast queue that is wrong is not a queue");
                    }
                };
                // The consumer is the one that is timed: it ends last.
                on_two_cpus(pop_all, push_all)
            });
        });
    }
    group.finish();
}

fn notify_awake(criterion: &mut Criterion) {
    let (unparker, _parker) = parker(Wakeup::Eventfd).expect("descriptors are free");
    criterion.bench_function("notify_awake", |bencher| bencher.iter(|| unparker.unpark()));
}

criterion_group!(benches, same_thread, two_threads, hand_off, notify_awake);
criterion_main!(benches);
