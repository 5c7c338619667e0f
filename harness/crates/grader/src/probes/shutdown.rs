//! How the server ends, and how it refuses to begin.

use super::client::{Client, LIMIT, get};
use super::heads::answer;
use super::probe::PLAIN;
use super::shell::word;
use super::subject::{Subject, command_line, run_to_end};
use super::tree::Snapshot;
use super::verdict::{Fault, Kind, Verdict};
use lab_core::server_process::Server;
use nix::sys::signal::Signal;
use std::cell::Cell;
use std::net::TcpListener;
use std::os::unix::process::ExitStatusExt;
use std::thread;
use std::time::{Duration, Instant};

/// The drain of 2 s, and time for a busy machine.
const DRAINED: Duration = Duration::from_secs(3);

/// Long enough for the server to be inside what it has just read, or to have seen a signal.
const SETTLE: Duration = Duration::from_millis(250);

/// Long enough for a server that the first signal ends, be it slowly, and less than the drain.
const FIRST_SIGNAL: Duration = Duration::from_millis(1_200);

/// A client that was served once, so the server has accepted it for certain; or, of a server that closes
/// after each reply, one that was connected a while ago.
fn accepted(subject: &Subject<'_>) -> Result<Client, Fault> {
    let mut client = subject.connect()?;
    client.ask(&get("/"))?.must_be_hello()?;
    thread::sleep(Duration::from_millis(20));
    if subject.target.is_foreign() && client.has_answer() {
        client = subject.connect()?;
        thread::sleep(SETTLE);
    }
    Ok(client)
}

/// A client whose request for a sleep the server is handling. A server that is too busy to read the request
/// before the signal comes may end without answering it, and rightly: nothing of it was in flight. Nor is
/// anything if the sleep is over before this thread has come to the signal: then a longer one is asked for.
fn in_flight(subject: &Subject<'_>, sleep: Duration) -> Result<Client, Fault> {
    const TRIES: u32 = 3;
    let mut tried = 1;
    loop {
        let mut client = accepted(subject)?;
        let sleep = sleep * tried;
        let start = Instant::now();
        client.send(&get(&format!("/sleep/{}", sleep.as_millis())))?;
        while client.is_read_by_server() == Some(false) && start.elapsed() < LIMIT {
            thread::sleep(Duration::from_millis(5));
        }
        thread::sleep(SETTLE);
        // A quarter of it is left for the signal to arrive.
        if start.elapsed() < sleep * 3 / 4 || tried == TRIES {
            return Ok(client);
        }
        tried += 1;
    }
}

fn terminate(subject: &mut Subject<'_>) -> Verdict {
    subject.ending_process()?.signal(Signal::SIGTERM);
    subject.recorder.note("SIGTERM is sent to the server");
    Ok(())
}

/// The same at the SIGINT of a terminal, which every process of the group gets.
pub(super) fn ctrl_c_group(subject: &mut Subject<'_>) -> Verdict {
    let processes = Cell::new(0);
    let verdict = finishes_what_is_in_flight(subject, |server| {
        processes.set(Snapshot::of(server.pid()).processes);
        server.signal_group(Signal::SIGINT);
    });
    verdict.map_err(|fault| match processes.get() {
        0 | 1 => {
            fault.hinting("Handle SIGINT as SIGTERM: stop accepting, finish what began, close the rest.")
        }
        _ => fault,
    })
}

pub(super) fn finishes_what_is_in_flight(subject: &mut Subject<'_>, signal: impl Fn(&Server)) -> Verdict {
    let mut client = in_flight(subject, Duration::from_millis(500))?;
    signal(subject.ending_process()?);
    subject.recorder.note("the signal is sent to the server");
    client.reply()?.must_be_ok()?;
    client.end_within(LIMIT)?;
    subject.must_exit_cleanly(DRAINED)
}

/// The reply that is in flight at the signal is the last one of its connection, and says so: its client would
/// send the next request into a connection that is about to end.
pub(super) fn sigterm_says_close(subject: &mut Subject<'_>) -> Verdict {
    let is_foreign = subject.target.is_foreign();
    let mut client = in_flight(subject, Duration::from_millis(500))?;
    terminate(subject)?;
    let answer = match answer(&mut client) {
        Err(_) if is_foreign => {
            return Err(Fault::not_applicable("it does not answer what is in flight: see sigterm-in-flight"));
        }
        answer => answer?,
    };
    if !answer.says_close() {
        if is_foreign {
            return Err(Fault::not_applicable("it closes without a word, as it may (RFC 9112 9.6)"));
        }
        let fault = Fault::wrong("the last reply of a connection does not say `Connection: close`");
        let command = "curl -s -m 5 -D - -o /dev/null http://127.0.0.1:$PORT/sleep/500 | grep -i connection & \
                       sleep 0.25; kill -TERM $PID; wait $PID; sleep 0.5; echo done";
        return Err(fault.shows("Connection: close", "nothing but done").shown_by(command));
    }
    client.end_within(LIMIT)?;
    subject.must_exit_cleanly(DRAINED)
}

pub(super) fn sigterm_idle(subject: &mut Subject<'_>) -> Verdict {
    match idle_at_sigterm(subject) {
        // A busy machine may keep a right server from its CPU for so long; a wrong one waits each time.
        Err(fault) if matches!(fault.kind, Kind::Running) => {
            *subject = Subject::start(subject.target, &PLAIN)?;
            subject.recorder.note("another server is started, in case the machine was busy");
            idle_at_sigterm(subject)
        }
        verdict => verdict,
    }
}

fn idle_at_sigterm(subject: &mut Subject<'_>) -> Verdict {
    let mut client = accepted(subject)?;
    terminate(subject)?;
    // Less than the drain: there is nothing to wait for.
    subject.must_exit_cleanly(Duration::from_millis(1_500))?;
    client.end_within(LIMIT)
}

pub(super) fn second_sigterm(subject: &mut Subject<'_>) -> Verdict {
    let _client = in_flight(subject, Duration::from_secs(5))?;
    terminate(subject)?;
    // Two pending signals of one kind are one: the first must be taken before the second is sent. And a
    // virtual machine that does nothing but end at the first one takes a while for that.
    if subject.process()?.wait(FIRST_SIGNAL).is_some() {
        return Err(Fault::wrong("the first signal ended it, with a request in flight"));
    }
    terminate(subject)?;
    let status = subject.exit_within(Duration::from_secs(1))?;
    // A shell shows 143 for both.
    if status.code() == Some(128 + 15) || status.signal() == Some(15) {
        return Ok(());
    }
    let fault = Fault::wrong(format!("ended with {status} instead of 143")).of(Kind::ExitStatus);
    Err(fault.shows("exit status 143", format!("{status}")))
}

pub(super) fn bad_option(subject: &mut Subject<'_>) -> Verdict {
    let refuses = |options: &[&str], addr, code: i32, named: &str| -> Verdict {
        let Some(launch) = subject.target.launch(options, addr) else {
            return Err(Fault::not_applicable("nothing can be started"));
        };
        // The port that is taken has to be taken by hand first.
        let (before, line) = command_line(subject.target, options, "127.0.0.1:$PORT").unwrap_or_default();
        let taken = if addr.is_some() { "timeout 8 nc -l 127.0.0.1 $PORT & sleep 0.5; " } else { "" };
        let command = format!(
            "export PORT=${{PORT:-8080}}; {before}{taken}timeout 5 sh -c {}; echo \"exit status $?\"",
            word(&line)
        );
        let what = if addr.is_some() { "the port" } else { named };
        let right = format!("one line on stderr that names {what}, and exit status {code}");
        let shown = |fault: Fault, seen: &str| fault.shows(&right, seen).shown_by(&command);
        let ended = run_to_end(&launch).map_err(|fault| shown(fault, "it runs until it is ended (124)"))?;
        if let Some(status) = ended.status.filter(|status| status.code() != Some(code)) {
            let fault = Fault::wrong(format!("{named}: {status} instead of {code}"));
            return Err(shown(fault.of(Kind::ExitStatus), &status.to_string()));
        }
        if ended.lines != 1 || !ended.stderr.contains(named) {
            let lines = ended.lines;
            let fault = Fault::wrong(format!("{named}: {lines} lines on stderr, not one that names it"));
            return Err(shown(fault, &format!("{lines} lines, or one that does not name it")));
        }
        Ok(())
    };
    refuses(&["--no-such-option"], None, 2, "--no-such-option")?;
    refuses(&["--backlog", "banana"], None, 2, "banana")?;
    let occupied = TcpListener::bind("127.0.0.1:0").and_then(|listener| {
        let addr = listener.local_addr()?;
        Ok((listener, addr))
    });
    let (_listener, addr) =
        occupied.map_err(|error| Fault::not_applicable(format!("no free port: {error}")))?;
    refuses(&[], Some(addr), 1, &addr.port().to_string())
}
