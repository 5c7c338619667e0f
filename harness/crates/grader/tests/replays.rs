//! What the grader says of a failure must be true: the command that it prints shows the failure on the broken
//! server, and none on a right one. And what it says is read by people, so its texts are kept in files:
//! `GOLDEN=write cargo test -p grader --test replays` writes them anew, to be read before they are committed.

use grader::probes::{self, Finding, Outcome, Replay, START_LIMIT, Target};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::thread;
use test_support::manner::{Manner, serve};

/// The example `broken`; a run of this test alone does not build it, so it is built here if need be.
fn broken() -> &'static Path {
    static BROKEN: OnceLock<PathBuf> = OnceLock::new();
    BROKEN.get_or_init(|| {
        let here = std::env::current_exe().expect("the test");
        let profile = here.parent().and_then(Path::parent).expect("deps is in the profile's directory");
        let broken = profile.join("examples/broken");
        if !broken.is_file() {
            let mut build = Command::new(env!("CARGO"));
            build.args(["build", "-q", "-p", "grader", "--example", "broken"]);
            if profile.ends_with("release") {
                build.arg("--release");
            }
            assert!(build.status().expect("cargo").success());
        }
        broken
    })
}

fn judge(mode: &str, probe: &str) -> Finding {
    let target = Target::Command(format!("{} {mode} $PORT $OPTIONS", broken().display()), START_LIMIT);
    probes::run_one(probes::find(probe).expect("a probe"), &target)
}

/// What the script prints: stdout and stderr.
fn run(replay: &Replay) -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let port = listener.local_addr().expect("an address").port();
    drop(listener);
    let script = format!("exec 2>&1; PORT={port}\n{}", replay.script(port));
    // A command that does not end by itself is a mistake too, and must not keep the test.
    let output = Command::new("timeout")
        .args(["-k", "1", "60", "/bin/sh", "-c", &script])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .expect("a shell");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A broken server: the probe that finds it, and what its replay must print on it and on a right server.
struct Row {
    mode: &'static str,
    probe: &'static str,
    outcome: Outcome,
    broken: fn(&str) -> bool,
    right: fn(&str) -> bool,
}

fn count(text: &str, word: &str) -> usize {
    text.matches(word).count()
}

/// The numbers in the lines that have nothing else.
fn numbers(text: &str) -> Vec<u64> {
    text.split_whitespace().filter_map(|word| word.parse().ok()).collect()
}

const ROWS: &[Row] = &[
    Row {
        mode: "closes",
        probe: "keep-alive",
        outcome: Outcome::Wrong,
        broken: |text| count(text, "HTTP/1.1 200") == 1,
        right: |text| count(text, "HTTP/1.1 200") > 1,
    },
    Row {
        mode: "status-500",
        probe: "keep-alive",
        outcome: Outcome::Wrong,
        broken: |text| text.contains("HTTP/1.1 500"),
        right: |text| text.contains("HTTP/1.1 200"),
    },
    Row {
        mode: "short-body",
        probe: "pipelined-pair",
        outcome: Outcome::Wrong,
        broken: |text| text.contains("Content-Length: 9"),
        right: |text| text.contains("Content-Length: 10") && text.contains("Content-Length: 11"),
    },
    Row {
        mode: "mute",
        probe: "cut-at-every-byte",
        outcome: Outcome::Hang,
        broken: |text| !text.contains("HTTP"),
        right: |text| text.contains("five!"),
    },
    Row {
        mode: "first-only",
        probe: "pipelined-pair",
        outcome: Outcome::Hang,
        broken: |text| count(text, "HTTP/1.1 200") == 1,
        right: |text| count(text, "HTTP/1.1 200") == 2,
    },
    Row {
        mode: "first-only",
        probe: "pipelined-100",
        outcome: Outcome::Hang,
        broken: |text| !text.contains("100: "),
        right: |text| text.contains("100: Content-Length: 109"),
    },
    Row {
        mode: "no-half-close",
        probe: "half-close",
        outcome: Outcome::Wrong,
        broken: |text| numbers(text).iter().all(|bytes| *bytes < 1_048_576) && count(text, "Hello") < 2,
        right: |text| numbers(text).iter().any(|bytes| *bytes > 1_048_576) || text.len() > 1_048_576,
    },
    Row {
        mode: "drops-rest",
        probe: "slow-reader",
        outcome: Outcome::Wrong,
        broken: |text| numbers(text).iter().all(|bytes| *bytes < 16_777_216),
        right: |text| numbers(text).iter().any(|bytes| *bytes > 16_777_216),
    },
    // By a client with a small window: another one's kernel would take the whole body.
    Row {
        mode: "drops-rest",
        probe: "short-write-body",
        outcome: Outcome::Hang,
        // Of 1,024, 65,536 and 200,001 bytes.
        broken: |text| numbers(text).iter().all(|bytes| *bytes < 266_561),
        right: |text| numbers(text).iter().any(|bytes| *bytes > 266_561),
    },
    Row {
        mode: "endless",
        probe: "keep-alive",
        outcome: Outcome::Wrong,
        broken: |text| numbers(text).iter().any(|bytes| *bytes > 100_000),
        right: |text| numbers(text).iter().all(|bytes| *bytes < 1_000),
    },
    Row {
        mode: "huge-length",
        probe: "keep-alive",
        outcome: Outcome::Wrong,
        broken: |text| text.contains("18446744073709551610"),
        right: |text| text.contains("Content-Length: 0"),
    },
    Row {
        mode: "chunked",
        probe: "keep-alive",
        outcome: Outcome::Wrong,
        broken: |text| text.contains("chunked"),
        right: |text| text.contains("Content-Length: 0"),
    },
    Row {
        mode: "lenient",
        probe: "malformed",
        outcome: Outcome::Wrong,
        broken: |text| count(text, "HTTP/1.1 200") >= 3,
        // The example knows few rules; the first three are among them or not.
        right: |text| text.contains("-- 1"),
    },
    Row {
        mode: "serial",
        probe: "two-clients",
        outcome: Outcome::Starved,
        broken: |text| text.contains("curl: 28"),
        right: |text| text.contains("Hello, World! curl: 0"),
    },
    Row {
        mode: "serial",
        probe: "fast-beside-slow",
        outcome: Outcome::Starved,
        broken: |text| text.contains("000"),
        right: |text| text.contains("16 200"),
    },
    Row {
        mode: "spins",
        probe: "idle-cpu",
        outcome: Outcome::Spin,
        broken: |text| matches!(numbers(text)[..], [a, b, c, d] if c + d > a + b + 20),
        right: |text| matches!(numbers(text)[..], [a, b, c, d] if c + d <= a + b + 5),
    },
    Row {
        mode: "leaks",
        probe: "no-leaks",
        outcome: Outcome::Leak,
        broken: |text| matches!(numbers(text)[..], [a, _, _, b, _, _] if b > a + 50),
        right: |text| matches!(numbers(text)[..], [a, _, _, b, _, _] if b <= a + 1),
    },
    Row {
        mode: "deaf",
        probe: "sigterm-idle",
        outcome: Outcome::Hang,
        broken: |text| text.contains("exit status 137"),
        right: |text| text.contains("exit status 0"),
    },
    Row {
        mode: "default-signal",
        probe: "sigterm-idle",
        outcome: Outcome::Wrong,
        broken: |text| text.contains("exit status 143"),
        right: |text| text.contains("exit status 0"),
    },
    Row {
        mode: "spins-at-the-end",
        probe: "drain-spin",
        outcome: Outcome::Spin,
        // Less than the command says: beside the other rows a second leaves it little of a CPU.
        broken: |text| matches!(numbers(text)[..], [a, b, c, d] if c + d > a + b + 2),
        // It does not wait for its clients, and so has ended.
        right: |text| numbers(text).is_empty(),
    },
    Row {
        mode: "ended-by-sigpipe",
        probe: "sigpipe-send",
        outcome: Outcome::Crash,
        broken: |text| text.contains("curl: 7"),
        right: |text| text.contains("Hello, World! curl: 0"),
    },
    Row {
        mode: "any-option",
        probe: "bad-option",
        outcome: Outcome::Wrong,
        broken: |text| text.contains("exit status 124"),
        right: |text| text.contains("exit status 2") && text.contains("--no-such-option"),
    },
    Row {
        mode: "walks-out",
        probe: "file-outside-root",
        outcome: Outcome::Wrong,
        broken: |text| text.contains("SECRET"),
        right: |text| text.contains("404") && !text.contains("SECRET"),
    },
    Row {
        mode: "short-range",
        probe: "file-range",
        outcome: Outcome::Wrong,
        broken: |text| text.contains("206") && !text.contains("0123456789 206"),
        right: |text| text.contains("0123456789 206"),
    },
    Row {
        mode: "closes-no-file",
        probe: "leak-on-file",
        outcome: Outcome::Leak,
        broken: |text| numbers(text).first().is_some_and(|descriptors| *descriptors >= 8),
        right: |text| numbers(text).first() == Some(&0),
    },
];

/// Protects a student who types what the grader printed: it shows the failure, and it shows none once the
/// mistake is mended.
#[test]
fn a_printed_command_shows_the_failure_and_only_that() {
    let check = &|row: &Row| -> Result<(), String> {
        let Row { mode, probe, outcome, .. } = row;
        let finding = judge(mode, probe);
        if finding.outcome != *outcome {
            return Err(format!("{mode}, {probe}: {}: {}", finding.outcome, finding.detail));
        }
        let replay = finding.evidence.and_then(|evidence| evidence.replay);
        let replay = replay.ok_or_else(|| format!("{mode}, {probe}: no command"))?;
        let shown = run(&replay);
        if !(row.broken)(&shown) {
            return Err(format!("{mode}, {probe}: on the broken one: {}\n{shown}", replay.script(8080)));
        }
        let mend = |text: &str| text.replace(&format!("broken {mode} "), "broken right ");
        let mended =
            Replay { start: replay.start.as_deref().map(mend), command: mend(&replay.command), ..replay };
        let shown = run(&mended);
        if !(row.right)(&shown) {
            return Err(format!("{mode}, {probe}: on the right one: {}\n{shown}", mended.script(8080)));
        }
        Ok(())
    };
    broken();
    let failures: Vec<String> = thread::scope(|scope| {
        let threads: Vec<_> = ROWS.iter().map(|row| scope.spawn(move || check(row))).collect();
        threads.into_iter().filter_map(|thread| thread.join().expect("no panic").err()).collect()
    });
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

/// Protects the grade of a server that runs already: its command names the address and starts nothing.
#[test]
fn by_address_there_is_only_the_request() {
    let addr = serve(Manner::Serial);
    let finding = probes::run_one(probes::find("two-clients").expect("a probe"), &Target::Address(addr));
    let replay = finding.evidence.and_then(|evidence| evidence.replay).expect("a command");
    assert!(replay.start.is_none() && !replay.command.contains("$PORT"), "{replay:?}");
    assert!(run(&replay).contains("curl: 28"), "{replay:?}");
}

/// The same on every machine and in every run: no times, no path of the example.
fn normalised(text: &str) -> String {
    let text = text.replace(&broken().display().to_string(), "broken");
    let line = |line: &str| {
        let time = line.get(..8).filter(|time| time.trim().parse::<f64>().is_ok());
        match (time, line.split_once(", until ")) {
            (Some(_), _) => format!("     T.T{}", &line[8..]),
            (None, Some((before, _))) => format!("{before}, until T.T …"),
            (None, None) => line.to_owned(),
        }
    };
    // Pauses and waits are taken from what was measured.
    let text: String = text.lines().map(line).map(|line| line + "\n").collect();
    without_number(&without_number(&text, "'; sleep "), "| nc -q")
}

/// The text, with a T for each number that follows `mark`.
fn without_number(text: &str, mark: &str) -> String {
    let mut pieces = text.split(mark);
    let first = pieces.next().unwrap_or_default().to_owned();
    let is_number = |c: char| c.is_ascii_digit() || c == '.';
    pieces.fold(first, |before, piece| format!("{before}{mark}T{}", piece.trim_start_matches(is_number)))
}

/// Protects what people read: detail, hint, transcript and command of one failure of each sort. A change
/// shows as a difference of these files.
#[test]
fn the_texts_are_those_of_the_golden_files() {
    let rows = [
        ("closes", "keep-alive"),
        ("short-body", "keep-alive"),
        ("status-500", "keep-alive"),
        ("huge-length", "keep-alive"),
        ("dies", "keep-alive"),
        ("first-only", "pipelined-pair"),
        ("mute", "cut-at-every-byte"),
        ("lenient", "malformed"),
        ("serial", "two-clients"),
        ("deaf", "sigterm-idle"),
        ("default-signal", "sigterm-idle"),
        ("any-option", "bad-option"),
        ("walks-out", "file-outside-root"),
    ];
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    broken();
    let check = &|mode: &str, probe: &str| -> Option<String> {
        let finding = judge(mode, probe);
        let block = finding.evidence.as_ref().map(|evidence| grader::evidence_block(probe, evidence));
        let Finding { outcome, detail, hint, .. } = finding;
        let text = format!("{outcome}: {detail}\nHint: {hint}\n{}", block.unwrap_or_default());
        let text = normalised(&text);
        let path = directory.join(format!("{probe}-{mode}.txt"));
        if std::env::var_os("GOLDEN").is_some() {
            std::fs::write(&path, text).expect("written");
            return None;
        }
        let golden = std::fs::read_to_string(&path).unwrap_or_default();
        (golden != text).then(|| format!("{} should be:\n{golden}\nbut is:\n{text}", path.display()))
    };
    let differing: Vec<String> = thread::scope(|scope| {
        let threads: Vec<_> =
            rows.iter().map(|&(mode, probe)| scope.spawn(move || check(mode, probe))).collect();
        threads.into_iter().filter_map(|thread| thread.join().expect("no panic")).collect()
    });
    assert!(differing.is_empty(), "{}", differing.join("\n\n"));
}
