//! The built book: mdBook leaves what it does not understand as it is, and exits with 0.

use anyhow::{Context, Result, bail};
use std::fs::{read_dir, read_to_string};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// mdBook, if it is here: on the PATH, or where `./lab` installs it.
pub(crate) fn mdbook(root: &Path) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = std::env::split_paths(&path).chain([root.join(".tools/bin")]);
    places.map(|place| place.join("mdbook")).find(|file| file.is_file())
}

/// Builds the book into a folder of its own and looks at its pages.
pub(crate) fn faults(mdbook: &Path, notes: &Path) -> Result<Vec<String>> {
    let out = tempfile::tempdir()?;
    build(mdbook, notes, out.path())?;
    in_pages(out.path())
}

/// Builds the book into a folder.
pub(crate) fn build(mdbook: &Path, notes: &Path, out: &Path) -> Result<()> {
    let mut command = Command::new(mdbook);
    command.arg("build").arg(notes).arg("--dest-dir").arg(out).stdin(Stdio::null());
    let output = command.output().context("mdbook cannot be started")?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        bail!("mdbook build ended with {}: {}", output.status, words.lines().last().unwrap_or_default());
    }
    Ok(())
}

/// What was not replaced in the pages of a folder.
pub(crate) fn in_pages(folder: &Path) -> Result<Vec<String>> {
    let mut faults = Vec::new();
    let mut count = 0;
    let mut folders = vec![folder.to_owned()];
    while let Some(place) = folders.pop() {
        for entry in read_dir(&place)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "html") {
                count += 1;
                let text = read_to_string(&path)?;
                if text.contains("{{#") {
                    let name = path.strip_prefix(folder).unwrap_or(&path).display().to_string();
                    faults.push(format!("{name}: there is a `{{{{#` in the built page"));
                }
            }
        }
    }
    if count == 0 {
        faults.push("the built book has no page".into());
    }
    faults.sort();
    Ok(faults)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Protects a reader from `{{#include …}}` in place of an excerpt.
    #[test]
    fn what_mdbook_left_is_found() {
        let folder = tempfile::tempdir().expect("a directory");
        assert_eq!(in_pages(folder.path()).expect("read"), ["the built book has no page"]);
        std::fs::create_dir(folder.path().join("part")).expect("made");
        std::fs::write(folder.path().join("good.html"), "<p>good</p>").expect("written");
        assert_eq!(in_pages(folder.path()).expect("read"), [""; 0]);
        std::fs::write(folder.path().join("part/bad.html"), "<pre>{{#include x.rs:gone}}</pre>")
            .expect("written");
        assert_eq!(
            in_pages(folder.path()).expect("read"),
            ["part/bad.html: there is a `{{#` in the built page"]
        );
    }
}
