//! A copy of the tree, to be mutated: the user's own is never touched.

use anyhow::{Context, Result, ensure};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What a build of the stages needs. The other members of the workspace must be there for cargo.
const PARTS: [&str; 6] =
    ["Cargo.toml", "Cargo.lock", "rust-toolchain.toml", "stages/", "harness/", "experiments/"];

/// What decides how a mutant is judged, beside its own file.
const JUDGING: [&str; 4] = ["Cargo.lock", "stages/", "harness/crates/grader/", "harness/crates/lab-core/"];

/// The files of the tree that git knows or would add, relative to its root.
fn files(root: &Path) -> Result<BTreeSet<PathBuf>> {
    let mut git = Command::new("git");
    git.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--"])
        .args(PARTS)
        .current_dir(root);
    let output = git.output().context("git is needed, to know which files are the tree's")?;
    ensure!(output.status.success(), "git ls-files: {}", String::from_utf8_lossy(&output.stderr).trim());
    let names = String::from_utf8(output.stdout).context("a file's name is not UTF-8")?;
    let names = names.split('\0').filter(|name| !name.is_empty() && !name.starts_with(crate::mutant::FOLDER));
    Ok(names.map(PathBuf::from).filter(|path| root.join(path).is_file()).collect())
}

/// Makes `copy` equal to the tree. A file that is equal already is not written: cargo goes by times.
///
/// # Errors
/// What cannot be read or written.
pub(crate) fn copy(root: &Path, copy: &Path) -> Result<()> {
    let wanted = files(root)?;
    let mut folders = vec![copy.to_owned()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if !wanted.contains(path.strip_prefix(copy)?) {
                fs::remove_file(&path)?;
            }
        }
    }
    for path in &wanted {
        let text = fs::read(root.join(path)).with_context(|| path.display().to_string())?;
        write(&copy.join(path), &text)?;
    }
    Ok(())
}

/// Writes a file unless it has these bytes already.
///
/// # Errors
/// What cannot be written.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    if fs::read(path).is_ok_and(|there| there == bytes) {
        return Ok(());
    }
    let cannot = || format!("cannot write {}", path.display());
    fs::create_dir_all(path.parent().unwrap_or(Path::new("."))).with_context(cannot)?;
    fs::write(path, bytes).with_context(cannot)
}

/// A hash of all that decides how mutants are judged: outcomes stand as long as it stays.
///
/// # Errors
/// What cannot be read.
pub(crate) fn state(root: &Path) -> Result<String> {
    let mut hash = Sha256::new();
    for path in files(root)? {
        let name = path.to_string_lossy().into_owned();
        if JUDGING.iter().any(|part| name.starts_with(part)) {
            hash.update(name.as_bytes());
            hash.update([0]);
            hash.update(Sha256::digest(fs::read(root.join(&path))?));
        }
    }
    Ok(hex(&hash.finalize()))
}

/// A short name for a text.
pub(crate) fn digest(text: &str) -> String {
    hex(&Sha256::digest(text))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}
