//! A server that is wrong on purpose must be judged so, and a right one must not.

use grader::probes::{self, Finding, Outcome, Target};
use lab_core::server_process::Launch;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;
use std::time::Duration;
use test_support::manner::{Manner, serve};

fn judge(manner: Manner, probe: &str) -> Finding {
    probes::run_one(probes::find(probe).unwrap(), &Target::Address(serve(manner)))
}

/// What a shell does until this process ends, whatever ends it, so that nothing is left behind.
fn while_we_live(each: &str) -> String {
    format!("while kill -0 $PPID 2>/dev/null; do {each}; done")
}

/// A shell that runs `first`, claims to be a right server, and runs `then`.
fn script(first: &str, then: &str) -> Target {
    let mut launch = Launch::new("/bin/sh");
    let script = format!("{first}\necho 'listening on {}'\n{then}", serve(Manner::Right));
    launch.args = vec!["-c".into(), script];
    Target::Stage(launch)
}

/// Protects against a probe that fails every server.
#[test]
fn a_right_server_passes() {
    for probe in
        ["keep-alive", "pipelined-100", "two-clients", "reverse-order", "fast-beside-slow", "in-order"]
    {
        let finding = judge(Manner::Right, probe);
        assert_eq!(finding.outcome, Outcome::Pass, "{probe}: {}", finding.detail);
    }
}

/// Protects the reading of lengths: a short body with an honest Content-Length is still short.
#[test]
fn a_wrong_length_is_wrong() {
    for probe in ["keep-alive", "pipelined-pair", "descriptor-churn", "half-close"] {
        let finding = judge(Manner::Short, probe);
        assert_eq!(finding.outcome, Outcome::Wrong, "{probe}: {}", finding.detail);
    }
}

/// Protects the difference that the staircase is built on: a client that waits for a cause is served when it
/// is gone.
#[test]
fn a_serial_server_starves_and_recovers() {
    for probe in ["two-clients", "reverse-order", "fast-beside-slow"] {
        let finding = judge(Manner::Serial, probe);
        assert_eq!(finding.outcome, Outcome::Starved, "{probe}: {}", finding.detail);
    }
}

/// Protects a right server on a busy machine: a first reply that is late for another reason has not waited
/// for the request behind it.
#[test]
fn a_late_reply_has_not_waited_for_the_next_request() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let (mut requests, mut buffer) = (String::new(), [0; 1024]);
            while requests.matches("\r\n\r\n").count() < 3 {
                match stream.read(&mut buffer) {
                    Ok(length @ 1..) => requests.push_str(&String::from_utf8_lossy(&buffer[..length])),
                    _ => break,
                }
            }
            let Some((_, slow)) = requests.split_once("/sleep/") else { continue };
            let sleep = Duration::from_millis(slow.split(' ').next().unwrap().parse().unwrap());
            // Longer than the sleep, which begins after it.
            for (pause, body) in [(sleep + sleep / 5, "x".repeat(100)), (sleep, "slept".into())] {
                thread::sleep(pause);
                let length = body.len();
                write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}").unwrap();
            }
            write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\nHello, World!").unwrap();
        }
    });
    let finding = probes::run_one(probes::find("reply-before-slow").unwrap(), &Target::Address(addr));
    assert_eq!(finding.outcome, Outcome::Pass, "{}", finding.detail);
}

/// Protects `starved` from being the verdict on a server that never answers at all.
#[test]
fn a_mute_server_hangs() {
    let finding = judge(Manner::Mute, "two-clients");
    assert_eq!(finding.outcome, Outcome::Hang, "{}", finding.detail);
}

/// Protects the rule that a crash beats whatever the probe saw of it.
#[test]
fn a_server_that_dies_has_crashed() {
    let finding = judge(Manner::Mortal, "keep-alive");
    assert_eq!(finding.outcome, Outcome::Crash, "{}", finding.detail);

    // A probe that takes a while, so that the process is gone before its end.
    let finding = probes::run_one(probes::find("cut-at-every-byte").unwrap(), &script("", "exit 3"));
    assert_eq!(finding.outcome, Outcome::Crash);
    assert!(finding.detail.contains("exit status: 3"), "{}", finding.detail);
}

/// Protects against a pass for a server of which one thread or child panicked while the rest went on.
#[test]
fn a_panic_is_a_crash_though_the_process_lives() {
    let panicking = script("echo \"thread 'worker' panicked at src/server.rs:1:1\" >&2", "exec sleep 60");
    let finding = probes::run_one(probes::find("cut-at-every-byte").unwrap(), &panicking);
    assert_eq!(finding.outcome, Outcome::Crash, "{}", finding.detail);
}

/// Protects a server that logs in GBK or Latin-1 from being killed by its judge: a process that writes into a
/// pipe without a reader dies of SIGPIPE.
#[test]
fn output_that_is_not_utf_8_is_no_crash() {
    let line = r"printf 'M\374ller \306\364\266\257\n'";
    let log = while_we_live(&format!("{line}; {line} >&2; sleep 0.01"));
    let finding =
        probes::run_one(probes::find("fast-beside-slow").unwrap(), &script(&format!("{line} >&2"), &log));
    assert_eq!(finding.outcome, Outcome::Pass, "{}", finding.detail);
}

/// Protects the sigterm probes and idle-cpu from passing a process that does neither.
#[test]
fn a_process_that_ignores_signals_or_spins_is_found_out() {
    let deaf = script("trap '' TERM", &while_we_live("sleep 1"));
    let finding = probes::run_one(probes::find("sigterm-idle").unwrap(), &deaf);
    assert_eq!(finding.outcome, Outcome::Hang, "{}", finding.detail);

    let finding = probes::run_one(probes::find("idle-cpu").unwrap(), &script("", &while_we_live(":")));
    assert_eq!(finding.outcome, Outcome::Spin, "{}", finding.detail);
}

/// Protects the reader from a hint about something else: a server that takes any body, and one without
/// children.
#[test]
fn a_hint_is_about_what_was_seen() {
    let finding = judge(Manner::Right, "body-413");
    assert_eq!(finding.outcome, Outcome::Wrong, "{}", finding.detail);
    assert!(finding.hint.contains("limit") && !finding.hint.contains("resets"), "{}", finding.hint);

    let hint = |then: &str| {
        let finding = probes::run_one(probes::find("ctrl-c-group").unwrap(), &script("trap '' INT", then));
        assert_eq!(finding.outcome, Outcome::Hang, "{}", finding.detail);
        finding.hint
    };
    assert!(!hint("exec sleep 60").contains("hildren"));
    let stays = while_we_live("sleep 0.2");
    assert!(hint(&format!("{stays} & {stays}")).contains("Children"));
}

/// Protects a grade by address from claims about a process that it cannot see.
#[test]
fn what_an_address_cannot_show_is_not_applicable() {
    for probe in ["sigterm-idle", "descriptor-limit", "idle-timeout", "bad-option"] {
        assert_eq!(judge(Manner::Right, probe).outcome, Outcome::NotApplicable, "{probe}");
    }
}
