//! Exhibits: programs that are broken on purpose, or that must be alone in a process. They run as children of
//! an experiment, in the same executable: `experiment exhibit NAME WORDS…`. A user never types that.

mod listener;
mod sigpipe;
mod spawn;

use anyhow::{Result, bail};
use lab_core::server_process::Launch;
use lab_core::stages::binary_directory;
use std::path::PathBuf;

/// The word that makes the executable an exhibit.
pub const WORD: &str = "exhibit";

/// Runs an exhibit, in the process that was started for it.
///
/// # Errors
/// When there is no such exhibit, or what went wrong in it.
pub fn run(name: &str, words: &[String]) -> Result<()> {
    match name {
        "listener" => listener::run(words),
        "sigpipe" => sigpipe::run(words),
        "spawn" => spawn::run(words),
        _ => bail!("no exhibit '{name}'"),
    }
}

/// This program, which need not be the one that runs: a test is another.
///
/// # Errors
/// When nobody knows where it is.
pub fn program() -> Result<PathBuf> {
    Ok(binary_directory()?.join("experiment"))
}

/// An exhibit that prints the line of a stage when it is ready.
///
/// # Errors
/// As [`program`].
pub fn launch(name: &str, words: &[&str]) -> Result<Launch> {
    let mut launch = Launch::new(program()?);
    launch.args = [WORD, name].iter().chain(words).map(|&word| word.to_owned()).collect();
    Ok(launch)
}
