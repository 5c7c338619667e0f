//! An invented record, for tests.

use crate::{Figures, Kind, Limiter, Phase, Record};
use lab_core::host::Host;

/// A record with invented figures.
pub fn record(stage: &str, tool: &str, concurrency: usize, keep_alive: bool, speed: f64) -> Record {
    Record {
        stage: stage.into(),
        title: format!("Title of {stage}"),
        kind: Kind::default(),
        configuration: None,
        phase: Phase::Survey,
        tool: tool.into(),
        concurrency,
        keep_alive,
        pipeline: 1,
        path: "/".into(),
        body_bytes: 13,
        duration_seconds: 1.0,
        round: 1,
        points_planned: 0,
        seed: 7,
        quick: false,
        command: "bench-all".into(),
        started_at: "2026-01-02T03:04:05Z".into(),
        server_cpus: vec![0],
        generator_cpus: vec![1],
        generator_host: None,
        workers: None,
        clients_served: concurrency,
        skipped: None,
        note: None,
        dropped: false,
        floor_around: None,
        open_loop: None,
        mix: None,
        idle: None,
        figures: Some(Figures {
            requests: speed as u64,
            errors: 0,
            seconds: 1.0,
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
            limiter: Limiter::Server,
        }),
        host: Host::default(),
    }
}
