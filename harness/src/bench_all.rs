//! `harness bench-all`: measures, then draws what was measured.

use anyhow::Result;
use bench::engine::Finished;
use bench::recipes::bench_all;
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
