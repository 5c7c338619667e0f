//! The servers of the table: the source's, as this lab has them.

use crate::engine::Subject;
use lab_core::server_process::Launch;
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
    let found = stages.iter().find(fits);
    let lacks = match found {
        None => Some(format!("needs stage {name} ({}), which is not built yet", wanted.package)),
        Some(stage) if !stage.binary.is_file() => Some(format!(
            "needs stage {name} ({}): build it with `cargo build --release --workspace --bins`",
            stage.package
        )),
        Some(_) => None,
    };
    let launch = found.map_or_else(|| Launch::new(wanted.package), |stage| stage.launch(&options));
    Subject {
        label: wanted.title.into(),
        configuration: Some(options.join(" ")),
        workers: wanted.workers,
        lacks,
        ..Subject::command(&name, wanted.title, launch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generators::{Load, Tool};
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
            ..Stage::default()
        }
    }

    fn args(row: &Subject) -> Vec<String> {
        row.launch(Tool::Webbench, &Load::new("/")).args
    }

    #[test]
    fn a_row_without_its_server_says_what_is_missing() {
        let built = std::env::current_exe().expect("this test");
        let rows = |stages: &[Stage]| rows(stages, 5);
        let [serial, one, two] = rows(&[stage(1, "blocking-echo", &built)]).try_into().expect("three");
        assert_eq!(serial.lacks, None);
        assert!(args(&serial).ends_with(&["--backlog".into(), "5".into()]));
        for row in [one, two] {
            assert_eq!(row.name, "09");
            assert_eq!(row.lacks.as_deref(), Some("needs stage 09 (prefork), which is not built yet"));
        }
        let unbuilt = stage(9, "prefork", "/nowhere".as_ref());
        assert!(rows(&[unbuilt])[1].lacks.as_ref().is_some_and(|reason| reason.contains("cargo build")));
    }

    #[test]
    fn the_process_rows_differ_in_their_workers() {
        let built = std::env::current_exe().expect("this test");
        let rows = rows(&[stage(9, "prefork", &built)], 128);
        for (row, workers) in [(&rows[1], "1"), (&rows[2], "2")] {
            let options = ["--backlog", "128", "--workers", workers].map(String::from);
            assert_eq!(row.configuration, Some(options.join(" ")));
            let args = args(row);
            assert!(options.iter().all(|option| args.contains(option)), "{args:?}");
        }
    }
}
