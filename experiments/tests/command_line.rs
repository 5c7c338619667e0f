//! The command line of `experiment`: mistakes, the list, the records, going on after an interruption.

use experiments::experiment::{Profile, all};
use experiments::report::{Figures, Judgement, Report};
use experiments::store::{Begun, Line, Record, Writer};
use lab_core::host::Host;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

fn experiment(args: &[&str], out: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_experiment"));
    command.args(args).arg("--out").arg(out);
    command.output().expect("it was built")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn claims(out: &Path) -> Vec<Value> {
    let json = fs::read(out.join("claims.json")).expect("the ledger is there");
    serde_json::from_slice(&json).expect("it is JSON")
}

/// Protects the contract of every command: one line, what is allowed, status 2.
#[test]
fn a_wrong_id_is_one_line_with_the_ids_that_are_allowed() {
    let out = tempfile::tempdir().expect("a directory");
    for args in [&["no-such-id"][..], &[], &["units", "nonsense"]] {
        let output = experiment(args, out.path());
        let line = text(&output.stderr);
        assert_eq!((output.status.code(), line.lines().count()), (Some(2), 1), "{args:?}: {line}");
        assert!(line.contains("edge-or-level") && line.contains("units"), "{line}");
    }
    assert_eq!(experiment(&["--all", "units"], out.path()).status.code(), Some(2));
    assert_eq!(fs::read_dir(out.path()).expect("a directory").count(), 0, "nothing was begun");
}

#[test]
fn an_experiment_is_shown_recorded_and_entered_into_the_ledger() {
    let out = tempfile::tempdir().expect("a directory");
    let output = experiment(&["units", "seed-ring", "units"], out.path());
    let shown = text(&output.stdout);
    assert!(output.status.success(), "{}", text(&output.stderr));
    for words in ["source  002", "method", "REFUTED", "remember", "2 of 2 experiments have a verdict"] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    let ids: Vec<String> = claims(out.path()).iter().map(|claim| claim["id"].to_string()).collect();
    assert_eq!(ids, ["\"seed-ring\"", "\"units\""], "in the order of the ledger");
    let listed = text(&experiment(&["--list"], out.path()).stdout);
    let line = |id: &str| listed.lines().find(|line| line.trim_start().starts_with(id)).map(str::to_owned);
    assert!(line("units").is_some_and(|line| line.contains("refuted")), "{listed}");
    assert!(line("keep-alive").is_some_and(|line| !line.contains("refuted")), "{listed}");
}

/// Protects what was recorded: each run adds a file and touches no other.
#[test]
fn a_second_run_adds_to_the_first() {
    let out = tempfile::tempdir().expect("a directory");
    let files = || {
        let entries = fs::read_dir(out.path().join("data")).expect("a directory").flatten();
        let mut files: Vec<(String, Vec<u8>)> = entries
            .map(|entry| {
                (entry.file_name().to_string_lossy().into_owned(), fs::read(entry.path()).expect("a file"))
            })
            .collect();
        files.sort();
        files
    };
    assert!(experiment(&["units"], out.path()).status.success());
    let before = files();
    assert!(experiment(&["units", "--quick"], out.path()).status.success());
    let after = files();
    assert_eq!((before.len(), after.len()), (1, 2));
    assert!(before.iter().all(|file| after.contains(file)), "the first one is as it was");
    assert_eq!(claims(out.path())[0]["profile"], "full", "a look does not take a measurement's place");
    assert!(experiment(&["units"], out.path()).status.success());
    let newest = files().pop().expect("three").1;
    let at = claims(out.path())[0]["at"].as_str().expect("a time").to_owned();
    assert!(String::from_utf8_lossy(&newest).contains(&at), "of two full ones the newest counts");
}

/// Protects what was measured from a rule that is mended later: the figures stay, and today's rule judges
/// them.
#[test]
fn the_ledger_is_written_again_from_what_is_recorded() {
    let out = tempfile::tempdir().expect("a directory");
    assert!(experiment(&["units"], out.path()).status.success());
    let file =
        fs::read_dir(out.path().join("data")).expect("a directory").flatten().next().expect("one").path();
    let recorded = fs::read_to_string(&file).expect("it is there");
    let older = recorded.replace("\"verdict\":\"refuted\"", "\"verdict\":\"holds\"");
    assert_ne!(older, recorded);
    fs::write(&file, &older).expect("written");
    fs::remove_file(out.path().join("claims.json")).expect("it was there");
    let output = experiment(&["--again"], out.path());
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(claims(out.path())[0]["verdict"], "refuted");
    assert_eq!(fs::read_to_string(&file).expect("it is there"), older, "a record is never changed");
    assert!(text(&experiment(&["--list"], out.path()).stdout).contains("refuted"));
}

/// An interrupted run of everything that has a verdict on all but these, on a clean commit.
fn interrupted_run(out: &Path, missing: &[&str]) -> Vec<u8> {
    let host = Host { commit: "0123456789".into(), dirty: false, ..Host::look() };
    let at = "2026-01-02T03:04:05Z".to_owned();
    let begun = Begun { at: at.clone(), all: true, profile: Profile::Quick, host: host.clone() };
    let mut writer = Writer::begin(&out.join("data"), &begun).expect("a file");
    for experiment in all().into_iter().filter(|experiment| !missing.contains(&experiment.id)) {
        let judgement = Judgement::holds("it was made up", "nothing");
        let record = Record {
            at: at.clone(),
            id: experiment.id.to_owned(),
            claim: String::new(),
            source: String::new(),
            method: String::new(),
            profile: Profile::Quick,
            seconds: 1.0,
            host: host.clone(),
            report: Report { figures: Figures::default(), judgement, chart: None },
        };
        writer.write(&Line::Result(Box::new(record))).expect("written");
    }
    fs::read(writer.path()).expect("it is there")
}

/// Protects hours of measuring, and a run on a machine that lacks something.
#[test]
fn a_run_of_everything_goes_on_where_it_stopped_and_says_what_it_left_out() {
    let place = tempfile::tempdir().expect("a directory");
    // This git knows a clean commit; on this PATH there is no strace and no ab.
    let git = place.path().join("git");
    fs::write(&git, "#!/bin/sh\ncase $1 in rev-parse) echo 0123456789;; esac\n").expect("written");
    fs::set_permissions(&git, fs::Permissions::from_mode(0o755)).expect("ours");
    let out = place.path().join("out");
    let before = interrupted_run(&out, &["units", "accept-batch", "ab-waits-for-close"]);
    let run = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_experiment"));
        command.args(["--all", "--quick", "--out"]).arg(&out).env("PATH", place.path());
        command.output().expect("it was built")
    };
    let output = run();
    let shown = text(&output.stdout);
    assert!(output.status.success(), "{shown}{}", text(&output.stderr));
    for words in [
        "going on with",
        "3 experiments: about",
        "left out: accept-batch: it needs strace",
        "left out: ab-waits-for-close: it needs ab, which is not installed: apt-get install apache2-utils",
    ] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    assert!(shown.contains("REFUTED") && !shown.contains("HOLDS"), "only what was missing is run: {shown}");
    let files: Vec<_> = fs::read_dir(out.join("data")).expect("a directory").flatten().collect();
    assert_eq!(files.len(), 1, "it is one run");
    let after = fs::read(files[0].path()).expect("it is there");
    assert!(after.starts_with(&before) && after.len() > before.len(), "nothing is overwritten");
    assert_eq!(claims(&out).len(), all().len() - 2);
}
