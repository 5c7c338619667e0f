//! What the figures were made on.

use crate::records::Record;

/// The machine of a record, row by row.
pub(super) fn rows(record: &Record) -> Vec<(String, String)> {
    let host = &record.host;
    let or_unknown = |text: &str| if text.is_empty() { "unknown".to_owned() } else { text.to_owned() };
    let descriptors =
        host.descriptors.map_or("unknown".into(), |(soft, hard)| format!("{soft}, at most {hard}"));
    let mut rows: Vec<(String, String)> = [
        ("processor", format!("{}, {} CPUs", or_unknown(&host.cpu), host.cores)),
        ("server on CPU", list(&record.server_cpus)),
        ("generator on CPU", list(&record.generator_cpus)),
        ("kernel", or_unknown(&host.kernel)),
        ("clock governor", or_unknown(&host.governor)),
        ("open descriptors", descriptors),
        ("local ports", or_unknown(&host.port_range)),
        ("somaxconn", host.somaxconn.map_or("unknown".into(), |most| most.to_string())),
        ("commit", host.commit_name()),
        ("begun", record.started_at.clone()),
        ("seed", record.seed.to_string()),
    ]
    .map(|(what, value)| (what.to_owned(), value))
    .into();
    rows.extend(host.tools.iter().map(|(tool, version)| (format!("tool: {tool}"), version.clone())));
    rows
}

fn list(cpus: &[usize]) -> String {
    cpus.iter().map(usize::to_string).collect::<Vec<_>>().join(", ")
}
