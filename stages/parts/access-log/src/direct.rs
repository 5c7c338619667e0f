//! `--log sync`: the loop writes its lines itself, and waits until the kernel has them.
//!
//! A line that was written stays, whatever happens to the process, and each turn of a connection pays a
//! system call. A slow disk, or a terminal that was stopped with Ctrl-S, stops the loop and all its
//! connections.

use crate::line_file::LineFile;
use std::fs::File;
use std::sync::{Mutex, PoisonError};

/// A file that is written to at once.
#[derive(Debug)]
pub struct Direct {
    /// The file, and how many lines it did not take. Locked, since a pipe takes more than 4 KiB in pieces
    /// (pipe(7)), and the pieces of two loops must not mix.
    inner: Mutex<(LineFile, u64)>,
}

impl Direct {
    /// A log in `file`.
    pub fn new(file: File) -> Self {
        Self { inner: Mutex::new((LineFile::new(file), 0)) }
    }

    /// Writes whole lines.
    pub fn append(&self, lines: &[u8]) {
        let (file, lost) = &mut *self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        *lost += file.write(lines);
    }

    /// How many lines could not be written.
    pub fn lost(&self) -> u64 {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).1
    }
}
