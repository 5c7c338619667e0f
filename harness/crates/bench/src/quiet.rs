//! Waiting for a quiet machine before points that must not be disturbed.

use lab_core::process::machine_cpu_seconds;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long others must be quiet.
const WINDOW: Duration = Duration::from_millis(250);
/// Quiet: less than a tenth of a CPU.
const SHARE: f64 = 0.10;
/// A machine that is never quiet is measured all the same, and the records say so.
const LIMIT: Duration = Duration::from_secs(5);

/// The gate, and what it counted.
pub(crate) struct Quiet {
    /// What all waiting together may still take: a run must end in its time on a busy machine too.
    left: Duration,
    pub(crate) waits: usize,
    pub(crate) in_vain: usize,
}

impl Quiet {
    /// `patience`: what all waiting together may take.
    pub(crate) fn new(patience: Duration) -> Self {
        Self { left: patience, waits: 0, in_vain: 0 }
    }

    /// Waits until other programs have used less than a tenth of a CPU for a quarter of a second; at most five seconds.
    /// To be called while no load runs: all that is used then is used by others. `say` tells the user, if there is anything
    /// to wait for.
    pub(crate) fn wait(&mut self, stop: &dyn Fn() -> bool, say: &dyn Fn(&str)) {
        self.wait_for(stop, say, &mut is_quiet);
    }

    fn wait_for(&mut self, stop: &dyn Fn() -> bool, say: &dyn Fn(&str), is_quiet: &mut dyn FnMut() -> bool) {
        let start = Instant::now();
        let limit = LIMIT.min(self.left);
        self.waits += 1;
        let mut is_said = false;
        loop {
            let quiet = is_quiet();
            if quiet || stop() {
                break;
            }
            if !std::mem::replace(&mut is_said, true) && !limit.is_zero() {
                say(&format!(
                    "other programs are busy: waiting for them, at most {:.0} s",
                    limit.as_secs_f64().ceil()
                ));
            }
            if start.elapsed() >= limit {
                self.in_vain += 1;
                break;
            }
        }
        self.left = self.left.saturating_sub(start.elapsed());
    }

    /// One line about it, if there is something to tell.
    pub(crate) fn summary(&self) -> Option<String> {
        (self.in_vain > 0).then(|| {
            format!(
                "waited {} times for other programs to be quiet, {} times in vain",
                self.waits, self.in_vain
            )
        })
    }
}

fn is_quiet() -> bool {
    let before = machine_cpu_seconds();
    sleep(WINDOW);
    let used = machine_cpu_seconds().zip(before).map(|(after, before)| after - before);
    used.is_none_or(|used| used < SHARE * WINDOW.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn a_machine_that_is_never_quiet_costs_only_the_patience_there_is() {
        let mut quiet = Quiet::new(Duration::from_millis(30));
        let mut busy = || {
            sleep(Duration::from_millis(10));
            false
        };
        let said = Cell::new(0);
        let say = |_: &str| said.set(said.get() + 1);
        let start = Instant::now();
        (0..20).for_each(|_| quiet.wait_for(&|| false, &say, &mut busy));
        assert!(start.elapsed() < LIMIT, "the patience of all waits together is 30 ms");
        assert_eq!((quiet.waits, quiet.in_vain), (20, 20));
        assert!((1..=3).contains(&said.get()), "each wait is said while there is patience: {}", said.get());
        assert!(quiet.summary().is_some_and(|line| line.contains("20 times in vain")));
    }

    #[test]
    fn it_goes_on_as_soon_as_others_are_quiet() {
        let mut quiet = Quiet::new(Duration::from_secs(60));
        let mut looks = 0;
        quiet.wait_for(&|| false, &|_| {}, &mut || {
            looks += 1;
            looks == 3
        });
        assert_eq!((looks, quiet.in_vain, quiet.summary()), (3, 0, None));
    }
}
