//! Kit alone: the binary `kit-requests` under callgrind, started once for all kinds of requests.

use super::counts::{Counts, OPTIONS};
use super::table::Count;
use anyhow::{Context, Result, ensure};
use lab_core::stages::binary_directory;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

/// The function that counts are taken of, one file each time that it returns.
const FUNCTION: &str = "measured_requests";

/// Counts each kind of request.
pub(super) fn count(valgrind: &Path) -> Result<BTreeMap<String, Count>> {
    let program = binary_directory()?.join("kit-requests");
    ensure!(
        program.is_file(),
        "{} is not built: run `cargo build --release --workspace --bins`",
        program.display()
    );
    let directory = tempfile::tempdir()?;
    let root = directory.path().join("root");
    std::fs::create_dir(&root)?;
    std::fs::write(root.join("13"), "Hello, World!")?;
    let file = directory.path().join("counts");
    let mut command = Command::new(valgrind);
    command.args(OPTIONS).arg("--collect-atstart=no");
    command.args([format!("--toggle-collect={FUNCTION}"), format!("--dump-after={FUNCTION}")]);
    command.arg(format!("--callgrind-out-file={}", file.display()));
    command.arg(&program).arg("--root").arg(&root).stdin(Stdio::null());
    let output = command.output().context("valgrind does not start")?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "kit-requests fails under callgrind: {}",
        complaint.lines().find(|line| !line.starts_with("==")).unwrap_or("it says nothing")
    );
    let kinds = kinds(&String::from_utf8_lossy(&output.stdout))?;
    let read = |number: usize| Counts::read(&directory.path().join(format!("counts.{number}")));
    kinds
        .into_iter()
        .enumerate()
        .map(|(at, (name, requests))| {
            let (fewer, more) = (read(2 * at + 1)?, read(2 * at + 2)?);
            Ok((name, Count::new(more.since(&fewer, requests))))
        })
        .collect()
}

/// The kinds in the order of the files, and the requests between the two counts of each: two lines
/// `NAME REQUESTS` for each kind.
fn kinds(output: &str) -> Result<Vec<(String, u64)>> {
    let line = |line: &str| {
        let (name, requests) = line.split_once(' ')?;
        Some((name.to_owned(), requests.parse::<u64>().ok()?))
    };
    let lines: Option<Vec<(String, u64)>> = output.lines().map(line).collect();
    let lines = lines.context("kit-requests has printed something else")?;
    let pair = |pair: &[(String, u64)]| match pair {
        [(one, fewer), (other, more)] if one == other && fewer < more => Some((one.clone(), more - fewer)),
        _ => None,
    };
    let kinds: Option<Vec<(String, u64)>> = lines.chunks(2).map(pair).collect();
    kinds.filter(|kinds| !kinds.is_empty()).context("kit-requests has not counted each kind twice")
}

#[cfg(test)]
mod tests {
    use super::kinds;

    #[test]
    fn each_kind_has_two_counts() {
        let found = kinds("get 1000\nget 2000\nfile 992\nfile 1984\n").expect("good");
        assert_eq!(found, [("get".to_owned(), 1000), ("file".to_owned(), 992)]);
        for bad in ["", "get 1000\n", "get 1000\nfile 2000\n", "get\nget\n", "get 2\nget 1\n"] {
            assert!(kinds(bad).is_err(), "{bad}");
        }
    }
}
