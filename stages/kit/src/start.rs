//! What every stage does before it waits for the first connection.

use crate::clock::LoopContext;
use crate::error::failed;
use crate::listener::{address_of, bind_to};
use crate::options::{self, MAX_DESCRIPTORS, Options, ProtocolKind};
use crate::protocol::Protocol;
use crate::protocol::echo::Echo;
use crate::protocol::http::{Http, Settings};
use crate::session::{Session, Timeouts};
use crate::shutdown;
use crate::stderr::log_stderr;
use clap::Parser;
use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::socket::{SockFlag, SockaddrIn};
use nix::sys::stat::Mode;
use std::io::{self, Write, stdout};
use std::os::fd::{AsFd, OwnedFd};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// Makes the sessions of a server: all speak the same protocol with the same limits.
#[derive(Clone)]
pub struct Sessions {
    protocol: ProtocolKind,
    http: Arc<Settings>,
    timeouts: Timeouts,
}

impl Sessions {
    /// The session of a new connection.
    pub fn open(&self, now: &LoopContext) -> Session {
        let protocol: Box<dyn Protocol> = match self.protocol {
            ProtocolKind::Echo => Box::new(Echo::default()),
            ProtocolKind::Http => Http::boxed(Arc::clone(&self.http)),
        };
        Session::new(protocol, self.timeouts, now)
    }
}

/// The `main` of a stage: parses the command line, runs the server, and turns the outcome into an exit
/// status: 0 after a shutdown, 1 with one line on stderr when the server cannot run, 2 for a bad option, 3
/// when the kernel lacks what the stage is about.
pub fn main<O: Parser>(run: fn(O) -> io::Result<()>) -> ExitCode {
    let options = match options::parse() {
        Ok(options) => options,
        Err(status) => return status.into(),
    };
    match run(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log_stderr(format_args!("error: {error}"));
            // Options that parse, but name no directory or contradict each other, are bad options too.
            match error.kind() {
                io::ErrorKind::InvalidInput => ExitCode::from(2),
                io::ErrorKind::Unsupported => ExitCode::from(3),
                _ => ExitCode::FAILURE,
            }
        }
    }
}

/// Raises the descriptor limit, installs the signal handlers and listens. `flags` is `SOCK_NONBLOCK` for an
/// event loop; `default` is the protocol where the options name none.
///
/// # Errors
/// What is wrong with the root directory, or why the server cannot listen.
pub fn listen(options: &Options, flags: SockFlag, default: ProtocolKind) -> io::Result<(OwnedFd, Sessions)> {
    raise_descriptor_limit().map_err(failed("setrlimit"))?;
    return_large_buffers();
    shutdown::install()?;
    let sessions = sessions(options, default)?;
    let cannot = |error: nix::Error| {
        let hint = if error == Errno::EADDRINUSE { "; choose another port with --addr IP:PORT" } else { "" };
        let what = format!("cannot listen on {}: {}{hint}", options.addr, error.desc());
        io::Error::new(io::Error::from(error).kind(), what)
    };
    let listener = bind_to(options.addr, options.backlog, flags).map_err(cannot)?;
    Ok((listener, sessions))
}

/// The first line on stdout: where the server listens. To be called when the server has everything that it
/// needs, since the reader of this line relies on it from then on.
///
/// # Errors
/// What getsockname(2) and write(2) say.
pub fn announce(listener: impl AsFd) -> io::Result<()> {
    announce_address(address_of(listener.as_fd())?)
}

/// [`announce`] for a server whose threads have the listening sockets.
///
/// # Errors
/// What write(2) says.
pub fn announce_address(address: SockaddrIn) -> io::Result<()> {
    let mut out = stdout();
    writeln!(out, "listening on {address}")?;
    out.flush()
}

fn sessions(options: &Options, default: ProtocolKind) -> io::Result<Sessions> {
    let directory = OFlag::O_DIRECTORY | OFlag::O_PATH | OFlag::O_CLOEXEC;
    let root = match &options.root {
        None => None,
        Some(path) => {
            let cannot = |error: nix::Error| {
                let what = format!(
                    "--root {} is not a directory to serve files from: {}",
                    path.display(),
                    error.desc()
                );
                io::Error::new(io::ErrorKind::InvalidInput, what)
            };
            Some(Arc::new(open(path, directory, Mode::empty()).map_err(cannot)?))
        }
    };
    let ms = |time: Duration| time.as_millis() as u32;
    Ok(Sessions {
        protocol: options.protocol.unwrap_or(default),
        http: Arc::new(Settings { limits: options.limits.clone(), root }),
        timeouts: Timeouts { idle_ms: ms(options.idle_timeout), header_ms: ms(options.header_timeout) },
    })
}

/// From this size on (bytes) a buffer has pages of its own. It is the allocator's first guess, kept.
const LARGE: i32 = 128 * 1024;

/// Lets the allocator give a large buffer back to the kernel when it is freed. By default glibc takes the
/// first large one that is freed as a sign that more will come, and has the next ones in its heap, which
/// shrinks only from its end: one small buffer behind them keeps all their memory (mallopt(3),
/// `M_MMAP_THRESHOLD`).
fn return_large_buffers() {
    // SAFETY: it sets a parameter of the allocator, and touches no memory of ours. Where it fails, memory is
    // returned later.
    #[cfg(target_env = "gnu")]
    unsafe {
        nix::libc::mallopt(nix::libc::M_MMAP_THRESHOLD, LARGE);
    }
}

/// The soft limit is 1,024 on many systems, for the sake of select(2); a server may raise it to the hard
/// limit.
fn raise_descriptor_limit() -> nix::Result<()> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    let wanted = hard.min(MAX_DESCRIPTORS);
    if soft == wanted { Ok(()) } else { setrlimit(Resource::RLIMIT_NOFILE, wanted, hard) }
}

/// What a protocol needs that is built around kit's own.
impl Sessions {
    /// The settings that its HTTP conversations share.
    pub fn http(&self) -> Arc<Settings> {
        Arc::clone(&self.http)
    }

    /// How long its peers may take.
    pub fn timeouts(&self) -> Timeouts {
        self.timeouts
    }
}
