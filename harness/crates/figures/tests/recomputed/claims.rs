//! Who claims the numbers of the texts: each is computed here from the lines of the files and from the points
//! that were computed from them.

use super::chance::medians;
use super::states::States;
use super::words::{Text, changes};
use super::{Checked, Page, Sample, all, check_change, middle, number, ratio};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

type Figures<'a> = BTreeMap<&'a str, Checked<'a>>;

const COSTS: &str = "what-each-idea-costs";

/// Every text of both pages.
pub(crate) fn check(page: &Page, figures: &Figures) {
    let names = names(page);
    let front = &page.data["front"];
    let texts = |value: &Value| -> Vec<String> {
        value.as_array().into_iter().flatten().filter_map(|text| text.as_str().map(str::to_owned)).collect()
    };
    let designs: BTreeSet<&str> = page
        .files
        .values()
        .flatten()
        .filter_map(|line| line["name"].as_str().or_else(|| line["stage"].as_str()))
        .filter(|name| name.starts_with(|c: char| c.is_ascii_digit()))
        .collect();
    let mut intro = Text::new(front["intro"].as_str().expect("an introduction"), &names);
    intro.claim(&format!("{} designs", designs.len()));
    intro.end();
    for finding in front["findings"].as_array().expect("findings") {
        let (text, id) = (finding["text"].as_str().expect("a sentence"), finding["figure"].as_str());
        finding_is_true(page, figures, id.expect("a figure"), text, &names);
        assert!(page.markdown.contains(text), "README.md says the same: {text}");
    }
    for line in texts(&front["alike"]) {
        let mut text = Text::new(&line, &names);
        text.claim_any(&between_runs(figures));
        text.end();
    }
    machine(page, &texts(&front["machine"]), &names);
    if !front["then"].is_null() {
        then(page, figures, front["then"]["text"].as_str().expect("a text"), &names);
    }
    for row in front["files"].as_array().expect("files") {
        file_row(page, &texts(row), &names);
    }
    for checked in figures.values() {
        let own = figure_texts(page, checked, &names);
        markdown(page, checked, &own);
    }
}

/// Names of servers and files, commits, times, processors: they hold digits and are no measurement.
fn names(page: &Page) -> Vec<String> {
    let mut names = BTreeSet::new();
    for (file, lines) in &page.files {
        names.insert(file.rsplit('/').next().unwrap_or_default().to_owned());
        names.insert(file.rsplit('/').next().unwrap_or_default().trim_end_matches(".jsonl").to_owned());
        for line in lines {
            let host = &line["host"];
            let known = ["stage", "name", "title", "path", "started_at", "skipped"].map(|field| &line[field]);
            let of_host = ["cpu", "kernel", "commit"].map(|field| &host[field]);
            names.extend(known.into_iter().chain(of_host).filter_map(Value::as_str).map(str::to_owned));
            names.extend(host["cores"].as_u64().map(|cores| format!("{cores} CPUs, Linux")));
            names.extend(line["mix"]["path"].as_str().map(str::to_owned));
        }
    }
    names.retain(|name| name.contains(|c: char| c.is_ascii_digit()));
    names.into_iter().collect()
}

/// The sample of a server in a panel, at a place along x where there is one.
fn sample<'a>(checked: &'a Checked, panel: usize, server: &str, mark: usize, x: Option<f64>) -> &'a Sample {
    let found = checked.samples.iter().find(|((at, name, of, place), _)| {
        let is_at = x.is_none_or(|x| x.to_bits() == *place);
        *at == panel && name == server && *of == mark && is_at
    });
    let id = &checked.figure["id"];
    found.unwrap_or_else(|| panic!("{id}: nothing of {server} in panel {panel}, mark {mark}")).1
}

/// The servers that a sentence names in brackets, `(05)` and `(05→06)`.
fn named(text: &str) -> Vec<&str> {
    let inside = text.split('(').skip(1).filter_map(|rest| rest.split(')').next());
    inside.filter(|word| word.starts_with(|c: char| c.is_ascii_digit())).collect()
}

fn finding_is_true(page: &Page, figures: &Figures, id: &str, whole: &str, names: &[String]) {
    let mut text = Text::new(whole, names);
    let of = &figures[id];
    let found = changes(whole);
    let claim_changes = |text: &mut Text| found.iter().for_each(|(phrase, ..)| text.claim(phrase));
    let costs = |server: &str| sample(&figures[COSTS], 0, server, 0, None);
    match (id, whole) {
        (COSTS, words) if words.contains("reaches from") => {
            // The cheapest has a factor of its own, or is not distinguishable.
            let servers = named(words);
            for ((phrase, [factor, low, high], written), server) in
                found.iter().rev().zip(servers.iter().rev())
            {
                let own = costs(server);
                let runs: Vec<Vec<f64>> = own.values().cloned().collect();
                assert!((middle(&all(own)) - factor).abs() <= *written + 1e-9, "{phrase}: {own:?}");
                assert!(all(own).len() < 6 || medians(&runs).allows([*low, *high], *written), "{phrase}");
            }
            let ratios: Vec<f64> =
                stages(&figures[COSTS], 0).iter().map(|s| middle(&all(costs(s)))).collect();
            let loads: Vec<f64> = clients_of(page, of);
            assert!(ratios.len() > 1);
            claim_changes(&mut text);
            text.claim_any(&loads);
        }
        (COSTS, words) if words.starts_with("From stage to stage") => {
            let steps: Vec<&str> = named(words).into_iter().filter(|name| name.contains('→')).collect();
            assert_eq!(steps.len(), found.len(), "a change for each step: {words}");
            for (step, (phrase, change, written)) in steps.iter().zip(&found) {
                let (from, to) = step.split_once('→').expect("an arrow");
                check_change(costs(to), costs(from), *change, *written, phrase);
            }
            claim_changes(&mut text);
        }
        (COSTS, words) => {
            let best = named(words)[0];
            let others: Vec<&str> = words
                .split(' ')
                .zip(words.split(' ').skip(1))
                .collect::<Vec<_>>()
                .into_iter()
                .filter(|(_, verb)| *verb == "takes")
                .map(|(name, _)| name)
                .collect();
            assert_eq!(others.len(), found.len(), "{words}");
            for (other, (phrase, change, written)) in others.iter().zip(&found) {
                check_change(costs(other), costs(best), *change, *written, phrase);
            }
            claim_changes(&mut text);
        }
        ("capacity", words) => {
            let panel_of = |is_short: bool| {
                let panels = figures[COSTS].figure["plot"]["panels"].as_array().expect("panels");
                let has = |panel: &&Value| {
                    let name = panel["name"].as_str().expect("a name");
                    name.contains("connection per request") == is_short && !name.contains('÷')
                };
                let first = panels.iter().find(has).expect("a load");
                panels.iter().position(|panel| panel == first).expect("it is one of them")
            };
            let us =
                |is_short: bool, server: &str| sample(&figures[COSTS], panel_of(is_short), server, 0, None);
            for (server, (phrase, change, written)) in named(words).iter().zip(&found) {
                check_change(us(true, server), us(false, server), *change, *written, phrase);
            }
            claim_changes(&mut text);
        }
        ("cost-by-clients", words) => {
            let server = named(words)[0];
            let places: Vec<f64> = of
                .samples
                .keys()
                .filter(|(panel, name, ..)| *panel == 0 && name == server)
                .map(|(.., x)| f64::from_bits(*x))
                .collect();
            let most = places.iter().copied().fold(0.0, f64::max);
            let at = |clients: f64| sample(of, 0, server, 0, Some(clients));
            let (phrase, change, written) = &found[0];
            check_change(at(1.0), at(most), *change, *written, phrase);
            claim_changes(&mut text);
            text.claim_any(&[most]);
        }
        ("c10k", words) => {
            let marks = of.figure["plot"]["marks"].as_array().expect("marks").len();
            let idle = of.figure["plot"]["marks"][marks - 1]["name"].as_str().expect("a number");
            for (server, (phrase, change, written)) in named(words).iter().zip(&found) {
                let cost = |mark: usize| sample(of, 0, server, mark, None);
                check_change(cost(marks - 1), cost(0), *change, *written, phrase);
            }
            claim_changes(&mut text);
            text.claim(idle);
            if words.contains("less than 5 %") {
                text.claim("5 %");
            }
        }
        ("second-cpu", words) => {
            let server = named(words)[0];
            let (phrase, [factor, low, high], written) = &found[0];
            let series = of.figure["plot"]["series"].as_array().expect("series");
            let at = series.iter().position(|series| series["name"] == server).expect("a server");
            let point = of.figure["plot"]["points"].as_array().expect("points").iter();
            let point = point.clone().find(|p| p["series"] == at && p["panel"] == 0).expect("a point");
            for (own, shown) in [("value", factor), ("low", low), ("high", high)] {
                let own = point[own].as_f64().or_else(|| point["interval"][own].as_f64()).expect("a number");
                assert!((own - shown).abs() <= *written + 1e-9, "{phrase}: {own}");
            }
            claim_changes(&mut text);
        }
        ("slow", words) => {
            let shares: Vec<f64> =
                named(words).iter().map(|server| middle(&all(sample(of, 0, server, 0, None)))).collect();
            text.claim_any(&shares);
        }
        ("latency", words) => {
            // A rate is claimed if p99 is below the limit at it.
            let panels = of.figure["plot"]["panels"].as_array().expect("panels");
            let path = words.split(' ').nth(2).expect("a path").trim_end_matches(',');
            let name = format!("p99, GET {path}");
            let panel = panels.iter().position(|panel| panel["name"] == name.as_str()).expect("a panel");
            for (server, rate) in named(words).iter().zip(words.split("up to ").skip(1)) {
                let rate: f64 =
                    rate.split([' ', '.']).next().expect("a rate").replace(',', "").parse().expect("one");
                let own = all(sample(of, panel, server, 0, Some(rate)));
                assert!(middle(&own) < 1000.0, "{words}: {own:?}");
                text.claim_any(&[rate]);
            }
            text.claim("1.00 ms");
        }
        ("probes", words) => {
            let grades = of.figure["data"].as_array().expect("files").iter().filter_map(Value::as_str);
            let lines: Vec<&Value> = grades.flat_map(|file| &page.files[file]).collect();
            let probe = if words.starts_with("Idle clients") { "idle-holders" } else { "fast-beside-slow" };
            let ends = |word: &str| {
                let has = |line: &&&Value| {
                    let probes = line["probes"].as_array().into_iter().flatten();
                    let is_plain = line["options"].as_array().is_none_or(Vec::is_empty);
                    is_plain
                        && probes
                            .filter(|p| p["probe"] == probe)
                            .any(|p| p["outcome"].as_str().is_some_and(|end| end.starts_with(word)))
                };
                let names = lines.iter().filter(has).filter_map(|line| line["name"].as_str());
                names.filter(|name| !name.is_empty()).collect::<BTreeSet<_>>()
            };
            for name in ends("starved").iter().chain(&ends("pass")) {
                let is_told = words.contains(name);
                assert!(is_told || probe == "idle-holders", "{name} is not in: {words}");
            }
            ends("starved").iter().for_each(|name| assert!(words.contains(name), "{name}: {words}"));
            if probe == "idle-holders" {
                text.claim(&format!("{} other design", ends("pass").len()));
            }
        }
        other => panic!("{other:?} is a sentence that this test does not know"),
    }
    text.end();
}

fn stages<'a>(checked: &'a Checked, panel: usize) -> Vec<&'a str> {
    let of_stage = |name: &str| name.starts_with(|c: char| c.is_ascii_digit());
    let names = checked.samples.keys().filter(|(at, name, ..)| *at == panel && of_stage(name));
    names.map(|(_, name, ..)| name.as_str()).collect()
}

/// The numbers of clients of the lines behind a figure.
fn clients_of(page: &Page, checked: &Checked) -> Vec<f64> {
    let lines = checked.used.iter().map(|(file, line)| &page.files[*file][*line]);
    lines.filter_map(|line| line["concurrency"].as_f64()).collect()
}

fn between_runs(figures: &Figures) -> Vec<f64> {
    let of = &figures[COSTS];
    let spreads = of.samples.iter().filter(|((panel, ..), _)| *panel == 0).filter(|(_, s)| s.len() > 1);
    let mut numbers = Vec::new();
    for (_, sample) in spreads {
        let medians: Vec<f64> = sample.values().map(|values| middle(values)).collect();
        let ends = medians.iter().fold((f64::MAX, f64::MIN), |(a, b), m| (a.min(*m), b.max(*m)));
        numbers.extend([100.0 * (ends.1 / ends.0 - 1.0), sample.len() as f64]);
    }
    numbers
}

/// The lines of files that are put together: all runs, or one other file.
fn states_of(page: &Page, file: &str) -> (States, Vec<String>) {
    let is_run = |name: &str| ["-standard", "-full", "-quick"].iter().any(|kind| name.contains(kind));
    let files: Vec<String> =
        page.files.keys().filter(|name| *name == file || is_run(file) && is_run(name)).cloned().collect();
    let lines = files.iter().flat_map(|file| &page.files[file]);
    (States::of(lines), files)
}

fn machine(page: &Page, lines: &[String], names: &[String]) {
    for line in lines {
        let mut text = Text::new(line, names);
        for (file, records) in &page.files {
            let stem = file.rsplit('/').next().unwrap_or_default().trim_end_matches(".jsonl");
            if line.starts_with(stem) {
                let own: Vec<&Value> = records.iter().collect();
                let numbers = States::of(records.iter()).numbers(&own).expect("two states");
                text.claim_any(&numbers);
            }
        }
        text.end();
    }
}

/// `Dearer: 06 +9 % [8 to 10]. …`: the older file is beside the others.
fn then(page: &Page, figures: &Figures, whole: &str, names: &[String]) {
    let file = whole.split("compared with ").nth(1).and_then(|rest| rest.split(".jsonl").next());
    let file = format!("{}.jsonl", file.expect("a file"));
    let older = std::fs::read_to_string(page.out.join("data").join(&file)).expect("it is there");
    let older: Vec<Value> = older.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let of = &figures[COSTS];
    let now: Vec<&Value> = of.used.iter().map(|(file, line)| &page.files[*file][*line]).collect();
    let first = now
        .iter()
        .filter(|line| line["keep_alive"] == true)
        .max_by_key(|line| now.iter().filter(|other| other["concurrency"] == line["concurrency"]).count());
    let load = first.expect("pairs")["concurrency"].clone();
    let mut all_names = names.to_vec();
    all_names.extend([file.clone(), file.trim_end_matches(".jsonl").to_owned()]);
    let mut text = Text::new(whole, &all_names);
    for (phrase, change, written) in changes(whole) {
        let before = whole.split(&phrase).next().expect("it is there").trim_end();
        let server = before.rsplit(' ').next().expect("a name");
        let then = older.iter().filter(|line| {
            let around = |at: usize| line["floor_around"][at].as_f64().unwrap_or(f64::NAN);
            let holds = around(0).max(around(1)) <= 1.05 * around(0).min(around(1));
            line["phase"] == "paired"
                && line["stage"] == server
                && line["dropped"] != true
                && line["concurrency"] == load
                && line["keep_alive"] == true
                && holds
        });
        let then = Sample::from([(file.clone(), then.filter_map(ratio).collect())]);
        check_change(sample(of, 0, server, 0, None), &then, change, written, &phrase);
        text.claim(&phrase);
    }
    // How many there are of each kind is at most how many servers there are.
    let servers = of.samples.keys().filter(|(panel, ..)| *panel == 0).count();
    let counts: Vec<f64> = (0..=servers).map(|n| n as f64).collect();
    text.claim_any(&counts);
    text.claim_any(&[load.as_f64().expect("a number")]);
    text.end();
}

fn is_measured(line: &Value) -> bool {
    line.get("skipped").is_none()
        && (number(line, "requests_per_second").is_some() || line.get("idle").is_some())
}

fn is_disturbed(line: &Value) -> bool {
    number(line, "other_cpu_seconds").zip(number(line, "seconds")).is_some_and(|(other, s)| other > 0.1 * s)
}

fn file_row(page: &Page, row: &[String], names: &[String]) {
    let lines = &page.files[&row[0]];
    let counted: Vec<&Value> = lines.iter().filter(|l| is_measured(l) && l["dropped"] != true).collect();
    let timed: Vec<&Value> =
        counted.iter().filter(|line| number(line, "requests_per_second").is_some()).copied().collect();
    let points = if lines[0].get("probes").is_some() { lines.len() } else { counted.len() };
    assert_eq!(row[4].replace(',', ""), points.to_string(), "{row:?}");
    let mut seconds = Text::new(&row[5], names);
    seconds.claim_any(&timed.iter().filter_map(|l| number(l, "duration_seconds")).collect::<Vec<_>>());
    seconds.end();
    let mut disturbed = Text::new(&row[6], names);
    let own = timed.iter().filter(|line| is_disturbed(line)).count();
    if !row[6].is_empty() {
        disturbed.claim(&format!("{own} of {}", timed.len()));
    }
    disturbed.claim_any(&[lines.iter().filter(|line| line["dropped"] == true).count() as f64]);
    disturbed.end();
}

/// What can be said of lines in numbers.
fn facts(lines: &[&Value]) -> Vec<f64> {
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
            "idle.connections",
            "idle_connections",
            "beside.connections",
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
        let cpus = line["generator_cpus"].as_array().map_or(1, Vec::len) as f64;
        let share = number(line, "generator_cpu_seconds").zip(number(line, "seconds"));
        facts.extend(
            share.map(|(used, seconds)| 100.0 * used / (seconds * cpus)).filter(|_| line["phase"] == "spin"),
        );
        facts.extend(number(line, "idle.connections").map(|connections| 4096.0 / connections));
        let words = line["configuration"].as_str().unwrap_or_default().split(' ');
        facts.extend(words.filter_map(|word| word.parse::<f64>().ok()));
    }
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
fn limits(page: &Page, checked: &Checked) -> BTreeMap<&'static str, usize> {
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

/// The phrase of a figure is made of these; everything else must be computed.
const CONSTANT: [&str; 17] = [
    "passes 1 ms",
    "pass 1 ms",
    "more than 1 %",
    "more than 5 %",
    "A factor of 1:",
    "; 2: it does",
    "60 times",
    "ource 002",
    "its test 1",
    "1 to 3,000 clients",
    "less than 5 %",
    "io_uring",
    "(20,000",
    "over 5 ms",
    "with 64 clients",
    "1 process",
    "2 processes",
];

/// The texts of a figure; returns all numbers that its tables may have.
fn figure_texts(page: &Page, checked: &Checked, names: &[String]) -> Vec<f64> {
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
    let counts = limits(page, checked);
    let by_tool = ["ab", "wrk", "webbench", "builtin"].map(|tool| {
        let its = in_state.iter().filter(|line| line["tool"] == tool);
        disturbed(&its.copied().collect::<Vec<_>>())
    });
    let sets = [&used, &phase, &in_state].map(|lines| disturbed(lines));
    let mut exact =
        Exact { limits: counts, disturbed: sets.into_iter().chain(by_tool).collect(), ..Exact::default() };
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
        check_text(text, &own, &exact, names);
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
            let medians = by_run(checked, point);
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

/// A value as it may be written: in its unit, or with two digits that count.
fn rounded(value: f64) -> Vec<f64> {
    let digits = |value: f64, count: i32| {
        if value == 0.0 {
            return 0.0;
        }
        let unit = 10f64.powi(value.abs().log10().floor() as i32 - count + 1);
        (value / unit).round() * unit
    };
    vec![value, value / 1e3, value / 1e6, digits(value, 2), digits(value, 3)]
}

/// The values of the point's row: all panels and marks of its series.
fn near_values<'a>(points: impl Iterator<Item = &'a Value>, point: &Value) -> Vec<f64> {
    let its = points.filter(|other| other["series"] == point["series"]);
    its.filter_map(|other| other["value"].as_f64()).flat_map(rounded).collect()
}

fn by_run(checked: &Checked, point: &Value) -> Vec<f64> {
    let mut runs: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
    for record in point["records"].as_array().into_iter().flatten() {
        let (Some(file), Some(value)) = (record[0].as_u64(), record[2].as_f64()) else { continue };
        runs.entry(file).or_default().push(value);
    }
    assert!(!checked.figure.is_null());
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

fn check_text(whole: &str, own: &[f64], exact: &Exact, names: &[String]) {
    let plain = CONSTANT.iter().fold(whole.to_owned(), |text, phrase| text.replace(phrase, "…"));
    let mut text = Text::new(&plain, names);
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

/// Numbers that belong together.
#[derive(Default)]
struct Exact {
    limits: BTreeMap<&'static str, usize>,
    /// Disturbed measurements of all, for each set of lines that a caption may be of.
    disturbed: Vec<(usize, usize)>,
    straddling: (usize, usize),
}

fn disturbed(lines: &[&Value]) -> (usize, usize) {
    let timed = lines.iter().filter(|line| number(line, "requests_per_second").is_some());
    (timed.clone().filter(|line| is_disturbed(line)).count(), timed.count())
}

/// What the caption of the costs says: the floor's cost, and how many pairs straddle.
fn costs_facts(phase: &[&Value], together: &[&Value], states: &States) -> ((usize, usize), Option<f64>) {
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
fn latency_facts(checked: &Checked, phase: &[&Value], in_state: &[&Value]) -> Vec<f64> {
    let mut facts = Vec::new();
    for lines in [phase, in_state] {
        let mut rates: BTreeMap<String, (usize, usize)> = BTreeMap::new();
        for line in lines.iter().filter(|line| line.get("open_loop").is_some()) {
            let of = |field: &str| number(line, field).unwrap_or(0.0);
            let sent = (of("open_loop.rate") * of("seconds")).max(1.0);
            let is_late = (of("open_loop.late") + of("open_loop.never_sent")) / sent > 0.01;
            let count = rates.entry(super::key(line)).or_default();
            *count = (count.0 + usize::from(is_late), count.1 + 1);
        }
        let late = rates.values().filter(|(late, all)| 2 * late >= *all).count();
        facts.extend([late as f64, rates.len() as f64]);
    }
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

/// The tables of the other page.
fn markdown(page: &Page, checked: &Checked, own: &[f64]) {
    let title = checked.figure["title"].as_str().expect("a title");
    let section =
        page.markdown.split(&format!("\n## {title}\n")).nth(1).and_then(|rest| rest.split("\n## ").next());
    let section = section.unwrap_or_else(|| panic!("README.md has no {title}"));
    if checked.figure["plot"]["form"] != "points" {
        return;
    }
    let rows = section.lines().filter(|line| line.starts_with("| ") && !line.starts_with("|---"));
    for row in rows.skip(1) {
        // The first cell is a name, the last holds notes that were looked at; a number is between.
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").collect();
        for cell in cells.iter().skip(1).take(cells.len().saturating_sub(2)) {
            let mut text = Text::new(cell, &[]);
            text.claim_any(own);
            let near: Vec<f64> = own.iter().flat_map(|value| rounded(*value)).collect();
            text.claim_any(&near);
            text.end();
        }
    }
}
