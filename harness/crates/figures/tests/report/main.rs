//! `report.html`, in a browser that is not asked to believe anything: a script clicks the switches as a
//! reader would, and says what changed. The records are invented: twelve stages, two twins and three
//! references in every phase.

mod browser;
mod records;

use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Runs before the page's own script, so that no complaint of it is missed.
const HOOKS: &str = include_str!("hooks.js");
/// Runs after it: the reader.
const READER: &str = include_str!("reader.js");

fn report() -> (tempfile::TempDir, String) {
    let directory = tempfile::tempdir().expect("a directory");
    let page = records::report(directory.path());
    let html = fs::read_to_string(page).expect("the page is there");
    (directory, html)
}

/// What the reader saw, by the name of the check.
fn seen(directory: &Path, html: &str, chromium: &Path, width: u32) -> BTreeMap<String, Value> {
    let begin = html.find("<body>").expect("the page has a body") + "<body>".len();
    let hooked =
        format!("{}<script>{HOOKS}</script>{}<script>{READER}</script>", &html[..begin], &html[begin..]);
    let copy = directory.join("read.html");
    fs::write(&copy, hooked).expect("written");
    let dom = browser::dump(chromium, &copy, width, directory);
    let outcome = dom.split("<pre id=\"outcome\">").nth(1).and_then(|rest| rest.split("</pre>").next());
    let outcome = outcome.unwrap_or_else(|| panic!("the reader did not come to its end:\n{}", tail(&dom)));
    let outcome =
        outcome.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&");
    serde_json::from_str(&outcome).unwrap_or_else(|error| panic!("{error}: {outcome}"))
}

fn tail(text: &str) -> &str {
    &text[text.floor_char_boundary(text.len().saturating_sub(2000))..]
}

#[test]
fn a_reader_switches_servers_and_axes_and_asks_points_where_they_come_from() {
    let Some(chromium) = browser::find() else {
        eprintln!(
            "SKIPPED: no chromium, chromium-browser or google-chrome on PATH; `apt-get install chromium`"
        );
        return;
    };
    let (directory, html) = report();
    // A screen, and a telephone.
    for width in [1400, 400] {
        check(&seen(directory.path(), &html, &chromium, width), directory.path());
    }
}

fn check(seen: &BTreeMap<String, Value>, directory: &Path) {
    let text = |name: &str| seen.get(name).unwrap_or_else(|| panic!("nothing about {name} in {seen:#?}"));
    assert_eq!(text("complaints"), &serde_json::json!([]), "the console is silent");
    let figures = [
        "what-each-idea-costs",
        "capacity",
        "latency",
        "cost-by-clients",
        "c10k",
        "slow",
        "second-cpu",
        "tools-side-by-side",
        "requests-per-second-ab",
        "requests-per-second-wrk",
        "context-switches",
        "idle-memory",
        "spin",
        "table",
    ];
    assert_eq!(text("plots"), &serde_json::json!(figures));
    for (name, expected) in [
        ("lines on cost", records::SERVERS.len()),
        ("marks on speed", records::SERVERS.len() * records::CLIENTS.len()),
        ("marks of 04 on speed", records::CLIENTS.len()),
        ("marks of 04 when it is off", 0),
        ("marks of 05 when 04 is off", records::CLIENTS.len()),
        ("marks of 04 when it is on again", records::CLIENTS.len()),
        ("servers with None", 0),
        ("servers with Only stages", records::SERVERS.len() - 3),
        ("servers with Only references", 3),
        ("servers with All", records::SERVERS.len()),
        ("texts that lie on others", 0),
        ("pixels that the page is too wide", 0),
    ] {
        assert_eq!(text(name), &Value::from(expected), "{name}: {}", text("collisions"));
    }
    for name in [
        "04 is off on every chart",
        "the view is in the address",
        "the address brings the view back",
        "another axis has other numbers",
        "another axis has other places",
        "back on the first axis all is as before",
        "another tool has other places",
        "another panel has other places",
        "a generator's limit is hollow",
        "starving clients are a cross",
        "the keyboard shows a point",
        "a title is text and no markup",
        "nothing is at the edge of its axis and said so",
        "a rate that was not reached is said and not drawn",
        "every figure is drawn",
    ] {
        assert_eq!(text(name), &Value::Bool(true), "{name}: {seen:#?}");
    }
    let tip = text("what a point says").as_str().expect("text").to_owned();
    for word in [
        "04 Non-blocking",
        "64 clients",
        "commit 0123456789",
        "seed 42",
        "./lab bench-all --seed 42",
        records::RUN,
    ] {
        assert!(tip.contains(word), "{word} is not in: {tip}");
    }
    // The figure on the page is the one of the line of the file that the page names.
    let number = |name: &str| text(name).as_u64().unwrap_or_else(|| panic!("{name}: {seen:#?}")) as usize;
    let file = fs::read_to_string(directory.join(records::RUN)).expect("the data is beside the page");
    let line: Value =
        serde_json::from_str(file.lines().nth(number("line of a point") - 1).expect("so many lines"))
            .expect("JSON");
    let pinned = text("record of a point");
    for field in ["stage", "tool", "concurrency", "keep_alive", "round", "requests_per_second", "started_at"]
    {
        let shown = pinned[field].as_str().unwrap_or_else(|| panic!("{field} is not shown: {pinned}"));
        // A script writes 1.0 as 1.
        let there = line[field].as_f64().map_or_else(|| line[field].to_string(), |number| number.to_string());
        assert_eq!(shown, there.trim_matches('"'), "{field} of line {}", number("line of a point"));
    }
    let links = text("links to files").as_array().expect("a list").clone();
    assert!(
        links.contains(&Value::from(records::RUN)) && links.contains(&Value::from(records::TABLE)),
        "{links:?}"
    );
    for link in links {
        let file = directory.join(link.as_str().expect("text"));
        assert!(file.is_file(), "{} is linked and not there", file.display());
    }
}

/// Protects the scenarios, which are other runs: both pages have them, and name their data.
#[test]
fn the_scenarios_are_on_the_pages() {
    let (directory, html) = report();
    let markdown = fs::read_to_string(directory.path().join("README.md")).expect("it is beside the page");
    let data = html.split("id=\"data\">").nth(1).and_then(|rest| rest.split("</script>").next());
    let page: Value = serde_json::from_str(data.expect("the page has data")).expect("JSON");
    for (title, data, file) in [
        ("What do more workers make of requests", records::SPIN, "spin.svg"),
        ("How many quick requests wait behind a slow one? 5 %", records::SLOW, "slow.svg"),
    ] {
        let figures = page["figures"].as_array().expect("figures");
        let figure = figures.iter().find(|figure| figure["id"] == file.trim_end_matches(".svg"));
        let figure = figure.unwrap_or_else(|| panic!("{file} is not on the page"));
        assert!(figure["title"].as_str().is_some_and(|text| text.contains(title)), "{figure}");
        assert_eq!(figure["data"], serde_json::json!([data]));
        assert!(
            markdown.contains(&format!("]({file})")) && markdown.contains(&format!("[{data}]({data})")),
            "{file}"
        );
    }
}

#[test]
fn the_page_is_one_file_that_asks_for_nothing() {
    let (_directory, html) = report();
    for word in ["src=", "@import", "url(", "fetch(", "XMLHttpRequest", "<link", "localStorage", "innerHTML"]
    {
        assert!(!html.contains(word), "{word} in the page");
    }
    // What is left of addresses are the names of XML.
    let addresses =
        html.split("http").skip(1).filter(|rest| rest.starts_with("://") || rest.starts_with("s://"));
    addresses
        .for_each(|rest| assert!(rest.starts_with("://www.w3.org/2000/svg"), "http{}", tail(&rest[..60])));
    assert!(html.len() < 1_500_000, "{} bytes", html.len());
    assert!(!html.contains("<b>bold"), "a title became markup");
}
