//! No measured figure is typed: a number with a unit of measurement in the prose of a chapter comes from an
//! include, links the code or the manual page that fixes it, or is on a short list with the reason.

use super::Book;
use crate::markdown::{paragraphs, without_code};
use anyhow::{Context, Result};
use serde::Deserialize;
use std::path::Path;

/// The units, the longest of those first that begin alike.
const UNITS: [&str; 34] = [
    "requests per second",
    "requests a second",
    "requests/s",
    "replies per second",
    "connections per second",
    "connections/s",
    "context switches",
    "microseconds",
    "milliseconds",
    "nanoseconds",
    "seconds",
    "second",
    "per cent",
    "percent",
    "kilobytes",
    "megabytes",
    "bytes",
    "times",
    "ns",
    "µs",
    "us",
    "ms",
    "s",
    "%",
    "‰",
    "KiB",
    "MiB",
    "GiB",
    "kB",
    "KB",
    "MB",
    "GB",
    "B",
    "×",
];

/// A figure that may be typed.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub(crate) struct Allowed {
    /// The page that has it.
    page: String,
    /// As it is typed: `16 KiB`.
    text: String,
    /// Why it is no measurement.
    why: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    #[serde(default)]
    figure: Vec<Allowed>,
}

/// Reads the list.
pub(crate) fn allowed(file: &Path) -> Result<Vec<Allowed>> {
    let name = || format!("{} cannot be read", file.display());
    let text = std::fs::read_to_string(file).with_context(name)?;
    Ok(toml::from_str::<List>(&text).with_context(name)?.figure)
}

pub(crate) fn faults(book: &Book, allowed: &[Allowed]) -> Vec<String> {
    let mut faults = Vec::new();
    let mut used = vec![false; allowed.len()];
    for page in book.pages.iter().filter(|page| page.is_chapter()) {
        for paragraph in paragraphs(&page.text) {
            for sentence in sentences(&without_code(&paragraph)) {
                for figure in figures(&sentence) {
                    let here = |entry: &Allowed| entry.page == page.name && entry.text == figure;
                    match allowed.iter().position(here) {
                        Some(at) => used[at] = true,
                        None if links_its_source(&sentence) => {}
                        None => faults.push(format!(
                            "{}: `{figure}` is typed: include it, link what fixes it, or list it with the reason \
                             (in: {})",
                            page.name,
                            beginning(&sentence)
                        )),
                    }
                }
            }
        }
    }
    for (entry, _) in allowed.iter().zip(used).filter(|(_, used)| !used) {
        faults
            .push(format!("{}: `{}` is on the list of typed figures, and not typed", entry.page, entry.text));
    }
    let silent = allowed.iter().filter(|entry| entry.why.trim().is_empty());
    faults.extend(silent.map(|entry| format!("{}: `{}` is listed without a reason", entry.page, entry.text)));
    faults
}

fn beginning(sentence: &str) -> String {
    const SHOWN: usize = 60;
    let short: String = sentence.trim().chars().take(SHOWN).collect();
    if sentence.trim().chars().count() > SHOWN { short + "…" } else { short }
}

/// A constant of the code or of the kernel, with its place.
fn links_its_source(sentence: &str) -> bool {
    let mut targets = sentence.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets.any(|target| {
        target.split('#').next().is_some_and(|file| file.ends_with(".rs")) || target.contains("man7.org")
    })
}

fn sentences(paragraph: &str) -> Vec<String> {
    let mut sentences = vec![String::new()];
    let mut letters = paragraph.chars().peekable();
    while let Some(letter) = letters.next() {
        let last = sentences.last_mut().expect("one at least");
        last.push(letter);
        if ".?!".contains(letter) && letters.peek().is_some_and(|next| next.is_whitespace()) {
            sentences.push(String::new());
        }
    }
    sentences
}

/// The numbers with a unit in a sentence: `5 ms`, `12.5 %`, `×3`, `2 times`.
pub(crate) fn figures(sentence: &str) -> Vec<String> {
    let letters: Vec<char> = sentence.chars().collect();
    let mut figures = Vec::new();
    let mut at = 0;
    while at < letters.len() {
        let before = at.checked_sub(1).map(|before| letters[before]);
        let begins = letters[at].is_ascii_digit()
            && !before.is_some_and(|before| before.is_alphanumeric() || "._/#".contains(before));
        if !begins {
            at += 1;
            continue;
        }
        let mut end = at;
        while end < letters.len()
            && (letters[end].is_ascii_digit()
                || ".,".contains(letters[end]) && letters.get(end + 1).is_some_and(char::is_ascii_digit))
        {
            end += 1;
        }
        let number: String = letters[at..end].iter().collect();
        if before == Some('×') {
            figures.push(format!("×{number}"));
        } else {
            let gap = usize::from(letters.get(end).is_some_and(|c| c.is_whitespace() || *c == '-'));
            let rest: String = letters[end + gap.min(letters.len() - end)..].iter().collect();
            let is_whole = |unit: &str| {
                let next = rest[unit.len()..].chars().next();
                !next.is_some_and(char::is_alphanumeric)
            };
            let unit = UNITS.iter().find(|unit| rest.starts_with(**unit) && is_whole(unit));
            // `level × once` is no factor, and neither is `4 × 2`.
            let is_product = |unit: &&str| {
                *unit == "×" && rest[unit.len()..].trim_start().starts_with(|c: char| c.is_ascii_digit())
            };
            if let Some(unit) = unit.filter(|unit| !is_product(unit)) {
                let blank = if gap == 1 { " " } else { "" };
                figures.push(format!("{number}{blank}{unit}"));
            }
        }
        at = end;
    }
    figures
}

#[cfg(test)]
mod tests {
    use super::super::invented;
    use super::*;

    #[test]
    fn a_number_with_a_unit_is_a_figure_and_others_are_none() {
        let text = "It takes 5.3 µs, 40ms or 12,345 requests/s: 18 % more, ×3.1, 2 times, 16 KiB, 2.5×, a 10-second wait.";
        assert_eq!(
            figures(text),
            ["5.3 µs", "40ms", "12,345 requests/s", "18 %", "×3.1", "2 times", "16 KiB", "2.5×", "10 second"]
        );
        let none = "Stage 04, 64 clients, RFC 9112 §9.3.2, level × once, 4 × 2 servers, 5 minutes, x86s, v1.2s, 3 steps.";
        assert_eq!(figures(none), [""; 0]);
    }

    fn of(chapter: &str, list: &[Allowed]) -> Vec<String> {
        let (_directory, book) = invented(&[("05-five.md", chapter), ("other.md", "It takes 7 ms.")]);
        faults(&book, list)
    }

    fn listed(text: &str, why: &str) -> Allowed {
        Allowed { page: "05-five.md".into(), text: text.into(), why: why.into() }
    }

    /// Protects a reader from a figure that the next measurement contradicts.
    #[test]
    fn a_typed_figure_is_found() {
        let found = of("A request takes 5.3 µs here.\n", &[]);
        assert!(found[0].starts_with("05-five.md: `5.3 µs` is typed: include it"), "{found:?}");
        for good in [
            "{{#include generated/cost-05.md}}\n",
            "```text\n5.3 µs\n```\n",
            "The path `/sleep/40 ms` is code.\n",
            "It reads 16 KiB ([`READ_BUFFER`](../../stages/05/src/options.rs)).\n",
        ] {
            assert_eq!(of(good, &[]), [""; 0], "{good}");
        }
        let far = "It reads a lot ([`READ_BUFFER`](../../stages/05/src/options.rs)). It takes 5 µs.\n";
        assert_eq!(of(far, &[]).len(), 1, "the link is in another sentence");
    }

    /// Protects the list from growing old.
    #[test]
    fn the_list_allows_what_has_a_reason_and_is_there() {
        let text = "The idle timeout is 60 s.\n";
        assert_eq!(of(text, &[listed("60 s", "the default of --idle-timeout")]), [""; 0]);
        assert_eq!(of(text, &[listed("60 s", " ")]), ["05-five.md: `60 s` is listed without a reason"]);
        let old = [listed("60 s", "a default"), listed("61 s", "a default")];
        assert_eq!(of(text, &old), ["05-five.md: `61 s` is on the list of typed figures, and not typed"]);
    }
}
