//! Values of servers: over a load, or in a row each.

use super::unit::{NONE, Unit};
use super::{Series, Style};
use lab_core::stats::Estimate;
use serde::Serialize;

/// Values, and the ways to look at them.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Points {
    /// What the values stand over; without it each series has a row.
    pub x: Option<Axis>,
    /// What was measured, one or several.
    pub measures: Vec<Measure>,
    /// The measure that the page shows first.
    pub first: usize,
    /// How the measures share a picture.
    pub show: Show,
    /// What else the points differ in.
    pub choices: Vec<Choice>,
    /// Whose points they are, in the order of the legend.
    pub series: Vec<Series>,
    /// The values.
    pub points: Vec<Point>,
    /// What is missing.
    pub gaps: Vec<Gap>,
    /// What the values are compared with; of the first measure.
    pub references: Vec<Reference>,
    /// Rows are bars from zero, not marks.
    pub bars: bool,
    /// The figures of a row stand beside it.
    pub figures: bool,
}

/// One thing that was measured.
#[derive(Clone, Debug, Serialize)]
pub struct Measure {
    /// In a word, as a switch and a table have it: `p99`.
    pub name: String,
    /// In a legend: `99 of 100 (p99) waited at most`.
    pub says: String,
    /// Its axis.
    pub axis: Axis,
    /// Whether the picture has it; page and tables have every one.
    pub drawn: bool,
    /// Of its marks, where several measures share a picture.
    pub style: Style,
}

/// An axis.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Axis {
    /// What its numbers are, with the unit.
    pub label: String,
    /// How they are written.
    pub unit: Unit,
    /// Where they lie.
    pub scale: Scale,
    /// A second label at the other side, and what a number is multiplied with there.
    pub also: Option<(String, f64)>,
}

/// Where the numbers of an axis lie.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Scale {
    /// Evenly, from zero.
    #[default]
    Linear,
    /// Evenly, around a value that the others are compared with.
    Around(f64),
    /// A factor has the same length everywhere; zero lies apart.
    Log,
    /// A band for each; a point's x is the number of its band.
    Bands(Vec<String>),
}

/// How a picture, which has no switch, shows several measures or options.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Show {
    /// The first; the page has a switch.
    #[default]
    First,
    /// Pictures below each other; the page has a switch.
    Below,
    /// Pictures beside each other, here and there.
    Beside,
    /// Marks of several colours in one picture. Where the points stand over something, each series then has a
    /// picture of its own, and the page a switch.
    Marks,
}

/// Something that points differ in: the connections, the generator.
#[derive(Clone, Debug, Serialize)]
pub struct Choice {
    /// In the address of a view.
    pub id: String,
    /// Before the switch.
    pub label: String,
    /// What there is to choose from, in a word or two.
    pub options: Vec<String>,
    /// The same above a picture.
    pub says: Vec<String>,
    /// How a picture shows them.
    pub show: Show,
}

/// One value.
#[derive(Clone, Debug, Serialize)]
pub struct Point {
    /// Whose, as an index.
    pub series: usize,
    /// Of what, as an index.
    pub measure: usize,
    /// For each choice the option that it belongs to.
    pub options: Vec<usize>,
    /// Where it stands; on bands the band's number.
    pub x: f64,
    /// The median of its records.
    pub value: f64,
    /// How sure it is.
    pub interval: Option<Interval>,
    /// How it is drawn.
    pub look: Look,
    /// Why it looks so, and what else is to be known of it.
    pub note: Option<String>,
    /// The little of it that stands beside a row.
    pub aside: Option<String>,
    /// The records behind it: the lines of the data file, from 0, each with its own figure.
    pub records: Vec<(usize, f64)>,
}

/// How sure a value is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Interval {
    /// Its lower end.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
    /// What it is.
    pub spread: Spread,
}

/// What an interval is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Spread {
    /// The smallest and the largest round.
    Range,
    /// The 95 % bootstrap interval of the median.
    Bootstrap,
}

/// How a point is drawn; its note has the reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Look {
    /// The server was the limit, or nobody.
    Filled,
    /// The generator was the limit: the server could do more.
    Hollow,
    /// Only some of the clients were served.
    Cross,
    /// Not drawn, but named: there is no such figure.
    Missed,
}

/// A point that was not measured.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Gap {
    /// The server by which the page switches it on and off.
    pub server: String,
    /// What it is called.
    pub name: String,
    /// For each choice the option; empty if it is missing whatever is chosen.
    pub options: Vec<usize>,
    /// Clients at once.
    pub clients: usize,
    /// Workers, where they were told.
    pub workers: Option<usize>,
    /// Why.
    pub reason: String,
}

/// What values are compared with.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Reference {
    /// A value.
    Line(f64),
    /// From one value to another.
    Band(f64, f64),
    /// A value for each place along x, with what they are.
    Steps(String, Vec<(f64, f64)>),
}

impl Point {
    /// A point of these records, each with its own figure, without anything to be said about it.
    pub fn new(series: usize, x: f64, estimate: Estimate, records: Vec<(usize, f64)>) -> Self {
        let spread = if records.len() < 5 { Spread::Range } else { Spread::Bootstrap };
        let interval = estimate.interval.map(|(low, high)| Interval { low, high, spread });
        let interval =
            interval.filter(|interval| [interval.low, interval.high].into_iter().all(Unit::is_number));
        Self {
            series,
            measure: 0,
            options: Vec::new(),
            x,
            value: estimate.median,
            interval,
            look: Look::Filled,
            note: None,
            aside: None,
            records,
        }
    }

    /// A figure that there is not, with the reason.
    pub fn missed(series: usize, x: f64, why: String) -> Self {
        let none = Estimate { median: f64::NAN, interval: None };
        Self { look: Look::Missed, note: Some(why), ..Self::new(series, x, none, Vec::new()) }
    }

    /// Whether it has a place on an axis.
    pub fn is_drawn(&self) -> bool {
        self.look != Look::Missed && Unit::is_number(self.value) && Unit::is_number(self.x)
    }

    /// What must be on the axis: the ends of the interval and the value.
    pub fn ends(&self) -> impl Iterator<Item = f64> {
        let interval = self.interval.into_iter().flat_map(|interval| [interval.low, interval.high]);
        interval.chain([self.value]).filter(|&value| Unit::is_number(value))
    }

    /// `1.07 [1.03–1.10]`; a dash where there is no figure.
    pub fn text(&self, unit: Unit) -> String {
        if self.look == Look::Missed {
            return NONE.to_owned();
        }
        let value = unit.text(self.value);
        self.interval.map_or(value.clone(), |Interval { low, high, .. }| {
            format!("{value} [{}–{}]", unit.text(low), unit.text(high))
        })
    }
}

impl Measure {
    /// A measure that is called by its axis.
    pub fn new(name: &str, label: &str, unit: Unit, scale: Scale) -> Self {
        let axis = Axis { label: label.into(), unit, scale, also: None };
        Self { name: name.into(), says: name.into(), axis, drawn: true, style: Style::series(0) }
    }
}
