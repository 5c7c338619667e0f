//! One worker: a copy of the tree with a target folder of its own, in which one mutant after the other is
//! built and judged.

use crate::child::{Bounds, Ended, run};
use crate::mutant::{Catcher, Mutant, ServerName, Test};
use crate::table::{Outcome, Verdict};
use crate::tree;
use anyhow::{Context, Result, bail, ensure};
use lab_core::interruption::Interruption;
use lab_core::stages::{self, Stage};
use records::Grade;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// A build from nothing, on a slow machine.
const BUILD: Bounds = Bounds { time: Duration::from_secs(1_800), memory_kib: None };
/// One probe takes seconds, even of a server that never answers.
const PROBE: Bounds = Bounds { time: Duration::from_secs(180), memory_kib: Some(MAX_MEMORY_KIB) };
/// All of them.
const GRADE: Bounds = Bounds { time: Duration::from_secs(900), memory_kib: Some(MAX_MEMORY_KIB) };
/// One test. A test that hangs is caught by this.
const TEST: Bounds = Bounds { time: Duration::from_secs(100), memory_kib: Some(MAX_MEMORY_KIB) };
/// A server with a thread for each of a thousand clients reserves 2 GiB for their stacks.
const MAX_MEMORY_KIB: u64 = 8 * 1024 * 1024;

/// How a probe judges a server without a mistake: its outcome in words, and whether it is the declared one.
pub(crate) type Baseline = BTreeMap<(ServerName, String), Result<(), String>>;

/// A copy of the tree, and what is built there.
pub(crate) struct Worker<'all> {
    root: &'all Path,
    folder: PathBuf,
    /// The harness that grades: beside the binaries of this worker, since it looks for them there.
    grader: PathBuf,
    stages: &'all [Stage],
    interruption: &'all Interruption,
}

impl<'all> Worker<'all> {
    /// A worker in a folder of its own, with a fresh copy of the tree at `root`.
    ///
    /// # Errors
    /// What cannot be copied.
    pub(crate) fn new(
        root: &'all Path,
        folder: PathBuf,
        stages: &'all [Stage],
        interruption: &'all Interruption,
    ) -> Result<Self> {
        let worker =
            Self { root, grader: folder.join("target/debug/harness-grade"), folder, stages, interruption };
        tree::copy(root, &worker.tree())?;
        fs::create_dir_all(worker.folder.join("target/debug"))?;
        let own = std::env::current_exe().context("this executable's path is unknown")?;
        // Through another name: the old one may still be mapped by a process that is just ending.
        let fresh = worker.grader.with_extension("new");
        fs::copy(own, &fresh).context("cannot copy the harness")?;
        fs::rename(fresh, &worker.grader)?;
        Ok(worker)
    }

    fn tree(&self) -> PathBuf {
        self.folder.join("tree")
    }

    fn log(&self) -> PathBuf {
        self.folder.join("log")
    }

    /// Builds what the mutants need, without their mistakes: then each of them rebuilds a crate or two.
    ///
    /// # Errors
    /// What does not build.
    pub(crate) fn seed(&self, mutants: &[Mutant]) -> Result<()> {
        let mut servers = BTreeSet::new();
        let mut tests = BTreeSet::new();
        for mutant in mutants {
            if let Catcher::By(_) = mutant.probe {
                servers.insert(self.binary(&mutant.server)?);
            }
            if let Catcher::By(test) = &mutant.test {
                tests.insert((test.package.clone(), test.file.clone()));
            }
        }
        for (package, binary) in servers {
            let ended = self.build(&package, &binary)?;
            ensure!(ended.is_good(), "stage `{binary}` does not build: see {}", self.log().display());
        }
        for (package, file) in tests {
            let test = Test { package, file, name: String::new() };
            let ended = self.cargo_test(&test, &["--no-run"], BUILD)?;
            ensure!(
                ended.is_good(),
                "the tests of {} do not build: see {}",
                test.package,
                self.log().display()
            );
        }
        Ok(())
    }

    /// Asks each server without its mistakes what the mutants' probes will ask.
    ///
    /// # Errors
    /// What could not be graded.
    pub(crate) fn baseline(&self, server: &ServerName, probes: &BTreeSet<String>) -> Result<Baseline> {
        let only: Vec<&str> = probes.iter().map(String::as_str).collect();
        let grade = self.grade(server, Some(&only.join(",")), GRADE)?;
        let of = |probe: &str| grade.probes.iter().find(|probed| probed.probe == probe);
        let judged = probes.iter().map(|probe| {
            let judged = match of(probe) {
                Some(probed) if !probed.surprise => Ok(()),
                Some(probed) => Err(format!("{}: {}", probed.outcome, probed.detail)),
                None => Err("it has no outcome".to_owned()),
            };
            ((server.clone(), probe.clone()), judged)
        });
        Ok(judged.collect())
    }

    /// Builds and judges one mutant, and takes its mistake out again.
    ///
    /// # Errors
    /// What has nothing to do with the mutant: a disk that is full, an interruption.
    pub(crate) fn judge(&self, mutant: &Mutant, baseline: &Baseline, whole: bool) -> Result<Outcome> {
        let mut originals = Vec::new();
        for file in &mutant.diff.files {
            let path = self.tree().join(&file.path);
            let text = fs::read_to_string(self.root.join(&file.path)).with_context(|| file.path.clone())?;
            let mutated = file.apply(&text)?;
            originals.push((path.clone(), text));
            tree::write(&path, mutated.as_bytes())?;
        }
        let outcome = self.judge_mutated(mutant, baseline, whole);
        for (path, text) in originals {
            tree::write(&path, text.as_bytes())?;
        }
        outcome
    }

    fn judge_mutated(&self, mutant: &Mutant, baseline: &Baseline, whole: bool) -> Result<Outcome> {
        let mut all_probes = Vec::new();
        let (probe, said) = match &mutant.probe {
            Catcher::None(_) if !whole => (Verdict::NotAsked, String::new()),
            named => {
                let named = match named {
                    Catcher::By(name) => Some(name.as_str()),
                    Catcher::None(_) => None,
                };
                self.judge_by_probe(&mutant.server, named, baseline, whole, &mut all_probes)?
            }
        };
        let (test, test_said) = match &mutant.test {
            Catcher::None(_) => (Verdict::NotAsked, String::new()),
            Catcher::By(test) => self.judge_by_test(test)?,
        };
        Ok(Outcome { probe, said, test, test_said, all_probes })
    }

    fn judge_by_probe(
        &self,
        server: &ServerName,
        probe: Option<&str>,
        baseline: &Baseline,
        whole: bool,
        all_probes: &mut Vec<String>,
    ) -> Result<(Verdict, String)> {
        if let Some(probe) = probe
            && let Some(Err(said)) = baseline.get(&(server.clone(), probe.to_owned()))
        {
            return Ok((Verdict::Fault, format!("the probe fails without the mistake too: {said}")));
        }
        let (package, binary) = self.binary(server)?;
        let built = self.build(&package, &binary)?;
        if !built.is_good() {
            return Ok((Verdict::Fault, format!("it does not build: {}", first_error(&built))));
        }
        let (only, bounds) = if whole { (None, GRADE) } else { (probe, PROBE) };
        let grade = match self.grade(server, only, bounds) {
            Ok(grade) => grade,
            Err(error) if self.interruption.has_come() => return Err(error),
            Err(error) => return Ok((Verdict::Fault, format!("{error:#}"))),
        };
        let surprising = grade.probes.iter().filter(|probed| probed.surprise);
        all_probes.extend(surprising.map(|probed| probed.probe.clone()).filter(|_| whole));
        let Some(probe) = probe else { return Ok((Verdict::NotAsked, String::new())) };
        let probed = grade.probes.iter().find(|probed| probed.probe == probe);
        let probed = probed.with_context(|| format!("the grade has no probe {probe}"))?;
        let said = shortened(&format!("{}: {}", probed.outcome, probed.detail));
        Ok((if probed.surprise { Verdict::Caught } else { Verdict::Survived }, said))
    }

    fn judge_by_test(&self, test: &Test) -> Result<(Verdict, String)> {
        let built = self.cargo_test(test, &["--no-run"], BUILD)?;
        if !built.is_good() {
            return Ok((Verdict::Fault, format!("the test does not build: {}", first_error(&built))));
        }
        let ended = self.cargo_test(test, &["--", "--exact", &test.name], TEST)?;
        if ended.output.contains("running 0 tests") {
            return Ok((Verdict::Fault, format!("cargo finds no test `{}`", test.name)));
        }
        Ok((if ended.is_good() { Verdict::Survived } else { Verdict::Caught }, String::new()))
    }

    /// The package and the name of a server's binary.
    fn binary(&self, server: &ServerName) -> Result<(String, String)> {
        let stage = server.find(self.stages)?;
        let binary = stage.binary.file_name().context("a binary has a name")?;
        Ok((stage.package.clone(), binary.to_string_lossy().into_owned()))
    }

    fn build(&self, package: &str, binary: &str) -> Result<Ended> {
        let mut cargo = self.cargo("target");
        // A user's server has no debug assertions that would end it where it is wrong.
        cargo
            .env("CARGO_PROFILE_DEV_DEBUG_ASSERTIONS", "false")
            .env("CARGO_PROFILE_DEV_OVERFLOW_CHECKS", "false");
        cargo.args(["build", "--package", package, "--bin", binary]);
        self.run(&mut cargo, BUILD)
    }

    fn cargo_test(&self, test: &Test, words: &[&str], bounds: Bounds) -> Result<Ended> {
        let mut cargo = self.cargo(if test.is_loom() { "loom" } else { "tests" });
        if test.is_loom() {
            cargo.env("RUSTFLAGS", "--cfg loom");
        }
        cargo.args(["test", "--package", &test.package]).args(test.target()).args(words);
        self.run(&mut cargo, bounds)
    }

    /// A cargo with a target folder of this worker: builds with different flags would undo each other in one.
    fn cargo(&self, target: &str) -> Command {
        let mut cargo = Command::new("cargo");
        cargo.env("CARGO_TARGET_DIR", self.folder.join(target));
        cargo
    }

    fn run(&self, command: &mut Command, bounds: Bounds) -> Result<Ended> {
        run(command, &self.tree(), &self.log(), bounds, self.interruption)
    }

    /// The grade of a server as it is built now.
    fn grade(&self, server: &ServerName, only: Option<&str>, bounds: Bounds) -> Result<Grade> {
        let record = self.folder.join("grade.json");
        let _ = fs::remove_file(&record);
        let mut grade = Command::new(&self.grader);
        grade.args(["grade", &server.stage, "--json"]).arg(&record);
        if let Some(only) = only {
            grade.args(["--only", only]);
        }
        grade.args(&server.options);
        let ended = self.run(&mut grade, bounds)?;
        if ended.status.is_none() {
            bail!("the grader was not done after {:?}", bounds.time);
        }
        let line = fs::read_to_string(&record).unwrap_or_default();
        serde_json::from_str(&line)
            .with_context(|| format!("no grade of stage {server}: {}", ended.last_line()))
    }
}

/// The stages of the tree, for their names and packages: where their binaries are does not matter here.
///
/// # Errors
/// That none is found.
pub(crate) fn stages() -> Result<Vec<Stage>> {
    stages::discover()
}

fn first_error(ended: &Ended) -> &str {
    ended.output.lines().find(|line| line.starts_with("error")).unwrap_or_else(|| ended.last_line())
}

/// The first line, of a length for a table.
fn shortened(text: &str) -> String {
    const MAX: usize = 160;
    let line = text.lines().next().unwrap_or_default();
    match line.char_indices().nth(MAX) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.trim_end_matches([' ', ':']).to_owned(),
    }
}
