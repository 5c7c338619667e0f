//! A process between us and a server, so that nothing of the server is left behind.
//!
//! A server that is only known by its command may be anything: a script that does not `exec`, `make run`,
//! `npm start`, a daemon that leaves its parent and its group. A process group loses the daemon, and the
//! signal of `PR_SET_PDEATHSIG` reaches the first process alone. So each such server has a guard: a process
//! that is forked before it and is its *subreaper* (`PR_SET_CHILD_SUBREAPER`, prctl(2)). Whatever the server
//! starts stays a descendant of its guard, and what loses its parent becomes the guard's child. The guard
//! ends all of them when its socket is closed, which the kernel does for us even if we end by SIGKILL.
//!
//! There is one guard for each server and not one subreaper for all: several servers run at a time, and an
//! orphan must be known as one of this server.
//!
//! It tells us through the socket which process it has started and how that one, and the one that listens,
//! have ended.

use super::owner::sockets_of;
use crate::process::descendants;
use anyhow::{Context, Result};
use nix::libc::{self, c_int, pid_t};
use nix::sys::signal::{SigSet, Signal, kill, killpg};
use nix::unistd::Pid;
use procfs::process::Process;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

/// How long the guard may take to say what it has started: it does so at once, on a slow machine too.
const FIRST_WORD: Duration = Duration::from_secs(10);
/// How long it may take until the status of a process that has ended can be read anywhere.
const STATUS_LIMIT: Duration = Duration::from_millis(300);
/// In the place of a status: the process has been started.
const STARTED: i32 = -1;
/// A report: the process and its status as waitpid(2) returns it.
const REPORT: usize = 8;

/// Our end of a guard.
#[derive(Debug)]
pub(super) struct Guard {
    socket: UnixStream,
    /// The guard's own process.
    pid: i32,
    /// What the guard has started: the server, or a wrapper of it.
    first: i32,
    /// The server: the process that listens, once it is known.
    main: Main,
    /// Of the processes that the guard has waited for.
    ended: BTreeMap<i32, ExitStatus>,
    is_signalled: bool,
}

#[derive(Debug)]
struct Main {
    pid: i32,
    /// Its process group, which outlives it.
    group: i32,
    /// Without it (Linux before 5.3) the number is taken for the process.
    descriptor: Option<OwnedFd>,
    gone_since: Option<Instant>,
    status: Option<ExitStatus>,
    is_status_hidden: bool,
}

impl Main {
    fn of(pid: i32) -> Self {
        // SAFETY: the system call takes two numbers, and returns a descriptor that is nobody else's or -1.
        let descriptor = unsafe {
            let descriptor = libc::syscall(libc::SYS_pidfd_open, pid, 0) as c_int;
            (descriptor >= 0).then(|| OwnedFd::from_raw_fd(descriptor))
        };
        let group = nix::unistd::getpgid(Some(Pid::from_raw(pid))).map_or(pid, Pid::as_raw);
        Self { pid, group, descriptor, gone_since: None, status: None, is_status_hidden: false }
    }

    /// Whether the process has ended, waited for or not.
    fn is_gone(&self) -> bool {
        Process::new(self.pid).and_then(|process| process.stat()).map_or(true, |stat| stat.state == 'Z')
    }

    /// The status of a process that is not a child of the guard: as long as nobody has waited for it from
    /// `/proc`, and after that from the kernel's memory of it (Linux 6.15).
    fn status_of_a_stranger(&self) -> Option<ExitStatus> {
        let zombie = Process::new(self.pid).and_then(|process| process.stat()).ok();
        let code = zombie.filter(|stat| stat.state == 'Z').and_then(|stat| stat.exit_code);
        code.or_else(|| exit_code(self.descriptor.as_ref()?)).map(ExitStatus::from_raw)
    }
}

/// `struct pidfd_info` of linux/pidfd.h, in its first version of 64 bytes.
#[repr(C)]
#[derive(Default)]
struct PidfdInfo {
    mask: u64,
    cgroup: u64,
    ids: [u32; 11],
    exit_code: i32,
}

/// How the process of a pidfd has ended, where the kernel tells it.
fn exit_code(descriptor: &OwnedFd) -> Option<i32> {
    /// `PIDFD_INFO_EXIT`
    const EXIT: u64 = 1 << 3;
    nix::ioctl_readwrite!(pidfd_get_info, 0xFF, 11, PidfdInfo);
    let mut info = PidfdInfo { mask: EXIT, ..PidfdInfo::default() };
    // SAFETY: the request names the size of the structure, of which the kernel writes no more.
    unsafe { pidfd_get_info(descriptor.as_raw_fd(), &raw mut info) }.ok()?;
    (info.mask & EXIT != 0).then_some(info.exit_code)
}

impl Guard {
    /// Takes over a guard that has just been started as the process `pid`.
    pub(super) fn of(mut socket: UnixStream, pid: i32) -> Result<Self> {
        socket.set_read_timeout(Some(FIRST_WORD))?;
        let mut report = [0; REPORT];
        socket.read_exact(&mut report).context("the guard of the server does not speak")?;
        socket.set_nonblocking(true)?;
        let (first, _) = parse(&report);
        Ok(Self { socket, pid, first, main: Main::of(first), ended: BTreeMap::new(), is_signalled: false })
    }

    /// The server's process.
    pub(super) fn main(&self) -> i32 {
        self.main.pid
    }

    /// A handle by which another thread can end everything.
    pub(super) fn socket(&self) -> io::Result<UnixStream> {
        self.socket.try_clone()
    }

    /// Everything that the guard has started and that is alive, or not waited for.
    pub(super) fn processes(&self) -> Vec<Process> {
        descendants(self.pid)
    }

    /// Makes the process that listens by one of these sockets the one that is judged: of several the one from
    /// which the others descend, be it that it does not listen itself. Returns whether there is one.
    pub(super) fn adopt_listener(&mut self, inodes: &BTreeSet<u64>) -> bool {
        let processes = self.processes();
        let parents: BTreeMap<i32, i32> =
            processes.iter().filter_map(|process| Some((process.pid, process.stat().ok()?.ppid))).collect();
        let listens = |process: &&Process| sockets_of(process).is_some_and(|own| !own.is_disjoint(inodes));
        // From the guard down to each process that listens.
        let mut lines = processes.iter().filter(listens).map(|process| {
            let mut line = vec![process.pid];
            while let Some(&parent) = line.last().and_then(|pid| parents.get(pid)).filter(|&&p| p != self.pid)
            {
                line.push(parent);
            }
            line.reverse();
            line
        });
        let Some(first) = lines.next() else { return false };
        let common = lines.fold(first.clone(), |common, line| {
            common.iter().zip(&line).take_while(|(a, b)| a == b).map(|(a, _)| *a).collect()
        });
        let main = *common.last().or(first.first()).expect("a line has the process itself");
        if main != self.main.pid {
            self.main = Main::of(main);
            // From now on the guard reports this one and no others, so that its reports cannot fill the
            // socket.
            let _ = self.socket.write_all(&main.to_ne_bytes());
        }
        true
    }

    /// Sends a signal to the server's process.
    pub(super) fn signal(&mut self, signal: Signal) {
        self.is_signalled = true;
        match &self.main.descriptor {
            // SAFETY: the system call takes numbers, and no address but a null one.
            Some(descriptor) => unsafe {
                let none = std::ptr::null::<libc::siginfo_t>();
                libc::syscall(libc::SYS_pidfd_send_signal, descriptor.as_raw_fd(), signal as c_int, none, 0);
            },
            None if self.main.status.is_none() => drop(kill(Pid::from_raw(self.main.pid), signal)),
            None => {}
        }
    }

    /// Sends a signal to the process group of the server's process.
    pub(super) fn signal_group(&mut self, signal: Signal) {
        self.is_signalled = true;
        let _ = killpg(Pid::from_raw(self.main.group), signal);
    }

    /// How the process that was started has ended.
    pub(super) fn first_status(&mut self) -> Option<ExitStatus> {
        self.read_reports();
        self.ended.get(&self.first).copied()
    }

    /// How the server has ended. `listeners` are asked for when it has ended by itself and well: a daemon's
    /// parent does so, and hands the listener to its child.
    pub(super) fn status(&mut self, listeners: impl FnOnce() -> BTreeSet<u64>) -> Option<ExitStatus> {
        if self.main.status.is_some() {
            return self.main.status;
        }
        self.read_reports();
        let mut status = self.ended.get(&self.main.pid).copied();
        if status.is_none() && self.main.is_gone() {
            let since = *self.main.gone_since.get_or_insert_with(Instant::now);
            status = self.main.status_of_a_stranger();
            if status.is_none() && since.elapsed() > STATUS_LIMIT {
                // A wrapper ends as what it has run, nearly always.
                status = self.ended.get(&self.first).copied();
                self.main.is_status_hidden = status.is_none();
                status = status.or(Some(ExitStatus::from_raw(0)));
            }
        }
        if status.is_some_and(|status| status.success())
            && !self.is_signalled
            && self.adopt_listener(&listeners())
        {
            return None;
        }
        self.main.status = status;
        status
    }

    /// Whether the status of the server could not be seen, so that 0 stands for any.
    pub(super) fn is_status_hidden(&self) -> bool {
        self.main.is_status_hidden
    }

    fn read_reports(&mut self) {
        let mut report = [0; REPORT];
        // A report is written at once, and is not longer than what a socket keeps together.
        while self.socket.read_exact(&mut report).is_ok() {
            let (pid, status) = parse(&report);
            self.ended.insert(pid, ExitStatus::from_raw(status));
        }
    }
}

/// The bytes of a report.
fn report_of(pid: i32, status: i32) -> [u8; REPORT] {
    let mut report = [0; REPORT];
    report[..4].copy_from_slice(&pid.to_ne_bytes());
    report[4..].copy_from_slice(&status.to_ne_bytes());
    report
}

fn parse(report: &[u8; REPORT]) -> (i32, i32) {
    let (pid, status) = report.split_at(4);
    let number = |bytes: &[u8]| i32::from_ne_bytes(bytes.try_into().expect("half of a report"));
    (number(pid), number(status))
}

/// Between fork and exec: forks again, and returns in the child, which goes on to become the server in a
/// session of its own. The parent becomes the guard. `socket` is its end.
///
/// It makes system calls only, as anything must in a copy of a process that had other threads.
pub(super) fn divide(socket: c_int) -> io::Result<()> {
    // Before anything is started, so that no orphan is missed.
    nix::sys::prctl::set_child_subreaper(true)?;
    // SAFETY: the child and the parent make system calls only.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => {
            nix::unistd::setsid()?;
            Ok(())
        }
        child => guard(child, socket),
    }
}

/// The guard: waits for its children until the socket is closed, and ends them all then.
fn guard(first: pid_t, socket: c_int) -> ! {
    const SOCKET: c_int = 3;
    let _ = nix::sys::prctl::set_name(c"lab-guard");
    // SAFETY: in all of this only numbers and addresses of local variables are given to the kernel.
    unsafe {
        // Whatever else is open is a copy: the server's output, whose end must be seen, the sockets of other
        // guards, which must end with us, and the pipe by which exec tells of its failure.
        libc::dup2(socket, SOCKET);
        if libc::syscall(libc::SYS_close_range, SOCKET + 1, c_int::MAX, 0) != 0 {
            for descriptor in SOCKET + 1..4096 {
                libc::close(descriptor);
            }
        }
        let null = libc::open(c"/dev/null".as_ptr(), libc::O_RDWR);
        for descriptor in 0..SOCKET {
            libc::dup2(null, descriptor);
        }
        // It ends when the socket is closed, and for no other reason.
        let all = SigSet::all();
        libc::sigprocmask(libc::SIG_SETMASK, all.as_ref(), std::ptr::null_mut());
        let mut child = SigSet::empty();
        child.add(Signal::SIGCHLD);
        let children = libc::signalfd(-1, child.as_ref(), libc::SFD_NONBLOCK);

        let report = |pid: i32, status: i32| {
            let both = report_of(pid, status);
            let flags = libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT;
            libc::send(SOCKET, both.as_ptr().cast(), both.len(), flags);
        };
        report(first, STARTED);
        // 0: it is not known yet, and everything is reported.
        let mut main = 0;
        let mut is_first_waited_for = false;
        loop {
            let mut status = 0;
            loop {
                match libc::waitpid(-1, &raw mut status, libc::WNOHANG) {
                    0 => break,
                    pid if pid > 0 => {
                        is_first_waited_for |= pid == first;
                        if main == 0 || pid == main || pid == first {
                            report(pid, status);
                        }
                    }
                    // There is no child any more.
                    _ => libc::_exit(0),
                }
            }
            let events = libc::POLLIN;
            let mut waited = [SOCKET, children].map(|fd| libc::pollfd { fd, events, revents: 0 });
            libc::poll(waited.as_mut_ptr(), 2, -1);
            if waited[0].revents != 0 {
                let mut pid = [0_u8; 4];
                if libc::read(SOCKET, pid.as_mut_ptr().cast(), pid.len()) != pid.len() as isize {
                    end_all((!is_first_waited_for).then_some(first));
                }
                main = i32::from_ne_bytes(pid);
            }
            let mut signals = [0_u8; 1024];
            libc::read(children, signals.as_mut_ptr().cast(), signals.len());
        }
    }
}

/// Ends every child; what loses its parent by that becomes a child, and is ended as well. `group` is that of
/// the first child while its number is its own.
///
/// # Safety
///
/// Only the guard calls it: it ends whatever is a child of the calling process.
unsafe fn end_all(group: Option<pid_t>) -> ! {
    let mut buffer = [0_u8; 4096];
    // SAFETY: only numbers and addresses of local variables are given to the kernel.
    unsafe {
        loop {
            let list = libc::open(c"/proc/thread-self/children".as_ptr(), libc::O_RDONLY);
            if let (true, Some(group)) = (list < 0, group) {
                // A kernel without CONFIG_PROC_CHILDREN, which distributions have: the group must do.
                libc::kill(-group, libc::SIGKILL);
            }
            let length = libc::read(list, buffer.as_mut_ptr().cast(), buffer.len());
            libc::close(list);
            // Numbers, each with a space behind it: one that was cut off has none, and its turn comes.
            let mut pid = 0;
            for &byte in buffer.iter().take(usize::try_from(length).unwrap_or(0)) {
                match byte {
                    b'0'..=b'9' => pid = pid * 10 + i32::from(byte - b'0'),
                    _ if pid > 1 => {
                        libc::kill(pid, libc::SIGKILL);
                        pid = 0;
                    }
                    _ => pid = 0,
                }
            }
            let mut status = 0;
            if libc::waitpid(-1, &raw mut status, 0) < 0 && *libc::__errno_location() == libc::ECHILD {
                libc::_exit(0);
            }
            while libc::waitpid(-1, &raw mut status, libc::WNOHANG) > 0 {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Launch, Ready, Server};
    use super::*;
    use std::fs;
    use std::net::{SocketAddr, TcpListener};
    use std::path::Path;
    use std::thread::sleep;
    use tempfile::TempDir;

    const LONG: Duration = Duration::from_secs(30);

    fn shell(script: &str) -> Launch {
        let mut launch = Launch::new("/bin/sh");
        launch.args = vec!["-c".into(), script.into()];
        launch.is_guarded = true;
        launch
    }

    /// The number that a process has written about itself.
    fn number(path: &Path) -> Option<i32> {
        fs::read_to_string(path).ok()?.trim().parse().ok()
    }

    fn is_alive(pid: i32) -> bool {
        Process::new(pid).and_then(|process| process.stat()).is_ok_and(|stat| stat.state != 'Z')
    }

    fn until(what: &str, condition: impl Fn() -> bool) {
        let start = Instant::now();
        while !condition() {
            assert!(start.elapsed() < LONG, "{what}");
            sleep(Duration::from_millis(5));
        }
    }

    /// A shell that says that it listens, and has left a process in a session of its own, without a parent.
    fn with_a_daemon() -> (Server, i32, TempDir) {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("pid");
        let leave =
            format!("setsid sh -c 'echo $$ > {0}.new; mv {0}.new {0}; exec sleep 600' &", file.display());
        let script = format!("sh -c \"{leave}\"; echo listening on 127.0.0.1:1; sleep 600");
        let server = shell(&script.replace("$$", "\\$\\$")).start().expect("it starts");
        until("the daemon writes its number", || number(&file).is_some());
        let daemon = number(&file).expect("it is there");
        (server, daemon, directory)
    }

    /// Protects machines on which servers are graded by the hundred: what a server leaves behind in another
    /// session is ended with it.
    #[test]
    fn a_daemon_is_ended_with_its_server() {
        let (server, daemon, _directory) = with_a_daemon();
        let main = server.pid();
        assert!(is_alive(daemon) && is_alive(main));
        drop(server);
        assert!(!is_alive(daemon) && !is_alive(main));
    }

    /// Protects the same when we are killed: the kernel closes the socket, and nothing else is done.
    #[test]
    fn the_end_of_a_socket_ends_everything() {
        let (server, daemon, _directory) = with_a_daemon();
        server.ender().expect("it is guarded").end();
        until("the daemon ends", || !is_alive(daemon));
        until("the server ends", || !is_alive(server.pid()));
    }

    /// Protects the verdicts about how a server ends: its own status is told, and not that of its guard.
    #[test]
    fn the_status_is_that_of_the_server() {
        let mut server = shell("echo listening on 127.0.0.1:1; exit 7").start().expect("it starts");
        assert_eq!(server.wait(LONG).and_then(|status| status.code()), Some(7));
        let mut server = shell("echo listening on 127.0.0.1:1; exec sleep 600").start().expect("it starts");
        server.signal(Signal::SIGTERM);
        assert_eq!(server.wait(LONG).and_then(|status| status.signal()), Some(15));
    }

    /// Protects the message for a program that is not there: the guard must not keep the pipe open through
    /// which exec tells of its failure.
    #[test]
    fn a_program_that_cannot_be_run_is_an_error() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("not-a-program");
        fs::write(&file, "").expect("written");
        let mut launch = Launch::new(&file);
        launch.is_guarded = true;
        assert!(launch.start().expect_err("no permission").to_string().contains("cannot start"));
    }

    /// A port on which nothing listens yet.
    fn free() -> SocketAddr {
        TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port")
    }

    /// A server in Python, which is skipped where that is not there; `before` and `behind` is shell.
    fn python(before: &str, code: &str, behind: &str) -> Option<Server> {
        if !Path::new("/usr/bin/env").exists()
            || !std::process::Command::new("python3")
                .arg("--version")
                .output()
                .is_ok_and(|it| it.status.success())
        {
            eprintln!("skipped: there is no python3");
            return None;
        }
        let addr = free();
        let code = format!(
            "import os, signal, socket, sys, time\ns = socket.socket()\ns.bind((\"127.0.0.1\", {}))\n\
             s.listen(5)\n{code}\nwhile True: time.sleep(1)",
            addr.port()
        );
        let mut launch = shell(&format!("{before} python3 -c '{code}' {behind}"));
        launch.ready = Ready::Port(addr);
        launch.start_limit = LONG;
        Some(launch.start().expect("it listens"))
    }

    fn command_line(pid: i32) -> String {
        let words = Process::new(pid).and_then(|process| process.cmdline()).unwrap_or_default();
        words.join(" ")
    }

    /// Protects the verdicts about servers behind a wrapper: the process that listens is signalled, and how
    /// that one ends is told.
    #[test]
    fn the_process_that_listens_is_the_server() {
        let code = "signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))";
        for (before, behind) in [("cd / &&", ""), ("LANG=C", ""), ("", "| cat"), ("", "; true")] {
            let Some(mut server) = python(before, code, behind) else { return };
            assert!(command_line(server.pid()).contains("s.listen"), "{before} … {behind}");
            server.signal(Signal::SIGTERM);
            let status = server.wait(LONG).expect("it ends");
            let is_told = status.code() == Some(7) || server.is_status_hidden();
            assert!(is_told, "{before} … {behind}: {status}");
        }
    }

    /// Protects servers that become daemons after they have begun to listen: the parent ends well, and the
    /// child is the server.
    #[test]
    fn a_server_may_become_a_daemon() {
        let code = "if os.fork(): time.sleep(0.2); os._exit(0)\nos.setsid()\nif os.fork(): os._exit(0)";
        let Some(mut server) = python("", code, "") else { return };
        sleep(Duration::from_millis(500));
        assert!(server.is_alive());
        let pid = server.pid();
        assert!(command_line(pid).contains("s.listen"));
        server.signal(Signal::SIGKILL);
        assert_eq!(server.wait(LONG).and_then(|status| status.signal()), Some(9));
        assert!(!is_alive(pid));
    }

    /// Protects prefork servers: of those that share a socket the parent is the server.
    #[test]
    fn of_several_that_listen_the_parent_is_the_server() {
        let Some(server) = python("", "for _ in range(3):\n  if not os.fork(): break", "") else { return };
        let parent = server.pid();
        until("three children", || descendants(parent).len() == 3);
    }
}
