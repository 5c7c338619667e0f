//! Invented records of every phase, written and drawn as `./lab bench-all` does it.

use figures::{charts, report};
use records::{Record, Writer};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Seventeen servers, some almost equally fast: the case in which labels would collide. The last three are
/// references.
pub(crate) const SERVERS: [(&str, &str); 17] = [
    ("01", "Blocking echo"),
    ("02", "Fork per connection"),
    ("02-threads", "A thread per connection"),
    ("03", "Thread pool"),
    ("04", "Non-blocking epoll"),
    ("05", "Edge against level"),
    ("05-mio", "The same server on mio"),
    ("06", "EPOLLONESHOT"),
    ("07", "Lock-less queues"),
    ("08", "An event loop per thread"),
    ("09", "Processes that accept on their own"),
    ("10", "Shards that share nothing"),
    ("11", "Completion instead of readiness"),
    ("12", "A <b>bold</b> & \"quoted\" title</script>"),
    ("floor", "the kernel's own cost"),
    ("h2o", "h2o 2.2.5"),
    ("nginx", "nginx 1.22.1"),
];
/// Clients at once.
pub(crate) const CLIENTS: [usize; 4] = [1, 8, 64, 256];
/// The run's file as the page links it.
pub(crate) const RUN: &str = "data/20260102T030405Z-0123456789-standard.jsonl";
/// The file of source 002's table.
pub(crate) const TABLE: &str = "data/20260102T040506Z-0123456789-table.jsonl";
/// The files of the scenarios.
pub(crate) const SPIN: &str = "data/20260102T050607Z-0123456789-spin.jsonl";
pub(crate) const SLOW: &str = "data/20260102T060708Z-0123456789-slow.jsonl";

const CLIENTS_FILE: &str = "data/20260102T070809Z-0123456789-clients.jsonl";
const C10K: &str = "data/20260102T080910Z-0123456789-c10k.jsonl";
const CPUS: &str = "data/20260102T091011Z-0123456789-cpus.jsonl";

/// Writes the data, the charts and the pages into a directory; returns the page's path.
pub(crate) fn report(out: &Path) -> PathBuf {
    let run = written(out, RUN, survey().chain(others()));
    written(out, TABLE, table());
    written(out, SPIN, spin());
    written(out, SLOW, slow());
    written(out, CLIENTS_FILE, clients());
    written(out, C10K, c10k());
    written(out, CPUS, cpus());
    let drawing = charts::draw(&[run], out).expect("charts");
    report::write(&drawing).expect("pages");
    out.join("report.html")
}

fn written(out: &Path, link: &str, records: impl Iterator<Item = Value>) -> PathBuf {
    let name = link.trim_start_matches("data/").trim_end_matches(".jsonl");
    let mut writer = Writer::create(&out.join("data"), name).expect("a new file");
    for record in records {
        let record: Record = serde_json::from_value(record).expect("a record");
        writer.write(&record).expect("written");
    }
    assert_eq!(writer.path(), out.join(link));
    writer.path().to_owned()
}

/// What all points have in common.
fn point(server: usize, phase: &str, tool: &str, clients: usize, round: usize) -> Value {
    let (name, title) = SERVERS[server];
    let is_reference = server >= SERVERS.len() - 3;
    let configuration = (name == "nginx").then_some("worker_processes 1;\naccess_log off;");
    let speed = speed(server, clients, round);
    let record = json!({
        "stage": name, "title": title, "kind": if is_reference { "reference" } else { "stage" },
        "configuration": configuration, "phase": phase, "tool": tool, "concurrency": clients, "keep_alive": true,
        "pipeline": 1, "path": "/", "body_bytes": 13, "duration_seconds": 1, "round": round, "points_planned": 0,
        "seed": 42, "quick": false, "command": "bench-all",
        "started_at": format!("2026-01-02T03:{round:02}:{:02}Z", server + clients % 40),
        "server_cpus": [0], "generator_cpus": [1], "clients_served": clients, "dropped": false,
        "host": {
            "kernel": "6.18.44", "cpu": "A Processor With A Very Long Name @ 3.70GHz", "cores": 2,
            "governor": "none", "somaxconn": 4096, "port_range": "32768-60999", "descriptors": [1024, 20000],
            "commit": "0123456789", "dirty": false, "tools": {"wrk": "wrk 4.1.0", "ab": "Version 2.3 \
                <$Revision$>"},
        },
    });
    let figures = json!({
        "requests": speed as u64, "errors": 0, "seconds": 1.0, "requests_per_second": speed, "bytes": 152_000,
        "cpu_us_per_request": 1e6 / speed, "server_cpu_seconds": 1.0, "generator_cpu_seconds": 0.5,
        "other_cpu_seconds": 0.01, "context_switches": 10 * server + clients, "peak_memory_bytes": 1_048_576,
        "limiter": "server",
    });
    with(record, figures)
}

fn speed(server: usize, clients: usize, round: usize) -> f64 {
    let (server, clients, round) = (server as f64, clients as f64, round as f64);
    90_000.0 * (1.0 - 0.02 * server) * (clients / 64.0).powf(0.3) + round * 900.0
}

fn with(mut record: Value, fields: Value) -> Value {
    let Value::Object(fields) = fields else { unreachable!("fields are an object") };
    record.as_object_mut().expect("a record is an object").extend(fields);
    record
}

/// The speeds. 01 serves one client only, the generator is the limit of 05, ab is slower and skips 01.
fn survey() -> impl Iterator<Item = Value> {
    let rounds = (1..=5).flat_map(|round| CLIENTS.map(|clients| (round, clients)));
    let points = rounds.flat_map(|(round, clients)| {
        (0..SERVERS.len()).flat_map(move |server| ["wrk", "ab"].map(|tool| (server, tool, clients, round)))
    });
    points.map(|(server, tool, clients, round)| {
        let record = point(server, "survey", tool, clients, round);
        match (SERVERS[server].0, tool) {
            ("01", "ab") => skipped(record, "ab would hang: 1 client is served"),
            (_, "ab") => with(record, json!({"requests_per_second": 0.3 * speed(server, clients, round)})),
            ("01", _) if clients > 1 => with(record, json!({"clients_served": 1, "limiter": "clients"})),
            ("05", _) => with(record, json!({"server_cpu_seconds": 0.5, "generator_cpu_seconds": 0.95})),
            _ => record,
        }
    })
}

/// The pairs, the open loop and the idle connections.
fn others() -> impl Iterator<Item = Value> {
    (1..=5).flat_map(|round| (0..SERVERS.len()).map(move |server| (server, round))).flat_map(|(server, round)| {
        let cost = 1e6 / speed(server, 64, round);
        let paired = with(
            point(server, "paired", "wrk", 64, round),
            json!({"floor_around": [0.8 * cost / (1.0 + 0.02 * server as f64), 0.82 * cost / (1.0 + 0.02 * server as f64)]}),
        );
        let idle = with(
            point(server, "idle", "builtin", 1000, round),
            json!({"idle": {"connections": 1000, "silent_bytes": if SERVERS[server].0 == "h2o" { 0.0 } else { 176.0 * (server * server + round) as f64 }, "served_bytes": 352.0 * (server + round) as f64}}),
        );
        let latency = [50, 70, 80, 90].map(|share| {
            let wait = (100 + 10 * server + round) * 1000 / (100 - share);
            // 06 answers a tenth of what was planned at 90 %.
            let faster = if SERVERS[server].0 == "06" && share == 90 { 10.0 } else { 1.0 };
            let open_loop = json!({
                "rate": faster * share as f64 / 100.0 * speed(server, 64, round), "share_of_peak": share as f64 / 100.0, "late": 3, "never_sent": 0,
                "latency_us": {"p50": wait, "p90": 2 * wait, "p99": 4 * wait, "p99_9": 8 * wait, "max": 20 * wait},
            });
            with(point(server, "latency", "builtin", 64, round), json!({"open_loop": open_loop}))
        });
        [paired, idle].into_iter().chain(latency)
    })
}

/// Source 002's table from 1 to 3,000 clients: two rows are of one stage, and one was skipped.
fn table() -> impl Iterator<Item = Value> {
    let rows = [(0, "serial"), (10, "1 process"), (10, "2 processes")];
    let row = |(server, title): (usize, &'static str)| {
        [1, 10, 100, 500, 1000, 2000, 3000].into_iter().map(move |clients| {
            let fields =
                json!({"title": title, "keep_alive": false, "command": "table", "errors": clients / 1000});
            let record = with(point(server, "table", "webbench", clients, 1), fields);
            if title == "1 process" { skipped(record, "not built yet") } else { record }
        })
    };
    rows.into_iter().flat_map(row)
}

/// Stage 06 with workers, 04 without.
fn spin() -> impl Iterator<Item = Value> {
    [(4, None), (7, Some(1)), (7, Some(2))].into_iter().map(|(server, workers)| {
        let fields = json!({"path": "/spin/100", "workers": workers, "command": "scenario spin"});
        with(point(server, "spin", "builtin", 64, 1), fields)
    })
}

/// The same two beside slow requests.
fn slow() -> impl Iterator<Item = Value> {
    let latency = json!({"p50": 200, "p90": 900, "p99": 4000, "p99_9": 5000, "max": 50_000});
    let open_loop = json!({"rate": 200.0, "late": 0, "never_sent": 0, "latency_us": latency});
    let mix = json!({"percent": 5, "path": "/sleep/50", "requests": 20, "errors": 0, "latency_us": latency});
    let fields = json!({"open_loop": open_loop, "mix": mix, "command": "scenario slow"});
    [4, 7].into_iter().map(move |server| with(point(server, "slow", "builtin", 64, 1), fields.clone()))
}

/// Costs with one client and with many.
fn clients() -> impl Iterator<Item = Value> {
    let all = (1..=3).flat_map(|round| (0..SERVERS.len()).map(move |server| (server, round)));
    all.flat_map(|(server, round)| {
        CLIENTS.map(|clients| {
            let fields = json!({"floor_around": [9.0, 9.1], "command": "scenario clients"});
            with(point(server, "clients", "builtin", clients, round), fields)
        })
    })
}

/// Active clients beside silent ones; stage 06 falls behind.
fn c10k() -> impl Iterator<Item = Value> {
    (0..SERVERS.len()).flat_map(|server| [0, 1_000, 10_000].map(|idle| (server, idle))).map(|(server, idle)| {
        let rate = if SERVERS[server].0 == "06" { 1e9 } else { 1_000.0 };
        let latency = json!({"p50": 90, "p90": 100, "p99": 200 + server, "p99_9": 400, "max": 900});
        let open_loop = json!({"rate": rate, "late": 0, "never_sent": 0, "latency_us": latency});
        let beside = json!({"connections": idle, "user_bytes": 300 * idle, "kernel_bytes": 4_000 * idle});
        let fields = json!({"open_loop": open_loop, "beside": beside, "idle_connections": idle, "command": "scenario c10k"});
        with(point(server, "c10k", "builtin", 64, 1), fields)
    })
}

/// One CPU and two.
fn cpus() -> impl Iterator<Item = Value> {
    let all = (1..=3).flat_map(|round| (0..SERVERS.len()).map(move |server| (server, round)));
    all.flat_map(|(server, round)| {
        [(1, "/"), (2, "/"), (1, "/spin/100"), (2, "/spin/100")].map(|(cpus, path)| {
            let speed = f64::from(cpus) * speed(server, 64, round);
            let fields =
                json!({"cpus": cpus, "path": path, "requests_per_second": speed, "command": "scenario cpus"});
            with(point(server, "cpus", "builtin", 64, round), fields)
        })
    })
}

fn skipped(record: Value, reason: &str) -> Value {
    let mut record = with(record, json!({ "skipped": reason }));
    for field in ["requests", "errors", "seconds", "requests_per_second", "bytes", "limiter"] {
        record.as_object_mut().expect("an object").remove(field);
    }
    record
}
