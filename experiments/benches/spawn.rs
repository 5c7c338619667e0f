//! What it costs to start a process or a thread that ends at once, by the memory that the parent has touched.
//!
//! A fork copies the page table of its parent, so this program has one thread, and criterion must not be
//! given features that start others.

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use experiments::measure::spawn::{Pages, Resident, fork_and_wait, thread_and_join};

const MIB: [usize; 4] = [0, 16, 64, 256];

fn spawning(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("spawn");
    group.sample_size(20);
    for mib in MIB {
        for (name, pages) in [("small_pages", Pages::Small), ("huge_pages", Pages::Huge)] {
            // Both threads and processes are started with the memory there.
            let _resident = Resident::touch(mib << 20, pages).expect("there is so much memory");
            group.bench_function(BenchmarkId::new(format!("fork_{name}"), mib), |bencher| {
                bencher.iter(|| fork_and_wait().expect("a process"));
            });
            group.bench_function(BenchmarkId::new(format!("thread_{name}"), mib), |bencher| {
                bencher.iter(|| thread_and_join().expect("a thread"));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, spawning);
criterion_main!(benches);
