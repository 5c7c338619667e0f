//! What the user sees during a run: a bar on a terminal, a line per point elsewhere.

use super::plan::Plan;
use super::point::{Method, Point};
use indicatif::{ProgressBar, ProgressStyle};
use lab_core::units::{bytes, minutes, number, time};
use records::{Phase, Record};
use std::collections::BTreeSet;
use std::io::IsTerminal;
use std::time::Duration;

/// The bar moves by expected time, not by points: points of webbench take twice as long.
pub(super) struct Progress<'a> {
    plan: &'a Plan,
    /// On a terminal only.
    bar: Option<ProgressBar>,
    done: usize,
    /// What was said of a server is said once, not for each of its points.
    said: BTreeSet<(String, String)>,
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
        Self { plan, bar, done: 0, said: BTreeSet::new() }
    }

    pub(super) fn begin(&self, point: &Point) {
        if let Some(bar) = &self.bar {
            // The plan knows better than the speed so far: at first there is none.
            let left = self.plan.seconds() - bar.position() as f64 / 1000.0;
            bar.set_message(format!("{} left  {}", minutes(left.max(0.0)), self.describe(point)));
        }
    }

    /// A point that an earlier run has measured.
    pub(super) fn skip(&mut self, point: &Point) {
        self.done += 1;
        self.advance(point);
    }

    pub(super) fn end(&mut self, point: &Point, record: &Record) {
        self.done += 1;
        self.advance(point);
        if let Some(reason) = record.skipped() {
            let is_news = self.said.insert((record.key.server.clone(), reason.to_owned()));
            if is_news && reason.starts_with("refused") {
                self.complain(&format!("{}: {reason}", record.key.server));
            } else if is_news {
                self.complain(&format!("{}: {reason}", self.describe(point)));
            }
        } else if self.bar.is_none() {
            let total = self.plan.len();
            eprintln!("[{}/{total}] {}: {}", self.done, self.describe(point), found(record));
        }
    }

    /// Why nothing seems to happen for a moment.
    pub(super) fn wait(&self, reason: &str) {
        match &self.bar {
            Some(bar) => bar.set_message(reason.to_owned()),
            None => eprintln!("{reason}"),
        }
    }

    /// A point was disturbed and will be measured again.
    pub(super) fn repeat(&self, point: &Point) {
        self.wait(&format!("{}: disturbed by other programs, will be measured again", self.describe(point)));
    }

    /// Says something that stays on the screen.
    pub(super) fn complain(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| eprintln!("{line}")),
            None => eprintln!("{line}"),
        }
    }

    fn advance(&self, point: &Point) {
        if let Some(bar) = &self.bar {
            bar.inc((self.plan.seconds_of(point) * 1000.0) as u64);
        }
    }

    fn describe(&self, point: &Point) -> String {
        let (label, load) = (&self.plan.subject(point).label, &point.load);
        let path = if load.path == "/" { String::new() } else { format!(" {}", load.path) };
        if let Method::OfPeak(share) = point.method {
            return format!("{label}{path} at {share} times the peak");
        }
        match (point.rate(), point.idle) {
            (Some(rate), None | Some(0)) => format!("{label}{path} at {}/s", number(rate)),
            (Some(rate), Some(idle)) => {
                format!(
                    "{label}{path} at {}/s beside {} silent connections",
                    number(rate),
                    number(idle as f64)
                )
            }
            _ if point.phase == Phase::Idle => {
                format!("{label} with {} silent connections", number(load.concurrency as f64))
            }
            _ => {
                let keep_alive = if load.keep_alive { "keep-alive" } else { "close" };
                format!("{label}{path} {} -c {} {keep_alive}", point.tool.name(), load.concurrency)
            }
        }
    }
}

/// The point in a few words.
fn found(record: &Record) -> String {
    let mut text = match (record.figures(), record.idle(), record.open_loop()) {
        (_, Some(idle), _) => {
            format!("{} each, {} once served", bytes(idle.silent_bytes), bytes(idle.served_bytes))
        }
        (Some(figures), _, None) => format!("{} requests/s", number(figures.requests_per_second)),
        (Some(_), _, Some(open)) => {
            let answered = record.answered_per_second().unwrap_or(0.0);
            match open.is_reached(answered) {
                true => format!("99 % within {}", time(open.latency_us.p99 as f64)),
                false => format!("rate not reached: {} of {}/s", number(answered), number(open.rate)),
            }
        }
        (None, None, _) => String::new(),
    };
    let errors = record.figures().map_or(0, |figures| figures.errors);
    let errors = errors + record.mix().map_or(0, |mix| mix.errors);
    if errors > 0 {
        text.push_str(&format!(", {errors} errors"));
    }
    // That a foreign server has no CPU figures was said before the run.
    let (served, clients) = (record.served().clients, record.key.concurrency);
    if served < clients {
        text.push_str(&format!(", {served} of {clients} clients served"));
    }
    text
}

impl Drop for Progress<'_> {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
