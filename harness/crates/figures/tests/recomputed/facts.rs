//! What can be said of lines in numbers.

use super::states::States;
use super::{Checked, Page, all, middle, number};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

pub(crate) fn is_measured(line: &Value) -> bool {
    line.get("skipped").is_none()
        && (number(line, "requests_per_second").is_some() || line.get("idle").is_some())
}

/// Whether a load ran.
pub(crate) fn is_timed(line: &Value) -> bool {
    number(line, "requests_per_second").is_some()
}

pub(crate) fn is_disturbed(line: &Value) -> bool {
    number(line, "other_cpu_seconds").zip(number(line, "seconds")).is_some_and(|(other, s)| other > 0.1 * s)
}

pub(crate) fn disturbed(lines: &[&Value]) -> (usize, usize) {
    let timed = lines.iter().filter(|line| number(line, "requests_per_second").is_some());
    (timed.clone().filter(|line| is_disturbed(line)).count(), timed.count())
}

/// What can be said of lines in numbers.
pub(crate) fn facts(lines: &[&Value]) -> Vec<f64> {
    let timed: Vec<&&Value> = lines.iter().filter(|l| number(l, "requests_per_second").is_some()).collect();
    let mut rounds: BTreeMap<String, usize> = BTreeMap::new();
    lines.iter().for_each(|line| *rounds.entry(super::key(line)).or_default() += 1);
    let mut facts = vec![
        timed.len() as f64,
        timed.iter().filter(|line| is_disturbed(line)).count() as f64,
        rounds.values().copied().min().unwrap_or(0) as f64,
        rounds.values().copied().max().unwrap_or(0) as f64,
    ];
    let sum = |field: &str| lines.iter().filter_map(|line| number(line, field)).sum::<f64>();
    facts.extend([sum("errors"), sum("open_loop.never_sent") + sum("mix.never_sent")]);
    for line in lines {
        let fields = [
            "duration_seconds",
            "concurrency",
            "workers",
            "mix.percent",
            "open_loop.rate",
            "client_timeout.timeout_ms",
            "idle.connections",
            "idle_connections",
            "beside.connections",
            "long_requests.connections",
            "long_requests.rate",
            "clients_served",
        ];
        facts.extend(fields.iter().filter_map(|field| number(line, field)));
        for cpus in ["server_cpus", "generator_cpus"] {
            let cpus = line[cpus].as_array().into_iter().flatten().filter_map(Value::as_f64);
            let cpus: Vec<f64> = cpus.collect();
            facts.push(cpus.len() as f64);
            facts.extend(cpus);
        }
        // A path says how long a request sleeps or keeps a CPU busy, and how many bytes it asks for.
        for path in [&line["path"], &line["mix"]["path"]] {
            let last = path.as_str().and_then(|path| path.rsplit('/').next()?.parse::<f64>().ok());
            facts.extend(last);
        }
        // How long a long request keeps its thread busy, ms, and what all of them need of a CPU, in
        // hundredths.
        let long = &line["long_requests"];
        let micros = long["path"].as_str().and_then(|path| path.rsplit('/').next()?.parse::<f64>().ok());
        facts.extend(micros.map(|micros| micros / 1e3));
        facts.extend(micros.zip(long["rate"].as_f64()).map(|(micros, rate)| micros * rate / 1e4));
        let cpus = line["generator_cpus"].as_array().map_or(1, Vec::len) as f64;
        let share = number(line, "generator_cpu_seconds").zip(number(line, "seconds"));
        facts.extend(
            share.map(|(used, seconds)| 100.0 * used / (seconds * cpus)).filter(|_| line["phase"] == "spin"),
        );
        facts.extend(number(line, "idle.connections").map(|connections| 4096.0 / connections));
        // The peak, of which the rate is a share.
        let peak = number(line, "open_loop.rate").zip(number(line, "open_loop.share_of_peak"));
        facts.extend(peak.map(|(rate, share)| rate / share).filter(|_| line["phase"] == "overload"));
        let words = line["configuration"].as_str().unwrap_or_default().split(' ');
        facts.extend(words.filter_map(|word| word.parse::<f64>().ok()));
    }
    // Thousands of lines say the same few numbers.
    facts.sort_by(f64::total_cmp);
    facts.dedup();
    facts
}

/// The limit of one line, from what both sides used.
fn limit(line: &Value) -> &'static str {
    let seconds = number(line, "seconds").expect("a time");
    let share = |cpu: &str, cpus: usize| number(line, cpu).unwrap_or(0.0) / (seconds * cpus as f64);
    let count = |cpus: &str| line[cpus].as_array().map_or(1, Vec::len);
    let generators = if line["tool"] == "ab" { 1 } else { count("generator_cpus") };
    let server = share("server_cpu_seconds", count("server_cpus")) >= 0.95;
    match (server, share("generator_cpu_seconds", generators) > 0.9) {
        (true, true) => "both",
        (true, false) => "the server",
        (false, true) => "the generator",
        (false, false) => "neither",
    }
}

/// How many points of a figure each limit has; checks the note of each.
pub(crate) fn limits(page: &Page, checked: &Checked) -> BTreeMap<&'static str, usize> {
    let mut counts = BTreeMap::new();
    let plot = &checked.figure["plot"];
    for point in plot["points"].as_array().into_iter().flatten().filter(|p| p["marker"] != "missed") {
        let note = point["note"].as_str().unwrap_or_default();
        let Some(said) = note.split("limit: ").nth(1).and_then(|rest| rest.split(';').next()) else {
            continue;
        };
        let records = point["records"].as_array().expect("records").iter();
        let lines = records.map(|record| {
            let file = checked.figure["data"][record[0].as_u64().expect("a file") as usize].as_str();
            &page.files[file.expect("a link")][record[1].as_u64().expect("a line") as usize]
        });
        let own: Vec<&str> = lines.map(limit).collect();
        // Of two that are equally frequent the one less in favour of the server.
        let order = ["the generator", "neither", "both", "the server"];
        let most = order.into_iter().rev().max_by_key(|one| own.iter().filter(|other| *other == one).count());
        assert_eq!(said, most.expect("a limit"), "{}: {point}", checked.figure["id"]);
        assert_eq!(point["marker"] == "filled", said == "the server", "{point}");
        let is_shown = plot["panels"][point["panel"].as_u64().expect("a panel") as usize]["hidden"] == false;
        *counts.entry(most.expect("a limit")).or_default() += usize::from(is_shown);
    }
    counts
}

/// A value as it may be written: in its unit, or with two digits that count.
pub(crate) fn rounded(value: f64) -> Vec<f64> {
    let digits = |value: f64, count: i32| {
        if value == 0.0 {
            return 0.0;
        }
        let unit = 10f64.powi(value.abs().log10().floor() as i32 - count + 1);
        (value / unit).round() * unit
    };
    vec![value, value / 1e3, value / 1e6, digits(value, 2), digits(value, 3)]
}

/// The lines of files that are put together: all runs, or one other file.
pub(crate) fn states_of(page: &Page, file: &str) -> (States, Vec<String>) {
    let is_run = |name: &str| ["-standard", "-full", "-quick"].iter().any(|kind| name.contains(kind));
    let files: Vec<String> =
        page.files.keys().filter(|name| *name == file || is_run(file) && is_run(name)).cloned().collect();
    let lines = files.iter().flat_map(|file| &page.files[file]);
    (States::of(lines), files)
}

/// What the caption of the costs says: the floor's cost, and how many pairs straddle.
pub(crate) fn costs_facts(
    phase: &[&Value],
    together: &[&Value],
    states: &States,
) -> ((usize, usize), Option<f64>) {
    let loads: BTreeSet<u64> = phase.iter().filter_map(|line| line["concurrency"].as_u64()).collect();
    let of_load = |load: u64| -> Vec<&Value> {
        let is_here = |line: &&&Value| line["concurrency"] == load && line["keep_alive"] == true;
        phase.iter().filter(is_here).copied().collect()
    };
    let straddles = |line: &&&Value| {
        let around = |at: usize| line["floor_around"][at].as_f64().unwrap_or(f64::NAN);
        around(0).max(around(1)) > 1.05 * around(0).min(around(1))
    };
    // Of the first load, and of it with those that have fewer clients.
    let first = loads.iter().copied().min_by_key(|load| load.abs_diff(64)).unwrap_or(0);
    let own_floor = |load: u64| {
        let is_here = |line: &&&Value| {
            line["phase"] == "floor"
                && line["concurrency"] == load
                && line["keep_alive"] == true
                && line["dropped"] != true
        };
        together.iter().filter(is_here).copied().collect::<Vec<&Value>>()
    };
    let compared = loads.iter().copied().filter(|load| *load == first || !own_floor(*load).is_empty());
    let pairs: Vec<&Value> =
        compared.flat_map(of_load).filter(|line| line.get("skipped").is_none()).collect();
    let floors = states.in_one(together, &own_floor(first));
    let costs: Vec<f64> = floors.iter().filter_map(|line| number(line, "cpu_us_per_request")).collect();
    let straddling = (pairs.iter().filter(straddles).count(), pairs.len());
    (straddling, (!costs.is_empty()).then(|| middle(&costs)))
}

/// Where the lines pass the limit, and how many points the generator spoiled.
pub(crate) fn latency_facts(checked: &Checked, phase: &[&Value], in_state: &[&Value]) -> Vec<f64> {
    let mut facts = Vec::new();
    for lines in [phase, in_state] {
        let mut rates: BTreeMap<String, (usize, usize)> = BTreeMap::new();
        for line in lines.iter().filter(|line| line.get("open_loop").is_some()) {
            let of = |field: &str| number(line, field).unwrap_or(0.0);
            let sent = (of("open_loop.rate") * of("seconds")).max(1.0);
            // One that never found a free client waited for the server, and its wait is in the latencies.
            let is_late = of("open_loop.late") / sent > 0.01;
            let count = rates.entry(super::key(line)).or_default();
            *count = (count.0 + usize::from(is_late), count.1 + 1);
        }
        let late = rates.values().filter(|(late, all)| 2 * late >= *all).count();
        facts.extend([late as f64, rates.len() as f64]);
    }
    // Which percentile is asked is told by the floor's own p99 at the lowest rate.
    let of_floor = in_state.iter().filter(|line| line["stage"] == "floor" && line["path"] == "/");
    let at = |line: &&Value| number(line, "open_loop.rate").map(f64::to_bits);
    let mut by_rate: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
    for line in of_floor {
        let Some(rate) = at(line) else { continue };
        by_rate.entry(rate).or_default().extend(number(line, "open_loop.latency_us.p99"));
    }
    let floor = by_rate.first_key_value().map_or(0.0, |(_, waits)| middle(waits));
    let asked = if floor > 1000.0 { "p90" } else { "p99" };
    let title = checked.figure["title"].as_str().expect("a title");
    assert!(title.contains(asked), "{title}, where the floor's own p99 is {floor} µs");
    facts.extend(rounded(floor));
    let mut curves: BTreeMap<(usize, &str), Vec<(f64, f64)>> = BTreeMap::new();
    for ((panel, server, _, x), sample) in &checked.samples {
        curves.entry((*panel, server)).or_default().push((f64::from_bits(*x), middle(&all(sample))));
    }
    for curve in curves.values() {
        facts.extend(curve.iter().flat_map(|(x, _)| rounded(*x)));
        // From the last point below 1 ms a straight line on logarithms.
        let Some(at) = curve.iter().rposition(|(_, wait)| *wait < 1000.0) else { continue };
        let Some((above_x, above)) = curve.get(at + 1) else { continue };
        let (x, wait) = curve[at];
        let rise = (above / wait).log10() / (above_x / x).log10();
        facts.extend(rounded(x * 10f64.powf((1000.0 / wait).log10() / rise)));
    }
    facts
}
