//! What it costs to send a file from the page cache into a TCP connection, by its size and by the way
//! (`--files` of stage 08). The reader is on another CPU; the time includes waiting for it, where it is the
//! slower one. The experiment `file-copies` measures the CPU time of the sender alone.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use experiments::measure::{Drain, Pinned, cpu};
use sending_files::Files;
use std::fs::File;

const WAYS: [(&str, Files); 3] =
    [("copy", Files::Copy), ("mmap", Files::Mmap), ("sendfile", Files::Sendfile)];
const SIZES: [usize; 5] = [1 << 10, 1 << 12, 1 << 16, 1 << 20, 1 << 24];

fn sending(criterion: &mut Criterion) {
    let directory = tempfile::tempdir().expect("a directory");
    let drain = Drain::new().expect("a connection");
    let _pinned = Pinned::to(cpu(0));
    let mut group = criterion.benchmark_group("send_file");
    for size in SIZES {
        let path = directory.path().join(size.to_string());
        std::fs::write(&path, vec![b'x'; size]).expect("there is room");
        let file = File::open(&path).expect("it is there");
        group.throughput(Throughput::Bytes(size as u64));
        for (name, way) in WAYS {
            group.bench_function(BenchmarkId::new(name, size), |bencher| {
                bencher.iter(|| drain.send(&file, size, way).expect("the reader reads"));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, sending);
criterion_main!(benches);
