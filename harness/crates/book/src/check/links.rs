//! Links: each relative one leads to a file, and to a heading of it; each page is in the table of contents.

use super::{Book, Page};
use crate::markdown::{anchors, links};
use crate::parts::OF_CHAPTER;
use std::fs::read_to_string;

const CONTENTS: &str = "SUMMARY.md";

pub(crate) fn faults(book: &Book) -> Vec<String> {
    let contents = book.page(CONTENTS).map_or("", |page| page.text.as_str());
    let listed = links(contents);
    let mut faults = Vec::new();
    for page in &book.pages {
        let mut fault = |what: String| faults.push(format!("{}: {what}", page.name));
        if page.name != CONTENTS && !listed.contains(&page.name) {
            fault("not in SUMMARY.md".to_owned());
        }
        links(&page.whole).iter().filter_map(|target| bad_link(book, page, target)).for_each(&mut fault);
        // What mdBook does not know it leaves as it is.
        let helpers = page.whole.split("{{#").skip(1).filter(|rest| !rest.starts_with("include "));
        helpers
            .map(|rest| {
                format!("mdBook knows no `{{{{#{}`", rest.split_whitespace().next().unwrap_or_default())
            })
            .for_each(&mut fault);
        let marks = page.text.split("<!-- generated: ").skip(1).filter_map(|rest| rest.split(" -->").next());
        let ours = marks.filter(|mark| OF_CHAPTER.contains(mark));
        ours.map(|mark| format!("the generated part `{mark}` is not included")).for_each(&mut fault);
    }
    faults
}

fn bad_link(book: &Book, page: &Page, target: &str) -> Option<String> {
    let (file, heading) = target.split_once('#').unwrap_or((target, ""));
    let there = match file {
        "" => page.whole.clone(),
        file => match book.page(file) {
            Some(other) => other.whole.clone(),
            None if !book.src.join(file).exists() => return Some(format!("{file}: no such file")),
            // A directory or a picture has no heading.
            None => read_to_string(book.src.join(file)).unwrap_or_default(),
        },
    };
    let is_known = heading.is_empty() || anchors(&there).contains(heading);
    (!is_known).then(|| format!("{target}: no such heading"))
}

#[cfg(test)]
mod tests {
    use super::super::invented;
    use super::*;

    /// Protects a reader from a link that leads nowhere, a generated part that is missing, and a helper that
    /// mdBook would print as it is.
    #[test]
    fn each_kind_of_broken_link_is_found() {
        let of = |page: &str| {
            let contents = "[Page](page.md)\n[Other](other.md)\n";
            let (_directory, book) = invented(&[
                ("SUMMARY.md", contents),
                ("page.md", page),
                ("other.md", "# Title\n"),
                ("part/made.md", "[in a part](other.md#title)\n"),
            ]);
            faults(&book)
        };
        let good = "# Title\n\n## A part: one\n\n[there](other.md#title), [here](#a-part-one)\n\n{{#include part/made.md}}\n";
        assert_eq!(of(good), [""; 0]);
        for (from, to, expected) in [
            ("other.md#title", "gone.md", "gone.md: no such file"),
            ("other.md#title", "other.md#gone", "other.md#gone: no such heading"),
            ("#a-part-one", "#gone", "#gone: no such heading"),
            ("{{#include part/made.md}}", "{{#anchor x}}", "mdBook knows no `{{#anchor`"),
            (
                "{{#include part/made.md}}",
                "<!-- generated: cost -->",
                "the generated part `cost` is not included",
            ),
        ] {
            let broken = good.replace(from, to);
            assert_ne!(broken, good);
            assert_eq!(of(&broken), [format!("page.md: {expected}")], "{to}");
        }
    }

    /// The same for what a generated part links, and for the table of contents.
    #[test]
    fn a_page_without_an_entry_and_an_entry_without_a_page_are_found() {
        let (_directory, book) = invented(&[
            ("SUMMARY.md", "- [Gone](gone.md)\n"),
            ("page.md", "{{#include part/made.md}}\n"),
            ("part/made.md", "[x](nowhere.md)\n"),
        ]);
        let found = faults(&book);
        assert_eq!(
            found,
            [
                "SUMMARY.md: gone.md: no such file",
                "page.md: not in SUMMARY.md",
                "page.md: nowhere.md: no such file"
            ]
        );
    }
}
