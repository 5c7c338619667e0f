//! One attempt: the crate is built, and the probes of the exercise are asked of its server.

use crate::exercise::{Exercise, Lab};
use anyhow::{Context, Result};
use grader::probes::{Failure, Finding, FirstLook, Limits, Outcome, Target};
use grader::{Expectations, Graded, Plan, Task, examine, look, raise_descriptor_limit};
use lab_core::stages::Stage;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

/// How often a build is looked at.
const POLL: Duration = Duration::from_millis(20);

/// What the probes said.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// In the order of the exercise; fewer than its probes if the run was interrupted.
    pub findings: Vec<Finding>,
}

impl Attempt {
    /// How many probes passed.
    pub fn passed(&self) -> usize {
        self.findings.iter().filter(|finding| finding.outcome == Outcome::Pass).count()
    }

    /// The first probe that did not pass, but for those that this machine cannot ask.
    pub fn first_failure(&self) -> Option<&Finding> {
        self.findings.iter().find(|finding| finding.outcome != Outcome::Pass && !finding.is_excused)
    }

    /// Whether every probe that could be asked passed, and at least one could.
    pub fn is_solved(&self) -> bool {
        self.passed() > 0 && self.first_failure().is_none()
    }

    /// The names of the probes that did not pass.
    pub fn failed(&self) -> Vec<&'static str> {
        let failed = self.findings.iter().filter(|finding| finding.outcome != Outcome::Pass);
        failed.map(|finding| finding.probe).collect()
    }
}

/// Builds the crate in `folder`; what the compiler says goes to stderr. Returns its program, or nothing if it
/// does not build or the build was interrupted.
///
/// # Errors
/// That cargo cannot be started.
pub fn build(
    folder: &Path,
    target: &Path,
    program: &str,
    is_interrupted: &dyn Fn() -> bool,
) -> Result<Option<PathBuf>> {
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--quiet", "--bins"]).current_dir(folder).env("CARGO_TARGET_DIR", target);
    // A group of its own: Ctrl-C comes to us, and we end it with all of its compilers.
    let cargo = cargo.stdin(Stdio::null()).stdout(Stdio::null()).process_group(0).spawn();
    let mut cargo = cargo.context("cargo cannot be started")?;
    loop {
        if let Some(status) = cargo.try_wait()? {
            return Ok(status.success().then(|| target.join("debug").join(program)));
        }
        if is_interrupted() {
            // A process id is small.
            let _ = killpg(Pid::from_raw(cargo.id() as i32), Signal::SIGTERM);
            cargo.wait()?;
            return Ok(None);
        }
        sleep(POLL);
    }
}

/// Grades a program by the probes of the exercise. The error of the inner result is why nothing could be
/// asked.
///
/// # Errors
/// That the exercise is not sound.
pub fn grade(
    lab: &Lab,
    exercise: &Exercise,
    program: &Path,
    is_interrupted: &dyn Fn() -> bool,
) -> Result<Result<Attempt, String>> {
    raise_descriptor_limit();
    let chosen = exercise.probes()?;
    let stage = Stage { binary: program.to_owned(), ..lab.stage(exercise)?.clone() };
    let mut launch = stage.launch(&exercise.options);
    // Whatever is wrong with it, nothing of it is left behind.
    launch.is_guarded = true;
    let graded =
        Graded { name: stage.name.clone(), title: stage.title.clone(), options: exercise.options.clone() };
    let task = Task {
        title: exercise.name.clone(),
        stage: Some(graded),
        target: Target::Stage(launch),
        lacks: None,
        // A flaw that the stage declares is none that the exercise allows.
        expect: Expectations::new(),
    };
    let first = match look(&task) {
        Ok(first) => first,
        Err(Failure::NotStarted(reason)) => return Ok(Err(reason)),
        // The probes say what is wrong with it.
        Err(Failure::Silent(_)) => FirstLook::default(),
    };
    let plan = Plan {
        chosen: &chosen,
        limits: Limits::default(),
        until_first_failure: false,
        rounds: 1,
        is_interrupted,
    };
    Ok(Ok(Attempt { findings: examine(&plan, &task, &first, 1) }))
}
