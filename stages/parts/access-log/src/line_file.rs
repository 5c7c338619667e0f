//! A file that lines are appended to, and that may refuse them.

use crate::count;
use std::fs::File;
use std::io::{ErrorKind, Write};

/// A file of whole lines. A full disk, a pipe that no process reads any more and a limit on the size of files
/// (`ulimit -f`) are the same to it: lines are lost, and it says how many.
#[derive(Debug)]
pub(crate) struct LineFile {
    file: File,
    /// The last write ended in the middle of a line.
    cut: bool,
}

impl LineFile {
    pub(crate) fn new(file: File) -> Self {
        Self { file, cut: false }
    }

    // ANCHOR: write
    /// Writes whole lines; returns how many of them are not in the file, or not wholly.
    pub(crate) fn write(&mut self, lines: &[u8]) -> u64 {
        // What is left of a line that was cut must not run into the next one.
        if self.cut && self.file.write_all(b"\n").is_err() {
            return count(lines);
        }
        let mut rest = lines;
        while !rest.is_empty() {
            match self.file.write(rest) {
                Ok(length @ 1..) => rest = &rest[length..],
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                _ => break,
            }
        }
        let written = &lines[..lines.len() - rest.len()];
        self.cut = match written.last() {
            Some(&last) => last != b'\n',
            // The line feed has ended it.
            None => false,
        };
        count(rest)
    }
    // ANCHOR_END: write
}
