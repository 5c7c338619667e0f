//! Every number of the page, computed again from the lines of the data files by another way: JSON and
//! arithmetic alone, without the crate of the records. The data are those of `results/`, or of the directory
//! in `LAB_RESULTS`.
//!
//! Points and their intervals are computed from the lines behind them (`chance`: an interval by counting what
//! the crate draws); then every number of every text is claimed by what was computed (`claims`, `sentences`,
//! `captions`, from `facts` and `states`), and one that nothing claims fails.

mod captions;
mod chance;
mod chapter;
mod claims;
mod facts;
mod sentences;
mod states;
mod words;

use chance::medians;
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

/// The page's data, the text of the other page, and the lines of the files.
struct Page {
    data: Value,
    markdown: String,
    files: BTreeMap<String, Vec<Value>>,
    out: PathBuf,
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
    // Grades are no records, and are on the page all the same.
    let grades = data["figures"].as_array().expect("figures").iter();
    let grades =
        grades.filter(|figure| figure["id"] == "probes").flat_map(|figure| figure["data"].as_array());
    let grades: Vec<&str> = grades.flatten().filter_map(Value::as_str).collect();
    let files = names.chain(grades).map(|name| (name.to_owned(), without_made_good(lines(name)))).collect();
    let markdown = fs::read_to_string(out.join("README.md")).expect("the other page");
    Page { data, markdown, files, out: out.to_owned() }
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
    let sent = || of("open_loop.rate") * of("seconds");
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
        ("uring", _) => ratio(record).expect("a pair"),
        ("concurrency", "bytes") => of(["idle.silent_bytes", "idle.served_bytes"][mark]),
        ("concurrency", _) => of("idle.task_bytes"),
        ("concurrency-load", cost) if cost.starts_with("÷ floor") => {
            assert_eq!(record["keep_alive"], cost.ends_with("kept"), "{cost}: {record}");
            ratio(record).expect("a pair")
        }
        ("concurrency-load", switches) if switches.starts_with("switches") => {
            assert_eq!(record["keep_alive"], switches.ends_with("kept"), "{switches}: {record}");
            of("context_switches") / requests()
        }
        ("concurrency-load", "over 5 ms") => {
            100.0 * of("open_loop.over_5ms") / (requests() + of("open_loop.never_sent"))
        }
        ("concurrency-load", _) => wait().max(1.0),
        ("balance", name) => {
            let workers = line_workers(record);
            let share = |field: &str| {
                let all: f64 = workers.iter().map(|worker| number(worker, field).expect("a count")).sum();
                100.0 * number(&workers[mark], field).expect("a count") / all.max(1.0)
            };
            match name.rsplit(": ").next() {
                Some("requests") => share("requests"),
                Some("connections") => share("connections"),
                _ => number(&workers[mark], "wait_us.p99").expect("a wait").max(1.0),
            }
        }
        ("stealing", "on one: its clients") => waits_of(record, true),
        ("stealing", "on one: the others") => waits_of(record, false),
        ("stealing", name) => {
            let (kind, load) = name.split_once(", ").unwrap_or(("p99", name));
            let placement = match load {
                "no long requests" => "none",
                "on every thread" => "each",
                _ => "one",
            };
            assert_eq!(record["placement"], placement, "{name}: {record}");
            match kind {
                "long" => of("long_requests.wait_us.p99"),
                _ => of(&format!("sampled_us.{kind}")),
            }
            .max(1.0)
        }
        ("overload", "goodput") => of("client_timeout.in_time") / of("seconds"),
        ("overload", "refused") => 100.0 * of("client_timeout.refused") / sent().max(1.0),
        ("overload", "given up") => 100.0 * of("client_timeout.given_up") / sent().max(1.0),
        ("overload", _) => of(&format!("client_timeout.answered_us.{percentile}")).max(1.0),
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

fn line_workers(record: &Value) -> &[Value] {
    record["by_worker"].as_array().expect("workers")
}

/// The longest p99 of the workers that have the long requests, or of those that have not.
fn waits_of(record: &Value, has_long: bool) -> f64 {
    assert_eq!(record["placement"], "one", "{record}");
    let its = line_workers(record).iter().filter(|worker| worker["slowed"] == has_long);
    its.filter_map(|worker| number(worker, "wait_us.p99")).fold(1.0, f64::max)
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
        "idle-memory" | "concurrency" => is_of("idle"),
        "table" => is_of("table"),
        _ => false,
    }
}

/// What a point is known by, whatever the round.
fn key(line: &Value) -> String {
    let fields = ["phase", "stage", "title", "workers", "tool", "concurrency", "keep_alive", "path"];
    let others = ["idle_connections", "cpus", "pipeline", "slowed", "placement"];
    let rate = line["open_loop"]["share_of_peak"].as_f64().or_else(|| line["open_loop"]["rate"].as_f64());
    let words: Vec<String> = fields.iter().chain(&others).map(|field| line[*field].to_string()).collect();
    format!("{} {rate:?}", words.join(" "))
}

/// The lines without failures that were made good: of a run that went on, the same point of the same round
/// has figures on a later line.
fn without_made_good(lines: Vec<Value>) -> Vec<Value> {
    let of_round = |line: &Value| format!("{} {}", key(line), line["round"]);
    let has_figures = |line: &&Value| line["dropped"] != true && line["requests_per_second"].is_number();
    let measured: BTreeSet<String> = lines.iter().filter(has_figures).map(of_round).collect();
    let is_made_good = |line: &Value| line["skipped"].is_string() && measured.contains(&of_round(line));
    lines.into_iter().filter(|line| !is_made_good(line)).collect()
}

/// Values by run.
type Sample = BTreeMap<String, Vec<f64>>;

fn all(sample: &Sample) -> Vec<f64> {
    sample.values().flatten().copied().collect()
}

/// A change of one median over another: the factor and, by counting, what its interval may be.
fn check_change(over: &Sample, base: &Sample, [factor, low, high]: [f64; 3], written: f64, text: &str) {
    let (over_all, base_all) = (all(over), all(base));
    let own = middle(&over_all) / middle(&base_all);
    assert!((own - factor).abs() <= written + 1e-9, "{text}: {own}");
    let [over_runs, base_runs] = [over, base].map(|one| one.values().cloned().collect::<Vec<_>>());
    if over_all.len().min(base_all.len()) < 6 {
        let ends = |values: &[f64]| {
            (values.iter().copied().fold(f64::MAX, f64::min), values.iter().copied().fold(f64::MIN, f64::max))
        };
        let ((least, most), (below, above)) = (ends(&over_all), ends(&base_all));
        for (own, shown) in [(least / above, low), (most / below, high)] {
            assert!((own - shown).abs() <= written + 1e-9, "{text}: {own} is not {shown}");
        }
        return;
    }
    let counted = medians(&over_runs).over(&medians(&base_runs));
    assert!(
        counted.allows([low, high], written),
        "{text}: [{low} to {high}] is no interval of {over_all:?} over {base_all:?}; {:?}",
        counted.ends()
    );
}

/// A figure whose points were computed again.
struct Checked<'a> {
    figure: &'a Value,
    /// By panel, server, mark and place along x.
    samples: BTreeMap<(usize, String, usize, u64), Sample>,
    /// The lines behind its points: file and line.
    used: BTreeSet<(&'a str, usize)>,
}

#[test]
fn every_number_of_the_page_follows_from_the_records() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(3).expect("the work tree");
    let results = std::env::var("LAB_RESULTS").map_or_else(|_| repository.join("results"), PathBuf::from);
    let checked = check(&results);
    assert!(checked > 300, "{checked} points");
}

/// Protects the words about a run that was interrupted: how much of it is there follows from its lines too.
#[test]
fn the_page_of_an_interrupted_run_follows_from_its_records() {
    let name = "20261129T190640Z-b699ddb52c-cpus.jsonl";
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(3).expect("the work tree");
    let whole = fs::read_to_string(repository.join("results/data").join(name)).expect("a run");
    let lines: Vec<&str> = whole.lines().collect();
    let results = tempfile::tempdir().expect("a directory");
    fs::create_dir(results.path().join("data")).expect("made");
    let kept = lines[..lines.len() - 7].join("\n") + "\n";
    fs::write(results.path().join("data").join(name), kept).expect("written");
    let checked = check(results.path());
    assert!(checked > 10, "{checked} points");
}

/// Checks every number of the page of these results; returns how many points it has.
fn check(results: &Path) -> usize {
    let out = tempfile::tempdir().expect("a directory");
    let page = page(results, out.path());
    let mut checked = 0;
    let mut figures = BTreeMap::new();
    for figure in page.data["figures"].as_array().expect("figures") {
        let id = figure["id"].as_str().expect("an id");
        let found = points(&page, figure, &mut checked);
        figures.insert(id, found);
    }
    claims::check(&page, &figures);
    checked
}

/// Computes the points of a figure again.
fn points<'a>(page: &'a Page, figure: &'a Value, checked: &mut usize) -> Checked<'a> {
    let plot = &figure["plot"];
    let mut found = Checked { figure, samples: BTreeMap::new(), used: BTreeSet::new() };
    if plot["form"] != "points" {
        return found;
    }
    let id = figure["id"].as_str().expect("an id");
    let mut factors: BTreeMap<String, f64> = BTreeMap::new();
    for point in plot["points"].as_array().expect("points") {
        let Some(value) = point["value"].as_f64().filter(|_| point["marker"] != "missed") else {
            continue;
        };
        let at = |field: &str| point[field].as_u64().expect("an index") as usize;
        let panel = plot["panels"][at("panel")]["name"].as_str().expect("a name");
        let server = plot["series"][at("series")]["server"].as_str().expect("a server");
        let mut values = Vec::new();
        let place = point["x"].as_f64().expect("a place").to_bits();
        let mut sample = Sample::new();
        for record in point["records"].as_array().expect("records") {
            let file = figure["data"][record[0].as_u64().expect("a file") as usize].as_str().expect("a link");
            let line = &page.files[file][record[1].as_u64().expect("a line") as usize];
            let shown = record[2].as_f64().expect("a value");
            found.used.insert((file, record[1].as_u64().expect("a line") as usize));
            assert_eq!((&line["stage"], &line["dropped"]), (&server.into(), &false.into()), "{id}: {line}");
            match own(id, panel, at("mark"), line) {
                Ok(own) => {
                    assert!(is_close(own, shown), "{id}, {panel}: {own} is not {shown}: {line}");
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
                    assert!((before / after).max(after / before) <= 1.05 + 1e-9, "{id}: two states: {line}");
                }
            }
            values.push(shown);
            sample.entry(file.to_owned()).or_default().push(shown);
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
            let of = |cpus: u64| {
                let its = lines.iter().filter(|(line, _)| line["cpus"] == cpus);
                Sample::from([(String::new(), its.map(|(line, _)| speed(line)).collect())])
            };
            let ends = ["low", "high"].map(|end| point["interval"][end].as_f64());
            if let [Some(low), Some(high)] = ends {
                check_change(&of(2), &of(1), [value, low, high], 0.0, id);
            }
            lines.iter().for_each(|(line, own)| assert!(is_close(*own, speed(line) / on(1)), "{line}"));
        } else {
            assert!(is_close(value, middle(&values)), "{id}, {panel}: {value} is no median of {values:?}");
            if let (Some(low), Some(high)) =
                (point["interval"]["low"].as_f64(), point["interval"]["high"].as_f64())
            {
                let least = values.iter().copied().fold(f64::MAX, f64::min);
                let most = values.iter().copied().fold(f64::MIN, f64::max);
                assert!(least <= low && low <= value && value <= high && high <= most, "{id}: {point}");
                let runs: Vec<Vec<f64>> = sample.values().cloned().collect();
                match values.len() {
                    ..=5 => assert_eq!((low, high), (least, most), "{id}: a range of few: {point}"),
                    _ => assert!(
                        medians(&runs).allows([low, high], 0.0),
                        "{id}, {panel}: no interval of {values:?}: {point}"
                    ),
                }
            }
        }
        let title = plot["series"][at("series")]["name"].as_str().expect("a name").to_owned();
        found.samples.insert((at("panel"), title, at("mark"), place), sample);
        *checked += 1;
    }
    for file in figure["data"].as_array().expect("links").iter().filter_map(Value::as_str) {
        for (at, line) in page.files[file].iter().enumerate().filter(|(_, line)| must_be_shown(id, line)) {
            assert!(found.used.contains(&(file, at)), "{id} leaves line {} of {file} out: {line}", at + 1);
        }
    }
    found
}
