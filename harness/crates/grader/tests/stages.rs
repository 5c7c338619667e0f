//! The stages describe themselves, and the harness reads it.

use grader::probes::{self, Expected};
use lab_core::stages;

/// Protects everything that lists the stages: all are found, in order, each followed by its twins.
#[test]
fn the_staircase_is_discovered_in_order() {
    let stages = stages::discover().unwrap();
    let steps: Vec<u8> = stages.iter().filter(|stage| !stage.is_twin).map(|stage| stage.number).collect();
    assert!(steps.len() >= 11 && steps[0] == 1, "{steps:?}");
    assert!(steps.windows(2).all(|pair| pair[0] < pair[1]), "{steps:?}");
    for pair in stages.windows(2) {
        if pair[1].is_twin {
            assert_eq!(pair[0].number, pair[1].number, "{} stands behind its stage", pair[1].name);
            assert_eq!(pair[0].package, pair[1].package);
        }
    }
}

/// Protects what users type, and the message when they mistype it.
#[test]
fn a_stage_is_found_by_any_of_its_names() {
    let stages = stages::discover().unwrap();
    for name in ["5", "05", "stage-05"] {
        assert_eq!(stages::find(&stages, name).unwrap().name, "05");
    }
    for name in ["5-mio", "05-mio"] {
        assert!(stages::find(&stages, name).unwrap().is_twin);
    }
    let error = stages::find(&stages, "99").unwrap_err().to_string();
    assert!(error.contains("99") && error.contains("02-threads") && !error.contains('\n'), "{error}");
}

/// Protects the declarations: one that names no probe, or no outcome, would never be compared.
#[test]
fn every_declaration_names_a_probe_and_an_outcome() {
    for stage in stages::discover().unwrap() {
        let sets = stage.variants.iter().map(|variant| &variant.expect).chain([&stage.expect]);
        for (probe, outcome) in sets.flatten() {
            assert!(probes::find(probe).is_ok(), "stage {} declares for `{probe}`", stage.name);
            assert!(Expected::parse(outcome).is_ok(), "stage {} declares {probe} = `{outcome}`", stage.name);
        }
    }
}
