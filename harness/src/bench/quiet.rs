//! Waiting for a quiet machine before a point that must not be disturbed.

use crate::process::machine_cpu_seconds;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long others must be quiet.
const WINDOW: Duration = Duration::from_millis(250);
/// Quiet: less than a tenth of a CPU.
const SHARE: f64 = 0.10;
/// A machine that is never quiet is measured all the same, and the records say so.
const LIMIT: Duration = Duration::from_secs(5);

/// Waits until other programs have used less than a tenth of a CPU for a quarter of a second; at most five seconds. To
/// be called while no load runs: all that is used then is used by others. True if it became quiet.
pub(super) fn wait_for_quiet(stop: &dyn Fn() -> bool) -> bool {
    let start = Instant::now();
    while start.elapsed() < LIMIT && !stop() {
        let before = machine_cpu_seconds();
        sleep(WINDOW);
        let used = machine_cpu_seconds().zip(before).map(|(after, before)| after - before);
        if used.is_none_or(|used| used < SHARE * WINDOW.as_secs_f64()) {
            return true;
        }
    }
    false
}
