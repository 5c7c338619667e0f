//! What is recorded must come back, whatever happens in between.

use super::*;
use crate::report::{Figure, Figures, Judgement};

fn host() -> Host {
    Host { kernel: "6.1".into(), cpu: "x".into(), cores: 2, commit: "abc".into(), ..Host::default() }
}

fn begun(all: bool, profile: Profile) -> Begun {
    Begun { at: "2026-01-02T03:04:05Z".into(), all, profile, host: host() }
}

/// A record of an id, made up.
pub(crate) fn record(id: &str, at: &str) -> Record {
    let judgement = Judgement::refuted("it was otherwise", "look", "something else");
    let figures = Figures(vec![Figure::exact("x", "bytes", 1.0)]);
    Record {
        at: at.into(),
        id: id.into(),
        claim: "It is so.".into(),
        source: "000".into(),
        method: "One. Two.".into(),
        profile: Profile::Full,
        seconds: 1.0,
        host: host(),
        report: Report { figures, judgement, chart: None },
    }
}

fn result(id: &str, at: &str) -> Line {
    Line::Result(Box::new(record(id, at)))
}

#[test]
fn a_run_is_read_as_it_was_written_and_another_of_the_same_second_has_its_own_file() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut first = Writer::begin(directory.path(), &begun(true, Profile::Full)).expect("a file");
    let mut second = Writer::begin(directory.path(), &begun(false, Profile::Full)).expect("a file");
    assert_ne!(first.path(), second.path());
    first.write(&result("units", "1")).expect("written");
    first.write(&Line::LeftOut { id: "sigpipe".into(), reason: "no".into() }).expect("written");
    first.write(&Line::Finished { at: "2".into() }).expect("written");
    second.write(&result("units", "3")).expect("written");
    fs::write(directory.path().join("20260102T030405Z-abc-standard.jsonl"), "{}\n").expect("written");
    let runs = runs(directory.path());
    assert_eq!(runs.len(), 2, "the file of another kind is none of ours");
    assert_eq!((runs[0].is_finished, runs[1].is_finished), (true, false));
    assert_eq!(runs[0].records, [record("units", "1")]);
    assert_eq!(newest(&runs)["units"].at, "3");
}

/// Protects a run from a second one that would record the same again while the first is measured by it.
#[test]
fn a_file_that_a_run_writes_is_not_gone_on_with() {
    let directory = tempfile::tempdir().expect("a directory");
    let writer = Writer::begin(directory.path(), &begun(true, Profile::Full)).expect("a file");
    let refused = Writer::go_on(writer.path()).expect_err("it is being written");
    assert!(refused.to_string().contains("still going on"), "{refused}");
    let path = writer.path().to_owned();
    drop(writer);
    Writer::go_on(&path).expect("nobody writes it");
}

/// Protects a full run's verdict, which took half an hour, from a look of some minutes.
#[test]
fn a_quick_record_counts_where_there_is_no_full_one() {
    let quick = |id: &str, at: &str| Record { profile: Profile::Quick, ..record(id, at) };
    let records =
        vec![record("units", "1"), record("units", "2"), quick("units", "3"), quick("sigpipe", "4")];
    let run = Run { path: "x".into(), begun: begun(true, Profile::Full), records, is_finished: true };
    let newest = newest(&[run]);
    assert_eq!(newest["units"].at, "2");
    assert_eq!((newest["sigpipe"].at.as_str(), newest["sigpipe"].profile), ("4", Profile::Quick));
}

/// Protects what was measured from one line that something else has spoilt.
#[test]
fn a_damaged_line_costs_no_other() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut writer = Writer::begin(directory.path(), &begun(true, Profile::Full)).expect("a file");
    writer.write(&result("units", "1")).expect("written");
    writer.write(&result("sigpipe", "2")).expect("written");
    let text = fs::read_to_string(writer.path()).expect("it is there");
    let lines: Vec<&str> = text.lines().collect();
    fs::write(writer.path(), format!("{}\ngarbage\n{}\n", lines[0], lines[2])).expect("written");
    assert_eq!(runs(directory.path())[0].done(), BTreeSet::from(["sigpipe"]));
}

/// Protects what a run had found before it was killed in the middle of a line.
#[test]
fn a_line_that_was_cut_off_costs_no_other() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut writer = Writer::begin(directory.path(), &begun(true, Profile::Full)).expect("a file");
    writer.write(&result("units", "1")).expect("written");
    let path = writer.path().to_owned();
    let whole = fs::read_to_string(&path).expect("it is there");
    fs::write(&path, format!("{whole}{{\"kind\":\"resu")).expect("written");
    drop(writer);
    let mut writer = Writer::go_on(&path).expect("it is there");
    writer.write(&result("sigpipe", "2")).expect("written");
    let runs = runs(directory.path());
    assert_eq!(runs[0].done(), BTreeSet::from(["sigpipe", "units"]));
    assert!(fs::read_to_string(&path).expect("it is there").starts_with(&whole), "nothing is overwritten");
}

#[test]
fn only_an_unfinished_run_of_everything_on_the_same_commit_and_machine_goes_on() {
    let run = |begun: Begun, is_finished| Run {
        path: "x-claims.jsonl".into(),
        begun,
        records: vec![record("units", "1")],
        is_finished,
    };
    let wanted = begun(true, Profile::Full);
    let goes_on = |begun: Begun, is_finished| {
        matches!(find_interrupted(&[run(begun, is_finished)], &wanted), ResumePoint::Unfinished(_))
    };
    assert!(goes_on(begun(true, Profile::Full), false));
    assert!(!goes_on(begun(true, Profile::Full), true), "it is finished");
    assert!(!goes_on(begun(false, Profile::Full), false), "it was of some");
    assert!(!goes_on(begun(true, Profile::Quick), false), "it was quick");
    for (change, word) in [
        (Host { commit: "def".into(), ..host() }, "another commit"),
        (Host { kernel: "7".into(), ..host() }, "another machine"),
        (Host { dirty: true, ..host() }, "uncommitted"),
        (Host { commit: String::new(), ..host() }, "not known"),
    ] {
        let its = Begun { host: change, ..wanted.clone() };
        let ResumePoint::Unfit(why) = find_interrupted(&[run(its, false)], &wanted) else {
            panic!("it goes on with a run of {word}");
        };
        assert!(why.contains(word), "{why}");
    }
}

/// Protects what was recorded: every line of `results/data` is still read, so a verdict can be given again.
#[test]
fn every_recorded_claim_is_read() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../results/data");
    let files = fs::read_dir(&data).expect("results/data").map(|file| file.expect("a file").path());
    let files: Vec<_> = files.filter(|path| path.to_string_lossy().ends_with("-claims.jsonl")).collect();
    assert!(!files.is_empty() && runs(&data).len() >= files.len());
    for path in files {
        for (at, line) in fs::read_to_string(&path).expect("it can be read").lines().enumerate() {
            let read = serde_json::from_str::<Line>(line);
            assert!(read.is_ok(), "{}, line {}: {}", path.display(), at + 1, read.unwrap_err());
        }
    }
}
