//! The record of a grade: one JSON object a line, so that it can be kept and compared.

use super::{Task, expected_of};
use crate::probes::{Finding, Target};
use anyhow::{Context, Result};
use serde::Serialize;
use std::fs::OpenOptions;
use std::hash::{DefaultHasher, Hasher};
use std::io::{Write, stdout};
use std::path::Path;
use std::process::Command;

#[derive(Serialize)]
struct Record<'a> {
    /// What was graded: a stage with its options, a command or an address.
    stage: &'a str,
    /// Of the binary's bytes; it tells whether a grade still stands. No hash against an adversary.
    binary_hash: Option<&'a str>,
    commit: Option<&'a str>,
    surprises: usize,
    probes: Vec<Row<'a>>,
}

#[derive(Serialize)]
struct Row<'a> {
    probe: &'a str,
    outcome: String,
    expected: String,
    seconds: f64,
    detail: &'a str,
}

/// Where the records go.
pub(super) struct Writer {
    out: Option<Box<dyn Write>>,
    uses_stdout: bool,
    commit: Option<String>,
}

impl Writer {
    /// Opens the file before anything is measured, so that a bad path does not cost a run. What is in it stays.
    pub(super) fn new(path: Option<&Path>) -> Result<Self> {
        let uses_stdout = path.is_some_and(|path| path == Path::new("-"));
        let out: Option<Box<dyn Write>> = match path {
            None => None,
            Some(_) if uses_stdout => Some(Box::new(stdout())),
            Some(path) => {
                let file = OpenOptions::new().create(true).append(true).open(path);
                Some(Box::new(file.with_context(|| format!("cannot write {}", path.display()))?))
            }
        };
        Ok(Self { out, uses_stdout, commit: commit() })
    }

    /// Whether stdout belongs to the records.
    pub(super) fn uses_stdout(&self) -> bool {
        self.uses_stdout
    }

    /// Writes one run.
    pub(super) fn write(&mut self, task: &Task, findings: &[Finding]) -> Result<()> {
        let Some(out) = &mut self.out else { return Ok(()) };
        let expect = &task.expect;
        let binary_hash = match &task.target {
            Target::Stage(launch) => hash_of(&launch.program),
            Target::Command(_) | Target::Address(_) => None,
        };
        let surprising = |finding: &&Finding| !expected_of(expect, finding.probe).allows(finding.outcome);
        let record = Record {
            stage: &task.title,
            binary_hash: binary_hash.as_deref(),
            commit: self.commit.as_deref(),
            surprises: findings.iter().filter(surprising).count(),
            probes: findings
                .iter()
                .map(|finding| Row {
                    probe: finding.probe,
                    outcome: finding.outcome.to_string(),
                    expected: expected_of(expect, finding.probe).to_string(),
                    seconds: finding.seconds,
                    detail: &finding.detail,
                })
                .collect(),
        };
        let mut line = serde_json::to_string(&record)?;
        line.push('\n');
        out.write_all(line.as_bytes()).and_then(|()| out.flush()).context("cannot write the record")
    }
}

fn hash_of(binary: &Path) -> Option<String> {
    // DefaultHasher::new has fixed keys: the same bytes hash alike in every process.
    let mut hasher = DefaultHasher::new();
    hasher.write(&std::fs::read(binary).ok()?);
    Some(format!("{:016x}", hasher.finish()))
}

fn commit() -> Option<String> {
    let output = Command::new("git").args(["rev-parse", "--short=12", "HEAD"]).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    (output.status.success() && !text.trim().is_empty()).then(|| text.trim().to_owned())
}
