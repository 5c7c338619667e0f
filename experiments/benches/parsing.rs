//! What it costs to parse requests, without any socket: httparse alone, and the protocol of the lab, which
//! also finds the route and writes the reply; one request, sixteen at once, and one that comes byte by byte.

use clap::Parser;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use kit::clock::{Clock, LoopContext};
use kit::protocol::Protocol;
use kit::protocol::http::{Http, Limits, Settings};
use kit::write_buffer::WriteBuffer;
use std::hint::black_box;
use std::mem::MaybeUninit;
use std::sync::Arc;

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost:8080\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n";
const MAX_HEADERS: usize = 100;

/// The limits as a stage has them without options.
#[derive(Debug, Parser)]
struct Defaults {
    #[command(flatten)]
    limits: Limits,
}

fn http() -> Http {
    let limits = Defaults::parse_from(["bench"]).limits;
    Http::new(Arc::new(Settings { limits, root: None }))
}

/// Hands bytes in and throws the replies away; returns how many bytes were taken.
fn feed(http: &mut Http, input: &[u8], out: &mut WriteBuffer, now: &LoopContext) -> usize {
    let (used, work) = http.receive(black_box(input), out, now);
    assert!(work.is_none(), "this request needs no work");
    let queued = out.parts().0.len();
    out.advance(queued);
    used
}

fn parsing(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("parse");
    group.throughput(Throughput::Elements(1));
    group.bench_function("httparse", |bencher| {
        bencher.iter(|| {
            let mut headers = [MaybeUninit::uninit(); MAX_HEADERS];
            let mut request = httparse::Request::new(&mut []);
            let parsed = request.parse_with_uninit_headers(black_box(REQUEST), &mut headers);
            parsed.expect("it is a request").is_complete()
        });
    });
    let now = Clock::new().last().clone();
    group.bench_function("protocol_one_request", |bencher| {
        let (mut http, mut out) = (http(), WriteBuffer::default());
        bencher.iter(|| assert_eq!(feed(&mut http, REQUEST, &mut out, &now), REQUEST.len()));
    });
    group.bench_function("protocol_byte_by_byte", |bencher| {
        let (mut http, mut out) = (http(), WriteBuffer::default());
        bencher.iter(|| {
            // As a session does: what was not taken is handed in again with the next byte.
            let used = (1..=REQUEST.len()).find_map(|length| {
                let used = feed(&mut http, &REQUEST[..length], &mut out, &now);
                (used > 0).then_some(used)
            });
            assert_eq!(used, Some(REQUEST.len()));
        });
    });
    group.throughput(Throughput::Elements(16));
    group.bench_function("protocol_sixteen_at_once", |bencher| {
        let (mut http, mut out) = (http(), WriteBuffer::default());
        let input = REQUEST.repeat(16);
        bencher.iter(|| assert_eq!(feed(&mut http, &input, &mut out, &now), input.len()));
    });
    group.finish();
}

criterion_group!(benches, parsing);
criterion_main!(benches);
