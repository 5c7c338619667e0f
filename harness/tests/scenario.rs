//! `./lab scenario` as a program: small numbers, real stages.

use lab_core::stages::discover;
use nix::sys::signal::Signal;
use records::{Content, DirLock, FLOOR, Outcome, Phase, Placement, Record, WorkerLoad, newest, read};
use std::collections::BTreeSet;
use std::fs;
use std::process::Command;
use test_support::{LONG, Place, lines, measured};

fn scenario(place: &Place, args: &str) -> test_support::Run {
    let out = place.out().display().to_string();
    let words: Vec<&str> = ["scenario"].into_iter().chain(args.split_whitespace()).collect();
    place.start(&[&words[..], &["--out", &out]].concat())
}

/// The stages that this needs are built with the workspace; a test of the harness alone has none.
fn is_built(names: &[&str]) -> bool {
    let stages = discover().expect("a workspace");
    let missing: Vec<&&str> = names
        .iter()
        .filter(|name| !stages.iter().any(|stage| stage.name == **name && stage.binary.is_file()))
        .collect();
    if !missing.is_empty() {
        eprintln!("SKIPPED: not built: {missing:?}; `cargo build --workspace --bins`");
    }
    missing.is_empty()
}

/// What tells the records of a phase that count from each other.
fn of_phase<T: Ord>(records: &[Record], phase: Phase, what: impl Fn(&Record) -> T) -> BTreeSet<T> {
    let of_phase = records.iter().filter(|record| record.key.phase == phase && !record.context.dropped);
    of_phase.filter(|record| record.figures().is_some()).map(what).collect()
}

#[test]
fn more_workers_are_measured_where_a_stage_has_them() {
    if !is_built(&["01", "04", "06"]) {
        return;
    }
    let place = Place::new();
    let args = "spin --stages 1,4,6 --workers 1,2 --spin 200 --clients 8 --rounds 2";
    let run = scenario(&place, args);
    let finished = run.wait(LONG);
    assert!(finished.status.success(), "{finished:?}");
    assert_eq!(finished.lines_with(&["6 points in 2 rounds on 01, 04, 06; about "]), 1, "{finished:?}");
    assert_eq!(finished.lines_with(&["skipped: it serves one client at a time (01)"]), 1, "{finished:?}");
    for words in ["04 Non-blocking epoll", "06 EPOLLONESHOT", "data    ", "its chart: ./lab chart"] {
        assert!(finished.stdout.contains(words), "{words}: {finished:?}");
    }
    let records = place.records();
    assert!(records.iter().all(|record| record.key.phase == Phase::Spin && record.key.path == "/spin/200"));
    assert_eq!((records.len(), measured(&records).count()), (7, 6), "{records:#?}");
    let found: BTreeSet<_> = measured(&records)
        .map(|record| (record.key.server.as_str(), record.key.workers, record.context.round))
        .collect();
    let expected = [("04", None), ("06", Some(1)), ("06", Some(2))];
    assert_eq!(found, expected.iter().flat_map(|at| [1, 2].map(|round| (at.0, at.1, round))).collect());
    for record in measured(&records) {
        let figures = record.figures().expect("measured");
        assert_eq!(
            (figures.errors, record.key.concurrency, record.served().clients),
            (0, 8, 8),
            "{record:?}"
        );
        // One worker can do no more than the busy time allows, however fast the machine is.
        let cpus = record.key.workers.unwrap_or(2).min(record.context.server_cpus.len());
        let most = cpus as f64 * 1e6 / 200.0 * 1.02;
        assert!((1.0..most).contains(&figures.requests_per_second), "{record:?}");
        // The busy time is CPU time. What is counted here begins and ends beside the requests, so not quite
        // all of it is seen.
        assert!(figures.cpu_us_per_request.is_some_and(|cost| cost > 180.0), "{record:?}");
    }
    // Everything is there, so the same command is another run.
    assert_eq!(place.data_files(), [newest(&place.out().join("data"), Content::Spin).expect("its file")]);
    assert_eq!(place.left_behind(LONG), [""; 0]);
}

#[test]
fn quick_requests_are_told_from_the_slow_ones_beside_them() {
    if !is_built(&["04", "06"]) {
        return;
    }
    let place = Place::new();
    let args =
        "slow --stages 4,6 --workers 3 --mix 10:/sleep/40 --rate 33 --clients 16 --seconds 3 --rounds 1";
    let finished = scenario(&place, args).wait(LONG);
    assert!(finished.status.success(), "{finished:?}");
    for words in ["10 % of the requests sleep for 40 ms", "04 Non-blocking epoll", "its chart: ./lab chart"] {
        assert!(finished.stdout.contains(words), "{words}: {finished:?}");
    }
    let records = place.records();
    assert!(records.iter().all(|record| record.key.phase == Phase::Slow), "{records:#?}");
    let [four, six] = ["04", "06"]
        .map(|stage| records.iter().find(|record| record.key.server == stage).expect("it was measured"));
    assert_eq!((four.key.workers, six.key.workers), (None, Some(3)));
    for record in [four, six] {
        let (figures, open) = record.figures().zip(record.open_loop()).expect("it was measured");
        let mix = record.mix().expect("it has one");
        assert_eq!(
            (figures.errors, mix.errors, record.key.concurrency, mix.percent),
            (0, 0, 16, 10),
            "{record:?}"
        );
        assert!(mix.latency_us.is_some_and(|slow| slow.p50 >= 39_000), "{record:?}");
        assert!((5..=11).contains(&mix.requests), "one in ten of about a hundred: {mix:?}");
        assert!(figures.requests <= 91 && figures.requests > mix.requests, "{figures:?}");
        assert!(open.over_5ms.is_some_and(|over| over <= figures.requests + open.never_sent), "{open:?}");
    }
    // The one loop sleeps, and a request that comes meanwhile waits: at least one of a hundred.
    assert!(four.open_loop().is_some_and(|open| open.latency_us.p99 >= 10_000), "{four:?}");
    assert!(four.open_loop().is_some_and(|open| open.over_5ms >= Some(1)), "{four:?}");

    let drawn = place.start(&["chart", "--out", &place.out().display().to_string()]).wait(LONG);
    assert!(drawn.status.success() && place.out().join("slow.svg").is_file(), "{drawn:?}");
}

#[test]
fn the_same_rates_are_asked_of_every_server_and_its_peak_is_a_record() {
    if !is_built(&["04"]) {
        return;
    }
    let place = Place::new();
    let args =
        "latency --stages 4 --references floor --rates 200,100 --busy-rates 50 --clients 4 --seconds 1";
    let finished = scenario(&place, args).wait(LONG);
    assert!(finished.status.success(), "{finished:?}");
    let records = place.records();
    let found = of_phase(&records, Phase::Latency, |record| {
        let open = record.open_loop().expect("an open loop");
        assert_eq!((open.share_of_peak, record.figures().map(|figures| figures.errors)), (None, Some(0)));
        (record.key.server.clone(), record.key.path.clone(), open.rate as u64)
    });
    // The floor keeps no CPU busy.
    let expected = [
        ("04", "/", 100),
        ("04", "/", 200),
        ("04", "/spin/50", 50),
        ("floor", "/", 100),
        ("floor", "/", 200),
    ];
    assert_eq!(found, expected.map(|(stage, path, rate)| (stage.to_owned(), path.to_owned(), rate)).into());
    let peaks = records.iter().filter(|record| record.key.phase == Phase::Peak);
    assert!(peaks.clone().all(|peak| peak.figures().is_some_and(|found| found.requests_per_second > 300.0)));
    assert_eq!(peaks.count(), 3);
}

#[test]
fn the_cost_is_measured_with_few_clients_and_with_more_beside_a_floor_with_as_many() {
    if !is_built(&["01", "04"]) {
        return;
    }
    let place = Place::new();
    let args = "clients --stages 1,4 --references floor --clients 1,8 --rounds 1 --seconds 1";
    let finished = scenario(&place, args).wait(LONG);
    assert!(finished.status.success(), "{finished:?}");
    assert_eq!(
        finished.lines_with(&["skipped: more clients than are served at once (01)"]),
        1,
        "{finished:?}"
    );
    let records = place.records();
    let measured = of_phase(&records, Phase::Clients, |record| {
        assert!(matches!(record.outcome, Outcome::Paired(_)), "{record:?}");
        (record.key.server.clone(), record.key.concurrency)
    });
    let expected = [("01", 1), ("04", 1), ("04", 8), ("floor", 1), ("floor", 8)];
    assert_eq!(measured, expected.map(|(stage, clients)| (stage.to_owned(), clients)).into());
    let floors = records.iter().filter(|record| record.key.phase == Phase::Floor);
    assert!(floors.clone().all(|floor| floor.key.server == FLOOR));
    let clients = floors.clone().map(|floor| floor.key.concurrency).collect::<BTreeSet<_>>();
    assert_eq!(clients, [1, 8].into(), "a pair's floor has as many clients as its server");
    assert!(floors.count() >= 5, "one for each pair");
}

#[test]
fn silent_connections_have_their_memory_beside_the_figures_of_the_active_ones() {
    if !is_built(&["04"]) {
        return;
    }
    let place = Place::new();
    let args = "c10k --stages 4 --references floor --idle 0,200 --rate 100 --clients 4 --seconds 1";
    let finished = scenario(&place, args).wait(LONG);
    assert!(finished.status.success(), "{finished:?}");
    let found = of_phase(&place.records(), Phase::C10k, |record| {
        let latency = record.latency().expect("an open loop");
        assert!(latency.figures.requests > 90 && latency.figures.errors == 0, "{record:?}");
        let idle = record.key.idle.expect("the number of silent connections");
        assert_eq!(latency.beside.as_ref().map_or(0, |beside| beside.connections), idle, "{record:?}");
        // How many sockets there are, other programs have a part in: a number cannot be expected here.
        let kernel = latency.beside.as_ref();
        assert!(kernel.is_none_or(|beside| beside.kernel_bytes.is_some() == beside.kernel_source.is_some()));
        (record.key.server.clone(), idle, record.key.concurrency)
    });
    let expected = [("04", 0, 4), ("04", 200, 4), ("floor", 0, 4), ("floor", 200, 4)];
    assert_eq!(found, expected.map(|(stage, idle, clients)| (stage.to_owned(), idle, clients)).into());
}

#[test]
fn a_server_is_measured_on_one_cpu_and_on_two() {
    if !is_built(&["04", "08"]) {
        return;
    }
    let place = Place::new();
    let run = scenario(&place, "cpus --stages 4,8 --references floor --clients 8 --rounds 1");
    let finished = run.wait(LONG);
    if finished.stderr.contains("two CPUs are needed") {
        return;
    }
    assert!(finished.status.success(), "{finished:?}");
    let of = |stage: &str| {
        let found = of_phase(&place.records(), Phase::Cpus, |record| {
            let key = record.key.clone();
            (key.server, key.path, key.cpus, key.workers)
        });
        found.into_iter().filter(|at| at.0 == stage).map(|at| (at.1, at.2, at.3)).collect::<Vec<_>>()
    };
    let both = |workers: [Option<usize>; 2]| {
        let of_path = |path: &str| [1, 2].map(|cpus| (path.to_owned(), Some(cpus), workers[cpus - 1]));
        ["/", "/spin/100"].into_iter().flat_map(of_path).collect::<Vec<_>>()
    };
    assert_eq!(of("04"), both([None, None]));
    assert_eq!(of("08"), both([Some(1), Some(2)]));
    assert_eq!(of("floor").len(), 2, "it keeps no CPU busy");
    let records = place.records();
    for record in measured(&records) {
        let cpus = &record.context.server_cpus;
        assert_eq!(record.key.cpus, Some(cpus.len()));
        let shares = cpus.iter().any(|cpu| record.context.generator_cpus.contains(cpu));
        assert_eq!(record.context.note.as_ref().is_some_and(|note| note.contains("shares the CPUs")), shares);
    }
}

#[test]
fn an_interrupted_scenario_keeps_what_is_done_and_goes_on() {
    if !is_built(&["04", "06"]) {
        return;
    }
    let place = Place::new();
    let args = "spin --stages 4,6 --workers 1 --clients 4 --rounds 2";
    let mut run = scenario(&place, args);
    run.wait_until("a record", || measured(&place.records()).count() >= 1);
    let finished = run.signal_and_wait(Signal::SIGINT);
    assert_eq!(finished.status.code(), Some(130), "{finished:?}");
    assert_eq!(finished.lines_with(&["interrupted; what was measured is in"]), 1, "{finished:?}");
    assert_eq!(place.left_behind(LONG), [""; 0]);
    let before = measured(&place.records()).count();
    assert!((1..4).contains(&before), "it was the middle of the run");

    let finished = scenario(&place, args).wait(LONG);
    assert!(finished.status.success(), "{finished:?}");
    assert_eq!(finished.lines_with(&["going on with", &format!("{before} of 4 points")]), 1, "{finished:?}");
    assert_eq!((place.data_files().len(), measured(&place.records()).count()), (1, 4));
}

/// A run that can go on is recognised by its command, not by being the last one there. The terminal is closed
/// meanwhile.
#[test]
fn the_same_command_goes_on_whatever_was_run_after_it() {
    if !is_built(&["04", "06"]) {
        return;
    }
    let place = Place::new();
    let args = "spin --stages 4,6 --workers 1 --clients 4 --rounds 2";
    let interrupted = |args: &str, files: usize| {
        let mut run = scenario(&place, args);
        run.wait_until("a record in a file of its own", || {
            let found = place.data_files();
            found.len() == files && found.iter().all(|file| !lines(file).0.is_empty())
        });
        let finished = run.signal_and_wait(Signal::SIGHUP);
        assert_eq!(finished.status.code(), Some(130), "{finished:?}");
        assert_eq!(place.left_behind(LONG), [""; 0]);
        finished
    };
    interrupted(&format!("{args} --seed 1"), 1);
    let first = place.data_files().remove(0);
    interrupted(&format!("{args} --seconds 2"), 2);
    let finished = interrupted(&format!("{args} --seed 2"), 3);
    assert_eq!(finished.lines_with(&["is unfinished, but it has another seed"]), 1, "{finished:?}");

    let finished = scenario(&place, &format!("{args} --seed 1")).wait(LONG);
    assert!(finished.status.success(), "{finished:?}");
    let file = first.display().to_string();
    assert_eq!(finished.lines_with(&["going on with", &file]), 1, "{finished:?}");
    assert_eq!(measured(&read(&first).expect("every line is a record")).count(), 4);
}

/// To begin anew without a word would be to lose the hour that is in the file.
#[test]
fn a_damaged_file_is_not_passed_over() {
    if !is_built(&["04"]) {
        return;
    }
    let place = Place::new();
    let args = "spin --stages 4 --clients 4 --rounds 2";
    let mut run = scenario(&place, args);
    run.wait_until("a record", || measured(&place.records()).count() == 1);
    run.signal_and_wait(Signal::SIGINT);
    let file = place.data_files().remove(0);
    let damaged = fs::read_to_string(&file).expect("it is there") + "{\"stage\":\n";
    fs::write(&file, &damaged).expect("written");

    let finished = scenario(&place, args).wait(LONG);
    let line = finished.complaint();
    assert!(line.contains(", line 2") && line.contains("--fresh"), "{line}");
    assert_eq!(place.data_files(), [file.as_path()]);
    assert_eq!(fs::read_to_string(&file).expect("it is there"), damaged);
    assert!(scenario(&place, &format!("{args} --fresh")).wait(LONG).status.success());
}

/// Nothing else shows that somebody measures here already, before the first record is written.
#[test]
fn a_second_run_in_the_same_place_is_refused_at_once() {
    if !is_built(&["04"]) {
        return;
    }
    let place = Place::new();
    let claim = DirLock::on(&place.out().join("data")).expect("nobody is there");
    for args in
        ["spin --stages 4 --rounds 1", "slow --stages 4 --rounds 1", "spin --stages 4 --rounds 1 --fresh"]
    {
        let finished = scenario(&place, args).wait(LONG);
        let line = finished.complaint();
        assert!(line.contains("another run measures into") && line.contains("wait for its end"), "{line}");
        assert!(place.data_files().is_empty(), "{args}");
    }
    drop(claim);
    let finished = scenario(&place, "spin --stages 4 --clients 4 --rounds 1").wait(LONG);
    assert!(finished.status.success(), "{finished:?}");
}

#[test]
fn bad_input_gives_one_clear_line_and_no_file() {
    let rows: [(&[&str], &str); 20] = [
        (&["spin", "--workers", "0"], "--workers 0 is not possible: 1 to 1024"),
        (&["spin", "--workers", "1,many"], "'many' is no number"),
        (&["spin", "--spin", "0"], "1000000"),
        (&["spin", "--spin", "20000"], "give --seconds 3 or more"),
        (&["spin", "--workers", "-1"], "'-1' is no number"),
        (&["spin", "--stages", "99"], "no stage `99`"),
        (&["spin", "--cpus", "0"], "SERVER:GENERATOR"),
        (&["spin", "--cpus", "a:b"], "0:1"),
        (&["spin", "--seed", "-1"], "0 to 18446744073709551615"),
        (&["slow", "--rounds", "1.5"], "1 to 1000 "),
        (&["slow", "--mix", "5"], "PERCENT:PATH"),
        (&["slow", "--mix", "200:/sleep/50"], "1 to 99 per cent"),
        (&["slow", "--rate", "0"], "1000000"),
        (&["slow", "--rounds", "0"], "1 to 1000 "),
        (&["latency", "--rates", "0"], "--rates 0 is not possible"),
        (&["latency", "--busy-rates", "many"], "'many' is no number"),
        (&["clients", "--clients", "20001"], "1 to 20000"),
        (&["c10k", "--idle", "20001"], "0 to 20000"),
        (&["cpus", "--cpus", "0:1"], "two CPUs"),
        (&["all", "--rounds", "0"], "1 to 1000 "),
    ];
    for (args, hint) in rows {
        let out = tempfile::tempdir().expect("a directory");
        let mut command = Command::new(env!("CARGO_BIN_EXE_harness"));
        let output =
            command.arg("scenario").args(args).arg("--out").arg(out.path()).output().expect("it was built");
        assert!(matches!(output.status.code(), Some(1 | 2)), "{args:?}: {output:?}");
        let first = String::from_utf8_lossy(&output.stderr).lines().next().unwrap_or_default().to_owned();
        assert!(first.contains(hint), "{args:?}: {first}");
        assert!(output.stdout.is_empty() && !out.path().join("data").exists(), "{args:?}: {output:?}");
    }
}

/// A load that could not show what it asks for is refused, and the reason is recorded.
#[test]
fn a_mixed_path_that_is_wrong_or_too_slow_is_not_measured() {
    if !is_built(&["04"]) {
        return;
    }
    for (mix, reason) in [("5:/nope", "404"), ("5:/sleep/300", "give --seconds 4 or more")] {
        let place = Place::new();
        let run = scenario(&place, &format!("slow --stages 4 --mix {mix} --seconds 2 --rounds 1"));
        let finished = run.wait(LONG);
        assert_eq!(finished.status.code(), Some(1), "{finished:?}");
        assert_eq!(finished.lines_with(&[reason]), 1, "{finished:?}");
        let records = place.records();
        assert!(records.iter().all(|record| record.figures().is_none()), "{records:#?}");
        assert!(records[0].skipped().is_some_and(|said| said.contains(reason)), "{records:#?}");
    }
}

/// Protects the declaration that the scenarios rely on: it says what the stage's own help says.
#[test]
fn a_stage_declares_its_workers() {
    let stages = discover().expect("a workspace");
    let mut looked_at = 0;
    for stage in stages.iter().filter(|stage| stage.binary.is_file()) {
        let help = Command::new(&stage.binary).arg("--help").output().expect("it was built");
        let has_option = String::from_utf8_lossy(&help.stdout).contains("--workers ");
        assert_eq!(stage.has_workers, has_option, "stage {}: `workers` in its Cargo.toml", stage.name);
        looked_at += 1;
    }
    if looked_at == 0 {
        eprintln!("SKIPPED: no stage is built; `cargo build --workspace --bins`");
    }
}

/// Protects the comparison beyond the peak: every policy gets the same load, a share of one peak, and what
/// became of each request is told apart.
#[test]
fn beyond_the_peak_all_policies_get_the_same_load() {
    if !is_built(&["07"]) {
        return;
    }
    let place = Place::new();
    let args = "overload --loads 0.5,4 --spin 2000 --timeout 100 --limit 4 --age 20 --clients 600 --seconds 1 --rounds 1";
    let finished = scenario(&place, args).wait(LONG);
    assert!(finished.status.success(), "{finished:?}");
    let records = place.records();
    let peaks = of_phase(&records, Phase::Peak, |record| {
        record.figures().map(|figures| (1000.0 * figures.requests_per_second).round() as u64)
    });
    let [Some(peak)] = peaks.into_iter().collect::<Vec<_>>()[..] else { panic!("one peak: {records:#?}") };
    let peak = peak as f64 / 1000.0;
    let found = of_phase(&records, Phase::Overload, |record| {
        let (figures, open) = record.figures().zip(record.open_loop()).expect("an open loop");
        let client_timeout =
            &record.latency().and_then(|latency| latency.client_timeout.as_ref()).expect("they give up");
        let share = open.share_of_peak.expect("a share");
        assert!((open.rate / share / peak - 1.0).abs() < 1e-3, "{open:?} of {peak}");
        assert!(
            client_timeout.timeout_ms == 100 && client_timeout.in_time <= figures.requests,
            "{client_timeout:?}"
        );
        assert!(
            client_timeout.refused + client_timeout.given_up <= figures.errors,
            "{client_timeout:?} {figures:?}"
        );
        let policy = record.context.configuration.clone().expect("it has one");
        let may_refuse = policy.contains(':');
        assert!(may_refuse || client_timeout.refused == 0, "{policy}: {client_timeout:?}");
        // At four times the peak most of the requests cannot be served.
        assert!(share < 1.0 || !may_refuse || client_timeout.refused > 0, "{policy}: {client_timeout:?}");
        assert!(share < 1.0 || may_refuse || client_timeout.given_up > 0, "{policy}: {client_timeout:?}");
        (policy.trim_start_matches("--overload ").to_owned(), (1000.0 * share) as u64)
    });
    let policies = ["bounded:4", "by-age:20", "lifo", "unbounded"];
    let expected = policies.iter().flat_map(|policy| [500, 4000].map(|share| ((*policy).to_owned(), share)));
    assert_eq!(found, expected.collect());
    let drawn = place.start(&["chart", "--out", &place.out().display().to_string()]).wait(LONG);
    assert!(drawn.status.success() && place.out().join("overload.svg").is_file(), "{drawn:?}");
    assert_eq!(place.left_behind(LONG), [""; 0]);
}

/// Protects the table of the workers: each has its row, the slowed one is known, and all of the load is
/// dealt.
#[test]
fn what_each_worker_has_is_seen_from_outside() {
    if !is_built(&["10"]) {
        return;
    }
    let place = Place::new();
    let args =
        "balance --stages 10 --workers 3 --rate 300 --short-rate 200 --clients 12 --seconds 1 --rounds 1";
    let finished = scenario(&place, args).wait(LONG);
    assert!(finished.status.success(), "{finished:?}");
    let records = place.records();
    let found = of_phase(&records, Phase::Balance, |record| {
        let workers = record.latency().and_then(|latency| latency.by_worker.as_ref()).expect("workers");
        let figures = record.figures().expect("measured");
        let sum = |of: fn(&WorkerLoad) -> u64| workers.iter().map(of).sum::<u64>();
        assert_eq!((workers.len(), figures.errors), (3, 0), "{record:?}");
        assert_eq!(workers.iter().filter(|worker| worker.slowed).count(), usize::from(record.key.slowed));
        assert!(!record.key.slowed || workers[0].slowed, "{workers:?}");
        // Each part is rounded.
        assert!(sum(|worker| worker.requests).abs_diff(figures.requests) <= 3, "{workers:?} {figures:?}");
        if record.key.keep_alive {
            assert_eq!(sum(|worker| worker.connections), 12, "{workers:?}");
        }
        assert!(sum(|worker| worker.samples) > 0, "{workers:?}");
        assert!(workers.iter().all(|worker| worker.wait_us.is_some() == (worker.samples > 0)), "{workers:?}");
        (record.key.title.clone(), record.key.keep_alive, record.key.slowed)
    });
    assert_eq!(found.len(), 2 * 4, "{found:?}");
    let drawn = place.start(&["chart", "--out", &place.out().display().to_string()]).wait(LONG);
    assert!(drawn.status.success() && place.out().join("balance.svg").is_file(), "{drawn:?}");
    assert_eq!(place.left_behind(LONG), [""; 0]);
}

/// Protects the comparison of threads that steal with threads that do not: where the long requests are is
/// seen from outside, they are served, and where all threads share an epoll instance they are one worker. The
/// two servers differ in that, so both are started.
#[test]
fn where_the_long_requests_are_is_seen_from_outside() {
    if !is_built(&["12", "12-tokio"]) {
        return;
    }
    let place = Place::new();
    // The looks are at fixed times after the load has begun; on a busy machine the connections of the long
    // requests and of the samples, which are opened before, take a second and more.
    let args = "stealing --stages 12,12-tokio --workers 2 --placements one --rate 100 --clients 4 --long-rate 40 \
                --spin 8000 --long-clients 4 --seconds 6 --rounds 1";
    let finished = scenario(&place, args).wait(LONG);
    assert!(finished.status.success(), "{finished:?}");
    let records = place.records();
    let found = of_phase(&records, Phase::Stealing, |record| {
        let latency = record.latency().expect("an open loop");
        let workers = latency.by_worker.as_ref().expect("workers");
        let is_shared = record.key.server == "12-tokio";
        assert_eq!((workers.len(), latency.figures.errors), (if is_shared { 1 } else { 2 }, 0), "{record:?}");
        let hot: Vec<bool> = workers.iter().map(|worker| worker.slowed).collect();
        assert_eq!(hot, [true, false][..workers.len()], "{workers:?}");
        // The load's own connections are counted, and neither those of the long requests nor the samples'.
        assert_eq!(workers.iter().map(|worker| worker.connections).sum::<u64>(), 4, "{workers:?}");
        let long = latency.long_requests.as_ref().expect("they were asked for");
        assert_eq!((long.path.as_str(), long.connections), ("/spin/8000", 4));
        assert!(long.requests > 0 && long.wait_us.is_some_and(|wait| wait.p50 >= 8000), "{long:?}");
        assert_eq!(latency.figures.cpu_us_per_request, None, "it would be that of the long ones");
        // They keep that executor's own thread busy, and none of those for work that blocks. Those of the end
        // may be served when the times have been read.
        let least = 0.5 * long.requests as f64 * 8000e-6;
        assert!(workers[0].cpu_seconds >= least, "{workers:?}: {long:?}");
        (record.key.server.clone(), record.key.placement)
    });
    let expected = ["12", "12-tokio"].map(|server| (server.to_owned(), Some(Placement::One)));
    assert_eq!(found, expected.into());
    let drawn = place.start(&["chart", "--out", &place.out().display().to_string()]).wait(LONG);
    assert!(drawn.status.success() && place.out().join("stealing.svg").is_file(), "{drawn:?}");
    assert_eq!(place.left_behind(LONG), [""; 0]);
}

/// Protects the comparison of what holds a connection: a twin is measured under each load, its pairs beside
/// the floor, and its pictures are drawn from that alone.
#[test]
fn what_holds_a_connection_is_measured_under_each_load() {
    if !is_built(&["02-threads"]) {
        return;
    }
    let place = Place::new();
    let args = "concurrency --stages 2-threads --connections 60 --clients 4 --millis 40 --mix 10:/sleep/20 \
                --rate 50 --seconds 1 --rounds 1";
    let finished = scenario(&place, args).wait(LONG);
    assert!(finished.status.success(), "{finished:?}");
    let records = place.records();
    let kept = |record: &Record| (record.key.server.clone(), record.key.keep_alive);
    let pairs = of_phase(&records, Phase::Paired, kept);
    let of = |server: &str| [false, true].map(|kept| (server.to_owned(), kept));
    assert_eq!(pairs, of("02-threads").into_iter().chain(of(FLOOR)).collect(), "{records:#?}");
    let slow = of_phase(&records, Phase::Slow, |record| record.mix().is_some_and(|mix| mix.requests > 0));
    assert_eq!(slow, [true].into());
    let idle: Vec<_> = records.iter().filter_map(Record::idle).collect();
    let [idle] = idle[..] else { panic!("one server held connections: {records:#?}") };
    // A thread has at least a page of stack. What the kernel needs for it is the growth of the machine's own
    // counters: it may be hidden by a process of another test that ends meanwhile.
    assert!(idle.connections == 60 && idle.silent_bytes > 4096.0, "{idle:?}");
    assert!(idle.task_bytes.is_some_and(|bytes| bytes >= 0.0), "{idle:?}");
    let drawn = place.start(&["chart", "--out", &place.out().display().to_string()]).wait(LONG);
    for picture in ["concurrency.svg", "concurrency-load.svg"] {
        assert!(drawn.status.success() && place.out().join(picture).is_file(), "{picture}: {drawn:?}");
    }
    assert_eq!(place.left_behind(LONG), [""; 0]);
}

/// Protects the comparison of io_uring's features: each stands beside stage 11 as it is, under the same load,
/// and so does epoll; what this kernel lacks is a marked skip.
#[test]
fn each_feature_of_io_uring_is_measured_in_turns_with_the_stage_as_it_is() {
    let stages = discover().expect("a workspace");
    let has_uring = stages.iter().any(|stage| stage.name == "11" && stage.lacks().is_none());
    if !is_built(&["10", "11"]) || !has_uring {
        return;
    }
    let place = Place::new();
    let args = "uring --clients 4 --sizes 13 --millis 100 --rounds 1";
    let finished = scenario(&place, args).wait(LONG);
    assert!(finished.status.success(), "{finished:?}");
    let records = place.records();
    let of = |record: &Record| (record.key.server.clone(), record.key.title.clone());
    let mut found = of_phase(&records, Phase::Uring, |record| {
        assert!(matches!(&record.outcome, Outcome::Paired(pair) if pair.slices.is_some()), "{record:?}");
        of(record)
    });
    let skipped = records.iter().filter(|record| record.skipped().is_some());
    found.extend(skipped.map(|record| {
        assert!(record.skipped().is_some_and(|why| why.contains("this kernel lacks it")), "{record:?}");
        of(record)
    }));
    assert_eq!(found.len(), 13, "{found:?}");
    assert!(found.contains(&("10".into(), "epoll (stage 10)".into())), "{found:?}");
    let beside = of_phase(&records, Phase::Floor, of);
    assert_eq!(beside, [("11".to_owned(), "as it is".to_owned())].into());
    let drawn = place.start(&["chart", "--out", &place.out().display().to_string()]).wait(LONG);
    // One round on a busy machine may hold no pair whose floors agree.
    let is_comparable = |record: &Record| {
        record.key.phase == Phase::Uring && record.figures().is_some() && !record.straddles()
    };
    let is_any = records.iter().any(is_comparable);
    assert_eq!(
        (drawn.status.success(), place.out().join("uring.svg").is_file()),
        (is_any, is_any),
        "{drawn:?}"
    );
    assert!(is_any || drawn.stderr.contains("stood in two states of the machine"), "{drawn:?}");
}
