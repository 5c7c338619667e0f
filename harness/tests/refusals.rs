//! What can go wrong around a run: one clear line, a failure that a script can see, and the records so far
//! intact.

use records::Record;
use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;
use std::time::Duration;
use test_support::server::{RIGHT, Server, Then};
use test_support::{LONG, Place, Run, lines, measured, program, write_program};

/// A quick round of points of one second. The floor is measured in any case.
const QUICK: &str = "--references floor --keep-alive on --duration 1 --rounds 1 --quick --phases survey";
const SOON: Duration = Duration::from_secs(5);

fn harness() -> &'static str {
    env!("CARGO_BIN_EXE_harness")
}

/// The reason that the file has for each point without figures.
fn reasons(records: &[Record]) -> Vec<&str> {
    records.iter().filter_map(|record| record.skipped()).collect()
}

/// A shell script on a disk of its own, of this size, mounted where the place's results go. It exists for the
/// script alone, in a mount namespace. `None` where none is allowed.
fn on_a_disk(place: &Place, size: &str, script: &str) -> Option<Run> {
    fs::create_dir(place.out()).expect("a directory");
    let out = place.out().display().to_string();
    let mount = |then: &str| {
        let mut command = place.command("unshare");
        let script = format!("mount -t tmpfs -o size={size} none '{out}' || exit 99\n{then}");
        command.args(["--user", "--map-root-user", "--mount", "sh", "-c", &script]).env("LC_ALL", "C");
        command
    };
    let allowed = mount("").output().is_ok_and(|output| output.status.success());
    allowed.then(|| Run::start(mount(script)))
}

/// A run that will take 8 s and write a record a second.
fn long_run(place: &Place) -> String {
    let out = place.out().display().to_string();
    let program = harness();
    format!(
        "'{program}' bench --out '{out}' {QUICK} --stages floor --tools builtin --concurrency 1,2,3,4,5,6,7,8"
    )
}

/// The disk becomes full when records are there. Where no disk can be made, a limit of the file's size stands
/// for it.
#[test]
fn a_disk_that_becomes_full_ends_the_run_and_keeps_the_records() {
    let place = Place::new();
    let kept = place.path("kept");
    let run = long_run(&place);
    // What is on such a disk is gone with the namespace, so it is taken out before.
    let (out, save) = (place.out().display().to_string(), kept.display().to_string());
    let script = format!(
        "{run} & harness=$!
        while kill -0 $harness && [ \"$(cat '{out}'/data/* | wc -l)\" -lt 2 ]; do sleep 0.1; done 2>/dev/null
        cat /dev/zero 2>/dev/null >'{out}/fill'
        wait $harness; status=$?
        rm '{out}/fill'; cp -r '{out}' '{save}'; exit $status"
    );
    let (run, cause) = match on_a_disk(&place, "64m", &script) {
        Some(run) => (run, "No space left on device"),
        None => {
            eprintln!(
                "no mount namespace is allowed here: the limit of the file's size stands for a full disk"
            );
            std::os::unix::fs::symlink(&out, &kept).expect("it is ours");
            let mut command = place.command("bash");
            command.args(["-c", &format!("trap '' XFSZ; ulimit -f 4; {run}")]).env("LC_ALL", "C");
            (Run::start(command), "File too large")
        }
    };
    let finished = run.wait(LONG);
    let line = finished.complaint();
    assert!(line.contains("cannot write to") && line.contains(cause), "{line}");
    assert_eq!(place.left_behind(SOON), [""; 0]);

    let entries = fs::read_dir(kept.join("data")).expect("it was kept").flatten();
    let data: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    assert_eq!(data.len(), 1, "{data:?}");
    // At most the last line is cut.
    let (whole, _) = lines(&data[0]);
    let records = records::read(&data[0]).expect("every line is a record");
    assert_eq!(records.len(), whole.len());
    assert!((1..8).contains(&measured(&records).count()), "{records:#?}");
}

/// A disk that is full before the run has no record to lose, but an hour.
#[test]
fn a_disk_without_room_is_said_before_the_measuring() {
    let place = Place::new();
    let Some(run) = on_a_disk(&place, "8k", &long_run(&place)) else {
        eprintln!("skipped: no mount namespace is allowed here");
        return;
    };
    let finished = run.wait(LONG);
    let line = finished.complaint();
    assert!(line.contains(&place.out().display().to_string()), "{line}");
    assert_eq!(finished.lines_with(&["requests/s"]), 0, "{finished:?}");
    assert_eq!(place.left_behind(SOON), [""; 0]);
}

/// Found out before anything is measured: an hour later it would be an hour lost.
#[test]
fn results_that_cannot_be_written_are_said_before_the_measuring() {
    let place = Place::new();
    fs::create_dir(place.out()).expect("a directory");
    fs::write(place.out().join("data"), "a file where a directory should be").expect("written");
    fs::write(place.path("file"), "").expect("written");
    // Root may write anywhere, but neither below a file nor into /proc.
    for out in [place.out(), place.path("file"), place.path("file").join("below"), "/proc/results".into()] {
        let out = out.display().to_string();
        let words = format!("bench --out {out} {QUICK} --stages floor --tools builtin");
        let finished = place.start(&words.split_whitespace().collect::<Vec<_>>()).wait(LONG);
        let line = finished.complaint();
        assert!(line.contains("cannot write to") && line.contains(&out), "{out}: {line}");
        assert_eq!(finished.lines_with(&["requests/s"]), 0, "{out}: {finished:?}");
    }
    assert_eq!(place.left_behind(SOON), [""; 0]);
}

/// A place with the harness and the floor, where a script can stand for a stage: binaries are looked for
/// beside the harness.
pub(crate) fn place_with_stage(script: &str) -> (Place, PathBuf) {
    let place = Place::new();
    let directory = place.path("built");
    fs::create_dir(&directory).expect("a directory");
    for program in ["harness", "floor"].map(program) {
        let copy = directory.join(program.file_name().expect("a name"));
        // A link, where it can be one: the harness finds itself where it was started from.
        fs::hard_link(&program, &copy).or_else(|_| fs::copy(&program, &copy).map(drop)).expect("a copy");
    }
    write_program(&directory.join("stage-01"), script);
    (place, directory.join("harness"))
}

/// Measures that stage, and expects that nothing of it is measured while the floor is. Returns the reason.
fn stage_is_refused(script: &str) -> String {
    let (place, harness) = place_with_stage(script);
    let mut command = place.command(harness);
    command.arg("bench-all").arg("--out").arg(place.out());
    command.args("--stages 1 --tools builtin --concurrency 1".split(' ')).args(QUICK.split(' '));
    let finished = Run::start(command).wait(LONG);
    finished.failed_clearly();
    let records = place.records();
    assert!(measured(&records).all(|record| record.key.server != "01"), "{records:#?}");
    assert!(
        measured(&records).any(|record| record.key.server == "floor"),
        "the others are measured: {finished:?}"
    );
    let refused: Vec<&Record> = records.iter().filter(|record| record.key.server == "01").collect();
    assert_eq!(refused.len(), 1, "{records:#?}");
    let reason = refused[0].skipped().expect("there are no figures");
    assert!(!reason.contains('\n'), "{reason}");
    assert_eq!(finished.lines_with(&[reason]), 1, "it is said once: {finished:?}");
    assert_eq!(place.left_behind(SOON), [""; 0]);
    reason.to_owned()
}

#[test]
fn a_server_that_exits_at_once_is_said_and_the_others_are_measured() {
    let reason = stage_is_refused("echo 'no luck today' >&2; exit 3");
    for part in ["ended before it listened", "exit status: 3", "no luck today"] {
        assert!(reason.contains(part), "{part}: {reason}");
    }
}

/// A stale process on the port would be measured in the place of the server: it has spoiled runs before.
#[test]
fn a_server_that_does_not_own_its_port_is_refused() {
    let stale = Server::start(|_| (RIGHT, Then::AsAsked));
    let reason = stage_is_refused(&format!("echo 'listening on {}'; exec sleep 600", stale.addr));
    assert!(reason.contains(&stale.addr.to_string()), "{reason}");
}

/// The same line and status by hand, where nothing is recorded.
#[test]
fn a_stage_that_exits_at_once_says_so_by_hand_too() {
    let (place, harness) = place_with_stage("echo 'stage-01: no luck today' >&2; exit 3");
    let mut command = place.command(harness);
    command.args(["stage", "1"]);
    let finished = Run::start(command).wait(LONG);
    assert_eq!(finished.status.code(), Some(3), "{finished:?}");
    assert_eq!((finished.stderr.as_str(), finished.stdout.as_str()), ("stage-01: no luck today\n", ""));
}

#[test]
fn a_port_in_use_is_one_line() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let addr = taken.local_addr().expect("an address").to_string();
    let place = Place::new();
    let mut command = place.command(program("floor"));
    command.args(["--addr", &addr]);
    let finished = Run::start(command).wait(LONG);
    assert_eq!(finished.status.code(), Some(1), "{finished:?}");
    assert!(finished.stderr.lines().count() == 1 && finished.stderr.contains(&addr), "{finished:?}");
    finished.failed_clearly();

    // The stages, where they are built: without `--workspace` cargo builds none of them for this test.
    let port = addr.rsplit(':').next().expect("a port");
    for stage in lab_core::stages::discover().expect("the workspace").iter().filter(|s| s.binary.is_file()) {
        let finished = place.start(&["stage", &stage.name, "--port", port]).wait(LONG);
        assert_eq!(finished.status.code(), Some(1), "{}: {finished:?}", stage.name);
        assert_eq!(finished.stderr.lines().count(), 1, "{}: {finished:?}", stage.name);
        assert!(finished.stderr.contains(&addr), "{}: {finished:?}", stage.name);
        finished.failed_clearly();
    }
    assert_eq!(place.left_behind(SOON), [""; 0]);
}

/// The opposite: no server listens where the user says that one is.
#[test]
fn a_target_that_is_not_there_is_one_line() {
    let unused = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/", unused.local_addr().expect("an address"));
    drop(unused);
    let place = Place::new();
    let words = "--tools builtin --concurrency 1 --keep-alive on --duration 1 --rounds 1 --quick";
    let finished = place.bench(&format!("--target {url} {words}"));
    finished.failed_clearly();
    assert!(finished.lines_with(&["refused"]) >= 1, "{finished:?}");
    assert_eq!(measured(&place.records()).filter(|record| record.key.server != "floor").count(), 0);
}

/// The begin of a script that is asked for its version and answers as a program does.
const VERSION: &str = "case \"$1\" in -V|-v) echo 'tool 1.0'; exit;; esac;";

/// Puts a script in the place of a tool, measures with it and with the lab's own, and expects that the own
/// tool's point is measured and the other one's is not. Returns the reason.
fn tool_is_refused(tool: &str, script: &str) -> String {
    tool_is_refused_after(tool, script).0
}

/// The same, with the time that the run took.
fn tool_is_refused_after(tool: &str, script: &str) -> (String, Duration) {
    let place = Place::new();
    place.program(tool, script);
    let finished = place.bench(&format!("{QUICK} --stages floor --tools {tool},builtin --concurrency 2"));
    finished.failed_clearly();
    let records = place.records();
    assert_eq!(measured(&records).count(), 1, "{records:#?}");
    assert!(measured(&records).all(|record| record.key.tool == "builtin"), "{records:#?}");
    let reason = match reasons(&records)[..] {
        [reason] => reason.to_owned(),
        _ => panic!("one point was refused: {records:#?}"),
    };
    assert!(!reason.contains('\n') && reason.len() < 300, "{reason}");
    assert_eq!(finished.lines_with(&[tool, &reason]), 1, "it is said once: {finished:?}");
    assert_eq!(place.left_behind(SOON), [""; 0], "after {tool}: {script}");
    (reason, finished.took)
}

/// What a tool may print instead of a report. None of it becomes a figure.
#[test]
fn a_tool_that_prints_nonsense_is_said_and_the_others_measure() {
    let most = u64::MAX;
    let huge = format!(
        r#"{{"requests":{most},"microseconds":{most},"bytes":{most},"status":{most},"connect":{most},"read":{most},"write":{most},"timeout":{most}}}"#
    );
    let no_time = r#"{"requests":1000,"microseconds":0,"bytes":152000,"status":0,"connect":0,"read":0,"write":0,"timeout":0}"#;
    let negative = no_time.replace("1000", "-1");
    let rows = [
        ("wrk", "echo 'all is well'".to_owned(), "wrk"),
        ("wrk", ":".to_owned(), "wrk"),
        ("wrk", "echo 'I cannot' >&2; exit 7".to_owned(), "I cannot"),
        ("wrk", "kill -9 $$".to_owned(), "signal: 9"),
        ("wrk", format!("echo '{huge}'"), "wrk"),
        ("wrk", format!("echo '{no_time}'"), "wrk"),
        ("wrk", format!("echo '{negative}'"), "wrk"),
        ("ab", "echo 'Complete requests:      many'".to_owned(), "ab"),
        (
            "ab",
            format!(
                "echo 'Complete requests: {most}'; echo 'Failed requests: {most}'; echo 'Non-2xx responses: {most}'"
            ),
            "ab",
        ),
        ("ab", "head -c 100000 /dev/zero".to_owned(), "ab"),
        // What it prints on stdout as ever does not hide why it gave up.
        (
            "ab",
            "echo 'it timed out' >&2; echo 'Benchmarking 127.0.0.1 (be patient)'; exit 1".to_owned(),
            "it timed out",
        ),
        // A byte that is not UTF-8 is replaced; the rest of the line is kept.
        ("ab", r"printf 'M\374ller gave up\n' >&2; exit 1".to_owned(), "ller gave up"),
    ];
    for (tool, script, hint) in rows {
        let reason = tool_is_refused(tool, &format!("{VERSION} {script}"));
        assert!(reason.contains(hint), "{tool}, {script}: {reason}");
    }
}

/// A tool that never ends is ended, its children too, soon after its time; and so is one that does not even
/// say its version.
#[test]
fn a_tool_that_hangs_is_ended() {
    let reason = tool_is_refused("wrk", "sleep 600 & sleep 600");
    assert!(reason.contains("did not end within"), "{reason}");
}

/// One that prints without end would fill the disk before its time is over, or the memory while it is asked
/// for its version.
#[test]
fn a_tool_that_prints_without_end_is_ended() {
    let line = "all work and no play makes a dull generator ".repeat(20);
    let script = format!("while :; do echo '{line}'; done");
    let (reason, took) = tool_is_refused_after("wrk", &script);
    assert!(reason.contains("wrk") || reason.contains("print"), "{reason}");
    // A tool has its duration and ten seconds more.
    assert!(took < Duration::from_secs(11), "it was left to print: {took:?}");
}
