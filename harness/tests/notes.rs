//! The book agrees with the code beside it. The checks are tested in the crate `book`, on books that are
//! broken; here the real one is checked, by the command that a user types.

use lab_core::stages;
use std::fs::read_to_string;
use std::path::Path;
use std::process::Command;
use test_support::{LONG, Place};

/// Protects a reader from an excerpt that is not there, a link that leads nowhere, a command that does not
/// exist, a figure that the records contradict, a term without a word.
#[test]
fn the_book_is_whole() {
    build_missing_programs();
    // It draws the rounds of every figure again and traces every stage, beside whatever else is tested.
    let finished = Place::new().start(&["notes", "check"]).wait(5 * LONG);
    assert!(finished.status.success(), "{}{}", finished.stdout, finished.stderr);
    assert!(finished.stdout.ends_with("the book agrees with the tree\n"), "{}", finished.stdout);
}

/// Protects a teacher who publishes the folder: it is built, every link in it leads somewhere, and a folder
/// of somebody else's is not replaced.
#[test]
fn the_folder_for_a_static_host_is_whole() {
    let place = Place::new();
    let out = place.path("site");
    let words = ["book", "--out", out.to_str().expect("text")];
    let finished = place.start(&words).wait(5 * LONG);
    if finished.stderr.contains("mdbook is not installed") {
        eprintln!("skipped: {}", finished.stderr);
        assert!(!finished.status.success() && !out.exists());
        return;
    }
    assert!(finished.status.success(), "{}{}", finished.stdout, finished.stderr);
    for file in ["index.html", "book/index.html", "results/report.html", "slides/index.html", "c10k-lab.epub"]
    {
        assert!(out.join(file).is_file(), "{file} is missing");
    }
    std::fs::write(out.join("index.html"), "<p>mine</p>").expect("written");
    let refused = place.start(&words).wait(LONG);
    assert_eq!(refused.status.code(), Some(2), "{}", refused.stderr);
    assert_eq!(refused.stderr.lines().count(), 1, "{}", refused.stderr);
}

/// The stages tell their options themselves. `cargo test` builds the programs of packages that have tests
/// beside their sources, and of no others.
fn build_missing_programs() {
    if stages::discover().expect("the stages").iter().all(|stage| stage.binary.is_file()) {
        return;
    }
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--workspace", "--bins"]);
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    assert!(cargo.status().expect("cargo is there").success());
}

/// Protects a student who looks for a probe that a chapter names.
#[test]
fn each_probe_that_a_chapter_names_exists() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("../notes/src");
    let mut named = 0;
    for entry in std::fs::read_dir(src).expect("the book is there") {
        let page = entry.expect("an entry").path();
        let Ok(text) = read_to_string(&page) else { continue };
        for name in text.split("probe `").skip(1).filter_map(|rest| rest.split('`').next()) {
            named += 1;
            assert!(grader::probes::find(name).is_ok(), "{}: there is no probe `{name}`", page.display());
        }
    }
    assert!(named > 0, "no chapter names a probe: has the wording changed?");
}
