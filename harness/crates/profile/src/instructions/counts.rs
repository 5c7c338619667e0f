//! What callgrind writes, as counts by function.

use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::fs::read_to_string;
use std::path::Path;

/// Options of callgrind that [`Counts::read`] depends on: names and positions in full.
pub(super) const OPTIONS: [&str; 3] = ["--tool=callgrind", "--compress-strings=no", "--compress-pos=no"];

/// Instructions by function, those of the functions that it calls left out.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Counts(BTreeMap<String, u64>);

impl Counts {
    /// Reads a file of callgrind's.
    pub(super) fn read(file: &Path) -> Result<Self> {
        let text = read_to_string(file).with_context(|| format!("callgrind wrote no {}", file.display()))?;
        Ok(Self::parse(&text))
    }

    /// `fn=NAME`, then a line `POSITION COUNT` for each line of the source. The line behind `calls=` has the
    /// count of the function that was called, which is not this one's own.
    fn parse(text: &str) -> Self {
        let mut counts = BTreeMap::new();
        let mut function = "";
        let mut is_of_callee = false;
        for line in text.lines() {
            if let Some(name) = line.strip_prefix("fn=") {
                function = name;
            } else if line.starts_with("calls=") {
                is_of_callee = true;
            } else if line.starts_with(|first: char| first.is_ascii_digit())
                && !std::mem::take(&mut is_of_callee)
                && let Some(count) = line.split(' ').nth(1).and_then(|count| count.parse::<u64>().ok())
            {
                *counts.entry(function.to_owned()).or_default() += count;
            }
        }
        Self(counts)
    }

    /// For each of `requests`, what this count has more than an earlier one of fewer requests.
    pub(super) fn since(&self, earlier: &Self, requests: u64) -> BTreeMap<String, f64> {
        let each = |(name, &count): (&String, &u64)| {
            let before = earlier.0.get(name).copied().unwrap_or(0);
            (name.clone(), count.saturating_sub(before) as f64 / requests as f64)
        };
        self.0.iter().map(each).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "\
# callgrind format
positions: line
events: Ir
summary: 100

fl=/a.rs
fn=one
3 10
fi=/inlined.rs
7 5
cfn=two
calls=4 9
3 60

fn=two
9 25

fn=one
4 1

totals: 101
";

    #[test]
    fn what_a_function_calls_is_not_counted_as_its_own() {
        let counts = Counts::parse(FILE);
        assert_eq!(counts, Counts([("one".to_owned(), 16), ("two".to_owned(), 25)].into()));
        let earlier = Counts([("one".to_owned(), 6)].into());
        assert_eq!(counts.since(&earlier, 5), [("one".to_owned(), 2.0), ("two".to_owned(), 5.0)].into());
    }
}
