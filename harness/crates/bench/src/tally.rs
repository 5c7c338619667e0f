//! The figures of a point: what the generator counted, and what the server used meanwhile.

use crate::generators::Measurement;
use crate::watch::Spent;
use records::{Bottleneck, Figures};

/// Puts the generator's counts and the server's usage together; the pair says how many CPUs each had.
pub(crate) fn figures(
    measured: &Measurement,
    spent: &Spent,
    cpus: (usize, usize),
    all_served: bool,
) -> Figures {
    let server_seconds = spent.server.map(|used| used.cpu.as_secs_f64());
    let ours = server_seconds.unwrap_or(0.0) + measured.generator_cpu_seconds;
    let mut figures = Figures {
        requests: measured.requests,
        errors: measured.errors,
        seconds: measured.seconds,
        window_seconds: None,
        requests_per_second: measured.requests_per_second(),
        bytes: measured.bytes,
        cpu_us_per_request: server_seconds
            .filter(|_| measured.requests > 0)
            .map(|seconds| seconds * 1e6 / measured.requests as f64),
        server_cpu_seconds: server_seconds,
        generator_cpu_seconds: measured.generator_cpu_seconds,
        other_cpu_seconds: spent.machine.map(|all| (all - ours).max(0.0)),
        context_switches: spent.server.and_then(|used| used.known_context_switches()),
        peak_memory_bytes: spent.memory,
        listen_overflows: spent.queues.map(|queues| queues.overflows),
        listen_drops: spent.queues.map(|queues| queues.drops),
        steal_seconds: spent.steal,
        closed_loop_us: measured.closed_loop_us,
        limiter: Bottleneck::Neither,
    };
    figures.limiter = Bottleneck::of(figures.shares(cpus), all_served);
    figures
}
