//! Failures that are seen at the server's process, or by many clients: what it holds, how often it wakes,
//! what it does at a signal. One connection shows none of them.

use super::super::evidence::{CONNECTED_TO, FROM, NARROW};
use super::super::verdict::{Fault, Kind, Outcome};
use super::{ASKED_BESIDE, ByHand, SERVED, request, signalled};

/// Descriptors of the server and of its children.
const DESCRIPTORS: &str =
    "for p in $PID $(ps -o pid= --ppid $PID); do ls /proc/$p/fd; done 2>/dev/null | wc -l";

/// Memory of its own, of the first process.
const MEMORY: &str = "grep RssAnon /proc/$PID/status";

/// Clients that hold a connection for so many seconds, after a request.
fn held(count: u32, seconds: u32) -> String {
    let request = request("/");
    format!(
        "for i in $(seq {count}); do {{ {request}; sleep {seconds}; }} | nc -q0 127.0.0.1 $PORT >/dev/null & done"
    )
}

/// So many clients that connect and ask while the server is stopped, then these signals; how many were
/// connected, and how many of those have a reply: as soon as each has one, or after 8 s.
///
/// Not by curl, which does not say when it is connected: starting 200 of it takes longer than any pause that
/// is worth waiting for, and whoever comes when the server goes on already brings an event for all. With a
/// short backlog some are not connected, so they are counted.
fn asked_while_stopped(count: u32, signals: &[&str]) -> String {
    let signals: String =
        signals.iter().map(|signal| format!("os.kill(int(sys.argv[1]), signal.{signal}); ")).collect();
    // In one line, since a report indents. 1, 4: `SO_ERROR`, behind which a reset is read as an end.
    format!(
        "kill -STOP $PID; python3 -c 'import os, select, signal, socket, sys, time; \
         new = [socket.socket() for i in range({count})]; \
         [(s.setblocking(False), s.connect_ex({CONNECTED_TO})) for s in new]; time.sleep(0.5); \
         held = select.select([], new, [], 0)[1]; \
         [s.send(b\"GET / HTTP/1.1\\r\\nHost: probe\\r\\nConnection: close\\r\\n\\r\\n\") for s in held]; {signals}\
         replied = lambda: select.select(held, [], [], 0)[0]; \
         next(i for i in range(80) if i == 79 or time.sleep(0.1) or len(replied()) == len(held)); \
         print(len(held), \"clients,\", sum(not s.getsockopt(1, 4) and s.recv(12)[9:] == b\"200\" for s in replied()), \
         \"of them served\")' $PID"
    )
}

/// What [`asked_while_stopped`] shows.
const ALL_SERVED: &str = "the same number twice: each client that was connected is served";
const NOT_ALL_SERVED: &str = "the second number is smaller: the others got no reply within 8 s, or a reset";

/// Descriptors before and after what leaves some behind.
fn leak(visits: &str) -> ByHand {
    (
        format!("{DESCRIPTORS}\n{visits}; sleep 2\n{DESCRIPTORS}"),
        "two numbers that are the same, or nearly: descriptors".into(),
        "the second number is higher".into(),
    )
}

/// The command for this fault of the probe.
pub(super) fn by_hand(probe: &str, fault: &Fault) -> Option<ByHand> {
    let is_starved = matches!(fault.outcome, Outcome::Starved | Outcome::Hang);
    let is_unanswered = matches!(fault.kind, Kind::Silent | Kind::Closed | Kind::Reset | Kind::Connect);
    match probe {
        "idle-wake-ups" if fault.outcome == Outcome::Spin => {
            let waits = "cat /proc/$PID/task/*/status | awk '/^voluntary/ { n += $2 } END { print n }'";
            Some((
                format!("sleep 4 | nc -q0 127.0.0.1 $PORT & sleep 0.3; {waits}; sleep 2; {waits}"),
                "two numbers that differ by less than 120: how often its threads have begun to wait".into(),
                "the second number is higher by more than that".into(),
            ))
        }
        "drain-spin" if fault.outcome == Outcome::Spin => Some((
            // By a narrow client: for another one the kernel takes a few MB into its buffers, and few writes
            // meet a full socket.
            format!(
                "python3 -c 'import os, signal, socket, sys, time; s = socket.socket(); {NARROW}; {FROM}\
                 s.connect({CONNECTED_TO}); s.sendall(b\"GET /bytes/4000000 HTTP/1.1\\r\\nHost: probe\\r\\n\\r\\n\"); \
                 time.sleep(0.5); os.kill(int(sys.argv[1]), signal.SIGTERM); time.sleep(0.3); \
                 ticks = lambda: print(*open(\"/proc/%s/stat\" % sys.argv[1]).read().split()[13:15]); \
                 ticks(); time.sleep(1); ticks()' $PID"
            ),
            "two lines that are the same, or nearly: user and system time in ticks of 10 ms".into(),
            "a number of the second line is higher by more than 10".into(),
        )),
        "leak-on-reset" if fault.outcome == Outcome::Leak => Some(leak(&format!(
            "for i in $(seq 60); do {} | nc -q0 127.0.0.1 $PORT | head -c 10 >/dev/null; done; \
             python3 -c 'import os, socket, struct, time; \
             held = [socket.create_connection({CONNECTED_TO}) for i in range(60)]; time.sleep(0.5); \
             [s.setsockopt(1, 13, struct.pack(\"ii\", 1, 0)) for s in held]'",
            request("/bytes/5000000")
        ))),
        "leak-on-refusal" if fault.outcome == Outcome::Leak => Some(leak(
            "for i in $(seq 30); do printf 'garbage\\r\\n\\r\\n' | nc -N -w1 127.0.0.1 $PORT >/dev/null & \
             printf 'POST /echo HTTP/1.1\\r\\nHost: probe\\r\\nContent-Length: 99999999\\r\\n\\r\\n' | \
             nc -N -w1 127.0.0.1 $PORT >/dev/null & done; sleep 2",
        )),
        "leak-on-timeout" if fault.outcome == Outcome::Leak => {
            let half = "{ printf 'GET / HTTP/1.1\\r\\nHo'; sleep 4; }";
            Some(leak(&format!(
                "for i in $(seq 30); do sleep 4 | nc -q0 127.0.0.1 $PORT >/dev/null & \
                 {half} | nc -q0 127.0.0.1 $PORT >/dev/null & done; sleep 4"
            )))
        }
        "memory-per-connection" if fault.outcome == Outcome::Leak => Some((
            // One curl asks 5,000 times, since to start 5,000 of it takes minutes on a busy machine. What
            // stands behind `#` is not sent: it only makes as many addresses of one. The first 5,000 fill
            // what is kept once.
            {
                let often = "curl -s -o /dev/null -H 'Connection: close' \"http://127.0.0.1:$PORT/bytes/2000#[1-5000]\"";
                format!("{often}\n{MEMORY}; {often}; {MEMORY}")
            },
            "two numbers that differ by less than 1,000 kB".into(),
            format!("the second number is higher by more, for 5,000 connections: {}", fault.detail),
        )),
        "memory-never-reads" if fault.outcome == Outcome::Leak => Some((
            format!(
                "{MEMORY}\n(for i in 1 2 3 4 5 6 7 8; do \
                 yes \"$(printf 'GET /bytes/4000 HTTP/1.1\\r\\nHost: probe\\r\\n\\r')\" 2>/dev/null | \
                 timeout 7 nc 127.0.0.1 $PORT | sleep 8 & done); sleep 6; {MEMORY}"
            ),
            "the second number is higher by less than 64,000 kB".into(),
            "it is higher by more, and grows for as long as the clients send".into(),
        )),
        "over-1024" if is_starved || is_unanswered => Some((
            format!(
                // A shell's limit is 1,024 in most places: without a higher one the client ends there.
                "(ulimit -n 4096; python3 -c 'import os, socket, time; \
                 held = [socket.create_connection({CONNECTED_TO}) for i in range(1100)]; time.sleep(6)' &); sleep 3\n\
                 {ASKED_BESIDE}"
            ),
            SERVED.into(),
            "another exit status: it is not served beside 1,100 connections".into(),
        )),
        "connection-limit" if fault.outcome == Outcome::Wrong && fault.kind == Kind::Other => Some((
            format!("{}; sleep 0.5\n{ASKED_BESIDE}", held(8, 4)),
            "a 503, or curl: 28, 52 or 56: the ninth client is not served beside eight".into(),
            SERVED.into(),
        )),
        "connection-limit-left" if is_starved || is_unanswered => Some((
            format!("{}; sleep 0.5\n{ASKED_BESIDE}; sleep 2\n{ASKED_BESIDE}", held(9, 3)),
            format!("at the limit curl: 28, or a refusal; later {SERVED}"),
            "the second time as well, though the others have left".into(),
        )),
        "header-dribble" if is_starved => Some((
            "{ printf 'GET / HTTP/1.1\\r\\nHost: probe\\r\\nX: '; for i in $(seq 48); do sleep 0.1; printf x; done; } | \
             nc -q1 127.0.0.1 $PORT | head -n 1"
                .into(),
            "HTTP/1.1 408: the head has a timeout as a whole".into(),
            "nothing: each byte has moved the deadline".into(),
        )),
        "never-reads" if is_starved => Some((
            // Not by nc: whoever does not read from it makes it wait to write, and it sees no end any more.
            "timeout 12 bash -c 'trap \"\" PIPE; exec 3<>/dev/tcp/127.0.0.1/$PORT; \
             for i in 1 2 3 4 5 6 7 8; do printf \"GET /bytes/1000000 HTTP/1.1\\r\\nHost: probe\\r\\n\\r\\n\" >&3; done; \
             while printf \"GET / HTTP/1.1\\r\\nHost: probe\\r\\n\\r\\n\" >&3; do sleep 0.1; done 2>/dev/null'; \
             echo \"exit status $?\""
                .into(),
            "exit status 0 after a few seconds: the server has ended the connection".into(),
            "exit status 124 after 12 s: it is still open".into(),
        )),
        "accept-burst" if is_unanswered => Some((
            asked_while_stopped(200, &["SIGCONT"]),
            ALL_SERVED.into(),
            NOT_ALL_SERVED.into(),
        )),
        "queued-at-emfile" if is_starved => Some((
            "(for i in $(seq 60); do sleep 3 | nc -q0 127.0.0.1 $PORT & done); sleep 1\n\
             curl -s -m 9 http://127.0.0.1:$PORT/; echo \" curl: $?\""
                .into(),
            format!("{SERVED} when the others have left, or 52 or 56: it was shed"),
            "curl: 28 (no reply within 9 s)".into(),
        )),
        "queued-at-sigterm" if is_unanswered => Some((
            asked_while_stopped(200, &["SIGTERM", "SIGCONT"]),
            ALL_SERVED.into(),
            NOT_ALL_SERVED.into(),
        )),
        "sigterm-every-worker" if matches!(fault.kind, Kind::Running | Kind::ExitStatus | Kind::StillOpen) => Some((
            signalled(&format!("{}; sleep 0.5", held(16, 9)), "kill -TERM $PID"),
            "exit status 0 at once".into(),
            "another one, or after 2 s and more; 137 is the SIGKILL after 6 s".into(),
        )),
        "stop-and-continue" if is_unanswered || fault.outcome == Outcome::Crash => Some((
            format!(
                "sleep 5 | nc -q0 127.0.0.1 $PORT & sleep 0.3; for i in 1 2 3 4; do kill -STOP $PID; sleep 0.1; \
                 kill -CONT $PID; sleep 0.1; done\n{ASKED_BESIDE}"
            ),
            SERVED.into(),
            "another exit status: it has ended, or waits for nothing any more".into(),
        )),
        "sigpipe-send" if fault.outcome == Outcome::Crash || fault.kind == Kind::Connect => {
            // The shell closes as soon as it has written, which nc does not: a close with a reply unread is a
            // reset, after which a write fails without the signal.
            let due: String = ["/sleep/200", "/", "/bytes/100000"]
                .iter()
                .map(|path| format!("GET {path} HTTP/1.1\\r\\nHost: probe\\r\\n\\r\\n"))
                .collect();
            Some((
                format!(
                    "bash -c 'for i in 1 2 3; do printf \"{due}{due}\" >/dev/tcp/127.0.0.1/$PORT; done'; sleep 2\n\
                     {ASKED_BESIDE}"
                ),
                SERVED.into(),
                "curl: 7: the server has ended".into(),
            ))
        }
        "killed-child" => {
            let state = "ps -o stat= --ppid $PID | awk '/Z/ { z++ } !/Z/ { n++ } END { print n + 0, z + 0 }'";
            Some((
                format!(
                    "sleep 9 | nc -q0 127.0.0.1 $PORT & sleep 0.3; {state}; kill -STOP $PID\n\
                     kill -KILL $(ps -o pid= --ppid $PID); sleep 0.2; kill -CONT $PID; sleep 3; {state}\n{ASKED_BESIDE}"
                ),
                format!("twice the same number of children, and 0 zombies; then {SERVED}"),
                "fewer children, or zombies, or no reply".into(),
            ))
        }
        "killed-parent" if fault.outcome == Outcome::Leak => Some((
            "(sleep 9 | nc -q0 127.0.0.1 $PORT &); sleep 0.5; children=$(ps -o pid= --ppid $PID)\n\
             kill -KILL $PID; sleep 4; ps -o pid=,args= -p \"$(echo $children | tr ' ' ,)\"; \
             kill -KILL $children 2>/dev/null"
                .into(),
            "no process is listed: its children have ended with it".into(),
            "its children are listed, a line each: they go on without it".into(),
        )),
        _ => None,
    }
}

/// Whether what was sent on one connection would show nothing of a fault of this probe: it is seen at the
/// process, after a signal or a second start, or takes several clients.
pub(crate) fn is_beside_a_connection(probe: &str, fault: &Fault) -> bool {
    let is_of_the_process = matches!(fault.outcome, Outcome::Leak | Outcome::Spin | Outcome::Starved)
        || matches!(probe, "restart-same-port" | "second-server" | "killed-parent" | "memory-while-idle");
    is_of_the_process
        || by_hand(probe, fault).is_some()
        || matches!(
            probe,
            "two-clients"
                | "reverse-order"
                | "idle-holders"
                | "idle-1000"
                | "idle-10000"
                | "fast-beside-slow"
                | "greedy-pipeliner"
                | "slow-reader-beside"
                | "connect-burst"
                | "stale-event"
                | "descriptor-churn"
                | "descriptor-limit"
                | "sigterm-in-flight"
                | "sigterm-idle"
                | "sigterm-every-worker"
                | "queued-at-sigterm"
                | "second-sigterm"
                | "ctrl-c-group"
        )
}
