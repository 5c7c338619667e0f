//! What a server says on stderr.

use std::fmt::Display;
use std::io::{Write, stderr};

/// Says one line. `eprintln!` panics when the line cannot be written: a server whose log is a full disk, or a pipe that
/// nobody reads any more, would end for want of a listener.
pub fn say(line: impl Display) {
    // One write for the whole line, so that two processes do not mix theirs.
    let _ = stderr().write_all(format!("{line}\n").as_bytes());
}
