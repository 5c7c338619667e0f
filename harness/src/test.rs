//! `harness test`: everything that must hold. What compiles and what waits runs side by side, what measures
//! runs alone.

use anyhow::{Context, Result};
use std::fs::{File, create_dir_all, read_to_string};
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Mutex;
use std::thread::scope;
use std::time::{Duration, Instant};

/// How many of a failed step's last lines are shown, after what cargo says of each test that failed; all of
/// them stay in its file.
const LAST_LINES: usize = 60;
/// Tests at once in a program. Most of them wait, for a server or for a time, so there may be more than CPUs.
const TEST_THREADS: &str = "4";

/// The options.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Leave out what measures: the short bench of every stage.
    #[arg(long)]
    no_bench: bool,
}

/// One thing that must hold.
struct Step {
    name: &'static str,
    command: Command,
}

/// How a step ended.
struct Outcome {
    name: &'static str,
    passed: bool,
    /// Tests that cargo ran in it.
    tests: u64,
}

/// The whole run: what all steps write to.
struct TestRun {
    folder: PathBuf,
    start: Instant,
    outcomes: Mutex<Vec<Outcome>>,
}

/// Runs it.
pub(crate) fn run(args: Args) -> Result<ExitCode> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from);
    let folder = target.join("test");
    create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    let all = TestRun { folder, start: Instant::now(), outcomes: Mutex::default() };
    println!("side by side: the checks of the code, and every probe against every stage; then a short bench");
    // Probes and tests mostly wait; the compiler does not mind them.
    scope(|scope| {
        let all = &all;
        scope.spawn(|| all.run(harness("probes", &["grade", "all"])));
        // In one command: programs alone would have dependencies without those features that only tests ask
        // for, and half of the harness would be built twice.
        all.run(cargo("clippy, while all is built", &[&["build", "--workspace"], &TARGETS[..]].concat()));
        for step in tests() {
            scope.spawn(|| all.run(step));
        }
        checks().into_iter().for_each(|step| all.run(step));
    });
    // Grades of servers on virtual machines, which start by the dozen: a machine that compiles beside them
    // would be judged, not they.
    all.run(suite("servers of other makes", &[STARTERS]));
    // Of kit alone: some seconds, and no other process changes the counts.
    all.run(harness("instructions", &["instructions"]));
    if !args.no_bench {
        let out = tempfile::tempdir().context("no folder for the figures")?;
        let out = out.path().to_string_lossy().into_owned();
        all.run(harness("short bench", &["bench-all", "--quick", "--out", &out]));
    }
    let outcomes = all.outcomes.into_inner().unwrap_or_default();
    let failed: Vec<&str> =
        outcomes.iter().filter(|outcome| !outcome.passed).map(|outcome| outcome.name).collect();
    let tests: u64 = outcomes.iter().map(|outcome| outcome.tests).sum();
    println!("{} steps in {}, with {tests} tests", outcomes.len(), seconds(all.start.elapsed()));
    if !failed.is_empty() {
        println!("failed: {}", failed.join(", "));
    }
    println!("{} passed, {} failed", outcomes.len() - failed.len(), failed.len());
    Ok(if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The tests, when they are built. `-p harness` would build them again: which features a dependency has
/// depends on the packages that are named.
fn tests() -> [Step; 2] {
    let others = cargo("other tests", &["test", "--workspace", "--exclude", "harness", "--no-fail-fast"]);
    // Tests that would build the stages need not: cargo would wait for clippy.
    let others = others.env("RUST_TEST_THREADS", TEST_THREADS).env("LAB_PROGRAMS_ARE_BUILT", "1");
    [suite("tests of the harness", &["--skip", STARTERS]), others]
}

/// The tests of the suite in this module run by themselves.
const STARTERS: &str = "starters::";

/// Those tests of the harness that these words choose.
fn suite(name: &'static str, chosen: &[&str]) -> Step {
    let args = ["test", "--workspace", "--bin", "harness", "--test", "suite", "--"];
    cargo(name, &[&args[..], chosen].concat()).env("RUST_TEST_THREADS", TEST_THREADS)
}

/// All targets, as `--all-targets` has them, but programs and libraries without tests not once more as
/// benches.
const TARGETS: [&str; 6] = ["--lib", "--bins", "--tests", "--examples", "--bench", "*"];

/// The pages of all but these are made: the stages, kit and its parts, which a reader of the book looks up.
/// What the others depend on would be compiled for their pages alone, which takes minutes; `./lab check`
/// makes them.
const TOOLS: [&str; 15] = [
    "bench",
    "book",
    "experiments",
    "figures",
    "grader",
    "harness",
    "lab-core",
    "learn",
    "load",
    "mutants",
    "predict",
    "profile",
    "records",
    "test-support",
    "timeline",
];

/// What is asked of the code, the quickest first.
fn checks() -> Vec<Step> {
    let mut steps = vec![cargo("format", &["fmt", "--all", "--check"])];
    if Command::new("typos").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok() {
        steps.push(Step { name: "spelling", command: Command::new("typos") });
    } else {
        println!("  spelling: skipped, since typos is not here; ./lab test installs it");
    }
    let packages = ["-p", "lockless-queues", "-p", "async-await"];
    let loom = [&["test"], &packages[..], &["--test", "loom", "--target-dir", "target/loom"]].concat();
    steps.extend([
        documentation().env("RUSTDOCFLAGS", "-D warnings"),
        cargo("model check", &loom).env("RUSTFLAGS", "--cfg loom"),
    ]);
    steps
}

fn documentation() -> Step {
    let others = TOOLS.iter().flat_map(|name| ["--exclude", name]);
    cargo("documentation", &["doc", "--workspace", "--no-deps"].into_iter().chain(others).collect::<Vec<_>>())
}

/// Clippy stands in for the compiler of this workspace's own packages, as `cargo clippy` has it, and compiles
/// what it has looked at: two programs that read everything would be a third of the whole run. All commands
/// have it so, or cargo would build for each anew.
fn cargo(name: &'static str, args: &[&str]) -> Step {
    let mut command = Command::new("cargo");
    command.args(args).env("RUSTC_WORKSPACE_WRAPPER", "clippy-driver");
    // `-D warnings`, in the form in which `cargo clippy` hands it on.
    command.env("CLIPPY_ARGS", "-D__CLIPPY_HACKERY__warnings__CLIPPY_HACKERY__");
    Step { name, command }
}

fn harness(name: &'static str, args: &[&str]) -> Step {
    // It runs already, so it has a path.
    let mut command = Command::new(std::env::current_exe().unwrap_or_else(|_| "harness".into()));
    command.args(args);
    Step { name, command }
}

impl Step {
    fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }
}

impl TestRun {
    /// Runs a step to its end and says how it ended.
    fn run(&self, mut step: Step) {
        let (name, begun) = (step.name, Instant::now());
        println!("  {:>6}  {name} ...", seconds(self.start.elapsed()));
        let path = self.folder.join(format!("{}.log", name.replace(' ', "-")));
        let status = File::create(&path).and_then(|log| {
            let errors = log.try_clone()?;
            step.command.stdin(Stdio::null()).stdout(log).stderr(errors).status()
        });
        let output = read_to_string(&path).unwrap_or_default();
        let passed = status.as_ref().is_ok_and(|status| status.success());
        let word = if passed { "passed" } else { "FAILED" };
        println!("  {:>6}  {name}: {word} in {}", seconds(self.start.elapsed()), seconds(begun.elapsed()));
        if let Err(error) = status {
            println!("{name} could not be started: {error}");
        }
        if !passed {
            println!("{}\n(more is in {})", shown(&output).join("\n"), path.display());
        }
        let outcome = Outcome { name, passed, tests: passed_tests(&output) };
        self.outcomes.lock().unwrap_or_else(|poison| poison.into_inner()).push(outcome);
    }
}

/// What tells why a step failed. The programs of tests that ran later hide the one that failed, so its own
/// account comes first: from cargo's `failures:` to its `test result: FAILED`.
fn shown(output: &str) -> Vec<&str> {
    let mut is_inside = false;
    let mut lines: Vec<&str> = Vec::new();
    for line in output.lines() {
        is_inside |= line == "failures:";
        if is_inside {
            lines.push(line);
        }
        is_inside &= !line.starts_with("test result:");
    }
    let all: Vec<&str> = output.lines().collect();
    lines.extend(&all[all.len().saturating_sub(LAST_LINES)..]);
    lines
}

/// How many tests passed, by cargo's own lines: `test result: ok. 7 passed; ...`.
fn passed_tests(output: &str) -> u64 {
    let results = output.lines().filter_map(|line| line.strip_prefix("test result: ok. "));
    results.filter_map(|rest| rest.split(' ').next()?.parse::<u64>().ok()).sum()
}

fn seconds(time: Duration) -> String {
    format!("{:.0} s", time.as_secs_f64())
}

#[cfg(test)]
mod unit {
    /// Protects the closing line, from which a reader learns that tests were run at all.
    #[test]
    fn tests_are_counted_by_cargos_own_lines() {
        let output = "test result: ok. 7 passed; 0 failed; 0 ignored\nx\ntest result: FAILED. 3 passed; 1 failed\n\
                      test result: ok. 5 passed; 0 failed; 0 ignored; 0 measured\n";
        assert_eq!(super::passed_tests(output), 12);
    }

    /// Protects the only account of a failure on a machine that is gone afterwards.
    #[test]
    fn a_failed_test_is_shown_however_many_lines_follow() {
        let account = ["failures:", "---- it stdout ----", "it panicked", "failures:", "    it"];
        let end = "test result: FAILED. 3 passed; 1 failed";
        let later = vec!["test another ... ok"; 500];
        let output = [&["test it ... FAILED"], &account[..], &[end], &later[..]].concat().join("\n");
        let shown = super::shown(&output);
        assert_eq!(shown[..6], [&account[..], &[end]].concat());
        assert_eq!(shown[6..], vec!["test another ... ok"; super::LAST_LINES]);
        assert_eq!(super::shown("error: it does not compile\n"), ["error: it does not compile"]);
    }
}
