//! `./lab instructions`: how many instructions of its own code a request costs, and how many system calls.
//!
//! Times on a shared machine move by ten per cent; instructions do not move. So a change of two per cent is
//! seen, and a table that is committed shows each of them in a review. The count says nothing of the kernel,
//! where most of a request's time goes: hence the system calls, and the kernel's share of the CPU time.
//!
//! * `kit`: protocol and session without any socket: the binary `kit-requests`, two seconds;
//! * `whole`: stages, with sockets, under three loads: some minutes;
//! * `counts`: what callgrind writes; `table`: the committed table and the comparison with it; `trials`: what
//!   was tried to make the counts smaller; `page`: both as a page of the book.
//!
//! Everything is counted for N requests and for more, and the difference taken: starting, stopping and
//! warming up are then in no figure.

mod counts;
mod kit;
mod page;
mod table;
mod trials;
mod whole;

pub use page::page;
pub use table::Table;
pub use trials::{Trial, trials};

use anyhow::{Context, Result, bail};
use bench::generators::on_path;
use lab_core::stages::{Stage, discover, find};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use table::Tools;

/// The options of `./lab instructions`.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// Whole stages too: 4,10 or all.
    #[arg(long, value_name = "STAGES", value_delimiter = ',')]
    stages: Vec<String>,
    /// Write the counts into the table, instead of comparing with it.
    #[arg(long)]
    write: bool,
    /// The table.
    #[arg(long, value_name = "FILE", default_value = "results/instructions.json")]
    table: PathBuf,
}

/// The stages whose counts are in the table. The others differ from their neighbours in waiting, not in what
/// a request costs, or have no whole request in one process.
const STAGES: [&str; 7] = ["1", "4", "5", "8", "10", "11", "12"];

/// Counts, prints the counts beside the table's, and fails if one has grown. Where valgrind is absent, it
/// says so and nothing fails.
///
/// # Errors
/// A server or callgrind does not run, or the table cannot be read or written.
pub fn run(args: Args) -> Result<ExitCode> {
    let Some(valgrind) = on_path("valgrind") else {
        println!("skipped: valgrind is missing: apt-get install valgrind");
        return Ok(ExitCode::SUCCESS);
    };
    let tools = Tools::look(&valgrind)?;
    let stages = if args.stages.is_empty() { Vec::new() } else { discover()? };
    let stages = chosen(&stages, &args.stages)?;
    let before = if args.table.is_file() { Some(Table::read(&args.table)?) } else { None };
    if before.is_none() && !args.write {
        bail!("{} is missing; --write makes it", args.table.display());
    }
    // A table is one of one compiler: what is not counted anew is kept only if it was counted by the same.
    let mut now = match &before {
        Some(before) if before.tools == tools => before.clone(),
        _ => Table::new(tools),
    };
    now.kit = kit::count(&valgrind)?;
    print!("{}", table::lines("kit alone", &now.kit, before.as_ref().map(|before| &before.kit)));
    for stage in stages {
        let counted = whole::count(&valgrind, stage)?;
        let old = before.as_ref().and_then(|before| before.stages.get(&stage.name));
        print!("{}", table::lines(&format!("stage {}", stage.name), &counted, old));
        now.stages.insert(stage.name.clone(), counted);
    }
    if args.write {
        now.write(&args.table)?;
        println!("written: {}; `./lab notes-generate` writes its page of the book", args.table.display());
        return Ok(ExitCode::SUCCESS);
    }
    let Some(before) = before else { return Ok(ExitCode::SUCCESS) };
    if let Some(other) = now.tools.differ(&before.tools) {
        println!("not compared: the table was made with another {other}");
        return Ok(ExitCode::SUCCESS);
    }
    let grown = table::grown(&before, &now);
    grown.iter().for_each(|line| println!("{line}"));
    Ok(if grown.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn chosen<'a>(stages: &'a [Stage], names: &[String]) -> Result<Vec<&'a Stage>> {
    let names: Vec<&str> = match names {
        [all] if all == "all" => STAGES.to_vec(),
        names => names.iter().map(String::as_str).collect(),
    };
    names.into_iter().map(|name| find(stages, name)).collect()
}

/// The committed table, if there is one.
///
/// # Errors
/// It cannot be read.
pub fn committed(root: &Path) -> Result<Option<Table>> {
    let file = root.join("results/instructions.json");
    if file.is_file() { Table::read(&file).context("the table of instructions").map(Some) } else { Ok(None) }
}
