//! What the user sees while it is measured.

use indicatif::{ProgressBar, ProgressStyle};
use lab_core::units::minutes;
use std::io::IsTerminal;
use std::time::Duration;

/// A bar on a terminal, a line per point elsewhere.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    whole: f64,
    done: usize,
    points: usize,
}

impl Progress {
    pub(super) fn new(points: usize, whole: f64) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{bar:30} {percent:>3}%  {msg}");
            let bar = ProgressBar::new((whole * 1000.0) as u64);
            bar.set_style(style.expect("the template is a constant"));
            bar.enable_steady_tick(Duration::from_millis(200));
            bar
        });
        Self { bar, whole, done: 0, points }
    }

    pub(super) fn begin(&self, name: &str) {
        if let Some(bar) = &self.bar {
            let left = self.whole - bar.position() as f64 / 1000.0;
            bar.set_message(format!("{} left  {name}", minutes(left.max(0.0))));
        }
    }

    /// Why nothing seems to happen for a moment.
    pub(super) fn wait(&self, reason: &str) {
        match &self.bar {
            Some(bar) => bar.set_message(reason.to_owned()),
            None => eprintln!("{reason}"),
        }
    }

    /// A point is over; `line` tells of it unless it was done before.
    pub(super) fn end(&mut self, seconds: f64, line: Option<&str>) {
        self.done += 1;
        match (&self.bar, line) {
            (Some(bar), _) => bar.inc((seconds * 1000.0) as u64),
            (None, Some(line)) => eprintln!("[{}/{}] {line}", self.done, self.points),
            (None, None) => {}
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
