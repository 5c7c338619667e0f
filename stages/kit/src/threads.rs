//! Starting threads.

use std::io;
use std::thread::{Builder, Scope};

/// Starts a thread that lives at most as long as its scope.
///
/// # Errors
/// Why the system allows no more threads, with the name of this one.
pub fn spawn<'scope>(
    scope: &'scope Scope<'scope, '_>,
    name: &str,
    body: impl FnOnce() + Send + 'scope,
) -> io::Result<()> {
    match Builder::new().name(name.to_owned()).spawn_scoped(scope, body) {
        Ok(_) => Ok(()),
        Err(error) => Err(io::Error::new(error.kind(), format!("cannot start the thread {name}: {error}"))),
    }
}
