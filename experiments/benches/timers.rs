//! What it costs to move a timer, and to ask for the earliest one, by the structure (`--timers` of stage 08)
//! and by how many there are.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use timers::{Structure, Timer, Timers};

const STRUCTURES: [(&str, Structure); 3] =
    [("heap", Structure::Heap), ("tree", Structure::Tree), ("wheel", Structure::Wheel)];
const SIZES: [usize; 3] = [100, 10_000, 1_000_000];
const AHEAD_MS: u64 = 60_000;

/// So many timers, a minute ahead and a little.
fn filled(
    structure: Structure,
    size: usize,
    random: &mut fastrand::Rng,
) -> (Box<dyn Timers>, Vec<Option<Timer>>) {
    let mut timers = structure.build(0);
    let handles =
        (0..size).map(|key| Some(timers.arm(AHEAD_MS + random.u64(..10_000), key as u64))).collect();
    (timers, handles)
}

fn move_one(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("move_a_timer");
    group.throughput(Throughput::Elements(1));
    for (name, structure) in STRUCTURES {
        for size in SIZES {
            group.bench_function(BenchmarkId::new(name, size), |bencher| {
                let mut random = fastrand::Rng::with_seed(1);
                let (mut timers, mut handles) = filled(structure, size, &mut random);
                bencher.iter(|| {
                    let key = random.usize(..size);
                    if let Some(timer) = handles[key].take() {
                        timers.cancel(timer);
                    }
                    handles[key] = Some(timers.arm(AHEAD_MS + random.u64(..10_000), key as u64));
                });
            });
        }
    }
    group.finish();
}

fn earliest(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("the_earliest_timer");
    for (name, structure) in STRUCTURES {
        for size in SIZES {
            group.bench_function(BenchmarkId::new(name, size), |bencher| {
                let (mut timers, _handles) = filled(structure, size, &mut fastrand::Rng::with_seed(1));
                bencher.iter(|| black_box(timers.next()));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, move_one, earliest);
criterion_main!(benches);
