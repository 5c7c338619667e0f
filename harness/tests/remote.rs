//! Servers and generators on other machines, as far as one machine can stand for two: a program in the place
//! of ssh, and a network namespace in the place of a host.

use records::{Bottleneck, Kind, Record, read};
use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use test_support::program;

const HARNESS: &str = env!("CARGO_BIN_EXE_harness");
/// One short point of our own generator.
const SHORT: [&str; 10] =
    ["--tools", "builtin", "--concurrency", "4", "--keep-alive", "on", "--duration", "1", "--rounds", "1"];

fn bench(out: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(HARNESS);
    command.arg("bench-all").args(args).arg("--out").arg(out).stdin(Stdio::null());
    command
}

fn records(out: &Path) -> Vec<Record> {
    let files = fs::read_dir(out.join("data")).into_iter().flatten().flatten().map(|entry| entry.path());
    files.flat_map(|file| read(&file).expect("whole lines")).collect()
}

fn last_line(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).lines().last().unwrap_or_default().to_owned()
}

fn installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|directory| directory.join(program).is_file())
}

/// A server that somebody else has started. It is killed with the test.
struct Running(Child, String);

impl Running {
    fn start() -> Self {
        let mut command = Command::new(program("floor"));
        // What HTTP/1.0 clients want to be told does not disturb the others.
        let child = command.args(["--connection", "keep-alive"]).stdout(Stdio::piped()).spawn();
        let mut child = child.expect("it starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
        let addr = line.trim().strip_prefix("listening on ").expect("an address").to_owned();
        Self(child, addr)
    }

    fn url(&self) -> String {
        format!("http://{}/any", self.1)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A program in the place of ssh: it drops the host and hands the last word to a shell, as sshd does. What it
/// starts is out of reach of a signal to its process group, as a process on another host is.
fn stand_in(directory: &Path, shell: &str) -> PathBuf {
    let path = directory.join("ssh-stand-in");
    let script = format!(
        "#!/bin/sh\nfor last; do :; done\necho \"$*\" >>'{}/asked'\nexec 3<&0\n{shell} \"$last\" <&3 3<&- &\nexec 3<&-\nwait $!\n",
        directory.display()
    );
    fs::write(&path, script).expect("written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("executable");
    path
}

/// Our own generator where a careless command line would not find it.
fn odd_path(directory: &Path) -> PathBuf {
    let odd = directory.join("it's \"over\" $there");
    fs::create_dir(&odd).expect("made");
    symlink(HARNESS, odd.join("harness")).expect("linked");
    odd.join("harness")
}

fn text(path: &(impl AsRef<OsStr> + ?Sized)) -> &str {
    path.as_ref().to_str().expect("UTF-8")
}

#[test]
fn a_server_that_runs_elsewhere_has_speed_and_no_cpu_figures() {
    let server = Running::start();
    let out = tempfile::tempdir().expect("a directory");
    let url = server.url();
    let args = [SHORT.as_slice(), &["--target", &url, "--name", "web1"]].concat();
    let output = bench(out.path(), &args).output().expect("it runs");
    assert!(output.status.success(), "{output:?}");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("no CPU figures: the server is not ours"), "{stderr}");
    let records = records(out.path());
    assert_eq!(records.len(), 1, "no floor, no pairs, nothing else: {records:?}");
    let record = &records[0];
    assert_eq!(
        (record.key.server.as_str(), record.context.kind, record.key.path.as_str()),
        ("web1", Kind::Target, "/any")
    );
    assert!(record.context.note.as_ref().is_some_and(|note| note.contains("no CPU figures")), "{record:?}");
    let figures = record.figures().expect("measured");
    assert!(figures.requests > 50 && figures.errors == 0, "{figures:?}");
    assert_eq!((figures.server_cpu_seconds, figures.cpu_us_per_request), (None, None));
    assert_eq!((figures.context_switches, figures.peak_memory_bytes), (None, None));
    assert_ne!(figures.limiter, Bottleneck::Server, "nothing is known of it");
    // Charts and pages live with what is missing.
    for command in ["chart", "report"] {
        let again =
            Command::new(HARNESS).arg(command).arg("--out").arg(out.path()).output().expect("it runs");
        assert!(again.status.success(), "{command}: {again:?}");
    }
    let page = fs::read_to_string(out.path().join("README.md")).expect("a page");
    assert!(page.contains("web1"), "{page}");
}

#[test]
fn what_cannot_be_reached_is_said_in_one_line() {
    let out = tempfile::tempdir().expect("a directory");
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let refused = format!("http://{}/", nobody.local_addr().expect("bound"));
    drop(nobody);
    let rows: [(&[&str], i32, &str); 7] = [
        (&["--target", "https://127.0.0.1/"], 2, "write http://HOST"),
        (&["--target", "127.0.0.1:80"], 2, "write http://HOST"),
        (&["--target", &refused], 1, "does not accept a connection"),
        (&["--generator", "ssh:there"], 2, "--listen"),
        (&["--generator", "there", "--listen", "127.0.0.1"], 2, "ssh:HOST"),
        (&["--generator", "ssh:-oProxyCommand=x", "--listen", "127.0.0.1"], 2, "ssh:HOST"),
        (
            &["--stages", "floor", "--generator", "ssh:there", "--ssh", "false", "--listen", "127.0.0.1"],
            1,
            "no sh",
        ),
    ];
    for (args, status, hint) in rows {
        let output = bench(out.path(), args).output().expect("it runs");
        assert_eq!(output.status.code(), Some(status), "{output:?}");
        assert!(last_line(&output).contains(hint), "{args:?}: {output:?}");
    }
    assert!(records(out.path()).is_empty(), "nothing was begun");
}

#[test]
fn generators_run_on_another_host() {
    let server = Running::start();
    let directory = tempfile::tempdir().expect("a directory");
    let (temporary, out) = (directory.path().join("tmp"), directory.path().join("out"));
    fs::create_dir(&temporary).expect("made");
    let ssh = stand_in(directory.path(), "setsid sh -c");
    let harness = odd_path(directory.path());
    let mut tools = vec!["builtin"];
    for tool in ["ab", "wrk"] {
        if installed(tool) {
            tools.push(tool);
        } else {
            eprintln!("skipped: {tool} is not installed");
        }
    }
    let (url, list, ssh) = (server.url(), tools.join(","), format!("{} -p 2222", ssh.display()));
    let mut args = SHORT.to_vec();
    args[1] = &list;
    args.extend(["--target", &url, "--generator", "ssh:me@there", "--ssh", &ssh]);
    args.extend(["--remote-harness", text(&harness)]);
    let output = bench(&out, &args).env("TMPDIR", &temporary).output().expect("it runs");
    assert!(output.status.success(), "{output:?}");
    let records = records(&out);
    assert_eq!(records.len(), tools.len(), "{records:?}");
    for record in &records {
        let figures = record.figures().unwrap_or_else(|| panic!("{record:?}"));
        assert!(figures.requests > 50 && figures.errors == 0, "{record:?}");
        // Counted over there: only the shell that started the tool can know it.
        assert!(figures.generator_cpu_seconds > 0.001, "{record:?}");
        assert_eq!(record.context.generator_host.as_deref(), Some("me@there"));
        assert!(
            record.context.host.tools[&record.key.tool].contains("me@there"),
            "{:?}",
            record.context.host.tools
        );
        // ab writes them to a file over there.
        assert!(figures.closed_loop_us.is_some() || record.key.tool != "ab", "{record:?}");
    }
    let asked = fs::read_to_string(directory.path().join("asked")).expect("it was asked");
    assert!(asked.lines().all(|line| line == "-p 2222 me@there exec sh -s"), "{asked}");
    assert_eq!(fs::read_dir(&temporary).expect("a directory").count(), 0, "no file is left over there");
}

#[test]
fn a_tool_that_is_absent_there_is_named_with_what_brings_it() {
    let server = Running::start();
    let directory = tempfile::tempdir().expect("a directory");
    let ssh = stand_in(directory.path(), "sh -c");
    let url = server.url();
    let mut args = SHORT.to_vec();
    args.extend(["--target", &url, "--generator", "ssh:there", "--ssh", text(&ssh)]);
    args.extend(["--remote-harness", "/nowhere/harness"]);
    let output = bench(&directory.path().join("out"), &args).output().expect("it runs");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("scp ") && stderr.contains("--remote-harness"), "{stderr}");
}

/// Processes that were started as exactly this program. Its path is in the test's own directory, so the runs
/// of others on this machine are not among them.
fn processes(program: &Path) -> usize {
    let all = procfs::process::all_processes().expect("/proc").flatten();
    let is_it = |line: Vec<String>| line.first().is_some_and(|first| Path::new(first) == program);
    all.filter(|process| process.cmdline().is_ok_and(is_it)).count()
}

fn wait_until(what: &str, happened: impl Fn() -> bool) {
    let start = Instant::now();
    while !happened() {
        assert!(start.elapsed() < Duration::from_secs(60), "in vain: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Protects the other host: a harness that was killed cannot end what it started there.
#[test]
fn a_remote_generator_does_not_outlive_the_harness() {
    let server = Running::start();
    let directory = tempfile::tempdir().expect("a directory");
    let ssh = stand_in(directory.path(), "setsid sh -c");
    let harness = odd_path(directory.path());
    let url = server.url();
    let mut args = SHORT.to_vec();
    args[7] = "600";
    args.extend(["--target", &url, "--generator", "ssh:there", "--ssh", text(&ssh)]);
    args.extend(["--remote-harness", text(&harness)]);
    let mut bench = bench(&directory.path().join("out"), &args);
    let mut child = bench.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it runs");
    // Asked a second time, it is not for the version any more.
    let asked =
        || fs::read_to_string(directory.path().join("asked")).map_or(0, |asked| asked.lines().count());
    wait_until("the generator runs", || asked() > 1 && processes(&harness) > 0);
    child.kill().expect("it lives");
    child.wait().expect("it ends");
    wait_until("the generator ends", || processes(&harness) == 0);
}

/// A network namespace that is joined to ours by a cable, and gone with the test.
struct Namespace {
    name: String,
    ours: String,
}

impl Namespace {
    /// `None`, with the reason on stderr, where the machine does not allow it.
    fn new() -> Option<Self> {
        let pid = std::process::id();
        let (name, cable) = (format!("lab-gen-{pid}"), format!("lab{pid}"));
        // 198.18.0.0/15 is set aside for benchmarks (RFC 2544), so it is nobody's network.
        let subnet = format!("198.18.{}", pid % 250);
        let namespace = Self { name, ours: format!("{subnet}.1") };
        let inside = format!("{cable}p");
        let theirs = format!("{subnet}.2/30");
        let ours = format!("{subnet}.1/30");
        let steps: [&[&str]; 6] = [
            &["netns", "add", &namespace.name],
            &["link", "add", &cable, "type", "veth", "peer", "name", &inside, "netns", &namespace.name],
            &["addr", "add", &ours, "dev", &cable],
            &["link", "set", &cable, "up"],
            &["-n", &namespace.name, "addr", "add", &theirs, "dev", &inside],
            &["-n", &namespace.name, "link", "set", &inside, "up"],
        ];
        for step in steps {
            match Command::new("ip").args(step).output() {
                Ok(output) if output.status.success() => {}
                Ok(output) => {
                    eprintln!("skipped: no network namespace here: {}", last_line(&output));
                    return None;
                }
                Err(error) => {
                    eprintln!("skipped: no network namespace here: ip: {error}");
                    return None;
                }
            }
        }
        Some(namespace)
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // The cable goes with its end inside.
        let _ = Command::new("ip").args(["netns", "del", &self.name]).output();
    }
}

#[test]
fn two_hosts_are_measured_over_a_network() {
    let Some(namespace) = Namespace::new() else { return };
    let directory = tempfile::tempdir().expect("a directory");
    let out = directory.path().join("out");
    let ssh = stand_in(directory.path(), &format!("ip netns exec {} sh -c", namespace.name));
    let mut args = SHORT.to_vec();
    args.extend(["--stages", "floor", "--generator", "ssh:there", "--ssh", text(&ssh)]);
    args.extend(["--remote-harness", HARNESS, "--listen", &namespace.ours]);
    let output = bench(&out, &args).output().expect("it runs");
    assert!(output.status.success(), "{output:?}");
    let records = records(&out);
    let record = records.iter().find(|record| !record.context.dropped).expect("a record");
    let figures = record.figures().unwrap_or_else(|| panic!("{record:?}"));
    assert!(figures.requests > 50 && figures.errors == 0, "{record:?}");
    // The server is ours, so its side is known; the other side is what its shell has counted.
    assert!(figures.cpu_us_per_request.is_some_and(|cost| cost > 0.0), "{record:?}");
    assert!(figures.generator_cpu_seconds > 0.001, "{record:?}");
    assert_eq!(
        (record.context.generator_host.as_deref(), record.context.kind),
        (Some("there"), Kind::Reference)
    );
}

#[test]
fn a_distributed_engine_is_driven_and_read() {
    if !installed("tsung") {
        eprintln!("skipped: tsung is not installed: apt-get install tsung");
        return;
    }
    let server = Running::start();
    let out = tempfile::tempdir().expect("a directory");
    let url = server.url();
    let mut command = Command::new(HARNESS);
    command.args(["distributed", &url, "--clients", "8", "--duration", "1", "--name", "web1", "--out"]);
    let output = command.arg(out.path()).stdin(Stdio::null()).output().expect("it runs");
    assert!(output.status.success(), "{output:?}");
    let records = records(out.path());
    let record = &records[0];
    let figures = record.figures().unwrap_or_else(|| panic!("{record:?}"));
    assert!(figures.requests > 50 && figures.errors == 0 && figures.seconds > 1.0, "{record:?}");
    assert_eq!(
        (record.key.tool.as_str(), record.context.kind, record.key.concurrency),
        ("tsung", Kind::Target, 8)
    );
    assert_eq!(figures.cpu_us_per_request, None);
    // The same charts are drawn from it.
    let data = fs::read_dir(out.path().join("data")).expect("data").flatten().next().expect("a file").path();
    let mut chart = Command::new(HARNESS);
    let chart =
        chart.arg("chart").arg("--data").arg(data).arg("--out").arg(out.path()).output().expect("it runs");
    assert!(chart.status.success(), "{chart:?}");
}
