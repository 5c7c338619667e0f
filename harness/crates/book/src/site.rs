//! `./lab book`: one folder with the book, the report, the timelines, the slides and an EPUB, which any
//! static host can serve. Every link in it is relative, and leads to something in it.

use crate::check::{Book, built};
use crate::html::{PAGE_CSS, escaped, page, render};
use crate::{Tree, epub, slides};
use anyhow::{Context, Result, bail};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs::{self, create_dir_all, read_dir, read_to_string, write};
use std::path::{Component, Path, PathBuf};
use std::process::ExitCode;

/// The options of `harness book`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Where to; a folder that is not empty must be one that this command has written.
    #[arg(long, value_name = "DIR", default_value = "target/book")]
    out: PathBuf,
}

/// What marks a folder that this command may replace.
const MARK: &str = "<meta name=\"generator\" content=\"./lab book\">";
const EPUB: &str = "c10k-lab.epub";

/// Builds the folder.
///
/// # Errors
///
/// mdBook is not installed, the folder holds something else, or something cannot be read or written. Links
/// that lead nowhere are printed, and the status is 1.
pub fn run(args: Args) -> Result<ExitCode> {
    let tree = Tree::find()?;
    let Some(mdbook) = built::mdbook(&tree.root) else {
        bail!("mdbook is not installed: `./lab book` installs it where it can, and `./lab setup` too");
    };
    // A relative folder is meant from where the command was typed.
    let out = std::path::absolute(&args.out)?;
    check_replaceable(&out)?;
    let parent = out.parent().context("the root of the file system is no place for a book")?;
    create_dir_all(parent).with_context(|| format!("{} cannot be made", parent.display()))?;
    // Beside its place, so that a reader finds the old folder or the new one.
    let scratch = tempfile::Builder::new().prefix(".book-").tempdir_in(parent);
    let scratch = scratch.with_context(|| format!("{} cannot be written to", parent.display()))?;
    let site = scratch.path().join("site");
    let book = Book::open(&tree.src())?;
    built::build(&mdbook, &tree.root.join("notes"), &site.join("book"))?;
    // It is for a server that knows where the book begins.
    let _ = fs::remove_file(site.join("book/404.html"));
    slides::write_all(&book, &tree.stages, &site.join("slides"))?;
    epub::write(&book, &site.join(EPUB))?;
    write(site.join("index.html"), index(&tree, &book))?;
    bring_in(&tree.root, &site)?;
    let faults = faults(&site)?;
    if !faults.is_empty() {
        faults.iter().for_each(|fault| println!("{fault}"));
        println!("{} in the built pages; nothing was written", lab_core::units::count(faults.len(), "fault"));
        return Ok(ExitCode::FAILURE);
    }
    if out.exists() {
        fs::remove_dir_all(&out).with_context(|| format!("{} cannot be replaced", out.display()))?;
    }
    fs::rename(&site, &out).with_context(|| format!("{} cannot be written", out.display()))?;
    let pages = lab_core::units::count(html_files(&out)?.len(), "page");
    println!(
        "{}: {pages} and {EPUB}; begin at {}",
        args.out.display(),
        args.out.join("index.html").display()
    );
    println!("every link in it is relative and was followed: any static host can serve the folder");
    Ok(ExitCode::SUCCESS)
}

/// Nothing that somebody else has put there is replaced.
fn check_replaceable(out: &Path) -> Result<()> {
    if !out.exists() {
        return Ok(());
    }
    let is_ours = read_to_string(out.join("index.html")).is_ok_and(|text| text.contains(MARK));
    let is_empty = read_dir(out).is_ok_and(|mut entries| entries.next().is_none());
    if !is_ours && !is_empty {
        bail!(lab_core::Usage::new(format!(
            "{} is not empty and was not written by `./lab book`: choose another --out",
            out.display()
        )));
    }
    Ok(())
}

fn index(tree: &Tree, book: &Book) -> String {
    let mut body = String::from(
        "<h1>c10k-lab</h1>\n<p>One network server for Linux, rebuilt step by step: what each concurrency model \
         achieves, and what it costs.</p>\n<ul>\n",
    );
    let mut item = |link: &str, title: &str, words: &str| {
        let _ = writeln!(body, "<li><a href=\"{link}\">{title}</a>: {words}</li>");
    };
    item("book/index.html", "The book", "a chapter for each stage, and the pages beside them");
    item("results/report.html", "The report", "what was measured; servers can be switched on and off");
    item("results/README.html", "What was found", "the same as a page without scripts");
    item("book/timelines.html", "Timelines", "who waits for whom, from real runs, to step through");
    item("slides/index.html", "Slides", "a deck for each chapter");
    if book.page("for-teachers.md").is_some() {
        item("book/for-teachers.html", "For teachers", "schedules, goals, a rubric, a class on one machine");
    }
    item(EPUB, "The book as an EPUB", "for a reader of electronic books");
    body.push_str("</ul>\n<h2>The staircase</h2>\n<ol>\n");
    for stage in tree.stages.iter().filter(|stage| !stage.is_twin) {
        let file = stage.chapter.replace(".md", ".html");
        let _ = writeln!(
            body,
            "<li><a href=\"book/{file}\">{}</a>: {} (<a href=\"slides/{file}\">slides</a>)</li>",
            escaped(&stage.title),
            escaped(&stage.idea)
        );
    }
    body.push_str("</ol>\n");
    page("c10k-lab", PAGE_CSS, &body).replacen("<title>", &format!("{MARK}\n<title>"), 1)
}

/// Where a file of the tree lies in the built folder.
fn built_place(file: &Path) -> PathBuf {
    let place = file.strip_prefix("notes/src").map_or(file.to_owned(), |page| Path::new("book").join(page));
    if place.extension().is_some_and(|ending| ending == "md") { place.with_extension("html") } else { place }
}

/// The folder of the tree whose links a built page has.
fn tree_folder(page: &Path) -> PathBuf {
    let folder = page.parent().unwrap_or(Path::new(""));
    folder.strip_prefix("book").map_or(folder.to_owned(), |rest| Path::new("notes/src").join(rest))
}

/// A path without `.` and `..`; `None` if it leaves the folder that it begins in.
fn normal(path: &Path) -> Option<PathBuf> {
    let mut whole = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => whole.push(name),
            Component::CurDir => {}
            Component::ParentDir => {
                if !whole.pop() {
                    return None;
                }
            }
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(whole)
}

/// Copies what the pages link outside the book, pages as HTML, and lets the links lead there; and so on with
/// what these pages link.
fn bring_in(root: &Path, site: &Path) -> Result<()> {
    let mut waiting = html_files(site)?;
    while let Some(file) = waiting.pop() {
        let text = read_to_string(site.join(&file))?;
        let mut moved = BTreeMap::new();
        for link in links(&text) {
            let (target, heading) = link.split_once('#').unwrap_or((&link, ""));
            let folder = file.parent().unwrap_or(Path::new(""));
            if target.is_empty()
                || normal(&folder.join(target)).is_some_and(|there| site.join(there).is_file())
            {
                continue;
            }
            // It is meant as the tree has it.
            let Some(source) = normal(&tree_folder(&file).join(target)) else { continue };
            let source = match source.with_extension("md") {
                page if !root.join(&source).is_file() && root.join(&page).is_file() => page,
                _ => source,
            };
            let there = built_place(&source);
            if !site.join(&there).is_file() {
                if there.starts_with("book") || !root.join(&source).is_file() {
                    // The check says so.
                    continue;
                }
                create_dir_all(site.join(&there).parent().unwrap_or(site))?;
                let is_page = source.extension().is_some_and(|ending| ending == "md");
                match is_page {
                    true => write(site.join(&there), markdown_page(&root.join(&source))?)?,
                    false => drop(fs::copy(root.join(&source), site.join(&there))?),
                }
                if there.extension().is_some_and(|ending| ending == "html") {
                    waiting.push(there.clone());
                }
            }
            let heading = if heading.is_empty() { String::new() } else { format!("#{heading}") };
            moved.insert(
                link.clone(),
                lab_core::files::link(&site.join(folder), &site.join(&there)) + &heading,
            );
        }
        if !moved.is_empty() {
            write(site.join(&file), with_links(&text, &moved))?;
        }
    }
    Ok(())
}

/// A page of the tree that mdBook does not build.
fn markdown_page(file: &Path) -> Result<String> {
    let text = read_to_string(file)?;
    let title = text.lines().next().unwrap_or_default().trim_start_matches("# ").to_owned();
    Ok(page(&title, PAGE_CSS, &render(&text, &|link| Some(link.to_owned()))))
}

/// The pages below a folder, by their paths in it.
fn html_files(site: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![site.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in read_dir(&folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "html") {
                files.push(path.strip_prefix(site)?.to_owned());
            }
        }
    }
    files.sort();
    Ok(files)
}

/// What begins a link in a page.
const ATTRIBUTES: [&str; 2] = [" href=\"", " src=\""];

/// The parts of a page outside its scripts, where a link is a link.
fn markup(text: &str) -> impl Iterator<Item = &str> {
    text.split("<script").enumerate().map(|(at, part)| match at {
        0 => part,
        // The tag of the script has a link itself.
        _ => part.split_once("</script>").map_or(part, |(_, behind)| behind),
    })
}

/// The links of a page that lead to a place of ours, as they are written but for `&amp;`.
fn links(text: &str) -> BTreeSet<String> {
    let mut links = BTreeSet::new();
    for part in markup(text) {
        for attribute in ATTRIBUTES {
            let values = part.split(attribute).skip(1).filter_map(|rest| rest.split('"').next());
            links.extend(values.map(|value| value.replace("&amp;", "&")));
        }
    }
    // The tags of scripts, which the parts leave out.
    let sources = text.split("<script src=\"").skip(1).filter_map(|rest| rest.split('"').next());
    links.extend(sources.map(str::to_owned));
    links.retain(|link| {
        !["data:", "mailto:", "javascript:"].iter().any(|scheme| link.starts_with(scheme))
            && !link.contains("://")
            && !link.is_empty()
    });
    links
}

fn with_links(text: &str, moved: &BTreeMap<String, String>) -> String {
    let mut text = text.to_owned();
    for (from, to) in moved {
        for attribute in ATTRIBUTES {
            let link = |link: &str| format!("{attribute}{}\"", link.replace('&', "&amp;"));
            text = text.replace(&link(from), &link(to));
        }
    }
    text
}

/// Links that lead nowhere, or out of the folder.
pub(crate) fn faults(site: &Path) -> Result<Vec<String>> {
    let files = html_files(site)?;
    let mut names: BTreeMap<PathBuf, BTreeSet<String>> = BTreeMap::new();
    for file in &files {
        let text = read_to_string(site.join(file))?;
        let ids = [" id=\"", " name=\""]
            .into_iter()
            .flat_map(|attribute| text.split(attribute).skip(1).filter_map(|rest| rest.split('"').next()));
        names.insert(file.clone(), ids.map(str::to_owned).collect());
    }
    let mut faults = Vec::new();
    for file in &files {
        let text = read_to_string(site.join(file))?;
        let folder = file.parent().unwrap_or(Path::new(""));
        for link in links(&text) {
            let fault = |what: &str| format!("{}: `{link}` {what}", file.display());
            let (target, heading) = link.split_once('#').unwrap_or((&link, ""));
            if target.starts_with('/') {
                faults.push(fault("is not relative"));
                continue;
            }
            let target = target.split('?').next().unwrap_or_default();
            let there = if target.is_empty() { Some(file.clone()) } else { normal(&folder.join(target)) };
            let Some(there) = there else {
                faults.push(fault("leads out of the folder"));
                continue;
            };
            if !site.join(&there).is_file() {
                faults.push(fault("leads nowhere"));
            } else if !heading.is_empty() && names.get(&there).is_some_and(|names| !names.contains(heading)) {
                // The number of a slide, or a state that the page reads itself.
                if heading.parse::<u32>().is_err() {
                    faults.push(fault("names no place of that page"));
                }
            }
        }
    }
    Ok(faults)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a directory");
        for (name, text) in files {
            let path = folder.path().join(name);
            create_dir_all(path.parent().expect("a folder")).expect("made");
            write(path, text).expect("written");
        }
        folder
    }

    /// Protects a reader of the published folder: each kind of link that leads nowhere there is found.
    #[test]
    fn each_kind_of_broken_link_is_found() {
        let good = "<a href=\"b/two.html#place\">x</a><img src=\"a.svg\"><a href=\"#top\">y</a><p id=\"top\">\
                    <a href=\"https://example.org/x\">z</a><script>go('<a href=\"no\">')</script>";
        let of = |page: &str| {
            let site = folder(&[("one.html", page), ("b/two.html", "<p id=\"place\">"), ("a.svg", "<svg/>")]);
            faults(site.path()).expect("read")
        };
        assert_eq!(of(good), [""; 0]);
        for (from, to, what) in [
            ("b/two.html#place", "b/two.html#gone", "names no place of that page"),
            ("b/two.html#place", "two.html", "leads nowhere"),
            ("b/two.html#place", "../two.html", "leads out of the folder"),
            ("b/two.html#place", "/b/two.html", "is not relative"),
            ("a.svg", "gone.svg", "leads nowhere"),
            ("#top", "#gone", "names no place of that page"),
        ] {
            let broken = good.replace(from, to);
            assert_ne!(broken, good);
            assert_eq!(of(&broken), [format!("one.html: `{to}` {what}")]);
        }
    }

    /// Protects the links of the book that leave it for the results, and those of the results back.
    #[test]
    fn what_the_book_links_is_brought_in() {
        let root = folder(&[
            (
                "results/README.md",
                "# Found\n\n[m](../notes/src/two.md#place), [d](data/a.jsonl), [p](page.html)\n",
            ),
            ("results/data/a.jsonl", "{}"),
            ("results/page.html", "<a href=\"README.md\">x</a>"),
            ("results/unused.svg", "x"),
        ]);
        let site = folder(&[
            ("book/one.html", "<a href=\"../../results/README.html#found\">x</a>"),
            ("book/two.html", "<p id=\"place\"><a href=\"../../results/gone.svg\">y</a>"),
        ]);
        bring_in(root.path(), site.path()).expect("copied");
        let read = |name: &str| read_to_string(site.path().join(name)).expect("there");
        assert_eq!(read("book/one.html"), "<a href=\"../results/README.html#found\">x</a>");
        assert!(read("results/README.html").contains("<a href=\"../book/two.html#place\">m</a>"));
        assert_eq!(read("results/page.html"), "<a href=\"README.html\">x</a>");
        assert!(site.path().join("results/data/a.jsonl").is_file());
        assert!(!site.path().join("results/unused.svg").exists());
        assert_eq!(
            faults(site.path()).expect("read"),
            ["book/two.html: `../../results/gone.svg` leads out of the folder"]
        );
    }

    /// Protects a folder of somebody else's that was named by mistake.
    #[test]
    fn only_a_folder_of_its_own_is_replaced() {
        let other = folder(&[("index.html", "<p>mine</p>")]);
        let error = check_replaceable(other.path()).expect_err("it is somebody else's").to_string();
        assert!(error.ends_with("choose another --out"), "{error}");
        let own = folder(&[("index.html", MARK)]);
        for fine in [own.path(), folder(&[]).path(), &own.path().join("new")] {
            check_replaceable(fine).expect("it may be replaced");
        }
    }
}
