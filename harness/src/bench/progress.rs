//! What the user sees during a run: a bar on a terminal, a line per point elsewhere.

use super::{Plan, Point};
use crate::records::{Phase, Record};
use indicatif::{ProgressBar, ProgressStyle};
use std::cell::Cell;
use std::io::IsTerminal;
use std::time::Duration;

/// The bar moves by expected time, not by points: points of webbench take twice as long.
pub(super) struct Progress<'a> {
    plan: &'a Plan,
    /// On a terminal only.
    bar: Option<ProgressBar>,
    done: Cell<usize>,
}

impl<'a> Progress<'a> {
    pub(super) fn new(plan: &'a Plan) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{bar:30} {percent:>3}%  {msg}");
            let bar = ProgressBar::new((plan.seconds() * 1000.0) as u64);
            bar.set_style(style.expect("the template is a constant"));
            bar.enable_steady_tick(Duration::from_millis(200));
            bar
        });
        Self { plan, bar, done: Cell::new(0) }
    }

    pub(super) fn begin(&self, point: &Point) {
        if let Some(bar) = &self.bar {
            // The plan knows better than the speed so far: at first there is none.
            let left = self.plan.seconds() - bar.position() as f64 / 1000.0;
            bar.set_message(format!("{} left  {}", minutes(left.max(0.0)), self.describe(point)));
        }
    }

    /// A point that an earlier run has measured.
    pub(super) fn skip(&self, point: &Point) {
        self.done.set(self.done.get() + 1);
        if let Some(bar) = &self.bar {
            bar.inc((self.plan.seconds_of(point) * 1000.0) as u64);
        }
    }

    pub(super) fn end(&self, point: &Point, record: &Record) {
        self.done.set(self.done.get() + 1);
        if let Some(reason) = &record.skipped {
            self.complain(&format!("{}: {reason}", self.describe(point)));
        }
        match (&self.bar, &record.figures) {
            (Some(bar), _) => {
                let runs = if record.phase == Phase::Paired { 2.0 } else { 1.0 };
                bar.inc((runs * self.plan.seconds_of(point) * 1000.0) as u64);
            }
            (None, Some(figures)) => {
                let total = self.plan.len();
                let errors =
                    if figures.errors > 0 { format!(", {} errors", figures.errors) } else { String::new() };
                let speed = figures.requests_per_second;
                eprintln!(
                    "[{}/{total}] {}: {speed:.0} requests/s{errors}",
                    self.done.get(),
                    self.describe(point)
                );
            }
            (None, None) => {}
        }
    }

    /// Says something that stays on the screen.
    pub(super) fn complain(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| eprintln!("{line}")),
            None => eprintln!("{line}"),
        }
    }

    fn describe(&self, point: &Point) -> String {
        let keep_alive = if point.keep_alive { "keep-alive" } else { "close" };
        let name = &self.plan.subjects[point.subject].name;
        format!("{name} {} -c {} {keep_alive}", point.tool.name(), point.concurrency)
    }
}

impl Drop for Progress<'_> {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// A duration as people say it.
pub(super) fn minutes(seconds: f64) -> String {
    let seconds = seconds.round() as u64;
    match (seconds / 60, seconds % 60) {
        (0, seconds) => format!("{seconds} s"),
        (minutes, seconds) => format!("{minutes} min {seconds} s"),
    }
}
