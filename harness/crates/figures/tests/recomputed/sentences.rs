//! The sentences of the first screen.

use super::chance::medians;
use super::claims::{COSTS, Figures, sample};
use super::words::{Text, changes};
use super::{Checked, Page, Sample, all, check_change, middle, ratio};
use serde_json::Value;
use std::collections::BTreeSet;

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
        (COSTS, words) if words.ends_with("are in between.") => {
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
            // The second panel has the load that the sentence is of; the picture has servers of fewer
            // clients too.
            let ratio = |server: &str| middle(&all(costs(server)));
            let ratios: Vec<f64> = stages(&figures[COSTS], 1).into_iter().map(ratio).collect();
            let ends = ratios.iter().fold((f64::MAX, f64::MIN), |(a, b), r| (a.min(*r), b.max(*r)));
            let [cheap, dear] = [servers[0], servers[servers.len() - 1]].map(ratio);
            assert_eq!((cheap, dear), ends, "{words}");
            let loads = clients_of(page, of);
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
        ("balance", _) => {
            // Of the lines with a slowed worker and a connection per request: the least and the greatest p99.
            let lines = of.used.iter().map(|(file, line)| &page.files[*file][*line]);
            let lines = lines.filter(|line| line["slowed"] == true && line["keep_alive"] == false);
            let mut waits: std::collections::BTreeMap<&str, Vec<f64>> = std::collections::BTreeMap::new();
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
            let last = points.iter().filter(|point| place(point) == most);
            let ends = |point: &&Value| {
                let interval = ["low", "high"].map(|end| point["interval"][end].as_f64().expect("an end"));
                [point["value"].as_f64().expect("a value"), interval[0], interval[1]]
            };
            let shares: Vec<f64> = last.flat_map(ends).map(|value| 100.0 * value / peak).collect();
            text.claim_any(&shares);
            text.claim_any(&[most]);
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

pub(crate) fn between_runs(figures: &Figures) -> Vec<f64> {
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
