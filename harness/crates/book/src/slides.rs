//! Slides: a deck for each chapter, made of the chapter itself. Nothing is typed for them: the question, the
//! predictions, the excerpts, the pictures and the costs stand in the chapter, and a slide is a part of it.

use crate::check::{Book, Page, included};
use crate::course::{contents, exercises, minutes};
use crate::html::{PAGE_CSS, escaped, excerpt, page, render, with_excerpts};
use crate::markdown::{Section, blocks, sections};
use anyhow::{Context, Result};
use lab_core::stages::Stage;
use std::fmt::Write;
use std::fs::{create_dir_all, read_to_string, write};
use std::path::Path;

const CSS: &str = include_str!("pages/slides.css");
const SCRIPT: &str = include_str!("pages/slides.js");
/// Where the book lies, as a deck sees it.
const BOOK: &str = "../book/";

/// The sections that have slides of their own kind, in the order of a lecture; of the others a deck shows the
/// concepts and the excerpts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// All of it is one slide.
    Whole,
    /// A slide for each picture.
    Pictures,
    /// The words, without transcripts.
    Words,
    /// A slide for each block of commands, with the words before it.
    Commands,
    /// The sentence and the picture; then the table.
    Costs,
    /// A line for each exercise.
    Exercises,
    /// Concepts and excerpts.
    Excerpts,
    /// Nothing: it is for a reader.
    None,
}

fn kind(title: &str) -> Kind {
    match title.split(':').next().unwrap_or_default() {
        "Predict before you read" | "The flaw inherited" | "Break it" | "Check yourself" => Kind::Whole,
        "Who waits for whom" => Kind::Pictures,
        "The flaw" => Kind::Words,
        "See it" => Kind::Commands,
        "What it costs" => Kind::Costs,
        "Exercises" | "Exercise" => Kind::Exercises,
        "Invariants" | "What the kernel sees" | "Where it comes from" => Kind::None,
        _ => Kind::Excerpts,
    }
}

/// Writes the decks, and a page that lists them, into a folder beside the book's.
///
/// # Errors
///
/// A chapter names what is not there, or a file cannot be written.
pub(crate) fn write_all(book: &Book, stages: &[Stage], folder: &Path) -> Result<()> {
    create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    let mut list = String::from("<h1>Slides</h1>\n<ul>\n");
    for stage in stages.iter().filter(|stage| !stage.is_twin) {
        let file = stage.chapter.replace(".md", ".html");
        let deck = deck(book, stage).with_context(|| format!("the slides of stage {}", stage.name))?;
        write(folder.join(&file), deck).with_context(|| format!("{file} cannot be written"))?;
        let title = format!("{} {}", stage.name, stage.title);
        let _ =
            writeln!(list, "<li><a href=\"{file}\">{}</a>: {}</li>", escaped(&title), escaped(&stage.idea));
    }
    list.push_str(
        "</ul>\n<p>Arrow keys, space, the buttons or a click on the right or left edge turn the slides; \
         Home and End lead to the first and the last one. Printed, each slide is a page. A folded answer is \
         printed as it is: key A opens all of a deck, and closes them again.</p>\n",
    );
    write(folder.join("index.html"), page("Slides: c10k-lab", PAGE_CSS, &list))?;
    Ok(())
}

/// A slide: a title and what stands below it, as HTML.
struct Slide {
    title: String,
    body: String,
    class: &'static str,
}

/// One deck as a page that needs no other file.
fn deck(book: &Book, stage: &Stage) -> Result<String> {
    let chapter = book.page(&stage.chapter).context("there is no such chapter")?;
    let entries = contents(book);
    let at =
        entries.iter().position(|entry| entry.page == chapter.name).context("it is not in SUMMARY.md")?;
    let below = entries[at + 1..].iter().take_while(|entry| entry.depth > 0);
    let below: Vec<&Page> = below.filter_map(|entry| book.page(&entry.page)).collect();
    let name = format!("{} {}", stage.name, stage.title);
    let question = question(chapter).context("it has no **The question.**")?;
    let minutes = minutes(chapter).unwrap_or_default()
        + below.iter().filter_map(|page| crate::course::minutes(page)).sum::<u32>();
    let mut slides = vec![Slide {
        title: name.clone(),
        body: format!(
            "<p class=\"idea\">{}</p>\n{}<p class=\"small\"><a href=\"{BOOK}{}\">The chapter</a>: {minutes} minutes \
             of reading. <code>./lab stage {}</code></p>\n",
            escaped(&stage.idea),
            html(book, &question),
            chapter.name.replace(".md", ".html"),
            stage.number
        ),
        class: "title",
    }];
    // The pages below a chapter belong behind its ideas, before its flaw.
    let (mut ideas, mut rest) = (Vec::new(), Vec::new());
    let mut is_behind = false;
    for section in sections(&expanded(book, chapter)).iter().skip(1) {
        is_behind |= matches!(kind(&section.title), Kind::Pictures | Kind::Words);
        if is_behind { &mut rest } else { &mut ideas }.extend(of_section(book, chapter, section)?);
    }
    slides.append(&mut ideas);
    for page in below {
        let all = sections(&expanded(book, page));
        let entry = entries.iter().find(|entry| entry.page == page.name);
        let title = entry.map(|entry| entry.title.clone()).unwrap_or_default();
        if let Some(question) = self::question(page) {
            slides.push(Slide { title: title.clone(), body: html(book, &question), class: "title" });
        }
        for section in &all {
            match kind(&section.title) {
                Kind::Excerpts => slides.extend(of_section(book, page, section)?),
                Kind::Whole | Kind::Exercises => {
                    let mut more = of_section(book, page, section)?;
                    more.iter_mut().for_each(|slide| slide.title = format!("{}: {title}", slide.title));
                    rest.append(&mut more);
                }
                _ => {}
            }
        }
    }
    slides.append(&mut rest);
    Ok(document(&name, &slides))
}

/// A page with its generated parts but for those that have slides of their own kind: the diff, the system
/// calls and the costs.
fn expanded(book: &Book, page: &Page) -> String {
    let line = |line: &str| {
        let part = line.strip_prefix("{{#include generated/").filter(|part| part.ends_with(".md}}"));
        let is_own = |part: &&str| ["diff-", "calls-", "cost-"].iter().any(|own| part.starts_with(own));
        let part = part.filter(|part| !is_own(part)).and_then(|_| included(line).next());
        part.and_then(|what| excerpt(&book.src, what).ok()).unwrap_or_else(|| format!("{line}\n"))
    };
    page.text.lines().map(line).collect()
}

/// `**The question.** …`, to the end of its paragraph.
fn question(page: &Page) -> Option<String> {
    let all = sections(&page.text);
    blocks(&all.first()?.body).into_iter().find(|block| block.starts_with("**The question.**"))
}

fn of_section(book: &Book, page: &Page, section: &Section) -> Result<Vec<Slide>> {
    let all = blocks(&section.body);
    let slide = |body: String, class| Slide { title: section.title.replace('`', ""), body, class };
    let is_fence = |block: &str| block.starts_with("```");
    let is_part = |block: &str| block.starts_with("{{#include generated/");
    Ok(match kind(&section.title) {
        Kind::None => Vec::new(),
        Kind::Whole => {
            let words: Vec<&str> = all.iter().map(String::as_str).filter(|block| !is_part(block)).collect();
            // Of the step to this stage its size: the diff itself fills many slides.
            let size = all.iter().find(|block| block.starts_with("{{#include generated/diff-"));
            let size = size.and_then(|block| included(block).next()).map(|what| excerpt(&book.src, what));
            let size = size.transpose()?.and_then(|diff| diff.lines().next().map(str::to_owned));
            let text = [words.join("\n"), size.unwrap_or_default()].join("\n");
            vec![slide(html(book, &with_excerpts(&book.src, &text)?), "text")]
        }
        Kind::Words => {
            let words: Vec<&str> =
                all.iter().map(String::as_str).filter(|block| !is_fence(block) && !is_part(block)).collect();
            vec![slide(html(book, &words.join("\n")), "text")]
        }
        Kind::Pictures => {
            let mut slides = Vec::new();
            let mut before = "";
            for block in &all {
                match block.strip_prefix("![").and_then(|rest| rest.split_once("](")) {
                    Some((words, file)) => {
                        let file = file.trim().trim_end_matches(')');
                        let picture = picture(&book.src, file, words)?;
                        slides.push(slide(format!("{}{picture}", html(book, before)), "picture"));
                        before = "";
                    }
                    None => before = block,
                }
            }
            slides
        }
        Kind::Commands => {
            // What stands below a fence without words between them belongs to it: the output.
            let mut texts: Vec<String> = Vec::new();
            for (at, fence) in all.iter().enumerate().filter(|(_, block)| is_fence(block)) {
                match (at.checked_sub(1).map(|at| all[at].as_str()), texts.last_mut()) {
                    (Some(before), Some(last)) if is_fence(before) => last.push_str(&format!("\n{fence}")),
                    (before, _) => texts.push([before.unwrap_or_default(), fence].join("\n")),
                }
            }
            texts.iter().map(|text| slide(html(book, text), "code")).collect()
        }
        Kind::Costs => {
            let part = all.iter().find(|block| block.starts_with("{{#include generated/cost-"));
            let Some(what) = part.and_then(|block| included(block).next()) else { return Ok(Vec::new()) };
            let cost = blocks(&excerpt(&book.src, what)?);
            let is_table = |block: &&String| block.starts_with('|');
            let is_picture = |block: &&String| block.starts_with("![");
            let sentence = cost.iter().find(|block| !is_table(block) && !is_picture(block));
            let image = cost.iter().find(is_picture).and_then(|block| {
                let (words, file) = block.strip_prefix("![")?.split_once("](")?;
                Some(picture(&book.src, file.trim().trim_end_matches(')'), words))
            });
            let mut slides = Vec::new();
            let words = sentence.map(|sentence| html(book, sentence)).unwrap_or_default();
            slides.push(slide(format!("{words}{}", image.transpose()?.unwrap_or_default()), "picture"));
            slides.extend(cost.iter().find(is_table).map(|table| slide(html(book, table), "figures")));
            slides
        }
        Kind::Exercises => {
            let mut list = String::from("<ul>\n");
            let all = exercises(page);
            for exercise in &all {
                let link = exercise.link.replacen(".md", ".html", 1);
                let _ = writeln!(
                    list,
                    "<li><a href=\"{BOOK}{link}\">{}</a> ({}, {} minutes, {})</li>",
                    escaped(&exercise.title),
                    escaped(&exercise.kind),
                    exercise.minutes,
                    escaped(&exercise.difficulty)
                );
            }
            list.push_str("</ul>\n");
            if all.is_empty() { Vec::new() } else { vec![slide(list, "text")] }
        }
        Kind::Excerpts => {
            let mut slides = Vec::new();
            let mut before = "";
            for block in &all {
                if let Some(concept) = block.strip_prefix("> **Concept: ") {
                    let (name, words) = concept.split_once(".**").unwrap_or(("", concept));
                    let words: String =
                        words.lines().map(|line| line.trim_start_matches("> ").to_owned() + "\n").collect();
                    let title = format!("Concept: {name}");
                    slides.push(Slide { title, body: html(book, &words), class: "concept" });
                } else if is_fence(block) && included(block).next().is_some() {
                    let mut words = if is_fence(before) || before.starts_with('>') { "" } else { before };
                    // One slide for each excerpt, though they stand in one fence.
                    for what in included(block) {
                        let code = format!("```rust,ignore\n{}```\n", excerpt(&book.src, what)?);
                        slides.push(slide(html(book, &[words, &code].join("\n")), "code"));
                        words = "";
                    }
                }
                before = block;
            }
            // An excerpt above the first heading stands below the question, which has a slide already.
            if section.title.is_empty() {
                slides.iter_mut().filter(|slide| slide.title.is_empty()).for_each(|slide| {
                    page.text
                        .lines()
                        .next()
                        .unwrap_or_default()
                        .trim_start_matches("# ")
                        .clone_into(&mut slide.title);
                });
            }
            slides
        }
    })
}

/// Markdown of a chapter, with its links as a deck sees them.
fn html(book: &Book, text: &str) -> String {
    render(text, &|link| {
        if link.contains("://") {
            return Some(link.to_owned());
        }
        let (file, heading) =
            link.split_once('#').map_or((link, None), |(file, heading)| (file, Some(heading)));
        let file = match file.strip_prefix("../../") {
            // Beside the book, as it lies in the built folder.
            Some(results) => format!("../{}", results.replace(".md", ".html")),
            // A heading of the chapter itself is not on the slides.
            None if file.is_empty() => return None,
            None if book.src.join(file).is_file() => format!("{BOOK}{}", file.replace(".md", ".html")),
            None => return None,
        };
        Some(heading.map_or(file.clone(), |heading| format!("{file}#{heading}")))
    })
}

/// A picture within the page. As an image of its own, since the styles of one would change another.
fn picture(src: &Path, file: &str, words: &str) -> Result<String> {
    let svg = read_to_string(src.join(file)).with_context(|| format!("{file} cannot be read"))?;
    let mut data = String::with_capacity(svg.len() * 5 / 4);
    for letter in svg.chars() {
        match letter {
            '%' => data.push_str("%25"),
            '#' => data.push_str("%23"),
            '"' => data.push_str("%22"),
            '<' => data.push_str("%3C"),
            '>' => data.push_str("%3E"),
            '&' => data.push_str("%26"),
            '\n' => data.push_str("%0A"),
            other => data.push(other),
        }
    }
    // A chart is black on white; a timeline knows itself what dark is.
    let class = if svg.contains("prefers-color-scheme") { "" } else { " class=\"paper\"" };
    let words = escaped(words);
    Ok(format!("<img{class} alt=\"{words}\" src=\"data:image/svg+xml;charset=utf-8,{data}\">\n"))
}

fn document(name: &str, slides: &[Slide]) -> String {
    let mut body = String::from("<main>\n");
    for slide in slides {
        let _ = write!(
            body,
            "<section class=\"{}\">\n<h1>{}</h1>\n<div class=\"rest\">\n{}</div>\n</section>\n",
            slide.class,
            escaped(&slide.title),
            slide.body
        );
    }
    let _ = write!(
        body,
        "</main>\n<nav><a href=\"index.html\">all decks</a> <span>{}</span> <button id=\"before\" \
         aria-label=\"the slide before\">←</button> <output id=\"place\"></output> <button id=\"next\" \
         aria-label=\"the next slide\">→</button></nav>\n<script>\n{SCRIPT}</script>\n",
        escaped(name)
    );
    page(&format!("{name}: slides"), &[PAGE_CSS, CSS].concat(), &body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::invented;

    const CHAPTER: &str = "# 02 Two\n\nMinutes: 15\n\n**The question.** How many?\n\n## Predict before you read\n\n1. One?\n2. Two?\n\n## The flaw inherited\n\nIt waits.\n\n{{#include generated/diff-02.md}}\n\n## The idea\n\n> **Concept: fork.** A copy\n> of [a process](life.md#x).\n\nThe loop:\n\n```rust,ignore\n{{#include code.rs:loop}}\n```\n\n## Who waits for whom\n\nA run:\n\n![Who waits](timelines/02.svg)\n\n## The flaw\n\nProcesses are dear.\n\n## See it\n\nType:\n\n```sh\nps\n```\n\n## What it costs\n\n{{#include generated/cost-02.md}}\n\nMore words.\n\n## Exercises\n\n### 1. Count\n\n*Code · 5 minutes · easy.* Count.\n\n## Check yourself\n\n<details><summary>Why?</summary>\n\nSo.\n</details>\n";

    /// Protects the lecture from a second copy of the chapter: what a slide says stands in the chapter, in
    /// the code, or in a generated part.
    #[test]
    fn a_deck_is_made_of_its_chapter() {
        let (_directory, book) = invented(&[
            ("SUMMARY.md", "# The staircase\n\n- [02 Two](02-two.md)\n  - [Part](02-part.md)\n"),
            ("02-two.md", CHAPTER),
            (
                "02-part.md",
                "# Part\n\nMinutes: 5\n\n**The question.** Which part?\n\n## More\n\n```rust,ignore\n{{#include code.rs:more}}\n```\n",
            ),
            ("life.md", "## x\n"),
            (
                "code.rs",
                "// ANCHOR: loop\nfork();\n// ANCHOR_END: loop\n// ANCHOR: more\nwait();\n// ANCHOR_END: more\n",
            ),
            ("generated/diff-02.md", "From 01 to 02: 1 file\n\nlong\n"),
            (
                "generated/cost-02.md",
                "| a | b |\n|---|---|\n| cost | 7 |\n\nDearer.\n\n![chart](generated/cost-02.svg)\n",
            ),
            ("generated/cost-02.svg", "<svg id=\"cost\"/>"),
            ("timelines/02.svg", "<svg id=\"#time\"/>"),
        ]);
        let stage = Stage {
            number: 2,
            name: "02".into(),
            title: "Two".into(),
            idea: "Fork & serve.".into(),
            chapter: "02-two.md".into(),
            ..Stage::default()
        };
        let deck = deck(&book, &stage).expect("a deck");
        let mut at = 0;
        for expected in [
            "Fork &amp; serve.",
            "How many?",
            "20 minutes of reading",
            "<li>Two?</li>",
            "From 01 to 02: 1 file",
            "<h1>Concept: fork</h1>",
            "<a href=\"../book/life.html#x\">a process</a>",
            "fork();",
            "Which part?",
            "wait();",
            "data:image/svg+xml;charset=utf-8,%3Csvg id=%22%23time%22/%3E",
            "Processes are dear.",
            "ps\n",
            "Dearer.",
            "id=%22cost%22",
            "<td>7</td>",
            "../book/02-two.html#1-count",
            "<summary>Why?</summary>",
        ] {
            let found = deck[at..].find(expected);
            at += found.unwrap_or_else(|| panic!("no {expected} behind {}", &deck[..at]));
        }
        assert!(!deck.contains("{{#") && !deck.contains("long") && !deck.contains("More words"));
        assert!(super::deck(&book, &Stage { chapter: "03.md".into(), ..stage }).is_err());
    }
}
