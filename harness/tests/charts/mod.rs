//! The charts, drawn from invented records and looked at as a reader would: is everything there, and does
//! no text lie on another?

mod gaps;
mod invented;
mod svg;

use figures::charts::{Chart, Drawing, draw};
use invented::{SEVEN, Server, TWELVE, record, run};
use records::{Outcome, Phase, Record, Writer};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use svg::{check, labels};

const RUN: &str = "20260102T030405Z-0123456789-standard";

/// All kinds of data, drawn as `./lab bench-all` draws them.
fn everything(servers: &[Server], directory: &Path) -> Vec<Chart> {
    let file = invented::files(servers, directory);
    draw(&[file], directory).expect("charts").charts
}

fn of_run(records: &[Record], directory: &Path) -> Vec<Chart> {
    try_run(records, directory).expect("charts").charts
}

fn try_run(records: &[Record], directory: &Path) -> anyhow::Result<Drawing> {
    // Alone in a directory, so that nothing is beside it.
    let alone = tempfile::tempdir().expect("a directory");
    let mut writer = Writer::create(alone.path(), RUN).expect("a new file");
    records.iter().for_each(|record| writer.write(record).expect("written"));
    draw(&[writer.path().to_owned()], directory)
}

fn texts(chart: &Chart) -> Vec<String> {
    labels(&chart.svg).into_iter().map(|label| label.text).collect()
}

fn of<'a>(charts: &'a [Chart], file: &str) -> &'a Chart {
    charts.iter().find(|chart| chart.figure.id == file).unwrap_or_else(|| panic!("{file} is not drawn"))
}

/// A name may hold anything, and a clock may stand still: neither makes a chart that is no XML or a figure
/// that is none.
#[test]
fn no_name_breaks_a_chart_and_no_ratio_is_nan() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut records = run(&SEVEN);
    let mut still = BTreeSet::new();
    for record in &mut records {
        record.key.title += "\u{1b}[31m\u{0}\u{ffff}<&>\"";
        if let Outcome::Paired(paired) = &mut record.outcome {
            paired.floor_around = [0.0, 0.0];
            paired.figures.cpu_us_per_request = Some(0.0);
            still.insert(record.key.server.clone());
        }
    }
    let charts = of_run(&records, directory.path());
    for chart in &charts {
        let is_forbidden = |c: char| (c < ' ' && !"\t\n\r".contains(c)) || c == '\u{ffff}';
        assert!(!chart.svg.contains(is_forbidden), "{}", chart.figure.id);
        assert!(!chart.svg.contains("NaN") && !chart.svg.contains("\"[31m"), "{}", chart.figure.id);
    }
    let costs = texts(of(&charts, "what-each-idea-costs"));
    let none = costs.iter().filter(|text| *text == "not known").count();
    assert!(!still.is_empty() && none == still.len(), "one for each of {still:?}: {costs:?}");
}

/// Protects the readability at the size that the lab has now, and at the size that it will have.
#[test]
fn every_server_is_on_every_chart_and_no_text_lies_on_another() {
    for servers in [&SEVEN[..], &TWELVE] {
        let directory = tempfile::tempdir().expect("a directory");
        let charts = everything(servers, directory.path());
        let names: Vec<&str> = charts.iter().map(|chart| chart.figure.id.as_str()).collect();
        assert_eq!(
            names,
            [
                "what-each-idea-costs",
                "capacity",
                "latency",
                "cost-by-clients",
                "slow",
                "probes",
                "tools-side-by-side",
                "requests-per-second-ab",
                "requests-per-second-builtin",
                "requests-per-second-webbench",
                "requests-per-second-wrk",
                "context-switches",
                "idle-memory",
                "spin",
                "table",
            ]
        );
        for chart in &charts {
            check(&chart.svg, &chart.figure.id);
            let texts = texts(chart);
            let says = |what: &str| texts.iter().any(|text| text.contains(what));
            assert!(says("commit 0123456789 with changes"), "{}: {texts:?}", chart.figure.id);
            for data in &chart.figure.data {
                assert!(says(data.trim_start_matches("data/")), "{}: {data} is not named", chart.figure.id);
            }
            if ["probes", "table"].contains(&chart.figure.id.as_str()) {
                continue;
            }
            // References have no such paths; of a scenario a server that was skipped is named all the same.
            let is_scenario = ["spin", "slow"].contains(&chart.figure.id.as_str());
            let of_the_lab = |name: &str| name.starts_with(|first: char| first.is_ascii_digit());
            for (name, _) in servers.iter().filter(|(name, _)| !is_scenario || of_the_lab(name)) {
                let shown = texts.iter().any(|text| {
                    let text = text.trim_start_matches("reference: ");
                    text == *name
                        || text.starts_with(&format!("{name} "))
                        || text.starts_with(&format!("{name}: "))
                        || text.starts_with(&format!("Missing: {name} "))
                });
                assert!(shown, "{}: {name} is missing", chart.figure.id);
            }
            assert!(
                is_scenario || says("reference: nginx"),
                "{}: a reference is named as such",
                chart.figure.id
            );
            let rounds = match chart.figure.id.as_str() {
                "requests-per-second-wrk" | "tools-side-by-side" => "to 5 rounds",
                "context-switches" | "cost-by-clients" => "3 rounds",
                file if file.starts_with("requests") => "3 rounds",
                "capacity" => "to 5 rounds",
                _ => "5 rounds",
            };
            assert!(says(rounds), "{}: {texts:?}", chart.figure.id);
        }
    }
}

/// Protects the comparison of what holds a connection: a row for each, with its words beside its marks, and
/// the data are named.
#[test]
fn what_holds_a_connection_has_a_row_each() {
    let directory = tempfile::tempdir().expect("a directory");
    let name = "20260102T030405Z-0123456789-concurrency";
    let mut writer = Writer::create(&directory.path().join("data"), name).expect("a new file");
    invented::concurrency().iter().for_each(|record| writer.write(record).expect("written"));
    let charts = draw(&[writer.path().to_owned()], directory.path()).expect("charts").charts;
    let names: Vec<&str> = charts.iter().map(|chart| chart.figure.id.as_str()).collect();
    assert_eq!(names, ["concurrency", "concurrency-load"]);
    for chart in &charts {
        check(&chart.svg, &chart.figure.id);
        let texts = texts(chart);
        let holders = [
            "02 process",
            "02-threads thread",
            "12-fibers fiber",
            "12 future",
            "12-tokio future, work stealing",
            "10 state machine, a loop per CPU",
            "04 state machine, one loop",
        ];
        let rows: Vec<&str> =
            texts.iter().map(String::as_str).filter(|text| holders.contains(text)).collect();
        assert_eq!(rows, holders, "{}: in this order", chart.figure.id);
        let says = |what: &str| texts.iter().any(|text| text.contains(what));
        assert!(says(&format!("{name}.jsonl")) && says("5 rounds"), "{texts:?}");
    }
    let [memory, load] = [0, 1].map(|at| texts(&charts[at]).join(" "));
    assert!(memory.contains("silent 150 kB, served 300 kB"), "{memory}");
    assert!(load.contains("not known: its tasks") && load.contains("1.07"), "{load}");
}

/// Protects the comparison of threads that steal: a row for each server, no text on another, and where no
/// connection belongs to a thread it is said.
#[test]
fn threads_that_steal_have_a_row_beside_those_that_do_not() {
    let directory = tempfile::tempdir().expect("a directory");
    let name = "20260102T030405Z-0123456789-stealing";
    let mut writer = Writer::create(&directory.path().join("data"), name).expect("a new file");
    invented::stealing().iter().for_each(|record| writer.write(record).expect("written"));
    let charts = draw(&[writer.path().to_owned()], directory.path()).expect("charts").charts;
    let [chart] = &charts[..] else { panic!("one figure, and not {}", charts.len()) };
    check(&chart.svg, &chart.figure.id);
    let texts = texts(chart);
    let says = |what: &str| texts.iter().any(|text| text.contains(what));
    let rows = [
        "10 state machine, a loop per CPU",
        "12 future, a thread per CPU",
        "12-fibers fiber, a thread per CPU",
        "12-tokio future, work stealing",
    ];
    for words in
        rows.into_iter().chain(["not bound to a thread", "60 % of one CPU", "95 % bootstrap interval"])
    {
        assert!(says(words), "{words}: {texts:?}");
    }
}

/// Protects the trace from a picture to its records: the named file is there, and the named command draws the
/// same.
#[test]
fn each_chart_names_the_data_and_the_command_that_draw_it() {
    let directory = tempfile::tempdir().expect("a directory");
    let charts = everything(&SEVEN, directory.path());
    for file in ["what-each-idea-costs", "probes", "table", "spin", "slow"] {
        let chart = of(&charts, file);
        for data in &chart.figure.data {
            assert!(directory.path().join(data).is_file(), "{file}: {data} is no file beside it");
        }
        let drawn = directory.path().join(format!("{file}.svg"));
        assert_eq!(fs::read_to_string(&drawn).expect("it is there"), chart.svg);
        fs::remove_file(&drawn).expect("removed");
        let words: Vec<&str> = chart.figure.command.split(' ').collect();
        assert_eq!(words[0], "./lab");
        let status =
            Command::new(env!("CARGO_BIN_EXE_harness")).args(&words[1..]).output().expect("it runs").status;
        assert!(status.success());
        assert_eq!(fs::read_to_string(&drawn).expect("it is drawn again"), chart.svg, "{file}");
    }
    let left: Vec<_> =
        fs::read_dir(directory.path()).expect("a directory").flatten().map(|e| e.file_name()).collect();
    assert_eq!(left.len(), charts.len() + 1, "the data, the charts and no temporary file: {left:?}");
}

/// Protects the sceptic: what is not known is said where the figure would stand.
#[test]
fn what_was_not_measured_is_named_with_its_reason() {
    let directory = tempfile::tempdir().expect("a directory");
    let charts = everything(&SEVEN, directory.path());
    for (file, words) in [
        ("context-switches", "not known: the processes or threads that ended took the count along"),
        ("idle-memory", "not measured: it serves one client at a time"),
        ("idle-memory", "Its resolution is a page, here 0.4 B a connection"),
        ("idle-memory", "since a logarithmic scale has no zero: no growth was seen"),
        ("what-each-idea-costs", "the grey band around that line the floor measured against itself"),
        ("requests-per-second-wrk", "Hollow markers do not compare the servers"),
        ("table", "Source 002 is one of the texts that this lab grew from"),
        ("table", "Missing: 1 process, 2 processes (needs stage 09 (prefork), which is not built yet)"),
        ("table", "serial: the accept queue was full at times (clients at once: 10 or more)."),
        ("tools-side-by-side", "Why they differ"),
        ("tools-side-by-side", "HTTP/1.0"),
        ("spin", "not measured: it serves one client at a time"),
        ("spin", "The generator shares the CPUs with the server and takes 10 % of them"),
        ("slow", "not measured: it serves one client at a time"),
        ("slow", "requests never left"),
        ("latency", "points are left out, since more than 1 % of the requests left late"),
        ("latency", "the rate was not reached"),
    ] {
        let texts = texts(of(&charts, file)).join(" ");
        assert!(texts.contains(words), "{file}: \"{words}\" is missing in {texts}");
    }
    // A row that is missing here has its line in the published table only.
    let named = texts(of(&charts, "table"));
    let count = |name: &str| named.iter().filter(|text| *text == name).count();
    assert_eq!((count("serial"), count("1 process")), (1, 1), "one legend for all pictures");
}

/// Protects from a figure that grows with the length of the run: at a rate that was not reached there is no
/// latency.
#[test]
fn a_rate_that_was_not_reached_has_no_latency() {
    let draw_latency = |records: Vec<Record>| {
        let directory = tempfile::tempdir().expect("a directory");
        of(&of_run(&records, directory.path()), "latency").svg.clone()
    };
    let mut records = run(&SEVEN[4..6]);
    records.retain(|record| record.key.phase == Phase::Latency || record.key.tool == "wrk");
    let all = draw_latency(records.clone());
    assert!(!all.contains("the rate was not reached"));
    for record in records.iter_mut().filter(|record| record.key.phase == Phase::Latency) {
        let figures = record.figures_mut().expect("figures");
        figures.requests_per_second = 0.0;
        let Outcome::Latency(latency) = &mut record.outcome else { panic!("an open loop") };
        latency.open_loop.latency_us.p99 = 594_431;
    }
    let none = draw_latency(records);
    assert!(none.contains("the rate was not reached"));
    let shapes = |svg: &str| svg.matches("<polygon").count();
    assert_eq!(shapes(&none), 0, "no point, and so no legend");
    assert!(shapes(&all) > 3);
    check(&none, "latency");
}

/// Protects the reader of a lean run: one number of clients is no curve, and a row has its figure.
#[test]
fn with_one_number_of_clients_each_server_has_a_row() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut records = run(&TWELVE);
    records.retain(|record| record.key.tool != "ab" || record.key.concurrency == 64);
    let charts = of_run(&records, directory.path());
    let ab = of(&charts, "requests-per-second-ab");
    check(&ab.svg, &ab.figure.id);
    assert_eq!(ab.figure.title, "How many requests per second does ab see with 64 clients?");
    assert!(!texts(ab).iter().any(|text| text == "64 clients"));
    assert!(texts(of(&charts, "requests-per-second-wrk")).iter().any(|text| text == "64 clients"));
}

/// Protects a reader who would look for a marker in vain: its row says that there is none.
#[test]
fn a_row_without_a_marker_says_why() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut records = run(&SEVEN);
    records.retain(|record| record.key.server != "04" || !record.key.keep_alive);
    let charts = of_run(&records, directory.path());
    let named = texts(of(&charts, "requests-per-second-wrk"));
    let count = |name: &str| named.iter().filter(|text| *text == name).count();
    assert_eq!((count("04 Non-blocking epoll"), count("not measured")), (1, 1), "{named:?}");
}

/// Protects the print and the colour-blind: a cell of the matrix has its letter, and a surprise shouts.
#[test]
fn the_matrix_is_read_without_colours() {
    let directory = tempfile::tempdir().expect("a directory");
    let charts = everything(&TWELVE, directory.path());
    let texts = texts(of(&charts, "probes"));
    let count = |letter: &str| texts.iter().filter(|text| *text == letter).count();
    let grades = invented::grades(&TWELVE);
    for (outcome, letter, in_legend) in [
        ("pass", "·", 1),
        ("starved", "S", 2),
        ("broken: hang", "B", 1),
        ("not applicable", "–", 1),
        ("wrong", "W !", 0),
    ] {
        let cells =
            grades.iter().flat_map(|grade| &grade.probes).filter(|probed| probed.outcome == outcome).count();
        assert!(cells > 0);
        assert_eq!(count(letter), cells + in_legend, "{outcome}");
    }
}

#[test]
fn a_run_that_was_interrupted_says_so_on_every_chart() {
    let mut records = run(&SEVEN);
    records.iter_mut().for_each(|record| record.context.points_planned = 5000);
    let directory = tempfile::tempdir().expect("a directory");
    for chart in of_run(&records, directory.path()) {
        check(&chart.svg, &chart.figure.id);
        assert!(chart.svg.contains("INCOMPLETE"), "{}", chart.figure.id);
    }
}

#[test]
fn a_quick_look_with_two_numbers_of_clients_says_so() {
    let mut records: Vec<Record> = run(&SEVEN)
        .into_iter()
        .filter(|record| record.context.round == 1 && record.key.concurrency != 8)
        .collect();
    records.iter_mut().for_each(|record| record.context.quick = true);
    let directory = tempfile::tempdir().expect("a directory");
    for chart in of_run(&records, directory.path()) {
        check(&chart.svg, &chart.figure.id);
        assert!(chart.svg.contains("Quick look"), "{}", chart.figure.id);
        assert!(!chart.svg.contains("Whiskers"), "{}: one round has no spread", chart.figure.id);
    }
}

/// Protects machines without wrk: another tool stands in its place.
#[test]
fn without_wrk_the_built_in_generator_stands_for_a_server() {
    let records: Vec<Record> = run(&SEVEN).into_iter().filter(|record| record.key.tool != "wrk").collect();
    let directory = tempfile::tempdir().expect("a directory");
    let charts = of_run(&records, directory.path());
    assert!(charts.iter().all(|chart| chart.figure.id != "requests-per-second-wrk"));
    assert!(of(&charts, "context-switches").figure.title.contains("(builtin,"));
}

#[test]
fn one_server_with_one_number_of_clients_is_a_chart_too() {
    let directory = tempfile::tempdir().expect("a directory");
    let charts = of_run(&[record(SEVEN[6], 6, "wrk", 64, true, 1)], directory.path());
    let names: Vec<&str> = charts.iter().map(|chart| chart.figure.id.as_str()).collect();
    assert_eq!(names, ["capacity", "requests-per-second-wrk", "context-switches"]);
    assert!(texts(&charts[0]).iter().any(|text| text == "05 Edge against level"));
    charts.iter().for_each(|chart| check(&chart.svg, &chart.figure.id));
}

#[test]
fn data_without_figures_is_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    let records = [record(SEVEN[1], 1, "ab", 64, true, 1)];
    let error = try_run(&records, directory.path()).expect_err("nothing to draw");
    assert_eq!(error.to_string().lines().count(), 1);
}

/// Protects from a page that mixes two runs, and every file that is not the harness's own.
#[test]
fn charts_of_an_earlier_run_do_not_stay_beside_a_narrower_one() {
    let directory = tempfile::tempdir().expect("a directory");
    everything(&SEVEN, directory.path());
    for own in ["mine.svg", "requests-per-second-mine.svg"] {
        fs::write(directory.path().join(own), "mine").expect("written");
    }
    of_run(&[record(SEVEN[6], 6, "wrk", 64, true, 1)], directory.path());
    let is_there = |name: &str| directory.path().join(format!("{name}.svg")).is_file();
    for kept in ["capacity", "probes", "table", "mine", "requests-per-second-mine"] {
        assert!(is_there(kept), "{kept} is gone");
    }
    for gone in ["latency", "idle-memory", "requests-per-second-ab"] {
        assert!(!is_there(gone), "{gone} is of the earlier run");
    }
}
