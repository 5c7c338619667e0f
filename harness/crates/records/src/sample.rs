//! An invented record, for tests.

use crate::{
    Bottleneck, Context, Figures, Idle, IdleMemory, Key, Latency, OpenLoop, Outcome, Paired, Phase, Record,
    Served, Throughput,
};
use lab_core::host::Host;

/// A record of the survey with invented figures.
pub fn record(server: &str, tool: &str, concurrency: usize, keep_alive: bool, speed: f64) -> Record {
    Record {
        key: Key {
            phase: Phase::Survey,
            server: server.into(),
            title: format!("Title of {server}"),
            tool: tool.into(),
            concurrency,
            keep_alive,
            pipeline: 1,
            path: "/".into(),
            ..Key::default()
        },
        context: Context {
            duration_seconds: 1.0,
            round: 1,
            seed: 7,
            command: "bench-all".into(),
            started_at: "2026-01-02T03:04:05Z".into(),
            server_cpus: vec![0],
            generator_cpus: vec![1],
            host: Host::default(),
            ..Context::default()
        },
        outcome: Outcome::Throughput(Throughput {
            figures: figures(speed),
            served: Served { clients: concurrency, body_bytes: 13 },
        }),
    }
}

/// Invented figures of one second.
pub fn figures(speed: f64) -> Figures {
    Figures {
        requests: speed as u64,
        errors: 0,
        seconds: 1.0,
        window_seconds: None,
        requests_per_second: speed,
        bytes: 152 * speed as u64,
        cpu_us_per_request: Some(1e6 / speed),
        server_cpu_seconds: Some(1.0),
        generator_cpu_seconds: 0.5,
        other_cpu_seconds: Some(0.01),
        context_switches: None,
        peak_memory_bytes: Some(1 << 20),
        listen_overflows: Some(0),
        listen_drops: Some(0),
        steal_seconds: Some(0.0),
        closed_loop_us: None,
        limiter: Bottleneck::Server,
    }
}

/// The same record as a point between two runs of the floor.
pub fn paired(mut record: Record, floor_around: [f64; 2]) -> Record {
    let (figures, served) = parts(&record);
    record.key.phase = Phase::Paired;
    record.outcome = Outcome::Paired(Paired { floor_around, slices: None, figures, served });
    record
}

/// The same record as a point of an open loop.
pub fn open(mut record: Record, open_loop: OpenLoop) -> Record {
    let (figures, served) = parts(&record);
    record.key.phase = Phase::Latency;
    record.outcome = Outcome::Latency(Box::new(Latency {
        open_loop,
        mix: None,
        beside: None,
        client_timeout: None,
        by_worker: None,
        sampled_us: None,
        long_requests: None,
        figures,
        served,
    }));
    record
}

/// The same record as a point of the idle phase.
pub fn idle(mut record: Record, idle: Idle) -> Record {
    record.key.phase = Phase::Idle;
    record.outcome = Outcome::IdleMemory(IdleMemory { idle, served: *record.served() });
    record
}

/// The same record without figures, for a reason.
pub fn skipped(mut record: Record, reason: &str) -> Record {
    record.outcome = Outcome::skipped(reason);
    record
}

fn parts(record: &Record) -> (Figures, Served) {
    (record.figures().expect("a record with figures").clone(), *record.served())
}
