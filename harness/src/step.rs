//! `harness step`: what changed from one stage to the next, as a diff of the loop and every file that is new.

use anyhow::{Context, Result, bail};
use lab_core::stages::{self, Stage};
use similar::{ChangeTag, TextDiff};
use std::fs::read_to_string;
use std::io::{IsTerminal, Write, stdout};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Lines of context around a change.
const CONTEXT: usize = 3;

/// The options.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The stage, and before it the stage to compare it with [default: the one that it builds on].
    #[arg(value_name = "STAGE", num_args = 1..=2, required = true)]
    stages: Vec<String>,

    /// Only how many lines each file adds and removes.
    #[arg(long)]
    stat: bool,
}

/// A file of the step, before and after.
struct Change {
    path: PathBuf,
    before: String,
    after: String,
}

/// Runs it.
pub(crate) fn run(args: Args) -> Result<ExitCode> {
    let all = stages::discover()?;
    let to = find(&all, args.stages.last().context("one stage at least")?)?;
    let from = match args.stages.as_slice() {
        [from, _] => find(&all, from)?,
        _ if to.builds_on == 0 => bail!("stage {} is the first: there is no step to it", to.name),
        _ => find(&all, &to.builds_on.to_string())?,
    };
    let changes = changes(from, to)?;
    let mut out = Painter { out: stdout().lock(), colour: stdout().is_terminal() };
    out.line("", &format!("From stage {} ({}) to stage {} ({})", from.name, from.title, to.name, to.title))?;
    out.line("", &format!("New: {}", to.idea))?;
    for change in &changes {
        let (added, removed) = change.count();
        let note = if change.before.is_empty() { "  a new file" } else { "" };
        out.line("", &format!("  {:<28} +{added} -{removed}{note}", change.path.display()))?;
    }
    let inherited = inherited(&to.folder.join("src/server.rs"))?;
    out.line("", &format!("Its loop inherits from: {}", inherited.join(", ")))?;
    if !args.stat {
        changes.iter().try_for_each(|change| out.diff(change))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// A twin is a second binary of a stage: its file is part of that stage's step.
fn find<'a>(all: &'a [Stage], name: &str) -> Result<&'a Stage> {
    let stage = stages::find(all, name)?;
    if stage.is_twin {
        bail!("{} is a twin, for a contrast that is no step: ask for stage {:02}", stage.name, stage.number);
    }
    Ok(stage)
}

/// The loop first, then the files that are new, by name. What `to` inherits it uses where it is.
fn changes(from: &Stage, to: &Stage) -> Result<Vec<Change>> {
    let mut files = Vec::new();
    collect(&to.folder.join("src"), &mut files)?;
    files.sort_by_key(|path| (path.file_name() != Some("server.rs".as_ref()), path.clone()));
    let mut changes = Vec::new();
    for file in files {
        let path = file.strip_prefix(to.folder.join("src"))?.to_owned();
        let after = read_to_string(&file).with_context(|| format!("{} cannot be read", file.display()))?;
        let after = without_anchors(&after);
        let before = read_to_string(from.folder.join("src").join(&path)).unwrap_or_default();
        let before = without_anchors(&before);
        if before != after {
            changes.push(Change { path, before, after });
        }
    }
    Ok(changes)
}

/// The lines that mark the book's excerpts are no part of a step.
fn without_anchors(text: &str) -> String {
    text.split_inclusive('\n').filter(|line| !line.trim_start().starts_with("// ANCHOR")).collect()
}

/// The files of a crate's source, without those that only list or start the others.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let entries = folder.read_dir().with_context(|| format!("{} cannot be read", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            if name != "bin" {
                collect(&path, files)?;
            }
        } else if name.ends_with(".rs") && !matches!(name.as_str(), "lib.rs" | "main.rs") {
            files.push(path);
        }
    }
    Ok(())
}

/// What a loop's `use` lines take from other crates of the lab: `nonblocking_epoll::connection`.
fn inherited(server: &Path) -> Result<Vec<String>> {
    let text = read_to_string(server).with_context(|| format!("{} cannot be read", server.display()))?;
    let foreign = ["std", "nix", "clap", "libc", "io_uring", "mio", "crate"];
    let used = text.lines().filter_map(|line| line.strip_prefix("use "));
    let mut names: Vec<String> = used
        .filter_map(|path| path.split_once("::"))
        .filter(|(first, _)| !foreign.contains(first))
        .map(|(first, rest)| match rest.split(['{', ':', ';']).next() {
            Some(module) if first != "kit" && !module.is_empty() => format!("{first}::{module}"),
            _ => first.to_owned(),
        })
        .collect();
    names.sort();
    names.dedup();
    Ok(names)
}

impl Change {
    /// Lines added and removed.
    fn count(&self) -> (usize, usize) {
        let diff = TextDiff::from_lines(&self.before, &self.after);
        let count = |tag| diff.iter_all_changes().filter(|change| change.tag() == tag).count();
        (count(ChangeTag::Insert), count(ChangeTag::Delete))
    }
}

/// Prints a diff, in colour on a terminal.
struct Painter<W> {
    out: W,
    colour: bool,
}

impl<W: Write> Painter<W> {
    /// `code` is what SGR calls the colour.
    fn line(&mut self, code: &str, text: &str) -> Result<()> {
        let text = text.trim_end_matches('\n');
        match self.colour && !code.is_empty() {
            true => writeln!(self.out, "\x1b[{code}m{text}\x1b[0m")?,
            false => writeln!(self.out, "{text}")?,
        }
        Ok(())
    }

    fn diff(&mut self, change: &Change) -> Result<()> {
        self.line("", "")?;
        self.line("1", &format!("--- {} ---", change.path.display()))?;
        let diff = TextDiff::from_lines(&change.before, &change.after);
        for (index, group) in diff.grouped_ops(CONTEXT).iter().enumerate() {
            if index > 0 {
                self.line("36", "...")?;
            }
            for line in group.iter().flat_map(|op| diff.iter_changes(op)) {
                let (code, sign) = match line.tag() {
                    ChangeTag::Insert => ("32", '+'),
                    ChangeTag::Delete => ("31", '-'),
                    ChangeTag::Equal => ("", ' '),
                };
                self.line(code, &format!("{sign}{}", line.value()))?;
            }
        }
        Ok(())
    }
}
