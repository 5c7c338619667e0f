//! The generated parts of the book, each a file of `notes/src/generated`: what a chapter asks first, what a
//! step costs, its diff, the system calls of a request, what a connection costs by what holds it, where work
//! stealing helps, and the exercises that build. Pages include them, so their links are relative to the
//! pages.

use crate::calls::{self, Calls, Task};
use crate::markdown::{parts, plain};
use crate::predictions::Predictions;
use crate::step::{self, Change};
use anyhow::{Context, Result};
use figures::chapter::{Comparison, Cost, Newest};
use lab_core::stages::Stage;
use lab_core::units::count;
use learn::Lab;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs::read_to_string;
use std::path::{Path, PathBuf};

/// The folder of the generated parts, as a page names it.
pub(crate) const FOLDER: &str = "generated";
/// What the names of the parts begin with that this crate makes.
pub(crate) const OURS: [&str; 13] = [
    "cost-",
    "concurrency.",
    "stealing.",
    "diff-",
    "diffs.",
    "calls-",
    "calls.",
    "exercise-",
    "predict-",
    "experiments-",
    "claims.",
    "pages.",
    "schedule-",
];

/// The parts that each chapter has; the first stage has no step before it, and no diff.
pub(crate) const OF_CHAPTER: [&str; 5] = ["predict", "diff", "calls", "cost", "experiments"];

/// The line by which a chapter includes a part of its own.
pub(crate) fn include(part: &str, stage: &str) -> String {
    format!("{{{{#include {FOLDER}/{part}-{stage}.md}}}}")
}

/// A chapter with the includes in the place of its marks: `<!-- generated: cost -->`.
pub(crate) fn with_includes(text: &str, stage: &str) -> String {
    OF_CHAPTER.iter().fold(text.to_owned(), |text, part| {
        text.replace(&format!("<!-- generated: {part} -->"), &include(part, stage))
    })
}

/// Every part of the tree below `root` by its name, but for the recordings of strace, which are read from
/// `folder`, where they were written.
pub(crate) fn all(
    stages: &[Stage],
    lab: &Lab,
    root: &Path,
    folder: &Path,
) -> Result<BTreeMap<String, String>> {
    let stages: Vec<&Stage> = stages.iter().filter(|stage| !stage.is_twin).collect();
    let find = |number: u8| stages.iter().find(|base| base.number == number).copied();
    let newest = Newest::open(&root.join("results/data"))?;
    let mut all = BTreeMap::new();
    let mut sizes = Vec::new();
    for stage in &stages {
        let predictions = Predictions::read(root, &stage.name)?;
        all.insert(format!("predict-{}.md", stage.name), predictions.page(stage.number));
        let (base, beside) = (find(stage.builds_on), find(stage.compared_with));
        let name = |base: &Stage| (base.name.clone(), base.title.clone());
        let (based, own) = (beside.map(name), name(stage));
        let of = based.as_ref().map(|(name, title)| (name.as_str(), title.as_str()));
        let cost = newest.cost(of, (&own.0, &own.1))?;
        all.insert(format!("cost-{}.md", stage.name), cost_page(stage, beside, &cost, folder));
        all.extend(cost.picture.map(|picture| (format!("cost-{}.svg", stage.name), picture + "\n")));
        if let Some(base) = base {
            let changes = step::changes(&base.folder.join("src"), &stage.folder.join("src"))?;
            all.insert(format!("diff-{}.md", stage.name), diff_page(base, stage, &changes));
            sizes.push((base, *stage, changes));
        }
    }
    let comparisons = [("concurrency", newest.concurrency()), ("stealing", newest.stealing())];
    for (scenario, found) in comparisons {
        all.insert(format!("{scenario}.md"), comparison_page(found.as_ref(), scenario));
    }
    all.insert("diffs.md".into(), sizes_page(&sizes));
    all.insert("calls.md".into(), calls_table(&stages, folder));
    let instructions = profile::instructions::committed(root)?;
    let trials = profile::instructions::trials(root)?;
    all.insert("instructions.md".into(), profile::instructions::page(instructions.as_ref(), &trials));
    let exercises = lab.exercises.iter();
    all.extend(exercises.map(|exercise| (format!("exercise-{}.md", exercise.name), learn::part(exercise))));
    Ok(all)
}

fn cost_page(stage: &Stage, base: Option<&Stage>, cost: &Cost, folder: &Path) -> String {
    let name = &stage.name;
    let mut page = String::new();
    let head = base.map_or(String::new(), |base| format!(" stage {} |", base.name));
    let change = if base.is_some() { " change |" } else { "" };
    let rule = if base.is_some() { "---:|---|" } else { "" };
    let _ = write!(page, "| |{head} stage {name} |{change}\n|---|---:|{rule}\n");
    for row in &cost.rows {
        let base = row.base.as_ref().map_or(String::new(), |base| format!(" {} |", plain(base)));
        let change = if row.base.is_some() { format!(" {} |", plain(&row.change)) } else { String::new() };
        let _ = writeln!(page, "| {} |{base} {} |{change}", plain(&row.measure), plain(&row.stage));
    }
    let calls = |stage: &Stage| {
        counts_of(folder, &stage.name)
            .ok_or(format!("not recorded: `./lab notes-calls {}` does it", stage.number))
    };
    let words = |counts: &Result<[usize; 2], String>| match counts {
        Ok([kept, fresh]) => format!("{kept}, {fresh}"),
        Err(why) => why.clone(),
    };
    let own = calls(stage);
    let based = base.map(calls);
    let change = match (&based, &own) {
        (None, _) => String::new(),
        (Some(Ok(base)), Ok(own)) if base == own => " the same |".into(),
        (Some(Ok(base)), Ok(own)) => {
            let by = |at: usize| match own[at] as i64 - base[at] as i64 {
                0 => "±0".to_owned(),
                more if more > 0 => format!("+{more}"),
                less => format!("−{}", less.abs()),
            };
            format!(" {}, {} |", by(0), by(1))
        }
        _ => " not compared: one of them was not recorded |".into(),
    };
    let base_cell = based.as_ref().map_or(String::new(), |counts| format!(" {} |", words(counts)));
    let _ = writeln!(
        page,
        "| system calls of a lone request on a kept connection, and on a new one |{base_cell} {} |{change}",
        words(&own)
    );
    let _ = write!(page, "\n{}\n", plain(&cost.sentence));
    if cost.picture.is_some() {
        let beside = base.map_or("the floor".into(), |base| format!("stage {} and the floor", base.name));
        let _ = write!(
            page,
            "\n![CPU time of a request of stage {name} beside {beside}, with intervals]({FOLDER}/cost-{name}.svg)\n"
        );
    }
    for command in &cost.missing {
        let _ = write!(page, "\nSome figures are missing: `{command}` records them.\n");
    }
    if !cost.files.is_empty() {
        let _ = write!(
            page,
            "\nMedians, in brackets their intervals ([how to read them](reading-a-benchmark.md)). Memory is the program's \
             own: what the kernel needs for a connection comes to it ([idle connections](../../results/c10k.svg)). \
             Data: {}.\n",
            links(&cost.files)
        );
    }
    page
}

/// Files of records, as a page links them.
fn links(files: &[PathBuf]) -> String {
    let link = |file: &PathBuf| {
        let file = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        format!("[{file}](../../results/data/{file})")
    };
    files.iter().map(link).collect::<Vec<_>>().join(", ")
}

/// Servers side by side: the pictures of the report, the medians, and what can be told apart.
fn comparison_page(found: Option<&Comparison>, scenario: &str) -> String {
    let Some(found) = found else {
        return format!("Not measured yet: `./lab scenario {scenario}` records it.\n");
    };
    let mut page = String::new();
    for (file, title) in &found.pictures {
        let _ = write!(page, "![{}](../../results/{file})\n\n", plain(title));
    }
    let head: Vec<String> = found.head.iter().map(|name| plain(name)).collect();
    let _ = write!(page, "| | {} |\n|---|{}\n", head.join(" | "), "---:|".repeat(head.len()));
    for row in &found.rows {
        let cells: Vec<String> = row.iter().map(|cell| plain(cell)).collect();
        let _ = writeln!(page, "| {} |", cells.join(" | "));
    }
    page.push('\n');
    for sentence in &found.sentences {
        let _ = writeln!(page, "- {}.", plain(sentence.trim_end_matches('.')));
    }
    let _ = write!(
        page,
        "\nMedians, in brackets the intervals of the factors ([how to read them](reading-a-benchmark.md)); the pictures have \
         the others. Data: {}.\n",
        links(&found.files)
    );
    page
}

fn diff_page(base: &Stage, stage: &Stage, changes: &[Change]) -> String {
    let total = changes.iter().map(Change::counts).fold((0, 0), |(a, b), (c, d)| (a + c, b + d));
    let mut page = format!(
        "From stage {} to stage {}: {}, +{} −{} lines (`./lab step {} {}` prints the same).\n",
        base.name,
        stage.name,
        count(changes.len(), "file"),
        total.0,
        total.1,
        base.number,
        stage.number
    );
    for change in changes {
        let (added, removed) = change.counts();
        let path = change.path.display();
        let (info, text, note) = match change.is_new() {
            true => ("rust,ignore", change.after.clone(), ", a new file"),
            false => ("diff", change.unified(), ""),
        };
        let mark = if text.contains("```") { "````" } else { "```" };
        let _ = write!(
            page,
            "\n<details><summary><code>src/{path}</code>: +{added} −{removed}{note}</summary>\n\n\
             {mark}{info}\n{}\n{mark}\n\n</details>\n",
            text.trim_end()
        );
    }
    page
}

fn sizes_page(sizes: &[(&Stage, &Stage, Vec<Change>)]) -> String {
    let mut page = String::from("| step | file | added | removed |\n|---|---|---:|---:|\n");
    for (base, stage, changes) in sizes {
        let step = format!("[{}→{}]({})", base.name, stage.name, stage.chapter);
        let total = changes.iter().map(Change::counts).fold((0, 0), |(a, b), (c, d)| (a + c, b + d));
        let _ = writeln!(page, "| {step} | **all {}** | **{}** | **{}** |", changes.len(), total.0, total.1);
        for change in changes {
            let (added, removed) = change.counts();
            let note = if change.is_new() { " (new)" } else { "" };
            let _ = writeln!(page, "| | `{}`{note} | {added} | {removed} |", change.path.display());
        }
    }
    page
}

/// The titles of the two transcripts, by which they are found again.
const KEPT: &str = "On a kept connection";
const FRESH: &str = "On a new connection";

/// The recording of a stage, or why there is none.
pub(crate) fn calls_page(stage: &Stage, calls: std::result::Result<&Calls, &str>) -> String {
    let number = stage.number;
    let calls = match calls {
        Ok(calls) => calls,
        Err(why) => {
            return format!(
                "No recording of its system calls: {}. `./lab notes-calls {number}` makes one.\n",
                plain(why)
            );
        }
    };
    let total = |tasks: &[Task]| count(number_of(tasks), "system call");
    let mut page = format!(
        "One request takes {} on a kept connection, and {} on a new one ([the other stages](system-calls.md)).\n\n\
         <details><summary>All of them, as strace recorded them</summary>\n\n",
        total(&calls.kept),
        total(&calls.fresh)
    );
    for (title, tasks) in [(KEPT, &calls.kept), (FRESH, &calls.fresh)] {
        let _ = write!(page, "{title}:\n\n```text\n");
        for task in tasks {
            if tasks.len() > 1 {
                let _ = writeln!(page, "# task {}", task.number);
            }
            for line in &task.calls {
                let _ = writeln!(page, "{line}");
            }
        }
        page.push_str("```\n\n");
    }
    let worker = if stage.has_workers { ", with one worker" } else { "" };
    let _ = write!(
        page,
        "Recorded by `./lab notes-calls {number}`{worker}. Descriptors are numbered in the order in which they appear; \
         ports, addresses, times and process numbers are replaced, and calls of the allocator and time-outs \
         left out. A task is a thread or a process, by its age.\n\n</details>\n"
    );
    page
}

/// The two transcripts of a page of calls: of the kept connection, and of the new one.
pub(crate) fn calls_of(page: &str) -> Option<[Vec<Task>; 2]> {
    let fences = parts(page).fences;
    let [kept, fresh] = fences.as_slice() else { return None };
    Some([kept, fresh].map(|fence| {
        let mut tasks: Vec<Task> = Vec::new();
        for line in &fence.lines {
            let number = line.strip_prefix("# task ").and_then(|number| number.parse().ok());
            match (number, tasks.last_mut()) {
                (Some(number), _) => tasks.push(Task { number, calls: Vec::new() }),
                (None, Some(task)) => task.calls.push(line.clone()),
                // One alone is not named.
                (None, None) => tasks.push(Task { number: 1, calls: vec![line.clone()] }),
            }
        }
        tasks
    }))
}

pub(crate) fn number_of(tasks: &[Task]) -> usize {
    tasks.iter().flat_map(|task| &task.calls).filter(|line| !calls::name(line).is_empty()).count()
}

/// How many calls a request makes on a kept connection and on a new one, by the recording of a stage.
pub(crate) fn counts_of(folder: &Path, stage: &str) -> Option<[usize; 2]> {
    let page = read_to_string(folder.join(format!("calls-{stage}.md"))).ok()?;
    Some(calls_of(&page)?.map(|tasks| number_of(&tasks)))
}

/// Calls by name, for one request of each stage.
fn calls_table(stages: &[&Stage], folder: &Path) -> String {
    let pages: Vec<_> = stages
        .iter()
        .map(|stage| {
            let page = read_to_string(folder.join(format!("calls-{}.md", stage.name)));
            (*stage, page.ok().and_then(|page| calls_of(&page)))
        })
        .collect();
    let mut text = String::new();
    for (at, title) in [KEPT, FRESH].into_iter().enumerate() {
        let _ = write!(text, "**{title}**:\n\n| stage | calls | by name |\n|---|---:|---|\n");
        for (stage, calls) in &pages {
            let name = format!("[{} {}]({})", stage.name, plain(&stage.title), stage.chapter);
            let Some(calls) = calls else {
                let _ = writeln!(
                    text,
                    "| {name} | – | not recorded: `./lab notes-calls {}` does it |",
                    stage.number
                );
                continue;
            };
            let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
            let lines = calls[at].iter().flat_map(|task| &task.calls);
            let names = lines.map(|line| calls::name(line)).filter(|name| !name.is_empty());
            names.for_each(|name| *counts.entry(name).or_default() += 1);
            let total: usize = counts.values().sum();
            let words: Vec<String> = counts
                .iter()
                .map(
                    |(name, count)| {
                        if *count == 1 { format!("`{name}`") } else { format!("{count} × `{name}`") }
                    },
                )
                .collect();
            let _ = writeln!(text, "| {name} | {total} | {} |", words.join(", "));
        }
        text.push('\n');
    }
    text.trim_end().to_owned() + "\n"
}

/// Whether two pages of calls are of the same kind. A task that is alone makes the same calls in the same
/// order. Where tasks wake each other, it is luck which of two things one of them sees first, and whether one
/// wait reports both: then each makes the same calls, waits left out.
pub(crate) fn is_same_kind(one: &str, other: &str) -> Result<bool> {
    let of = |page: &str| calls_of(page).context("it has not two transcripts");
    let (one, other) = (of(one)?, of(other)?);
    let kinds = |calls: &[Vec<Task>; 2]| -> Vec<Vec<Vec<String>>> {
        let tasks = |tasks: &Vec<Task>| {
            let is_alone = tasks.len() == 1;
            let task = |task: &Task| {
                let mut kind: Vec<String> = calls::kind(&task.calls).into_iter().map(str::to_owned).collect();
                if !is_alone {
                    kind.retain(|name| !name.starts_with("epoll_") || name == "epoll_ctl");
                    kind.sort();
                }
                kind
            };
            tasks.iter().map(task).filter(|kind| !kind.is_empty()).collect()
        };
        calls.iter().map(tasks).collect()
    };
    Ok(kinds(&one) == kinds(&other))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(number: usize, calls: &[&str]) -> Task {
        Task { number, calls: calls.iter().map(|&call| call.to_owned()).collect() }
    }

    /// Protects the table and the comparison, which read what the recording wrote.
    #[test]
    fn a_recording_is_read_as_it_was_written() {
        let stage = Stage { number: 6, name: "06".into(), ..Stage::default() };
        let calls = Calls {
            kept: vec![task(1, &["read(fd1) = 1", "sendto(fd1) = 2"])],
            fresh: vec![task(1, &["accept4(fd2) = fd1"]), task(3, &["read(fd1) = 1", "--- SIGCHLD ---"])],
        };
        let page = calls_page(&stage, Ok(&calls));
        assert!(page.starts_with(
            "One request takes 2 system calls on a kept connection, and 2 system calls on a new one"
        ));
        let [kept, fresh] = calls_of(&page).expect("two transcripts");
        assert_eq!((kept, fresh), (calls.kept.clone(), calls.fresh.clone()));
        let mut other = calls.clone();
        other.fresh[1].calls.insert(1, "futex(0x…) = 1".into());
        assert!(is_same_kind(&page, &calls_page(&stage, Ok(&other))).expect("two pages"));
        other.fresh[0].calls.insert(0, "epoll_wait(fd3) = 1".into());
        other.fresh[1].calls.reverse();
        assert!(is_same_kind(&page, &calls_page(&stage, Ok(&other))).expect("two pages"), "two tasks race");
        let mut turned = calls.clone();
        turned.kept[0].calls.reverse();
        assert!(
            !is_same_kind(&page, &calls_page(&stage, Ok(&turned))).expect("two pages"),
            "one task does not"
        );
        other.fresh[1].calls.insert(1, "read(fd1) = -1 EAGAIN".into());
        assert!(!is_same_kind(&page, &calls_page(&stage, Ok(&other))).expect("two pages"));
        assert!(is_same_kind(&page, &calls_page(&stage, Err("no strace"))).is_err());
    }

    /// Protects a new chapter: its marks become what is generated for it, and those of others stay.
    #[test]
    fn marks_become_includes() {
        let text = "<!-- generated: cost -->\n<!-- generated: timeline -->\n<!-- generated: diff -->\n";
        assert_eq!(
            with_includes(text, "05"),
            "{{#include generated/cost-05.md}}\n<!-- generated: timeline -->\n{{#include generated/diff-05.md}}\n"
        );
    }

    /// Protects the book of a tree in which nothing was measured yet, and the words of a server's title.
    #[test]
    fn what_holds_a_connection_is_shown_once_it_was_measured() {
        let none = comparison_page(None, "stealing");
        assert_eq!(none, "Not measured yet: `./lab scenario stealing` records it.\n");
        let found = Comparison {
            head: vec!["memory".into()],
            rows: vec![vec!["12 future | more".into(), "1.2 kB".into()]],
            sentences: vec!["Memory, beside stage 10: 12 ×2.1 [2.0 to 2.2].".into()],
            pictures: vec![("concurrency.svg".into(), "What does it cost?".into())],
            files: vec!["results/data/1-a-concurrency.jsonl".into()],
        };
        let page = comparison_page(Some(&found), "concurrency");
        for part in [
            "![What does it cost?](../../results/concurrency.svg)\n\n| | memory |\n|---|---:|\n",
            "\n| 12 future \\| more | 1.2 kB |\n\n- Memory, beside stage 10: 12 ×2.1 [2.0 to 2.2].\n",
            "Data: [1-a-concurrency.jsonl](../../results/data/1-a-concurrency.jsonl).\n",
        ] {
            assert!(page.contains(part), "{part} is not in {page}");
        }
    }

    /// Protects the page of a step: the counts come first, a new file is shown as it is, and a fence in it
    /// ends no fence around it.
    #[test]
    fn a_diff_can_be_read() {
        let (base, stage) = (
            Stage { name: "04".into(), number: 4, ..Stage::default() },
            Stage { name: "05".into(), number: 5, ..Stage::default() },
        );
        let change = |path: &str, before: &str, after: &str| Change {
            path: PathBuf::from(path),
            before: before.into(),
            after: after.into(),
        };
        let page = diff_page(
            &base,
            &stage,
            &[change("server.rs", "a\nb\n", "a\nc\nd\n"), change("new.rs", "", "/// ```\nfn new() {}\n")],
        );
        assert!(page.starts_with("From stage 04 to stage 05: 2 files, +4 −1 lines"), "{page}");
        assert!(page.contains("<code>src/server.rs</code>: +2 −1</summary>\n\n```diff\n@@"), "{page}");
        assert!(page.contains("a new file</summary>\n\n````rust,ignore\n/// ```"), "{page}");
    }
}
