//! The engine as a library, as an experiment uses it: servers by command and options, each beside the floor.

use bench::cpus::cpus;
use bench::engine::{Clients, Method, Options, Plan, Point, Recipe, Setup, Subject, run};
use bench::generators::{Load, Tool};
use lab_core::server_process::Launch;
use records::{Bottleneck, Content, FLOOR, Outcome, Phase, Record, read};
use std::fs;
use std::path::Path;
use std::time::Duration;
use test_support::program;

/// The floor as it answers pipelined requests, beside the floor itself.
struct TwoFloors;

impl Recipe for TwoFloors {
    fn content(&self) -> Content {
        Content::Run
    }

    fn ending(&self) -> &str {
        "quick"
    }

    fn plan(&self, seed: u64) -> Plan {
        let mut launch = Launch::new(program("floor"));
        launch.args = ["--connection", "nothing", "--reply-per", "request"].map(String::from).into();
        let subjects = vec![
            Subject::floor("/").expect("it was built").expect("it can answer /"),
            Subject::command("per-request", "a reply for each request", launch),
        ];
        let point = |subject| Point {
            subject,
            phase: Phase::Paired,
            tool: Tool::Builtin,
            method: Method::Closed(Clients::Counted),
            load: Load { concurrency: 4, duration: Duration::from_millis(200), ..Load::new("/") },
            idle: None,
            by_worker: None,
            rounds: 2,
            fresh: false,
        };
        Plan::of_points(subjects, vec![point(0), point(1)], 2, seed)
    }
}

fn options(out: &Path, seed: Option<u64>) -> Options {
    Options { out: out.to_owned(), seed, fresh: false }
}

#[test]
fn a_server_by_command_is_measured_beside_the_floor() {
    let out = tempfile::tempdir().expect("a directory");
    let (server_cpus, _) = cpus(None).expect("there is one");
    let setup = Setup::new(Vec::new(), server_cpus).expect("the harness was built");
    let outcome = run(&options(out.path(), Some(7)), &setup, &TwoFloors).expect("it can be measured");
    let finished = outcome.finished.expect("nobody interrupts it");
    assert_eq!(finished.records, read(&finished.data).expect("whole lines"));
    // What was measured again stays in the file, and every run of the floor is a record of its own.
    let of_phase = |phase| finished.records.iter().filter(move |record| record.key.phase == phase);
    assert_eq!(of_phase(Phase::Paired).filter(|record| !record.context.dropped).count(), 4);
    let floors = || of_phase(Phase::Floor).map(|floor| floor.skipped());
    assert_eq!(floors().filter(Option::is_none).count(), of_phase(Phase::Paired).count());
    assert!(of_phase(Phase::Floor).all(|record| record.context.round_trip_ns.is_some()));
    assert!(of_phase(Phase::Floor).all(|record| record.key.concurrency == 4), "as many clients as beside it");
    for name in [FLOOR, "per-request"] {
        let of = |record: &&Record| record.key.server == name && !record.context.dropped;
        let rounds: Vec<&Record> = of_phase(Phase::Paired).filter(of).collect();
        assert_eq!(rounds.iter().map(|record| record.context.round).collect::<Vec<_>>(), [1, 2]);
        for record in rounds {
            let Outcome::Paired(paired) = &record.outcome else {
                panic!("{:?} {record:#?}", floors().collect::<Vec<_>>())
            };
            assert!(paired.floor_around.iter().all(|cost| *cost > 0.0), "{record:#?}");
            assert_eq!(paired.slices, Some(20), "0.2 s in turns of 10 ms");
            // The time is that of the server's own turns, and so are the shares.
            let figures = &paired.figures;
            assert!((0.2..10.0).contains(&figures.seconds), "{record:#?}");
            let used = figures.server_cpu_seconds.expect("it was started here");
            let cost = used * 1e6 / figures.requests as f64;
            assert!(
                (cost - figures.cpu_us_per_request.expect("answered")).abs() < 1e-6 * cost,
                "{record:#?}"
            );
            assert_eq!(figures.window_seconds, None, "time and CPU time are of the same turns");
            assert!(paired.figures.requests > 50 && paired.figures.errors == 0, "{record:#?}");
            assert_ne!(paired.figures.limiter, Bottleneck::Clients, "all four are served");
            assert_eq!((paired.served.clients, paired.served.body_bytes), (4, 13));
            assert_eq!((record.context.seed, record.context.points_planned), (7, 4));
        }
    }
    // Everything is there, so the same command is another run.
    run(&options(out.path(), None), &setup, &TwoFloors).expect("it can be measured");
    assert_eq!(fs::read_dir(out.path().join("data")).expect("it is there").count(), 2);
}
