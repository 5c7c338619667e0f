//! Files that are written whole or not at all, their hashes, and links to them.

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};
use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf, absolute};

/// Writes a file through a temporary one beside it and a rename: whatever happens in between (a full disk,
/// a kill), a reader finds the old file or the new one.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    let cannot = || format!("cannot write {}", path.display());
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let mut file = tempfile::Builder::new()
        // What a new file has otherwise: the umask is taken off. The default of temporary files is for one
        // user only.
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(directory.unwrap_or(Path::new(".")))
        .with_context(cannot)?;
    file.write_all(bytes).with_context(cannot)?;
    file.persist(path).map_err(|error| error.error).with_context(cannot)?;
    Ok(())
}

/// The SHA-256 of a file, as `sha256sum` prints it.
pub fn sha256(path: &Path) -> Result<String> {
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The path of a file as a link from a page in a directory, which need not be there yet.
pub fn link(directory: &Path, file: &Path) -> String {
    let (directory, file) = (resolved(directory), resolved(file));
    let common = directory.components().zip(file.components()).take_while(|(a, b)| a == b).count();
    let up = directory.components().skip(common).map(|_| Path::new(".."));
    up.collect::<PathBuf>().join(file.components().skip(common).collect::<PathBuf>()).display().to_string()
}

/// The path from the root, without links and `..` as far as it exists.
fn resolved(path: &Path) -> PathBuf {
    let whole = absolute(path).unwrap_or_else(|_| path.to_owned());
    let real = |ancestor: &Path| Some(ancestor.canonicalize().ok()?.join(whole.strip_prefix(ancestor).ok()?));
    whole.ancestors().find_map(real).unwrap_or_else(|| whole.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_and_nothing_else_is_left() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("page.md");
        for text in ["old and long", "new"] {
            write_atomically(&path, text.as_bytes()).expect("written");
            assert_eq!(fs::read_to_string(&path).expect("it is there"), text);
        }
        assert_eq!(fs::read_dir(directory.path()).expect("a directory").count(), 1);
        let plain = directory.path().join("plain");
        fs::write(&plain, "").expect("written");
        let mode = |path: &Path| fs::metadata(path).expect("it is there").permissions().mode();
        assert_eq!(mode(&path), mode(&plain), "others may read it as they may read any file");
    }

    #[test]
    fn a_failure_leaves_the_old_file_and_says_which() {
        let directory = tempfile::tempdir().expect("a directory");
        // A directory cannot be replaced by a file.
        let path = directory.path().join("taken");
        fs::create_dir(&path).expect("made");
        let error = write_atomically(&path, b"x").expect_err("it is a directory");
        assert!(format!("{error:#}").contains("taken"));
        assert_eq!(fs::read_dir(directory.path()).expect("a directory").count(), 1);
    }

    #[test]
    fn a_link_leads_to_its_file_from_wherever_the_page_is() {
        let tree = tempfile::tempdir().expect("a directory");
        let file = tree.path().join("look/data/run.jsonl");
        fs::create_dir_all(tree.path().join("look/data")).expect("made");
        fs::write(&file, "").expect("written");
        for (page, expected) in [
            ("look", "data/run.jsonl"),
            ("look/data", "run.jsonl"),
            ("", "look/data/run.jsonl"),
            ("not/yet", "../../look/data/run.jsonl"),
            ("look/data/../../other", "../look/data/run.jsonl"),
        ] {
            assert_eq!(link(&tree.path().join(page), &file), expected, "from {page}");
        }
    }

    #[test]
    fn the_hash_is_the_one_that_sha256sum_prints() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("abc");
        fs::write(&path, "abc").expect("written");
        // FIPS 180-2, appendix B.1.
        let known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256(&path).expect("it is there"), known);
    }
}
