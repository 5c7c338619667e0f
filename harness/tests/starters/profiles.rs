//! Profiles: each one of the lab on a small server that behaves as its own does, with every outcome; and what
//! a teacher gets wrong.

use super::super::grade_any::{has, outcomes};
use super::{built, side_by_side};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use test_support::manner::{Manner, serve};
use test_support::{Finished, LONG, Place, Run, program};

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("profiles/examples").join(name)
}

/// A directory as a student has it: the server, built, and its program.
fn workshop(place: &Place, source: &str, server: &str, program: Option<(&str, &str)>) -> PathBuf {
    let directory = place.path("workshop");
    fs::create_dir(&directory).expect("a new directory");
    build(source, &directory.join(server), &[]);
    if let Some((source, name)) = program {
        let to = directory.join(name);
        fs::create_dir_all(to.parent().expect("it is below")).expect("a directory");
        // With its permission to be run.
        fs::copy(example(source), to).expect("it can be copied");
    }
    directory
}

fn build(source: &str, server: &Path, macros: &[&str]) {
    let mut compile = Command::new("cc");
    compile.args(["-O2", "-Wall", "-Wextra", "-Werror", "-pthread", "-o"]);
    built(compile.arg(server).arg(example(source)).args(macros));
}

/// Grades in that directory, and returns the outcomes of the probes that apply where they are not a pass, and
/// for each reason of the profile how many probes it leaves out.
fn graded(
    place: &Place,
    directory: &Path,
    args: &[&str],
) -> (Vec<(String, String)>, BTreeMap<String, usize>) {
    let _turn = side_by_side();
    let mut command = place.command(program("harness"));
    command.current_dir(directory).args(["grade", "--json", "-"]).args(args);
    let ended: Finished = Run::start(command).wait(5 * LONG);
    let (mut found, mut outside) = (Vec::new(), BTreeMap::new());
    let probes = outcomes(&ended.stdout);
    let passes = probes.iter().filter(|(_, outcome, _)| outcome == "pass").count();
    assert!(passes >= 4, "{passes} pass: {ended:?}");
    for (probe, outcome, detail) in probes {
        match detail.strip_prefix("the profile ") {
            Some(lacks) => *outside.entry(lacks.to_owned()).or_default() += 1,
            None if outcome == "pass" || detail.contains("$OPTIONS") => {}
            None => found.push((probe, outcome)),
        }
    }
    assert_eq!(place.left_behind(LONG), Vec::<String>::new());
    (found, outside)
}

fn owned(rows: &[(&str, &str)]) -> Vec<(String, String)> {
    rows.iter().map(|(probe, outcome)| ((*probe).to_owned(), (*outcome).to_owned())).collect()
}

/// Without the one outcome that a busy machine changes: OSTEP's server and tiny die in `shed-in-order` if
/// they write to a client that has gone. Alone they did so each time that it was tried; beside other grades
/// each of them, once, did not.
fn but_for_luck(mut found: Vec<(String, String)>) -> Vec<(String, String)> {
    found.retain(|(probe, outcome)| probe != "shed-in-order" || outcome != "broken: crash");
    found
}

/// What a server does not survive whose reads and writes end the process where they fail.
const DIES: [&str; 6] =
    ["reset-mid-reply", "connect-burst", "descriptor-churn", "shed-in-order", "no-leaks", "leak-on-reset"];

/// Protects the course that takes OSTEP's server: a pool of four is right but where a client that is silent
/// holds a worker, and what its helpers do at an error, and at a signal, is found.
#[test]
fn osteps_web_server() {
    if !has("cc") {
        return;
    }
    let place = Place::new();
    let directory = workshop(&place, "ostep-webserver.c", "wserver", Some(("spin.cgi", "spin.cgi")));
    let command = "./wserver -d $ROOT -p $PORT -t 4 -b 16";
    let (found, outside) = graded(&place, &directory, &["--cmd", command, "--profile", "ostep-webserver"]);
    let expected = [
        ("idle-1000", "starved"),
        ("reset-mid-reply", "broken: crash"),
        ("connect-burst", "broken: crash"),
        ("stale-event", "broken: crash"),
        ("descriptor-churn", "broken: crash"),
        ("over-1024", "starved"),
        ("no-leaks", "broken: crash"),
        ("leak-on-reset", "broken: crash"),
    ];
    assert_eq!(but_for_luck(found), owned(&expected));
    let reasons = ["has no HTTP/1.1", "has no keep-alive", "has no route `echo`", "leaves it out"];
    assert_eq!(outside.keys().collect::<Vec<_>>(), reasons);
}

/// Protects the course that takes tiny: it is iterative, which its profile declares.
#[test]
fn csapps_tiny() {
    if !has("cc") {
        return;
    }
    let place = Place::new();
    let directory = workshop(&place, "csapp-tiny.c", "tiny", Some(("adder", "cgi-bin/adder")));
    let (tiny, files) = (directory.join("tiny"), directory.display().to_string());
    let command = format!("cd $ROOT && exec {} $PORT", tiny.display());
    let args = ["--cmd", &command, "--profile", "csapp-tiny", "--files", &files];
    let (found, outside) = graded(&place, Path::new("/"), &args);
    let expected = [
        ("two-clients", "starved"),
        ("reverse-order", "starved"),
        ("idle-1000", "starved"),
        ("slow-reader-beside", "starved"),
        ("reset-mid-reply", "broken: crash"),
        ("connect-burst", "broken: crash"),
        ("descriptor-churn", "broken: crash"),
        ("over-1024", "starved"),
        ("no-leaks", "broken: crash"),
        ("leak-on-reset", "broken: crash"),
    ];
    assert_eq!(but_for_luck(found), owned(&expected));
    let reasons = [
        "has no HTTP/1.1",
        "has no keep-alive",
        "has no route `echo`",
        "has no route `sleep`",
        "leaves it out",
    ];
    assert_eq!(outside.keys().collect::<Vec<_>>(), reasons);
    // The exercise, done: and a child that nobody waits for is found by the page of the program.
    let dies = DIES.join(",");
    let only = [&args[..], &["--only", &dies]].concat();
    build("csapp-tiny.c", &tiny, &["-DMENDED"]);
    assert_eq!(graded(&place, Path::new("/"), &only).0, owned(&[]));
    build("csapp-tiny.c", &tiny, &["-DMENDED", "-DNO_WAIT"]);
    assert_eq!(graded(&place, Path::new("/"), &only).0, owned(&[("no-leaks", "broken: leak")]));
}

/// Protects the first server of every course, which speaks no HTTP.
#[test]
fn an_echo_server() {
    if !has("cc") {
        return;
    }
    let place = Place::new();
    let directory = workshop(&place, "echo-server.c", "echo", None);
    let (found, outside) = graded(&place, &directory, &["--cmd", "./echo $PORT", "--profile", "echo-server"]);
    // It ends by the default action of a signal.
    let expected =
        [("sigterm-idle", "wrong"), ("sigterm-every-worker", "wrong"), ("queued-at-sigterm", "wrong")];
    let without = [("killed-parent", "not applicable"), ("killed-child", "not applicable")];
    assert_eq!(found, owned(&[&expected[..], &without].concat()));
    assert_eq!(outside.keys().collect::<Vec<_>>(), ["has no HTTP", "has no route `sleep`"]);
}

/// Protects students: what the profile leaves out is counted apart, costs no points, and the server is blamed
/// for what the profile says and it does not answer.
#[test]
fn what_is_outside_the_profile_is_counted_apart() {
    let place = Place::new();
    let profile = place.path("mine.toml");
    fs::write(&profile, "name = 'mine'\nroutes.hello.request = 'GET /'\nroutes.echo.request = 'PUT /no'\n")
        .expect("a file");
    let points = place.path("points.toml");
    fs::write(&points, "[points]\ntwo-clients = 2\nkeep-alive = 3\n").expect("a file");
    let (profile, points) = (profile.display().to_string(), points.display().to_string());
    let addr = serve(Manner::Right).to_string();
    let args = ["--addr", &addr, "--profile", &profile, "--points", &points];
    let only = ["--only", "two-clients,keep-alive,in-order,cut-at-every-byte,sigterm-idle"];
    let mut command = place.command(program("harness"));
    command.arg("grade").args(args).args(only);
    let ended = Run::start(command).wait(LONG);
    assert!(
        ended.stderr.contains("mine: 2 of them apply, 2 are outside the profile, 1 is not applicable ("),
        "{ended:?}"
    );
    assert!(ended.stdout.contains("the profile has no route `bytes`"), "{ended:?}");
    let tally = "5 probes: 1 pass, 1 not applicable, 2 outside the profile; 1 surprise";
    assert!(ended.stdout.contains(tally), "{ended:?}");
    let withheld = "3 of 5 points cannot be earned here: keep-alive (the profile has no route `bytes`)";
    assert!(ended.stdout.ends_with(&format!("\n2 of 2 points\n{withheld}\n")), "{ended:?}");
    // Known before, for whoever gives points.
    let mut command = place.command(program("harness"));
    command.args(["grade", "--list", "--profile", &profile, "--only", "two-clients,in-order"]);
    let ended = Run::start(command).wait(LONG);
    let said = ended.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("(Not asked: the profile has no route `bytes`.)"), "{ended:?}");
    assert_eq!(said.matches("Not asked").count(), 1, "{ended:?}");
}

/// Protects teachers: a mistake in the file, or beside it, is one line that says what is allowed.
#[test]
fn a_bad_profile_is_one_line() {
    let place = Place::new();
    let write = |name: &str, text: &str| {
        let path = place.path(name);
        fs::write(&path, text).expect("a file");
        path.display().to_string()
    };
    let typo = write("typo.toml", "name = 'x'\n[routes.hallo]\nrequest = 'GET /'\n");
    let files = write("files.toml", "name = 'x'\nfiles = ['no-such.cgi']\nroutes.hello.request = 'GET /'\n");
    for (args, named) in [
        (["--cmd", "./x $PORT", "--profile", "no-such-profile"], "csapp-tiny, echo-server, ostep-webserver"),
        (["--cmd", "./x $PORT", "--profile", &typo], "line 2: unknown field `hallo`"),
        (["--cmd", "./x $PORT", "--profile", "csapp-tiny"], "must contain $ROOT"),
        (["--addr", "127.0.0.1:9", "--profile", "ostep-webserver"], "must contain $ROOT"),
        (["--cmd", "./x $PORT $ROOT", "--profile", &files], "copies `no-such.cgi`"),
        (["04", "--profile", "csapp-tiny", "--evidence"], "--profile"),
    ] {
        let mut command = place.command(program("harness"));
        command.arg("grade").args(args);
        let ended = Run::start(command).wait(LONG);
        assert_eq!(ended.status.code(), Some(2), "{ended:?}");
        assert!(ended.complaint().contains(named), "{named}: {ended:?}");
        assert_eq!(ended.stderr.lines().count(), 1, "{ended:?}");
    }
}
