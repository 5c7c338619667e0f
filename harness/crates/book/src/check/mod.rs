//! What must hold between the book and the tree, a module for each kind of fault. mdBook itself builds
//! without an error when an included file or anchor is missing, or a link leads nowhere.
//!
//! A fault is one line that begins with its page.

pub(crate) mod built;
pub(crate) mod commands;
pub(crate) mod current;
pub(crate) mod ends;
pub(crate) mod excerpts;
pub(crate) mod glossary;
pub(crate) mod links;
pub(crate) mod options;
pub(crate) mod predictions;
pub(crate) mod sections;
pub(crate) mod typed;

use anyhow::{Context, Result};
use std::fs::{read_dir, read_to_string};
use std::path::{Path, PathBuf};

/// A page of the book.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    pub(crate) name: String,
    /// As it was typed.
    pub(crate) text: String,
    /// With the generated parts in their places, as a reader sees it.
    pub(crate) whole: String,
}

impl Page {
    /// Whether it is the chapter of a stage.
    pub(crate) fn is_chapter(&self) -> bool {
        self.name.split_once('-').is_some_and(|(number, _)| number.len() == 2 && number.parse::<u8>().is_ok())
    }
}

/// The sources of the book.
#[derive(Clone, Debug)]
pub(crate) struct Book {
    pub(crate) src: PathBuf,
    /// By name.
    pub(crate) pages: Vec<Page>,
}

impl Book {
    /// Reads the pages of a folder, and what they include of Markdown.
    pub(crate) fn open(src: &Path) -> Result<Self> {
        let mut pages = Vec::new();
        for entry in read_dir(src).with_context(|| format!("{} cannot be read", src.display()))? {
            let path = entry?.path();
            if path.extension().is_some_and(|ending| ending == "md") {
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                let text =
                    read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))?;
                let whole = whole(src, &text);
                pages.push(Page { name, text, whole });
            }
        }
        pages.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(Self { src: src.to_owned(), pages })
    }

    pub(crate) fn page(&self, name: &str) -> Option<&Page> {
        self.pages.iter().find(|page| page.name == name)
    }
}

/// What each `{{#include …}}` names.
pub(crate) fn included(text: &str) -> impl Iterator<Item = &str> {
    text.split("{{#include ").skip(1).filter_map(|rest| rest.split("}}").next())
}

/// A page with its Markdown includes, which stand in a line of their own. One that is missing stays: it is a
/// fault of its own.
fn whole(src: &Path, text: &str) -> String {
    let line = |line: &str| {
        let name = line.trim().strip_prefix("{{#include ").and_then(|rest| rest.strip_suffix("}}"));
        let part =
            name.filter(|name| name.ends_with(".md")).and_then(|name| read_to_string(src.join(name)).ok());
        part.unwrap_or_else(|| line.to_owned() + "\n")
    };
    text.lines().map(line).collect()
}

/// An invented book, for the tests of the checks.
#[cfg(test)]
pub(crate) fn invented(files: &[(&str, &str)]) -> (tempfile::TempDir, Book) {
    let directory = tempfile::tempdir().expect("a directory");
    for (name, text) in files {
        let path = directory.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        std::fs::write(path, text).expect("written");
    }
    let book = Book::open(directory.path()).expect("it can be read");
    (directory, book)
}
