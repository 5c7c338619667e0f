//! The book agrees with the code beside it.
//!
//! mdBook builds without an error when an included file or anchor is missing, a link leads nowhere or a page
//! is not in the table of contents. So the book is checked here, as text, and the check is checked on books
//! that are broken.

use std::collections::BTreeSet;
use std::fs::{read_dir, read_to_string};
use std::path::{Path, PathBuf};

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Protects a reader from an excerpt that is not there, a link that leads nowhere, a page without a link.
#[test]
fn the_book_is_whole() {
    let faults = faults(&workspace().join("notes/src"));
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Protects `just stage N`, which ends by naming the chapter to read.
#[test]
fn each_stage_has_its_chapter() {
    let contents = read_to_string(workspace().join("notes/src/SUMMARY.md")).unwrap();
    let listed: Vec<String> = links(&contents).into_iter().collect();
    let stages = lab_core::stages::discover().unwrap();
    assert!(!stages.is_empty());
    for stage in stages {
        assert!(
            listed.contains(&stage.chapter),
            "stage {}: {} is not in SUMMARY.md",
            stage.name,
            stage.chapter
        );
    }
}

/// Protects a student who looks for a probe that a chapter names.
#[test]
fn each_probe_that_a_chapter_names_exists() {
    let mut named = 0;
    for page in pages(&workspace().join("notes/src")) {
        let text = read_to_string(workspace().join("notes/src").join(&page)).unwrap();
        for name in text.split("probe `").skip(1).filter_map(|rest| rest.split('`').next()) {
            named += 1;
            assert!(grader::probes::find(name).is_ok(), "{page}: there is no probe `{name}`");
        }
    }
    assert!(named > 0, "no chapter names a probe: has the wording changed?");
}

/// A check that finds nothing is worth nothing: each kind of fault is found, in a book that has no other.
#[test]
fn each_kind_of_fault_is_found() {
    let good = "# Title\n\n## A part: one\n\n[there](other.md#title), [here](#a-part-one)\n\n\
                ```rust,ignore\n{{#include code.rs:whole}}\n```\n";
    assert_eq!(faults_of(good), [""; 0]);
    for (from, to, expected) in [
        ("code.rs:whole", "gone.rs:whole", "gone.rs: no such file"),
        ("code.rs:whole", "code.rs:gone", "code.rs: ANCHOR: gone is there 0 times"),
        ("code.rs:whole", "code.rs:hole", "code.rs: ANCHOR: hole is there 0 times"),
        ("code.rs:whole", "code.rs:open", "code.rs: ANCHOR_END: open is there 0 times"),
        ("code.rs:whole", "code.rs:twice", "code.rs: ANCHOR: twice is there 2 times"),
        ("code.rs:whole", "code.rs:upside", "code.rs: nothing is between the anchors of upside"),
        ("code.rs:whole", "code.rs:empty", "code.rs: nothing is between the anchors of empty"),
        ("code.rs:whole", "code.rs:3:5", "an excerpt is named by an anchor, not by `3:5`"),
        ("code.rs:whole", "code.rs", "an excerpt is named by an anchor, not by ``"),
        ("other.md#title", "gone.md", "gone.md: no such file"),
        ("other.md#title", "other.md#gone", "other.md#gone: no such heading"),
        ("#a-part-one", "#gone", "#gone: no such heading"),
    ] {
        let broken = good.replace(from, to);
        assert_ne!(broken, good);
        assert_eq!(faults_of(&broken), [format!("page.md: {expected}")], "{to}");
    }
}

/// As above, for the table of contents.
#[test]
fn a_page_without_an_entry_and_an_entry_without_a_page_are_found() {
    let book = tempfile::tempdir().unwrap();
    for (name, text) in [("SUMMARY.md", "- [Gone](gone.md)\n"), ("page.md", "# Title\n")] {
        std::fs::write(book.path().join(name), text).unwrap();
    }
    assert_eq!(faults(book.path()), ["SUMMARY.md: gone.md: no such file", "page.md: not in SUMMARY.md"]);
}

/// What is wrong in a book of one `page.md` with this text, with another page and some code beside it.
fn faults_of(page: &str) -> Vec<String> {
    let code = "// ANCHOR: whole\nfn main() {}\n// ANCHOR_END: whole\n// ANCHOR: empty\n\n// ANCHOR_END: empty\n\
                // ANCHOR_END: upside\nuse std;\n// ANCHOR: upside\n// ANCHOR: twice\nmod a;\n// ANCHOR_END: twice\n\
                // ANCHOR: twice\n// ANCHOR: open\nmod b;\n";
    let book = tempfile::tempdir().unwrap();
    let contents = "[Page](page.md)\n[Other](other.md)\n";
    for (name, text) in
        [("SUMMARY.md", contents), ("page.md", page), ("other.md", "# Title\n"), ("code.rs", code)]
    {
        std::fs::write(book.path().join(name), text).unwrap();
    }
    faults(book.path())
}

/// What is wrong in the book whose sources are in `book`.
fn faults(book: &Path) -> Vec<String> {
    let mut faults = Vec::new();
    let contents = read_to_string(book.join("SUMMARY.md")).unwrap_or_default();
    let listed = links(&contents);
    for page in pages(book) {
        let text = read_to_string(book.join(&page)).unwrap();
        let mut fault = |what: String| faults.push(format!("{page}: {what}"));
        if page != "SUMMARY.md" && !listed.contains(&page) {
            fault("not in SUMMARY.md".to_owned());
        }
        included(&text).filter_map(|what| bad_include(book, what)).for_each(&mut fault);
        links(&text).iter().filter_map(|target| bad_link(book, &text, target)).for_each(&mut fault);
    }
    faults
}

/// The names of the Markdown files in `book`, in order.
fn pages(book: &Path) -> Vec<String> {
    let names = read_dir(book).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut pages: Vec<String> = names.filter(|name| name.ends_with(".md")).collect();
    pages.sort();
    pages
}

/// What each `{{#include …}}` names.
fn included(text: &str) -> impl Iterator<Item = &str> {
    text.split("{{#include ").skip(1).filter_map(|rest| rest.split("}}").next())
}

fn bad_include(book: &Path, what: &str) -> Option<String> {
    let (file, name) = what.split_once(':').unwrap_or((what, ""));
    // Line numbers are right until somebody adds a line.
    if name.is_empty() || name.contains(|c: char| !(c.is_ascii_lowercase() || c == '-')) {
        return Some(format!("an excerpt is named by an anchor, not by `{name}`"));
    }
    let Ok(code) = read_to_string(book.join(file)) else { return Some(format!("{file}: no such file")) };
    let mut places = Vec::new();
    for mark in ["ANCHOR: ", "ANCHOR_END: "] {
        let wanted = format!("// {mark}{name}");
        let found: Vec<usize> = code
            .lines()
            .enumerate()
            .filter(|(_, line)| line.trim() == wanted)
            .map(|(number, _)| number)
            .collect();
        match found[..] {
            [place] => places.push(place),
            _ => return Some(format!("{file}: {mark}{name} is there {} times", found.len())),
        }
    }
    let excerpt = code.lines().take(places[1]).skip(places[0] + 1);
    let empty = excerpt.map(str::trim).all(|line| line.is_empty() || line.starts_with("// ANCHOR"));
    empty.then(|| format!("{file}: nothing is between the anchors of {name}"))
}

/// The targets of the links, without those that leave the book for the net.
fn links(text: &str) -> BTreeSet<String> {
    let prose = prose(text);
    let targets = prose.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets.filter(|target| !target.contains("://")).map(str::to_owned).collect()
}

fn bad_link(book: &Path, text: &str, target: &str) -> Option<String> {
    let (file, heading) = target.split_once('#').unwrap_or((target, ""));
    let there = match file {
        "" => text.to_owned(),
        file => match read_to_string(book.join(file)) {
            Ok(there) => there,
            Err(_) => return Some(format!("{file}: no such file")),
        },
    };
    let known = heading.is_empty() || headings(&there).contains(heading);
    (!known).then(|| format!("{target}: no such heading"))
}

/// The headings, as links name them (GitHub and mdBook agree on these).
fn headings(text: &str) -> BTreeSet<String> {
    let prose = prose(text);
    let titles =
        prose.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    let kept = |c: &char| c.is_alphanumeric() || "-_ ".contains(*c);
    titles
        .map(|title| title.to_lowercase().chars().filter(kept).collect::<String>().replace(' ', "-"))
        .collect()
}

/// The text without its code: what looks like a link in there is none.
fn prose(text: &str) -> String {
    let mut prose = String::new();
    let mut fenced = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            line.split('`').step_by(2).for_each(|part| prose.push_str(part));
            prose.push('\n');
        }
    }
    prose
}
