//! Each exercise is what it says: its starter builds and fails exactly the probes that it names, and its
//! solution passes all of them.
//!
//! All crates are built as one workspace in one target folder, which stays for the next time.

use lab_core::stages::{Stage, binary_directory};
use learn::{Exercise, Kind, Lab, Starter, grade, solve};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread::scope;

/// Exercises that are graded at once: their probes mostly wait.
const AT_ONCE: usize = 5;

/// Protects a learner from an exercise that names a probe, an anchor or a solution that is not there.
#[test]
fn the_exercises_are_sound() {
    let lab = Lab::find().expect("the tree");
    assert_eq!(lab.faults(), [""; 0]);
    assert!(!lab.exercises.is_empty());
}

/// Protects a learner from an exercise that is solved before it is begun, and from one that cannot be solved.
#[test]
fn each_starter_fails_what_it_says_and_each_solution_passes() {
    let lab = Lab::find().expect("the tree");
    let place =
        binary_directory().expect("this test has a path").parent().expect("a folder").join("exercises");
    let mut crates = Vec::new();
    for exercise in &lab.exercises {
        let mut starter = Starter::of(&lab, exercise).expect("it is cut");
        for is_solved in [false, true] {
            if is_solved {
                solve(&mut starter).expect("the solution fits the starter");
            }
            let name = format!("{}-{}", exercise.name, if is_solved { "solution" } else { "starter" });
            starter.write(&place.join(&name), &name, Kind::Member).expect("written");
            crates.push((exercise, is_solved, name));
        }
    }
    let members: Vec<&str> = crates.iter().map(|(_, _, name)| name.as_str()).collect();
    Starter::workspace(&lab, &place, &members).expect("written");
    let programs = build(&place);

    let (next, faults) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                // Relaxed: a number that is used once.
                while let Some((exercise, is_solved, name)) = crates.get(next.fetch_add(1, Relaxed)) {
                    let fault = fault(&lab, exercise, &programs.join(name), *is_solved);
                    let fault = fault.map(|fault| format!("{name}: {fault}"));
                    faults.lock().expect("no panic").extend(fault);
                }
            });
        }
    });
    let mut faults = faults.into_inner().expect("no panic");
    faults.sort();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Builds all of them, and returns the folder of their programs.
fn build(place: &Path) -> PathBuf {
    let target = place.join("target");
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--quiet", "--workspace", "--bins"]).current_dir(place).stdin(Stdio::null());
    // A lesser part may leave an import unused, which is the learner's to see and no fault.
    cargo.env_remove("RUSTC_WORKSPACE_WRAPPER");
    let output = cargo.env("CARGO_TARGET_DIR", &target).output().expect("cargo is there");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    target.join("debug")
}

/// How the outcome differs from what the exercise says.
fn fault(lab: &Lab, exercise: &Exercise, program: &Path, is_solved: bool) -> Option<String> {
    let stage = Stage { binary: program.to_owned(), ..lab.stage(exercise).expect("it is known").clone() };
    if let Some(lack) = stage.lacks() {
        println!("{}: not graded: {lack}", exercise.name);
        return None;
    }
    let attempt = match grade(lab, exercise, program, &|| false).expect("the exercise is sound") {
        Ok(attempt) => attempt,
        Err(reason) => return Some(format!("nothing could be asked: {reason}")),
    };
    let mut failed = attempt.failed();
    let mut expected: Vec<&str> =
        if is_solved { Vec::new() } else { exercise.fails.iter().map(String::as_str).collect() };
    failed.sort_unstable();
    expected.sort_unstable();
    let details = || {
        let failed = attempt.findings.iter().filter(|finding| failed.contains(&finding.probe));
        failed
            .map(|finding| format!("\n  {}: {}: {}", finding.probe, finding.outcome, finding.detail))
            .collect()
    };
    (failed != expected).then(|| {
        let details: String = details();
        format!("fails {failed:?}, and {expected:?} was expected{details}")
    })
}
