//! The mutants of this tree are whole.

use std::path::Path;

/// Protects the mutants from rotting: each still applies to the stages as they are, names a probe and a test
/// that exist, and has its row in the table; and the page of the book is what the two say.
#[test]
fn every_mutant_applies_and_the_page_agrees_with_the_table() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
    let stages = lab_core::stages::discover().unwrap();
    let faults = mutants::faults(&root, &stages).unwrap();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
