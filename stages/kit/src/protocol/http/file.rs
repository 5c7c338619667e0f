//! Opening a file below the root directory, and nothing outside it.

use crate::outbox::Source;
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

/// A file that was opened for a request.
#[derive(Debug)]
pub struct Opened {
    pub(super) found: Found,
}

/// What is at a path.
#[derive(Debug)]
pub(super) enum Found {
    /// A directory, and the path has no slash at its end.
    Directory,
    /// A regular file.
    File { content: Content, size: u64, modified: (i64, i64), media_type: &'static str },
}

/// The bytes of a file.
#[derive(Debug)]
pub(super) enum Content {
    /// All of them.
    Read(Vec<u8>),
    /// They are still in the file.
    OnDisk(Arc<File>),
    /// They are still in the file, and the stage sends them in its own way.
    Through(Arc<dyn Source>),
}

impl Opened {
    /// Opens `path` below `root`. A path that ends in a slash means the `index.html` there.
    ///
    /// Fails with the `errno` of openat2(2); with `ENOENT` where there is something else than a regular
    /// file; and with `EIO` where a file became shorter while it was read.
    pub fn open(root: &OwnedFd, path: &str) -> Result<Self, Errno> {
        if path.is_empty() || path.ends_with('/') {
            return Self::open_path(root, &format!("{path}index.html"), Err(Errno::ENOENT));
        }
        Self::open_path(root, path, Ok(Self { found: Found::Directory }))
    }

    /// Lets a stage send the bytes in its own way: `through` makes a source of a file and its size, or `None`
    /// to leave it as it is. Small files are read already.
    pub fn send_through(&mut self, through: impl FnOnce(&Arc<File>, u64) -> Option<Arc<dyn Source>>) {
        if let Found::File { content, size, .. } = &mut self.found
            && let Content::OnDisk(file) = content
            && let Some(source) = through(file, *size)
        {
            *content = Content::Through(source);
        }
    }

    fn open_path(root: &OwnedFd, path: &str, for_directory: Result<Self, Errno>) -> Result<Self, Errno> {
        // The kernel resolves the path and refuses each step out of the root, symbolic links included; a
        // check of ours before the open would race with a rename. O_NONBLOCK: a FIFO must not block.
        let how = OpenHow::new()
            .flags(OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC | OFlag::O_NOCTTY)
            .resolve(ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_MAGICLINKS);
        let file = File::from(open_beneath(root, path, how)?);
        let stat = fstat(&file)?;
        match SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT {
            SFlag::S_IFREG => Self::regular(file, &stat, media_type(path)),
            SFlag::S_IFDIR => for_directory,
            _ => Err(Errno::ENOENT),
        }
    }

    fn regular(file: File, stat: &FileStat, media_type: &'static str) -> Result<Self, Errno> {
        let size = stat.st_size as u64;
        let content = if size <= SMALL_FILE {
            Content::Read(read_exactly(&file, size as usize)?)
        } else {
            Content::OnDisk(Arc::new(file))
        };
        let modified = (stat.st_mtime, stat.st_mtime_nsec);
        Ok(Self { found: Found::File { content, size, modified, media_type } })
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

/// The media type, by the extension of the name.
fn media_type(path: &str) -> &'static str {
    let name = path.rsplit('/').next().unwrap_or(path);
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    for (known, media_type) in MEDIA_TYPES {
        if extension.eq_ignore_ascii_case(known) {
            return media_type;
        }
    }
    "application/octet-stream"
}

const MEDIA_TYPES: [(&str, &str); 16] = [
    ("html", "text/html; charset=utf-8"),
    ("htm", "text/html; charset=utf-8"),
    ("css", "text/css; charset=utf-8"),
    ("js", "text/javascript; charset=utf-8"),
    ("txt", "text/plain; charset=utf-8"),
    ("md", "text/markdown; charset=utf-8"),
    ("csv", "text/csv; charset=utf-8"),
    ("json", "application/json"),
    ("xml", "application/xml"),
    ("pdf", "application/pdf"),
    ("wasm", "application/wasm"),
    ("svg", "image/svg+xml"),
    ("png", "image/png"),
    ("jpg", "image/jpeg"),
    ("gif", "image/gif"),
    ("ico", "image/x-icon"),
];

/// openat2(2). It says `EAGAIN` when something was renamed while it resolved `..` in a symbolic link, since
/// it cannot tell whether that led out; asked again it mostly can.
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

    #[test]
    fn the_extension_of_the_name_alone_decides_the_type() {
        assert_eq!(media_type("a.b/INDEX.HTML"), "text/html; charset=utf-8");
        assert_eq!(media_type("a.html/b"), "application/octet-stream");
    }
}
