//! Generated parts: each is there, is what would be generated now, and is shown by a page.

use super::{Book, included};
use crate::parts::{FOLDER, OURS, is_same_kind};
use std::collections::BTreeMap;
use std::fs::{read_dir, read_to_string};

/// The command that mends it.
const AGAIN: &str = "`./lab notes-generate` writes it again";

/// Compares with what is generated now. Pictures are included by parts, so only text must be included by a
/// page.
pub(crate) fn faults(book: &Book, now: &BTreeMap<String, String>) -> Vec<String> {
    let folder = book.src.join(FOLDER);
    let mut faults = Vec::new();
    for (name, text) in now {
        match read_to_string(folder.join(name)) {
            Err(_) => faults.push(format!("{FOLDER}/{name}: it is missing; {AGAIN}")),
            Ok(there) if there != *text => {
                faults.push(format!("{FOLDER}/{name}: it is out of date; {AGAIN}"))
            }
            Ok(_) => {}
        }
    }
    let used: Vec<&str> = book.pages.iter().flat_map(|page| included(&page.text)).collect();
    let entries = read_dir(&folder).into_iter().flatten().flatten();
    let mut names: Vec<String> =
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    for name in names.iter().filter(|name| OURS.iter().any(|ours| name.starts_with(ours))) {
        if !now.contains_key(name) && !name.starts_with("calls-") {
            faults.push(format!("{FOLDER}/{name}: nothing generates it any more; remove it"));
        } else if name.ends_with(".md") && !used.contains(&format!("{FOLDER}/{name}").as_str()) {
            faults.push(format!("{FOLDER}/{name}: no page includes it"));
        }
    }
    faults
}

/// A generated part is the same on every machine.
pub(crate) fn of_this_machine(now: &BTreeMap<String, String>, root: &str) -> Vec<String> {
    let named = now.iter().filter(|(_, text)| text.contains(root));
    named.map(|(name, _)| format!("{FOLDER}/{name}: it has a path of this machine")).collect()
}

/// Compares a recording of strace's with one that was just made: in kind, since numbers and times differ.
pub(crate) fn recording(book: &Book, stage: &str, number: u8, now: &str) -> Option<String> {
    let name = format!("{FOLDER}/calls-{stage}.md");
    let again = format!("`./lab notes-calls {number}` records it again");
    let Ok(there) = read_to_string(book.src.join(&name)) else {
        return Some(format!("{name}: it is missing; {again}"));
    };
    match is_same_kind(&there, now) {
        Ok(true) => None,
        Ok(false) => Some(format!("{name}: the stage makes other system calls now; {again}")),
        Err(error) => Some(format!("{name}: {error}; {again}")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::invented;
    use super::*;

    /// Protects a reader from a table that the records contradict.
    #[test]
    fn each_part_that_is_not_current_is_found() {
        let page = "{{#include generated/cost-01.md}}\n{{#include generated/cost-02.md}}\n";
        let (_directory, book) = invented(&[
            ("page.md", page),
            ("generated/cost-01.md", "now\n"),
            ("generated/cost-02.md", "then\n"),
            ("generated/cost-04.md", "now\n"),
            ("generated/diff-99.md", "x\n"),
            ("generated/timeline.md", "of somebody else\n"),
        ]);
        let now = ["cost-01.md", "cost-02.md", "cost-03.md", "cost-04.md"]
            .map(|name| (name.into(), "now\n".into()));
        assert_eq!(
            faults(&book, &now.into()),
            [
                "generated/cost-02.md: it is out of date; `./lab notes-generate` writes it again",
                "generated/cost-03.md: it is missing; `./lab notes-generate` writes it again",
                "generated/cost-04.md: no page includes it",
                "generated/diff-99.md: nothing generates it any more; remove it",
            ]
        );
    }

    /// Protects the book from differing between two machines.
    #[test]
    fn a_path_of_this_machine_is_found() {
        let parts = [("a.md", "stages/05/src"), ("b.md", "see /home/me/lab/stages/05")];
        let parts = parts.map(|(name, text)| (name.to_owned(), text.to_owned())).into();
        assert_eq!(
            of_this_machine(&parts, "/home/me/lab"),
            ["generated/b.md: it has a path of this machine"]
        );
    }

    /// The same for what strace recorded: other numbers are no fault, another call is one.
    #[test]
    fn a_recording_of_another_kind_is_found() {
        let page = |calls: &str| format!("x\n\n```text\n{calls}\n```\n\n```text\n{calls}\n```\n");
        let there = page("read(fd1, 7) = 7\nclose(fd1) = 0");
        let (_directory, book) = invented(&[("generated/calls-04.md", &there)]);
        assert_eq!(recording(&book, "04", 4, &page("read(fd2, 8) = 8\nclose(fd2) = 0")), None);
        let found = recording(&book, "04", 4, &page("close(fd1) = 0\nread(fd1, 7) = 7")).expect("a fault");
        assert!(
            found.starts_with("generated/calls-04.md: the stage makes other system calls now"),
            "{found}"
        );
        assert!(recording(&book, "05", 5, &there).expect("a fault").contains("it is missing"));
    }
}
