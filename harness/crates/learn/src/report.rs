//! What a course sees: the progress of one learner, or of several.

use crate::exercise::Lab;
use crate::progress::{Entry, FILE, Progress, State};
use anyhow::{Result, ensure};
use comfy_table::{Table, presets};
use lab_core::Usage;
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

/// The report of these learners' folders, each with the name that it is shown by.
///
/// # Errors
/// Which folder is none of a learner.
pub(crate) fn report(lab: &Lab, folders: &[(String, PathBuf)], format: Format) -> Result<String> {
    let mut learners = Vec::new();
    for (name, folder) in folders {
        learners.push(learner(lab, name, folder)?);
    }
    Ok(match format {
        Format::Json => serde_json::to_string_pretty(&learners)? + "\n",
        Format::Table => table(&learners),
    })
}

fn learner(lab: &Lab, name: &str, folder: &Path) -> Result<Learner> {
    let progress = Progress::read(folder)?;
    let row = |exercise: &crate::Exercise| Row {
        name: exercise.name.clone(),
        chapter: exercise.chapter,
        title: exercise.title.clone(),
        state: progress.state(exercise),
        probes: exercise.probes.len(),
        entry: progress.exercises.get(&exercise.name).cloned().unwrap_or_default(),
    };
    let exercises: Vec<Row> = lab.exercises.iter().map(row).collect();
    Ok(Learner { work: name.to_owned(), solved: progress.solved(lab), of: exercises.len(), exercises })
}

/// The folders that were named, each of which must have a progress.
///
/// # Errors
/// Which has none.
pub(crate) fn named(folders: &[PathBuf]) -> Result<Vec<(String, PathBuf)>> {
    let mut named = Vec::new();
    for folder in folders {
        let has = folder.join(FILE).is_file();
        let shown = folder.display();
        ensure!(
            has,
            Usage::new(format!("{shown} has no {FILE}: name the folders in which ./lab learn works"))
        );
        named.push((shown.to_string(), folder.clone()));
    }
    Ok(named)
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
        let name = if several { format!("{}: ", learner.work) } else { String::new() };
        text.push_str(&format!("{name}{} of {} exercises solved\n", learner.solved, learner.of));
    }
    text
}
