//! Commands written by hand, for failures that no single connection shows, and the hints that fit each way of
//! failing.
//!
//! Both belong to a probe *and* a kind of fault. Where neither table has a row, the command is what was sent
//! on the connection of the fault, and the hint is the probe's.

mod process;

pub(crate) use process::is_beside_a_connection;

use super::profile::current;
use super::verdict::{Fault, Kind, Outcome};

/// A command, what a right server shows and what this one does.
pub(crate) type ByHand = (String, String, String);

/// A request without a body, as `printf` has it.
fn request(path: &str) -> String {
    format!("printf 'GET {path} HTTP/1.1\\r\\nHost: probe\\r\\n\\r\\n'")
}

/// The same, as the last one of its connection.
fn last_request(path: &str) -> String {
    format!("printf 'GET {path} HTTP/1.1\\r\\nHost: probe\\r\\nConnection: close\\r\\n\\r\\n'")
}

/// A client that must be served within two seconds, whatever the others do.
const ASKED_BESIDE: &str = "curl -s -m 2 http://127.0.0.1:$PORT/; echo \" curl: $?\"";

/// What [`ASKED_BESIDE`] shows.
const SERVED: &str = "Hello, World! curl: 0";

/// Ends the jobs of the line above, so that the shell is free again.
fn beside(cause: &str) -> Option<ByHand> {
    Some((format!("{cause}\n{ASKED_BESIDE}"), SERVED.into(), "curl: 28 (no reply within 2 s)".into()))
}

/// Sends a signal, and ends the server after 6 s if that does not.
fn signalled(before: &str, signals: &str) -> String {
    format!(
        "{before}\n{signals}; (sleep 6; kill -KILL $PID) 2>/dev/null & wait $PID; echo \"exit status $?\""
    )
}

/// The command for this fault of the probe, where what was sent on one connection does not show it.
pub(crate) fn by_hand(probe: &str, fault: &Fault) -> Option<ByHand> {
    // They ask in the lab's own words. For a profile there is what was sent.
    if !current().is_lab() {
        return None;
    }
    let is_starved = matches!(fault.outcome, Outcome::Starved | Outcome::Hang);
    // What the fault itself knows to be shown, or the words of a report.
    let shown = |right: &str| {
        let known = fault.shown.as_deref();
        let right = known.map_or(right.to_owned(), |shown| shown.right.clone());
        (right, known.map_or_else(|| fault.detail.clone(), |shown| shown.seen.clone()))
    };
    let with_shown = |command: String, right: &str| {
        let (right, seen) = shown(right);
        Some((command, right, seen))
    };
    let silent = "sleep 4 | nc -q0 127.0.0.1 $PORT & sleep 0.3";
    match probe {
        "two-clients" if is_starved => beside(silent),
        "reverse-order" if is_starved => beside(&format!("{silent}; {silent}")),
        "idle-holders" if is_starved => beside(&format!(
            "for i in 1 2 3 4; do {{ {}; sleep 4; }} | nc -q0 127.0.0.1 $PORT >/dev/null & done; sleep 0.5",
            request("/")
        )),
        "idle-1000" | "idle-10000" => {
            let count = probe.trim_start_matches("idle-");
            beside(&format!(
                // A shell's limit is 1,024 descriptors in most places.
                "(ulimit -n 16384; python3 -c 'import os, socket, time; \
                 held = [socket.create_connection((\"127.0.0.1\", int(os.environ[\"PORT\"]))) for i in range({count})]; \
                 time.sleep(6)' &); sleep 3"
            ))
        }
        "fast-beside-slow" if is_starved => Some((
            "curl -s http://127.0.0.1:$PORT/sleep/3000 >/dev/null & sleep 0.3\n\
             for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do \
             curl -s -m 2 -o /dev/null -w '%{http_code}\\n' http://127.0.0.1:$PORT/ & done | sort | uniq -c"
                .into(),
            "16 times 200".into(),
            "some have 000: no reply within 2 s".into(),
        )),
        "greedy-pipeliner" if is_starved => beside(
            "yes \"$(printf 'GET /bytes/100 HTTP/1.1\\r\\nHost: probe\\r\\n\\r')\" | timeout 5 nc 127.0.0.1 $PORT >/dev/null & \
             sleep 0.5",
        ),
        "slow-reader-beside" if is_starved => {
            beside(&format!("{} | timeout 6 nc 127.0.0.1 $PORT | sleep 4 & sleep 0.5", request("/bytes/16777216")))
        }
        "slow-reader" | "late-bytes" if matches!(fault.kind, Kind::Closed | Kind::Silent | Kind::Reset) => {
            let late = match probe {
                "slow-reader" => String::new(),
                _ => format!("; sleep 0.3; i=0; while [ $((i+=1)) -le 300 ]; do {}; done", request("/")),
            };
            Some((
                format!(
                    "{{ {}{late}; sleep 6; }} | timeout 8 nc 127.0.0.1 $PORT | {{ sleep 1; wc -c; }}",
                    last_request("/bytes/16777216")
                ),
                "more than 16777216 bytes: the body and its head".into(),
                "fewer".into(),
            ))
        }
        "reset-mid-reply" if matches!(fault.outcome, Outcome::Crash) || fault.kind == Kind::Connect => Some((
            format!(
                "for i in 1 2 3 4; do {{ {0}; {0}; }} | nc -q1 127.0.0.1 $PORT | head -c 1000 >/dev/null; done\n\
                 {ASKED_BESIDE}",
                request("/bytes/16777216")
            ),
            SERVED.into(),
            "curl: 7 or 52: nothing serves any more".into(),
        )),
        "connect-burst" => Some((
            format!("for i in $(seq 200); do nc -z 127.0.0.1 $PORT; done\n{ASKED_BESIDE}"),
            SERVED.into(),
            "another exit status: nothing serves any more".into(),
        )),
        "stale-event" | "descriptor-churn" => Some((
            "seq 1 600 | xargs -P 8 -I{} curl -s -m 5 -o /dev/null -w '{} %{size_download}\\n' \
             http://127.0.0.1:$PORT/bytes/{} | awk '$1 != $2' | head"
                .into(),
            "nothing: each reply has the length that was asked for".into(),
            "lines with another length than asked for (a race: repeat it)".into(),
        )),
        "pipelined-100" if matches!(fault.kind, Kind::Silent | Kind::Closed | Kind::Reset | Kind::Body) => Some((
            "for i in $(seq 10 109); do printf 'GET /bytes/%d HTTP/1.1\\r\\nHost: probe\\r\\n\\r\\n' $i; done \
             | nc -q2 127.0.0.1 $PORT | grep -a -o -i 'Content-Length: *[0-9]*' | uniq | awk '{print NR \": \" $0}' | tail -1"
                .into(),
            "100: Content-Length: 109".into(),
            "another line: replies are missing, or out of order".into(),
        )),
        "burst-behind-sleep" if matches!(fault.kind, Kind::Silent | Kind::Closed | Kind::Reset) => Some((
            format!(
                "{{ {}; sleep 0.1; for i in 1 2 3 4 5 6 7 8; do \
                 printf 'POST /echo HTTP/1.1\\r\\nHost: probe\\r\\nContent-Length: 32768\\r\\n\\r\\n'; \
                 head -c 32768 /dev/zero | tr '\\000' $i; done; }} | nc -q3 127.0.0.1 $PORT | grep -a -c 'HTTP/1.1 200'",
                request("/sleep/300")
            ),
            "9 replies".into(),
            "fewer".into(),
        )),
        "echo-duplex" => Some((
            "seq 1 150000 >/tmp/echo-in; nc -N -w3 127.0.0.1 $PORT </tmp/echo-in | cmp - /tmp/echo-in; echo \"cmp: $?\""
                .into(),
            "cmp: 0, no difference".into(),
            "cmp: 1, and where the two differ".into(),
        )),
        "body-413" if fault.kind != Kind::Connect => {
            let (right, seen) = shown("status 413, and an orderly end");
            Some((
                "{ printf 'POST /echo HTTP/1.1\\r\\nHost: probe\\r\\nContent-Length: 2097152\\r\\n\\r\\n'; \
                 head -c 2097152 /dev/zero; } | nc -N -w3 127.0.0.1 $PORT | head -c 300 | head -n 1"
                    .into(),
                right,
                seen,
            ))
        }
        "descriptor-limit" => {
            let hold = "for i in $(seq 60); do sleep 4 | nc -q0 127.0.0.1 $PORT & done; sleep 1";
            let ticks = "cut -d' ' -f14,15 /proc/$PID/stat";
            match fault.outcome {
                Outcome::Spin => Some((
                    format!("{hold}\n{ticks}; sleep 2; {ticks}"),
                    "two lines that are the same, or nearly: user and system time in ticks of 10 ms".into(),
                    "the second line is higher by more than 20".into(),
                )),
                _ => Some((
                    format!("{hold}; sleep 4\n{ASKED_BESIDE}"),
                    SERVED.into(),
                    "curl: 28, 7 or 52: it does not serve again".into(),
                )),
            }
        }
        "idle-cpu" if fault.outcome == Outcome::Spin => {
            let ticks = "cut -d' ' -f14,15 /proc/$PID/stat";
            Some((
                format!("sleep 4 | nc -q0 127.0.0.1 $PORT & sleep 0.3; {ticks}; sleep 2; {ticks}"),
                "two lines that are the same, or nearly: user and system time in ticks of 10 ms".into(),
                "the second line is higher by more than 20".into(),
            ))
        }
        "no-leaks" if fault.outcome == Outcome::Leak => {
            let state = "ls /proc/$PID/fd | wc -l; ps -o stat= --ppid $PID | wc -l; ls /proc/$PID/task | wc -l";
            Some((
                format!(
                    "echo descriptors, children, threads:; {{ {state}; }} | paste -s\n\
                     for i in $(seq 100); do curl -s http://127.0.0.1:$PORT/ >/dev/null; nc -z 127.0.0.1 $PORT; \
                     {} | nc -q0 127.0.0.1 $PORT | head -c 10 >/dev/null; done; sleep 2\n\
                     {{ {state}; }} | paste -s",
                    request("/bytes/1000")
                ),
                "two lines of equal numbers".into(),
                "the second line has more".into(),
            ))
        }
        "idle-timeout" if fault.kind == Kind::StillOpen => Some((
            format!("{} | timeout 5 nc -q9 127.0.0.1 $PORT >/dev/null; echo \"nc: $?\"", request("/")),
            "nc: 0 after about 1 s".into(),
            "nc: 124 after 5 s: the connection is still open".into(),
        )),
        "idle-timeout" if fault.kind == Kind::Other => with_shown(
            format!("{} | {{ time -p nc -q9 127.0.0.1 $PORT >/dev/null; }}", request("/")),
            "real 1 to 3",
        ),
        "header-timeout-408" if matches!(fault.kind, Kind::Silent | Kind::Closed | Kind::StillOpen) => Some((
            "{ printf 'GET / HTTP/1.1\\r\\nHost: probe\\r\\n'; sleep 5; } | timeout 6 nc -q1 127.0.0.1 $PORT | head -n 1".into(),
            "after about 1 s: HTTP/1.1 408".into(),
            "nothing, or too late".into(),
        )),
        "sigterm-in-flight" | "ctrl-c-group" => {
            let signal = if probe == "ctrl-c-group" { "kill -INT -- -$PID" } else { "kill -TERM $PID" };
            let asked = "curl -s -m 5 -o /dev/null -w '%{http_code}\\n' http://127.0.0.1:$PORT/sleep/500 & sleep 0.25";
            let (_, seen) = shown("");
            Some((
                signalled(asked, signal),
                "200, then exit status 0 at once".into(),
                format!("{seen}; 000 is no reply, 137 the SIGKILL after 6 s"),
            ))
        }
        "sigterm-idle" => {
            let idle = format!("{{ {}; sleep 5; }} | nc -q0 127.0.0.1 $PORT >/dev/null & sleep 0.3", request("/"));
            let (_, seen) = shown("");
            Some((
                signalled(&idle, "kill -TERM $PID"),
                "exit status 0 at once".into(),
                format!("{seen}; 137 is the SIGKILL after 6 s"),
            ))
        }
        "second-sigterm" => {
            let asked = "curl -s http://127.0.0.1:$PORT/sleep/5000 & sleep 0.3";
            let (_, seen) = shown("");
            Some((
                signalled(asked, "kill -TERM $PID; sleep 0.3; kill -TERM $PID"),
                "exit status 143 at once".into(),
                format!("{seen}; 137 is the SIGKILL after 6 s"),
            ))
        }
        _ => process::by_hand(probe, fault),
    }
}

/// What to look at after this fault of the probe: the fault's own hint, or the probe's where that fits how it
/// failed, or that of the kind of fault.
pub(crate) fn hint(probe: &str, own: &'static str, fault: &Fault) -> &'static str {
    let special = fault.hint.or_else(|| special_hint(probe, fault));
    special.unwrap_or_else(|| if fits(probe, fault) { own } else { general_hint(fault).unwrap_or(own) })
}

/// Hints for one probe and one kind of fault.
fn special_hint(probe: &str, fault: &Fault) -> Option<&'static str> {
    Some(match (probe, fault.kind) {
        ("idle-timeout", Kind::Unexpected) => {
            "Between requests there is nobody to tell: close without a 408."
        }
        ("idle-timeout" | "header-timeout-408", Kind::Other) => {
            "The deadline is too near: it counts from the last reply, or from the first byte of the head."
        }
        ("header-timeout-408", Kind::Closed | Kind::Reset) => {
            "A head that has begun is answered by a 408 before the connection is closed."
        }
        ("sigterm-in-flight" | "sigterm-idle" | "ctrl-c-group", Kind::ExitStatus) => {
            "A status of a signal means that its default action ended the process: handle it, and exit with 0."
        }
        ("second-sigterm", Kind::Other) => "The first signal must let the request that is in flight finish.",
        ("second-sigterm", Kind::ExitStatus) => {
            "The second signal ends the process with 128 plus its number, or by its default action."
        }
        ("bad-option", Kind::ExitStatus) => {
            "2 is for a mistake in the command line, 1 for what fails at run time."
        }
        ("malformed", Kind::Several) if fault.outcome == Outcome::Hang => {
            "A request that is malformed is answered at once, not waited for; the detail names the rules."
        }
        _ => return None,
    })
}

/// Whether the probe's own hint is about this kind of fault. A probe without a row here is one whose hint is
/// about whatever it finds.
fn fits(probe: &str, fault: &Fault) -> bool {
    use Kind::{Body, Closed, Connect, Other, Reset, Running, Several, Silent, Status, StillOpen};
    if fault.outcome == Outcome::Crash {
        return matches!(probe, "reset-mid-reply" | "connect-burst");
    }
    let kinds: &[Kind] = match probe {
        "echo-duplex" => &[Silent, Closed, Other],
        "keep-alive" => &[Closed, Reset],
        "pipelined-pair" | "pipelined-100" => &[Silent, Body],
        "pipelined-mixture" => &[Silent, Body],
        "in-order" => &[Other, Body],
        "burst-behind-sleep" => &[Silent],
        "half-close" | "body-413" | "late-bytes" => &[Closed, Reset],
        "slow-reader" => &[Closed, Silent, Body],
        "malformed" => &[Several],
        "two-clients" | "reverse-order" | "idle-holders" | "fast-beside-slow" | "greedy-pipeliner"
        | "slow-reader-beside" => return fault.outcome == Outcome::Starved,
        "idle-1000" | "idle-10000" => return fault.kind != Status && fault.kind != Body,
        "reset-mid-reply" | "connect-burst" => &[Connect, Silent],
        "stale-event" | "descriptor-churn" => &[Body, Silent, Closed, Reset],
        "descriptor-limit" => &[Other, Connect, Silent],
        "idle-timeout" => &[StillOpen],
        "header-timeout-408" => &[Silent],
        "sigterm-in-flight" | "ctrl-c-group" => &[Silent, Closed, Reset, StillOpen, Running],
        "sigterm-idle" | "second-sigterm" => &[StillOpen, Running],
        _ => return !matches!(fault.kind, Kind::Connect | Kind::NotHttp | Kind::Chunked | Kind::Endless),
    };
    kinds.contains(&fault.kind)
}

/// What each kind of fault is about, whatever the probe.
fn general_hint(fault: &Fault) -> Option<&'static str> {
    if fault.outcome == Outcome::Crash {
        return Some(
            "The process or a thread died: its last words on stderr, or the signal in the detail, say why.",
        );
    }
    Some(match fault.kind {
        Kind::Connect => {
            "Nothing accepts: the listener is closed, or its queue is full and accept is not called."
        }
        Kind::Status => {
            "The handler answered with another status: look at how the request was parsed and routed."
        }
        Kind::Body => "Compare the body with its Content-Length: a short write, or bytes of another reply.",
        Kind::Closed => {
            "It was closed before the reply had left: look at what closes, and whether output waits."
        }
        Kind::Reset => {
            "close(2) with unread input resets: shut the sending side, read on for a while, close."
        }
        Kind::Silent => {
            "A request was read and forgotten, or never read: look at what is buffered, and at the events."
        }
        Kind::StillOpen => {
            "The reply was right and the connection stays: after the last reply, and at end of input, close."
        }
        Kind::Unexpected => {
            "More bytes than were due: a reply sent twice, or a body longer than its Content-Length."
        }
        Kind::NotHttp => {
            "What came does not begin as a reply does: a body longer than its Content-Length, or mixed writes."
        }
        Kind::Chunked => "Say the length in Content-Length before the body.",
        Kind::Endless => "Stop at the length of the body: what is sent does not end where it should.",
        Kind::Running => "The signal did not end the process: handle it, and leave the loop.",
        Kind::ExitStatus => "Look at the status with which the process ends.",
        Kind::Several | Kind::Other => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::PROBES;
    use super::*;

    const KINDS: [Kind; 15] = [
        Kind::Other,
        Kind::Connect,
        Kind::Status,
        Kind::Body,
        Kind::Closed,
        Kind::Reset,
        Kind::Silent,
        Kind::StillOpen,
        Kind::Unexpected,
        Kind::NotHttp,
        Kind::Chunked,
        Kind::Endless,
        Kind::Running,
        Kind::ExitStatus,
        Kind::Several,
    ];

    const OUTCOMES: [Outcome; 6] =
        [Outcome::Wrong, Outcome::Hang, Outcome::Starved, Outcome::Crash, Outcome::Leak, Outcome::Spin];

    /// Protects the reader from an empty hint, and the tables from a name that no probe has any more.
    #[test]
    fn every_way_to_fail_has_a_hint() {
        for probe in PROBES {
            for kind in KINDS {
                for outcome in [Outcome::Wrong, Outcome::Hang, Outcome::Starved, Outcome::Crash] {
                    let fault = Fault::new(outcome, "seen").of(kind);
                    let hint = hint(probe.name, probe.hint, &fault);
                    assert!(hint.ends_with('.') && hint.len() < 120, "{} {kind:?}: {hint}", probe.name);
                }
            }
        }
        let source = include_str!("replays.rs").split("#[cfg(test)]").next().expect("the code");
        // What is matched there, since the commands quote as well.
        let of_process = include_str!("replays/process.rs").lines().filter(|line| line.contains("=> "));
        let matched = of_process.filter_map(|line| line.trim().strip_prefix('"')?.split('"').next());
        let quoted =
            source.split('"').filter(|word| word.contains('-') && !word.contains([' ', ',', '%', '\\', '/']));
        let quoted = quoted.chain(matched);
        for name in quoted {
            let is_name = PROBES.iter().any(|probe| probe.name == name) || name == "idle-";
            assert!(is_name, "`{name}` is no probe");
        }
    }

    /// Protects the student who types it: each command is one that a POSIX shell can read, for whatever
    /// fault.
    #[test]
    fn a_shell_can_read_every_command() {
        let mut commands = std::collections::BTreeSet::new();
        for probe in PROBES {
            for kind in KINDS {
                for outcome in OUTCOMES {
                    let fault = Fault::new(outcome, "seen").of(kind);
                    let Some((command, right, seen)) = by_hand(probe.name, &fault) else { continue };
                    assert!(!right.is_empty() && !seen.is_empty(), "{}: {command}", probe.name);
                    commands.insert(command);
                }
            }
        }
        assert!(commands.len() > 30, "{}", commands.len());
        for command in commands {
            let read =
                std::process::Command::new("sh").args(["-n", "-c", &command]).output().expect("a shell");
            assert!(read.status.success(), "{command}: {}", String::from_utf8_lossy(&read.stderr));
        }
    }

    /// Protects the student from a hint about something else.
    #[test]
    fn a_hint_is_about_the_kind_of_fault() {
        let hint_of = |name: &str, fault: Fault| {
            let probe = PROBES.iter().find(|probe| probe.name == name).expect("a probe");
            hint(name, probe.hint, &fault)
        };
        let closed = hint_of("keep-alive", Fault::wrong("").of(Kind::Closed));
        assert!(closed.contains("keeps the connection open"), "{closed}");
        let body = hint_of("keep-alive", Fault::wrong("").of(Kind::Body));
        assert!(body.contains("Content-Length"), "{body}");
        let own = hint_of("keep-alive", Fault::wrong("").of(Kind::Body).hinting("Its own."));
        assert_eq!(own, "Its own.");
        let crash = hint_of("pipelined-pair", Fault::crash(""));
        assert!(crash.contains("died"), "{crash}");
        let refused = hint_of("in-order", Fault::wrong("").of(Kind::Connect));
        assert!(refused.contains("accept"), "{refused}");
    }
}
