//! The figures of a point: what the generator counted, and what the server used meanwhile.

use crate::generators::Measurement;
use crate::watch::Spent;
use records::{Bottleneck, Figures};

/// Puts the generator's counts and the server's usage together; `cpus` says how many CPUs each of the two
/// had.
///
/// What a request costs is the server's CPU time of the whole run over all requests. The shares of the CPUs
/// are those of the middle of the run, where the load is on the server all the time.
pub(crate) fn figures(
    measured: &Measurement,
    spent: &Spent,
    cpus: (usize, usize),
    all_served: bool,
) -> Figures {
    let seconds = measured.seconds;
    let whole = spent.server.map(|used| used.cpu.as_secs_f64());
    let ours = whole.unwrap_or(0.0) + measured.generator_cpu_seconds;
    let (server, generator, over) = match (spent.window, spent.load_seconds) {
        (Some(window), _) => (Some(window.server), window.generator, Some(window.seconds)),
        // What webbench used before the load, to make its processes, cannot be told from the rest.
        (None, Some(over)) => (whole, measured.generator_cpu_seconds.min(over), Some(over)),
        (None, None) => (whole, measured.generator_cpu_seconds, None),
    };
    let scale = over.map_or(1.0, |over| seconds / over.max(f64::MIN_POSITIVE));
    let (server, generator) = (server.map(|server| server * scale), generator * scale);
    let mut figures = Figures {
        requests: measured.requests,
        errors: measured.errors,
        seconds,
        window_seconds: over,
        requests_per_second: measured.requests_per_second(),
        bytes: measured.bytes,
        cpu_us_per_request: whole
            .filter(|_| measured.requests > 0)
            .map(|cost| cost * 1e6 / measured.requests as f64),
        server_cpu_seconds: server,
        generator_cpu_seconds: generator,
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
