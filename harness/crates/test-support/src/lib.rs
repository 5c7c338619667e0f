//! What the tests of several crates share: a place where a run changes nothing else, a bound on its time, and
//! what it left behind; `server` and `manner`: servers with a fault. For tests only.

pub mod manner;
pub mod server;

use lab_core::stages::binary_directory;
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use procfs::process::{Process, all_processes};
use records::{Record, read};
use serde_json::Value;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// No run of these tests takes nearly as long, on a busy machine either.
pub const LONG: Duration = Duration::from_secs(60);
/// The variable that tells the processes of one place from all others: children inherit it.
const MARK: &str = "C10K_LAB_TEST_PLACE";

/// A program of this workspace, where cargo puts them all. Cargo builds the programs of a package for the
/// package's own tests only: those of other packages must be there.
pub fn program(name: &str) -> PathBuf {
    let program = binary_directory().expect("this test has a path").join(name);
    assert!(program.is_file(), "{name} is not built: run `cargo build --workspace --bins`");
    program
}

/// A directory for one test, with programs that come before all others on the PATH of what is started here.
/// When it is dropped, nothing that was started here is alive.
#[derive(Debug)]
pub struct Place {
    directory: TempDir,
}

impl Default for Place {
    fn default() -> Self {
        Self::new()
    }
}

impl Place {
    /// A place with nothing in it.
    pub fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        for name in ["bin", "tmp"] {
            fs::create_dir(directory.path().join(name)).expect("a directory");
        }
        let place = Self { directory };
        place.commit("0123456789", "");
        place
    }

    /// A path below the place.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Where the runs write.
    pub fn out(&self) -> PathBuf {
        self.path("out")
    }

    /// A shell script that is found before the real program of this name.
    pub fn program(&self, name: &str, script: &str) -> PathBuf {
        write_program(&self.path("bin").join(name), script)
    }

    /// What git tells the harness: a commit, and the changes of its tree. A run goes on only on the commit on
    /// which it was begun and without changes, and the tree of these tests may have any.
    pub fn commit(&self, commit: &str, changes: &str) {
        self.program(
            "git",
            &format!("case \"$1\" in rev-parse) echo '{commit}';; status) printf '%s' '{changes}';; esac"),
        );
    }

    /// A program that will be one of this place.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut path = OsString::from(self.path("bin"));
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap_or_default());
        let mut command = Command::new(program);
        command.env("PATH", path).env("TMPDIR", self.path("tmp")).env(MARK, self.directory.path());
        command.stdin(Stdio::null());
        command
    }

    /// Starts the harness.
    pub fn start(&self, args: &[&str]) -> Run {
        let mut command = self.command(program("harness"));
        command.args(args);
        Run::start(command)
    }

    /// Starts `./lab bench-all` with this place's results and these words.
    pub fn start_bench(&self, args: &str) -> Run {
        let mut command = self.command(program("harness"));
        command.arg("bench-all").arg("--out").arg(self.out()).args(args.split_whitespace());
        Run::start(command)
    }

    /// Runs `./lab bench-all` to its end.
    pub fn bench(&self, args: &str) -> Finished {
        self.start_bench(args).wait(LONG)
    }

    /// The files of data, the oldest first.
    pub fn data_files(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.out().join("data")).into_iter().flatten().flatten();
        let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
        files.sort();
        files
    }

    /// All records, in the order in which they were written.
    pub fn records(&self) -> Vec<Record> {
        self.data_files().iter().flat_map(|file| read(file).expect("every line is a record")).collect()
    }

    /// What runs here: process ids and command lines.
    pub fn running(&self) -> Vec<(i32, String)> {
        let is_ours = |process: &Process| {
            let environment = process.environ().unwrap_or_default();
            environment.get(OsStr::new(MARK)).is_some_and(|place| place == self.directory.path())
        };
        let processes = all_processes().expect("/proc").flatten().filter(is_ours);
        processes.map(|process| (process.pid, process.cmdline().unwrap_or_default().join(" "))).collect()
    }

    /// What still runs here after a while; empty as soon as nothing does.
    pub fn left_behind(&self, limit: Duration) -> Vec<String> {
        let start = Instant::now();
        loop {
            let running = self.running();
            if running.is_empty() || start.elapsed() > limit {
                return running.into_iter().map(|(pid, command)| format!("{pid} {command}")).collect();
            }
            sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        for (pid, _) in self.running() {
            // It carries the mark of this place, so it was started by this test.
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }
}

/// Writes an executable shell script.
pub fn write_program(path: &Path, script: &str) -> PathBuf {
    // By another process: a descriptor that is open for writing here may be copied by a fork of another
    // test's thread, and then the script cannot be executed ("text file busy").
    let text = format!("#!/bin/sh\n{script}\n");
    let write = format!("cat > '{}'", path.display());
    let mut child =
        Command::new("sh").args(["-c", &write]).stdin(Stdio::piped()).spawn().expect("sh is there");
    std::io::Write::write_all(&mut child.stdin.take().expect("it is piped"), text.as_bytes())
        .expect("written");
    assert!(child.wait().expect("it ends").success());
    fs::set_permissions(path, Permissions::from_mode(0o755)).expect("it is ours");
    path.to_owned()
}

/// A process under a test. It is killed when it is dropped.
#[derive(Debug)]
pub struct Run {
    child: Child,
    stdout: File,
    stderr: File,
}

/// What a process left behind.
#[derive(Debug)]
pub struct Finished {
    /// How it ended.
    pub status: ExitStatus,
    /// All that it printed.
    pub stdout: String,
    /// All that it complained of.
    pub stderr: String,
    /// From the start to the end.
    pub took: Duration,
}

impl Run {
    /// Starts the command.
    pub fn start(mut command: Command) -> Self {
        // Files, not pipes: a process that was left behind would hold a pipe open, and its reader would wait
        // for ever.
        let file = || tempfile::tempfile().expect("a file");
        let (stdout, stderr) = (file(), file());
        command.stdout(stdout.try_clone().expect("a descriptor"));
        command.stderr(stderr.try_clone().expect("a descriptor"));
        Self { child: command.spawn().expect("it was built"), stdout, stderr }
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id() as i32), signal).expect("it was not waited for");
    }

    /// Sends a signal to the process group that it leads, as a terminal does.
    pub fn signal_group(&self, signal: Signal) {
        killpg(Pid::from_raw(self.child.id() as i32), signal).expect("it leads a group");
    }

    /// Sends a signal and waits for the end.
    pub fn signal_and_wait(self, signal: Signal) -> Finished {
        self.signal(signal);
        self.wait(LONG)
    }

    /// Waits until `condition` holds while the process lives.
    pub fn wait_until(&mut self, what: &str, condition: impl Fn() -> bool) {
        self.wait_until_within(LONG, what, condition);
    }

    /// The same, for what may take longer than most: a build.
    pub fn wait_until_within(&mut self, limit: Duration, what: &str, condition: impl Fn() -> bool) {
        let start = Instant::now();
        while !condition() {
            let ended = self.child.try_wait().expect("it is a child");
            assert!(ended.is_none(), "it ended before {what}: {ended:?}\n{}", text(&mut self.stderr));
            assert!(start.elapsed() < limit, "no {what} within {limit:?}\n{}", text(&mut self.stderr));
            sleep(Duration::from_millis(10));
        }
    }

    /// Waits for its end.
    pub fn wait(mut self, limit: Duration) -> Finished {
        let start = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("it is a child") {
                break status;
            }
            let so_far = || text(&mut self.stderr.try_clone().expect("a descriptor"));
            assert!(start.elapsed() < limit, "it did not end within {limit:?}:\n{}", so_far());
            sleep(Duration::from_millis(10));
        };
        let (stdout, stderr) = (text(&mut self.stdout), text(&mut self.stderr));
        Finished { status, stdout, stderr, took: start.elapsed() }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The whole text, without moving the place where the process writes.
fn text(file: &mut File) -> String {
    let mut bytes = vec![0; file.metadata().map_or(0, |metadata| metadata.len() as usize)];
    let length = std::os::unix::fs::FileExt::read_at(file, &mut bytes, 0).expect("a file");
    bytes.truncate(length);
    String::from_utf8_lossy(&bytes).into_owned()
}

impl Finished {
    /// That it failed, and nothing that only a programmer can read was said.
    pub fn failed_clearly(&self) {
        assert!(self.status.code().is_some_and(|code| code != 0), "{self:?}");
        for noise in ["panicked", "RUST_BACKTRACE", "backtrace", "unwrap"] {
            assert!(!self.stderr.contains(noise), "{self:?}");
        }
    }

    /// The one line that says why it failed, which is the last one.
    pub fn complaint(&self) -> &str {
        self.failed_clearly();
        let mut lines = self.stderr.lines().filter(|line| line.starts_with("lab: "));
        let line = lines.next().unwrap_or_else(|| panic!("no line says why: {self:?}"));
        assert!(lines.next().is_none() && self.stderr.ends_with(&format!("{line}\n")), "{self:?}");
        line
    }

    /// The lines of stderr that contain all of these words.
    pub fn lines_with(&self, words: &[&str]) -> usize {
        self.stderr.lines().filter(|line| words.iter().all(|word| line.contains(word))).count()
    }
}

/// The lines of a file of data, each of them JSON, and what follows the last line feed.
pub fn lines(path: &Path) -> (Vec<Value>, Vec<u8>) {
    let bytes = fs::read(path).expect("it is there");
    let whole = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
    let lines = bytes[..whole].split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
    let values = lines.map(|line| serde_json::from_slice(line).expect("every line is JSON")).collect();
    (values, bytes[whole..].to_vec())
}

/// Records that were measured and not put aside.
pub fn measured(records: &[Record]) -> impl Iterator<Item = &Record> {
    records.iter().filter(|record| record.figures().is_some() && !record.context.dropped)
}
