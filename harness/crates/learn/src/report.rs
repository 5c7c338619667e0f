//! What a course sees: the progress of one learner, or of several.

use crate::exercise::Lab;
use crate::progress::{Entry, FILE, Progress, State};
use anyhow::Result;
use comfy_table::{Table, presets};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// In what a report is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// For people
    Table,
    /// One JSON document
    Json,
}

/// One learner.
#[derive(Serialize)]
struct Learner {
    work: String,
    /// Why nothing is known of the learner.
    #[serde(skip_serializing_if = "Option::is_none")]
    fault: Option<String>,
    solved: usize,
    of: usize,
    exercises: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    name: String,
    chapter: u8,
    title: String,
    state: State,
    probes: usize,
    #[serde(flatten)]
    entry: Entry,
}

/// A learner's folder, and the name that it is shown by.
pub(crate) struct Folder {
    name: String,
    path: PathBuf,
    /// Whether no progress at all is a fault. In a learner's own folder there is none before the first
    /// exercise.
    must_have_progress: bool,
}

/// The learner's own folder.
pub(crate) fn own(name: String, path: &Path) -> Vec<Folder> {
    vec![Folder { name, path: path.to_owned(), must_have_progress: false }]
}

/// The folders that were named, each of which must have a progress.
pub(crate) fn named(folders: &[PathBuf]) -> Vec<Folder> {
    let named = |path: &PathBuf| Folder {
        name: path.display().to_string(),
        path: path.clone(),
        must_have_progress: true,
    };
    folders.iter().map(named).collect()
}

/// The report of these learners' folders, and whether all of them have a progress that can be read: one that
/// has none must not hide the others.
///
/// # Errors
/// That it cannot be written as JSON.
pub(crate) fn report(lab: &Lab, folders: &[Folder], format: Format) -> Result<(String, bool)> {
    let learners: Vec<Learner> = folders.iter().map(|folder| learner(lab, folder)).collect();
    let is_whole = learners.iter().all(|learner| learner.fault.is_none());
    let text = match format {
        Format::Json => serde_json::to_string_pretty(&learners)? + "\n",
        Format::Table => table(&learners),
    };
    Ok((text, is_whole))
}

fn learner(lab: &Lab, folder: &Folder) -> Learner {
    let (progress, fault) = match Progress::read(&folder.path) {
        _ if folder.must_have_progress && !folder.path.join(FILE).exists() => {
            let hint = if folder.path.is_dir() { "" } else { ": there is no such folder" };
            (Progress::default(), Some(format!("no {FILE}{hint}")))
        }
        Ok(progress) => (progress, None),
        // The context names the file, which the name of the learner does too.
        Err(error) => (Progress::default(), Some(format!("damaged: {FILE}: {}", error.root_cause()))),
    };
    let row = |exercise: &crate::Exercise| Row {
        name: exercise.name.clone(),
        chapter: exercise.chapter,
        title: exercise.title.clone(),
        state: progress.state(exercise),
        probes: exercise.probes.len(),
        entry: progress.exercises.get(&exercise.name).cloned().unwrap_or_default(),
    };
    let exercises: Vec<Row> = lab.exercises.iter().map(row).collect();
    let (work, solved) = (folder.name.clone(), progress.solved(lab));
    Learner { work, fault, solved, of: exercises.len(), exercises }
}

fn table(learners: &[Learner]) -> String {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY);
    let several = learners.len() > 1;
    let mut header = vec!["exercise", "state", "probes", "attempts", "hints", "opened", "solved"];
    if several {
        header.insert(0, "learner");
    }
    table.set_header(header);
    for learner in learners {
        for row in &learner.exercises {
            // Of a course only what was begun.
            if several && row.state == State::New {
                continue;
            }
            let time = |time: &Option<String>| time.clone().unwrap_or_default();
            let mut cells = vec![
                row.name.clone(),
                row.state.word().to_owned(),
                format!("{} of {}", row.entry.passed, row.probes),
                row.entry.attempts.to_string(),
                row.entry.hints.to_string(),
                time(&row.entry.opened),
                time(&row.entry.solved),
            ];
            if several {
                cells.insert(0, learner.work.clone());
            }
            table.add_row(cells);
        }
    }
    let mut text = format!("{table}\n");
    for learner in learners {
        let name =
            if several || learner.fault.is_some() { format!("{}: ", learner.work) } else { String::new() };
        text.push_str(&match &learner.fault {
            Some(fault) => format!("{name}{fault}\n"),
            None => format!("{name}{} of {} exercises solved\n", learner.solved, learner.of),
        });
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Protects a teacher: one folder without a progress, or with a damaged one, does not hide the others.
    #[test]
    fn a_damaged_folder_hides_no_other() {
        let lab = Lab::find().expect("the tree");
        let place = tempfile::tempdir().expect("a directory");
        let paths = ["good", "empty", "damaged"].map(|name| place.path().join(name));
        paths.iter().for_each(|path| std::fs::create_dir(path).expect("a folder"));
        std::fs::write(paths[0].join(FILE), "{}").expect("written");
        std::fs::write(paths[2].join(FILE), "{ what").expect("written");
        let (text, is_whole) = report(&lab, &named(&paths), Format::Table).expect("a report");
        assert!(!is_whole);
        let line = |path: &Path| {
            let start = format!("{}: ", path.display());
            text.lines().find_map(|line| line.strip_prefix(&start)).expect("a line").to_owned()
        };
        assert_eq!(line(&paths[0]), format!("0 of {} exercises solved", lab.exercises.len()));
        assert_eq!(line(&paths[1]), "no progress.json");
        assert!(line(&paths[2]).starts_with("damaged: progress.json: "), "{text}");
        let (text, is_whole) = report(&lab, &named(&paths[..1]), Format::Json).expect("a report");
        assert!(is_whole && !text.contains("fault"), "{text}");
        let (text, is_whole) = report(&lab, &own("work".into(), &paths[1]), Format::Table).expect("a report");
        assert!(is_whole && text.contains("0 of "), "{text}");
    }
}
