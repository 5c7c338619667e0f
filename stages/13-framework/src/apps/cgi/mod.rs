//! CGI/1.1 (RFC 3875): a program for each request, under a limit on its time and one on its output.
//!
//! ```text
//!   client -- head, body --> Request --- fork, exec --> program
//!     ^                         |                          | stdout: a pipe, attached to the server
//!     |                         v                          v
//!     +--- reply --- fd_task <-- at the end of the output -- Output
//! ```
//!
//! The program's end of things is a connection like any other: its output is read by callbacks, so a program
//! that sleeps holds up nobody.

mod environment;
mod program;
mod reply;
mod request;

use super::Options;
use framework::{Protocol, Server};
use request::Request;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// What programs may take, and where they are.
#[derive(Debug)]
pub(super) struct Limits {
    pub(super) directory: PathBuf,
    pub(super) time: Duration,
    /// In bytes.
    pub(super) output: usize,
}

/// Serves the programs below `--root` until the server must stop.
///
/// # Errors
/// Why it cannot listen, fork, accept or wait; `InvalidInput` without a directory.
pub(crate) fn run(options: &Options) -> io::Result<()> {
    let invalid = |text: String| io::Error::new(io::ErrorKind::InvalidInput, text);
    let root = options.common.root.as_ref();
    let root =
        root.ok_or_else(|| invalid("the application cgi needs --root DIR with programs".to_owned()))?;
    let directory = root.canonicalize().ok().filter(|path| path.is_dir());
    let directory =
        directory.ok_or_else(|| invalid(format!("--root {} is not a directory", root.display())))?;
    let (time, output) = (options.cgi_time, options.cgi_output);
    let limits = Arc::new(Limits { directory, time, output });
    let server = Server::new(options.settings())?;
    server.run(move |_: &Server| Box::new(Request::new(Arc::clone(&limits))) as Box<dyn Protocol>)
}
