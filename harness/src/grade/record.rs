//! The record of a grade: one JSON object a line, so that it can be kept and compared.

use crate::data_name;
use anyhow::{Context, Result};
use grader::probes::{Finding, Target};
use grader::{Task, expected_of};
use lab_core::clock::rfc3339;
use lab_core::files::sha256;
use lab_core::host::Host;
use records::{self, Grade, Probed};
use std::fs::OpenOptions;
use std::io::{Write, stdout};
use std::path::Path;
use std::time::SystemTime;

/// Where the records go.
pub(super) struct Writer {
    json: Option<Box<dyn Write>>,
    uses_stdout: bool,
    record: Option<records::Writer>,
    /// How many servers are graded.
    planned: usize,
    host: Host,
}

impl Writer {
    /// Opens the files before anything is measured, so that a bad path does not cost a run. What is in `json`
    /// stays; `directory` gets a file of its own.
    pub(super) fn new(json: Option<&Path>, directory: Option<&Path>, planned: usize) -> Result<Self> {
        let uses_stdout = json.is_some_and(|path| path == Path::new("-"));
        let json: Option<Box<dyn Write>> = match json {
            None => None,
            Some(_) if uses_stdout => Some(Box::new(stdout())),
            Some(path) => {
                let file = OpenOptions::new().create(true).append(true).open(path);
                Some(Box::new(file.with_context(|| format!("cannot write {}", path.display()))?))
            }
        };
        let host = Host::look();
        let create = |directory| records::Writer::create(directory, &data_name(&host, "grades"));
        let record = directory.map(create).transpose()?;
        Ok(Self { json, uses_stdout, record, planned, host })
    }

    /// Whether stdout belongs to the records.
    pub(super) fn uses_stdout(&self) -> bool {
        self.uses_stdout
    }

    /// The file that was made.
    pub(super) fn file(&self) -> Option<&Path> {
        self.record.as_ref().map(records::Writer::path)
    }

    /// Writes one run.
    pub(super) fn write(&mut self, task: &Task, begun: SystemTime, findings: &[Finding]) -> Result<()> {
        if self.json.is_none() && self.record.is_none() {
            return Ok(());
        }
        let grade = self.grade(task, begun, findings);
        if let Some(record) = &mut self.record {
            record.write(&grade)?;
        }
        let Some(json) = &mut self.json else { return Ok(()) };
        let mut line = serde_json::to_string(&grade)?;
        line.push('\n');
        json.write_all(line.as_bytes()).and_then(|()| json.flush()).context("cannot write the record")
    }

    fn grade(&self, task: &Task, begun: SystemTime, findings: &[Finding]) -> Grade {
        let probed = |finding: &Finding| {
            let expected = expected_of(&task.expect, finding.probe);
            Probed {
                probe: finding.probe.to_owned(),
                outcome: finding.outcome.to_string(),
                expected: expected.to_string(),
                seconds: finding.seconds,
                detail: finding.detail.clone(),
                surprise: !expected.allows(finding.outcome),
            }
        };
        let probes: Vec<Probed> = findings.iter().map(probed).collect();
        let stage = task.stage.as_ref();
        Grade {
            stage: task.title.clone(),
            name: stage.map_or_else(String::new, |stage| stage.name.clone()),
            title: stage.map_or_else(String::new, |stage| stage.title.clone()),
            options: stage.map_or_else(Vec::new, |stage| stage.options.clone()),
            binary_hash: match &task.target {
                Target::Stage(launch) => sha256(&launch.program).ok(),
                Target::Command(_) | Target::Address(_) => None,
            },
            commit: Some(self.host.commit.clone()).filter(|commit| !commit.is_empty()),
            started_at: rfc3339(begun),
            planned: self.planned,
            surprises: probes.iter().filter(|probed| probed.surprise).count(),
            probes,
            host: self.host.clone(),
        }
    }
}
