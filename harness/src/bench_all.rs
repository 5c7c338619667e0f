//! `./lab bench-all`: measures, then draws what was measured.

use anyhow::Result;
use bench::engine::{Finished, Outcome};
use bench::recipes::bench_all;
use figures::figures::{Data, Source, build};
use figures::{charts, report, table};
use std::process::ExitCode;

/// Measures, records, draws.
pub(crate) fn run(args: bench_all::Args) -> Result<ExitCode> {
    let outcome = bench_all::run(args)?;
    if let Some(finished) = &outcome.finished {
        draw(finished)?;
    }
    Ok(outcome.status)
}

/// Draws the charts and the pages beside them, and says what they show and where they are.
fn draw(Finished { data, out, .. }: &Finished) -> Result<()> {
    let drawing = charts::draw(std::slice::from_ref(data), out)?;
    let charts = &drawing.charts;
    println!("\n{}", table::summary(charts.iter().map(|chart| &chart.figure)));
    for chart in charts {
        println!("chart   {}", out.join(chart.figure.file()).display());
    }
    let [browser, page] = report::write(&drawing)?;
    println!("page    {}", page.display());
    println!("report  {} (for a browser; the best to look at)", browser.display());
    Ok(())
}

/// Shows what was measured by a command that draws nothing.
pub(crate) fn shown(outcome: Result<Outcome>) -> Result<ExitCode> {
    let outcome = outcome?;
    outcome.finished.iter().try_for_each(show)?;
    Ok(outcome.status)
}

/// The figures of a table or of a scenario, as a terminal shows them.
pub(crate) fn show(Finished { data, out, .. }: &Finished) -> Result<()> {
    let sources = [Source::open(data)?];
    for figure in build(&Data::new(&sources, out)) {
        println!("\n{}\n{}", figure.title, table::Table::of(&figure).terminal());
    }
    println!(
        "its chart: ./lab chart --data {} --out {}; on the page of the last run: ./lab report",
        data.display(),
        out.display()
    );
    Ok(())
}
