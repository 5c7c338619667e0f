//! Threads without which the server must not go on.
//!
//! The kernel deals connections to every listening socket of the port, whether anybody accepts from it or not. Without one of
//! its threads the server would reset who was dealt to it, and would go on with less than it was asked for, in silence. It is
//! better to end, and to be started again.

use kit::words::say;
use std::io;
use std::process::exit;
use std::thread::{Builder, Scope};

/// Starts a thread whose work lasts until the server must stop. If it fails or panics, or if there can be no thread, the
/// process ends at once with status 1.
pub fn spawn<'scope>(
    scope: &'scope Scope<'scope, '_>,
    work: impl FnOnce() -> io::Result<()> + Send + 'scope,
) {
    if let Err(error) = Builder::new().spawn_scoped(scope, || run(work)) {
        run(|| Err(error));
    }
}

fn run(work: impl FnOnce() -> io::Result<()>) {
    let alarm = Alarm;
    match work() {
        // As it should: there is nothing to raise the alarm for.
        Ok(()) => std::mem::forget(alarm),
        Err(error) => say(format_args!("error: a thread of the server has failed: {error}")),
    }
}

/// Ends the process when it is dropped: a panic drops it too.
struct Alarm;

impl Drop for Alarm {
    fn drop(&mut self) {
        exit(1);
    }
}
