//! `./lab bench-all` as a program, on the floor alone: it needs no stage and no tool that is not built
//! here.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use records::{Record, read};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

fn bench(out: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_harness"));
    command
        .arg("bench-all")
        .arg("--out")
        .arg(out)
        .args(["--stages", "floor", "--references", "floor"])
        .args(args)
        .stdin(Stdio::null());
    command
}

fn data_files(out: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(out.join("data")).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}

fn records(out: &Path) -> Vec<Record> {
    data_files(out).iter().flat_map(|file| read(file).expect("whole lines")).collect()
}

/// The line of an error, with the status that it must have: 2 for a mistake in the command line, 1 for what
/// fails later.
fn complaint(output: &Output, status: i32) -> String {
    assert_eq!(output.status.code(), Some(status), "{output:?}");
    last_line(output)
}

fn last_line(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    text.lines().last().unwrap_or_default().to_owned()
}

const SHORT: [&str; 8] =
    ["--tools", "webbench", "--concurrency", "1,4", "--keep-alive", "off", "--duration", "1"];

/// The whole way: plan, servers, generator, figures, records, charts, table.
#[test]
fn a_run_records_figures_and_draws_charts() {
    let out = tempfile::tempdir().expect("a directory");
    let args = [SHORT.as_slice(), &["--rounds", "2", "--seed", "42"]].concat();
    let output = bench(out.path(), &args).output().expect("it runs");
    assert!(output.status.success(), "{output:?}");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.starts_with("4 points in 2 rounds on floor;"), "says what comes: {stderr}");
    assert!(stderr.contains("about"), "says how long it takes: {stderr}");
    assert!(!stderr.contains('\u{1b}'), "no bar where there is no terminal: {stderr:?}");

    let mut records = records(out.path());
    // What other programs disturbed stays in the file and was measured again.
    records.retain(|record| !record.context.dropped);
    assert_eq!(records.len(), 4, "{records:?}");
    for record in &records {
        let figures = record.figures().expect("measured");
        assert!(figures.requests > 50 && figures.errors == 0, "{record:?}");
        let cost = figures.cpu_us_per_request.expect("there were answers");
        // The kernel's work for a connection is some microseconds; a lost process or a wrong unit is not.
        assert!((1.0..2000.0).contains(&cost), "{record:?}");
        assert!(figures.generator_cpu_seconds > 0.0 && figures.peak_memory_bytes.is_some(), "{record:?}");
        assert!(figures.context_switches.is_some(), "nothing ended in the floor: {record:?}");
        assert_eq!(
            (record.context.seed, record.served().body_bytes, record.key.server.as_str()),
            (42, 13, "floor")
        );
        assert!(!record.context.host.kernel.is_empty() && record.context.host.tools.contains_key("webbench"));
    }
    let chart = out.path().join("requests-per-second-webbench.svg");
    assert!(fs::read_to_string(chart).expect("a chart").contains("floor"));
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(stdout.contains("data    ") && stdout.contains("chart   "), "{stdout}");
}

/// Protects against a rerun that destroys what was measured before.
#[test]
fn a_second_run_leaves_the_first_ones_data_alone() {
    let out = tempfile::tempdir().expect("a directory");
    let args = [SHORT.as_slice(), &["--rounds", "1"]].concat();
    let run = || assert!(bench(out.path(), &args).output().expect("it runs").status.success());
    run();
    let first = data_files(out.path());
    let before = fs::read(&first[0]).expect("it is there");
    run();
    assert_eq!(data_files(out.path()).len(), 2);
    assert_eq!(fs::read(&first[0]).expect("it is there"), before);
}

/// Processes whose parent is `pid`.
fn children(pid: u32) -> Vec<i32> {
    let processes = procfs::process::all_processes().expect("/proc").flatten();
    processes
        .filter_map(|process| process.stat().ok())
        .filter(|stat| stat.ppid == pid as i32)
        .map(|stat| stat.pid)
        .collect()
}

#[test]
fn an_interrupt_keeps_the_records_and_leaves_no_process() {
    let out = tempfile::tempdir().expect("a directory");
    // Two points of 1 s fit, and then there is more to do for a long time.
    let args = [&SHORT[..6], &["--duration", "1", "--rounds", "500"]].concat();
    let mut child =
        bench(out.path(), &args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it runs");
    let start = Instant::now();
    while records(out.path()).len() < 2 {
        assert!(start.elapsed() < Duration::from_secs(60), "nothing was measured");
        std::thread::sleep(Duration::from_millis(50));
    }
    let mut descendants = children(child.id());
    assert!(!descendants.is_empty(), "a server is running");
    descendants.extend(descendants.clone().iter().flat_map(|&pid| children(pid as u32)));
    kill(Pid::from_raw(child.id() as i32), Signal::SIGINT).expect("it lives");
    let status = child.wait().expect("it ends");
    assert_eq!(status.code(), Some(130));
    assert!(start.elapsed() < Duration::from_secs(90), "it ends soon");
    assert!(records(out.path()).len() >= 2);
    for pid in descendants {
        let alive = procfs::process::Process::new(pid)
            .and_then(|process| process.stat())
            .is_ok_and(|stat| stat.state != 'Z');
        assert!(!alive, "process {pid} was left behind");
    }
}

#[test]
fn bad_input_gives_one_clear_line() {
    let out = tempfile::tempdir().expect("a directory");
    let rows: [(&[&str], &str); 6] = [
        (&["--tools", "ab,siege"], "ab, wrk, webbench"),
        (&["--concurrency", "0"], "1 to 20000"),
        (&["--concurrency", "many"], "no number"),
        (&["--cpus", "0"], "SERVER:GENERATOR"),
        (&["--cpus", "0:1023"], "may use"),
        (&["--path", "x"], "begin with '/'"),
    ];
    for (args, hint) in rows {
        let output = bench(out.path(), args).output().expect("it runs");
        let line = complaint(&output, 2);
        assert!(line.contains(hint), "{args:?}: {line}");
        assert_eq!(String::from_utf8_lossy(&output.stderr).lines().count(), 1, "{output:?}");
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_harness"));
    let output = command.args(["bench-all", "--stages", "99"]).output().expect("it runs");
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(last_line(&output).contains("no stage `99`: there is"), "{output:?}");
    assert!(data_files(out.path()).is_empty(), "nothing was begun");
}

#[test]
fn an_output_directory_that_cannot_be_written_is_said_before_the_measuring() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let start = Instant::now();
    let output = bench(&file.path().join("below"), &SHORT).output().expect("it runs");
    assert!(complaint(&output, 1).contains("cannot write to"), "{output:?}");
    assert!(start.elapsed() < Duration::from_secs(20));
}

#[test]
fn an_absent_tool_is_skipped_with_the_command_that_installs_it() {
    let out = tempfile::tempdir().expect("a directory");
    let output = bench(out.path(), &["--tools", "wrk"]).env("PATH", out.path()).output().expect("it runs");
    assert!(complaint(&output, 1).contains("nothing can be measured"), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("apt-get install wrk"), "{output:?}");
}
