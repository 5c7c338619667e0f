//! The book agrees with the code beside it. The checks are tested in the crate `book`, on books that are
//! broken; here the real one is checked, by the command that a user types.

use std::fs::read_to_string;
use std::path::Path;
use test_support::{LONG, Place};

/// Protects a reader from an excerpt that is not there, a link that leads nowhere, a command that does not
/// exist, a figure that the records contradict, a term without a word.
#[test]
fn the_book_is_whole() {
    // It draws the rounds of every figure again and traces every stage, beside whatever else is tested.
    let finished = Place::new().start(&["notes", "check"]).wait(5 * LONG);
    assert!(finished.status.success(), "{}{}", finished.stdout, finished.stderr);
    assert!(finished.stdout.ends_with("the book agrees with the tree\n"), "{}", finished.stdout);
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
