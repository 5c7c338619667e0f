//! The dashboard, seen from outside: as a stream of events, and in a browser.

mod browser;
mod stage;

use browser::Browser;
use load::Args;
use nix::sys::socket::{setsockopt, sockopt};
use serde_json::{Value, json};
use stage::{LIMIT, Stage};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

fn start(options: &[&str]) -> Stage {
    Stage::start(&[&["--app", "dashboard", "--workers", "2"], options].concat())
}

/// A page as far as the server can tell.
struct Stream(BufReader<TcpStream>);

impl Stream {
    fn open(stage: &Stage) -> Self {
        let mut stream = stage.connect();
        stream
            .write_all(format!("GET /events HTTP/1.1\r\nHost: {}\r\n\r\n", stage.address).as_bytes())
            .unwrap();
        Self(BufReader::new(stream))
    }

    /// The next figures.
    fn next(&mut self) -> Value {
        let mut event = String::new();
        loop {
            let mut line = String::new();
            assert_ne!(self.0.read_line(&mut line).expect("the stream goes on"), 0, "it has ended");
            match line.trim_end().split_once(": ") {
                Some(("event", name)) => name.clone_into(&mut event),
                Some(("data", _)) if event == "hello" => event.clear(),
                Some(("data", text)) => return serde_json::from_str(text).expect("JSON"),
                _ => {}
            }
        }
    }

    /// The first figures of which something is so.
    fn until(&mut self, mut is_so: impl FnMut(&Value) -> bool) -> Value {
        let begun = Instant::now();
        loop {
            let sample = self.next();
            if is_so(&sample) {
                return sample;
            }
            assert!(begun.elapsed() < LIMIT, "it does not become so: {sample}");
        }
    }
}

fn sum(sample: &Value, name: &str) -> u64 {
    sample["workers"].as_array().unwrap().iter().map(|worker| worker[name].as_u64().unwrap()).sum()
}

/// Sends an action; the status of the reply.
fn act(stage: &Stage, name: &str, fields: &str, body: &Value) -> u16 {
    let (mut stream, body) = (stage.connect(), body.to_string());
    let length = body.len();
    let head = format!(
        "POST /actions/{name} HTTP/1.1\r\n{fields}Connection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    reply[9..12].parse().unwrap()
}

/// Protects whoever believes the page: what it counts is what the generator had answers to.
#[test]
fn the_figures_agree_with_what_the_generator_counted() {
    let stage = start(&["--dashboard-interval", "50"]);
    let mut stream = Stream::open(&stage);
    let before = stream.next();
    let args = Args {
        connections: 8,
        duration: Duration::from_millis(500),
        ..Args::new(&format!("http://{}/", stage.address))
    };
    let report = load::measure_silently(&args).unwrap();
    assert!(report.main.requests > 100 && report.main.failed() == 0, "{}", report.complaint());
    // A request may have been on its way when the generator stopped; it asks a few before it counts.
    let least = report.main.requests;
    let most = least + least / 20 + 64;
    let after = stream.until(|sample| sum(sample, "requests") - sum(&before, "requests") >= least);
    let after = if sum(&after, "connections") == 1 {
        after
    } else {
        stream.until(|sample| sum(sample, "connections") == 1)
    };
    let counted = sum(&after, "requests") - sum(&before, "requests");
    assert!((least..=most).contains(&counted), "{counted} and not about {least}");
    assert!(sum(&after, "opened") - sum(&before, "opened") >= 8);
    assert!(sum(&after, "wake_ups") > sum(&before, "wake_ups"));
    assert_eq!(after["pages"], 1);
    assert!(after["memory"].as_u64().unwrap() > 100_000);
    assert!(after["workers"].as_array().unwrap().iter().all(|worker| worker["requests"].as_u64() > Some(0)));
}

/// Protects the server from its pages: fifty may be open, and one that never reads is dropped, with a line,
/// while the others go on.
#[test]
fn fifty_pages_are_served_and_one_that_never_reads_is_dropped() {
    let stage = start(&["--dashboard-interval", "20"]);
    let host = format!("Host: {}\r\n", stage.address);
    assert_eq!(act(&stage, "options", &host, &json!({ "page_queue": 4096 })), 200);
    let silent = Stream::open(&stage);
    setsockopt(silent.0.get_ref(), sockopt::RcvBuf, &4096).unwrap();
    let mut pages: Vec<Stream> = (0..50).map(|_| Stream::open(&stage)).collect();
    let mut first = pages.pop().unwrap();
    first.until(|sample| sample["pages"] == 51);
    // All of them read on, and none of their streams ends.
    let begun = Instant::now();
    let mut rounds = 0;
    loop {
        let count = first.next()["pages"].as_u64().unwrap();
        pages.iter_mut().for_each(|page| drop(page.next()));
        rounds += 1;
        if count == 50 && rounds > 3 {
            break;
        }
        assert!(begun.elapsed() < LIMIT, "{count} pages");
    }
    let (status, stderr) = stage.terminate();
    assert!(status.success());
    assert_eq!(stderr.trim_end(), "a page was dropped: it does not read");
}

/// Protects the machine from other sites' pages and from options that were not given: nothing is done. And
/// what is asked for rightly is done.
#[test]
fn actions_are_for_the_page_itself() {
    let stage = start(&["--dashboard-interval", "20"]);
    let host = format!("Host: {}\r\n", stage.address);
    let load = json!({ "clients": 1, "rate": 1, "seconds": 1, "path": "/" });
    assert_eq!(act(&stage, "load", &host, &load), 403, "it was not started with --dashboard-load");
    let sleep = json!({ "loop": 1, "ms": 10_000 });
    let foreign = format!("{host}Origin: http://site.example\r\n");
    for fields in ["Host: site.example\r\n", foreign.as_str()] {
        assert_eq!(act(&stage, "sleep", fields, &sleep), 403);
    }
    for (name, body, status) in [
        ("sleep", json!({ "loop": 2, "ms": 1 }), 400),
        ("sleep", json!({ "loop": 0, "ms": 10_001 }), 400),
        ("options", json!({ "interval_ms": 1 }), 400),
        ("options", json!({ "colour": 1 }), 400),
        ("none", json!({}), 404),
        ("options", json!({ "interval_ms": 30, "idle_ms": 5_000 }), 200),
    ] {
        assert_eq!(act(&stage, name, &host, &body), status, "{name} {body}");
    }
    let mut stream = Stream::open(&stage);
    assert_eq!(
        stream.next()["options"],
        json!({ "interval_ms": 30, "idle_ms": 5_000, "page_queue": 65_536 })
    );
    // The loop that has the page runs on; the other one sleeps, and its queue grows meanwhile.
    let alone = stream.until(|sample| sum(sample, "connections") == 1);
    let page = alone["workers"].as_array().unwrap().iter().position(|one| one["connections"] == 1);
    let other = 1 - page.unwrap();
    assert_eq!(act(&stage, "sleep", &host, &json!({ "loop": other, "ms": 800 })), 200);
    stream.until(|sample| sample["workers"][other]["tasks"].as_u64() >= Some(3));
    stream.until(|sample| sample["workers"][other]["tasks"] == 0);
}

/// What the dashboard cannot do is told in one line.
#[test]
fn what_makes_no_sense_is_refused() {
    for (options, says) in [
        (["--processes", "2"], "--processes 1"),
        (["--dashboard-interval", "5"], "from 10 to 10000"),
        (["--protocol", "echo"], "--protocol is for --app httpd"),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stage-13"));
        command.args(["--addr", "127.0.0.1:0", "--app", "dashboard"]).args(options);
        let output = command.output().expect("it starts");
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), text.lines().count()), (Some(2), 1), "{text}");
        assert!(text.contains(says), "{text}");
    }
}

/// Protects a reader who looks at the page: its figures move, its buttons do what they say, nothing scrolls
/// sideways on a phone, and its console stays empty.
#[test]
fn the_page_lives_in_a_browser() {
    let Some(program) = browser::find() else {
        eprintln!(
            "SKIPPED: no chromium, chromium-browser or google-chrome on PATH; `apt-get install chromium`"
        );
        return;
    };
    let stage = start(&["--dashboard-interval", "100", "--dashboard-load"]);
    let mut page = Browser::start(&program);
    page.call("Page.navigate", json!({ "url": format!("http://{}/", stage.address) }));
    page.until("document.querySelector('#status')?.dataset.state === 'live'");
    page.until("document.querySelector('#memory output').textContent.endsWith(' MiB')");
    let drawn = "document.querySelector('#wake_ups path').getAttribute('d')";
    let before = page.evaluate(drawn);
    page.until(&format!("{drawn} !== {before}"));
    assert_eq!(page.evaluate("document.querySelector('#requests output').textContent"), "0/s");
    page.evaluate("document.querySelector('#load [name=seconds]').value = 1");
    page.evaluate("document.querySelector('#start').click()");
    page.until("parseFloat(document.querySelector('#requests output').textContent) > 0");
    page.until(
        "/^done: asked for 500\\/s, reached [1-9][0-9]*\\/s; [1-9][0-9]* sent, [1-9][0-9]* answered$/
            .test(document.querySelector('#load .answer').textContent)",
    );
    page.until("document.querySelector('#requests output').textContent === '0/s'");
    // Noted by the page itself: a busy machine may look too late.
    page.evaluate(
        "new MutationObserver(() => { window.held ||= document.querySelector('#loops .held') !== null; })
            .observe(document.querySelector('#loops'), { subtree: true, childList: true })",
    );
    page.evaluate("document.querySelector('#sleep [name=ms]').value = 2000");
    page.evaluate("document.querySelector('#sleep button').click()");
    page.until("/^loop [01] is asleep until /.test(document.querySelector('#sleep .answer').textContent)");
    page.until("window.held === true");
    page.until("document.querySelector('#loops .held') === null");
    page.until("/^loop [01] was asleep until /.test(document.querySelector('#sleep .answer').textContent)");
    // Its own loop: the figures stand still, look old, and live again.
    page.evaluate(
        "new MutationObserver(() => { window.old ||= document.querySelector('main.stale') !== null
            && /^last heard /.test(document.querySelector('#status').textContent); })
            .observe(document.querySelector('#status'), { childList: true })",
    );
    page.evaluate("document.querySelector('#sleep select').value = own");
    page.evaluate("document.querySelector('#sleep button').click()");
    page.until("window.old === true");
    page.until("document.querySelector('main.stale') === null");
    let phone = json!({ "width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": true });
    page.call("Emulation.setDeviceMetricsOverride", phone);
    page.until("innerWidth === 390 && document.documentElement.scrollWidth <= 390");
    // What can be done is near the top.
    page.until("document.querySelector('#start').getBoundingClientRect().top < 844");
    assert_eq!(page.complaints, Vec::<String>::new());
    drop(page);
    let (status, stderr) = stage.terminate();
    assert!(status.success() && stderr.is_empty(), "{stderr}");
}
