//! What a course needs to know of the book: how long each page and each exercise takes, and how they fall
//! into weeks.

use crate::check::{Book, Page};
use crate::markdown::{anchor, links, parts, plain};
use std::collections::BTreeMap;
use std::fmt::Write;

/// The courses that the book has a schedule for: how many weeks, and whether a chapter may go on in the next.
const COURSES: [(usize, Whole); 2] = [(6, Whole::Chapters), (12, Whole::Pages)];

/// What a week does not divide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whole {
    /// A chapter with its pages and exercises.
    Chapters,
    /// A page; the exercises of a chapter, which stand on it, come behind its last page.
    Pages,
}

/// Something to do, as its page announces it: `*Code · 15 minutes · easy.*` below a heading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Exercise {
    /// The page, and the heading: `04-nonblocking-epoll.md#1-silent-clients`.
    pub(crate) link: String,
    /// Without its number.
    pub(crate) title: String,
    /// Explain, Code or Build.
    pub(crate) kind: String,
    pub(crate) minutes: u32,
    pub(crate) difficulty: String,
}

/// A page of the table of contents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) page: String,
    pub(crate) title: String,
    /// 0 beside the others, 1 below one.
    pub(crate) depth: usize,
    /// The heading of the table of contents above it.
    pub(crate) part: String,
}

/// The pages in the order of the table of contents.
pub(crate) fn contents(book: &Book) -> Vec<Entry> {
    let text = book.page("SUMMARY.md").map_or("", |page| page.text.as_str());
    let mut part = String::new();
    let mut entries = Vec::new();
    for line in text.lines() {
        if let Some(title) = line.strip_prefix("# ") {
            title.trim().clone_into(&mut part);
        } else if line == "---" {
            part.clear();
        }
        let link = line.split_once('[').and_then(|(before, rest)| Some((before, rest.split_once("](")?)));
        let Some((before, (title, rest))) = link else { continue };
        entries.push(Entry {
            page: rest.split(')').next().unwrap_or_default().to_owned(),
            title: title.to_owned(),
            depth: usize::from(before.starts_with(' ')),
            part: part.clone(),
        });
    }
    entries
}

/// How long a page takes to read, as it says in a line of its own: `Minutes: 20`.
pub(crate) fn minutes(page: &Page) -> Option<u32> {
    page.text.lines().find_map(|line| line.strip_prefix("Minutes: ")?.trim().parse().ok())
}

/// The exercises of a page, those included that are generated.
pub(crate) fn exercises(page: &Page) -> Vec<Exercise> {
    let mut heading = String::new();
    let mut exercises = Vec::new();
    for line in parts(&page.whole).prose {
        if line.starts_with('#') {
            line.trim_start_matches('#').trim().clone_into(&mut heading);
        }
        let words = line.strip_prefix('*').and_then(|rest| rest.split_once(".*"));
        let Some((kind, rest)) = words.and_then(|(words, _)| words.split_once(" · ")) else { continue };
        let Some((minutes, difficulty)) = rest.split_once(" minutes · ") else { continue };
        let Ok(minutes) = minutes.parse() else { continue };
        let is_number = |number: &str| number.parse::<u32>().is_ok();
        let title = heading.split_once(". ").filter(|(number, _)| is_number(number));
        let title = title.map_or(heading.as_str(), |(_, title)| title);
        // The only exercise of a page needs no name there, and has one here.
        let of_page = page.text.lines().next().unwrap_or_default().trim_start_matches("# ");
        let is_name = !["Exercise", "Exercises"].contains(&title);
        let title = if is_name { title.to_owned() } else { format!("Exercise: {of_page}") };
        exercises.push(Exercise {
            link: format!("{}#{}", page.name, anchor(&heading)),
            title,
            kind: kind.to_owned(),
            minutes,
            difficulty: difficulty.to_owned(),
        });
    }
    exercises
}

/// What a week does not divide, with what it takes.
#[derive(Clone, Debug, Default)]
struct Unit {
    /// The pages to read: where, what, how long.
    reading: Vec<(String, String, u32)>,
    exercises: Vec<Exercise>,
}

impl Unit {
    fn minutes(&self) -> u32 {
        self.reading.iter().map(|(_, _, minutes)| minutes).sum::<u32>()
            + self.exercises.iter().map(|exercise| exercise.minutes).sum::<u32>()
    }

    fn add(&mut self, other: Self) {
        self.reading.extend(other.reading);
        self.exercises.extend(other.exercises);
    }
}

/// The part of the table of contents that has the chapters.
const CHAPTERS: &str = "The staircase";

/// A page of the course says how long it takes; without that no schedule can count it.
pub(crate) fn faults(book: &Book) -> Vec<String> {
    let is_read = |entry: &&Entry| entry.part == CHAPTERS;
    let lacks = |entry: &Entry| book.page(&entry.page).is_some_and(|page| minutes(page).is_none());
    let silent = contents(book).into_iter().filter(|entry| is_read(&entry) && lacks(entry));
    silent
        .map(|entry| format!("{}: it does not say how many minutes it takes (`Minutes: 20`)", entry.page))
        .collect()
}

/// The units in the order of the chapters. A page beside the chapters is read with the first page that links
/// it; what stands above the chapters is read first.
fn units(book: &Book, whole: Whole) -> Vec<Unit> {
    let entries = contents(book);
    let read = |entry: &Entry| {
        let minutes = book.page(&entry.page).and_then(minutes)?;
        Some((entry.page.clone(), entry.title.clone(), minutes))
    };
    let mut units: Vec<Unit> = Vec::new();
    let mut pending: Vec<Exercise> = Vec::new();
    let mut beside: Vec<&Entry> = entries.iter().filter(|entry| entry.part != CHAPTERS).collect();
    let first = entries.iter().position(|entry| entry.part == CHAPTERS).unwrap_or(entries.len());
    let mut front = Unit { reading: entries[..first].iter().filter_map(read).collect(), ..Unit::default() };
    beside.retain(|entry| !entries[..first].contains(entry));
    for entry in entries.iter().filter(|entry| entry.part == CHAPTERS) {
        let Some(page) = book.page(&entry.page) else { continue };
        let mut unit = std::mem::take(&mut front);
        unit.reading.extend(read(entry));
        let linked = links(&page.whole);
        let is_linked = |other: &Entry| linked.iter().any(|link| link.split('#').next() == Some(&other.page));
        let (now, later) = beside.into_iter().partition(|other| is_linked(other));
        beside = later;
        unit.reading.extend::<Vec<_>>(Vec::from_iter(now).into_iter().filter_map(read).collect());
        match (whole, entry.depth) {
            (Whole::Chapters, 0) => {
                unit.exercises = exercises(page);
                units.push(unit);
            }
            (Whole::Chapters, _) => {
                unit.exercises = exercises(page);
                units.last_mut().expect("a page is below a chapter").add(unit);
            }
            (Whole::Pages, 0) => {
                let last = std::mem::replace(&mut pending, exercises(page));
                if !last.is_empty() {
                    units.push(Unit { exercises: last, ..Unit::default() });
                }
                units.push(unit);
            }
            (Whole::Pages, _) => {
                unit.exercises = exercises(page);
                units.push(unit);
            }
        }
    }
    units.push(Unit { reading: beside.into_iter().filter_map(read).collect(), exercises: pending });
    units.retain(|unit| unit.minutes() > 0);
    units
}

/// Where each week begins, so that the sum of the squares of the weeks' minutes is least: long weeks are
/// dearer than short ones are cheap.
fn begins(minutes: &[u32], weeks: usize) -> Vec<usize> {
    let sum = |from: usize, to: usize| u64::from(minutes[from..to].iter().sum::<u32>());
    let square = |from, to| sum(from, to) * sum(from, to);
    // best[week][end]: the least for the units before `end` in that many weeks, and where the last one
    // begins.
    let mut best: Vec<Vec<Option<(u64, usize)>>> = vec![vec![None; minutes.len() + 1]; weeks + 1];
    best[0][0] = Some((0, 0));
    for week in 1..=weeks {
        for end in 1..=minutes.len() {
            let cost = |begin: usize| Some((best[week - 1][begin]?.0 + square(begin, end), begin));
            best[week][end] = (0..end).filter_map(cost).min();
        }
    }
    let mut begins = Vec::new();
    let mut end = minutes.len();
    for week in (1..=weeks).rev() {
        let Some((_, begin)) = best[week][end] else { return (0..minutes.len()).collect() };
        begins.insert(0, begin);
        end = begin;
    }
    begins
}

/// The parts that are made of the pages: the schedules, and the table of the pages below each chapter.
pub(crate) fn made(book: &Book) -> BTreeMap<String, String> {
    let schedules =
        COURSES.map(|(weeks, whole)| (format!("schedule-{weeks}.md"), schedule(book, weeks, whole)));
    let mut made = BTreeMap::from(schedules);
    made.insert("pages.md".into(), pages(book));
    made
}

/// Which chapters have pages of their own below them, and how long all that takes.
fn pages(book: &Book) -> String {
    let of = |entry: &Entry| book.page(&entry.page).and_then(minutes).unwrap_or_default();
    let link = |entry: &Entry| format!("[{}]({}) ({})", plain(&entry.title), entry.page, of(entry));
    let entries: Vec<Entry> = contents(book).into_iter().filter(|entry| entry.part == CHAPTERS).collect();
    let mut page = String::from("| chapter | its pages | minutes in all |\n|---|---|---:|\n");
    let chapters = entries.chunk_by(|_, entry| entry.depth > 0);
    for chapter in chapters {
        let below: Vec<String> = chapter[1..].iter().map(link).collect();
        let below = if below.is_empty() { "–".to_owned() } else { below.join(", ") };
        let _ =
            writeln!(page, "| {} | {below} | {} |", link(&chapter[0]), chapter.iter().map(of).sum::<u32>());
    }
    page
}

fn schedule(book: &Book, weeks: usize, whole: Whole) -> String {
    let units = units(book, whole);
    let minutes: Vec<u32> = units.iter().map(Unit::minutes).collect();
    let begins = begins(&minutes, weeks);
    let mut page = String::from("| week | minutes | read | do |\n|---:|---:|---|---|\n");
    let (mut reading, mut doing, mut longest) = (0, 0, 0);
    for (at, begin) in begins.iter().enumerate() {
        let end = begins.get(at + 1).copied().unwrap_or(units.len());
        let mut week = Unit::default();
        units[*begin..end].iter().cloned().for_each(|unit| week.add(unit));
        let read: u32 = week.reading.iter().map(|(_, _, minutes)| minutes).sum();
        let total = week.minutes();
        let pages: Vec<String> = week
            .reading
            .iter()
            .map(|(page, title, minutes)| format!("[{}]({page}) ({minutes})", plain(title)))
            .collect();
        let tasks: Vec<String> = week
            .exercises
            .iter()
            .map(|exercise| format!("[{}]({}) ({})", plain(&exercise.title), exercise.link, exercise.minutes))
            .collect();
        let cell = |words: Vec<String>| if words.is_empty() { "–".to_owned() } else { words.join(", ") };
        let _ = writeln!(page, "| {} | {total} | {} | {} |", at + 1, cell(pages), cell(tasks));
        reading += read;
        doing += total - read;
        longest = longest.max(total);
    }
    let _ = write!(
        page,
        "\nIn brackets the minutes that each page and each exercise states. In all {} of reading and {} of exercises; the longest week has {}.\n",
        hours(reading),
        hours(doing),
        hours(longest)
    );
    page
}

/// `1 h 20 min`.
fn hours(minutes: u32) -> String {
    match (minutes / 60, minutes % 60) {
        (0, minutes) => format!("{minutes} min"),
        (hours, 0) => format!("{hours} h"),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::invented;

    const CONTENTS: &str = "[How](how.md)\n\n# The staircase\n\n- [01 One](01-one.md)\n- [02 Two](02-two.md)\n  - [Part](02-part.md)\n\n# Beside\n\n- [Life](life.md)\n- [Sources](sources.md)\n\n---\n\n[Glossary](glossary.md)\n";

    fn book() -> (tempfile::TempDir, Book) {
        invented(&[
            ("SUMMARY.md", CONTENTS),
            ("how.md", "Minutes: 10\n"),
            ("01-one.md", "Minutes: 20\n\n### 1. First\n\n*Explain · 5 minutes · easy.* Why?\n"),
            (
                "02-two.md",
                "Minutes: 15\n\n[x](life.md#life)\n\n### 2. A `b`\n\n*Code · 40 minutes · hard.* Do.\n\n```md\n*Code · 9 minutes · easy.*\n```\n",
            ),
            ("02-part.md", "# Part\n\nMinutes: 5\n\n## Exercise\n\n*Build · 30 minutes · medium.* Do.\n"),
            ("life.md", "Minutes: 25\n"),
            ("sources.md", "Minutes: 3\n"),
            ("glossary.md", "x\n"),
        ])
    }

    /// Protects a teacher's plan: every page and exercise is in one week, with the minutes that it states.
    #[test]
    fn nothing_is_left_out_and_nothing_counted_twice() {
        let (_directory, book) = book();
        let chapters = units(&book, Whole::Chapters);
        assert_eq!(
            chapters.iter().map(Unit::minutes).collect::<Vec<_>>(),
            [10 + 20 + 5, 15 + 25 + 40 + 5 + 30, 3]
        );
        assert_eq!(chapters[1].exercises[0].link, "02-two.md#2-a-b");
        assert_eq!(chapters[1].exercises[1].title, "Exercise: Part");
        let pages = units(&book, Whole::Pages);
        assert_eq!(
            pages.iter().map(Unit::minutes).collect::<Vec<_>>(),
            [30, 5, 15 + 25, 5 + 30, 40 + 3],
            "the exercises of a chapter stand behind its pages"
        );
        let table = super::pages(&book);
        assert!(table.contains("| [02 Two](02-two.md) (15) | [Part](02-part.md) (5) | 20 |\n"), "{table}");
        let page = schedule(&book, 2, Whole::Chapters);
        assert!(
            page.contains(
                "| 1 | 35 | [How](how.md) (10), [01 One](01-one.md) (20) | [First](01-one.md#1-first) (5) |"
            ),
            "{page}"
        );
        assert!(page.contains("1 h 18 min of reading and 1 h 15 min of exercises"), "{page}");
        assert_eq!(faults(&book), [""; 0]);
    }

    /// Protects the longest week: one long unit has a week of its own.
    #[test]
    fn weeks_are_as_even_as_their_units_allow() {
        assert_eq!(begins(&[10, 10, 10, 90, 10, 20], 3), [0, 3, 4]);
        assert_eq!(begins(&[10, 10], 3), [0, 1], "more weeks than units");
    }

    /// Protects the sums from a page that nobody counted.
    #[test]
    fn a_page_that_names_no_minutes_is_found() {
        let (_directory, book) = invented(&[
            ("SUMMARY.md", CONTENTS),
            ("01-one.md", "Minutes: 20\n"),
            ("02-part.md", "Minutes: some\n"),
        ]);
        assert_eq!(faults(&book), ["02-part.md: it does not say how many minutes it takes (`Minutes: 20`)"]);
    }
}
