//! What a server writes to stderr.

use std::fmt::Display;
use std::io::{Write, stderr};

/// Writes one line. `eprintln!` panics when the line cannot be written: a server whose stderr is a file on a
/// full disk, or a pipe without a reader, would end because of a message.
pub fn log_stderr(line: impl Display) {
    // One write for the whole line, so that two processes do not mix theirs.
    let _ = stderr().write_all(format!("{line}\n").as_bytes());
}
