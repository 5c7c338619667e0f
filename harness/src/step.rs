//! `./lab step`: what changed from one stage to the next, as a diff of the loop and every file that is new.

use anyhow::{Context, Result, bail};
use book::step::{Change, changes, read};
use lab_core::Usage;
use lab_core::stages::{self, Stage};
use std::io::{IsTerminal, stdout};
use std::process::ExitCode;

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

/// Runs it.
pub(crate) fn run(args: Args) -> Result<ExitCode> {
    let all = stages::discover()?;
    let to = find(&all, args.stages.last().context("one stage at least")?)?;
    let from = match args.stages.as_slice() {
        [from, _] => find(&all, from)?,
        _ if to.builds_on == 0 => {
            bail!(Usage::new(format!("stage {} is the first: there is no step to it", to.name)))
        }
        _ => find(&all, &to.builds_on.to_string())?,
    };
    if from.number == to.number {
        let name = &to.name;
        bail!(Usage::new(format!("there is no step from stage {name} to itself: name two stages, or one")));
    }
    println!("From stage {} ({}) to stage {} ({})", from.name, from.title, to.name, to.title);
    println!("New: {}", to.idea);
    let changes = changes(&from.folder.join("src"), &to.folder.join("src"))?;
    for change in &changes {
        let (added, removed) = change.counts();
        let note = if change.is_new() { "  a new file" } else { "" };
        println!("  {:<28} +{added} -{removed}{note}", change.path.display());
    }
    println!("Its loop inherits from: {}", inherited(&read(&to.folder.join("src/server.rs"))?).join(", "));
    if !args.stat {
        changes.iter().for_each(print);
    }
    Ok(ExitCode::SUCCESS)
}

/// A twin is a second binary of a stage: its file is part of that stage's step.
fn find<'a>(all: &'a [Stage], name: &str) -> Result<&'a Stage> {
    let stage = stages::find(all, name)?;
    if stage.is_twin {
        bail!(Usage::new(format!(
            "{} is a twin, for a contrast that is no step: ask for stage {:02}",
            stage.name, stage.number
        )));
    }
    Ok(stage)
}

/// What a loop's `use` lines take from other crates of the lab: `nonblocking_epoll::connection`.
fn inherited(server: &str) -> Vec<String> {
    let foreign = ["std", "nix", "clap", "libc", "io_uring", "mio", "crate"];
    let used = server.lines().filter_map(|line| line.strip_prefix("use ")?.split_once("::"));
    let mut names: Vec<String> = used
        .filter(|(first, _)| !foreign.contains(first))
        .map(|(first, rest)| match rest.split(['{', ':', ';']).next() {
            Some(module) if first != "kit" && !module.is_empty() => format!("{first}::{module}"),
            _ => first.to_owned(),
        })
        .collect();
    names.sort();
    names.dedup();
    names
}

/// Prints a diff in the unified format, in colour on a terminal.
fn print(change: &Change) {
    println!("\n--- {} ---", change.path.display());
    for line in change.unified().lines() {
        // What SGR calls the colour (ECMA-48 8.3.117).
        let colour = match line.as_bytes().first() {
            Some(b'+') => "32",
            Some(b'-') => "31",
            Some(b'@') => "36",
            _ => "0",
        };
        match stdout().is_terminal() {
            true => println!("\x1b[{colour}m{line}\x1b[0m"),
            false => println!("{line}"),
        }
    }
}
