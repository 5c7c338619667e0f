//! What a run has found: one JSON object, or a table.

use super::bystanders::Bystanders;
use super::options::Args;
use super::tally::{LATE, Tallies, Tally};
use comfy_table::{CellAlignment, Table, presets};
use hdrhistogram::Histogram;
use lab_core::stats::Percentiles;
use lab_core::units::count;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// The figures of a run. Warm-up is in none of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// What was asked for.
    pub options: serde_json::Value,
    /// The requests for the URL's path.
    #[serde(flatten)]
    pub main: PathReport,
    /// Why the last connection could not be made: `connection refused`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_connected: Option<String>,
    /// What is called late.
    pub late_after_us: u64,
    /// The time that was measured over.
    pub seconds: f64,
    /// Right answers per second on the main path.
    pub requests_per_second: f64,
    /// Bytes received on all paths, heads included.
    pub bytes: u64,
    /// CPU time of the threads that put the load on; starting and reporting are not in it.
    pub cpu_seconds: f64,
    /// Connections that were begun.
    pub connections_opened: u64,
    /// Clients that got at least one right reply.
    pub clients_served: u64,
    /// Clients that were never connected, from the start of the warm-up to the end.
    #[serde(default)]
    pub clients_never_connected: u64,
    /// How replies ended that announced no length, if any: `chunked`, `ended by closing`. Each was compared
    /// with the first one, unless `--body` says what is right.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub without_length: Vec<String>,
    /// With `--mix`: the requests for the other path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mix: Option<PathReport>,
    /// The idle and slow clients.
    pub bystanders: Bystanders,
    /// Ended by a signal.
    pub interrupted: bool,
}

/// The requests for one path.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PathReport {
    /// Requests that were answered right.
    pub requests: u64,
    /// Requests that were not, by what went wrong.
    pub errors: BTreeMap<String, u64>,
    /// The last status that was not the right one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wrong_status: Option<u16>,
    /// Requests that were still unanswered at the end; neither right nor wrong.
    pub aborted: u64,
    /// Open loop: how many of those are in the latencies with the time that they had waited: those that had
    /// waited longer than 99 of 100 answered ones.
    pub aborted_in_latency: Option<u64>,
    /// Open loop: requests that left more than `late_after_us` after their time though a client was free: the
    /// generator was behind. What waits for a free client waits for the server.
    pub late: Option<u64>,
    /// Open loop: requests that never left, because every connection was waiting. All are in the latencies
    /// with the time that they had waited at the end.
    #[serde(alias = "dropped")]
    pub never_sent: Option<u64>,
    /// Open loop: µs from the time at which a request should have left to its whole reply. Of a request that
    /// the end left without one it is a lower bound: the time that it had waited.
    pub latency_us: Option<Percentiles>,
    /// Open loop: how many of these took longer than 5 ms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over_5ms: Option<u64>,
    /// Open loop: the same of the right answers alone, without those that the end left without a reply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered_us: Option<Percentiles>,
    /// Open loop: right answers that came within `--timeout` of the time at which they should have left. A
    /// client gives up at the next look only, at most 50 ms later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_time: Option<u64>,
    /// µs from sending to the whole reply. In a closed loop it hides the waiting: see the module.
    pub service_us: Option<Percentiles>,
    /// µs from sending to the reply's first byte; of a pipelined batch, to that of the first reply.
    pub first_byte_us: Option<Percentiles>,
}

impl PathReport {
    fn new(tally: &Tally, is_open: bool, timeout: Duration) -> Self {
        let timeout = timeout.as_micros() as u64;
        let (latency, aborted_in_latency) = is_open.then(|| tally.open_latency()).unzip();
        Self {
            requests: tally.right,
            errors: tally.by_kind(),
            wrong_status: tally.wrong_status,
            aborted: tally.aborted,
            aborted_in_latency,
            late: is_open.then_some(tally.late),
            never_sent: is_open.then_some(tally.never_sent),
            latency_us: latency.as_ref().and_then(percentiles),
            answered_us: percentiles(&tally.latency).filter(|_| is_open),
            in_time: is_open.then(|| tally.latency.count_between(0, timeout)),
            over_5ms: latency.as_ref().map(|latency| latency.count_between(5_001, u64::MAX)),
            service_us: percentiles(&tally.service),
            first_byte_us: percentiles(&tally.first_byte),
        }
    }

    /// All that were not answered right.
    pub fn failed(&self) -> u64 {
        self.errors.values().sum()
    }
}

/// `12 status (404)`, the most frequent kind first.
pub(super) fn wrong(
    errors: &BTreeMap<String, u64>,
    status: Option<u16>,
    connect: Option<&str>,
) -> Vec<String> {
    let mut kinds: Vec<(&String, &u64)> = errors.iter().filter(|(_, count)| **count > 0).collect();
    kinds.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let why = |kind: &str| match kind {
        "status" => status.map(|status| format!(" ({status})")),
        "connect" => connect.map(|error| format!(" ({error})")),
        _ => None,
    };
    let part = |(kind, count): (&String, &u64)| format!("{count} {kind}{}", why(kind).unwrap_or_default());
    kinds.into_iter().map(part).collect()
}

fn percentiles(histogram: &Histogram<u64>) -> Option<Percentiles> {
    let at = |quantile| histogram.value_at_quantile(quantile);
    (!histogram.is_empty()).then(|| Percentiles {
        p50: at(0.5),
        p90: at(0.9),
        p99: at(0.99),
        p99_9: at(0.999),
        max: histogram.max(),
    })
}

impl Report {
    pub(super) fn new(
        args: &Args,
        tallies: &Tallies,
        bystanders: Bystanders,
        seconds: f64,
        interrupted: bool,
    ) -> Self {
        let mut paths =
            tallies.paths.iter().map(|tally| PathReport::new(tally, args.rate.is_some(), args.timeout));
        let main = paths.next().expect("there is a main path");
        Self {
            options: serde_json::to_value(args).expect("options are plain values"),
            not_connected: tallies.not_connected.map(|kind| kind.to_string()),
            late_after_us: LATE.as_micros() as u64,
            seconds,
            requests_per_second: if seconds > 0.0 { main.requests as f64 / seconds } else { 0.0 },
            bytes: tallies.bytes,
            cpu_seconds: tallies.cpu.as_secs_f64(),
            connections_opened: tallies.opened,
            clients_served: tallies.served,
            clients_never_connected: tallies.never_connected,
            without_length: tallies.unannounced.iter().map(|&end| end.to_owned()).collect(),
            mix: paths.next(),
            main,
            bystanders,
            interrupted,
        }
    }

    /// All requests on the main path that were not answered right.
    pub fn failed(&self) -> u64 {
        self.main.failed()
    }

    /// Whether no reply came, be it right or wrong.
    pub fn is_silence(&self) -> bool {
        let timeouts = self.main.errors.get("timeout").copied().unwrap_or(0);
        self.main.requests == 0 && self.failed() == timeouts
    }

    /// Why not every request was answered right, in one line.
    pub fn complaint(&self) -> String {
        let mut parts = Vec::from_iter(self.faults());
        if self.main.aborted > 0 {
            parts.push(format!("{} unanswered at the end", self.main.aborted));
        }
        if self.clients_never_connected > 0 && self.main.requests == 0 {
            parts.push(format!("{} clients never connected", self.clients_never_connected));
        }
        if parts.is_empty() { "none was sent".into() } else { parts.join(", ") }
    }

    /// What was wrong with replies and connections, on the path that is mixed in too; `None` if nothing was.
    fn faults(&self) -> Option<String> {
        let mut parts = wrong(&self.main.errors, self.main.wrong_status, self.not_connected.as_deref());
        if let Some(mixed) = &self.mix {
            let others = wrong(&mixed.errors, mixed.wrong_status, None);
            parts.extend(others.into_iter().map(|part| format!("{part} on the path that is mixed in")));
        }
        let is_about_the_body = |kind: &str| self.main.errors.get(kind).is_some_and(|count| *count > 0);
        let hint = match ["body", "length"].into_iter().any(is_about_the_body) {
            true => " (--body or --learn-body changes what is right)",
            false => "",
        };
        (!parts.is_empty()).then(|| parts.join(", ") + hint)
    }

    /// For people.
    pub fn table(&self) -> String {
        let mut lines = vec![format!(
            "{:.0} requests/s   {} requests in {:.2} s   {:.1} MB",
            self.requests_per_second,
            self.main.requests,
            self.seconds,
            self.bytes as f64 / 1e6
        )];
        let failed = self.failed() + self.mix.as_ref().map_or(0, PathReport::failed);
        lines.push(match (self.faults(), self.clients_never_connected) {
            (Some(faults), _) => format!("{failed} errors: {faults}"),
            (None, 0) => "no errors".into(),
            (None, _) => "no wrong reply".into(),
        });
        if self.main.aborted > 0 {
            let requests = count(self.main.aborted as usize, "request");
            let were = if self.main.aborted == 1 { "was" } else { "were" };
            lines.push(format!("{requests} {were} still unanswered when the time ended"));
        }
        if self.clients_never_connected > 0 {
            let clients = &self.options["connections"];
            lines.push(format!("{} of {clients} clients never connected", self.clients_never_connected));
        }
        if !self.without_length.is_empty() {
            let is_learnt = self.options["body"].is_null();
            let first = if is_learnt { ": each was compared with the first" } else { "" };
            let ends = self.without_length.join(", ");
            lines.push(format!("replies without Content-Length ({ends}){first}"));
        }
        if let (Some(late), Some(never_sent)) = (self.main.late, self.main.never_sent) {
            let after = self.late_after_us as f64 / 1000.0;
            lines.push(format!(
                "{late} sent more than {after} ms late, by the generator's fault; {never_sent} never sent"
            ));
            let waiting = never_sent + self.main.aborted_in_latency.unwrap_or(0);
            if waiting > 0 {
                lines.push(format!(
                    "the latency is a lower bound: {waiting} requests without a reply are in it with their wait \
                     so far"
                ));
            }
        }
        let answered = self.main.requests + self.mix.as_ref().map_or(0, |mixed| mixed.requests);
        let each = self.cpu_seconds * 1e6 / answered as f64;
        lines.push(format!(
            "clients served: {}; connections begun: {}; {:.2} s of CPU, {} per request",
            self.clients_served,
            self.connections_opened,
            self.cpu_seconds,
            if answered > 0 { format!("{each:.2} µs") } else { "none".into() }
        ));
        if let Some(mixed) = &self.mix {
            lines.push(format!(
                "beside the requests above, {}: {} requests, {} errors, {} unanswered at the end{}",
                self.options["mix"].as_str().unwrap_or("mixed in"),
                mixed.requests,
                mixed.failed(),
                mixed.aborted,
                mixed.never_sent.map_or(String::new(), |count| format!(", {count} never sent"))
            ));
        }
        if self.bystanders != Bystanders::default() {
            let Bystanders { idle_open, slow_open, slow_bytes, ended } = self.bystanders;
            lines.push(format!(
                "beside the load: {idle_open} idle and {slow_open} slow clients open; {:.1} MB read slowly; \
                 {ended} connections ended",
                slow_bytes as f64 / 1e6
            ));
        }
        lines.push(self.times());
        lines.join("\n")
    }

    fn times(&self) -> String {
        if self.main.latency_us.is_none()
            && self.main.service_us.is_none()
            && self.main.first_byte_us.is_none()
        {
            return "no reply, so there are no times".into();
        }
        let mut table = Table::new();
        table.load_style(presets::UTF8_HORIZONTAL_ONLY);
        table.set_header(["ms", "p50", "p90", "p99", "p99.9", "max"]);
        let rows = [
            ("from the intended time (latency)", self.main.latency_us),
            ("from sending", self.main.service_us),
            ("from sending to the first byte", self.main.first_byte_us),
            ("mixed in, from the intended time", self.mix.as_ref().and_then(|mixed| mixed.latency_us)),
            ("mixed in, from sending", self.mix.as_ref().and_then(|mixed| mixed.service_us)),
        ];
        for (name, percentiles) in rows {
            let Some(p) = percentiles else { continue };
            let values = [p.p50, p.p90, p.p99, p.p99_9, p.max];
            let cells = values.map(|micros| format!("{:.3}", micros as f64 / 1000.0));
            table.add_row([name.to_owned()].into_iter().chain(cells));
        }
        for column in table.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        let note = match self.main.late {
            Some(_) => "",
            None => "\nA closed loop: these times hide the waiting. For latencies use --rate.",
        };
        format!("{table}{note}")
    }
}

#[cfg(test)]
mod tests {
    use super::super::tally::Times;
    use super::*;
    use std::time::Instant;

    /// Protects the goodput of an overloaded server: an answer that came after its client had given
    /// up, or that was late because its request left late, is none.
    #[test]
    fn an_answer_is_in_time_by_the_intended_time_of_sending() {
        let start = Instant::now();
        let at = |millis: u64| start + Duration::from_millis(millis);
        let mut tally = Tally::new(start);
        for (sent, answered) in [(0, 100), (0, 199), (0, 210), (150, 240)] {
            tally.right(1, Times { intended: at(0), sent: at(sent) }, at(answered));
        }
        let of = |is_open| PathReport::new(&tally, is_open, Duration::from_millis(200));
        assert_eq!((of(true).in_time, of(false).in_time), (Some(2), None));
        assert!(of(true).answered_us.is_some_and(|times| (239_000..=241_000).contains(&times.max)));
    }
}
