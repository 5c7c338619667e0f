//! The words above, below and beside each figure.

use super::claims::{COSTS, sample};
use super::facts::{
    costs_facts, disturbed, facts, is_measured, is_timed, latency_facts, limits, rounded, states_of,
};
use super::words::{Text, changes};
use super::{Checked, Page, check_change, middle, number};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The phrase of a figure is made of these; everything else must be computed.
const CONSTANT: [&str; 20] = [
    "passes 1 ms",
    "pass 1 ms",
    "more than 1 %",
    "more than 5 %",
    "A factor of 1:",
    "; 2: it does",
    "60 times",
    "Source 002",
    "source 002",
    "its test 1",
    "1 to 3,000 clients",
    "less than 5 %",
    "io_uring",
    "(20,000",
    "over 5 ms",
    "with 64 clients",
    "1 process",
    "2 processes",
    "Worker 1 is the one",
    "sleeps for 10 ms, then serves for 10 ms",
];

/// Numbers that belong together.
#[derive(Default)]
struct Exact {
    limits: BTreeMap<&'static str, usize>,
    /// Disturbed measurements of all, for each set of lines that a caption may be of.
    disturbed: Vec<(usize, usize)>,
    straddling: (usize, usize),
}

/// The texts of a figure; returns all numbers that its tables may have.
pub(crate) fn figure_texts(page: &Page, checked: &Checked, names: &[String]) -> Vec<f64> {
    let figure = checked.figure;
    let id = figure["id"].as_str().expect("an id");
    let used: Vec<&Value> = checked.used.iter().map(|(file, line)| &page.files[*file][*line]).collect();
    let files: Vec<&str> =
        figure["data"].as_array().expect("links").iter().filter_map(Value::as_str).collect();
    let all_lines: Vec<&Value> = files.iter().flat_map(|file| &page.files[*file]).collect();
    let phases: BTreeSet<&str> = used.iter().filter_map(|line| line["phase"].as_str()).collect();
    let is_here = |line: &&&Value| {
        line["dropped"] != true && line["phase"].as_str().is_some_and(|phase| phases.contains(phase))
    };
    let phase: Vec<&Value> = all_lines.iter().filter(is_here).copied().collect();
    let (states, together) = states_of(page, files.first().copied().unwrap_or_default());
    let together: Vec<&Value> = together.iter().flat_map(|file| &page.files[file]).collect();
    let in_state =
        states.in_one(&together, &phase.iter().filter(|l| is_measured(l)).copied().collect::<Vec<_>>());
    let mut own: Vec<f64> = [&used, &phase, &in_state].iter().flat_map(|lines| facts(lines)).collect();
    // By tool, and of the drawn points alone.
    for tool in ["ab", "wrk", "webbench", "builtin"] {
        let of_tool: Vec<&Value> = in_state.iter().filter(|line| line["tool"] == tool).copied().collect();
        own.extend(facts(&of_tool));
    }
    let plot = &figure["plot"];
    let points: Vec<&Value> = plot["points"].as_array().into_iter().flatten().collect();
    own.extend(points.iter().map(|point| point["records"].as_array().map_or(0, Vec::len) as f64));
    // Rounds of so many runs.
    own.push(files.len() as f64);
    let counts = limits(page, checked);
    let by_tool = ["ab", "wrk", "webbench", "builtin"].map(|tool| {
        let its = in_state.iter().filter(|line| line["tool"] == tool);
        disturbed(&its.copied().collect::<Vec<_>>())
    });
    let sets = [&used, &phase, &in_state].map(|lines| disturbed(lines));
    let mut exact =
        Exact { limits: counts, disturbed: sets.into_iter().chain(by_tool).collect(), ..Exact::default() };
    if id == "context-switches" {
        // It is of one load: the tool that comes first, 64 clients or nearly, kept connections.
        let kept = in_state.iter().filter(|line| line["keep_alive"] == true && is_timed(line));
        let rank = |tool: &Value| ["builtin", "wrk"].iter().position(|one| tool == one).unwrap_or(2);
        let first = kept.clone().map(|line| rank(&line["tool"])).min();
        let its: Vec<&Value> = kept.filter(|line| Some(rank(&line["tool"])) == first).copied().collect();
        let apart = |line: &Value| line["concurrency"].as_u64().expect("clients").abs_diff(64);
        let nearest = its.iter().map(|line| apart(line)).min();
        let shown: Vec<&Value> = its.into_iter().filter(|line| Some(apart(line)) == nearest).collect();
        exact.disturbed.push(disturbed(&shown));
    }
    if id == "probes" {
        let probes: BTreeSet<&str> = all_lines
            .iter()
            .flat_map(|line| line["probes"].as_array().into_iter().flatten())
            .filter_map(|probed| probed["probe"].as_str())
            .collect();
        own.push(probes.len() as f64);
    }
    if id == COSTS {
        let (straddling, floor) = costs_facts(&phase, &together, &states);
        exact.straddling = straddling;
        own.extend(floor);
    }
    if id == "table" {
        let overflows = |line: &&&Value| number(line, "listen_overflows").unwrap_or(0.0) > 0.0;
        own.extend(used.iter().filter(overflows).filter_map(|line| number(line, "concurrency")));
    }
    if id == "latency" {
        own.extend(latency_facts(checked, &phase, &in_state));
    }
    let texts = ["title", "about", "whiskers"].iter().map(|field| &figure[*field]);
    let lists =
        ["subtitle", "notes"].iter().flat_map(|field| figure[*field].as_array().into_iter().flatten());
    let remarks = plot["series"].as_array().into_iter().flatten().map(|series| &series["remark"]);
    for text in texts.chain(lists).chain(remarks).filter_map(Value::as_str) {
        check_text(page, text, &own, &exact, names);
    }
    // Beside rows: the values of the points, in the unit in which they are written.
    let mut values: Vec<f64> = Vec::new();
    for point in &points {
        let ends = ["low", "high"].iter().filter_map(|end| point["interval"][*end].as_f64());
        let all = ends.chain(point["value"].as_f64()).chain(point["x"].as_f64());
        values.extend(all.flat_map(|value| [value, value / 1e3, value / 1e6]));
    }
    let in_us: Vec<f64> = if id == COSTS {
        points.iter().filter(|p| p["panel"] != 0).filter_map(|p| p["value"].as_f64()).collect()
    } else {
        Vec::new()
    };
    for point in &points {
        for text in [&point["text"], &point["note"]].into_iter().filter_map(Value::as_str) {
            let mut rest = text.to_owned();
            for (phrase, change, written) in changes(text) {
                step_is_true(checked, point, text, &phrase, change, written);
                rest = rest.replacen(&phrase, "…", 1);
            }
            let runs = point["records"].as_array().into_iter().flatten().count();
            let medians = by_run(point);
            let mut near = vec![runs as f64];
            near.extend(near_values(points.iter().copied(), point));
            near.extend(&in_us);
            near.extend(medians.iter().flat_map(|value| rounded(*value)));
            let mut text = Text::new(&rest, names);
            text.claim_any(&near);
            text.claim_any(&facts_of_note(page, checked, point, &own));
            text.end();
        }
    }
    own.extend(values);
    own.extend(&in_us);
    own
}

/// The values of the point's row: all panels and marks of its series.
fn near_values<'a>(points: impl Iterator<Item = &'a Value>, point: &Value) -> Vec<f64> {
    let its = points.filter(|other| other["series"] == point["series"]);
    its.filter_map(|other| other["value"].as_f64()).flat_map(rounded).collect()
}

fn by_run(point: &Value) -> Vec<f64> {
    let mut runs: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
    for record in point["records"].as_array().into_iter().flatten() {
        let (Some(file), Some(value)) = (record[0].as_u64(), record[2].as_f64()) else { continue };
        runs.entry(file).or_default().push(value);
    }
    runs.values().map(|values| middle(values)).collect()
}

/// Notes of speeds name clients and errors.
fn facts_of_note(page: &Page, checked: &Checked, point: &Value, own: &[f64]) -> Vec<f64> {
    let errors: f64 = point["records"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|record| {
            let file = checked.figure["data"][record[0].as_u64()? as usize].as_str()?;
            number(&page.files[file][record[1].as_u64()? as usize], "errors")
        })
        .sum();
    own.iter().copied().chain([errors]).collect()
}

fn step_is_true(checked: &Checked, point: &Value, text: &str, phrase: &str, change: [f64; 3], written: f64) {
    let before = text.split(phrase).next().expect("it is there").trim_end();
    let step = before.rsplit([' ', ';']).next().expect("a step");
    let (from, to) = step.split_once('→').unwrap_or_else(|| panic!("{text}: a change of what?"));
    let panel = point["panel"].as_u64().expect("a panel") as usize;
    check_change(
        sample(checked, panel, to, 0, None),
        sample(checked, panel, from, 0, None),
        change,
        written,
        text,
    );
}

/// How many points of a file were measured, and how many its runs planned; servers, where it holds grades.
fn planned(lines: &[Value]) -> (usize, u64) {
    let mut runs: BTreeMap<u64, u64> = BTreeMap::new();
    let mut points = BTreeSet::new();
    for line in lines {
        if let Some(planned) = line["planned"].as_u64() {
            runs.entry(0).and_modify(|most| *most = planned.max(*most)).or_insert(planned);
            points.insert(line["stage"].to_string());
            continue;
        }
        let seed = line["seed"].as_u64().expect("a seed");
        runs.insert(seed, line["points_planned"].as_u64().expect("a plan"));
        // What the floor did beside a pair is in no plan.
        if is_measured(line) && line["dropped"] != true && line["phase"] != "floor" {
            points.insert(format!("{seed} {} {}", super::key(line), line["round"]));
        }
    }
    (points.len(), runs.values().sum())
}

fn check_text(page: &Page, whole: &str, own: &[f64], exact: &Exact, names: &[String]) {
    let plain = CONSTANT.iter().fold(whole.to_owned(), |text, phrase| text.replace(phrase, "…"));
    let mut text = Text::new(&plain, names);
    // Of a run that was interrupted, the name of the file says how much is there.
    for part in whole.split(" (INCOMPLETE: ").collect::<Vec<_>>().windows(2) {
        let file = part[0].rsplit([' ', ',']).next().unwrap_or_default();
        let lines = page.files.iter().find(|(link, _)| link.ends_with(file)).map(|(_, lines)| lines);
        let (some, all) = planned(lines.unwrap_or_else(|| panic!("{whole}: no file {file}")));
        text.claim(&format!("INCOMPLETE: {some} of {all} "));
    }
    if whole.starts_with("Filled (") {
        let count = |limit: &str| exact.limits.get(limit).copied().unwrap_or(0);
        let hollow =
            [("generator", count("the generator")), ("both", count("both")), ("neither", count("neither"))];
        let sum = count("the server") + hollow.iter().map(|(_, count)| count).sum::<usize>();
        text.claim(&format!("Filled ({} of {sum})", count("the server")));
        for (name, count) in hollow.iter().filter(|(_, count)| *count > 0) {
            text.claim(&format!("{name}: {count}"));
        }
    }
    if let Some(rest) = whole.split(" during ").nth(1).filter(|rest| rest.contains(" of these ")) {
        let said = rest.split(" measurements").next().unwrap_or_default();
        let pairs = exact.disturbed.iter().map(|(some, all)| format!("{some} of these {all}"));
        assert!(pairs.into_iter().any(|pair| pair == said), "{whole}: {:?}", exact.disturbed);
        text.claim(&format!("{said} measurements"));
    }
    if whole.contains("rounds are left out") {
        let (some, all) = exact.straddling;
        text.claim(&format!("{some} of {all} rounds"));
    }
    text.claim_any(own);
    text.end();
}
