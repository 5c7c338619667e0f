//! Threads without which the server must not go on.
//!
//! The kernel deals connections to every listening socket of the port, whether or not a thread accepts from
//! it. Without one of its threads the server would reset the connections dealt to it and would silently run
//! degraded. It is better that the process ends and is started again.

use kit::stderr::log_stderr;
use std::io;
use std::process::exit;
use std::thread::{Builder, Scope};

/// Starts a thread whose work lasts until the server must stop. If it fails or panics, or if the system
/// allows no more threads, the process ends at once with status 1.
pub fn spawn<'scope>(
    scope: &'scope Scope<'scope, '_>,
    work: impl FnOnce() -> io::Result<()> + Send + 'scope,
) {
    if let Err(error) = Builder::new().spawn_scoped(scope, || run(work)) {
        run(|| Err(io::Error::new(error.kind(), format!("it cannot be started: {error}"))));
    }
}

fn run(work: impl FnOnce() -> io::Result<()>) {
    let guard = ExitOnDrop;
    match work() {
        // The server was told to stop: the thread may end.
        Ok(()) => std::mem::forget(guard),
        Err(error) => log_stderr(format_args!("error: a thread of the server has failed: {error}")),
    }
}

/// Ends the process when it is dropped: a panic drops it too.
struct ExitOnDrop;

impl Drop for ExitOnDrop {
    fn drop(&mut self) {
        exit(1);
    }
}
