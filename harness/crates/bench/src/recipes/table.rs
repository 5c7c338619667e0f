//! `./lab table`: a published table, measured again.
//!
//! Its author measured a serial server and a preforking one with webbench, from 1 to 3,000 clients, with an
//! accept queue of five, and asked why the serial one drops at ten clients. The same table is measured here,
//! with a column that it did not have: how often the accept queue was full.

use super::options::{Measured, Options};
use super::select::clients;
use super::whole_number::whole;
use crate::cpus::cpus;
use crate::engine::{Clients, Method, Outcome, Point, Setup, Subject};
use crate::generators::{Load, Tool};
use anyhow::{Result, bail};
use lab_core::server_process::Launch;
use lab_core::stages::{Stage, discover};
use records::{Content, Phase};
use std::time::Duration;

/// The options of `./lab table`.
#[derive(clap::Args, Clone, Debug)]
#[command(
    after_help = "Source 002 is a web server that a fellow learner wrote step by step. Its author published this table, \
                        made with webbench and an accept queue of five, and asked why the serial server drops at ten \
                        clients. The chart shows the published figures beside those measured here."
)]
pub struct Args {
    /// Clients at once.
    #[arg(
        long,
        value_name = "LIST",
        default_value = "1,2,5,10,20,50,100,200,500,1000,2000,2500,3000",
        allow_negative_numbers = true
    )]
    clients: String,
    /// Seconds per point. A client whose connection found the accept queue full tries again after 1, 3, 7, 15
    /// s: the table was first made with 30.
    #[arg(long, value_name = "SECONDS", default_value = "1", allow_negative_numbers = true, value_parser = whole::<u32>(1..=3600))]
    seconds: u32,
    /// How many connections may wait to be accepted; 5 as when the table was first made.
    #[arg(long, value_name = "N", default_value_t = 5, allow_negative_numbers = true, value_parser = whole::<u16>(1..=4096))]
    backlog: u16,
    /// The CPUs of the servers and of webbench; default: the first one and the second one, also for two
    /// processes.
    #[arg(long, value_name = "SERVER:GENERATOR")]
    cpus: Option<String>,
    #[command(flatten)]
    options: Options,
}

/// Measures and records.
pub fn run(args: Args) -> Result<Outcome> {
    let clients = clients(&args.clients, "--clients")?;
    let (server_cpus, generator_cpus) = cpus(args.cpus.as_deref())?;
    let webbench = match Tool::Webbench.find() {
        Ok(found) => found,
        Err(install) => bail!("webbench is not installed: {install}"),
    };
    let load = Load {
        keep_alive: false,
        duration: Duration::from_secs(args.seconds.into()),
        cpus: Some(generator_cpus),
        ..Load::new("/")
    };
    let subjects = rows(&discover()?, args.backlog);
    let points = points(subjects.len(), &clients, &load);
    let measured = Measured { content: Content::Table, subjects, points, rounds: 5 };
    args.options.measure(measured, Setup::new(vec![webbench], server_cpus)?)
}

/// Every row with every number of clients.
fn points(rows: usize, clients: &[usize], load: &Load) -> Vec<Point> {
    let point = |subject, clients| Point {
        subject,
        phase: Phase::Table,
        tool: Tool::Webbench,
        // It does not know which clients were served.
        method: Method::Closed(Clients::Assumed),
        load: Load { concurrency: clients, ..load.clone() },
        idle: None,
        by_worker: None,
        rounds: u32::MAX,
        fresh: true,
    };
    (0..rows).flat_map(|subject| clients.iter().map(move |&clients| point(subject, clients))).collect()
}

/// The servers of all rows.
fn rows(stages: &[Stage], backlog: u16) -> Vec<Subject> {
    ROWS.into_iter().map(|row| server(row, stages, backlog)).collect()
}

/// A row: what the source calls the server, and its stage with so many workers.
type Row = (&'static str, u8, &'static str, Option<usize>);

const ROWS: [Row; 3] = [
    ("serial", 1, "blocking-echo", None),
    ("1 process", 9, "prefork", Some(1)),
    ("2 processes", 9, "prefork", Some(2)),
];

/// The server of a row, which listens with this backlog.
fn server((title, number, package, workers): Row, stages: &[Stage], backlog: u16) -> Subject {
    let mut options = vec!["--backlog".into(), backlog.to_string()];
    options.extend(workers.iter().flat_map(|workers| ["--workers".into(), workers.to_string()]));
    let name = format!("{number:02}");
    let found = stages.iter().find(|stage| !stage.is_twin && stage.number == number);
    let lacks = match found {
        None => Some(format!("needs stage {name} ({package}), which is not built yet")),
        Some(stage) if !stage.binary.is_file() => Some(format!(
            "needs stage {name} ({}): build it with `cargo build --release --workspace --bins`",
            stage.package
        )),
        Some(_) => None,
    };
    let launch = found.map_or_else(|| Launch::new(package), |stage| stage.launch(&options));
    Subject {
        label: title.into(),
        configuration: Some(options.join(" ")),
        workers,
        lacks,
        ..Subject::command(&name, title, launch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Plan;
    use std::collections::BTreeMap;

    #[test]
    fn the_time_that_webbench_sleeps_is_told_beforehand() {
        let mut rows = rows(&[], 5);
        rows[0] = Subject::command("01", "serial", Launch::new("serial"));
        let points = points(rows.len(), &[1, 3000], &Load::new("/"));
        let plan = Plan::of_points(rows, points, 2, 4);
        assert_eq!(
            (plan.points().count(), plan.skipped.len(), plan.len()),
            (2, 4, 4),
            "two rows are not built"
        );
        assert!(plan.seconds() > 4.0 * 2.0 + 2.0 * 1.5, "{}", plan.seconds());
    }

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
