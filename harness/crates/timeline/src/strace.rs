//! What strace(1) writes with `-f -ttt -T`: one call a line, or two where another task's call came between.
//!
//! ```text
//! 71 1700000000.000100 accept4(4<socket:[9]>, NULL, NULL, SOCK_CLOEXEC <unfinished ...>
//! 72 1700000000.000150 futex(0x7f00, FUTEX_WAKE_PRIVATE, 1) = 1 <0.000016>
//! 71 1700000000.000200 <... accept4 resumed>) = 5<socket:[10]> <0.000100>
//! ```
//!
//! Nothing here knows what a call means.

use std::collections::HashMap;

/// One system call of one task (a thread, or a process with one thread).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    /// The kernel's number of the task.
    pub(crate) task: i32,
    /// When the task entered it, in µs since 1970.
    pub(crate) start: i64,
    /// When it returned; `None` if the trace ends before.
    pub(crate) end: Option<i64>,
    /// `accept4`.
    pub(crate) name: String,
    /// What stands between the parentheses, as strace writes it.
    pub(crate) args: String,
    /// What stands behind the `=`; empty if the trace ends before.
    pub(crate) result: String,
}

/// What a trace has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Trace {
    /// In the order in which they began.
    pub(crate) calls: Vec<Call>,
    /// Which tasks ended, and when, in µs since 1970.
    pub(crate) ends: Vec<(i32, i64)>,
}

impl Call {
    /// The number that it returned: a count, a descriptor, or −1.
    pub(crate) fn value(&self) -> Option<i64> {
        let is_digit = |c: char| c.is_ascii_digit() || c == '-';
        self.result.split(|c| !is_digit(c)).next()?.parse().ok()
    }

    /// The error's name, such as `EAGAIN`.
    pub(crate) fn error(&self) -> Option<&str> {
        let name = self.result.strip_prefix("-1 ")?.split(' ').next()?;
        name.starts_with('E').then_some(name)
    }

    /// The arguments: what is between the commas that are in no string and no bracket.
    pub(crate) fn arguments(&self) -> Vec<&str> {
        let mut places = vec![0];
        let mut scan = Scan::default();
        for (at, byte) in self.args.bytes().enumerate() {
            scan.step(byte);
            if byte == b',' && scan.is_outside() {
                places.push(at + 1);
            }
        }
        places.push(self.args.len() + 1);
        places.windows(2).map(|pair| self.args[pair[0]..pair[1] - 1].trim()).collect()
    }

    /// One argument, from 0.
    pub(crate) fn argument(&self, index: usize) -> &str {
        self.arguments().get(index).copied().unwrap_or_default()
    }
}

/// Reads a trace. A last line that is cut off, and whatever is not a call or an end, is left out.
pub(crate) fn parse(bytes: &[u8]) -> Trace {
    let whole = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
    let text = String::from_utf8_lossy(&bytes[..whole]);
    let mut trace = Trace::default();
    // The calls that each task is in: their places in the list.
    let mut open: HashMap<i32, usize> = HashMap::new();
    for line in text.lines() {
        let Some((task, time, rest)) = prefix(line) else { continue };
        if rest.starts_with("+++ ") {
            trace.ends.push((task, time));
        } else if let Some(resumed) = rest.strip_prefix("<... ") {
            let Some(place) = open.remove(&task) else { continue };
            let Some((name, rest)) = resumed.split_once(" resumed>") else { continue };
            let call = &mut trace.calls[place];
            if call.name == name {
                finish(call, rest);
            }
        } else if let Some((name, rest)) = named(rest) {
            let (name, args, result) = (name.to_owned(), String::new(), String::new());
            let mut call = Call { task, start: time, end: None, name, args, result };
            match rest.strip_suffix("<unfinished ...>") {
                Some(args) => {
                    args.trim_end().clone_into(&mut call.args);
                    open.insert(task, trace.calls.len());
                }
                None => finish(&mut call, rest),
            }
            trace.calls.push(call);
        }
    }
    // strace writes them so already, but for the clock's own steps.
    trace.calls.sort_by_key(|call| call.start);
    trace
}

/// Task, time and the rest of a line.
fn prefix(line: &str) -> Option<(i32, i64, &str)> {
    let (task, rest) = line.trim_start().split_once(' ')?;
    let (time, rest) = rest.trim_start().split_once(' ')?;
    Some((task.parse().ok()?, micros(time)?, rest))
}

/// Seconds with a fraction, as µs. A number with a sign is none.
fn micros(text: &str) -> Option<i64> {
    let (seconds, fraction) = text.split_once('.')?;
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(seconds) || !is_number(fraction) {
        return None;
    }
    let fraction = format!("{fraction:0<6}");
    seconds.parse::<i64>().ok()?.checked_mul(1_000_000)?.checked_add(fraction.get(..6)?.parse().ok()?)
}

/// The name of a call, and what follows its parenthesis.
fn named(text: &str) -> Option<(&str, &str)> {
    let (name, rest) = text.split_once('(')?;
    let is_name = |name: &str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    (!name.is_empty() && is_name(name)).then_some((name, rest))
}

/// Adds the rest of a call: `args) = result <duration>`.
fn finish(call: &mut Call, rest: &str) {
    if !call.args.is_empty() && !rest.starts_with([')', ',']) {
        call.args.push(' ');
    }
    let held = call.args.len();
    call.args.push_str(rest);
    let Some(close) = closing(&call.args) else {
        call.args.truncate(held);
        return;
    };
    let tail = call.args.split_off(close);
    let Some(result) = tail.trim_start_matches(')').trim_start().strip_prefix("= ") else { return };
    let timed = result.strip_suffix('>').and_then(|text| text.rsplit_once(" <"));
    let took = timed.and_then(|(result, took)| Some((result, micros(took)?)));
    let (result, took) = took.map_or((result, None), |(result, took)| (result, Some(took)));
    result.trim_end().clone_into(&mut call.result);
    call.end = took.map(|took| call.start + took);
}

/// Where the parenthesis stands that ends the arguments.
fn closing(args: &str) -> Option<usize> {
    let mut scan = Scan { depth: 1, ..Scan::default() };
    args.bytes().position(|byte| {
        scan.step(byte);
        scan.depth == 0
    })
}

/// Knows whether a place is in a string, in brackets, or in the name of a descriptor's file.
#[derive(Default)]
struct Scan {
    depth: i32,
    in_string: bool,
    in_file: bool,
    escaped: bool,
    before: u8,
}

impl Scan {
    fn step(&mut self, byte: u8) {
        let before = std::mem::replace(&mut self.before, byte);
        if self.escaped {
            self.escaped = false;
        } else if self.in_string {
            self.escaped = byte == b'\\';
            self.in_string = byte != b'"';
        } else if self.in_file {
            // `->` is between two addresses; another `>` in a name is escaped.
            self.in_file = byte != b'>' || before == b'-';
        } else {
            match byte {
                b'"' => self.in_string = true,
                b'<' if before.is_ascii_digit() => self.in_file = true,
                b'(' | b'[' | b'{' => self.depth += 1,
                b')' | b']' | b'}' => self.depth -= 1,
                _ => {}
            }
        }
    }

    fn is_outside(&self) -> bool {
        self.depth == 0 && !self.in_string && !self.in_file
    }
}

/// A descriptor and what it is: `5<socket:[10]>` is 5 and `socket:[10]`.
pub(crate) fn descriptor(text: &str) -> Option<(i32, &str)> {
    let (number, file) = text.split_once('<')?;
    Some((number.trim().parse().ok()?, file.split_once('>')?.0))
}

/// The bytes of a string argument as strace writes them, without the quotes.
pub(crate) fn string(argument: &str) -> Option<&str> {
    let text = argument.strip_prefix('"')?;
    text.strip_suffix("\"...").or_else(|| text.strip_suffix('"'))
}

/// A field of a structure: `u64` of `{events=EPOLLIN, data={u32=7, u64=7}}` is `7`.
pub(crate) fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let mut rest = text;
    loop {
        let at = rest.find(name)?;
        let is_start = !rest[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
        rest = &rest[at + name.len()..];
        if let (true, Some(value)) = (is_start, rest.strip_prefix('=')) {
            return value.split([',', '}', ']', ')']).next();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const POOL: &[u8] = include_bytes!("../tests/fixtures/thread-pool.strace");
    const PREFORK: &[u8] = include_bytes!("../tests/fixtures/prefork.strace");

    fn only(line: &str) -> Call {
        let mut calls = parse(format!("{line}\n").as_bytes()).calls;
        assert_eq!(calls.len(), 1, "{line}");
        calls.remove(0)
    }

    #[test]
    fn a_call_on_one_line_is_taken_apart() {
        let call = only(
            "  72 1700000000.000150 recvfrom(5<socket:[10]>, \"a) = 1, \\\"b\"..., 9, {x=[1, 2]}, NULL) = 9 <0.000016>",
        );
        assert_eq!(
            (call.task, call.start, call.end),
            (72, 1_700_000_000_000_150, Some(1_700_000_000_000_166))
        );
        let args = ["5<socket:[10]>", "\"a) = 1, \\\"b\"...", "9", "{x=[1, 2]}", "NULL"];
        assert_eq!((call.name.as_str(), call.arguments()), ("recvfrom", args.to_vec()));
        assert_eq!((call.value(), call.error()), (Some(9), None));
    }

    #[test]
    fn an_error_and_a_file_with_brackets_are_understood() {
        let call =
            only("1 1.5 read(3</tmp/a(b>, 0x7ffe, 1) = -1 EAGAIN (Resource temporarily unavailable) <0.1>");
        assert_eq!((call.value(), call.error(), call.end), (Some(-1), Some("EAGAIN"), Some(1_600_000)));
        assert_eq!(descriptor(call.argument(0)), Some((3, "/tmp/a(b")));
    }

    #[test]
    fn two_halves_are_joined_whatever_stands_between() {
        let text = "71 1.000100 epoll_wait(5<anon_inode:[eventpoll]>,  <unfinished ...>\n\
                    72 1.000150 close(4) = 0 <0.000001>\n\
                    71 1.000200 <... epoll_wait resumed>[{events=EPOLLIN, data={u32=7, u64=70}}], 64, -1) = 1 <0.000100>\n";
        let trace = parse(text.as_bytes());
        let call = &trace.calls[0];
        assert_eq!((call.start, call.end, call.value()), (1_000_100, Some(1_000_200), Some(1)));
        assert_eq!(call.argument(1), "[{events=EPOLLIN, data={u32=7, u64=70}}]");
        assert_eq!(field(call.argument(1), "u64"), Some("70"));
        assert_eq!(trace.calls[1].name, "close");
    }

    #[test]
    fn a_call_that_never_returned_has_no_end() {
        let trace = parse(b"71 1.0 accept4(4<socket:[9]>, NULL <unfinished ...>\n72 1.1 exit_group(0) = ?\n72 1.2 +++ exited with 0 +++\n");
        assert_eq!(trace.calls[0].args, "4<socket:[9]>, NULL");
        assert!(trace.calls.iter().all(|call| call.end.is_none()));
        assert_eq!(trace.ends, [(72, 1_200_000)]);
    }

    /// Protects the pages of servers that are killed: their traces end anywhere.
    fn agrees(bytes: &[u8], cut: usize) {
        let (whole, part) = (parse(bytes), parse(&bytes[..cut]));
        for call in &part.calls {
            let same =
                |other: &&Call| (other.task, other.start, &other.name) == (call.task, call.start, &call.name);
            let found = whole.calls.iter().find(same).expect("a call of a part is one of the whole");
            if call.end.is_some() {
                assert_eq!(found, call);
            } else {
                assert!(found.args.starts_with(&call.args), "{found:?} {call:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn any_prefix_of_a_recorded_trace_parses(share in 0.0..1.0_f64) {
            for bytes in [POOL, PREFORK] {
                agrees(bytes, (bytes.len() as f64 * share) as usize);
            }
        }

        #[test]
        fn rubbish_does_not_stop_the_parser(bytes: Vec<u8>, share in 0.0..1.0_f64) {
            let at = (POOL.len() as f64 * share) as usize;
            let _ = parse(&[&POOL[..at], &bytes, &POOL[at..]].concat());
        }
    }

    #[test]
    fn every_call_of_a_recorded_trace_that_was_resumed_is_whole() {
        for (bytes, resumed) in [(POOL, "resumed>"), (PREFORK, "resumed>")] {
            let (text, trace) = (String::from_utf8_lossy(bytes), parse(bytes));
            assert!(text.contains(resumed));
            let never =
                trace.calls.iter().filter(|call| call.end.is_none() && call.result.is_empty()).count();
            let unfinished = text.matches("<unfinished ...>").count() - text.matches(" resumed>").count();
            assert_eq!(never, unfinished);
            assert!(trace.calls.len() > 20 && trace.calls.iter().all(|call| !call.args.contains("resumed")));
        }
    }
}
