//! Which load cannot be put on which server, and why.

use crate::engine::{Subject, ab_would_hang};
use crate::generators::{Load, Tool};

/// Says so if the server leaves clients waiting, as far as its author knows.
pub(super) fn waiting_clients(subject: &Subject, load: &Load) -> Option<String> {
    if let Some(reason) = &subject.lacks {
        return Some(reason.clone());
    }
    let served = subject.clients_served(load.keep_alive, load.concurrency);
    (served < load.concurrency)
        .then(|| format!("{served} of {} clients that keep their connection are served", load.concurrency))
}

/// Why a point of the survey is left out, if it must be.
pub(super) fn reason_to_skip(
    subject: &Subject,
    tool: Tool,
    load: &Load,
    absent: &[(Tool, &'static str)],
) -> Option<String> {
    if let Some(reason) = &subject.lacks {
        return Some(reason.clone());
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
