//! Conditional requests (RFC 9110 §13) and the range that depends on one.

use super::grammar::trim;
use super::range::{Part, Range};
use httparse::Header;
use std::time::SystemTime;

/// What distinguishes one version of a file from another.
#[derive(Clone, Debug)]
pub(super) struct Validators {
    /// The strong entity tag, with its quotes.
    pub(super) etag: Vec<u8>,
    /// The time of the last change, in whole seconds, never in the future.
    pub(super) modified: SystemTime,
}

/// The conditional fields of a request.
#[derive(Debug, Default)]
pub(super) struct Conditions {
    if_match: Option<Vec<u8>>,
    if_unmodified_since: Singleton<SystemTime>,
    if_none_match: Option<Vec<u8>>,
    if_modified_since: Singleton<SystemTime>,
    if_range: Singleton<Vec<u8>>,
    range: Singleton<Range>,
}

/// A field that has one value and is not a list (RFC 9110 §5.5). If a request has two lines of it, it is
/// unclear which one counts, so neither does: recipients that chose differently would answer differently.
#[derive(Debug, Default, PartialEq, Eq)]
enum Singleton<T> {
    #[default]
    Absent,
    Valid(T),
    /// Malformed, or given more than once.
    Invalid,
}

impl<T> Singleton<T> {
    /// Takes one line of the field; `None` is a value that is malformed.
    fn add_line(&mut self, value: Option<T>) {
        *self = match (&*self, value) {
            (Self::Absent, Some(value)) => Self::Valid(value),
            _ => Self::Invalid,
        };
    }

    /// The value, if there is exactly one and it is well-formed.
    fn valid(&self) -> Option<&T> {
        match self {
            Self::Valid(value) => Some(value),
            Self::Absent | Self::Invalid => None,
        }
    }
}

/// What the conditions make of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Send the file.
    Proceed,
    /// 304: the client has this version.
    NotModified,
    /// 412: the client wanted another version.
    Failed,
}

impl Conditions {
    /// Reads the fields. A date field that is not exactly one valid date is ignored (RFC 9110
    /// §13.1.3, §13.1.4).
    pub(super) fn read(headers: &[Header<'_>]) -> Self {
        let mut conditions = Self::default();
        for Header { name, value } in headers {
            match name.len() {
                5 if name.eq_ignore_ascii_case("range") => {
                    conditions.range.add_line(Range::parse(trim(value)))
                }
                8 if name.eq_ignore_ascii_case("if-match") => join(&mut conditions.if_match, value),
                8 if name.eq_ignore_ascii_case("if-range") => {
                    conditions.if_range.add_line(Some(trim(value).to_vec()));
                }
                13 if name.eq_ignore_ascii_case("if-none-match") => {
                    join(&mut conditions.if_none_match, value)
                }
                17 if name.eq_ignore_ascii_case("if-modified-since") => {
                    conditions.if_modified_since.add_line(date(value));
                }
                19 if name.eq_ignore_ascii_case("if-unmodified-since") => {
                    conditions.if_unmodified_since.add_line(date(value));
                }
                _ => {}
            }
        }
        conditions
    }

    /// Evaluates the conditions in the order of RFC 9110 §13.2.2: an entity tag beats a date.
    pub(super) fn evaluate(&self, file: &Validators) -> Verdict {
        let unchanged_since = |date: &SystemTime| file.modified <= *date;
        let wanted = match &self.if_match {
            Some(list) => lists(list, &file.etag, Comparison::Strong),
            None => self.if_unmodified_since.valid().is_none_or(unchanged_since),
        };
        let known = match &self.if_none_match {
            Some(list) => lists(list, &file.etag, Comparison::Weak),
            None => self.if_modified_since.valid().is_some_and(unchanged_since),
        };
        match (wanted, known) {
            (false, _) => Verdict::Failed,
            (true, true) => Verdict::NotModified,
            (true, false) => Verdict::Proceed,
        }
    }

    /// The part of a file of `size` bytes that is asked for. If an If-Range names another version, or there
    /// are two, that is the whole file: a part is safe only if the client certainly has the rest of it.
    pub(super) fn part(&self, file: &Validators, size: u64) -> Part {
        let Some(range) = self.range.valid() else { return Part::Whole };
        let same_version = match &self.if_range {
            Singleton::Absent => true,
            Singleton::Valid(tag) if tag.starts_with(b"\"") => *tag == file.etag,
            Singleton::Valid(value) => date(value) == Some(file.modified),
            Singleton::Invalid => false,
        };
        if same_version { range.of(size) } else { Part::Whole }
    }
}

/// Several lines of a list are one list (RFC 9110 §5.3).
fn join(list: &mut Option<Vec<u8>>, value: &[u8]) {
    let list = list.get_or_insert_default();
    list.push(b',');
    list.extend_from_slice(value);
}

fn date(value: &[u8]) -> Option<SystemTime> {
    std::str::from_utf8(trim(value)).ok().and_then(|text| httpdate::parse_http_date(text).ok())
}

/// How entity tags are compared (RFC 9110 §8.8.3.2).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Comparison {
    /// A weak tag equals nothing.
    Strong,
    /// The `W/` does not count.
    Weak,
}

/// Whether a list of entity tags names this one, or is `*`. What comes after a malformed tag is ignored.
fn lists(list: &[u8], etag: &[u8], comparison: Comparison) -> bool {
    let mut rest = list;
    loop {
        rest = match rest {
            [b' ' | b'\t' | b',', tail @ ..] => tail,
            [b'*', ..] => return true,
            _ => {
                let (weak, tag) = match rest.strip_prefix(b"W/") {
                    Some(tag) => (true, tag),
                    None => (false, rest),
                };
                let Some(b'"') = tag.first() else { return false };
                let Some(end) = tag[1..].iter().position(|&byte| byte == b'"') else { return false };
                let (tag, tail) = tag.split_at(end + 2);
                if tag == etag && !(weak && comparison == Comparison::Strong) {
                    return true;
                }
                tail
            }
        };
    }
}
