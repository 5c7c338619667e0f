//! What a queue between two threads costs: stage 07's ring, crossbeam's `ArrayQueue` and bounded channel, and
//! a locked `VecDeque`, and what it costs to wake the thread at the other end.
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
//! `cargo bench -p experiments` runs it, `cargo bench -p experiments -- --quick` in about a minute.

use clap::ValueEnum;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use crossbeam::channel;
use crossbeam::queue::ArrayQueue;
use crossbeam::utils::Backoff;
use lockless_queues::parker::{Parker, Unparker, Wakeup, parker};
use lockless_queues::ring::{Consumer, Producer, ring};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;
use std::collections::VecDeque;
use std::hint::black_box;
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// Large enough that neither side meets the other's end often, as in a server.
const CAPACITY: usize = 1024;

/// The producer's end of a bounded queue.
trait Push: Send {
    /// Whether there was room.
    fn push(&mut self, item: u64) -> bool;
}

/// The consumer's end.
trait Pop: Send {
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

type Ends = (Box<dyn Push>, Box<dyn Pop>);
type NamedQueue = (&'static str, fn() -> Ends);

/// The queues by name. Boxed, so that every one of them pays for the same indirect call.
fn queues() -> [NamedQueue; 4] {
    fn both<Q: Push + Pop + Clone + 'static>(queue: Q) -> Ends {
        (Box::new(queue.clone()), Box::new(queue))
    }
    [
        ("ring", || {
            let (producer, consumer) = ring(CAPACITY);
            (Box::new(producer), Box::new(consumer))
        }),
        ("ArrayQueue", || both(Arc::new(ArrayQueue::new(CAPACITY)))),
        ("channel", || {
            let (sender, receiver) = channel::bounded(CAPACITY);
            (Box::new(sender), Box::new(receiver))
        }),
        ("Mutex<VecDeque>", || both(Locked::new(Mutex::new(VecDeque::with_capacity(CAPACITY))))),
    ]
}

/// Keeps the calling thread on the `index`-th of the CPUs that the process may use. One CPU: on that one.
fn pin(index: usize) {
    let this_thread = Pid::from_raw(0);
    let Ok(allowed) = sched_getaffinity(this_thread) else { return };
    let cpus: Vec<usize> = (0..CpuSet::count()).filter(|&cpu| allowed.is_set(cpu).unwrap_or(false)).collect();
    let mut one = CpuSet::new();
    if one.set(cpus[index % cpus.len()]).is_ok() {
        // Not allowed in some containers; the figures are then those of unpinned threads.
        let _ = sched_setaffinity(this_thread, &one);
    }
}

/// Runs `near` and `far` on a CPU each; how long `near` took. Starting the threads is not counted.
fn on_two_cpus(near: impl FnOnce() + Send, far: impl FnOnce() + Send) -> Duration {
    let ready = Barrier::new(2);
    thread::scope(|scope| {
        let far = scope.spawn(|| {
            pin(1);
            ready.wait();
            far();
        });
        let near = scope.spawn(|| {
            pin(0);
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

/// One direction of the hand-off.
struct Tell(Producer<u64>, Unparker);
struct Hear(Consumer<u64>, Parker);

impl Tell {
    fn tell(&mut self, item: u64) {
        self.0.push(item).expect("one item is on its way at a time");
        self.1.unpark();
    }
}

impl Hear {
    fn hear(&mut self) -> u64 {
        loop {
            match self.0.pop() {
                Some(item) => return item,
                None => self.1.park_unless(|| !self.0.is_empty()),
            }
        }
    }
}

fn direction(wakeup: Wakeup) -> (Tell, Hear) {
    let (producer, consumer) = ring(1);
    let (unparker, parker) = parker(wakeup).expect("descriptors are free");
    (Tell(producer, unparker), Hear(consumer, parker))
}

fn name(wakeup: Wakeup) -> String {
    wakeup.to_possible_value().expect("no variant is hidden").get_name().to_owned()
}

fn hand_off(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("hand_off");
    for &wakeup in Wakeup::value_variants() {
        group.bench_function(BenchmarkId::from_parameter(name(wakeup)), |bencher| {
            bencher.iter_custom(|rounds| {
                let (mut there, mut here) = direction(wakeup);
                let (mut back, mut home) = direction(wakeup);
                let call = move || {
                    for round in 0..rounds {
                        there.tell(round);
                        assert_eq!(home.hear(), round);
                    }
                };
                let answer = move || {
                    for _ in 0..rounds {
                        let item = here.hear();
                        back.tell(item);
                    }
                };
                on_two_cpus(call, answer)
            });
        });
    }
    // What is left when nobody sleeps: the cache line's way there and back. The rest is the wake-up.
    group.bench_function("spinning", |bencher| {
        bencher.iter_custom(|rounds| {
            let (mut there, mut here) = ring(1);
            let (mut back, mut home) = ring(1);
            let hear = |from: &mut Consumer<u64>| {
                let backoff = Backoff::new();
                loop {
                    match from.pop() {
                        Some(item) => return item,
                        None => backoff.snooze(),
                    }
                }
            };
            let call = move || {
                for round in 0..rounds {
                    there.push(round).expect("one item is on its way at a time");
                    assert_eq!(hear(&mut home), round);
                }
            };
            let answer = move || {
                for _ in 0..rounds {
                    let item = hear(&mut here);
                    back.push(item).expect("one item is on its way at a time");
                }
            };
            on_two_cpus(call, answer)
        });
    });
    group.finish();
}

fn notify_awake(criterion: &mut Criterion) {
    let (unparker, _parker) = parker(Wakeup::Eventfd).expect("descriptors are free");
    criterion.bench_function("notify_awake", |bencher| bencher.iter(|| unparker.unpark()));
}

criterion_group!(benches, same_thread, two_threads, hand_off, notify_awake);
criterion_main!(benches);
