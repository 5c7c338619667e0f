//! A root directory, and settings that serve it under small limits.

use kit::protocol::http::{Limits, Settings};
use std::fs::{self, File};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};
use tempfile::TempDir;

/// When each file was changed, as an HTTP date.
pub(crate) const MODIFIED: &str = "Sun, 09 Sep 2001 01:46:40 GMT";
/// What is in `secret`, beside the root and not below it.
pub(crate) const SECRET: &str = "never to be seen";
/// What is in `small.txt`.
pub(crate) const SMALL: &str = "0123456789";
/// The size of `big.bin`: more than is read when it is opened.
pub(crate) const BIG: usize = 40_000;

/// A directory that is removed at the end. The root is a directory in it, so that there is something
/// outside.
pub(crate) struct Site {
    outer: TempDir,
    pub(crate) settings: Arc<Settings>,
}

impl Site {
    pub(crate) fn new() -> Self {
        let outer = tempfile::tempdir().unwrap();
        let root = outer.path().join("root");
        fs::create_dir_all(root.join("docs")).unwrap();
        fs::create_dir_all(root.join("empty")).unwrap();
        fs::write(outer.path().join("secret"), SECRET).unwrap();
        let big: Vec<u8> = (0..BIG).map(|i| (i % 251) as u8).collect();
        for (name, bytes) in [
            ("small.txt", SMALL.as_bytes()),
            ("with space.txt", b"space"),
            ("nothing", b""),
            ("big.bin", &big),
            ("docs/index.html", b"<p>docs"),
        ] {
            fs::write(root.join(name), bytes).unwrap();
            let changed = UNIX_EPOCH + Duration::from_secs(1_000_000_000);
            File::open(root.join(name)).unwrap().set_modified(changed).unwrap();
        }
        let limits = Limits {
            max_request_line: 120,
            max_header_bytes: 200,
            max_header_lines: 6,
            max_body: 40,
            max_bytes: 70_000,
            max_sleep: 40,
            max_spin: 50,
            ..Limits::default()
        };
        let descriptor = OwnedFd::from(File::open(&root).unwrap());
        Self { outer, settings: Arc::new(Settings { limits, root: Some(Arc::new(descriptor)) }) }
    }

    /// Where a file below the root is.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.outer.path().join("root").join(name)
    }
}
