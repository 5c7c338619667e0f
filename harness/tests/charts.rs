//! The charts, drawn from invented records and looked at as a reader would: is everything there, and does
//! no text lie on another?

use harness::charts::draw;
use harness::records::{Phase, Record};
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};

const STAGES: [(&str, &str); 12] = [
    ("floor", "the kernel's own cost"),
    ("01", "Blocking echo"),
    ("02", "A process per connection"),
    ("02-threads", "A thread per connection"),
    ("03", "A pool of threads"),
    ("04", "Non-blocking epoll"),
    ("05", "Edge against level"),
    ("05-mio", "The same server on mio"),
    ("06", "One-shot readiness and workers"),
    ("07", "Lockless queues between loops"),
    ("08", "An event loop per thread"),
    ("09", "Processes that accept on their own"),
];

fn record(stage: usize, tool: &str, clients: usize, keep_alive: bool, round: u32) -> Record {
    let (name, title) = STAGES[stage];
    let limit = match name {
        "01" => 1,
        "03" => 4,
        _ => usize::MAX,
    };
    let served = if keep_alive { clients.min(limit) } else { clients };
    // Stages that are almost equally fast: the case in which labels would collide.
    let speed =
        90_000.0 * (1.0 - 0.01 * stage as f64) * (clients as f64 / 64.0).powf(0.3) + f64::from(round) * 900.0;
    let mut record = json!({
        "stage": name, "title": title, "tool": tool, "concurrency": clients, "keep_alive": keep_alive,
        "pipeline": 1, "path": "/", "body_bytes": 13, "duration_seconds": 2, "round": round, "seed": 1,
        "quick": false, "started_at": "2026-01-02T03:04:05Z", "server_cpus": [0], "generator_cpus": [1],
        "clients_served": served,
        "host": {
            "kernel": "6.18.44-a-long-name-of-a-kernel", "cpu": "A Processor With A Very Long Name @ 3.70GHz",
            "cores": 2, "commit": "0123456789", "dirty": true,
        },
    });
    let fields = record.as_object_mut().expect("an object");
    if tool == "ab" && served < clients {
        fields.insert("skipped".into(), json!("ab would hang: not all are served"));
    } else {
        let figures = json!({
            "requests": 1000, "errors": 0, "seconds": 2.0, "requests_per_second": speed, "bytes": 152_000,
            "cpu_us_per_request": 10.0 + stage as f64, "server_cpu_seconds": 1.0,
            "generator_cpu_seconds": 1.0, "context_switches": null, "peak_memory_bytes": 1000,
            "limiter": if stage.is_multiple_of(2) { "generator" } else { "server" },
        });
        fields.extend(figures.as_object().expect("an object").clone());
    }
    serde_json::from_value(record).expect("a record")
}

fn records() -> Vec<Record> {
    let mut records = Vec::new();
    for stage in 0..STAGES.len() {
        for round in 1..=5 {
            let mut pair = record(stage, "wrk", 64, true, round);
            pair.phase = Phase::Paired;
            pair.floor_around = Some([9.0 + f64::from(round), 10.0]);
            records.push(pair);
        }
        for tool in ["ab", "wrk", "webbench"] {
            for clients in [1, 8, 64] {
                for round in 1..=3 {
                    records.push(record(stage, tool, clients, false, round));
                    if tool != "webbench" {
                        records.push(record(stage, tool, clients, true, round));
                    }
                }
            }
        }
    }
    records
}

/// A text of an SVG: what it says and the box that it fills.
#[derive(Debug)]
struct Label {
    text: String,
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
    size: f64,
}

/// Reads the `<text>` elements. Boxes are estimated: letters are rarely wider than 0.52 of their height.
fn labels(svg: &str) -> Vec<Label> {
    let mut labels = Vec::new();
    for element in svg.split("<text ").skip(1) {
        let (attributes, rest) = element.split_once('>').expect("the tag ends");
        let text = rest.split("</text>").next().unwrap_or_default().trim();
        let text = text.replace("&apos;", "'").replace("&amp;", "&");
        let attribute = |name: &str| {
            let at = attributes.find(&format!("{name}=\""))? + name.len() + 2;
            attributes[at..].split('"').next()
        };
        let number = |name: &str| attribute(name).and_then(|value| value.parse::<f64>().ok()).expect(name);
        let (x, y, size) = (number("x"), number("y"), number("font-size"));
        let length = text.chars().count() as f64 * size * 0.52;
        let start = match attribute("text-anchor") {
            Some("end") => -length,
            Some("middle") => -length / 2.0,
            _ => 0.0,
        };
        // plotters moves the base line by a number of em (the size) or ex (about half of it).
        let base = attribute("dy").map_or(0.0, |dy| {
            let number = dy.trim_end_matches(char::is_alphabetic).parse::<f64>().expect("a number");
            if dy.ends_with("ex") { number * 0.5 * size } else { number * size }
        });
        let (top, bottom) = (base - 0.75 * size, base + 0.2 * size);
        let turned = attributes.contains("rotate(270");
        let (left, right, top, bottom) = if turned {
            (x + top, x + bottom, y - start - length, y - start)
        } else {
            (x + start, x + start + length, y + top, y + bottom)
        };
        labels.push(Label { text, left, right, top, bottom, size });
    }
    labels
}

fn check(svg: &str, file: &Path) {
    let labels = labels(svg);
    assert!(labels.len() > 6, "{}: {} texts", file.display(), labels.len());
    let attribute = |name: &str| {
        let value = svg.split(&format!(" {name}=\"")).nth(1).and_then(|rest| rest.split('"').next());
        value.and_then(|value| value.parse::<f64>().ok()).expect("the picture has a size")
    };
    let (width, height) = (attribute("width"), attribute("height"));
    for (at, one) in labels.iter().enumerate() {
        assert!(one.size >= 13.99, "{}: too small: {one:?}", file.display());
        let inside = one.left >= 0.0 && one.right <= width && one.top >= 0.0 && one.bottom <= height;
        assert!(inside, "{}: off the picture: {one:?}", file.display());
        for other in &labels[at + 1..] {
            let apart = one.right <= other.left
                || other.right <= one.left
                || one.bottom <= other.top
                || other.bottom <= one.top;
            assert!(apart, "{}: one text lies on another:\n{one:?}\n{other:?}", file.display());
        }
    }
}

fn drawn(records: &[Record], directory: &Path) -> Vec<(PathBuf, String)> {
    let files = draw(records, "20260102T030405Z-0123456789.jsonl", directory).expect("charts");
    files.into_iter().map(|file| (file.clone(), fs::read_to_string(&file).expect("it is there"))).collect()
}

#[test]
fn twelve_servers_are_on_every_chart_and_no_text_lies_on_another() {
    let directory = tempfile::tempdir().expect("a directory");
    let charts = drawn(&records(), directory.path());
    let names: Vec<_> = charts.iter().map(|(file, _)| file.file_name().expect("a name").to_owned()).collect();
    assert_eq!(
        names,
        [
            "requests-per-second-ab.svg",
            "requests-per-second-webbench.svg",
            "requests-per-second-wrk.svg",
            "overview.svg",
            "cpu-per-request.svg"
        ]
    );
    for (file, svg) in &charts {
        check(svg, file);
        let texts: Vec<String> = labels(svg).into_iter().map(|label| label.text).collect();
        for (name, _) in STAGES {
            let shown = texts
                .iter()
                .any(|text| text.starts_with(&format!("{name} ")) || text.starts_with(&format!("{name}: ")));
            assert!(shown, "{}: {name} is missing", file.display());
        }
        let says = |what: &str| texts.iter().any(|text| text.contains(what));
        assert!(
            says("20260102T030405Z-0123456789.jsonl") && says("commit 0123456789 with changes"),
            "{texts:?}"
        );
        let rounds = if file.ends_with("cpu-per-request.svg") { "5 rounds" } else { "3 rounds" };
        assert!(says(rounds), "{texts:?}");
    }
}

#[test]
fn a_quick_look_with_two_numbers_of_clients_says_so() {
    let mut records: Vec<Record> =
        records().into_iter().filter(|record| record.round == 1 && record.concurrency != 8).collect();
    records.iter_mut().for_each(|record| record.quick = true);
    let directory = tempfile::tempdir().expect("a directory");
    for (file, svg) in drawn(&records, directory.path()) {
        check(&svg, &file);
        assert!(svg.contains("Quick look"), "{}", file.display());
        assert!(!svg.contains("Whiskers"), "{}: one round has no spread", file.display());
    }
}

#[test]
fn one_server_with_one_number_of_clients_is_a_chart_too() {
    let directory = tempfile::tempdir().expect("a directory");
    let charts = drawn(&[record(5, "wrk", 64, true, 1)], directory.path());
    assert_eq!(charts.len(), 2);
    charts.iter().for_each(|(file, svg)| check(svg, file));
}

#[test]
fn data_without_figures_is_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    let error =
        draw(&[record(1, "ab", 64, true, 1)], "x.jsonl", directory.path()).expect_err("nothing to draw");
    assert_eq!(error.to_string().lines().count(), 1);
}
