//! Opening a file below the root directory, and nothing outside it.

use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};
use nix::sys::stat::{FileStat, SFlag, fstat};
use std::fs::File;
use std::io::ErrorKind;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// A file at most this long is read when it is opened: its head and its bytes then leave in one write,
/// and no descriptor stays open for it.
const SMALL_FILE: u64 = 16 * 1024;

/// What was opened for a request.
#[derive(Debug)]
pub struct Opened {
    pub(super) found: Found,
}

/// What is at a path.
#[derive(Debug)]
pub(super) enum Found {
    /// A directory.
    Directory,
    /// A regular file: its bytes, how many there are, and when it was last changed, in seconds since 1970 and
    /// nanoseconds.
    File { content: Content, size: u64, modified: (i64, i64) },
}

/// The bytes of a file.
#[derive(Debug)]
pub(super) enum Content {
    /// All of them.
    Read(Vec<u8>),
    /// They are still in the file.
    OnDisk(Arc<File>),
}

impl Opened {
    /// Opens `path` below `root`, and reads it if it is small.
    ///
    /// # Errors
    /// The `errno` of openat2(2), `EXDEV` for a path that leads out of the root; `ENOENT` for what is neither
    /// a regular file nor a directory; `EIO` for a file that became shorter while it was read.
    pub fn open(root: &OwnedFd, path: &str) -> Result<Self, Errno> {
        // The kernel resolves the path and refuses each step out of the root, symbolic links included; a
        // check of ours before the open would race with a rename. O_NONBLOCK: a FIFO must not block.
        let how = OpenHow::new()
            .flags(OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC | OFlag::O_NOCTTY)
            .resolve(ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_MAGICLINKS);
        Self::read(File::from(open_beneath(root, path, how)?))
    }

    /// What an open file is, and its bytes if it is small. For a server that opens its files otherwise than
    /// with openat2(2).
    ///
    /// # Errors
    /// As [`Opened::open`].
    pub fn read(file: File) -> Result<Self, Errno> {
        let stat = fstat(&file)?;
        match SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT {
            SFlag::S_IFREG => Self::regular(file, &stat),
            SFlag::S_IFDIR => Ok(Self { found: Found::Directory }),
            _ => Err(Errno::ENOENT),
        }
    }

    fn regular(file: File, stat: &FileStat) -> Result<Self, Errno> {
        let size = stat.st_size as u64;
        let content = if size <= SMALL_FILE {
            Content::Read(read_exactly(&file, size as usize)?)
        } else {
            Content::OnDisk(Arc::new(file))
        };
        let modified = (stat.st_mtime, stat.st_mtime_nsec);
        Ok(Self { found: Found::File { content, size, modified } })
    }
}

/// The first `size` bytes: what the head will announce, even if the file has grown since.
fn read_exactly(file: &File, size: usize) -> Result<Vec<u8>, Errno> {
    let mut bytes = vec![0; size];
    match file.read_exact_at(&mut bytes, 0) {
        Ok(()) => Ok(bytes),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Err(Errno::EIO),
        Err(error) => Err(error.raw_os_error().map_or(Errno::EIO, Errno::from_raw)),
    }
}

/// openat2(2). It fails with `EAGAIN` when something was renamed while it resolved `..` in a symbolic link,
/// since it cannot know whether that led out of the root; most often the next try succeeds.
fn open_beneath(root: &OwnedFd, path: &str, how: OpenHow) -> nix::Result<OwnedFd> {
    const TRIES: usize = 16;
    for _ in 1..TRIES {
        match openat2(root, path, how) {
            Err(Errno::EAGAIN) => {}
            result => return result,
        }
    }
    openat2(root, path, how)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_shrank_before_it_was_read_is_an_error() {
        let mut file = tempfile::tempfile().unwrap();
        std::io::Write::write_all(&mut file, b"four").unwrap();
        assert_eq!(read_exactly(&file, 3), Ok(b"fou".to_vec()), "it grew: the announced bytes");
        assert_eq!(read_exactly(&file, 5), Err(Errno::EIO), "it shrank");
    }
}
