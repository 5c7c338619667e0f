//! What a page may ask for: a loop that sleeps, other options, and load.

use super::load::Order;
use super::{INTERVALS, Shared};
use kit::session::Timeouts;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread::sleep;
use std::time::Duration;

/// What is refused: the status and the reason.
pub(super) type Refused = (&'static str, String);

/// How long a loop may be put to sleep (ms).
const SLEEP_MS: std::ops::RangeInclusive<u64> = 1..=10_000;
/// What waits for one page at most, in bytes, unless it is changed; and what it may be changed to.
const PAGE_QUEUE: u64 = 64 * 1024;
const PAGE_QUEUES: std::ops::RangeInclusive<u64> = 4_096..=1_048_576;
const IDLE_MS: std::ops::RangeInclusive<u64> = 100..=3_600_000;

/// The options that change at run time. Relaxed: each stands for itself, and counts from its next reading on.
pub(super) struct Switches {
    idle_ms: AtomicU64,
    interval_ms: AtomicU64,
    page_queue: AtomicU64,
}

impl Switches {
    /// As the command line has them.
    pub(super) fn new(idle: Duration, interval: Duration) -> Self {
        Self {
            idle_ms: AtomicU64::new(idle.as_millis() as u64),
            interval_ms: AtomicU64::new(interval.as_millis() as u64),
            page_queue: AtomicU64::new(PAGE_QUEUE),
        }
    }

    /// How often the figures are sent.
    pub(super) fn interval(&self) -> Duration {
        Duration::from_millis(self.interval_ms.load(Relaxed))
    }

    /// What waits for one page at most, in bytes.
    pub(super) fn page_queue(&self) -> usize {
        self.page_queue.load(Relaxed) as usize
    }

    /// The timeouts of a new connection.
    pub(super) fn timeouts(&self, given: Timeouts) -> Timeouts {
        Timeouts { idle_ms: self.idle_ms.load(Relaxed) as u32, ..given }
    }

    /// For a page.
    pub(super) fn state(&self) -> Value {
        json!({
            "idle_ms": self.idle_ms.load(Relaxed),
            "interval_ms": self.interval_ms.load(Relaxed),
            "page_queue": self.page_queue.load(Relaxed),
        })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sleep {
    r#loop: usize,
    ms: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Changes {
    idle_ms: Option<u64>,
    interval_ms: Option<u64>,
    page_queue: Option<u64>,
}

impl Shared {
    /// Does what a page asks for.
    pub(super) fn perform(&self, name: &str, body: &[u8]) -> Result<(), Refused> {
        match name {
            "sleep" => self.put_to_sleep(&parse(body)?),
            "options" => self.change(&parse(body)?),
            "load" => {
                let order: Order = parse(body)?;
                let server = self.server.get().ok_or(("409 Conflict", "the server starts".to_owned()))?;
                self.load.start(order, server.address())
            }
            "stop" => {
                self.load.stop();
                Ok(())
            }
            _ => Err(("404 Not Found", "the actions are load, stop, sleep and options".to_owned())),
        }
    }

    /// What no callback should do: it blocks, and all connections of its loop wait.
    fn put_to_sleep(&self, Sleep { r#loop, ms }: &Sleep) -> Result<(), Refused> {
        let Some(server) = self.server.get() else { return Ok(()) };
        let loops = server.settings().workers;
        let ms = within("ms", *ms, SLEEP_MS)?;
        if *r#loop >= loops {
            return Err(wrong(format!("loop: there are {loops}, counted from 0")));
        }
        server.run_in_loop(*r#loop, move |_| sleep(Duration::from_millis(ms)));
        Ok(())
    }

    /// All of the changes, or none.
    fn change(&self, changes: &Changes) -> Result<(), Refused> {
        let intervals = INTERVALS.start().as_millis() as u64..=INTERVALS.end().as_millis() as u64;
        let all = [
            ("idle_ms", changes.idle_ms, IDLE_MS, &self.switches.idle_ms),
            ("interval_ms", changes.interval_ms, intervals, &self.switches.interval_ms),
            ("page_queue", changes.page_queue, PAGE_QUEUES, &self.switches.page_queue),
        ];
        for (name, value, range, _) in all.clone() {
            value.map(|value| within(name, value, range)).transpose()?;
        }
        for (_, value, _, switch) in all {
            if let Some(value) = value {
                switch.store(value, Relaxed);
            }
        }
        Ok(())
    }
}

fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Refused> {
    serde_json::from_slice(body).map_err(|error| wrong(error.to_string()))
}

fn wrong(text: String) -> Refused {
    ("400 Bad Request", text)
}

/// The value, if it is allowed.
pub(super) fn within(name: &str, value: u64, range: std::ops::RangeInclusive<u64>) -> Result<u64, Refused> {
    if range.contains(&value) {
        return Ok(value);
    }
    Err(wrong(format!("{name} is {value}: allowed is {} to {}", range.start(), range.end())))
}
