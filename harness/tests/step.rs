//! `./lab step`: what a student reads between two chapters.

use std::process::{Command, Output};

fn step(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_harness")).arg("step").args(args).output().expect("it was built")
}

/// Protects the student who asks what a stage is about: each has a step, its loop comes first, and no line of
/// it is the book's machinery.
#[test]
fn each_stage_but_the_first_has_a_step() {
    let stages = lab_core::stages::discover().expect("the workspace is above");
    for stage in stages.iter().filter(|stage| !stage.is_twin && stage.number > 1) {
        let output = step(&[&stage.name]);
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        assert!(output.status.success(), "{}", stage.name);
        let files: Vec<&str> = text.lines().filter(|line| line.starts_with("--- ")).collect();
        assert_eq!(files.first(), Some(&"--- server.rs ---"), "{}", stage.name);
        assert!(text.contains(&stage.idea) && !text.contains("ANCHOR"), "{}", stage.name);
    }
}

/// Protects the learner who types a stage that has no step: one line that says what there is instead.
#[test]
fn what_has_no_step_is_told_in_one_line() {
    for (args, word) in [
        (&["1"][..], "the first"),
        (&["5-mio"], "stage 05"),
        (&["99"], "there is 01"),
        (&["4", "4"], "itself"),
        (&["4", "5", "6"], "unexpected"),
        (&[], "required"),
    ] {
        let output = step(args);
        let text = String::from_utf8(output.stderr).expect("UTF-8");
        assert!(output.status.code() == Some(2) && text.contains(word), "{args:?}: {text}");
        assert!(output.stdout.is_empty(), "{args:?}");
    }
}
