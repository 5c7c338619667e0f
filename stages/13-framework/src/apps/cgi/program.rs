//! A program that runs for a request: how it starts, and how it ends whatever it does.

use super::Limits;
use super::environment::Asked;
use super::reply::Outcome;
use framework::{Connection, ConnectionId, Protocol, Reason, ScheduledTask, Server};
use kit::stderr::log_stderr;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::{Pid, access};
use std::io::{self, Write};
use std::net::SocketAddrV4;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
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

impl Program {
    /// Starts it, with its output and its limits attached to the server. `answer` gets what came of it, on a
    /// thread of a loop.
    ///
    /// # Errors
    /// Why it cannot be started; `NotFound` and `PermissionDenied` about the program itself.
    pub(super) fn start(
        server: &Server,
        limits: &Limits,
        asked: &Asked,
        client: &str,
        answer: impl FnOnce(&Server, Outcome) + Send + 'static,
    ) -> io::Result<Self> {
        let path = limits.directory.join(&asked.program);
        if !path.is_file() {
            return Err(io::ErrorKind::NotFound.into());
        }
        access(&path, nix::unistd::AccessFlags::X_OK)?;
        let address: SocketAddrV4 = server.address();
        // Its own group, so that its children end with it. std makes every descriptor close-on-exec.
        let mut child = Command::new(&path)
            .env_clear()
            .envs(asked.environment(address, client))
            .current_dir(&limits.directory)
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let program = Self { child: Arc::new(Mutex::new(Some(child))) };
        let fed = stdin.map_or(Ok(()), |stdin| feed(stdin, &asked.body));
        let stdout = fed.and_then(|()| stdout.map(OwnedFd::from).ok_or(io::ErrorKind::BrokenPipe.into()));
        let stdout = stdout.inspect_err(|_| program.end(server))?;
        let over_time = program.clone();
        let clock = server.run_after(limits.time, move |_| over_time.kill());
        let (output, max) = (Vec::new(), limits.output);
        let answer = Some(Box::new(answer) as Answer);
        let reader = Output { program: program.clone(), output, max, clock, answer, too_long: false };
        server.attach(stdout, Box::new(reader)).inspect_err(|_| program.end(server))?;
        Ok(program)
    }

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

/// The program's output, as a connection of the server.
struct Output {
    program: Program,
    output: Vec<u8>,
    max: usize,
    /// Ends the program when its time is over.
    clock: ScheduledTask,
    answer: Option<Answer>,
    too_long: bool,
}

impl Protocol for Output {
    fn service(&self) -> &'static str {
        "cgi-output"
    }

    fn on_open(&mut self, connection: &mut Connection<'_>) {
        // The clock counts, not silence.
        connection.set_timeout(Duration::ZERO);
    }

    fn on_data(&mut self, connection: &mut Connection<'_>) {
        let Ok(bytes) = connection.receive() else { return };
        self.output.extend_from_slice(bytes);
        if self.output.len() > self.max {
            self.too_long = true;
            connection.close_now();
        }
    }

    /// A program may go on for the time that is left, and does not outlive its server.
    fn on_shutdown(&mut self, connection: &mut Connection<'_>) {
        if self.clock.cancel() {
            let program = self.program.clone();
            self.clock = connection.server().run_after(LAST_TIME, move |_| program.kill());
        }
    }

    fn on_close(&mut self, server: &Server, _: ConnectionId, _: &Reason) {
        // Once its time is over it was killed, and what it had written is no reply.
        let in_time = self.clock.cancel();
        // Whoever closes its output and runs on is ended.
        self.program.end(server);
        let outcome = match (in_time, self.too_long) {
            (_, true) => Outcome::TooLong,
            (false, _) => Outcome::TooSlow,
            (true, false) => Outcome::Output(std::mem::take(&mut self.output)),
        };
        if let Some(answer) = self.answer.take() {
            answer(server, outcome);
        }
    }
}
