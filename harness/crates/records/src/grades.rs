//! What servers can do: the probes' outcomes, one JSON object a line for each server that was graded.

use super::{Content, newest};
use anyhow::Result;
use lab_core::files::sha256;
use lab_core::host::Host;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The grade of one server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Grade {
    /// What was graded, in words: a stage with its options, a command or an address.
    pub stage: String,
    /// The stage or twin: `05-mio`; empty for other servers.
    #[serde(default)]
    pub name: String,
    /// Its title.
    #[serde(default)]
    pub title: String,
    /// The options that it ran with: a variant of the stage.
    #[serde(default)]
    pub options: Vec<String>,
    /// SHA-256 of the binary, as `sha256sum` prints it; it tells whether a grade still stands.
    #[serde(default)]
    pub binary_hash: Option<String>,
    /// The commit of the harness.
    #[serde(default)]
    pub commit: Option<String>,
    /// When it was begun, UTC.
    #[serde(default)]
    pub started_at: String,
    /// How many servers were to be graded together, so that a part of it can be told.
    #[serde(default)]
    pub planned: usize,
    /// Probes that ended otherwise than declared.
    pub surprises: usize,
    /// Why nothing could be asked: it did not start, or answers nothing. Every probe is not applicable then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// Points that it has earned, and those that it could have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub points: Option<[f64; 2]>,
    /// Every probe that was run.
    pub probes: Vec<Probed>,
    /// The machine.
    #[serde(default)]
    pub host: Host,
}

/// How one probe ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Probed {
    /// Its name.
    pub probe: String,
    /// `pass`, `starved`, `wrong`, `broken: hang`, `not applicable` and so on.
    pub outcome: String,
    /// What the server declares.
    pub expected: String,
    /// How long it took.
    pub seconds: f64,
    /// What was seen.
    pub detail: String,
    /// Whether that is not what was declared.
    #[serde(default)]
    pub surprise: bool,
    /// What shows it, where that was asked for or is a surprise. Older files have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
}

/// What shows how a probe ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// What was sent and received, a line an event: milliseconds since the first connection, the connection's
    /// letter, `>` for what was sent and `<` for what came.
    pub transcript: Vec<String>,
    /// How to see it by hand, where a command can show it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replay: Option<Replay>,
}

/// A command for a POSIX shell, and what it shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Replay {
    /// The line that starts the server on `$PORT` and puts its process into `$PID`; absent for a server that
    /// was running already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<String>,
    /// The command.
    pub command: String,
    /// What a right server shows.
    pub right: String,
    /// What this one shows.
    pub seen: String,
}

/// Reads a file of grades.
pub fn grades(path: &Path) -> Result<Vec<Grade>> {
    super::file::lines(path)
}

/// Those of the servers (name and binary) whose newest grade in a directory is of another binary, or that
/// have none.
pub fn ungraded<'a>(directory: &Path, servers: &[(&'a str, &Path)]) -> Vec<&'a str> {
    let recorded = newest(directory, Content::Grades).and_then(|file| grades(&file)).unwrap_or_default();
    let stands = |name: &str, binary: &Path| {
        let grade = recorded.iter().rev().find(|grade| grade.name == name && grade.options.is_empty());
        let hash = grade.and_then(|grade| grade.binary_hash.as_deref());
        hash.is_some() && hash == sha256(binary).ok().as_deref()
    };
    servers.iter().filter(|(name, binary)| !stands(name, binary)).map(|(name, _)| *name).collect()
}

#[cfg(test)]
mod tests {
    use super::super::Writer;
    use super::*;
    use std::fs;

    fn grade(name: &str, hash: &str, options: &[&str]) -> Grade {
        Grade {
            stage: format!("stage {name}"),
            name: name.into(),
            title: String::new(),
            options: options.iter().map(ToString::to_string).collect(),
            binary_hash: Some(hash.into()),
            commit: None,
            started_at: String::new(),
            planned: 4,
            surprises: 0,
            failure: None,
            points: None,
            probes: Vec::new(),
            host: Host::default(),
        }
    }

    /// Protects the files that are kept: one from before there was evidence reads, and evidence survives.
    #[test]
    fn an_old_line_reads_and_evidence_is_kept() {
        let old = r#"{"probe":"keep-alive","outcome":"pass","expected":"pass","seconds":0.1,"detail":""}"#;
        let mut probed: Probed = serde_json::from_str(old).expect("an old line");
        assert_eq!(probed.evidence, None);
        assert!(!serde_json::to_string(&probed).expect("JSON").contains("evidence"));
        let replay = Replay {
            start: None,
            command: "printf 'GET / HTTP/1.1\\r\\n' | nc -q1 127.0.0.1 $PORT".into(),
            right: "a reply".into(),
            seen: "nothing".into(),
        };
        let transcript = vec!["0.0 A  connected".to_owned()];
        probed.evidence = Some(Evidence { transcript, replay: Some(replay) });
        let line = serde_json::to_string(&probed).expect("JSON");
        assert_eq!(serde_json::from_str::<Probed>(&line).expect("the same"), probed);
    }

    #[test]
    fn a_grade_stands_as_long_as_the_binary_is_the_same() {
        let directory = tempfile::tempdir().expect("a directory");
        let [same, rebuilt, variant, new] = ["same", "rebuilt", "variant", "new"].map(|name| {
            let path = directory.path().join(name);
            fs::write(&path, name).expect("written");
            path
        });
        let hash = sha256(&same).expect("it is there");
        let mut writer =
            Writer::create(directory.path(), "20260102T030405Z-0123456789-grades").expect("a new file");
        for grade in [
            grade("04", &hash, &[]),
            grade("05", &hash, &[]),
            grade("06", &sha256(&variant).expect("it is there"), &["--no-oneshot"]),
        ] {
            writer.write(&grade).expect("written");
        }
        let servers = [("04", same.as_path()), ("05", &rebuilt), ("06", &variant), ("07", &new)];
        assert_eq!(ungraded(directory.path(), &servers), ["05", "06", "07"]);
        assert_eq!(ungraded(&directory.path().join("nothing"), &servers), ["04", "05", "06", "07"]);
    }
}
