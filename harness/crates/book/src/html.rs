//! The book's Markdown as HTML, for the pages that mdBook does not build: slides, the EPUB, the results.

use crate::markdown::anchor;
use anyhow::{Context, Result, bail};
use pulldown_cmark::{CowStr, Event, Options, Parser, Tag, TagEnd, html::push_html};
use std::collections::BTreeMap;
use std::fs::read_to_string;
use std::path::Path;

/// What the pages that are not mdBook's look like.
pub(crate) const PAGE_CSS: &str = include_str!("pages/page.css");

/// The text between the anchors of a file, without the lines that mark it and others; the whole file if no
/// anchor is named.
///
/// # Errors
///
/// There is no such file, or nothing between such anchors.
pub(crate) fn excerpt(src: &Path, what: &str) -> Result<String> {
    let (file, name) = what.split_once(':').unwrap_or((what, ""));
    let text = read_to_string(src.join(file)).with_context(|| format!("{file} cannot be read"))?;
    if name.is_empty() {
        return Ok(text);
    }
    let (begin, end) = (format!("ANCHOR: {name}"), format!("ANCHOR_END: {name}"));
    let lines = text.lines().skip_while(|line| !line.trim().ends_with(&begin)).skip(1);
    let lines = lines.take_while(|line| !line.trim().ends_with(&end));
    let lines: Vec<&str> = lines.filter(|line| !line.contains("// ANCHOR")).collect();
    if lines.is_empty() {
        bail!("{file} has no anchor {name}");
    }
    // mdBook shows it as it is indented in its file; narrow pages have no room for that.
    let indent = lines.iter().filter(|line| !line.trim().is_empty());
    let indent = indent.map(|line| line.len() - line.trim_start().len()).min().unwrap_or_default();
    let lines: Vec<&str> = lines.iter().map(|line| line.get(indent..).unwrap_or_default()).collect();
    Ok(lines.join("\n") + "\n")
}

/// A text with each `{{#include …}}` in its place.
///
/// # Errors
///
/// One of them names what is not there.
pub(crate) fn with_excerpts(src: &Path, text: &str) -> Result<String> {
    let mut whole = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{#include ") {
        let (what, behind) = after.split_once("}}").context("an include is not closed")?;
        whole.push_str(before);
        whole.push_str(excerpt(src, what)?.trim_end());
        rest = behind;
    }
    Ok(whole + rest)
}

/// Markdown as HTML that is XML too. `target` says where the page or picture of a link lies; a link to what
/// is nowhere becomes its text.
pub(crate) fn render(text: &str, target: &dyn Fn(&str) -> Option<String>) -> String {
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_GFM;
    let events: Vec<Event> = Parser::new_ext(text, options).collect();
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut is_link = Vec::new();
    let mut moved = Vec::new();
    for (at, event) in events.iter().enumerate() {
        match event.clone() {
            Event::Start(Tag::Heading { level, classes, attrs, .. }) => {
                let title = title(&events[at + 1..]);
                let count = seen.entry(title.clone()).or_default();
                let id = if *count == 0 { title } else { format!("{title}-{count}") };
                *count += 1;
                let id = (!id.is_empty()).then(|| CowStr::from(id));
                moved.push(Event::Start(Tag::Heading { level, id, classes, attrs }));
            }
            Event::Start(Tag::Link { link_type, dest_url, title, id }) => {
                let there = target(&dest_url);
                is_link.push(there.is_some());
                moved.extend(
                    there.map(|url| Event::Start(Tag::Link { link_type, dest_url: url.into(), title, id })),
                );
            }
            Event::End(TagEnd::Link) => {
                if is_link.pop() == Some(true) {
                    moved.push(Event::End(TagEnd::Link));
                }
            }
            Event::Start(Tag::Image { link_type, dest_url, title, id }) => {
                let url = target(&dest_url).map_or(dest_url, CowStr::from);
                moved.push(Event::Start(Tag::Image { link_type, dest_url: url, title, id }));
            }
            // A wide table scrolls alone, not the page.
            Event::Start(Tag::Table(columns)) => {
                moved.push(Event::Html("<div class=\"table\">".into()));
                moved.push(Event::Start(Tag::Table(columns)));
            }
            Event::End(TagEnd::Table) => {
                moved.push(Event::End(TagEnd::Table));
                moved.push(Event::Html("</div>\n".into()));
            }
            other => moved.push(other),
        }
    }
    let mut html = String::new();
    push_html(&mut html, moved.into_iter());
    html
}

/// A heading as links name it.
fn title(events: &[Event]) -> String {
    let mut title = String::new();
    for event in events.iter().take_while(|event| !matches!(event, Event::End(TagEnd::Heading(_)))) {
        if let Event::Text(text) | Event::Code(text) = event {
            title.push_str(text);
        }
    }
    anchor(&title)
}

/// A text in which nothing is markup, also between quotation marks.
pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// A whole page around a body.
pub(crate) fn page(title: &str, css: &str, body: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{}</title>\n<style>\n{css}</style>\n</head>\n<body>\n{body}</body>\n</html>\n",
        escaped(title)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Protects slides and EPUB from another excerpt than the book's: marks are left out, also those of other
    /// excerpts within.
    #[test]
    fn an_excerpt_is_what_stands_between_its_anchors() {
        let code = "a\n// ANCHOR: outer\nb\n    // ANCHOR: inner\n    c\n    // ANCHOR_END: inner\n// ANCHOR_END: outer\nd\n";
        let folder = tempfile::tempdir().expect("a directory");
        std::fs::write(folder.path().join("code.rs"), code).expect("written");
        let of = |text: &str| with_excerpts(folder.path(), text);
        assert_eq!(of("x {{#include code.rs:outer}} y").expect("there"), "x b\n    c y");
        assert_eq!(of("{{#include code.rs:inner}}").expect("there"), "c", "it is not indented alone");
        assert!(of("{{#include code.rs:gone}}").is_err() && of("{{#include gone.rs:outer}}").is_err());
    }

    /// Protects links of pages that are somewhere else than their sources, and headings that links name.
    #[test]
    fn links_are_moved_or_become_their_text() {
        let target = |link: &str| link.strip_suffix(".md").map(|name| format!("../book/{name}.html"));
        let html = render("## A `b`: c\n\n[here](x.md), [gone](y.rs)\n\n## A b c\n", &target);
        assert_eq!(
            html,
            "<h2 id=\"a-b-c\">A <code>b</code>: c</h2>\n<p><a href=\"../book/x.html\">here</a>, gone</p>\n\
             <h2 id=\"a-b-c-1\">A b c</h2>\n"
        );
    }
}
