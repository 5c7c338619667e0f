//! The book as an EPUB: the pages in the order of the table of contents, without the text of the diffs, which
//! would be most of it.

use crate::check::{Book, included};
use crate::course::contents;
use crate::html::{PAGE_CSS, escaped, excerpt, render, with_excerpts};
use anyhow::{Context, Result, anyhow};
use epub_builder::{EpubBuilder, EpubContent, EpubVersion, ReferenceType, ZipLibrary};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const TITLE: &str = "c10k-lab";

/// Writes it.
///
/// # Errors
///
/// A page names what is not there, or is no XML; the file cannot be written.
pub(crate) fn write(book: &Book, file: &Path) -> Result<()> {
    let bytes = bytes(book).context("the EPUB cannot be made")?;
    fs::write(file, bytes).with_context(|| format!("{} cannot be written", file.display()))
}

fn bytes(book: &Book) -> Result<Vec<u8>> {
    let entries = contents(book);
    let pages: BTreeSet<&str> = entries.iter().map(|entry| entry.page.as_str()).collect();
    let mut pictures = BTreeSet::new();
    let mut epub = EpubBuilder::new(ZipLibrary::new().map_err(wrong)?).map_err(wrong)?;
    epub.epub_version(EpubVersion::V30);
    epub.metadata("title", TITLE).map_err(wrong)?;
    epub.metadata("lang", "en").map_err(wrong)?;
    epub.stylesheet(PAGE_CSS.as_bytes()).map_err(wrong)?;
    for entry in &entries {
        let page = book.page(&entry.page).with_context(|| format!("{} is missing", entry.page))?;
        let text = with_excerpts(&book.src, &without_diffs(book, &page.text)?)?;
        let body = render(&text, &|link| target(&pages, link));
        pictures.extend(images(&body).filter(|file| !file.contains(':')).map(str::to_owned));
        let text = xhtml(&entry.title, &body);
        check_xml(&text)
            .with_context(|| format!("{}: its HTML is no XML, which an EPUB needs", entry.page))?;
        let level = i32::try_from(entry.depth).unwrap_or(0) + 1;
        let content = EpubContent::new(entry.page.replace(".md", ".xhtml"), text.as_bytes());
        let content = content.title(entry.title.clone()).level(level).reftype(ReferenceType::Text);
        epub.add_content(content).map_err(wrong)?;
    }
    for picture in &pictures {
        let bytes = fs::read(book.src.join(picture)).with_context(|| format!("{picture} cannot be read"))?;
        epub.add_resource(picture, bytes.as_slice(), "image/svg+xml").map_err(wrong)?;
    }
    let mut bytes = Vec::new();
    epub.generate(&mut bytes).map_err(wrong)?;
    Ok(bytes)
}

/// What the crate says went wrong, in our type of errors.
fn wrong(error: impl std::fmt::Display) -> anyhow::Error {
    anyhow!("{error}")
}

/// A reader of electronic books refuses a page that is no XML.
fn check_xml(text: &str) -> Result<()> {
    let options = roxmltree::ParsingOptions { allow_dtd: true, ..roxmltree::ParsingOptions::default() };
    roxmltree::Document::parse_with_options(text, options)?;
    Ok(())
}

/// The line that says how large a diff is stays.
fn without_diffs(book: &Book, text: &str) -> Result<String> {
    let mut lines = Vec::new();
    for line in text.lines() {
        match line.strip_prefix("{{#include generated/diff-") {
            Some(_) => {
                let diff = excerpt(&book.src, included(line).next().context("an include is not closed")?)?;
                lines.push(diff.lines().next().unwrap_or_default().to_owned());
            }
            None => lines.push(line.to_owned()),
        }
    }
    Ok(lines.join("\n") + "\n")
}

/// Where a link of a page leads in the EPUB: to another of its pages, to a picture, into the net, or nowhere.
fn target(pages: &BTreeSet<&str>, link: &str) -> Option<String> {
    let (file, heading) = link.split_once('#').map_or((link, ""), |(file, heading)| (file, heading));
    if link.contains("://") || file.is_empty() {
        return Some(link.to_owned());
    }
    let heading = if heading.is_empty() { String::new() } else { format!("#{heading}") };
    pages.contains(file).then(|| file.replace(".md", ".xhtml") + &heading)
}

fn images(body: &str) -> impl Iterator<Item = &str> {
    body.split("<img src=\"").skip(1).filter_map(|rest| rest.split('"').next())
}

fn xhtml(title: &str, body: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!DOCTYPE html>\n\
         <html xmlns=\"http://www.w3.org/1999/xhtml\" xml:lang=\"en\">\n<head>\n<title>{}</title>\n\
         <link rel=\"stylesheet\" type=\"text/css\" href=\"stylesheet.css\"/>\n</head>\n<body>\n{body}</body>\n</html>\n",
        escaped(title)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::invented;

    fn written(page: &str) -> Result<Vec<u8>> {
        let (directory, book) = invented(&[
            ("SUMMARY.md", "[One](one.md)\n\n- [Two](two.md)\n"),
            ("one.md", page),
            ("two.md", "# Two\n\n{{#include generated/diff-02.md}}\n"),
            ("generated/diff-02.md", "2 files\n\n```diff\n+ much\n```\n"),
            ("a.svg", "<svg/>"),
        ]);
        let file = directory.path().join("book.epub");
        write(&book, &file)?;
        Ok(fs::read(file)?)
    }

    /// Protects a reader of the EPUB: it is a ZIP archive that names its type first, and a page that is no
    /// XML, which a reader would refuse, is found while it is made.
    #[test]
    fn pages_that_are_no_xml_are_found() {
        let page = "# One\n\n<details><summary>a</summary>\n\nb\n</details>\n\n![p](a.svg) [x](two.md#two)\n";
        let bytes = written(page).expect("an EPUB");
        assert!(bytes.starts_with(b"PK"));
        let text = String::from_utf8_lossy(&bytes);
        assert!(
            text.contains("application/epub+zip")
                && text.contains("OEBPS/two.xhtml")
                && text.contains("a.svg")
        );
        let error = format!("{:#}", written("a <br> b\n").expect_err("no XML"));
        assert!(error.contains("one.md: its HTML is no XML"), "{error}");
    }

    /// Protects links: those to what an EPUB has not become text.
    #[test]
    fn links_lead_to_pages_of_the_epub() {
        let pages = ["two.md"].into();
        assert_eq!(target(&pages, "two.md#x").as_deref(), Some("two.xhtml#x"));
        assert_eq!(target(&pages, "#x").as_deref(), Some("#x"));
        assert_eq!(target(&pages, "https://example.org/").as_deref(), Some("https://example.org/"));
        assert_eq!(
            (target(&pages, "timelines/a.html"), target(&pages, "../../results/README.md")),
            (None, None)
        );
    }
}
