//! Every number of the page, computed again from the lines of the data files by another way: JSON and
//! arithmetic alone, without the crate of the records. The data are those of `results/`, or of the directory
//! in `LAB_RESULTS`.

use clap::Parser;
use figures::{charts, report};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

#[derive(Parser)]
struct Options {
    #[command(flatten)]
    args: charts::Args,
}

/// The page's data, and the lines of its files.
struct Page {
    data: Value,
    files: BTreeMap<String, Vec<Value>>,
}

fn page(results: &Path, out: &Path) -> Page {
    // The files of runs are found beside each other, so the whole directory is copied.
    fs::create_dir_all(out.join("data")).expect("made");
    for entry in fs::read_dir(results.join("data")).expect("there are data").flatten() {
        fs::copy(entry.path(), out.join("data").join(entry.file_name())).expect("copied");
    }
    let words = ["report", "--out", out.to_str().expect("a path")];
    report::run(Options::parse_from(words).args).expect("a report");
    let html = fs::read_to_string(out.join("report.html")).expect("a page");
    let data = html.split("id=\"data\">").nth(1).and_then(|rest| rest.split("</script>").next());
    let data: Value = serde_json::from_str(data.expect("the page has data")).expect("JSON");
    let names =
        data["files"].as_array().expect("files").iter().map(|file| file["file"].as_str().expect("a name"));
    let lines = |name: &str| {
        let text = fs::read_to_string(out.join(name)).expect("the page links its data");
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    };
    let files = names.map(|name| (name.to_owned(), lines(name))).collect();
    Page { data, files }
}

fn number(record: &Value, field: &str) -> Option<f64> {
    field.split('.').try_fold(record, |value, name| value.get(name))?.as_f64()
}

/// CPU time over the mean of the floor's around it.
fn ratio(record: &Value) -> Option<f64> {
    let around = record["floor_around"].as_array()?;
    let sum: f64 = around.iter().filter_map(Value::as_f64).sum();
    Some(number(record, "cpu_us_per_request")? * 2.0 / sum)
}

fn middle(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[at] } else { f64::midpoint(sorted[at - 1], sorted[at]) }
}

/// A record's own value on a panel; `Err` with a number that must be the same factor from the value for every
/// record of that panel and load, where a cost in µs is a ratio times the floor's cost.
fn own(figure: &str, panel: &str, mark: usize, record: &Value) -> Result<f64, f64> {
    let of = |field: &str| number(record, field).unwrap_or_else(|| panic!("{field} of {figure}: {record}"));
    let requests = || of("requests");
    let percentile = panel.split(',').next().unwrap_or_default().replace('.', "_");
    let wait = || of(&format!("open_loop.latency_us.{percentile}"));
    Ok(match (figure, panel) {
        ("what-each-idea-costs", "÷ floor") => ratio(record).expect("a pair"),
        ("what-each-idea-costs", _) => return Err(ratio(record).expect("a pair")),
        ("capacity", _) => match ratio(record) {
            Some(ratio) => return Err(1.0 / ratio),
            None => 1e6 / of("cpu_us_per_request"),
        },
        ("cost-by-clients", "÷ floor") => ratio(record).expect("a pair"),
        ("cost-by-clients", _) => match ratio(record) {
            Some(ratio) if record["phase"] == "clients" => return Err(ratio),
            _ => of("cpu_us_per_request"),
        },
        ("latency", busy) if busy.starts_with("CPU") => {
            let cpus = record["server_cpus"].as_array().expect("CPUs").len() as f64;
            100.0 * of("server_cpu_seconds") / (of("seconds") * cpus)
        }
        ("latency", _) | ("c10k", "p99") => wait(),
        ("slow", "over 5 ms") => 100.0 * of("open_loop.over_5ms") / (requests() + of("open_loop.never_sent")),
        ("slow", _) => wait().max(1.0),
        ("c10k", "user memory") => of("beside.user_bytes") / of("beside.connections"),
        ("c10k", "kernel memory") => of("beside.kernel_bytes") / of("beside.connections"),
        ("c10k" | "spin", "CPU µs") => of("cpu_us_per_request"),
        ("idle-memory", _) => of(["idle.silent_bytes", "idle.served_bytes"][mark]),
        ("context-switches", _) => of("context_switches") / requests(),
        // These are looked at below.
        ("table", name) if name.starts_with("measured") => return Err(f64::NAN),
        ("second-cpu", _) => return Err(f64::NAN),
        ("spin" | "tools-side-by-side", _) => of("requests_per_second"),
        (id, _) if id.starts_with("requests-per-second-") => of("requests_per_second"),
        other => panic!("{other:?} is a figure that this test does not know"),
    })
}

fn is_close(one: f64, other: f64) -> bool {
    (one - other).abs() <= 1e-9 * one.abs().max(other.abs()).max(1e-9)
}

/// The lines that must be behind a figure that compares every round there is, whatever the clock state.
fn must_be_shown(figure: &str, line: &Value) -> bool {
    let is_of =
        |phase: &str| line["phase"] == phase && line["dropped"] == false && line.get("skipped").is_none();
    match figure {
        "what-each-idea-costs" => {
            let around = |at: usize| line["floor_around"][at].as_f64().unwrap_or(f64::NAN);
            let apart = (around(0) / around(1)).max(around(1) / around(0));
            is_of("paired") && number(line, "cpu_us_per_request").is_some() && apart <= 1.05
        }
        "idle-memory" => is_of("idle"),
        "table" => is_of("table"),
        _ => false,
    }
}

#[test]
fn every_number_of_the_page_follows_from_the_records() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(3).expect("the work tree");
    let results = std::env::var("LAB_RESULTS").map_or_else(|_| repository.join("results"), PathBuf::from);
    let out = tempfile::tempdir().expect("a directory");
    let page = page(&results, out.path());
    let (mut checked, mut steps) = (0, 0);
    for figure in page.data["figures"].as_array().expect("figures") {
        let plot = &figure["plot"];
        if plot["form"] != "points" {
            continue;
        }
        let id = figure["id"].as_str().expect("an id");
        let mut used: BTreeSet<(&str, usize)> = BTreeSet::new();
        let mut factors: BTreeMap<String, f64> = BTreeMap::new();
        let mut ratios: BTreeMap<(usize, String), f64> = BTreeMap::new();
        for point in plot["points"].as_array().expect("points") {
            let Some(value) = point["value"].as_f64().filter(|_| point["marker"] != "missed") else {
                continue;
            };
            let at = |field: &str| point[field].as_u64().expect("an index") as usize;
            let panel = plot["panels"][at("panel")]["name"].as_str().expect("a name");
            let server = plot["series"][at("series")]["server"].as_str().expect("a server");
            let mut values = Vec::new();
            let mut own_ratios = Vec::new();
            for record in point["records"].as_array().expect("records") {
                let file =
                    figure["data"][record[0].as_u64().expect("a file") as usize].as_str().expect("a link");
                let line = &page.files[file][record[1].as_u64().expect("a line") as usize];
                let shown = record[2].as_f64().expect("a value");
                used.insert((file, record[1].as_u64().expect("a line") as usize));
                assert_eq!(
                    (&line["stage"], &line["dropped"]),
                    (&server.into(), &false.into()),
                    "{id}: {line}"
                );
                match own(id, panel, at("mark"), line) {
                    Ok(own) => {
                        assert!(is_close(own, shown), "{id}, {panel}: {own} is not {shown}: {line}");
                        own_ratios.extend((id == "what-each-idea-costs").then_some(own));
                    }
                    Err(nan) if nan.is_nan() && id == "second-cpu" => {}
                    // Two panels have one name: the axis tells pages from costs.
                    Err(nan) if nan.is_nan() => {
                        let pages = 60.0 * number(line, "requests_per_second").expect("a speed");
                        let cost = number(line, "cpu_us_per_request").unwrap_or(f64::NAN);
                        assert!(is_close(pages, shown) || is_close(cost, shown), "{id}: {shown}: {line}");
                    }
                    Err(ratio) => {
                        let load = format!("{panel}, {}", line["concurrency"]);
                        let factor = *factors.entry(load).or_insert(shown / ratio);
                        assert!(
                            is_close(factor, shown / ratio),
                            "{id}, {panel}: the floor's cost is one: {line}"
                        );
                        let around = line["floor_around"].as_array().expect("a pair");
                        let [before, after] = [0, 1].map(|at| around[at].as_f64().expect("a cost"));
                        assert!(
                            (before / after).max(after / before) <= 1.05 + 1e-9,
                            "{id}: two states: {line}"
                        );
                        own_ratios.push(ratio);
                    }
                }
                values.push(shown);
            }
            if values.is_empty() {
                assert_eq!(id, "table", "only what was published has no records");
                continue;
            }
            if id == "second-cpu" {
                let lines = point["records"].as_array().expect("records").iter().map(|record| {
                    let file = figure["data"][record[0].as_u64().expect("a file") as usize].as_str();
                    let line = record[1].as_u64().expect("a line") as usize;
                    (&page.files[file.expect("a link")][line], record[2].as_f64().expect("a value"))
                });
                let lines: Vec<(&Value, f64)> = lines.collect();
                let speed = |line: &Value| number(line, "requests_per_second").expect("a speed");
                let on = |cpus: u64| {
                    let its = lines.iter().filter(|(line, _)| line["cpus"] == cpus);
                    middle(&its.map(|(line, _)| speed(line)).collect::<Vec<_>>())
                };
                assert!(is_close(value, on(2) / on(1)), "{id}: {point}");
                lines.iter().for_each(|(line, own)| assert!(is_close(*own, speed(line) / on(1)), "{line}"));
            } else {
                assert!(
                    is_close(value, middle(&values)),
                    "{id}, {panel}: {value} is no median of {values:?}"
                );
                if let (Some(low), Some(high)) =
                    (point["interval"]["low"].as_f64(), point["interval"]["high"].as_f64())
                {
                    let least = values.iter().copied().fold(f64::MAX, f64::min);
                    let most = values.iter().copied().fold(f64::MIN, f64::max);
                    assert!(least <= low && low <= value && value <= high && high <= most, "{id}: {point}");
                    assert!(
                        values.len() > 5 || (low, high) == (least, most),
                        "{id}: a range of few: {point}"
                    );
                }
            }
            if !own_ratios.is_empty() {
                ratios.insert((at("panel"), server.to_owned()), middle(&own_ratios));
            }
            checked += 1;
        }
        for file in figure["data"].as_array().expect("links").iter().filter_map(Value::as_str) {
            for (at, line) in page.files[file].iter().enumerate().filter(|(_, line)| must_be_shown(id, line))
            {
                assert!(used.contains(&(file, at)), "{id} leaves line {} of {file} out: {line}", at + 1);
            }
        }
        if id != "what-each-idea-costs" {
            continue;
        }
        // `7.6, 05→06 +18 % [15 to 21]`
        for point in plot["points"].as_array().expect("points") {
            let text = point["text"].as_str().unwrap_or_default();
            let Some((step, change)) = text.split_once(", ").and_then(|(_, rest)| rest.split_once(' '))
            else {
                continue;
            };
            let Some((from, to)) = step.split_once('→') else { continue };
            let panel = point["panel"].as_u64().expect("a panel") as usize;
            let factor = ratios[&(panel, to.to_owned())] / ratios[&(panel, from.to_owned())];
            let percent = change.split(" %").next().unwrap_or_default().replace('−', "-");
            if let Ok(percent) = percent.trim_start_matches('+').parse::<f64>() {
                assert!((100.0 * (factor - 1.0) - percent).abs() <= 0.51, "{text}: {factor}");
                steps += 1;
            }
        }
        // `… 1.62 times [1.58 to 1.78] the floor …`
        for finding in page.data["front"]["findings"].as_array().expect("findings") {
            let text = finding["text"].as_str().expect("a sentence");
            // `… (05→06) adds most to the cost of a request: +18 % [15 to 21]; then … (04→05) +4 % […`
            for part in
                text.split('(').skip(1).filter(|part| part.split(')').next().is_some_and(|w| w.contains('→')))
            {
                let (names, rest) = part.split_once(')').expect("a parenthesis ends");
                let (from, to) = names.split_once('→').expect("an arrow");
                let percent =
                    rest.split(" %").next().and_then(|text| text.split(' ').next_back()).unwrap_or_default();
                let percent: f64 =
                    percent.trim_start_matches('+').replace('−', "-").parse().expect("a number");
                let factor = ratios[&(0, to.to_owned())] / ratios[&(0, from.to_owned())];
                assert!((100.0 * (factor - 1.0) - percent).abs() <= 0.51, "{text}: {factor}");
            }
            let Some((before, rest)) = text.split_once(" is the dearest design: a request costs ") else {
                continue;
            };
            let server = before.rsplit_once('(').expect("a name").1.trim_end_matches(')');
            let times: f64 = rest.split(' ').next().and_then(|number| number.parse().ok()).expect("a factor");
            let own = ratios[&(0, server.to_owned())];
            assert!((own - times).abs() < 0.006, "{text}: {own}");
        }
    }
    assert!(checked > 300 && steps > 3, "{checked} points and {steps} steps");
}
