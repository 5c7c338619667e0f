//! What it costs to wake a thread: the means of stage 07 (`--wakeup`), from one thread to another one that
//! sleeps, and by a thread that notifies itself, so that nobody sleeps; and beside them a condition variable.
//!
//! The experiment `wakeup-cost` measures the same in pairs and draws a verdict; this is for looking closer.

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use experiments::measure::{Pinned, cpu};
use lockless_queues::notifier::{Eventfd, Notifier, Park, Pipe};
use std::sync::{Arc, Barrier, Condvar, Mutex};
use std::time::{Duration, Instant};

type Make = fn() -> Arc<dyn Notifier>;

const MEANS: [(&str, Make); 4] = [
    ("eventfd", || Arc::new(Eventfd::new().expect("descriptors are free"))),
    ("pipe", || Arc::new(Pipe::new().expect("descriptors are free"))),
    ("park", || Arc::new(Park::default())),
    ("condvar", || Arc::new(Condition::default())),
];

/// What a queue behind a mutex is waited for with: stage 07 does without.
#[derive(Default)]
struct Condition {
    is_notified: Mutex<bool>,
    changed: Condvar,
}

impl Notifier for Condition {
    fn notify(&self) {
        *self.is_notified.lock().expect("no thread panics") = true;
        self.changed.notify_one();
    }

    fn wait(&self) {
        let is_notified = self.is_notified.lock().expect("no thread panics");
        let mut is_notified =
            self.changed.wait_while(is_notified, |is_notified| !*is_notified).expect("no thread panics");
        *is_notified = false;
    }
}

/// The time of so many round trips, two wake-ups each, between the first CPU and another one.
fn round_trips(make: Make, trips: u64, far_cpu: Option<usize>) -> Duration {
    let (there, back) = (make(), make());
    let ready = Barrier::new(2);
    std::thread::scope(|scope| {
        let far = scope.spawn(|| {
            let _pinned = Pinned::to(far_cpu);
            there.prepare();
            ready.wait();
            for _ in 0..trips {
                there.wait();
                back.notify();
            }
        });
        let _pinned = Pinned::to(cpu(0));
        back.prepare();
        // Both handles are there before either side notifies.
        ready.wait();
        let start = Instant::now();
        for _ in 0..trips {
            there.notify();
            back.wait();
        }
        let time = start.elapsed();
        far.join().expect("the far thread ends");
        time
    })
}

fn another_thread(criterion: &mut Criterion) {
    for (place, far) in [("wake_on_two_cpus", 1), ("wake_on_one_cpu", 0)] {
        let mut group = criterion.benchmark_group(place);
        for (name, make) in MEANS {
            group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
                bencher.iter_custom(|trips| round_trips(make, trips, cpu(far)));
            });
        }
        group.finish();
    }
}

fn oneself(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("notify_and_take");
    for (name, make) in MEANS {
        let notifier = make();
        notifier.prepare();
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                notifier.notify();
                notifier.wait();
            });
        });
    }
    group.finish();
}

criterion_group!(benches, another_thread, oneself);
criterion_main!(benches);
