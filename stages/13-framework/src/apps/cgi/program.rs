//! A program that runs for a request: how it starts, and how it ends whatever it does.

use super::Programs;
use super::environment::Asked;
use super::reply::Outcome;
use crate::apps::front::Caller;
use framework::{Connection, ConnectionId, Protocol, Reason, ScheduledTask, Server};
use kit::protocol::http::own::Request;
use kit::stderr::log_stderr;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::{AccessFlags, Pid, access, getpid, getppid};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How often an ended program is looked for (SIGCHLD may belong to somebody else).
const REAP: Duration = Duration::from_millis(10);

/// How long a program may still take once the server stops: less than the server itself may.
const LAST_TIME: Duration = Duration::from_millis(1_500);

/// Gets what came of a program.
type Answer = Box<dyn FnOnce(&Server, Outcome) + Send>;

/// A running program, held by all who may end it.
#[derive(Clone)]
pub(super) struct Program {
    /// None once it was waited for: its pid may be another process's then.
    child: Arc<Mutex<Option<Child>>>,
}

impl Programs {
    /// # Errors
    /// `NotFound` and `PermissionDenied`.
    pub(super) fn find_program(&self, asked: &Asked<'_>) -> io::Result<PathBuf> {
        let path = self.directory.join(asked.program);
        if !path.is_file() {
            return Err(io::ErrorKind::NotFound.into());
        }
        access(&path, AccessFlags::X_OK)?;
        Ok(path)
    }

    /// Starts the program of a request, with its output and its limits attached to the server. `answer` gets
    /// what came of it, on a thread of a loop.
    ///
    /// # Errors
    /// Why it cannot.
    pub(super) fn start(
        &self,
        request: &Request,
        connection: &Connection<'_>,
        answer: impl FnOnce(&Server, Outcome) + Send + 'static,
    ) -> io::Result<Program> {
        let server = connection.server();
        let mut child = self.spawn(request, &Caller::of(connection))?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let program = Program { child: Arc::new(Mutex::new(Some(child))) };
        let fed = stdin.map_or(Ok(()), |stdin| feed(stdin, &request.body));
        let stdout = fed.and_then(|()| stdout.map(OwnedFd::from).ok_or(io::ErrorKind::BrokenPipe.into()));
        let stdout = stdout.inspect_err(|_| program.end(server))?;
        let reader = Output {
            program: program.clone(),
            output: Vec::new(),
            max: self.output,
            time: self.time,
            clock: None,
            answer: Some(Box::new(answer)),
        };
        server.attach(stdout, Box::new(reader)).inspect_err(|_| program.end(server))?;
        Ok(program)
    }

    fn spawn(&self, request: &Request, caller: &Caller) -> io::Result<Child> {
        let asked = Asked::of(request).ok_or(io::ErrorKind::NotFound)?;
        let mut command = Command::new(self.find_program(&asked)?);
        command
            .env_clear()
            .envs(asked.environment(caller))
            .current_dir(&self.directory)
            // Its own group, so that its children end with it. std makes every descriptor close-on-exec.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let server = getpid();
        // SAFETY: between fork and exec nothing but two system calls is done, and no memory is allocated.
        unsafe { command.pre_exec(move || end_with(server)) };
        command.spawn()
    }
}

/// Lets this process, a program to be, end with the server that has started it, however that ends.
fn end_with(server: Pid) -> io::Result<()> {
    set_pdeathsig(Signal::SIGKILL)?;
    // The server may have ended just before.
    if getppid() == server { Ok(()) } else { Err(Errno::ESRCH.into()) }
}

impl Program {
    /// Ends it and its children, those included that outlive it.
    pub(super) fn kill(&self) {
        let child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(child) = &*child
            && let Err(error) = killpg(Pid::from_raw(child.id() as i32), Signal::SIGKILL)
            && error != Errno::ESRCH
        {
            log_stderr(format_args!("a program cannot be ended: {error}"));
        }
    }

    /// Ends it and waits for it.
    fn end(&self, server: &Server) {
        self.kill();
        self.reap(server);
    }

    /// Waits for it without blocking a loop. No zombie is left.
    fn reap(&self, server: &Server) {
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        let runs = child.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None)));
        if runs {
            let program = self.clone();
            server.run_after(REAP, move |server| program.reap(server));
        } else {
            *child = None;
        }
    }
}

/// Writes the body, without waiting: it is not longer than a pipe holds, unless the system is short of pipes.
fn feed(mut stdin: ChildStdin, body: &[u8]) -> io::Result<()> {
    let flags = OFlag::from_bits_retain(fcntl(&stdin, FcntlArg::F_GETFL)?);
    fcntl(&stdin, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
    match stdin.write_all(body) {
        // It need not read.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

/// Why the output is not read to its end.
const TOO_SLOW: &str = "its time is over";
const TOO_LONG: &str = "it writes too much";

/// The program's output, as a connection of the server.
struct Output {
    program: Program,
    output: Vec<u8>,
    max: usize,
    time: Duration,
    clock: Option<ScheduledTask>,
    answer: Option<Answer>,
}

impl Output {
    /// Gives the output up after this time. To end the program would not do: a child of it that has left its
    /// group may hold the pipe open.
    fn end_after(&mut self, time: Duration, connection: &Connection<'_>) {
        let id = connection.id();
        let end = move |server: &Server| {
            server.fd_task(id, |output| output.drop_because(TOO_SLOW), |_| {});
        };
        self.clock = Some(connection.server().run_after(time, end));
    }
}

impl Protocol for Output {
    fn service(&self) -> &'static str {
        "cgi-output"
    }

    fn on_open(&mut self, connection: &mut Connection<'_>) {
        // The clock counts, not silence.
        connection.set_timeout(Duration::ZERO);
        self.end_after(self.time, connection);
    }

    fn on_data(&mut self, connection: &mut Connection<'_>) {
        let Ok(bytes) = connection.receive() else { return };
        self.output.extend_from_slice(bytes);
        if self.output.len() > self.max {
            connection.drop_because(TOO_LONG);
        }
    }

    /// A program may go on for the time that is left, and does not outlive its server.
    fn on_shutdown(&mut self, connection: &mut Connection<'_>) {
        if self.clock.as_ref().is_some_and(ScheduledTask::cancel) {
            self.end_after(LAST_TIME, connection);
        }
    }

    fn on_close(&mut self, server: &Server, _: ConnectionId, reason: &Reason) {
        if let Some(clock) = &self.clock {
            clock.cancel();
        }
        // Whoever closes its output and runs on is ended.
        self.program.end(server);
        let outcome = match reason {
            Reason::Dropped(TOO_LONG) => Outcome::TooLong,
            Reason::Dropped(_) => Outcome::TooSlow,
            _ => Outcome::Output(std::mem::take(&mut self.output)),
        };
        if let Some(answer) = self.answer.take() {
            answer(server, outcome);
        }
    }
}
