//! The sentences of the first screen.

use super::chance::medians;
use super::claims::{COSTS, Figures, sample};
use super::words::{Text, changes};
use super::{Checked, Page, Sample, all, check_change, middle, ratio};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The servers that a sentence names in brackets, `(05)` and `(05→06)`.
fn named(text: &str) -> Vec<&str> {
    let inside = text.split('(').skip(1).filter_map(|rest| rest.split(')').next());
    inside.filter(|word| word.starts_with(|c: char| c.is_ascii_digit())).collect()
}

pub(crate) fn finding_is_true(page: &Page, figures: &Figures, id: &str, whole: &str, names: &[String]) {
    let mut text = Text::new(whole, names);
    let of = &figures[id];
    let found = changes(whole);
    let claim_changes = |text: &mut Text| found.iter().for_each(|(phrase, ..)| text.claim(phrase));
    let costs = |server: &str| sample(&figures[COSTS], 0, server, 0, None);
    match (id, whole) {
        (COSTS, words) if words.contains(", and the most in ") => {
            let is_kept = words.contains("keep their connections");
            // The cheapest has a factor of its own, or is not distinguishable.
            let mut servers = named(words);
            let all_ratios = ratios(page, of, is_kept);
            // `Of the designs that idle clients do not starve, … (10) takes least, 1.06 times [1.05 to
            // 1.07].`
            let mut found = found.clone();
            if let Some(also) = words.split("do not starve, ").nth(1) {
                let (best, (phrase, range, written)) =
                    (servers.pop().expect("a name"), found.pop().expect("a factor"));
                is_over_floor(&all_ratios[best], range, written, &phrase);
                let passed = grades_with(page, figures, "idle-holders", "pass");
                let least = all_ratios.iter().filter(|(server, _)| passed.contains(*server));
                let least = least.map(|(_, sample)| middle(&all(sample))).fold(f64::MAX, f64::min);
                assert!(middle(&all(&all_ratios[best])) == least && also.contains(best), "{words}");
            }
            for ((phrase, range, written), server) in found.iter().rev().zip(servers.iter().rev()) {
                is_over_floor(&all_ratios[*server], *range, *written, phrase);
            }
            let middles = all_ratios.values().map(|sample| middle(&all(sample)));
            let ends = middles.fold((f64::MAX, f64::MIN), |(a, b), r| (a.min(r), b.max(r)));
            let [cheap, dear] =
                [servers[0], servers[servers.len() - 1]].map(|s| middle(&all(&all_ratios[s])));
            assert_eq!((cheap, dear), ends, "{words}");
            let loads = clients_of(page, of);
            claim_changes(&mut text);
            text.claim_any(&loads);
        }
        (COSTS, words) if words.starts_with("Cheap and patient") => {
            let servers = named(words);
            let all_ratios = ratios(page, of, true);
            let waits = |server: &str| middle(&all(sample(&figures["slow"], 0, server, 0, None)));
            for ((phrase, range, written), server) in found.iter().zip(&servers) {
                is_over_floor(&all_ratios[*server], *range, *written, phrase);
            }
            let ratio = |server: &str| middle(&all(&all_ratios[server]));
            for server in all_ratios.keys().filter(|server| **server != servers[1]) {
                assert!(ratio(server) >= ratio(servers[1]), "{server} is cheaper: {words}");
                let is_patient =
                    figures["slow"].samples.keys().any(|(_, name, ..)| name == server) && waits(server) < 1.0;
                assert!(!is_patient || ratio(server) >= ratio(servers[0]), "{server} is patient: {words}");
            }
            assert!(waits(servers[0]) < 1.0, "{words}");
            claim_changes(&mut text);
            text.claim("1 % of the quick requests");
            let lines = figures["slow"].used.iter().map(|(file, line)| &page.files[*file][*line]);
            let workers: Vec<f64> = lines.filter_map(|line| line["workers"].as_f64()).collect();
            for with in words.split("(with ").skip(1) {
                let with = with.split(" loops").next().expect("a number");
                assert!(workers.contains(&with.parse().expect("how many")), "{words}");
                text.claim(&format!("(with {with} loops or workers)"));
            }
            text.claim_any(&[waits(servers[1])]);
            text.claim_any(&clients_of(page, of));
        }
        (COSTS, words) if words.starts_with("From stage to stage") => {
            let steps: Vec<&str> = named(words).into_iter().filter(|name| name.contains('→')).collect();
            assert_eq!(steps.len(), found.len(), "a change for each step: {words}");
            for (step, (phrase, change, written)) in steps.iter().zip(&found) {
                let (from, to) = step.split_once('→').expect("an arrow");
                check_change(costs(to), costs(from), *change, *written, phrase);
            }
            claim_changes(&mut text);
            // `+29 % [26 to 31], from 1.09 to 1.41 times the floor`: of the first steps.
            let all_ratios = ratios(page, of, true);
            for (step, part) in steps.iter().zip(whole.split('→').skip(1)) {
                let Some((_, ends)) = part.split_once("], from ") else { continue };
                let ends = ends.split(" times the floor").next().expect("two factors");
                for (server, written) in step.split('→').zip(ends.split(" to ")) {
                    let written: f64 = written.parse().expect("a factor");
                    assert!((middle(&all(&all_ratios[server])) - written).abs() <= 0.005 + 1e-9, "{words}");
                }
                text.claim(ends);
            }
            text.claim_any(&clients_of(page, of));
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
        ("uring", words) => {
            // Of stage 10: the points with the least and the greatest factor, and their intervals.
            let plot = &of.figure["plot"];
            let series = plot["series"].as_array().expect("series");
            let epoll = series.iter().position(|series| series["server"] == "10").expect("epoll");
            let points = plot["points"].as_array().expect("points").iter();
            let mut points: Vec<&Value> =
                points.filter(|p| p["series"] == epoll && p["interval"].is_object()).collect();
            let value = |point: &Value| point["value"].as_f64().expect("a value");
            points.sort_by(|one, other| value(one).total_cmp(&value(other)));
            let ends = [points[0], points[points.len() - 1]];
            let numbers = ends.iter().flat_map(|point| {
                let interval = ["low", "high"].map(|end| point["interval"][end].as_f64().expect("an end"));
                [value(point), interval[0], interval[1], point["x"].as_f64().expect("clients")]
            });
            text.claim_any(&numbers.collect::<Vec<_>>());
            for point in ends {
                let panel = point["panel"].as_u64().expect("a panel") as usize;
                let name = plot["panels"][panel]["name"].as_str().expect("a name");
                let length = name.trim_start_matches("reply of ");
                assert!(words.contains(length), "{words}: {length}");
                text.claim(length);
            }
        }
        ("balance", _) => {
            // Of the lines with a slowed worker and a connection per request: the least and the greatest p99.
            let lines = of.used.iter().map(|(file, line)| &page.files[*file][*line]);
            let lines = lines.filter(|line| line["slowed"] == true && line["keep_alive"] == false);
            let mut waits: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
            for line in lines {
                let wait = super::number(line, "open_loop.latency_us.p99").expect("a wait");
                waits.entry(line["title"].as_str().expect("a title")).or_default().push(wait);
            }
            let mut all: Vec<(f64, &str)> =
                waits.iter().map(|(title, waits)| (middle(waits), *title)).collect();
            all.sort_by(|one, other| one.0.total_cmp(&other.0));
            let ends = [all[0], all[all.len() - 1]];
            ends.iter().for_each(|(_, title)| assert!(whole.contains(&format!("({title})")), "{whole}"));
            text.claim_any(
                &ends.iter().flat_map(|(wait, _)| super::facts::rounded(*wait)).collect::<Vec<_>>(),
            );
        }
        ("stealing", words) => {
            // Of all quick requests while one thread has the long ones.
            let panels = of.figure["plot"]["panels"].as_array().expect("panels");
            let panel = panels.iter().position(|panel| panel["name"] == "on one: all").expect("a panel");
            let waits = ["12", "12-tokio"].map(|server| middle(&all(sample(of, panel, server, 0, None))));
            assert_eq!(named(words), ["12", "12-tokio"], "{words}");
            text.claim_any(&waits.into_iter().flat_map(super::facts::rounded).collect::<Vec<_>>());
        }
        ("concurrency", words) => {
            let its = named(words).into_iter().map(|server| middle(&all(sample(of, 0, server, 0, None))));
            text.claim_any(&its.flat_map(super::facts::rounded).collect::<Vec<_>>());
        }
        ("overload", _) => {
            // At the greatest load: the share of the peak that each policy answers in time, and its interval.
            let points = of.figure["plot"]["points"].as_array().expect("points").iter();
            let points: Vec<&Value> = points.filter(|p| p["panel"] == 0 && p["marker"] != "missed").collect();
            let place = |point: &Value| point["x"].as_f64().expect("a place");
            let most = points.iter().map(|point| place(point)).fold(0.0, f64::max);
            let peak = of.figure["plot"]["panels"][0]["lines"][0].as_f64().expect("the peak");
            let rates = of.used.iter().map(|(file, line)| &page.files[*file][*line]["open_loop"]);
            for open in rates {
                let [rate, share] =
                    ["rate", "share_of_peak"].map(|name| open[name].as_f64().expect("a number"));
                assert!((rate / share / peak - 1.0).abs() < 1e-9, "one peak for all: {open}");
            }
            let last = points.iter().filter(|point| place(point) == most && point["interval"].is_object());
            let ends = |point: &&Value| {
                let interval = ["low", "high"].map(|end| point["interval"][end].as_f64().expect("an end"));
                [point["value"].as_f64().expect("a value"), interval[0], interval[1]]
            };
            let shares: Vec<f64> = last.flat_map(ends).map(|value| 100.0 * value / peak).collect();
            text.claim_any(&shares);
            text.claim_any(&[most]);
        }
        ("slow", words) => {
            let mut told = BTreeSet::new();
            let groups = words.split(": ").nth(1).expect("groups").trim_end_matches('.');
            for group in groups.split("; ") {
                let (range, servers) = group.split_once(" in ").expect("a share and servers");
                let shares: Vec<f64> = servers
                    .split(", ")
                    .inspect(|server| assert!(told.insert(*server), "{server} twice: {words}"))
                    .map(|server| middle(&all(sample(of, 0, server, 0, None))))
                    .collect();
                let ends = [
                    shares.iter().copied().fold(f64::MAX, f64::min),
                    shares.iter().copied().fold(f64::MIN, f64::max),
                ];
                // Every group says its least and its greatest share.
                let mut own = Text::new(range, &[]);
                own.claim_any(&ends);
                own.end();
            }
            let measured: BTreeSet<&str> = of
                .samples
                .keys()
                .filter(|(panel, ..)| *panel == 0)
                .map(|(_, name, ..)| name.as_str())
                .collect();
            assert_eq!(told, measured, "{words}");
            text.claim_any(&of_slow_requests(page, of));
            let shares = of.samples.iter().filter(|((panel, ..), _)| *panel == 0);
            text.claim_any(&shares.map(|(_, sample)| middle(&all(sample))).collect::<Vec<_>>());
        }
        ("latency", words) => {
            // A rate is claimed if what is asked is below the limit at it.
            let panels = of.figure["plot"]["panels"].as_array().expect("panels");
            let path = words.split(' ').nth(2).expect("a path").trim_end_matches(',');
            let asked =
                words.split("keeps ").nth(1).and_then(|rest| rest.split(' ').next()).expect("p99 or p90");
            let name = format!("{asked}, GET {path}");
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
            let probe = if words.starts_with("Idle clients") { "idle-holders" } else { "fast-beside-slow" };
            let ends = |word: &str| grades_with(page, figures, probe, word);
            for name in ends("starved").iter().chain(&ends("pass")) {
                let is_told = words.contains(name);
                assert!(is_told || probe == "idle-holders", "{name} is not in: {words}");
            }
            ends("starved").iter().for_each(|name| assert!(words.contains(name), "{name}: {words}"));
            if probe == "idle-holders" {
                let others = ends("pass").iter().filter(|name| !name.contains('-')).count();
                text.claim(&format!("{others} other design"));
            }
        }
        other => panic!("{other:?} is a sentence that this test does not know"),
    }
    text.end();
}

/// The ratios of every stage under the load that most of the lines have, kept connections or a new one for
/// each request; what straddles two states is left out.
fn ratios<'a>(page: &'a Page, of: &Checked<'a>, is_kept: bool) -> BTreeMap<&'a str, Sample> {
    let lines = of.figure["data"].as_array().expect("files").iter().filter_map(Value::as_str);
    let lines = lines.flat_map(|file| page.files[file].iter().map(move |line| (file, line)));
    let mut found: BTreeMap<&str, Sample> = BTreeMap::new();
    for (file, line) in lines.filter(|(_, line)| line["phase"] == "paired" && line["concurrency"] == 64) {
        let around = |at: usize| line["floor_around"][at].as_f64().unwrap_or(f64::NAN);
        let holds = around(0).max(around(1)) <= 1.05 * around(0).min(around(1));
        let server = line["stage"].as_str().expect("a server");
        let is_stage = server.starts_with(|c: char| c.is_ascii_digit());
        let counts = line["dropped"] == false && line["keep_alive"] == is_kept && line["path"] == "/";
        if holds && is_stage && counts && super::number(line, "cpu_us_per_request").is_some() {
            found
                .entry(server)
                .or_default()
                .entry(file.to_owned())
                .or_default()
                .push(ratio(line).expect("a pair"));
        }
    }
    found
}

/// Whether a factor over the floor and its interval are those of the sample.
fn is_over_floor(own: &Sample, [factor, low, high]: [f64; 3], written: f64, text: &str) {
    let runs: Vec<Vec<f64>> = own.values().cloned().collect();
    assert!((middle(&all(own)) - factor).abs() <= written + 1e-9, "{text}: {own:?}");
    assert!(all(own).len() < 6 || medians(&runs).allows([low, high], written), "{text}");
}

/// How many of a hundred requests are slow ones, and for how long they sleep.
fn of_slow_requests(page: &Page, slow: &Checked) -> Vec<f64> {
    let lines = slow.used.iter().map(|(file, line)| &page.files[*file][*line]);
    let numbers = lines.flat_map(|line| {
        let path = line["mix"]["path"].as_str().and_then(|path| path.rsplit('/').next()?.parse().ok());
        [super::number(line, "mix.percent"), path].into_iter().flatten()
    });
    numbers.collect()
}

/// The table of the designs: each cell is one of a figure, or follows from the grades.
pub(crate) fn designs_are_true(page: &Page, figures: &Figures, names: &[String]) {
    let table = &page.data["front"]["designs"];
    let costs = &figures[COSTS];
    for row in table["rows"].as_array().expect("rows") {
        let cell = |at: usize| row[at].as_str().expect("a text");
        let server = cell(0).split(' ').next().expect("a name");
        let (cost, change, short, idle, slow) = (cell(2), cell(3), cell(4), cell(5), cell(6));
        let own = sample(costs, 0, server, 0, None);
        // `1.05 [1.04–1.06] with 1 client`.
        let numbers = |cell: &str| -> [f64; 3] {
            let all: Vec<f64> =
                cell.split([' ', '[', ']', '–']).filter_map(|word| word.parse().ok()).collect();
            [all[0], all[1], all[2]]
        };
        is_over_floor(own, numbers(cost), 0.005, cost);
        if !short.is_empty() {
            let own = &ratios(page, costs, false)[server];
            is_over_floor(own, numbers(short), 0.005, short);
        }
        for (phrase, range, written) in changes(change) {
            let (from, to) = change.split(' ').next().expect("a step").split_once('→').expect("an arrow");
            check_change(
                sample(costs, 0, to, 0, None),
                sample(costs, 0, from, 0, None),
                range,
                written,
                &phrase,
            );
        }
        let is_there = |word: &str| grades_with(page, figures, "idle-holders", word).contains(server);
        assert_eq!(
            (idle == "starves", idle == "is served"),
            (is_there("starved"), is_there("pass")),
            "{row}"
        );
        if let Some(slow_figure) = figures.get("slow").filter(|_| !slow.is_empty()) {
            let mut text = Text::new(slow, &[]);
            text.claim_any(&[middle(&all(sample(slow_figure, 0, server, 0, None)))]);
            text.end();
        }
    }
    let mut note = Text::new(table["note"].as_str().expect("a note"), names);
    if let Some(slow) = figures.get("slow") {
        note.claim_any(&of_slow_requests(page, slow));
        let lines = slow.used.iter().map(|(file, line)| &page.files[*file][*line]);
        note.claim_any(&lines.filter_map(|line| line["workers"].as_f64()).collect::<Vec<_>>());
    }
    note.claim_any(&clients_of(page, costs));
    note.end();
}

/// The stages whose plain grade has such an outcome for a probe.
fn grades_with<'a>(page: &'a Page, figures: &Figures<'a>, probe: &str, word: &str) -> BTreeSet<&'a str> {
    let Some(of) = figures.get("probes") else { return BTreeSet::new() };
    let grades = of.figure["data"].as_array().expect("files").iter().filter_map(Value::as_str);
    let lines = grades.flat_map(|file| &page.files[file]);
    let has = |line: &&Value| {
        let probes = line["probes"].as_array().into_iter().flatten();
        let is_plain = line["options"].as_array().is_none_or(Vec::is_empty);
        let mut its = probes.filter(|p| p["probe"] == probe);
        is_plain && its.any(|p| p["outcome"].as_str().is_some_and(|end| end.starts_with(word)))
    };
    let names = lines.filter(has).filter_map(|line| line["name"].as_str());
    names.filter(|name| !name.is_empty()).collect()
}

/// The numbers of clients of the lines behind a figure.
pub(crate) fn clients_of(page: &Page, checked: &Checked) -> Vec<f64> {
    let lines = checked.used.iter().map(|(file, line)| &page.files[*file][*line]);
    lines.filter_map(|line| line["concurrency"].as_f64()).collect()
}

pub(crate) fn between_runs(figures: &Figures) -> Vec<f64> {
    let of = &figures[COSTS];
    let spreads = of.samples.iter().filter(|((panel, ..), _)| *panel == 0).filter(|(_, s)| s.len() > 1);
    let mut numbers = Vec::new();
    for (_, sample) in spreads {
        let medians: Vec<f64> = sample.values().map(|values| middle(values)).collect();
        let ends = medians.iter().fold((f64::MAX, f64::MIN), |(a, b), m| (a.min(*m), b.max(*m)));
        numbers.extend([100.0 * (ends.1 / ends.0 - 1.0), sample.len() as f64]);
    }
    // The rank correlation of two runs, as the correlation of the ranks; of the servers with the first load.
    let with_load = of.samples.iter().filter(|((panel, ..), _)| *panel == 1);
    let medians: Vec<Vec<f64>> =
        with_load.map(|(_, sample)| sample.values().map(|values| middle(values)).collect()).collect();
    let runs = medians.iter().map(Vec::len).max().unwrap_or(0);
    let ranks = |run: usize| -> Vec<f64> {
        let mut sorted: Vec<f64> = medians.iter().map(|medians| medians[run]).collect();
        sorted.sort_by(f64::total_cmp);
        let rank = |medians: &Vec<f64>| sorted.iter().position(|median| *median == medians[run]);
        medians.iter().map(|medians| rank(medians).expect("it is one of them") as f64).collect()
    };
    let correlation = |one: &[f64], other: &[f64]| {
        let mean = (one.len() - 1) as f64 / 2.0;
        let product =
            |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - mean) * (b - mean)).sum::<f64>();
        product(one, other) / (product(one, one) * product(other, other)).sqrt()
    };
    let all: Vec<Vec<f64>> = (0..runs).map(ranks).collect();
    let pairs = (0..runs).flat_map(|one| (0..one).map(move |other| (one, other)));
    numbers.extend(pairs.map(|(one, other)| correlation(&all[one], &all[other])));
    numbers
}

/// `Dearer: 06 +9 % [8 to 10]. …`: the older file is beside the others.
pub(crate) fn then(page: &Page, figures: &Figures, whole: &str, names: &[String]) {
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
