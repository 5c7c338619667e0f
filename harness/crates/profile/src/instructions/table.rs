//! The committed table, and what has grown since.

use anyhow::{Context, Result, ensure};
use lab_core::files::write_atomically;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs::read_to_string;
use std::path::Path;
use std::process::{Command, Stdio};

/// More than this is an increase: the same program has the same count, and another one of the same source
/// differs by less.
const TOLERANCE: f64 = 0.03;
/// Of the functions of a count, at most so many are kept, and none with fewer instructions than this.
const MOST: usize = 24;
const LEAST: f64 = 4.0;

/// What the counts depend on beside the source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tools {
    /// `rustc --version`.
    pub compiler: String,
    /// `valgrind --version`.
    pub valgrind: String,
    /// The C library, some of whose functions choose their code by the processor.
    pub libc: String,
    /// The features of the processor by which code is chosen.
    pub features: Vec<String>,
}

/// All counts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// What they depend on.
    pub tools: Tools,
    /// Protocol and session without a socket, by the kind of request.
    pub kit: BTreeMap<String, Count>,
    /// Whole stages, by name and load.
    pub stages: BTreeMap<String, BTreeMap<String, Count>>,
}

/// What one request costs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Count {
    /// Instructions in user space.
    pub instructions: f64,
    /// The functions with most of them.
    pub functions: BTreeMap<String, f64>,
    /// System calls by name; none for kit alone.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub calls: BTreeMap<String, f64>,
    /// The kernel's share of the server's CPU time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kernel: Option<f64>,
}

/// To a tenth of an instruction.
fn rounded(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}

impl Tools {
    /// Looks at this machine.
    pub(super) fn look(valgrind: &Path) -> Result<Self> {
        let line = |program: &Path, option: &str| {
            let output = Command::new(program).arg(option).stdin(Stdio::null()).output();
            let output = output.with_context(|| format!("{} does not start", program.display()))?;
            anyhow::Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
        };
        // Those that the C library and the parser of heads choose by.
        const CHOSEN_BY: [&str; 8] = ["avx", "avx2", "avx512bw", "avx512vl", "bmi2", "erms", "fsrm", "rtm"];
        let info = read_to_string("/proc/cpuinfo").unwrap_or_default();
        let flags = info.lines().find_map(|line| line.strip_prefix("flags")?.split_once(':'));
        let flags: Vec<&str> = flags.map_or(Vec::new(), |(_, flags)| flags.split_whitespace().collect());
        let has = |feature: &&str| flags.contains(feature);
        Ok(Self {
            compiler: line(Path::new("rustc"), "--version")?,
            valgrind: line(valgrind, "--version")?,
            libc: line(Path::new("getconf"), "GNU_LIBC_VERSION").unwrap_or_default(),
            features: CHOSEN_BY.iter().filter(|feature| has(feature)).map(|&name| name.to_owned()).collect(),
        })
    }

    /// What differs, by the first word for it.
    pub(super) fn differ(&self, other: &Self) -> Option<&'static str> {
        [
            ("compiler", self.compiler != other.compiler),
            ("valgrind", self.valgrind != other.valgrind),
            ("C library", self.libc != other.libc),
            ("processor", self.features != other.features),
        ]
        .into_iter()
        .find_map(|(what, differs)| differs.then_some(what))
    }
}

impl Count {
    /// Of the counts of all functions.
    pub(super) fn new(functions: BTreeMap<String, f64>) -> Self {
        let instructions = rounded(functions.values().sum());
        let mut all: Vec<(String, f64)> =
            functions.into_iter().filter(|(_, count)| *count >= LEAST).collect();
        all.sort_by(|one, other| other.1.total_cmp(&one.1));
        all.truncate(MOST);
        let functions = all.into_iter().map(|(name, count)| (name, rounded(count))).collect();
        Self { instructions, functions, ..Self::default() }
    }
}

impl Table {
    /// An empty one.
    pub(super) fn new(tools: Tools) -> Self {
        Self { tools, ..Self::default() }
    }

    /// Reads a table.
    ///
    /// # Errors
    /// It cannot be read, or is no table.
    pub fn read(file: &Path) -> Result<Self> {
        let text = read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
        let table: Self =
            serde_json::from_str(&text).with_context(|| format!("{} is no table", file.display()))?;
        ensure!(!table.kit.is_empty(), "{} has no counts", file.display());
        Ok(table)
    }

    pub(super) fn write(&self, file: &Path) -> Result<()> {
        write_atomically(file, (serde_json::to_string_pretty(self)? + "\n").as_bytes())
    }
}

/// A line for each count, with the table's behind it.
pub(super) fn lines(
    what: &str,
    now: &BTreeMap<String, Count>,
    before: Option<&BTreeMap<String, Count>>,
) -> String {
    let mut text = String::new();
    for (name, count) in now {
        let _ = write!(text, "{what}, {name}: {:.0} instructions", count.instructions);
        if let Some(before) = before.and_then(|before| before.get(name)) {
            let _ = write!(text, " (the table has {:.0})", before.instructions);
        }
        if !count.calls.is_empty() {
            let _ = write!(text, ", {:.2} system calls", count.calls.values().sum::<f64>());
        }
        text.push('\n');
    }
    text
}

/// A line for each count that has grown: both numbers, and the function that grew most.
pub(super) fn grown(before: &Table, now: &Table) -> Vec<String> {
    let mut lines = compare("kit alone", &before.kit, &now.kit);
    for (stage, now) in &now.stages {
        if let Some(before) = before.stages.get(stage) {
            lines.extend(compare(&format!("stage {stage}"), before, now));
        }
    }
    lines
}

fn compare(what: &str, before: &BTreeMap<String, Count>, now: &BTreeMap<String, Count>) -> Vec<String> {
    let grown = |(name, now): (&String, &Count)| {
        let before = before.get(name)?;
        if now.instructions <= before.instructions * (1.0 + TOLERANCE) {
            return None;
        }
        let growth = |(function, count): (&String, &f64)| {
            (function.clone(), count - before.functions.get(function).copied().unwrap_or(0.0))
        };
        let most = now.functions.iter().map(growth).max_by(|one, other| one.1.total_cmp(&other.1));
        let function =
            most.map_or(String::new(), |(name, by)| format!("; most of it is in {name}: +{by:.0}"));
        Some(format!(
            "{what}, {name}: {:.0} instructions, and the table has {:.0}{function}",
            now.instructions, before.instructions
        ))
    };
    now.iter().filter_map(grown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(functions: &[(&str, f64)]) -> Count {
        Count::new(functions.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect())
    }

    fn table(functions: &[(&str, f64)]) -> Table {
        Table { kit: [("get".to_owned(), count(functions))].into(), ..Table::default() }
    }

    /// Protects the check: an increase is found, with both numbers and the function that grew, and neither
    /// noise nor a decrease is one.
    #[test]
    fn an_increase_is_found_and_named() {
        let before = table(&[("parse", 600.0), ("reply", 400.0)]);
        assert_eq!(
            grown(&before, &table(&[("parse", 610.0), ("reply", 440.0)])),
            ["kit alone, get: 1050 instructions, and the table has 1000; most of it is in reply: +40"]
        );
        for same in [[("parse", 615.0), ("reply", 415.0)], [("parse", 300.0), ("reply", 400.0)]] {
            assert!(grown(&before, &table(&same)).is_empty(), "{same:?}");
        }
        let renamed = grown(&before, &table(&[("parse", 600.0), ("other", 500.0)]));
        assert!(renamed[0].ends_with("most of it is in other: +500"), "{renamed:?}");
    }

    #[test]
    fn counts_of_other_tools_are_not_compared() {
        let old = Tools { compiler: "1".into(), features: vec!["avx2".into()], ..Tools::default() };
        assert_eq!(old.differ(&old), None);
        assert_eq!(old.differ(&Tools { compiler: "2".into(), ..old.clone() }), Some("compiler"));
        assert_eq!(old.differ(&Tools { features: Vec::new(), ..old.clone() }), Some("processor"));
    }
}
