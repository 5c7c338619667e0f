//! A unified diff, applied strictly: each hunk where it says, each line as it says.
//!
//! `git apply` and `patch(1)` look for a hunk elsewhere when its lines have moved. For a mutant that is
//! wrong: in the stages the same lines stand in several functions.

use anyhow::{Context, Result, bail, ensure};

/// The changes of a diff, one file after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diff {
    /// Each file that it changes.
    pub files: Vec<FileChange>,
}

/// The changes of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileChange {
    /// Relative to the root of the tree.
    pub path: String,
    hunks: Vec<Hunk>,
}

/// Neighbouring lines that are changed together.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Hunk {
    /// The number of its first line in the file before the change, from 1.
    start: usize,
    /// Each line with ` `, `-` or `+` in front.
    lines: Vec<String>,
}

impl Diff {
    /// Reads what `git diff` writes. Files are only changed: none is added, removed or renamed.
    ///
    /// # Errors
    /// What is not a line of such a diff.
    pub fn parse(text: &str) -> Result<Self> {
        let mut files: Vec<FileChange> = Vec::new();
        let mut lines = text.lines().peekable();
        while let Some(line) = lines.next() {
            if let Some(path) = line.strip_prefix("+++ ") {
                let path = path.strip_prefix("b/").context("the new name does not begin with b/")?;
                files.push(FileChange { path: path.to_owned(), hunks: Vec::new() });
            } else if line.starts_with("@@ ") {
                let file = files.last_mut().context("a hunk stands before the name of its file")?;
                let (start, mut old, mut new) = numbers(line).with_context(|| format!("bad hunk: {line}"))?;
                let mut hunk = Hunk { start, lines: Vec::new() };
                while old + new > 0 {
                    let line = lines.next().with_context(|| format!("{}: a hunk is cut off", file.path))?;
                    // Editors take the blank of an empty line away.
                    let line = if line.is_empty() { " " } else { line };
                    let (of_old, of_new) = match line.as_bytes()[0] {
                        b' ' => (1, 1),
                        b'-' => (1, 0),
                        b'+' => (0, 1),
                        _ => bail!("{}: not a line of a hunk: {line}", file.path),
                    };
                    ensure!(
                        old >= of_old && new >= of_new,
                        "{}: a hunk's head miscounts its lines",
                        file.path
                    );
                    (old, new) = (old - of_old, new - of_new);
                    hunk.lines.push(line.to_owned());
                }
                file.hunks.push(hunk);
            } else {
                let known = ["diff --git ", "index ", "--- a/"];
                ensure!(known.iter().any(|start| line.starts_with(start)), "not a line of a diff: {line}");
            }
        }
        ensure!(!files.is_empty(), "the diff changes nothing");
        for file in &files {
            ensure!(!file.hunks.is_empty(), "{}: no hunk", file.path);
        }
        Ok(Self { files })
    }
}

/// Start and length of both sides: `@@ -START,LENGTH +START,LENGTH @@`. A length of 1 is left out.
fn numbers(line: &str) -> Option<(usize, usize, usize)> {
    let mut words = line.split(' ').skip(1);
    let side = |word: &str, sign: char| {
        let (start, length) = word.strip_prefix(sign)?.split_once(',').unwrap_or((&word[1..], "1"));
        Some((start.parse().ok()?, length.parse().ok()?))
    };
    let (start, old) = side(words.next()?, '-')?;
    let (_, new): (usize, usize) = side(words.next()?, '+')?;
    Some((start, old, new))
}

impl FileChange {
    /// The text after the change.
    ///
    /// # Errors
    /// Which line is not the one that a hunk names.
    pub fn apply(&self, text: &str) -> Result<String> {
        let before: Vec<&str> = text.lines().collect();
        let mut after = Vec::new();
        let mut at = 0;
        for hunk in &self.hunks {
            let start = hunk.start.checked_sub(1).context("a hunk starts at line 0")?;
            ensure!(at <= start && start <= before.len(), "{}: line {} is not there", self.path, hunk.start);
            after.extend_from_slice(&before[at..start]);
            at = start;
            for line in &hunk.lines {
                let (sign, line) = line.split_at(1);
                if sign != "+" {
                    let there = before.get(at).copied().unwrap_or("(the end)");
                    ensure!(there == line, "{}:{}: expected `{line}`, found `{there}`", self.path, at + 1);
                    at += 1;
                }
                if sign != "-" {
                    after.push(line);
                }
            }
        }
        after.extend_from_slice(&before[at..]);
        Ok(after.join("\n") + "\n")
    }

    /// Finds hunks whose lines have moved, each at the only place that has them.
    ///
    /// # Errors
    /// Which hunk is nowhere, or at several places.
    fn refreshed(&self, text: &str) -> Result<Self> {
        let before: Vec<&str> = text.lines().collect();
        let mut hunks = Vec::new();
        for hunk in &self.hunks {
            let old = hunk.lines.iter().filter(|line| !line.starts_with('+'));
            let old: Vec<&str> = old.map(|line| &line[1..]).collect();
            let places: Vec<usize> = (1..=before.len())
                .filter(|start| before.get(start - 1..start - 1 + old.len()) == Some(&old[..]))
                .collect();
            let start = match places[..] {
                [place] => place,
                [] => bail!("{}: the lines of the hunk at {} are gone: write it anew", self.path, hunk.start),
                _ if places.contains(&hunk.start) => hunk.start,
                _ => bail!("{}: the lines of the hunk at {} stand at {places:?}", self.path, hunk.start),
            };
            hunks.push(Hunk { start, lines: hunk.lines.clone() });
        }
        Ok(Self { path: self.path.clone(), hunks })
    }
}

impl Diff {
    /// Moves hunks whose lines have moved; `read` returns the text of a file.
    ///
    /// # Errors
    /// Which hunk cannot be placed.
    pub fn refreshed(&self, read: impl Fn(&str) -> Result<String>) -> Result<Self> {
        let files = self.files.iter().map(|file| file.refreshed(&read(&file.path)?));
        Ok(Self { files: files.collect::<Result<_>>()? })
    }
}

impl std::fmt::Display for Diff {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for FileChange { path, hunks } in &self.files {
            writeln!(f, "diff --git a/{path} b/{path}\n--- a/{path}\n+++ b/{path}")?;
            let mut shift = 0;
            for Hunk { start, lines } in hunks {
                let count = |sign: char| lines.iter().filter(|line| !line.starts_with(sign)).count();
                let (old, new) = (count('+'), count('-'));
                let moved = start.wrapping_add_signed(shift);
                writeln!(f, "@@ -{start},{old} +{moved},{new} @@")?;
                lines.iter().try_for_each(|line| writeln!(f, "{line}"))?;
                shift += new as isize - old as isize;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "one\ntwo\nthree\nfour\n\nfive\n";
    const DIFF: &str = "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -2,3 +2,4 @@ fn\n two\n-three\n+3\n+3a\n four\n\
                        @@ -5,2 +6,2 @@\n \n-five\n+5\n";

    #[test]
    fn a_diff_is_applied_and_written_as_it_was_read() {
        let diff = Diff::parse(DIFF).unwrap();
        assert_eq!(diff.files[0].apply(TEXT).unwrap(), "one\ntwo\n3\n3a\nfour\n\n5\n");
        assert_eq!(Diff::parse(&diff.to_string()).unwrap(), diff);
    }

    /// Protects against a mutant that mutates another line than the one that was meant.
    #[test]
    fn a_line_that_is_not_there_is_an_error_and_so_is_one_that_has_moved() {
        let diff = Diff::parse(DIFF).unwrap();
        for text in ["one\ntwo\n3\nfour\n\nfive\n", "one\none\ntwo\nthree\nfour\n\nfive\n", "one\n"] {
            assert!(diff.files[0].apply(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn what_has_moved_is_found_if_there_is_one_place_only() {
        let diff = Diff::parse(DIFF).unwrap();
        let moved = diff.refreshed(|_| Ok(format!("zero\n{TEXT}"))).unwrap();
        assert_eq!(
            moved.files[0].apply(&format!("zero\n{TEXT}")).unwrap(),
            "zero\none\ntwo\n3\n3a\nfour\n\n5\n"
        );
        assert!(diff.refreshed(|_| Ok(format!("zero\n{TEXT}{TEXT}"))).is_err(), "two places");
        assert!(diff.refreshed(|_| Ok("one\n".to_owned())).is_err(), "none");
    }

    #[test]
    fn what_is_no_diff_is_refused() {
        for bad in [
            "",
            "hello\n",
            "+++ b/x\n",
            "+++ x\n",
            "+++ b/x\n@@ -1,2 +1,1 @@\n one\n",
            "+++ b/x\n@@ -1 +1 @@\n*\n",
        ] {
            assert!(Diff::parse(bad).is_err(), "{bad:?}");
        }
    }
}
