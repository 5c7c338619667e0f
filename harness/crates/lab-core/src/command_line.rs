//! How a mistake in a command line is reported.

use clap::error::{ContextKind, ContextValue};
use std::fmt;
use std::ops::RangeInclusive;

/// A mistake in the command line that only the command itself can see: a stage that does not exist, two
/// options that contradict each other. It ends with the status that clap's own mistakes have, 2; whatever
/// fails later ends with 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Usage(String);

impl Usage {
    /// What was wrong and what is allowed, in one line.
    pub fn new(message: impl fmt::Display) -> Self {
        Self(message.to_string())
    }

    /// An error that a text from the command line has caused, with its causes.
    pub fn of(error: impl Into<anyhow::Error>) -> Self {
        Self(format!("{:#}", error.into()))
    }
}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

/// The message of clap in one line: what was wrong, a tip if there is one, and what is allowed or where it is
/// listed. For errors alone: the texts of `--help` and `--version` are errors of clap's too, of the kinds
/// `DisplayHelp…` and `DisplayVersion`.
pub fn one_line(error: &clap::Error) -> String {
    let text = error.to_string();
    let text = text.strip_prefix("error: ").unwrap_or(&text);
    let is_message = |paragraph: &&str| !paragraph.starts_with("Usage") && !paragraph.starts_with("For more");
    let paragraphs = text.split("\n\n").take_while(is_message);
    let lines = paragraphs.map(|paragraph| paragraph.split_whitespace().collect::<Vec<_>>().join(" "));
    let message = lines.collect::<Vec<_>>().join("; ");
    match error.get(ContextKind::ValidValue) {
        Some(ContextValue::Strings(values)) if !values.is_empty() => message,
        _ => format!("{message}; see --help"),
    }
}

/// A parser of whole numbers in a range. Unlike clap's own it says what is allowed of a text that is no
/// number too.
pub fn whole<T: TryFrom<u64>>(
    allowed: RangeInclusive<u64>,
) -> impl Fn(&str) -> Result<T, String> + Clone + Send + Sync + 'static {
    move |text| {
        let number = text.parse().ok().filter(|number| allowed.contains(number));
        let number = number.and_then(|number| T::try_from(number).ok());
        number.ok_or_else(|| format!("a whole number in {allowed:?} is allowed"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{Arg, Command, value_parser};

    /// Protects the exit status: a mistake stays one whatever is said in front of it.
    #[test]
    fn a_mistake_is_known_behind_its_context() {
        use anyhow::Context;
        let error = Err::<(), _>(Usage::of(anyhow::anyhow!("no port").context("--addr")));
        let error = error.context("grade").expect_err("a mistake");
        assert!(error.is::<Usage>(), "{error:?}");
        assert_eq!(format!("{error:#}"), "grade: --addr: no port");
    }

    #[test]
    fn a_number_that_is_not_allowed_is_told_the_range() {
        let parse = whole::<u8>(1..=300);
        assert_eq!((parse("1"), parse("255")), (Ok(1), Ok(255)));
        for text in ["0", "301", "256", "-1", "x", ""] {
            assert_eq!(parse(text), Err("a whole number in 1..=300 is allowed".into()), "{text}");
        }
    }

    /// Protects the contract of every command: one line that says what was wrong and what is allowed.
    #[test]
    fn every_mistake_is_one_line() {
        let rows: [(&[&str], &str); 7] = [
            (&["--size", "big"], "invalid value 'big' for '--size <size>' [possible values: small, large]"),
            (&["--count", "0"], "invalid value '0' for '--count <count>': 0 is not in 1..=9; see --help"),
            (&["--count", "a\n\nUsage"], "invalid value 'a"),
            (
                &["--sizes", "big"],
                "unexpected argument '--sizes' found; tip: a similar argument exists: '--size'",
            ),
            (&["--count", "1", "--only"], "the argument '--count <count>' cannot be used with '--only'"),
            (&["--count"], "a value is required for '--count <count>' but none was supplied; see --help"),
            (&[], "the following required arguments were not provided: --count <count>; see --help"),
        ];
        for (args, expected) in rows {
            let command = Command::new("x")
                .arg(Arg::new("size").long("size").value_parser(["small", "large"]))
                .arg(
                    Arg::new("count")
                        .long("count")
                        .required(true)
                        .value_parser(value_parser!(u8).range(1..=9)),
                )
                .arg(Arg::new("only").long("only").num_args(0).conflicts_with("count"));
            let error = command.try_get_matches_from([&["x"], args].concat()).expect_err("a mistake");
            let line = one_line(&error);
            assert!(line.starts_with(expected) && !line.contains('\n'), "{line}");
        }
    }
}
