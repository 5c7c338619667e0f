//! As much of Markdown as the book uses: fences, code spans, headings and links.

use std::collections::BTreeSet;

/// A block of code.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fence {
    /// What stands behind its first mark: `sh`, `rust,ignore`.
    pub(crate) info: String,
    pub(crate) lines: Vec<String>,
}

/// A text in its two parts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Parts {
    /// The lines outside the fences; those of a fence are empty lines here, so that a paragraph ends there.
    pub(crate) prose: Vec<String>,
    pub(crate) fences: Vec<Fence>,
}

/// How many backticks a line begins with, if it may begin or end a fence.
fn mark(line: &str) -> usize {
    let count = line.trim_start().chars().take_while(|c| *c == '`').count();
    if count >= 3 { count } else { 0 }
}

/// Divides a text.
pub(crate) fn parts(text: &str) -> Parts {
    let mut parts = Parts::default();
    let mut open: Option<(usize, Fence)> = None;
    for line in text.lines() {
        open = match open.take() {
            Some((length, fence)) if mark(line) >= length && line.trim().chars().all(|c| c == '`') => {
                parts.fences.push(fence);
                parts.prose.push(String::new());
                None
            }
            Some((length, mut fence)) => {
                fence.lines.push(line.to_owned());
                Some((length, fence))
            }
            None if mark(line) > 0 => {
                let info = line.trim().trim_start_matches('`').trim().to_owned();
                Some((mark(line), Fence { info, lines: Vec::new() }))
            }
            None => {
                parts.prose.push(line.to_owned());
                None
            }
        };
    }
    parts.fences.extend(open.map(|(_, fence)| fence));
    parts
}

/// The paragraphs of the prose: lines that stand together, joined; a table's row, a heading and an item of a
/// list is one each.
pub(crate) fn paragraphs(text: &str) -> Vec<String> {
    let mut paragraphs: Vec<String> = vec![String::new()];
    for line in parts(text).prose {
        let line = line.trim();
        let begins = ["|", "#", "- ", "* ", "<!--"].iter().any(|mark| line.starts_with(mark))
            || line.split_once(". ").is_some_and(|(number, _)| number.parse::<u32>().is_ok());
        if line.is_empty() || begins {
            paragraphs.push(String::new());
        }
        let last = paragraphs.last_mut().expect("one at least");
        if !last.is_empty() {
            last.push(' ');
        }
        last.push_str(line.trim_start_matches("> ").trim_start_matches('>'));
        if line.starts_with('#') {
            paragraphs.push(String::new());
        }
    }
    paragraphs.retain(|paragraph| !paragraph.trim().is_empty());
    paragraphs
}

/// The code spans of the prose.
pub(crate) fn spans(text: &str) -> Vec<String> {
    let of =
        |paragraph: &String| paragraph.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
    paragraphs(text).iter().flat_map(of).collect()
}

/// A paragraph without its code.
pub(crate) fn without_code(paragraph: &str) -> String {
    paragraph.split('`').step_by(2).collect::<Vec<_>>().join("`")
}

/// Whether a word is an option of a command: `--files`, also behind a bracket.
pub(crate) fn is_bare_option(word: &str) -> bool {
    let name = word.trim_start_matches('(').strip_prefix("--");
    name.is_some_and(|name| name.starts_with(|c: char| c.is_ascii_lowercase()))
}

/// A text whose options stand in code marks: elsewhere mdBook makes a dash of `--`. Each line has its code
/// spans whole.
pub(crate) fn with_marked_options(text: &str) -> String {
    let word = |word: &str| {
        if !is_bare_option(word) {
            return word.to_owned();
        }
        let from = word.len() - word.trim_start_matches('(').len();
        let to = word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric()).len();
        format!("{}`{}`{}", &word[..from], &word[from..to], &word[to..])
    };
    let outside = |part: &str| part.split(' ').map(word).collect::<Vec<_>>().join(" ");
    let line = |line: &str| {
        let parts = line.split('`').enumerate();
        parts
            .map(|(at, part)| if at % 2 == 0 { outside(part) } else { part.to_owned() })
            .collect::<Vec<_>>()
            .join("`")
    };
    text.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

/// The text without its code: what looks like a link in there is none.
fn prose(text: &str) -> String {
    paragraphs(text).iter().map(|paragraph| without_code(paragraph) + "\n").collect()
}

/// The targets of the links and pictures, without those that leave the book for the net.
pub(crate) fn links(text: &str) -> BTreeSet<String> {
    let prose = prose(text);
    let targets = prose.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets.filter(|target| !target.contains("://")).map(str::to_owned).collect()
}

/// The titles of the headings.
pub(crate) fn titles(text: &str) -> Vec<String> {
    let lines = parts(text).prose.into_iter();
    let titles = lines.filter(|line| line.starts_with('#'));
    titles.map(|line| line.trim_start_matches('#').replace('`', "").trim().to_owned()).collect()
}

/// The headings, as links name them (GitHub and mdBook agree on these).
pub(crate) fn anchors(text: &str) -> BTreeSet<String> {
    titles(text).iter().map(|title| anchor(title)).collect()
}

/// A heading, with its marks or without, as a link names it.
pub(crate) fn anchor(heading: &str) -> String {
    let kept = |c: &char| c.is_alphanumeric() || "-_ ".contains(*c);
    let title = heading.trim_start_matches('#').trim();
    title.to_lowercase().chars().filter(kept).collect::<String>().replace(' ', "-")
}

/// A part of a page below a heading of the second level; the first one is what stands above them all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Section {
    pub(crate) title: String,
    pub(crate) body: String,
}

/// Divides a page at its headings of the second level.
pub(crate) fn sections(text: &str) -> Vec<Section> {
    let mut sections = vec![Section::default()];
    let mut fence = 0;
    for line in text.lines() {
        let length = mark(line);
        if fence == 0 {
            fence = length;
        } else if length >= fence && line.trim().chars().all(|c| c == '`') {
            fence = 0;
        }
        match line.strip_prefix("## ").filter(|_| fence == 0) {
            Some(title) => {
                sections.push(Section { title: title.trim().to_owned(), body: String::new() });
            }
            None => {
                let body = &mut sections.last_mut().expect("one at least").body;
                body.push_str(line);
                body.push('\n');
            }
        }
    }
    sections
}

/// What stands between empty lines; a fence is one block, and so is all of a `<details>`.
pub(crate) fn blocks(body: &str) -> Vec<String> {
    let mut blocks = vec![String::new()];
    let (mut fence, mut folds) = (0, 0);
    for line in body.lines() {
        let length = mark(line);
        let was_open = fence > 0 || folds > 0;
        if fence == 0 {
            fence = length;
            folds += line.matches("<details>").count();
            folds = folds.saturating_sub(line.matches("</details>").count());
        } else if length >= fence && line.trim().chars().all(|c| c == '`') {
            fence = 0;
        }
        if line.trim().is_empty() && !was_open {
            blocks.push(String::new());
        } else {
            let last = blocks.last_mut().expect("one at least");
            last.push_str(line);
            last.push('\n');
        }
    }
    blocks.retain(|block| !block.trim().is_empty());
    blocks
}

/// A text in which nothing is markup.
pub(crate) fn plain(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Protects the slides: a heading in code is none, and an empty line in a fence or a fold ends no block.
    #[test]
    fn a_page_is_divided_where_a_reader_would() {
        let text = "# T\n\nfirst\n\n## A\n\none\ntwo\n\n```sh\n## no\n\nx\n```\n\n<details><summary>q</summary>\n\na\n</details>\n\n## B\n";
        let sections = sections(text);
        assert_eq!(sections.iter().map(|section| section.title.as_str()).collect::<Vec<_>>(), ["", "A", "B"]);
        assert_eq!(
            blocks(&sections[1].body),
            ["one\ntwo\n", "```sh\n## no\n\nx\n```\n", "<details><summary>q</summary>\n\na\n</details>\n"]
        );
    }

    #[test]
    fn code_is_told_from_prose() {
        let text = "# A `b` title\n\nOne `x\ny` two\nthree.\n\n````md\n```\n[no](link)\n```\n````\n1. [yes](there.md)\n";
        let parts = parts(text);
        assert_eq!(parts.fences.len(), 1);
        assert_eq!((parts.fences[0].info.as_str(), parts.fences[0].lines.len()), ("md", 3));
        assert_eq!(paragraphs(text), ["# A `b` title", "One `x y` two three.", "1. [yes](there.md)"]);
        assert_eq!(spans(text), ["b", "x y"]);
        assert_eq!(links(text).into_iter().collect::<Vec<_>>(), ["there.md"]);
        assert!(anchors(text).contains("a-b-title"), "{:?}", anchors(text));
    }
}
