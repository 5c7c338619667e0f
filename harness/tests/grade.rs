//! `./lab grade` as a user meets it: exit status, errors of one line, the record.

use std::net::{Ipv4Addr, TcpListener};
use std::process::{Command, Output};
use test_support::manner::{Manner, serve};
use test_support::program;
use test_support::server::{RIGHT, Server, Then};

const MISSING: &[u8] = b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnone";

fn grade(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_harness")).arg("grade").args(args).output().unwrap()
}

/// Protects the exit status in both directions, since scripts see nothing else.
#[test]
fn a_surprise_in_either_direction_fails() {
    let right = serve(Manner::Right).to_string();
    let short = serve(Manner::Short).to_string();
    let only = ["--only", "keep-alive,pipelined-pair"];
    let status =
        |addr: &str, expect: &[&str]| grade(&[&["--addr", addr], &only[..], expect].concat()).status.code();
    assert_eq!(status(&right, &[]), Some(0));
    assert_eq!(status(&short, &[]), Some(1));
    assert_eq!(status(&short, &["--expect", "keep-alive=wrong,pipelined-pair=wrong"]), Some(0));
    assert_eq!(status(&right, &["--expect", "keep-alive=wrong"]), Some(1));
    assert_eq!(status(&short, &["--expect", "keep-alive=starved,pipelined-pair=wrong"]), Some(1));
}

/// Protects the record that later tools read: a line of JSON for each run, and nothing else on stdout.
#[test]
fn the_record_has_a_line_for_each_run() {
    let addr = serve(Manner::Short).to_string();
    let output = grade(&["--addr", &addr, "--only", "keep-alive", "--repeat", "2", "--json", "-"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.lines().count(), 2);
    for line in text.lines() {
        let record: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(record["stage"], addr.as_str());
        assert_eq!(record["surprises"], 1);
        assert!(record["host"]["kernel"].is_string() && record["started_at"].is_string());
        let probe = &record["probes"][0];
        assert_eq!((&probe["probe"], &probe["outcome"]), (&"keep-alive".into(), &"wrong".into()));
        assert_eq!((&probe["expected"], &probe["surprise"]), (&"pass".into(), &true.into()));
        assert!(probe["seconds"].is_number() && probe["detail"].is_string());
    }
}

/// Protects users from a page of usage text: a mistake is one line that says what is allowed.
#[test]
fn a_mistake_is_one_line_that_says_what_is_allowed() {
    let addr = serve(Manner::Right).to_string();
    for (args, allowed) in [
        (&["--addr", addr.as_str(), "--only", "no-such-probe"][..], "./lab grade --list"),
        (&["--addr", &addr, "--expect", "no-such-probe=starved"], "./lab grade --list"),
        (&["--addr", &addr, "--expect", "keep-alive=sad"], "starved"),
        (&["--addr", &addr, "--expect", "keep-alive=broken:crash"], "surprise"),
        (&["--addr", &addr, "--expect", "keep-alive"], "PROBE=OUTCOME"),
        (&["--cmd", "true"], "$PORT"),
        (&["99"], "02-threads"),
        (&["--addr", &addr, "--record", "results/data"], "grade all --record"),
    ] {
        let output = grade(args);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(stderr.lines().count() == 1 && stderr.contains(allowed), "{args:?}: {stderr}");
    }
}

/// The name of the test below that is a server.
const ENDS: &str = "grade::a_server_that_ends_after_its_first_connection";

/// No test: a server that [`the_end_of_a_server_is_told`] starts.
#[test]
#[ignore = "a server that another test starts"]
fn a_server_that_ends_after_its_first_connection() {
    let Some(port) = std::env::var("PORT").ok().and_then(|port| port.parse().ok()) else { return };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).expect("a port");
    listener.accept().expect("a client");
    eprintln!("out of luck");
    std::process::exit(3);
}

/// What stands on stderr behind the line that says what is going to be done.
fn said(output: &Output) -> String {
    let text = String::from_utf8(output.stderr.clone()).unwrap();
    let (first, rest) = text.split_once('\n').unwrap();
    assert!(first.contains("at most 210 s") && first.contains("probe"), "{text}");
    rest.to_owned()
}

/// Protects those whose server ends by itself, before it listens or behind that: how it ended, and what it
/// said last. One that does not start has an exit status of its own.
#[test]
fn the_end_of_a_server_is_told() {
    let server = std::env::current_exe().unwrap();
    let listens = format!("{} --exact {ENDS} --ignored --nocapture # $PORT", server.display());
    for (command, status, parts) in [
        ("no-such-server $PORT", 3, &["not found"][..]),
        (
            "sh -c 'echo out of luck >&2; exit 3' $PORT",
            3,
            &["before it listened", "exit status: 3", "out of luck"],
        ),
        (&listens, 1, &["the server ended: exit status: 3; its last line: out of luck"]),
    ] {
        let output = grade(&["--cmd", command, "--json", "-"]);
        let stderr = said(&output);
        assert_eq!(output.status.code(), Some(status), "{command}: {stderr}");
        assert!(parts.iter().all(|part| stderr.contains(part)), "{command}: {stderr}");
        // The reason, and the summary, since stdout is the record's.
        assert_eq!(stderr.lines().count(), 2, "{command}: {stderr}");
        let record: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert!(parts.iter().all(|part| record["failure"].as_str().unwrap().contains(part)), "{record}");
        assert_eq!(record["probes"][0]["outcome"], "not applicable", "{record}");
    }
}

/// Protects those who grade a server of their own before it has the lab's routes: that is said first, and an
/// outcome that says nothing about the server is not printed as if it did.
#[test]
fn a_server_without_the_routes_has_no_grade() {
    let server = Server::start(|_| (MISSING, Then::AsAsked));
    let output = grade(&["--addr", &server.addr.to_string()]);
    let (stdout, stderr) = (String::from_utf8(output.stdout.clone()).unwrap(), said(&output));
    assert!(stderr.contains("does not answer `GET /`") && stderr.contains("status 404"), "{stderr}");
    let asked = grader::probes::PROBES.iter().filter(|probe| !probe.only_on_request).count();
    let tally = format!("0 pass, {asked} not applicable; nothing could be asked");
    assert!(stdout.contains(&tally), "{stdout}");
    assert!(!stdout.contains("as expected") && !stdout.contains("no surprise"), "{stdout}");
    assert_eq!((output.status.code(), stdout.lines().count()), (Some(1), 1), "{stdout}");
}

/// Protects those whose server has only some of the routes: what it lacks is said once, and a probe that
/// needs it is not applicable and no failure.
#[test]
fn a_route_that_is_missing_is_told_once() {
    // Whatever the number of the request: only the first ones are for `/`.
    let server =
        Server::start(|number| if number < 2 { (RIGHT, Then::AsAsked) } else { (MISSING, Then::AsAsked) });
    let output =
        grade(&["--addr", &server.addr.to_string(), "--only", "pipelined-pair,in-order", "--json", "-"]);
    let stderr = said(&output);
    assert!(stderr.starts_with("This server lacks routes"), "{stderr}");
    assert_eq!(stderr.matches("GET /bytes/N with N bytes: status 404").count(), 1, "{stderr}");
    let record: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    for probe in record["probes"].as_array().unwrap() {
        assert_eq!(probe["outcome"], "not applicable", "{record}");
        assert_eq!(probe["detail"], "the server lacks GET /bytes/N with N bytes", "{record}");
    }
    assert_eq!(output.status.code(), Some(0), "{stderr}");
}

/// Protects `--cmd`: a program of any kind that listens on $PORT is started, graded and ended.
#[test]
fn a_command_is_graded() {
    let floor = program("floor");
    let command = format!("{} --addr 127.0.0.1:$PORT", floor.display());
    let output = grade(&["--cmd", &command, "--only", "pipelined-pair,idle-timeout,no-leaks", "--json", "-"]);
    let record: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let outcomes: Vec<&str> =
        record["probes"].as_array().unwrap().iter().map(|probe| probe["outcome"].as_str().unwrap()).collect();
    // The floor answers every request with the same reply.
    assert_eq!(outcomes, ["wrong", "pass", "not applicable"]);
}
