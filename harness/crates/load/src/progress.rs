//! What a user sees while the load runs: one line that is written over, on a terminal only.

use super::settings::{Gauge, Settings};
use std::io::{IsTerminal, Write, stderr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Shows the counts once a second until `finished`.
pub(super) fn show(settings: &Settings, finished: impl Fn() -> bool) {
    const SECOND: Duration = Duration::from_secs(1);
    if !stderr().is_terminal() {
        return; // the threads are joined, which waits without waking up
    }
    let sum = |counter: fn(&Gauge) -> &AtomicU64| -> u64 {
        settings.gauges.iter().map(|gauge| counter(gauge).load(Ordering::Relaxed)).sum()
    };
    let (mut last, mut right_before) = (Instant::now(), 0);
    while !finished() && !settings.is_stopped() {
        sleep(Duration::from_millis(100));
        let now = Instant::now();
        if now - last < SECOND {
            continue;
        }
        let right = sum(|gauge| &gauge.right);
        // The end of the warm-up sets the counts back.
        let speed = right.saturating_sub(right_before) as f64 / (now - last).as_secs_f64();
        let phase = if now < settings.measure_from { "warm-up" } else { "" };
        let _ = write!(
            stderr(),
            "\r\x1b[K{:>4} s left  {speed:.0} requests/s  {} errors  {} open connections  {phase}",
            settings.end.saturating_duration_since(now).as_secs(),
            sum(|gauge| &gauge.failed),
            sum(|gauge| &gauge.open),
        );
        (last, right_before) = (now, right);
    }
    let _ = write!(stderr(), "\r\x1b[K");
}
