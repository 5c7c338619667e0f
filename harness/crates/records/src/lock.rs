//! One run at a time measures into a directory.

use anyhow::{Context, Result, bail};
use std::fs::{self, File, TryLockError};
use std::path::Path;

/// The one run that measures into a directory: two of them would disturb each other, and before the first
/// record nothing else shows that there is another. It ends with the process, however that ends.
#[derive(Debug)]
pub struct DirLock {
    _directory: Option<File>,
}

impl DirLock {
    /// Makes the directory if it is not there, and claims it. The directory itself is locked, so no file is
    /// left behind.
    pub fn on(directory: &Path) -> Result<Self> {
        fs::create_dir_all(directory).with_context(|| format!("cannot write to {}", directory.display()))?;
        let Ok(opened) = File::open(directory) else { return Ok(Self { _directory: None }) };
        match opened.try_lock() {
            Err(TryLockError::WouldBlock) => bail!(
                "another run measures into {}, and both would disturb each other: wait for its end or end it, then begin again",
                directory.display()
            ),
            // Where the file system knows no locks there is none.
            Ok(()) | Err(TryLockError::Error(_)) => Ok(Self { _directory: Some(opened) }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_has_one_run_at_a_time() {
        let directory = tempfile::tempdir().expect("a directory");
        let data = directory.path().join("not/yet/there");
        let claim = DirLock::on(&data).expect("there is no other run");
        let error = DirLock::on(&data).expect_err("there is another run").to_string();
        assert!(error.contains("another run") && error.contains("wait for its end"), "{error}");
        DirLock::on(directory.path()).expect("another directory");
        drop(claim);
        DirLock::on(&data).expect("it was given up");
        assert_eq!(fs::read_dir(&data).expect("it is there").count(), 0, "nothing is left behind");
    }
}
