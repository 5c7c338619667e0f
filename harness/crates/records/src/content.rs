//! Which files there are in `results/data`, and which of them is the newest.

use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};

/// What a file of records holds; the end of its name says it: `20260102T030405Z-1234567890-standard.jsonl`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// A run of `./lab bench-all`.
    Run,
    /// Source 002's table, done again.
    Table,
    /// What the stages can do: the probes' outcomes.
    Grades,
    /// The scenario `spin`: throughput against workers.
    Spin,
    /// The scenario `slow`: quick requests beside slow ones.
    Slow,
    /// The scenario `latency`: how long requests wait at the same rates.
    Latency,
    /// The scenario `clients`: the cost against the number of clients.
    Clients,
    /// The scenario `c10k`: active clients beside silent ones.
    C10k,
    /// The scenario `cpus`: one CPU and two.
    Cpus,
    /// The scenario `overload`: beyond the peak.
    Overload,
    /// The scenario `balance`: what each worker has of the load.
    Balance,
    /// The scenario `uring`: the features of io_uring.
    Uring,
    /// The scenario `concurrency`: what a connection costs, by what holds it. Its records are of the phases
    /// of a run and of `slow`, and belong to no other figure.
    Concurrency,
    /// The scenario `stealing`: quick requests beside long ones, by which threads have the long ones.
    Stealing,
}

impl Content {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::Run,
        Self::Table,
        Self::Grades,
        Self::Spin,
        Self::Slow,
        Self::Latency,
        Self::Clients,
        Self::C10k,
        Self::Cpus,
        Self::Overload,
        Self::Balance,
        Self::Uring,
        Self::Concurrency,
        Self::Stealing,
    ];

    /// What the names of such files end with.
    pub fn endings(self) -> &'static [&'static str] {
        match self {
            Self::Run => &["quick", "standard", "full"],
            Self::Table => &["table"],
            Self::Grades => &["grades"],
            Self::Spin => &["spin"],
            Self::Slow => &["slow"],
            Self::Latency => &["latency"],
            Self::Clients => &["clients"],
            Self::C10k => &["c10k"],
            Self::Cpus => &["cpus"],
            Self::Overload => &["overload"],
            Self::Balance => &["balance"],
            Self::Uring => &["uring"],
            Self::Concurrency => &["concurrency"],
            Self::Stealing => &["stealing"],
        }
    }

    /// What the name of a new file ends with, where there is one way only to make it.
    pub fn ending(self) -> &'static str {
        self.endings()[0]
    }

    /// The command that makes such a file.
    pub fn command(self) -> &'static str {
        match self {
            Self::Run => "./lab bench-all",
            Self::Table => "./lab table",
            Self::Grades => "./lab grade all --record",
            Self::Spin => "./lab scenario spin",
            Self::Slow => "./lab scenario slow",
            Self::Latency => "./lab scenario latency",
            Self::Clients => "./lab scenario clients",
            Self::C10k => "./lab scenario c10k",
            Self::Cpus => "./lab scenario cpus",
            Self::Overload => "./lab scenario overload",
            Self::Balance => "./lab scenario balance",
            Self::Uring => "./lab scenario uring",
            Self::Concurrency => "./lab scenario concurrency",
            Self::Stealing => "./lab scenario stealing",
        }
    }

    /// What a file of this name holds; `None` if the name does not say it.
    pub fn of(path: &Path) -> Option<Self> {
        Self::ALL.into_iter().find(|content| content.is_in(path))
    }

    /// Whether a file of this name holds it. A second run in the same second has a number after the name.
    fn is_in(self, path: &Path) -> bool {
        let Some(stem) = path.file_stem().and_then(|stem| stem.to_str()) else { return false };
        let is_jsonl = path.extension().is_some_and(|ending| ending == "jsonl");
        is_jsonl && stem.split('-').skip(2).any(|word| self.endings().contains(&word))
    }
}

/// The files of this content in a directory, the latest first: the names begin with the time. An empty one is
/// of a run that was killed before its first record.
pub fn newest_first(directory: &Path, content: Content) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(directory).with_context(|| format!("cannot read {}", directory.display()))?;
    let has_records = |entry: &fs::DirEntry| entry.metadata().is_ok_and(|file| file.len() > 0);
    let files = entries.flatten().filter(has_records).map(|entry| entry.path());
    let mut files: Vec<PathBuf> = files.filter(|path| content.is_in(path)).collect();
    files.sort_by(|one, other| other.file_stem().cmp(&one.file_stem()));
    Ok(files)
}

/// The first of them.
pub fn newest(directory: &Path, content: Content) -> Result<PathBuf> {
    match newest_first(directory, content)?.into_iter().next() {
        Some(path) => Ok(path),
        None => bail!("no such data in {}: run `{}` first", directory.display(), content.command()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_file_is_looked_for_among_its_own_kind() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path();
        for name in [
            "1-a-standard",
            "2-b-quick",
            "2-b-quick-2",
            "3-c-table",
            "4-d-grades",
            "5-e-notes",
            "6-f-spin",
            "7-g-slow",
        ] {
            fs::write(path.join(format!("{name}.jsonl")), "{}\n").expect("written");
        }
        fs::write(path.join("8-h-standard.jsonl"), "").expect("written");
        let found =
            |content| newest(path, content).expect("it is there").file_stem().expect("a name").to_owned();
        assert_eq!(found(Content::Run), "2-b-quick-2");
        assert_eq!(found(Content::Table), "3-c-table");
        assert_eq!(found(Content::Grades), "4-d-grades");
        assert_eq!((found(Content::Spin), found(Content::Slow)), ("6-f-spin".into(), "7-g-slow".into()));
        fs::remove_file(path.join("3-c-table.jsonl")).expect("removed");
        assert!(newest(path, Content::Table).is_err());
    }
}
