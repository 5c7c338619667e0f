//! What the figures were made on, how, and what makes them again.

use lab_core::units::number;
use records::Record;
use std::collections::BTreeSet;

/// The machine of a record, row by row.
pub(super) fn rows(record: &Record) -> Vec<(String, String)> {
    let host = &record.host;
    let or_unknown = |text: &str| if text.is_empty() { "unknown".to_owned() } else { text.to_owned() };
    let descriptors = host.descriptors.map_or("unknown".into(), |(soft, hard)| {
        format!("{}, at most {}", number(soft as f64), number(hard as f64))
    });
    let commit = host.commit_name();
    let mut rows: Vec<(String, String)> = [
        ("processor", format!("{}, {} CPUs", or_unknown(&host.cpu), host.cores)),
        ("server", server(record)),
        ("generator", generator(record)),
        ("kernel", or_unknown(&host.kernel)),
        ("clock governor", or_unknown(&host.governor)),
        ("open descriptors", descriptors),
        ("local ports", or_unknown(&host.port_range)),
        ("somaxconn", host.somaxconn.map_or("unknown".into(), |most| number(most as f64))),
        ("commit", commit.strip_prefix("commit ").unwrap_or(&commit).to_owned()),
        ("begun", record.started_at.clone()),
        ("seed of the order", record.seed.to_string()),
    ]
    .map(|(what, value)| (what.to_owned(), value))
    .into();
    rows.extend(host.tools.iter().map(|(tool, version)| (format!("tool: {tool}"), version.clone())));
    rows
}

/// `server on CPU 0, generator on CPU 1`
pub(super) fn places(record: &Record) -> String {
    format!("server {}, generator {}", server(record), generator(record))
}

fn server(record: &Record) -> String {
    if record.server_cpus.is_empty() { "already running, elsewhere".into() } else { on(&record.server_cpus) }
}

fn generator(record: &Record) -> String {
    match &record.generator_host {
        Some(host) => format!("on {host}"),
        None => on(&record.generator_cpus),
    }
}

fn on(cpus: &[usize]) -> String {
    let word = if cpus.len() == 1 { "CPU" } else { "CPUs" };
    format!("on {word} {}", cpus.iter().map(usize::to_string).collect::<Vec<_>>().join(", "))
}

/// Whether it is a point of the plan that was measured. One of idle connections has no speed.
pub(super) fn is_measured(record: &Record) -> bool {
    (record.figures.is_some() || record.idle.is_some()) && !record.dropped
}

/// `1 s each`; `0.6 to 1 s each` where the phases differ.
pub(super) fn durations<'a>(records: impl Iterator<Item = &'a Record>) -> String {
    // Connections that say nothing are counted, not timed.
    let timed = records.filter(|record| record.idle.is_none() && is_measured(record));
    let millis: BTreeSet<u64> =
        timed.map(|record| (1000.0 * record.duration_seconds).round() as u64).collect();
    let seconds = |millis: &u64| *millis as f64 / 1000.0;
    match (millis.first().map(seconds), millis.last().map(seconds)) {
        (Some(least), Some(most)) if least < most => format!("{least} to {most} s each"),
        (Some(each), _) => format!("{each} s each"),
        _ => "without a load".into(),
    }
}

/// The command that measures again. A run whose points had no order to be shuffled has no seed.
pub(super) fn measure_again(record: &Record) -> String {
    match record.seed {
        0 => format!("./lab {}", record.command),
        seed => format!("./lab {} --seed {seed}", record.command),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use records::sample::record;

    #[test]
    fn a_server_elsewhere_is_on_no_cpu_of_this_machine() {
        let mut target = record("web1", "wrk", 64, true, 1.0);
        assert_eq!(places(&target), "server on CPU 0, generator on CPU 1");
        (target.server_cpus, target.generator_host) = (Vec::new(), Some("load1".into()));
        assert_eq!(places(&target), "server already running, elsewhere, generator on load1");
    }

    #[test]
    fn points_of_different_lengths_are_both_named() {
        let long = record("04", "wrk", 64, true, 1.0);
        let mut short = record("04", "builtin", 64, true, 1.0);
        assert_eq!(durations([&long, &short].into_iter()), "1 s each");
        short.duration_seconds = 0.6;
        assert_eq!(durations([&long, &short].into_iter()), "0.6 to 1 s each");
    }

    #[test]
    fn what_measures_again_is_a_command_of_the_lab() {
        let mut run = record("04", "wrk", 64, true, 1.0);
        assert_eq!(measure_again(&run), "./lab bench-all --seed 7");
        run.seed = 0;
        assert_eq!(measure_again(&run), "./lab bench-all");
    }
}
