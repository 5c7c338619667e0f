//! The glossary: each term is there once and explained where its last column says, and each concept that a
//! box names is a term.

use super::{Book, Page};
use crate::markdown::{links, parts};
use std::collections::BTreeSet;

const GLOSSARY: &str = "glossary.md";
/// A box that shows what a box is.
const NO_TERM: &str = "concept box";

/// A row of the table.
struct Term {
    name: String,
    /// The pages that explain it.
    pages: Vec<String>,
}

pub(crate) fn faults(book: &Book) -> Vec<String> {
    let Some(glossary) = book.page(GLOSSARY) else { return vec![format!("{GLOSSARY}: no such page")] };
    let terms = terms(glossary);
    let mut faults = Vec::new();
    let mut names = BTreeSet::new();
    for term in &terms {
        if !names.insert(normal(&term.name)) {
            faults.push(format!("{GLOSSARY}: `{}` is there twice", term.name));
        }
        if term.pages.is_empty() {
            faults.push(format!("{GLOSSARY}: no page explains `{}`", term.name));
        }
        for name in &term.pages {
            let explains = book.page(name).is_some_and(|page| has(&page.whole, &term.name));
            if !explains {
                faults.push(format!("{GLOSSARY}: {name} does not have the term `{}`", term.name));
            }
        }
    }
    for page in &book.pages {
        for concept in boxed(page) {
            for part in concept.split(" and ").flat_map(|part| part.split(", ")) {
                if !is_term(part, &terms) && part != NO_TERM {
                    faults.push(format!(
                        "{}: the box `{concept}` names `{part}`, which the glossary lacks",
                        page.name
                    ));
                }
            }
        }
    }
    faults
}

fn terms(page: &Page) -> Vec<Term> {
    let lines = parts(&page.text).prose;
    let rows = lines.iter().filter(|line| line.starts_with('|')).skip(2);
    let term = |row: &String| {
        let cells: Vec<&str> = row.trim().trim_matches('|').split('|').map(str::trim).collect();
        let name = (*cells.first()?).to_owned();
        let pages = links(cells.last()?).into_iter();
        let pages = pages.map(|target| target.split('#').next().unwrap_or_default().to_owned()).collect();
        Some(Term { name, pages })
    };
    rows.filter_map(term).collect()
}

/// The concepts that the boxes of a page name: `> **Concept: process and fork.** …`.
fn boxed(page: &Page) -> Vec<String> {
    let text = parts(&page.text).prose.join(" ");
    let names = text.split("**Concept: ").skip(1).filter_map(|rest| rest.split(".**").next());
    names.map(str::to_owned).collect()
}

/// A term as it is compared: in small letters, with blanks for hyphens, and without what stands in brackets.
fn normal(term: &str) -> String {
    let outside = term.split('(').next().unwrap_or_default();
    outside.to_lowercase().replace(['-', '_', '`', '*'], " ").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The words of a term without their endings, in their order: `threads` and `thread` are one.
fn stems(term: &str) -> Vec<String> {
    let stem = |word: &str| {
        let word = word.trim_end_matches("'s").trim_end_matches('s');
        // `starved` and `starvation` have five letters in common.
        word.chars().take(5).collect::<String>()
    };
    let normal = normal(term);
    let words = normal.split(|c: char| !(c.is_alphanumeric() || c == '\''));
    words.filter(|word| !["", "the", "a", "of"].contains(word)).map(stem).collect()
}

/// Whether a text has the term, in whatever form: its first word at least.
fn has(text: &str, term: &str) -> bool {
    let text = text.to_lowercase();
    let mut words = text.split(|c: char| !(c.is_alphanumeric() || c == '\''));
    let Some(first) = stems(term).into_iter().next() else { return false };
    words.any(|word| word.starts_with(&first))
}

/// Whether a term of the glossary says what a box names, or a part of it: `worker` is `worker thread`, and a
/// `blocking call` is explained where `blocking` is.
fn is_term(part: &str, terms: &[Term]) -> bool {
    let part: BTreeSet<String> = stems(part).into_iter().collect();
    let mut terms = terms.iter().map(|term| stems(&term.name).into_iter().collect::<BTreeSet<String>>());
    terms.any(|term| term.is_subset(&part) || part.is_subset(&term))
}

#[cfg(test)]
mod tests {
    use super::super::invented;
    use super::*;

    fn of(glossary: &str, page: &str) -> Vec<String> {
        let (_directory, book) = invented(&[("glossary.md", glossary), ("page.md", page)]);
        faults(&book)
    }

    /// Protects a reader who looks a term up, in either direction.
    #[test]
    fn each_fault_of_the_glossary_is_found() {
        let good = "| term | zh | meaning | explained in |\n|---|---|---|---|\n\
                    | thread pool | x | y | [p](page.md) |\n| edge-triggered (ET) | x | y | [p](page.md#z) |\n";
        let page =
            "> **Concept: thread pool and edge-triggered.** Threads-pools; an *edge-triggered* event.\n";
        assert_eq!(of(good, page), [""; 0]);
        let boxed = page.replace("thread pool and", "thread pool and starvation,");
        assert!(
            of(good, &boxed)[0].contains("names `starvation`, which the glossary lacks"),
            "{:?}",
            of(good, &boxed)
        );
        let twice = format!("{good}| Thread-pool | x | y | [p](page.md) |\n");
        assert_eq!(of(&twice, page), ["glossary.md: `Thread-pool` is there twice"]);
        let nowhere = format!("{good}| zombie | x | y | [p](page.md) |\n");
        assert_eq!(of(&nowhere, page), ["glossary.md: page.md does not have the term `zombie`"]);
        let alone = format!("{good}| zombie | x | y | – |\n");
        assert_eq!(of(&alone, page), ["glossary.md: no page explains `zombie`"]);
    }
}
