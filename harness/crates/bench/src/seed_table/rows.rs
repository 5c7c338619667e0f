//! The servers of the table: the seed's, as this lab has them.

use crate::rounds::Subject;
use lab_core::stages::Stage;

/// What a row needs.
struct Wanted {
    title: &'static str,
    number: u8,
    package: &'static str,
    workers: Option<usize>,
}

const WANTED: [Wanted; 3] = [
    Wanted { title: "serial", number: 1, package: "blocking-echo", workers: None },
    Wanted { title: "1 process", number: 9, package: "prefork", workers: Some(1) },
    Wanted { title: "2 processes", number: 9, package: "prefork", workers: Some(2) },
];

/// The rows, each with a server that listens with this backlog.
pub(super) fn rows(stages: &[Stage], backlog: u16) -> Vec<Subject> {
    WANTED.iter().map(|wanted| row(wanted, stages, backlog)).collect()
}

fn row(wanted: &Wanted, stages: &[Stage], backlog: u16) -> Subject {
    let fits =
        |stage: &&Stage| !stage.is_twin && (stage.number == wanted.number || stage.package == wanted.package);
    let mut options = vec!["--backlog".into(), backlog.to_string()];
    if let Some(workers) = wanted.workers {
        options.extend(["--workers".into(), workers.to_string()]);
    }
    let name = format!("{:02}", wanted.number);
    let launch = match stages.iter().find(fits) {
        None => Err(format!("needs stage {name} ({}), which is not built yet", wanted.package)),
        Some(stage) if !stage.binary.is_file() => Err(format!(
            "needs stage {name} ({}): build it with `cargo build --release --workspace --bins`",
            stage.package
        )),
        Some(stage) => Ok(stage.launch(&options)),
    };
    Subject {
        name: wanted.title.into(),
        stage: name,
        title: wanted.title.into(),
        options,
        workers: wanted.workers,
        launch,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn stage(number: u8, package: &str, binary: &std::path::Path) -> Stage {
        Stage {
            number,
            name: format!("{number:02}"),
            package: package.into(),
            title: "t".into(),
            idea: "i".into(),
            flaw: "f".into(),
            chapter: "c".into(),
            binary: binary.into(),
            serves_at_once: None,
            expect: BTreeMap::new(),
            variants: Vec::new(),
            needs: None,
            has_workers: false,
            is_twin: false,
        }
    }

    #[test]
    fn a_row_without_its_server_says_what_is_missing() {
        let built = std::env::current_exe().expect("this test");
        let rows = |stages: &[Stage]| rows(stages, 5);
        let [serial, one, two] = rows(&[stage(1, "blocking-echo", &built)]).try_into().ok().expect("three");
        assert!(serial.launch.is_ok_and(|launch| launch.args.ends_with(&["--backlog".into(), "5".into()])));
        for row in [one, two] {
            assert_eq!(row.stage, "09");
            assert_eq!(row.launch.err().as_deref(), Some("needs stage 09 (prefork), which is not built yet"));
        }
        let unbuilt = stage(9, "prefork", "/nowhere".as_ref());
        assert!(rows(&[unbuilt])[1].launch.as_ref().is_err_and(|reason| reason.contains("cargo build")));
    }

    #[test]
    fn the_process_rows_differ_in_their_workers() {
        let built = std::env::current_exe().expect("this test");
        let rows = rows(&[stage(9, "prefork", &built)], 128);
        for (row, workers) in [(&rows[1], "1"), (&rows[2], "2")] {
            assert_eq!(row.options, ["--backlog", "128", "--workers", workers]);
            let launch = row.launch.as_ref().expect("it is built");
            assert!(row.options.iter().all(|option| launch.args.contains(option)), "{launch:?}");
        }
    }
}
