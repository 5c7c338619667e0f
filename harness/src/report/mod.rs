//! The page beside the charts: what was measured, on what, and the command that draws it again. From the recorded data
//! alone.

use crate::charts;
use crate::records::{Cell, Limiter, Pair, Record, cells, pairs};
use anyhow::{Context, Result};
use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The name of the reference.
const FLOOR: &str = "floor";

/// Draws the charts again, and writes the page.
pub fn run(args: charts::Args) -> Result<ExitCode> {
    let drawing = charts::again(args)?;
    let page = write(&drawing.records, &drawing.charts, &drawing.data[0], &drawing.out)?;
    println!("{}", page.display());
    Ok(ExitCode::SUCCESS)
}

/// Writes `README.md` beside the charts.
pub fn write(records: &[Record], charts: &[PathBuf], data: &Path, out: &Path) -> Result<PathBuf> {
    let names = charts.iter().filter_map(|chart| chart.file_name());
    let names: Vec<String> = names.map(|name| name.to_string_lossy().into_owned()).collect();
    let data = data.strip_prefix(out).unwrap_or(data).display().to_string();
    let file = out.join("README.md");
    fs::write(&file, markdown(records, &names, &data))
        .with_context(|| format!("cannot write {}", file.display()))?;
    Ok(file)
}

/// `README.md` for the directory of the charts, as a repository browser shows it. `charts` are file names beside it, `data`
/// the path of the data from there.
pub fn markdown(records: &[Record], charts: &[String], data: &str) -> String {
    let Some(first) = records.first() else { return String::new() };
    let cells = cells(records);
    let pairs = pairs(records);
    let mut page = String::from("# What was measured\n\n");
    let rounds: BTreeSet<u32> = records.iter().map(|record| record.round).collect();
    let _ = writeln!(
        page,
        "{} of {} points, {} rounds, {} s each, server on CPU {}, generator on CPU {}. Data: [{data}]({data}).\n",
        records.iter().filter(|record| record.figures.is_some() && !record.dropped).count(),
        first.points_planned,
        rounds.len(),
        first.duration_seconds,
        list(&first.server_cpus),
        list(&first.generator_cpus),
    );
    page.push_str(
        "How the figures are made, and how far to believe them: [measuring.md](../notes/src/measuring.md).\n",
    );
    for chart in charts {
        let _ = write!(page, "\n![{}]({chart})\n", chart.trim_end_matches(".svg").replace('-', " "));
    }
    if let Some(floor) = pairs.iter().find(|pair| pair.stage == FLOOR) {
        page.push_str("\n## CPU time per request, as a multiple of the floor\n\n");
        page.push_str("| stage | ÷ floor | interval | against the floor itself |\n|---|---|---|---|\n");
        for pair in floor_first(&pairs) {
            let _ =
                writeln!(page, "| {} |", [name(&pair.stage, &pair.title), ratio(pair, floor)].join(" | "));
        }
    }
    page.push_str("\n## Every point\n\nMedians of the rounds, the interval in brackets. *generator*: the server could do more.\n");
    page.push_str("\n| stage | tool | connections | clients | requests/s | CPU µs per request | limit |\n|---|---|---|---|---|---|---|\n");
    for cell in &cells {
        let _ = writeln!(page, "| {} |", row(cell).join(" | "));
    }
    machine(&mut page, first);
    let _ = write!(
        page,
        "\n## Again\n\n```sh\nharness chart --data results/{data}   # the charts, from the recorded data\nharness {} --seed {}   # the measuring\n```\n",
        first.command, first.seed
    );
    page
}

fn floor_first(pairs: &[Pair]) -> Vec<&Pair> {
    let mut rows: Vec<&Pair> = pairs.iter().collect();
    rows.sort_by_key(|pair| pair.stage != FLOOR);
    rows
}

fn ratio(pair: &Pair, floor: &Pair) -> String {
    let interval = pair.interval.map_or("–".into(), |(low, high)| format!("{low:.2} to {high:.2}"));
    let verdict = match (pair.stage == FLOOR, pair.blocks < 5, pair.differs_from(floor)) {
        (true, _, _) => "",
        (_, true, _) => "too few rounds",
        (_, _, true) => "differs",
        (_, _, false) => "not distinguishable",
    };
    format!("{:.2} | {interval} | {verdict}", pair.ratio)
}

fn row(cell: &Cell) -> [String; 7] {
    let with = |value: String, interval: Option<String>| {
        interval.map_or(value.clone(), |i| format!("{value} [{i}]"))
    };
    let speed = with(
        format!("{:.0}", cell.requests_per_second),
        cell.interval.map(|(low, high)| format!("{low:.0}–{high:.0}")),
    );
    let cost = cell.cpu_us_per_request.map_or("–".into(), |cost| {
        with(format!("{cost:.2}"), cell.cpu_interval.map(|(low, high)| format!("{low:.2}–{high:.2}")))
    });
    let limit = match cell.limiter {
        Limiter::Server => "server".to_owned(),
        Limiter::Generator => "generator".to_owned(),
        Limiter::Clients => format!("{} of {} clients served", cell.clients_served, cell.shape.concurrency),
        Limiter::Neither => "neither".to_owned(),
    };
    [
        name(&cell.shape.stage, &cell.title),
        cell.shape.tool.clone(),
        if cell.shape.keep_alive { "kept" } else { "one per request" }.to_owned(),
        cell.shape.concurrency.to_string(),
        if cell.errors > 0 { format!("{speed}, {} errors", cell.errors) } else { speed },
        cost,
        limit,
    ]
}

fn machine(page: &mut String, record: &Record) {
    let host = &record.host;
    page.push_str("\n## The machine\n\n| | |\n|---|---|\n");
    let tools: Vec<&str> = host.tools.values().map(String::as_str).collect();
    let descriptors =
        host.descriptors.map_or("unknown".into(), |(soft, hard)| format!("{soft}, at most {hard}"));
    for (what, value) in [
        ("processor", format!("{}, {} CPUs", host.cpu, host.cores)),
        ("kernel", host.kernel.clone()),
        ("clock governor", host.governor.clone()),
        ("descriptors", descriptors),
        ("local ports", host.port_range.clone()),
        ("somaxconn", host.somaxconn.map_or("unknown".into(), |most| most.to_string())),
        ("tools", tools.join("; ")),
        ("commit", host.commit_name()),
        ("begun", record.started_at.clone()),
        ("seed", record.seed.to_string()),
    ] {
        let _ = writeln!(page, "| {what} | {value} |");
    }
}

fn name(stage: &str, title: &str) -> String {
    if stage == FLOOR { format!("{stage}: {title}") } else { format!("{stage} {title}") }
}

fn list(cpus: &[usize]) -> String {
    cpus.iter().map(usize::to_string).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::Phase;
    use crate::records::tests::record;

    #[test]
    fn every_figure_on_the_page_can_be_traced() {
        let mut records =
            vec![record("04", "wrk", 64, true, 50_000.0), record("01", "wrk", 64, true, 9_000.0)];
        records[1].clients_served = 1;
        records[1].figures.as_mut().expect("measured").limiter = Limiter::Clients;
        for (stage, cost) in [("floor", 10.0), ("04", 10.7)] {
            for round in 1..=5 {
                let mut pair = record(stage, "wrk", 64, true, 1e6 / cost);
                (pair.phase, pair.round, pair.floor_around) = (Phase::Paired, round, Some([10.0, 10.0]));
                records.push(pair);
            }
        }
        let page = markdown(&records, &["overview.svg".into()], "data/run.jsonl");
        for text in [
            "![overview](overview.svg)",
            "[data/run.jsonl](data/run.jsonl)",
            "| 04 Title of 04 | 1.07 | 1.07 to 1.07 | differs |",
            "| 04 Title of 04 | wrk | kept | 64 | 50000 |",
            "1 of 64 clients served",
            "--seed 7",
            "| commit | no commit |",
        ] {
            assert!(page.contains(text), "{text} is missing in:\n{page}");
        }
    }
}
