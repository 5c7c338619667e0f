//! The files of a profile: what the server is told to serve, below `$ROOT`.

use super::file::{Bytes, File, N};
use super::{HELLO, Profile};
use crate::probes::echo;
use anyhow::{Context, Result};
use std::fs;
use std::path::Path;
use std::sync::PoisonError;

impl Profile {
    /// Whether something must be put below `$ROOT` before the server is asked for it.
    pub fn needs_root(&self) -> bool {
        let File { files, routes, .. } = &self.file;
        let hello = routes.hello.as_ref().is_some_and(|hello| hello.file.is_some());
        !files.is_empty() || hello || routes.bytes.as_ref().is_some_and(|bytes| bytes.file.is_some())
    }

    /// Puts the files of the profile below this directory, which the server's command is told as `$ROOT`.
    /// Those that are copied are in `from`, or beside the profile.
    pub fn fill(&mut self, root: &Path, from: Option<&Path>) -> Result<()> {
        let root = root.canonicalize().with_context(|| format!("no directory {}", root.display()))?;
        let from = from.unwrap_or(&self.home);
        for name in &self.file.files {
            let to = root.join(name);
            make_parent(&to)?;
            fs::copy(from.join(name), &to).with_context(|| {
                let (name, from) = (name.display(), from.display());
                format!("the profile copies `{name}` to $ROOT, and it is not in `{from}` (--files DIR)")
            })?;
        }
        if let Some(hello) = &self.file.routes.hello
            && let Some(name) = &hello.file
        {
            let to = root.join(name);
            make_parent(&to)?;
            let body = hello.body.as_deref().unwrap_or(HELLO);
            fs::write(&to, body).with_context(|| format!("cannot write {}", to.display()))?;
        }
        self.root = Some(root);
        Ok(())
    }

    /// Writes the file of this length, if the route has one and it is not there yet.
    pub(super) fn write_bytes(&self, bytes: &Bytes, length: u64) -> Result<()> {
        let (Some(name), Some(root)) = (&bytes.file, &self.root) else { return Ok(()) };
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        if written.contains(&length) {
            return Ok(());
        }
        let path = root.join(name.replace(N, &length.to_string()));
        make_parent(&path)?;
        let body = echo::filler(usize::try_from(length)?);
        fs::write(&path, body).with_context(|| format!("cannot write {}", path.display()))?;
        written.insert(length);
        Ok(())
    }
}

fn make_parent(path: &Path) -> Result<()> {
    let Some(parent) = path.parent() else { return Ok(()) };
    fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))
}
