//! `harness bench-all`: measures, then draws what was measured.

use anyhow::Result;
use bench::bench_all::{self, Finished};
use figures::{charts, report};
use std::process::ExitCode;

/// Measures, records, draws.
pub(crate) fn run(args: bench_all::Args) -> Result<ExitCode> {
    let outcome = bench_all::run(args)?;
    if let Some(finished) = &outcome.finished {
        draw(finished)?;
    }
    Ok(outcome.status)
}

/// Draws the charts and the pages beside them, and says where they are.
fn draw(Finished { records, data, out, .. }: &Finished) -> Result<()> {
    let charts = charts::draw(records, std::slice::from_ref(data), out)?;
    for chart in &charts {
        println!("chart   {}", out.join(&chart.file).display());
    }
    let [browser, page] = report::write(records, &charts, data, out)?;
    println!("page    {}", page.display());
    println!("report  {} (for a browser; the best to look at)", browser.display());
    Ok(())
}
