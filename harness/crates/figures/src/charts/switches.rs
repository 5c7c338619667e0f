//! Context switches of the server per request: how often it went to sleep, or was made to.

use super::caption::Caption;
use super::rows::{Mark, Panel, Rows};
use super::selection::{clients_in_words, leading, nearest};
use super::source::{Chart, Source};
use super::style::{Look, Style};
use anyhow::Result;
use lab_core::stats;
use records::{Limiter, Phase, Record, label, order};

/// With kept connections, where any server's switches are known.
pub(super) fn chart(records: &[Record], source: &Source) -> Result<Option<Chart>> {
    let kept = || {
        records.iter().filter(|record| {
            matches!(record.phase, Phase::Survey | Phase::Paired)
                && record.keep_alive
                && !record.dropped
                && record.figures.is_some()
        })
    };
    let Some(tool) = leading(kept().map(|record| record.tool.as_str())) else { return Ok(None) };
    let its = || kept().filter(|record| record.tool == tool);
    let Some(clients) = nearest(its().map(|record| record.concurrency)) else { return Ok(None) };
    let its_records: Vec<&Record> = its().filter(|record| record.concurrency == clients).collect();
    if its_records.iter().all(|record| per_request(record).is_none()) {
        return Ok(None);
    }
    let mut servers: Vec<(&str, &str)> =
        its_records.iter().map(|record| (record.stage.as_str(), record.title.as_str())).collect();
    servers.sort_by_key(|(name, _)| order(name));
    servers.dedup_by_key(|(name, _)| *name);
    let rows: Vec<Server> = servers.iter().map(|(name, _)| Server::of(name, &its_records)).collect();
    let marks = |server: &Server| match server.median {
        // Nothing above zero has a place on a logarithmic axis; the text says it.
        Some(value) if value > 0.0 => {
            vec![Mark { series: 0, value, interval: server.interval, look: server.look }]
        }
        _ => Vec::new(),
    };
    let title = format!("Context switches per request with {} ({tool})", clients_in_words(clients));
    let caption = Caption::new(title.clone(), &its_records, source);
    let mut notes = vec![
        "Voluntary and involuntary switches of all its threads and processes, over right answers. A server that always \
         finds the next request ready need not sleep; one that hands each request over wakes somebody up."
            .to_owned(),
    ];
    notes.extend(signs(&rows, &caption));
    let picture = Rows {
        names: servers.iter().map(|(name, title)| label(name, title)).collect(),
        series: vec![(String::new(), Style::series(0))],
        panels: vec![Panel {
            title: "Context switches of the server per request (fewer is better)".into(),
            axis: "switches per request (logarithmic scale)",
            log: true,
            marks: rows.iter().map(marks).collect(),
            texts: rows.iter().map(Server::text).collect(),
            room: 200,
            number: short,
        }],
        notes,
    };
    let svg = picture.svg(&caption)?;
    Ok(Some(source.chart("context-switches.svg", title, svg)))
}

struct Server {
    median: Option<f64>,
    interval: Option<(f64, f64)>,
    look: Look,
}

impl Server {
    fn of(name: &str, records: &[&Record]) -> Self {
        let its = || records.iter().filter(|record| record.stage == name);
        let values: Vec<f64> = its().filter_map(|record| per_request(record)).collect();
        let by_generator = |record: &&&Record| {
            record.figures.as_ref().is_some_and(|figures| figures.limiter == Limiter::Generator)
        };
        let look = if its().any(|record| record.clients_served < record.concurrency) {
            Look::Cross
        } else if 2 * its().filter(by_generator).count() > its().count() {
            Look::Hollow
        } else {
            Look::Filled
        };
        Self { median: stats::median(&values), interval: stats::interval(&values), look }
    }

    fn text(&self) -> String {
        match (self.median, self.interval) {
            (None, _) => "not known: the processes or threads that ended took the count along".into(),
            (Some(0.0), _) => "0".into(),
            (Some(value), None) => short(value),
            (Some(value), Some((low, high))) => {
                format!("{} ({} to {})", short(value), short(low), short(high))
            }
        }
    }
}

fn per_request(record: &Record) -> Option<f64> {
    let figures = record.figures.as_ref()?;
    Some(figures.context_switches? as f64 / figures.requests.max(1) as f64)
}

fn signs(rows: &[Server], caption: &Caption) -> Vec<String> {
    let mut signs = Vec::new();
    if rows.iter().any(|server| server.look == Look::Hollow) {
        signs.push("Hollow: the generator was the limit; a server that waits for it sleeps more often.");
    }
    if rows.iter().any(|server| server.look == Look::Cross) {
        signs.push("Cross: some of the clients got no answer at all.");
    }
    signs.extend(caption.whiskers);
    let mut notes = vec![signs.join(" ")];
    notes.extend(caption.not_measured.iter().cloned());
    notes
}

/// Two digits that count: `1.1`, `0.23`, `0.0052`.
fn short(value: f64) -> String {
    if value <= 0.0 {
        return "0".into();
    }
    let decimals = (1 - value.log10().floor() as i32).clamp(0, 9) as usize;
    let text = format!("{value:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_digits_are_enough() {
        assert_eq!(
            [0.0, 0.00521, 0.0456, 0.2366, 1.07, 12.4, 340.0].map(short),
            ["0", "0.0052", "0.046", "0.24", "1.1", "12", "340"]
        );
    }
}
