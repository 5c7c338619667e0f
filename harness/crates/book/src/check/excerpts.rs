//! Excerpts: each anchor that a page names is there once, closed, and neither empty nor too long; each anchor
//! of the code is shown by some page, or replaced by some exercise.

use super::{Book, included};
use std::collections::BTreeSet;
use std::fs::{read_dir, read_to_string};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

/// What may be included whole: it was made to be.
const WHOLE: [&str; 3] = [".md", ".svg", ".html"];

/// How many lines of code a reader takes in at once; fewer are better said in the sentence.
const LENGTH: RangeInclusive<usize> = 3..=25;

/// The faults of the pages, and of the code below these folders, of which exercises replace these anchors.
pub(crate) fn faults(book: &Book, code: &[PathBuf], replaced: &[(PathBuf, String)]) -> Vec<String> {
    let mut faults = Vec::new();
    let place_of = |(file, name): &(PathBuf, String)| Some((file.canonicalize().ok()?, name.clone()));
    let mut used: BTreeSet<(PathBuf, String)> = replaced.iter().filter_map(place_of).collect();
    for page in &book.pages {
        for what in included(&page.text) {
            faults.extend(bad_include(&book.src, what).map(|fault| format!("{}: {fault}", page.name)));
            let (file, name) = what.split_once(':').unwrap_or((what, ""));
            used.extend(book.src.join(file).canonicalize().ok().map(|file| (file, name.to_owned())));
        }
    }
    let mut files = Vec::new();
    code.iter().for_each(|folder| collect(folder, &mut files));
    files.sort();
    for file in files {
        let (Ok(text), Ok(file)) = (read_to_string(&file), file.canonicalize()) else { continue };
        for name in text.lines().filter_map(|line| anchor(line, "ANCHOR: ")) {
            if !used.contains(&(file.clone(), name.to_owned())) {
                faults.push(format!(
                    "{}: no page shows the anchor {name}, and no exercise replaces it",
                    place(&file, code)
                ));
            }
        }
    }
    faults
}

/// The path below the folder of one of the code's folders: nothing of this machine is in it.
fn place(file: &Path, code: &[PathBuf]) -> String {
    let roots = code.iter().filter_map(|folder| folder.canonicalize().ok()?.parent().map(Path::to_owned));
    let below = roots.filter_map(|root| file.strip_prefix(root).ok().map(Path::to_owned)).next();
    below.unwrap_or_else(|| file.to_owned()).display().to_string()
}

/// The name in a line that is nothing but such a mark.
fn anchor<'a>(line: &'a str, mark: &str) -> Option<&'a str> {
    let line = line.trim();
    let name = line.strip_prefix("// ").or_else(|| line.strip_prefix("# "))?.strip_prefix(mark)?;
    name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-').then_some(name)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for path in read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()) {
        match path.is_dir() {
            true => collect(&path, files),
            false
                if path.extension().is_some_and(|ending| ["rs", "c", "py"].iter().any(|e| ending == *e)) =>
            {
                files.push(path);
            }
            false => {}
        }
    }
}

fn bad_include(src: &Path, what: &str) -> Option<String> {
    let (file, name) = what.split_once(':').unwrap_or((what, ""));
    let Ok(code) = read_to_string(src.join(file)) else { return Some(format!("{file}: no such file")) };
    if name.is_empty() && WHOLE.iter().any(|ending| file.ends_with(ending)) {
        return code.trim().is_empty().then(|| format!("{file}: it is empty"));
    }
    // Line numbers are right until somebody adds a line.
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_lowercase() || c == '-') {
        return Some(format!("an excerpt is named by an anchor, not by `{name}`"));
    }
    let mut places = Vec::new();
    for mark in ["ANCHOR: ", "ANCHOR_END: "] {
        let lines = code.lines().enumerate();
        let found: Vec<usize> =
            lines.filter(|(_, line)| anchor(line, mark) == Some(name)).map(|(number, _)| number).collect();
        match found[..] {
            [place] => places.push(place),
            _ => return Some(format!("{file}: {mark}{name} is there {} times", found.len())),
        }
    }
    let excerpt = code.lines().take(places[1]).skip(places[0] + 1).map(str::trim);
    let excerpt: Vec<&str> = excerpt.filter(|line| !line.starts_with("// ANCHOR")).collect();
    if excerpt.iter().all(|line| line.is_empty()) {
        return Some(format!("{file}: nothing is between the anchors of {name}"));
    }
    let count = excerpt.len();
    (!LENGTH.contains(&count)).then(|| {
        format!(
            "{file}: {} between the anchors of {name}; an excerpt has {} to {}",
            lab_core::units::count(count, "line"),
            LENGTH.start(),
            LENGTH.end()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::super::invented;
    use super::*;

    const CODE: &str = "// ANCHOR: whole\nfn main() {\n    a();\n}\n// ANCHOR_END: whole\n// ANCHOR: empty\n\n\
                        // ANCHOR_END: empty\n// ANCHOR_END: upside\nuse std;\n// ANCHOR: upside\n// ANCHOR: twice\n\
                        mod a;\n// ANCHOR_END: twice\n// ANCHOR: twice\n// ANCHOR: open\nmod b;\n";

    fn of(page: &str) -> Vec<String> {
        let (_directory, book) =
            invented(&[("page.md", page), ("code.rs", CODE), ("part.md", "Generated.\n"), ("none.md", "\n")]);
        faults(&book, &[], &[])
    }

    /// Protects a reader from an excerpt that is not there.
    #[test]
    fn each_kind_of_missing_excerpt_is_found() {
        let good = "{{#include code.rs:whole}}\n{{#include part.md}}\n";
        assert_eq!(of(good), [""; 0]);
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
            ("part.md", "gone.md", "gone.md: no such file"),
            ("part.md", "none.md", "none.md: it is empty"),
        ] {
            let broken = good.replace(from, to);
            assert_ne!(broken, good);
            assert_eq!(of(&broken), [format!("page.md: {expected}")], "{to}");
        }
    }

    /// Protects a reader from a page of code in which the idea must be looked for. Marks of other excerpts do
    /// not count.
    #[test]
    fn an_excerpt_that_is_too_long_or_too_short_is_found() {
        let of = |count: usize| {
            let lines = "x();\n".repeat(count);
            let code = format!("// ANCHOR: a\n// ANCHOR: b\n{lines}// ANCHOR_END: b\n// ANCHOR_END: a\n");
            let (_directory, book) = invented(&[("page.md", "{{#include code.rs:a}}\n"), ("code.rs", &code)]);
            faults(&book, &[], &[])
        };
        let fault = |lines: &str| {
            format!("page.md: code.rs: {lines} between the anchors of a; an excerpt has 3 to 25")
        };
        assert_eq!((of(3), of(25)), (vec![], vec![]));
        assert_eq!((of(2), of(26)), (vec![fault("2 lines")], vec![fault("26 lines")]));
    }

    /// Protects the code from marks that mean nothing any more.
    #[test]
    fn an_anchor_that_nobody_uses_is_found() {
        let code = "// ANCHOR: shown\nfn a() {\n    x();\n}\n// ANCHOR_END: shown\n// ANCHOR: hidden\nfn b() {}\n// ANCHOR_END: hidden\n";
        let (directory, book) = invented(&[
            ("src/page.md", "x"),
            ("page.md", "{{#include code/a.rs:shown}}"),
            ("code/a.rs", code),
        ]);
        let code = [directory.path().join("code")];
        let found = faults(&book, &code, &[]);
        assert_eq!(found, ["code/a.rs: no page shows the anchor hidden, and no exercise replaces it"]);
        let replaced = (code[0].join("a.rs"), "hidden".to_owned());
        assert_eq!(faults(&book, &code, &[replaced]), [""; 0]);
    }
}
