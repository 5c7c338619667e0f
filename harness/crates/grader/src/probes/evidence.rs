//! What a reader is shown of a failure: the transcript, and one command that shows the same by hand.

use super::Probe;
use super::replays;
use super::shell::escaped;
use super::subject::{Target, start_line};
use super::transcript::{Event, Recorder, What, letter};
use super::verdict::{Fault, Kind, Outcome};
use lab_core::units::number;
use std::time::Duration;

/// What shows a failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// What was sent and received, a line an event, cut to what matters.
    pub transcript: Vec<String>,
    /// How to see it by hand, where one command can show it.
    pub replay: Option<Replay>,
}

/// Commands for a POSIX shell that show a failure, with what to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replay {
    /// The line that starts the server on `$PORT` and puts its process into `$PID`; `None` for a server that
    /// runs already.
    pub start: Option<String>,
    /// The command.
    pub command: String,
    /// What a right server shows.
    pub right: String,
    /// What this one shows.
    pub seen: String,
}

impl Replay {
    /// All of it as a script for `sh -c`, with a port that is free.
    pub fn script(&self, port: u16) -> String {
        match &self.start {
            Some(start) => format!(
                "export PORT={port}\n{start}\nsleep 1\n{}\n{{ kill -TERM $PID; sleep 1; kill -KILL $PID; }} 2>/dev/null\n",
                self.command
            ),
            None => self.command.clone(),
        }
    }

    /// What stands in a report, a line each.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        match &self.start {
            Some(start) => {
                lines.push(
                    "by hand ($PORT is any free port, $PID the process that the first line starts):".into(),
                );
                lines.push(format!("  export PORT=8080; {start}; sleep 1"));
            }
            None => lines.push("by hand:".to_owned()),
        }
        lines.extend(self.command.lines().map(|line| format!("  {line}")));
        if self.start.is_some() && !self.command.contains("wait $PID") {
            lines.push("  kill $PID".to_owned());
        }
        lines.push(format!("a right server: {}", self.right));
        lines.push(format!("this server: {}", self.seen));
        lines
    }
}

impl Evidence {
    /// What shows this fault of a probe.
    pub(crate) fn of(probe: &Probe, target: &Target, recorder: &Recorder, fault: &Fault) -> Option<Self> {
        if fault.outcome == Outcome::NotApplicable {
            return None;
        }
        let (events, gap) = recorder.kept();
        let parts = &fault.parts[..fault.parts.len().min(SHOWN_PARTS)];
        let lines = match parts {
            [] => transcript(&events, gap),
            _ => parts.iter().flat_map(|part| of_part(&events, part)).collect(),
        };
        Some(Self { transcript: lines, replay: replay(probe, target, &events, fault) })
    }
}

/// Of a probe with several faults, so many are shown.
const SHOWN_PARTS: usize = 3;

/// What belongs to one of several faults.
fn of_part(events: &[Event], part: &Fault) -> Vec<String> {
    let is_its = |event: &&Event| part.connection.is_some_and(|connection| has(event, connection));
    let its: Vec<Event> = events.iter().filter(is_its).cloned().collect();
    let mut lines = vec![format!("{}:", part.detail)];
    lines.extend(transcript(&its, None));
    lines
}

/// The commands of several faults, one below the other.
fn replay_of_parts(events: &[Event], parts: &[Fault]) -> Option<replays::ByHand> {
    let (mut commands, mut right, mut seen) = (Vec::new(), Vec::new(), Vec::new());
    for (number, part) in (1..).zip(parts.iter().take(SHOWN_PARTS)) {
        let Some(sent) = SentAgain::of(events, part) else { continue };
        commands.push(format!("echo '-- {number}'; {}", sent.command(part)));
        let shown = part.shown.as_deref()?;
        right.push(format!("{number}: {}", shown.right));
        seen.push(format!("{number}: {}", shown.seen));
    }
    (!commands.is_empty()).then(|| (commands.join("\n"), right.join("; "), seen.join("; ")))
}

/// Probe, fault and what was sent, as a command.
fn replay(probe: &Probe, target: &Target, events: &[Event], fault: &Fault) -> Option<Replay> {
    let shown = fault.shown.as_deref();
    let sentence = || match fault.outcome {
        Outcome::Crash => "a reply to every request, and it goes on running".to_owned(),
        _ => probe.sentence.to_owned(),
    };
    let (command, right, seen) = if let Some(command) = &fault.command {
        let right = shown.map_or_else(sentence, |shown| shown.right.clone());
        (command.clone(), right, shown.map_or_else(|| fault.detail.clone(), |shown| shown.seen.clone()))
    } else if let Some(replay) = replays::by_hand(probe.name, fault) {
        replay
    } else if !fault.parts.is_empty() {
        replay_of_parts(events, &fault.parts)?
    } else if replays::is_beside_a_connection(probe.name, fault) {
        return None;
    } else {
        let sent = SentAgain::of(events, fault)?;
        let mut right = shown.map_or_else(sentence, |shown| shown.right.clone());
        let mut seen = shown.map_or_else(|| fault.detail.clone(), |shown| shown.seen.clone());
        let command = sent.command(fault);
        if command.ends_with(COUNTED) {
            // The command prints a number, not what it is the number of.
            right.push_str(", and so a larger number of bytes");
            seen = format!("about {} bytes; {seen}", number(sent.received as f64));
        }
        (command, right, seen)
    };
    let signals_group = command.contains("-- -$PID");
    let start = start_line(target, &probe.setup, signals_group);
    let command = match (target, &start) {
        (Target::Address(addr), _) => {
            let (host, port) = (addr.ip(), addr.port());
            // Only on this machine is that one of our own addresses.
            let command = if host.is_loopback() { command } else { command.replace(FROM, "") };
            command
                .replace("127.0.0.1 $PORT", &format!("{host} {port}"))
                .replace("127.0.0.1/$PORT", &format!("{host}/{port}"))
                .replace("127.0.0.1:$PORT", &addr.to_string())
                .replace(CONNECTED_TO, &format!("(\"{host}\", {port})"))
        }
        // It does not come up, so there is nobody to ask.
        (_, Some(start))
            if fault.kind == Kind::Other && events.is_empty() && fault.outcome == Outcome::Crash =>
        {
            let command = "wait $PID; echo \"exit status $?\"".to_owned();
            let right = "it goes on running, and accepts connections".to_owned();
            return Some(Replay { start: Some(start.clone()), command, right, seen: fault.detail.clone() });
        }
        _ => command,
    };
    Some(Replay { start, command, right, seen })
}

/// What was sent on the connection of a fault, to be sent again.
struct SentAgain {
    /// Commands that write and wait.
    steps: Vec<String>,
    /// The connection took little at a time.
    is_narrow: bool,
    finishes: bool,
    received: u64,
    /// From the last byte that was sent to the last event.
    waited: Duration,
}

impl SentAgain {
    /// `None` where not every byte was kept, or nothing was sent.
    fn of(events: &[Event], fault: &Fault) -> Option<Self> {
        let connection = fault.connection?;
        let its: Vec<&Event> = events.iter().filter(|event| has(event, connection)).collect();
        // Without its begin it would be another request.
        let begin = its.first().filter(|it| matches!(it.what, What::Connected(_) | What::ConnectedNarrow))?;
        let is_narrow = begin.what == What::ConnectedNarrow;
        let mut sent =
            Self { steps: Vec::new(), is_narrow, finishes: false, received: 0, waited: Duration::ZERO };
        let (mut before, mut has_answer, mut last_sent) = (None::<Duration>, false, Duration::ZERO);
        for event in its {
            match &event.what {
                What::Sent { payload, pieces } => {
                    if let Some(before) = before {
                        let pause = event.at.saturating_sub(before).max(Duration::from_millis(50));
                        let pause = if has_answer { Duration::from_millis(200) } else { pause };
                        sent.steps.push(format!("sleep {:.1}", (pause.as_secs_f64() * 10.0).ceil() / 10.0));
                    }
                    let commands = payload.commands()?;
                    match pieces {
                        1 => sent.steps.extend(commands),
                        // A byte a write: od names each by its octal digits.
                        _ => sent.steps.push(format!(
                            "{{ {}; }} | od -An -v -to1 -w1 | while read -r o; do printf \"\\\\$o\"; sleep 0.01; done",
                            commands.join("; ")
                        )),
                    }
                    (before, has_answer, last_sent) = (Some(event.until), false, event.until);
                }
                What::SentAgain(_) => return None,
                What::Received { total, .. } => {
                    sent.received += total;
                    has_answer = true;
                }
                What::Finished => sent.finishes = true,
                _ => {}
            }
            sent.waited = event.until.saturating_sub(last_sent);
        }
        Some(sent).filter(|sent| !sent.steps.is_empty())
    }

    fn command(&self, fault: &Fault) -> String {
        /// More than this is not read on a screen.
        const SCREEN: u64 = 3_000;
        let seconds = (self.waited.as_secs_f64().ceil() as u64).clamp(1, 6);
        // With -N the sending side is shut, as the probe did; -q waits for what comes after the last byte.
        let options = if self.finishes { format!("-N -w{seconds}") } else { format!("-q{seconds}") };
        let filter = match fault.kind {
            // It would never end by itself.
            Kind::Endless if self.received > SCREEN => " | head -c 1000000 | wc -c",
            _ if self.received > SCREEN => COUNTED,
            _ => "",
        };
        let source = match &self.steps[..] {
            [step] if step.starts_with("printf") => step.clone(),
            steps => format!("{{ {}; }}", steps.join("; ")),
        };
        match self.is_narrow {
            false => format!("{source} | nc {options} 127.0.0.1 $PORT{filter}"),
            true => format!("{source} | {}{filter}", narrow(self.finishes, seconds)),
        }
    }
}

/// What counts the bytes of a reply that is too long for a screen.
const COUNTED: &str = " | wc -c";

/// Where a command of Python connects to.
pub(super) const CONNECTED_TO: &str = "(\"127.0.0.1\", int(os.environ[\"PORT\"]))";

/// Its own address, which the kernel has no memory of.
pub(super) const FROM: &str = "s.bind((\"127.7.7.%d\" % (os.getpid() % 254 + 1), 0)); ";

/// What makes the socket `s` small: its segments (6, 2: `TCP_MAXSEG`) and its window (1, 8: `SO_RCVBUF`).
pub(super) const NARROW: &str = "s.setsockopt(6, 2, 1460), s.setsockopt(1, 8, 4096)";

/// A client like nc with small segments and a small window (6, 2: `TCP_MAXSEG`; 1, 8: `SO_RCVBUF`), which
/// does not read before everything is sent: to such a one the server's writes are short, or fail with
/// `EAGAIN`. nc has no option for segments.
fn narrow(finishes: bool, seconds: u64) -> String {
    let finish = if finishes { "s.shutdown(1); " } else { "" };
    // In one line, since a report indents.
    format!(
        "python3 -c 'import os, select, socket, time; s = socket.socket(); {NARROW}; {FROM}s.connect({CONNECTED_TO}); \
         [s.sendall(b) for b in iter(lambda: os.read(0, 65536), b\"\")]; {finish}time.sleep(0.3); \
         list(iter(lambda: len(select.select([s], [], [], {seconds})[0]) and os.write(1, s.recv(65536)), 0))'"
    )
}

/// Whether an event is of this connection.
fn has(event: &Event, connection: u32) -> bool {
    match (event.connection, &event.what) {
        (Some(first), What::Connected(count)) => (first..first + count).contains(&connection),
        (its, _) => its == Some(connection),
    }
}

/// A line of the transcript: its time and letter, its text, and what makes two lines alike.
struct Line {
    at: Duration,
    until: Duration,
    text: String,
    key: u8,
}

/// At most so many lines are shown from the beginning,
const SHOWN_FIRST: usize = 12;
/// and so many from the end.
const SHOWN_LAST: usize = 24;

/// The events as lines: equal exchanges are folded, and the middle of a long list is left out.
fn transcript(events: &[Event], gap: Option<(usize, u64)>) -> Vec<String> {
    let lines = |events: &[Event]| folded(events.iter().map(line).collect());
    let (mut shown, behind) = match gap {
        None => (lines(events), Vec::new()),
        Some((at, dropped)) => {
            let (first, last) = events.split_at(at);
            let mut first = lines(first);
            first.push(format!("           … {} more events …", number(dropped as f64)));
            (first, lines(last))
        }
    };
    shown.extend(behind);
    if shown.len() > SHOWN_FIRST + SHOWN_LAST + 1 {
        let left_out = shown.len() - SHOWN_FIRST - SHOWN_LAST;
        let mark = format!("           … {left_out} more lines …");
        shown.splice(SHOWN_FIRST..SHOWN_FIRST + left_out, [mark]);
    }
    shown
}

fn line(event: &Event) -> Line {
    let (text, key) = match &event.what {
        What::Connected(1) => ("connected".to_owned(), 0),
        What::Connected(count) => {
            let last = letter(event.connection.unwrap_or(0) + count - 1);
            (format!("connected, and {} more up to {last}", number(f64::from(count - 1))), 0)
        }
        What::ConnectedNarrow => ("connected, with small segments and a small window".to_owned(), 0),
        What::NotConnected(why) => (format!("not connected: {why}"), 1),
        What::Sent { payload, pieces: 1 } => (format!("> {}", payload.shown(160)), 2),
        What::Sent { payload, pieces } => (format!("> {} in {pieces} pieces", payload.shown(160)), 2),
        What::SentAgain(count) => (format!("> the same again, × {}", number(*count as f64)), 3),
        What::Received { kept, total, is_whole } => {
            let cut = &kept[..kept.len().min(200)];
            let mut text = format!("< \"{}\"", escaped(cut));
            if (cut.len() as u64) < *total {
                text.push_str(&format!(" … {} bytes in all", number(*total as f64)));
            }
            if !is_whole {
                text.push_str(" (no whole reply)");
            }
            let status = kept.iter().take(12).fold(0u8, |key, byte| key.wrapping_mul(31).wrapping_add(*byte));
            (text, 16 + status / 2)
        }
        What::Waited(limit) => (format!("  nothing more for {limit:?}"), 4),
        What::Finished => ("> end of what is sent".to_owned(), 5),
        What::Closed => ("closed by the probe".to_owned(), 6),
        What::Reset => ("reset by the probe".to_owned(), 7),
        What::Ended => ("< end of the connection".to_owned(), 8),
        What::WasReset => ("< reset".to_owned(), 9),
        What::Note(text) => (text.clone(), 10),
    };
    let letter = event.connection.map_or_else(String::new, letter);
    let text = format!("{:>8.1} {letter:<2} {text}", event.at.as_secs_f64() * 1e3);
    Line { at: event.at, until: event.until, text, key }
}

/// Blocks of lines of the same kinds that follow each other are folded: the first and the last are shown.
fn folded(lines: Vec<Line>) -> Vec<String> {
    /// A block that is longer is no exchange of one request.
    const LONGEST_BLOCK: usize = 8;
    let mut shown = Vec::new();
    let mut at = 0;
    let is_alike = |a: usize, b: usize, length: usize| {
        (0..length).all(|i| lines.get(b + i).is_some_and(|line| line.key == lines[a + i].key))
    };
    while at < lines.len() {
        let times = |length: usize| (1..).take_while(|k| is_alike(at, at + k * length, length)).count() + 1;
        let block = (1..=LONGEST_BLOCK)
            .map(|length| (length, if at + length <= lines.len() { times(length) } else { 1 }))
            .find(|(length, times)| *times >= 4 && length * times > 6);
        let Some((length, times)) = block else {
            shown.push(lines[at].text.clone());
            at += 1;
            continue;
        };
        let end = at + length * times;
        shown.extend(lines[at..at + length].iter().map(|line| line.text.clone()));
        let until = lines[end - length - 1].until.max(lines[end - length - 1].at);
        let what = if length == 1 { "like this one" } else { "exchanges like this one" };
        shown.push(format!(
            "           … {} more {what}, until {:.1} …",
            number((times - 2) as f64),
            until.as_secs_f64() * 1e3
        ));
        shown.extend(lines[end - length..end].iter().map(|line| line.text.clone()));
        at = end;
    }
    shown
}
