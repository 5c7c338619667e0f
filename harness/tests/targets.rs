//! Which targets cargo is told to have no tests: to build each once more as a test took a minute of compiler.

use serde_json::Value;
use std::fs::{read_dir, read_to_string};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What is a block of code in a comment, but nothing for rustdoc to run.
const NO_RUST: [&str; 3] = ["text", "c", "sh"];

/// The targets of all packages, by `cargo metadata`.
fn targets() -> Vec<Value> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["metadata", "--no-deps", "--offline", "--format-version", "1"]);
    let output = cargo.output().expect("cargo is there");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    packages.iter().flat_map(|package| package["targets"].as_array().expect("targets").clone()).collect()
}

/// The sources in `folder` and below it.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let (folders, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    let files = files.into_iter().filter(|path| path.extension().is_some_and(|end| end == "rs"));
    files.chain(folders.iter().flat_map(|folder| sources(folder))).collect()
}

/// Whether these lines have a test, or what only a test would use.
fn has_tests(text: &str) -> bool {
    ["#[test]", "cfg(test)", "proptest!"].iter().any(|mark| text.contains(mark))
}

/// The first line of a comment that rustdoc would take for Rust to compile: a fence without the name of
/// another language, or lines that are indented after an empty one.
fn doctest(text: &str) -> Option<&str> {
    let (mut in_fence, mut after_empty) = (false, true);
    for line in text.lines() {
        let Some(comment) = ["///", "//!"].iter().find_map(|mark| line.trim_start().strip_prefix(mark))
        else {
            (in_fence, after_empty) = (false, true);
            continue;
        };
        if let Some(language) = comment.trim().strip_prefix("```") {
            in_fence = !in_fence;
            if in_fence && !NO_RUST.contains(&language) {
                return Some(line);
            }
        } else if !in_fence && after_empty && comment.starts_with("     ") {
            return Some(line);
        }
        after_empty = comment.trim().is_empty();
    }
    None
}

/// Protects a test from never being run: a target that is said to have none has none.
#[test]
fn a_target_that_is_said_to_have_no_tests_has_none() {
    let (mut programs, mut libraries, mut undocumented) = (0, 0, 0);
    for target in targets() {
        let path = Path::new(target["src_path"].as_str().expect("a path"));
        let (is_tested, is_doctested) = (target["test"] == true, target["doctest"] == true);
        match target["kind"][0].as_str() {
            Some("bin") if !is_tested => {
                programs += 1;
                let text = read_to_string(path).expect("a source");
                let alone =
                    !text.lines().any(|line| line.starts_with("mod ") || line.starts_with("pub mod "));
                // Its modules would have to be looked at too.
                assert!(alone && !has_tests(&text), "{}: take `test = false` out", path.display());
            }
            Some("lib") => {
                libraries += u32::from(!is_tested);
                undocumented += u32::from(!is_doctested);
                for source in sources(path.parent().expect("a folder")) {
                    let text = read_to_string(&source).expect("a source");
                    assert!(is_tested || !has_tests(&text), "{}: `test = false`", source.display());
                    let run = doctest(&text).filter(|_| !is_doctested);
                    assert!(run.is_none(), "{}: `doctest = false`: {run:?}", source.display());
                }
            }
            _ => {}
        }
    }
    assert!(programs > 10 && libraries > 5 && undocumented > 20, "{programs}, {libraries}, {undocumented}");
}

/// Protects the test above from finding nothing.
#[test]
fn rust_in_a_comment_is_told_from_other_blocks() {
    for text in ["/// ```\n/// a();\n/// ```", "//! ```no_run\n//! ```", "/// One.\n///\n///     let a = 1;"]
    {
        assert!(doctest(text).is_some(), "{text}");
    }
    let others = "/// ```text\n///     a\n/// ```\n/// * an item\n///     that goes on\nfn a() {}\n// ```";
    assert_eq!(doctest(others), None);
}
