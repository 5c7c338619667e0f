//! Invented data: servers that are almost equally fast, which is where labels and markers would collide.

use records::{Grade, Kind, Outcome, Phase, Record, Writer};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

pub(crate) type Server = (&'static str, &'static str);

/// What `results/` has at the seventh stage, with every reference.
pub(crate) const SEVEN: [Server; 12] = [
    ("floor", "the kernel's own cost"),
    ("01", "Blocking echo"),
    ("02", "Fork per connection"),
    ("02-threads", "Thread per connection"),
    ("03", "Thread pool"),
    ("04", "Non-blocking epoll"),
    ("05", "Edge against level"),
    ("05-mio", "The same server on mio"),
    ("06", "EPOLLONESHOT"),
    ("07", "Lock-less queues"),
    ("h2o", "h2o 2.2.5"),
    ("nginx", "nginx 1.22.1"),
];

/// What it will have at the end.
pub(crate) const TWELVE: [Server; 17] = [
    ("floor", "the kernel's own cost"),
    ("01", "Blocking echo"),
    ("02", "Fork per connection"),
    ("02-threads", "Thread per connection"),
    ("03", "Thread pool"),
    ("04", "Non-blocking epoll"),
    ("05", "Edge against level"),
    ("05-mio", "The same server on mio"),
    ("06", "EPOLLONESHOT"),
    ("07", "Lock-less queues"),
    ("08", "Event loop per thread, timers"),
    ("09", "Processes that accept on their own"),
    ("10", "Shards that share nothing"),
    ("11", "Completions instead of readiness"),
    ("12", "A framework with callbacks"),
    ("h2o", "h2o 2.2.5"),
    ("nginx", "nginx 1.22.1"),
];

const HOST: &str = r#"{
    "kernel": "6.18.44-a-long-name-of-a-kernel", "cpu": "A Processor With A Very Long Name @ 3.70GHz",
    "cores": 2, "commit": "0123456789", "dirty": true
}"#;

/// A point of the survey. `at` is the server's place among the others.
pub(crate) fn record(
    (name, title): Server,
    at: usize,
    tool: &str,
    clients: usize,
    kept: bool,
    round: u32,
) -> Record {
    let limit = match name {
        "01" => 1,
        "03" => 4,
        _ => usize::MAX,
    };
    let served = if kept { clients.min(limit) } else { clients };
    let by_tool = match tool {
        "ab" => 0.4,
        "webbench" => 0.5,
        "builtin" => 1.1,
        _ => 1.0,
    };
    let speed = by_tool * 90_000.0 * (1.0 - 0.01 * at as f64) * (clients as f64 / 64.0).powf(0.3)
        + f64::from(round) * 900.0;
    let of_the_lab = name.starts_with(|first: char| first.is_ascii_digit());
    let mut record = json!({
        "stage": name, "title": title, "kind": if of_the_lab { Kind::Stage } else { Kind::Reference },
        "tool": tool, "concurrency": clients, "keep_alive": kept,
        "pipeline": 1, "path": "/", "body_bytes": 13, "duration_seconds": 2, "round": round, "seed": 1,
        "quick": false, "started_at": "2026-01-02T03:04:05Z", "server_cpus": [0], "generator_cpus": [1],
        "clients_served": served, "host": host(),
    });
    if tool == "ab" && served < clients {
        add(&mut record, json!({"skipped": "ab would hang: not all are served"}));
    } else {
        let (limiter, server_cpu, generator_cpu) =
            if at.is_multiple_of(2) { ("generator", 1.5, 1.96) } else { ("server", 1.96, 1.5) };
        let switches = if name == "02" { Value::Null } else { json!(3_u64.pow(at as u32 % 7)) };
        add(
            &mut record,
            json!({
                "requests": 1000, "errors": 0, "seconds": 2.0, "requests_per_second": speed, "bytes": 152_000,
                "cpu_us_per_request": 10.0 + at as f64,
                "server_cpu_seconds": server_cpu, "generator_cpu_seconds": generator_cpu,
                "context_switches": switches, "peak_memory_bytes": 1000,
                "limiter": limiter,
            }),
        );
    }
    serde_json::from_value(record).expect("a record")
}

fn host() -> Value {
    serde_json::from_str(HOST).expect("JSON")
}

/// The same record as one of another phase, with the fields that those have.
fn with(record: Record, phase: Phase, fields: Value) -> Record {
    let mut value = serde_json::to_value(record).expect("JSON");
    add(&mut value, fields);
    add(&mut value, json!({"phase": phase}));
    serde_json::from_value(value).expect("a record")
}

fn add(record: &mut Value, more: Value) {
    let Value::Object(more) = more else { panic!("an object") };
    record.as_object_mut().expect("an object").extend(more);
}

/// All phases of a run.
pub(crate) fn run(servers: &[Server]) -> Vec<Record> {
    let mut records = Vec::new();
    for (at, &server) in servers.iter().enumerate() {
        for round in 1..=5 {
            let pair = record(server, at, "wrk", 64, true, round);
            // One server is measured while the machine is busy with something else.
            let noise = if server.0 == "06" { 3.0 } else { 0.0 };
            let floor = 9.9 + (0.1 + noise) * f64::from(round);
            let around = [floor, 1.02 * floor];
            records.push(with(pair, Phase::Paired, json!({"floor_around": around})));
            records.extend([0.5, 0.7, 0.8, 0.9].map(|share| open_loop(server, at, share, round)));
            records.push(idle(server, at, round));
        }
        for tool in ["ab", "wrk", "webbench", "builtin"] {
            for clients in [1, 8, 64] {
                for round in 1..=3 {
                    records.push(record(server, at, tool, clients, false, round));
                    // The paired points are those of wrk with 64 kept connections.
                    if tool != "webbench" && (tool, clients) != ("wrk", 64) {
                        records.push(record(server, at, tool, clients, true, round));
                    }
                }
            }
        }
    }
    records
}

fn open_loop(server: Server, at: usize, share: f64, round: u32) -> Record {
    let record = record(server, at, "builtin", 64, true, round);
    let p50 = (60.0 + 20.0 * at as f64) * (1.0 / (1.0 - share)) + 5.0 * f64::from(round);
    let open = json!({
        "rate": 80_000.0 * share, "share_of_peak": share, "late": if share > 0.8 { 700 * at } else { 0 },
        "never_sent": 0,
        "latency_us": {
            "p50": p50 as u64, "p90": 2 * p50 as u64, "p99": 6 * p50 as u64, "p99_9": 40 * p50 as u64,
            "max": 100 * p50 as u64,
        },
    });
    let mut record = with(record, Phase::Latency, json!({"open_loop": open}));
    // One server falls behind at its highest rate.
    let answered = if server.0 == "02" && share > 0.8 { 0.3 } else { 1.0 };
    record.figures_mut().expect("figures").requests_per_second = 80_000.0 * share * answered;
    record
}

fn idle(server: Server, at: usize, round: u32) -> Record {
    let record = record(server, at, "connections", 10_000, true, round);
    if server.0 == "01" {
        return with(record, Phase::Idle, json!({"skipped": "it serves one client at a time"}));
    }
    let silent = match server.0 {
        "02" => 150_000.0,
        "h2o" => 0.0,
        _ => 170.0 + 10.0 * at as f64 + f64::from(round),
    };
    let idle = json!({"connections": 10_000, "silent_bytes": silent, "served_bytes": 2.0 * silent});
    with(record, Phase::Idle, json!({"idle": idle}))
}

/// Source 002's table, with the rows that are still missing.
pub(crate) fn table() -> Vec<Record> {
    let mut records = Vec::new();
    for clients in [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 2500, 3000] {
        for round in 1..=3 {
            let mut serial = record(("01", "serial"), 1, "webbench", clients, false, round);
            serial.key.phase = Phase::Table;
            if let Some(figures) = serial.figures_mut() {
                figures.listen_overflows = Some(if clients > 5 { 40 } else { 0 });
                figures.requests_per_second =
                    if clients > 5 { 900.0 } else { 9_000.0 } + f64::from(round) * 80.0;
            }
            records.push(serial);
        }
        for title in ["1 process", "2 processes"] {
            let missing = record(("09", title), 9, "webbench", clients, false, 1);
            let reason = "needs stage 09 (prefork), which is not built yet";
            records.push(with(missing, Phase::Table, json!({"skipped": reason})));
        }
    }
    records
}

/// Both scenarios; the pools have workers, and so have the stages from the sixth on.
pub(crate) fn scenarios(servers: &[Server]) -> [Vec<Record>; 2] {
    let (mut spin, mut slow) = (Vec::new(), Vec::new());
    let stages = servers.iter().filter(|(name, _)| name.starts_with(|first: char| first.is_ascii_digit()));
    for (at, &server) in stages.enumerate() {
        let has_workers = server.0 == "03" || server.0 >= "06";
        let all: &[Option<usize>] = if has_workers { &[Some(1), Some(2), Some(4)] } else { &[None] };
        for (round, &workers) in (1..=5).flat_map(|round| all.iter().map(move |workers| (round, workers))) {
            let mut record = record(server, at, "builtin", 64, true, round);
            (record.key.phase, record.key.workers, record.key.path) =
                (Phase::Spin, workers, "/spin/100".into());
            (record.context.server_cpus, record.context.generator_cpus) = (vec![0, 1], vec![0, 1]);
            if server.0 == "03" {
                record.key.concurrency = workers.expect("a pool has workers");
            }
            record.outcome.served_mut().clients = record.key.concurrency;
            let figures = record.figures_mut().expect("measured");
            figures.generator_cpu_seconds = 0.4;
            figures.requests_per_second =
                8_600.0 * workers.unwrap_or(2).min(2) as f64 + 40.0 * at as f64 + 90.0 * f64::from(round);
            if server.0 == "01" {
                record.outcome = Outcome::skipped("it serves one client at a time");
            }
            spin.push(record);
        }
        for round in 1..=5 {
            slow.push(beside_slow(server, at, has_workers.then_some(4), round));
        }
    }
    [spin, slow]
}

fn beside_slow(server: Server, at: usize, workers: Option<usize>, round: u32) -> Record {
    let mut record = record(server, at, "builtin", 64, true, round);
    record.key.workers = workers;
    if server.0 == "01" {
        return with(record, Phase::Slow, json!({"skipped": "it serves one client at a time"}));
    }
    if server.0 == "03" {
        record.key.concurrency = 4;
    }
    let p50 = if workers.is_some() { 120 + 10 * at as u64 } else { 21_000 } + u64::from(round);
    let latency = |factor: u64| {
        json!({
            "p50": factor * p50, "p90": 2 * factor * p50, "p99": 5 * factor * p50, "p99_9": 6 * factor * p50,
            "max": 9 * factor * p50,
        })
    };
    let open = json!({"rate": 200.0, "late": 0, "never_sent": at, "latency_us": latency(1)});
    let mix = json!({
        "percent": 5, "path": "/sleep/50", "requests": 20, "errors": at, "never_sent": 0, "latency_us": latency(9),
    });
    with(record, Phase::Slow, json!({"open_loop": open, "mix": mix}))
}

/// The scenario that compares what holds a connection, whose phases are those of a run.
pub(crate) fn concurrency() -> Vec<Record> {
    const SERVERS: [Server; 8] = [
        ("floor", "the kernel's own cost"),
        ("02", "Fork per connection"),
        ("02-threads", "Thread per connection"),
        ("12-fibers", "Fibers"),
        ("12", "async/await"),
        ("12-tokio", "The same on tokio"),
        ("10", "Shards that share nothing"),
        ("04", "Non-blocking epoll"),
    ];
    let mut records = Vec::new();
    for round in 1..=5 {
        for (at, &server) in SERVERS.iter().enumerate() {
            for kept in [true, false] {
                let pair = record(server, at, "builtin", 64, kept, round);
                let floor = 9.9 + 0.1 * f64::from(round);
                records.push(with(pair, Phase::Paired, json!({"floor_around": [floor, 1.02 * floor]})));
            }
            if server.0 != "floor" {
                let workers = (!["02", "02-threads", "04"].contains(&server.0)).then_some(4);
                records.push(idle(server, at, round));
                records.push(beside_slow(server, at, workers, round));
            }
        }
    }
    records
}

/// The scenario with long requests, on all servers that it knows.
pub(crate) fn stealing() -> Vec<Record> {
    const SERVERS: [Server; 4] = [
        ("10", "Shards that share nothing"),
        ("12", "async/await"),
        ("12-fibers", "Fibers"),
        ("12-tokio", "The same on tokio"),
    ];
    let waits = |p99: u64| json!({"p50": p99 / 9, "p90": p99 / 2, "p99": p99, "p99_9": p99, "max": p99});
    let of = |server: Server, at: usize, placement: &str, round: u32| {
        let p99 = 10_000 + 300 * at as u64 + u64::from(round);
        let worker = |slowed: bool, p99: u64| {
            json!({
                "thread": 1, "slowed": slowed, "connections": 9, "requests": 9, "cpu_seconds": 0.1, "samples": 9,
                "wait_us": waits(p99),
            })
        };
        let is_hot = placement == "one";
        let workers = match server.0 {
            "12-tokio" => vec![worker(is_hot, p99 / 4)],
            _ => vec![worker(is_hot, p99), worker(false, p99 / 20)],
        };
        let mut fields = json!({
            "placement": placement, "by_worker": workers, "sampled_us": waits(p99),
            "open_loop": {"rate": 1000.0, "late": 0, "never_sent": 0, "latency_us": waits(p99)},
        });
        if placement != "none" {
            let path = "/spin/2000";
            fields["long_requests"] = json!({
                "path": path, "connections": 16, "rate": 300.0, "requests": 600, "wait_us": waits(3 * p99),
            });
        }
        with(record(server, at, "builtin", 64, true, round), Phase::Stealing, fields)
    };
    let servers = || SERVERS.into_iter().enumerate();
    let placements = ["none", "each", "one"];
    let rounds = (1..=7).flat_map(|round| placements.map(|placement| (round, placement)));
    rounds
        .flat_map(|(round, place)| servers().map(move |(at, server)| of(server, at, place, round)))
        .collect()
}

/// A grade of each stage and twin, every outcome among them.
pub(crate) fn grades(servers: &[Server]) -> Vec<Grade> {
    let outcomes = ["starved", "wrong", "broken: hang", "not applicable"];
    let of = |(at, (name, title)): (usize, &Server)| {
        let probes = (0..36).map(|probe| {
            let outcome = if (probe * 5 + at) % 9 == 0 { outcomes[(probe + at) % 4] } else { "pass" };
            let surprise = outcome == "wrong";
            json!({
                "probe": format!("probe-with-a-name-{probe}"), "outcome": outcome, "seconds": 0.1, "detail": "",
                "expected": if surprise { "pass" } else { outcome }, "surprise": surprise,
            })
        });
        let grade = json!({
            "stage": format!("stage {name}"), "name": name, "title": title, "surprises": 1,
            "started_at": "2026-01-02T03:04:05Z", "probes": probes.collect::<Vec<_>>(), "host": host(),
        });
        serde_json::from_value(grade).expect("a grade")
    };
    let graded = servers.iter().filter(|(name, _)| name.starts_with(|first: char| first.is_ascii_digit()));
    graded.enumerate().map(of).collect()
}

/// The files of a run, of grades, of the table and of the scenarios in `DIRECTORY/data`; returns the run's.
pub(crate) fn files(servers: &[Server], directory: &Path) -> PathBuf {
    let data = directory.join("data");
    let create = |kind: &str| {
        Writer::create(&data, &format!("20260102T030405Z-0123456789-{kind}")).expect("a new file")
    };
    let mut writer = create("grades");
    grades(servers).iter().for_each(|grade| writer.write(grade).expect("written"));
    let mut writer = create("table");
    table().iter().for_each(|record| writer.write(record).expect("written"));
    for (kind, records) in ["spin", "slow"].into_iter().zip(scenarios(servers)) {
        let mut writer = create(kind);
        records.iter().for_each(|record| writer.write(record).expect("written"));
    }
    let mut writer = create("standard");
    run(servers).iter().for_each(|record| writer.write(record).expect("written"));
    writer.path().to_owned()
}
