//! The stages under the compiler's sanitizers: what no probe sees, since it is undefined and mostly goes
//! well.
//!
//! * **AddressSanitizer**: every stage is built with it and graded. `unsafe` is in kit, so each of them has
//!   some.
//! * **ThreadSanitizer**: the tests of the ring, the parker, the notifiers and the queues; and the same tests
//!   on the ring with a Relaxed publish, which must be reported: else it would see nothing at all.
//! * **Miri**: the tests of the ring, where the component is.
//!
//! All need a nightly toolchain, which the lab does not install: without it each is a skip that says so.

use crate::child::{Bounds, Ended, run as run_child};
use crate::mutant::{self, Mutant};
use crate::tree;
use crate::worker;
use anyhow::{Context, Result, ensure};
use clap::ValueEnum;
use lab_core::interruption::Interruption;
use records::{Grade, Probed};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

/// The target must be named, or build scripts and macros would be instrumented too.
fn target() -> String {
    format!("{}-unknown-linux-gnu", std::env::consts::ARCH)
}

/// The mutant that ThreadSanitizer must report.
const RELAXED: &str = "ring-publish-relaxed";

/// What is built and run under ThreadSanitizer: the package, what chooses its tests.
const THREADED: [(&str, &[&str]); 3] =
    [("lockless-queues", &["--test", "ring"]), ("lockless-queues", &["--lib"]), ("thread-pool", &["--lib"])];

/// Probes that look at memory: the sanitizer keeps what was freed for a while, which looks like a leak.
const OF_MEMORY: &str = "memory-";

const BOUNDS: Bounds = Bounds { time: Duration::from_secs(1_800), memory_kib: None };

/// The options.
#[derive(clap::Args, Debug)]
#[group(id = "sanitized")]
pub struct Args {
    /// Which of them; all where none is named.
    #[arg(value_enum)]
    sanitizers: Vec<Sanitizer>,
}

/// What finds undefined behaviour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Sanitizer {
    /// Memory that is used after it was freed, or beside its bounds
    Address,
    /// Two threads at one place in memory, without an order between them
    Thread,
    /// All of it, by interpretation
    Miri,
}

/// How one thing that was looked at ended.
enum Found {
    /// As it should, in words.
    Good(String),
    Skipped(String),
    Fault(String),
}

/// Runs it.
///
/// # Errors
/// What could not be built, or an interruption.
pub fn run(args: Args) -> Result<ExitCode> {
    let root = crate::root()?;
    let interruption = Interruption::catch()?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let folder = std::path::absolute(target)?.join("sanitize");
    fs::create_dir_all(&folder)?;
    let session =
        Session { root, folder, interruption, begun: Instant::now(), faults: 0.into(), skips: 0.into() };
    let wanted = |which| args.sanitizers.is_empty() || args.sanitizers.contains(&which);
    println!("about ten minutes on two CPUs, of which the first build takes two or three");
    if wanted(Sanitizer::Address) {
        session.address()?;
    }
    if wanted(Sanitizer::Thread) {
        session.thread()?;
    }
    if wanted(Sanitizer::Miri) {
        session.miri()?;
    }
    let (faults, skips) = (session.faults.get(), session.skips.get());
    println!("{faults} reported, {skips} skipped");
    Ok(if faults == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Found {
    fn clean() -> Self {
        Self::Good("clean".to_owned())
    }
}

struct Session {
    root: PathBuf,
    folder: PathBuf,
    interruption: Interruption,
    begun: Instant,
    faults: std::cell::Cell<usize>,
    skips: std::cell::Cell<usize>,
}

impl Session {
    /// Says what was found, and counts it.
    fn say(&self, what: &str, found: &Found) {
        let words = match found {
            Found::Good(words) => words.clone(),
            Found::Skipped(why) => {
                self.skips.set(self.skips.get() + 1);
                format!("skipped: {why}")
            }
            Found::Fault(what) => {
                self.faults.set(self.faults.get() + 1);
                format!("FAULT: {what}")
            }
        };
        println!("{:>5.0} s  {what}: {words}", self.begun.elapsed().as_secs_f64());
    }

    fn run(&self, command: &mut Command, folder: &Path, log: &str) -> Result<Ended> {
        run_child(command, folder, &self.folder.join(log), BOUNDS, &self.interruption)
    }

    /// Why a sanitizer cannot be used here, if it cannot.
    fn lacks(&self, runtime: &str) -> Option<String> {
        let output = Command::new("rustc").args(["+nightly", "--print", "sysroot"]).output().ok()?;
        if !output.status.success() {
            return Some("it needs a nightly toolchain: rustup toolchain install nightly".to_owned());
        }
        let sysroot = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
        let library = sysroot.join("lib/rustlib").join(target()).join("lib").join(runtime);
        (!library.is_file()).then(|| format!("the nightly toolchain has no {runtime}"))
    }

    fn cargo(&self, sanitizer: &str) -> Command {
        let mut cargo = Command::new("cargo");
        cargo.arg("+nightly").env("RUSTFLAGS", format!("-Zsanitizer={sanitizer}"));
        // Of a cargo that may have started this one.
        cargo.env("CARGO_TARGET_DIR", self.folder.join(sanitizer)).env_remove("RUSTUP_TOOLCHAIN");
        cargo
    }

    /// Builds every stage with AddressSanitizer, and grades it.
    fn address(&self) -> Result<()> {
        if let Some(why) = self.lacks("librustc-nightly_rt.asan.a") {
            self.say("address", &Found::Skipped(why));
            return Ok(());
        }
        let stages = worker::stages()?;
        let mut build = self.cargo("address");
        build.args(["build", "--bins", "--target", &target()]);
        for stage in stages.iter().filter(|stage| !stage.is_twin) {
            build.args(["--package", &stage.package]);
        }
        let built = self.run(&mut build, &self.root, "address.log")?;
        ensure!(built.is_good(), "the stages do not build with AddressSanitizer: {}", built.last_line());
        // The grader looks for the stages beside itself.
        let binaries = self.folder.join("address").join(target()).join("debug");
        let grader = binaries.join("harness-grade");
        fs::copy(std::env::current_exe()?, &grader).context("cannot copy the harness")?;
        let probes: Vec<&str> = grader::probes::PROBES.iter().map(|probe| probe.name).collect();
        let probes: Vec<&str> = probes.into_iter().filter(|name| !name.starts_with(OF_MEMORY)).collect();
        let only_on_request =
            |name: &&str| !grader::probes::find(name).is_ok_and(|probe| probe.only_on_request);
        let only: Vec<&str> = probes.into_iter().filter(only_on_request).collect();
        for stage in &stages {
            let reports = self.folder.join(format!("reports-{}", stage.name));
            let _ = fs::remove_dir_all(&reports);
            fs::create_dir_all(&reports)?;
            let record = self.folder.join(format!("grade-{}.json", stage.name));
            let _ = fs::remove_file(&record);
            let mut grade = Command::new(&grader);
            // A report in a file of its own: a server's stderr is not kept when its probe passes.
            let options =
                format!("log_path={}/report:quarantine_size_mb=16:detect_leaks=0", reports.display());
            grade.env("ASAN_OPTIONS", options);
            grade.args(["grade", &stage.name, "--only", &only.join(","), "--json"]).arg(&record);
            let ended = self.run(&mut grade, &self.root, &format!("address-{}.log", stage.name))?;
            self.say(&format!("address: stage {}", stage.name), &graded(&ended, &record, &reports)?);
        }
        Ok(())
    }

    /// Runs the tests of what threads share under ThreadSanitizer.
    fn thread(&self) -> Result<()> {
        if let Some(why) = self.lacks("librustc-nightly_rt.tsan.a") {
            self.say("thread", &Found::Skipped(why));
            return Ok(());
        }
        for (package, words) in THREADED {
            let log = format!("thread-{package}{}.log", words.concat());
            let ended = self.threaded(&self.root, package, words, &log)?;
            let found = match (ended.output.contains("ThreadSanitizer"), ended.is_good()) {
                (true, _) => Found::Fault(format!("a race: see {}", self.folder.join(&log).display())),
                (false, true) => Found::clean(),
                (false, false) => Found::Fault(ended.last_line().to_owned()),
            };
            self.say(&format!("thread: {package} {}", words.join(" ")), &found);
        }
        let copy = self.folder.join("tree");
        tree::copy(&self.root, &copy)?;
        let path = self.root.join(mutant::FOLDER).join(format!("{RELAXED}.patch"));
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        for file in Mutant::parse(RELAXED, &text)?.diff.files {
            let text = fs::read_to_string(self.root.join(&file.path))?;
            tree::write(&copy.join(&file.path), file.apply(&text)?.as_bytes())?;
        }
        let (package, words) = THREADED[0];
        let ended = self.threaded(&copy, package, words, "thread-mutant.log")?;
        let found = match ended.output.contains("ThreadSanitizer: data race") {
            true => Found::Good("reported, as it must be".to_owned()),
            false => Found::Fault("not reported, so nothing else would be".to_owned()),
        };
        self.say(&format!("thread: the mutant {RELAXED}"), &found);
        Ok(())
    }

    fn threaded(&self, tree: &Path, package: &str, words: &[&str], log: &str) -> Result<Ended> {
        let mut test = self.cargo("thread");
        // std is not instrumented, and the ABI check would refuse to mix it with what is.
        test.env("RUSTFLAGS", "-Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer");
        let suppressions = self.root.join("harness/sanitizers/thread.supp");
        test.env("TSAN_OPTIONS", format!("suppressions={}:halt_on_error=0", suppressions.display()));
        // One test at a time: each has two threads, and a report then stands behind the test that it is
        // about.
        test.args(["test", "--target", &target(), "--package", package])
            .args(words)
            .args(["--", "--test-threads=1"]);
        self.run(&mut test, tree, log)
    }

    /// Runs the tests of the ring under Miri.
    fn miri(&self) -> Result<()> {
        let there = Command::new("cargo").args(["+nightly", "miri", "--version"]).output();
        if !there.is_ok_and(|output| output.status.success()) {
            let why = "it needs a nightly toolchain with its component: rustup +nightly component add miri";
            self.say("miri", &Found::Skipped(why.to_owned()));
            return Ok(());
        }
        let mut miri = Command::new("cargo");
        miri.args(["+nightly", "miri", "test", "--package", "lockless-queues", "--test", "ring"]);
        miri.env("MIRIFLAGS", "-Zmiri-disable-isolation").env("CARGO_TARGET_DIR", self.folder.join("miri"));
        let ended = self.run(&mut miri, &self.root, "miri.log")?;
        let found = if ended.is_good() { Found::clean() } else { Found::Fault(ended.last_line().to_owned()) };
        self.say("miri: lockless-queues --test ring", &found);
        Ok(())
    }
}

/// What a grade with AddressSanitizer has found: its reports first, since they say why a probe has failed.
fn graded(ended: &Ended, record: &Path, reports: &Path) -> Result<Found> {
    if let Some(report) = fs::read_dir(reports)?.next() {
        let path = report?.path();
        let text = fs::read_to_string(&path).unwrap_or_default();
        let line = text.lines().find(|line| line.contains("ERROR:")).unwrap_or("a report");
        return Ok(Found::Fault(format!("{line} ({})", path.display())));
    }
    let Ok(grade) = serde_json::from_str::<Grade>(&fs::read_to_string(record).unwrap_or_default()) else {
        return Ok(Found::Fault(format!("no grade: {}", ended.last_line())));
    };
    if grade.probes.iter().all(|probed| probed.outcome == "not applicable") {
        return Ok(Found::Skipped("no probe is applicable here".to_owned()));
    }
    // A build with the sanitizer is several times slower, so a probe that is bounded in time may fail by it.
    // One that crashes has met something else.
    let surprising = grade.probes.iter().filter(|probed| probed.surprise);
    let (crashed, slow): (Vec<_>, Vec<_>) = surprising.partition(|probed| probed.outcome.contains("crash"));
    let names = |probes: &[&Probed]| {
        let words = probes.iter().map(|probed| format!("{} ({})", probed.probe, probed.outcome));
        words.collect::<Vec<_>>().join(", ")
    };
    Ok(match (crashed.is_empty(), slow.is_empty()) {
        (false, _) => Found::Fault(names(&crashed)),
        (true, false) => Found::Good(format!("no report; too slow for {}", names(&slow))),
        (true, true) => Found::clean(),
    })
}
