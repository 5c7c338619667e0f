//! Which load cannot be put on which server, and why.

use super::point::Point;
use super::subject::Subject;
use crate::generators::{Load, Tool};

/// Says so if the server leaves clients waiting, as far as its author knows.
pub(super) fn waiting_clients(subject: &Subject, point: &Point) -> Option<String> {
    if let Some(reason) = subject.lacks() {
        return Some(reason.to_owned());
    }
    let served = subject.clients_served(point.keep_alive, point.concurrency);
    (served < point.concurrency)
        .then(|| format!("{served} of {} clients that keep their connection are served", point.concurrency))
}

/// Why a point of the survey is left out, if it must be.
pub(super) fn reason_to_skip(
    subject: &Subject,
    tool: Tool,
    load: &Load,
    absent: &[(Tool, &'static str)],
) -> Option<String> {
    if let Some(reason) = subject.lacks() {
        return Some(reason.to_owned());
    }
    if let Some((_, install)) = absent.iter().find(|(absent, _)| *absent == tool) {
        return Some(format!("{} is not installed: {install}", tool.name()));
    }
    if let Some(reason) = tool.refuses(load) {
        return Some(reason.to_owned());
    }
    let served = subject.clients_served(load.keep_alive, load.concurrency);
    (tool == Tool::Ab && served < load.concurrency).then(|| ab_would_hang(served, load.concurrency))
}

/// ab shares its requests among the connections and waits for each of them.
pub(super) fn ab_would_hang(served: usize, clients: usize) -> String {
    format!("{AB_WOULD_HANG}: {served} of {clients} clients are served")
}

const AB_WOULD_HANG: &str = "ab would hang with keep-alive";

/// Whether a point was skipped while the run went on for a reason that trying again would not change.
pub(super) fn is_as_it_must_be(reason: &str) -> bool {
    reason.starts_with(AB_WOULD_HANG)
}
