//! What the figures were made on, how, and what makes them again.

use lab_core::units::number;
use records::Record;

/// The machine of a record, row by row.
pub(crate) fn rows(record: &Record) -> Vec<(String, String)> {
    let host = &record.context.host;
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
        ("begun", record.context.started_at.clone()),
        ("seed of the order", record.context.seed.to_string()),
    ]
    .map(|(what, value)| (what.to_owned(), value))
    .into();
    rows.extend(host.tools.iter().map(|(tool, version)| (format!("tool: {tool}"), version.clone())));
    rows
}

/// `server on CPU 0, generator on CPU 1`
pub(crate) fn places(record: &Record) -> String {
    format!("server {}, generator {}", server(record), generator(record))
}

fn server(record: &Record) -> String {
    on(&record.context.server_cpus).unwrap_or_else(|| "already running, elsewhere".into())
}

fn generator(record: &Record) -> String {
    let here = || on(&record.context.generator_cpus).unwrap_or_else(|| "elsewhere".into());
    record.context.generator_host.as_ref().map_or_else(here, |host| format!("on {host}"))
}

/// `on CPU 0`, `on CPUs 0-7,9`; nothing where no CPU is known.
fn on(cpus: &[usize]) -> Option<String> {
    let follows = |one: &usize, next: &usize| *next == one + 1;
    let runs = cpus.chunk_by(follows).map(|run| match run {
        [first, .., last] if run.len() > 2 => format!("{first}-{last}"),
        _ => run.iter().map(usize::to_string).collect::<Vec<_>>().join(","),
    });
    let word = if cpus.len() == 1 { "CPU" } else { "CPUs" };
    (!cpus.is_empty()).then(|| format!("on {word} {}", runs.collect::<Vec<_>>().join(",")))
}

/// The command that measures again. A run whose points had no order to be shuffled has no seed.
pub(crate) fn measure_again(record: &Record) -> String {
    match record.context.seed {
        0 => format!("./lab {}", record.context.command),
        seed => format!("./lab {} --seed {seed}", record.context.command),
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
        (target.context.server_cpus, target.context.generator_host) = (Vec::new(), Some("load1".into()));
        assert_eq!(places(&target), "server already running, elsewhere, generator on load1");
    }

    #[test]
    fn cpus_in_a_row_are_a_range() {
        let places = [&[3][..], &[0, 1], &[0, 1, 2, 3, 8, 10, 11]].map(on);
        assert_eq!(places.map(Option::unwrap), ["on CPU 3", "on CPUs 0,1", "on CPUs 0-3,8,10,11"]);
    }

    #[test]
    fn what_measures_again_is_a_command_of_the_lab() {
        let mut run = record("04", "wrk", 64, true, 1.0);
        assert_eq!(measure_again(&run), "./lab bench-all --seed 7");
        run.context.seed = 0;
        assert_eq!(measure_again(&run), "./lab bench-all");
    }
}
