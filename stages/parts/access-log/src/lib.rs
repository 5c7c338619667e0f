//! What the server did, one line each.
//!
//! ```text
//!   Sun, 22 Nov 2026 05:00:00 GMT INFO 127.0.0.1:51768 GET /bytes/100 200 245
//! ```
//!
//! Time, level, peer, method, target, status, and the bytes of the whole reply. The time is the one that the
//! `Date` header has anyway. `--log off` costs a request nothing but tests of a pointer; `sync` costs it a
//! `write` ([`direct`]); `async` costs it a lock and a copy, and the `write` is another thread's
//! ([`buffered`]). [`observer`] formats the lines. (The echo protocol has no requests: its connections are
//! logged at `debug` alone.)

pub mod buffered;
pub mod direct;
mod line_file;
pub mod observer;

use buffered::{Buffered, Sizes};
use clap::{Args, ValueEnum};
use direct::Direct;
use kit::error::failed;
use kit::stderr::log_stderr;
use nix::sys::signal::{SigHandler, Signal, signal};
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io;
use std::io::Write as _;
use std::os::fd::AsFd;
use std::path::PathBuf;

/// The options of the log.
#[derive(Args, Clone, Debug)]
#[group(id = "logging")]
pub struct Options {
    /// How the log is written: not at all, by the loop at once, or by a thread of its own
    #[arg(long, value_enum, default_value = "off")]
    pub log: Mode,

    /// What is worth a line
    #[arg(long, value_enum, default_value = "info")]
    pub log_level: Level,

    /// Where the log is appended [default: stderr]
    #[arg(long, value_name = "PATH")]
    pub log_file: Option<PathBuf>,
}

/// How the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// Not at all
    Off,
    /// By the loop, before it goes on
    Sync,
    /// By a thread of its own, from one buffer while the loops fill another
    Async,
}

/// How much a line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Level {
    /// The server cannot go on
    Error,
    /// A peer or a line was turned away
    Warn,
    /// Each request
    Info,
    /// Each connection too
    Debug,
}

/// The log, shared by all loops.
#[derive(Debug)]
pub struct Log {
    level: Level,
    sink: Sink,
}

#[derive(Debug)]
enum Sink {
    Off,
    Direct(Direct),
    Buffered(Buffered),
}

impl Log {
    /// Opens the log.
    ///
    /// # Errors
    /// What is wrong with the file, or that its thread cannot be started.
    pub fn open(options: &Options) -> io::Result<Self> {
        if options.log != Mode::Off {
            ignore_file_size_signal()?;
        }
        let sink = match options.log {
            Mode::Off => Sink::Off,
            Mode::Sync => Sink::Direct(Direct::new(file(options)?)),
            Mode::Async => Sink::Buffered(Buffered::new(file(options)?, Sizes::default())?),
        };
        Ok(Self { level: options.log_level, sink })
    }

    /// Whether lines of this level are wanted.
    pub fn takes(&self, level: Level) -> bool {
        level <= self.level && !matches!(self.sink, Sink::Off)
    }

    /// Appends whole lines.
    pub fn append(&self, lines: &[u8]) {
        match &self.sink {
            Sink::Off => {}
            Sink::Direct(direct) => direct.append(lines),
            Sink::Buffered(buffered) => buffered.append(lines),
        }
    }

    /// Appends one line, if its level is wanted.
    pub fn note(&self, level: Level, date: &[u8; 29], text: fmt::Arguments<'_>) {
        if self.takes(level) {
            let mut line = Vec::new();
            begin(&mut line, level, date);
            // Writing into memory does not fail.
            let _ = writeln!(line, "{text}");
            self.append(&line);
        }
    }

    /// Writes what waits, takes no more, and says on stderr how many lines were lost without a word in the
    /// log.
    pub fn close(&self) {
        let lost = match &self.sink {
            Sink::Off => 0,
            Sink::Direct(direct) => direct.lost(),
            Sink::Buffered(buffered) => buffered.close(),
        };
        if lost > 0 {
            log_stderr(format_args!("log: {lost} lines were lost"));
        }
    }
}

/// Begins a line: the time and the level.
fn begin(line: &mut Vec<u8>, level: Level, date: &[u8; 29]) {
    line.extend_from_slice(date);
    line.extend_from_slice(match level {
        Level::Error => b" ERROR ",
        Level::Warn => b" WARN ",
        Level::Info => b" INFO ",
        Level::Debug => b" DEBUG ",
    });
}

/// How many lines these are.
fn count(lines: &[u8]) -> u64 {
    lines.iter().filter(|&&byte| byte == b'\n').count() as u64
}

/// A write that would make a file longer than `ulimit -f` allows raises SIGXFSZ, whose default action ends
/// the process (setrlimit(2)). Ignored, it lets the write fail with `EFBIG`, which is no worse than a full
/// disk.
fn ignore_file_size_signal() -> io::Result<()> {
    // SAFETY: ignoring a signal runs no code in a handler.
    unsafe { signal(Signal::SIGXFSZ, SigHandler::SigIgn) }.map(drop).map_err(failed("sigaction"))
}

fn file(options: &Options) -> io::Result<File> {
    let Some(path) = &options.log_file else {
        return Ok(File::from(io::stderr().as_fd().try_clone_to_owned()?));
    };
    OpenOptions::new().append(true).create(true).open(path).map_err(|error| {
        let what = format!("--log-file {} cannot be appended to: {error}", path.display());
        io::Error::new(io::ErrorKind::InvalidInput, what)
    })
}
