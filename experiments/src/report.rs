//! What an experiment reports: figures, a chart where one says more than a number, and a verdict that a rule
//! has drawn from the figures.

use anyhow::{Context, Result};
use lab_core::stats::Estimate;
use serde::{Deserialize, Serialize};

/// What stands in the place of an interval where there was one measurement.
const ONCE: &str = "none: measured once";

/// A measured value with its unit, and how sure it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// What was measured; rules find figures by it.
    pub name: String,
    /// The value: for several measurements, their median.
    pub value: f64,
    /// For example `µs`, `bytes`, `×` (a ratio).
    pub unit: String,
    /// The lower and the upper end.
    pub interval: Option<(f64, f64)>,
    /// How many measurements there were.
    pub n: usize,
    /// What the interval is.
    pub interval_is: String,
}

impl Figure {
    /// A count, or a value that a second run must yield again.
    pub fn exact(name: impl Into<String>, unit: &str, value: f64) -> Self {
        let interval_is = "none: an exact value".to_owned();
        Self { name: name.into(), value, unit: unit.to_owned(), interval: None, n: 1, interval_is }
    }

    /// One measurement of something that varies.
    pub fn once(name: impl Into<String>, unit: &str, value: f64) -> Self {
        Self { interval_is: ONCE.to_owned(), ..Self::exact(name, unit, value) }
    }

    /// Whether another run may find another value.
    pub fn varies(&self) -> bool {
        self.interval.is_some() || self.interval_is == ONCE
    }

    /// The median of several measurements.
    ///
    /// # Errors
    /// When there is none.
    pub fn median(name: impl Into<String>, unit: &str, values: &[f64]) -> Result<Self> {
        let name = name.into();
        let estimate = Estimate::of(values).with_context(|| format!("nothing was measured for '{name}'"))?;
        let interval_is = match values.len() {
            1 => ONCE,
            2..=4 => "the range",
            _ => "95 % bootstrap interval of the median",
        };
        let (unit, interval_is) = (unit.to_owned(), interval_is.to_owned());
        let (value, interval) = (estimate.median, estimate.interval);
        Ok(Self { name, value, unit, interval, n: values.len(), interval_is })
    }

    /// The median of the ratios of what was measured in the same round.
    ///
    /// # Errors
    /// When there is no round.
    pub fn ratio(name: impl Into<String>, above: &[f64], below: &[f64]) -> Result<Self> {
        let ratios: Vec<f64> = above.iter().zip(below).map(|(above, below)| above / below).collect();
        Self::median(name, "×", &ratios)
    }

    /// For a rule that is tested: a made-up figure with this interval.
    #[cfg(test)]
    pub(crate) fn between(name: impl Into<String>, (low, high): (f64, f64)) -> Self {
        Self { interval: Some((low, high)), ..Self::exact(name, "×", (low + high) / 2.0) }
    }

    /// The lower end of the interval; the value where there is none.
    pub fn low(&self) -> f64 {
        self.interval.map_or(self.value, |(low, _)| low)
    }

    /// The upper end.
    pub fn high(&self) -> f64 {
        self.interval.map_or(self.value, |(_, high)| high)
    }
}

/// The figures of an experiment, in the order in which they are shown.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Figures(pub Vec<Figure>);

impl Figures {
    /// Adds one.
    pub fn push(&mut self, figure: Figure) {
        self.0.push(figure);
    }

    /// The figure of this name.
    ///
    /// # Errors
    /// When there is none: then no rule can be applied.
    pub fn get(&self, name: &str) -> Result<&Figure> {
        let found = self.0.iter().find(|figure| figure.name == name);
        found.with_context(|| format!("the figure '{name}' was not measured"))
    }

    /// The value of the figure of this name.
    ///
    /// # Errors
    /// As [`Figures::get`].
    pub fn value(&self, name: &str) -> Result<f64> {
        Ok(self.get(name)?.value)
    }

    /// The figures whose names begin so, in order, each with the rest of its name.
    pub fn family<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a Figure)> {
        self.0.iter().filter_map(move |figure| Some((figure.name.strip_prefix(prefix)?, figure)))
    }
}

/// What becomes of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It was seen here as it is claimed.
    Holds,
    /// The opposite was seen, or no difference where a difference is claimed.
    Refuted,
    /// It holds under a condition that the claim does not name.
    Depends,
    /// The figures do not decide it.
    Inconclusive,
}

impl Verdict {
    /// As it is written everywhere.
    pub fn word(self) -> &'static str {
        match self {
            Self::Holds => "holds",
            Self::Refuted => "refuted",
            Self::Depends => "depends",
            Self::Inconclusive => "inconclusive",
        }
    }
}

/// A verdict with its reasons. Only rules over figures make one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Judgement {
    /// What becomes of the claim.
    pub verdict: Verdict,
    /// Why, from the figures: for `depends` on what, for `inconclusive` what would decide it.
    pub because: String,
    /// The sentence that a student should remember.
    pub lesson: String,
    /// For `refuted` and `depends`: what the source really measured, or what it took for granted.
    pub what_was_measured: Option<String>,
    /// The other verdicts that the intervals of the figures allow: see [`crate::noise`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub another_run: Vec<Verdict>,
}

impl Judgement {
    /// The claim holds.
    pub fn holds(because: impl Into<String>, lesson: &str) -> Self {
        Self::new(Verdict::Holds, because, lesson, None)
    }

    /// The claim is refuted; `source` says what was really measured there.
    pub fn refuted(because: impl Into<String>, lesson: &str, source: &str) -> Self {
        Self::new(Verdict::Refuted, because, lesson, Some(source))
    }

    /// The claim depends on something; `source` says what was really measured there.
    pub fn depends(because: impl Into<String>, lesson: &str, source: &str) -> Self {
        Self::new(Verdict::Depends, because, lesson, Some(source))
    }

    /// The figures do not decide it.
    pub fn inconclusive(because: impl Into<String>, lesson: &str) -> Self {
        Self::new(Verdict::Inconclusive, because, lesson, None)
    }

    fn new(verdict: Verdict, because: impl Into<String>, lesson: &str, source: Option<&str>) -> Self {
        let what_was_measured = source.map(str::to_owned);
        let (because, lesson) = (because.into(), lesson.to_owned());
        Self { verdict, because, lesson, what_was_measured, another_run: Vec::new() }
    }
}

/// What a run of an experiment yields, before it is judged.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Measured {
    /// The figures.
    pub figures: Figures,
    /// Where one says more than a number.
    pub chart: Option<Chart>,
}

impl From<Figures> for Measured {
    fn from(figures: Figures) -> Self {
        Self { figures, chart: None }
    }
}

/// A chart as data: what is drawn, not how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Chart {
    /// What it shows.
    pub title: String,
    /// The horizontal axis.
    pub x: Axis,
    /// The vertical axis.
    pub y: Axis,
    /// The lines.
    pub series: Vec<Series>,
}

/// An axis of a chart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Axis {
    /// What is on it, with its unit.
    pub label: String,
    /// Whether equal distances are equal ratios.
    pub is_logarithmic: bool,
    /// A value to compare with, drawn across the chart, and what it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<(f64, String)>,
}

impl Axis {
    /// An axis of equal ratios.
    pub fn logarithmic(label: &str) -> Self {
        Self { label: label.to_owned(), is_logarithmic: true, line: None }
    }

    /// An axis of equal differences.
    pub fn linear(label: &str) -> Self {
        Self { is_logarithmic: false, ..Self::logarithmic(label) }
    }

    /// The same with a line at a value: at 1 for a ratio.
    pub fn with_line(self, value: f64, what: &str) -> Self {
        Self { line: Some((value, what.to_owned())), ..self }
    }
}

/// A line of a chart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Series {
    /// Its name in the legend.
    pub name: String,
    /// Its points from left to right.
    pub points: Vec<Point>,
}

/// A point of a line.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// Where on the horizontal axis.
    pub x: f64,
    /// Where on the vertical axis.
    pub y: f64,
    /// The interval of `y`.
    pub interval: Option<(f64, f64)>,
}

impl Point {
    /// A figure at `x`.
    pub fn at(x: f64, figure: &Figure) -> Self {
        Self { x, y: figure.value, interval: figure.interval }
    }
}

/// All that an experiment reports.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// What was measured.
    pub figures: Figures,
    /// What follows from it.
    #[serde(flatten)]
    pub judgement: Judgement,
    /// The chart, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chart: Option<Chart>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_says_what_its_interval_is() {
        let of = |values: &[f64]| Figure::median("x", "µs", values).expect("there are values");
        assert!(Figure::median("x", "µs", &[]).is_err());
        assert_eq!((of(&[1.0]).interval, of(&[1.0]).low()), (None, 1.0));
        assert!(of(&[1.0, 3.0]).interval_is.contains("range"));
        let many = of(&[1.0, 2.0, 3.0, 4.0, 5.0]);
        assert!(many.interval_is.contains("bootstrap") && many.low() <= 3.0 && many.high() >= 3.0);
    }

    /// A ratio of medians would mix rounds in which the machine ran at different speeds.
    #[test]
    fn a_ratio_pairs_what_was_measured_in_the_same_round() {
        let ratio = Figure::ratio("r", &[2.0, 20.0, 8.0], &[1.0, 10.0, 4.0]).expect("there are rounds");
        assert_eq!((ratio.value, ratio.interval), (2.0, Some((2.0, 2.0))));
    }

    #[test]
    fn a_report_survives_its_file() {
        let chart = Chart {
            title: "t".into(),
            x: Axis::logarithmic("n"),
            y: Axis::logarithmic("ns"),
            series: vec![Series { name: "s".into(), points: vec![Point { x: 1.0, y: 2.0, interval: None }] }],
        };
        let report = Report {
            figures: Figures(vec![Figure::exact("x", "bytes", 3.0)]),
            judgement: Judgement::depends("of the weather", "look outside", "the sun"),
            chart: Some(chart),
        };
        let text = serde_json::to_string(&report).expect("it is plain data");
        assert!(text.contains(r#""verdict":"depends""#), "{text}");
        assert_eq!(serde_json::from_str::<Report>(&text).expect("the same"), report);
    }
}
