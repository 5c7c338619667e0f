//! Values of servers: in a row each, or over a load.

use super::unit::Unit;
use super::{Series, Style};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Values, and the pictures that show them.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Points {
    /// What the values stand over; without it each series has a row.
    pub x: Option<Axis>,
    /// A picture each.
    pub panels: Vec<Panel>,
    /// What the values of one series in one picture are, where there are several: a tool each, a percentile
    /// each. Without them a value looks like its series.
    pub marks: Vec<Mark>,
    /// The owners of the points, in the order of the legend.
    pub series: Vec<Series>,
    /// The values, and what is missing.
    pub points: Vec<Point>,
    /// Rows are bars from zero.
    pub bars: bool,
    /// Every round is a dot.
    pub dots: bool,
}

/// One picture: a measure under a load.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Panel {
    /// Of a switch, of a column, above the picture where there are several.
    pub name: String,
    /// The axis of its values.
    pub axis: Axis,
    /// Only the page and the tables have it.
    pub hidden: bool,
    /// Values to compare with.
    pub lines: Vec<f64>,
    /// From one value to another: what cannot be told from the line.
    pub band: Option<(f64, f64)>,
}

/// An axis.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Axis {
    /// What its numbers are, with the unit.
    pub label: String,
    /// How they are written.
    pub unit: Unit,
    /// Where they lie.
    pub scale: Scale,
}

/// Where the numbers of an axis lie.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Scale {
    /// Evenly, from zero.
    #[default]
    Linear,
    /// A factor has the same length everywhere; zero lies apart.
    Log,
}

/// One of several values that share a picture.
#[derive(Clone, Debug, Serialize)]
pub struct Mark {
    /// In a table: `p99`.
    pub name: String,
    /// In a legend: `99 of 100 (p99) waited at most`.
    pub label: String,
    /// What it looks like.
    pub style: Style,
}

/// One value.
#[derive(Clone, Debug, Serialize)]
pub struct Point {
    /// The index of its series.
    pub series: usize,
    /// The index of its panel.
    pub panel: usize,
    /// The index of its mark; 0 where there are none.
    pub mark: usize,
    /// Where it stands along x.
    pub x: f64,
    /// The median of its records.
    pub value: f64,
    /// How sure it is.
    pub interval: Option<Interval>,
    /// How it is drawn.
    pub marker: Marker,
    /// Why it looks so, and what else is to be known of it.
    pub note: Option<String>,
    /// What stands beside its row.
    pub text: Option<String>,
    /// The records behind it: the file, the line in it from 0, and the record's own value.
    pub records: Vec<(usize, usize, f64)>,
}

/// How sure a value is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Interval {
    /// Its lower end.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
    /// What it is: `range of 5`, `95 %, 9 rounds`.
    pub of: String,
}

/// How a point is drawn; its note has the reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Marker {
    /// The value is the server's own.
    Filled,
    /// Something else than the server alone was the limit.
    Hollow,
    /// Only some of the clients were served.
    Cross,
    /// Not drawn, but named: there is no such value.
    Missed,
}

/// Marks that share a picture, told apart by their styles: name and label of each.
pub fn marks<S: Into<String>>(names: impl IntoIterator<Item = (S, S)>) -> Vec<Mark> {
    let mark = |(at, (name, label)): (usize, (S, S))| Mark {
        name: name.into(),
        label: label.into(),
        style: Style::series(at),
    };
    names.into_iter().enumerate().map(mark).collect()
}

impl Panel {
    /// A picture of one measure.
    pub fn new(name: &str, label: &str, unit: Unit, scale: Scale) -> Self {
        Self { name: name.into(), axis: Axis { label: label.into(), unit, scale }, ..Self::default() }
    }
}

impl Point {
    /// Whether it has a place on an axis.
    pub fn is_drawn(&self) -> bool {
        self.marker != Marker::Missed && Unit::is_number(self.value) && Unit::is_number(self.x)
    }

    /// The ends of its interval and the value.
    pub fn ends(&self) -> impl Iterator<Item = f64> {
        let interval = self.interval.iter().flat_map(|interval| [interval.low, interval.high]);
        interval.chain([self.value]).filter(|&value| Unit::is_number(value))
    }
}

impl Points {
    /// The panels that a picture has.
    pub fn drawn(&self) -> Vec<usize> {
        (0..self.panels.len()).filter(|&at| !self.panels[at].hidden).collect()
    }

    /// The points that a panel shows.
    pub fn on(&self, panel: usize) -> impl Iterator<Item = &Point> + Clone {
        self.points.iter().filter(move |point| point.panel == panel && point.is_drawn())
    }

    /// Everything that must be on the axis of a panel. The rounds are dots on it, or nowhere.
    pub fn values(&self, panel: usize) -> Vec<f64> {
        let dots = |point: &Point| {
            let rounds = if self.dots { point.records.as_slice() } else { &[] };
            rounds.iter().map(|round| round.2).collect::<Vec<_>>()
        };
        let of = self.on(panel).flat_map(|point| point.ends().chain(dots(point)));
        of.chain(self.panels[panel].lines.iter().copied()).collect()
    }

    /// Of a row: the style of each of its points.
    pub fn style(&self, point: &Point) -> Style {
        self.marks.get(point.mark).map_or(self.series[point.series].style, |mark| mark.style)
    }

    /// Why a row has no mark in a panel.
    pub fn why_not(&self, series: usize, panel: usize) -> String {
        let missed = self.points.iter().find(|point| point.series == series && point.panel == panel);
        let why = missed.and_then(|point| point.note.as_ref()).map(|why| {
            let is_plain = why.starts_with("not ");
            if is_plain { why.clone() } else { format!("not measured: {why}") }
        });
        why.unwrap_or_else(|| "not measured".into())
    }

    /// What the whiskers are.
    pub(crate) fn whiskers(&self) -> String {
        let drawn = self.drawn();
        let shown = self.points.iter().filter(|point| drawn.contains(&point.panel) && point.is_drawn());
        let of: BTreeSet<&str> =
            shown.filter_map(|point| Some(point.interval.as_ref()?.of.as_str())).collect();
        let mut kinds: BTreeMap<&str, BTreeSet<(usize, &str)>> = BTreeMap::new();
        for of in of {
            // `95 %, 10 rounds in 2 runs`, `range of 5`
            let (kind, rounds) = of.split_once(", ").or_else(|| of.split_once(" of ")).unwrap_or((of, ""));
            let (count, rest) = rounds.split_once(' ').unwrap_or((rounds, "rounds"));
            kinds.entry(kind).or_default().extend(count.parse::<usize>().ok().map(|count| (count, rest)));
        }
        let kind = |(kind, rounds): (&str, BTreeSet<(usize, &str)>)| {
            let kind = if kind == "95 %" { "95 % bootstrap interval of the median" } else { kind };
            match (rounds.first(), rounds.last()) {
                (Some((few, _)), Some((many, rest))) if few < many => {
                    format!("{kind}, {few} to {many} {rest}")
                }
                (Some((only, rest)), _) => format!("{kind}, {only} {rest}"),
                _ => kind.to_owned(),
            }
        };
        let kinds: Vec<String> = kinds.into_iter().map(kind).collect();
        if kinds.is_empty() { String::new() } else { format!("Whiskers: {}.", kinds.join("; ")) }
    }

    /// What stands behind the names of the series.
    pub fn remarks(&self) -> impl Iterator<Item = String> {
        self.series.iter().filter_map(|series| Some(format!("{}: {}", series.label, series.remark.as_ref()?)))
    }

    /// `Missing: 01, 03 with 64 clients (ab would hang)`: what a reader would look for and not find, as far
    /// as no empty row says it.
    pub fn missing(&self) -> Vec<String> {
        // Mark and panel, and the places along x.
        type Loads = BTreeMap<[Option<String>; 2], BTreeSet<u64>>;
        let drawn = self.drawn();
        let has_row = |point: &Point| {
            self.x.is_some() || self.on(point.panel).any(|other| other.series == point.series)
        };
        let missed = self
            .points
            .iter()
            .filter(|point| !point.is_drawn() && drawn.contains(&point.panel) && has_row(point));
        let mut servers: BTreeMap<(&str, &str), Loads> = BTreeMap::new();
        for point in missed {
            let mark = self.marks.get(point.mark).map(|mark| mark.label.clone());
            let panel = (drawn.len() > 1).then(|| self.panels[point.panel].name.clone());
            let reason = point.note.as_deref().unwrap_or("no such value");
            let loads = servers.entry((reason, self.series[point.series].name.as_str())).or_default();
            // Where nothing is there, the loads need no names.
            if self.on(point.panel).any(|other| other.series == point.series) {
                // Places along x are never negative, so their bits have their order.
                loads.entry([mark, panel]).or_default().insert(point.x.to_bits());
            }
        }
        let mut alike: BTreeMap<(&str, Loads), Vec<&str>> = BTreeMap::new();
        for ((reason, name), loads) in servers {
            alike.entry((reason, loads)).or_default().push(name);
        }
        let load = |([mark, panel], places): ([Option<String>; 2], BTreeSet<u64>)| {
            let places = self.x.as_ref().map(|x| {
                let places: Vec<String> =
                    places.into_iter().map(|place| x.unit.tick(f64::from_bits(place))).collect();
                format!("{} {}", places.join(", "), x.label.split(' ').next().unwrap_or_default())
            });
            [mark, places, panel].into_iter().flatten().collect::<Vec<_>>().join(", ")
        };
        let line = |((reason, loads), names): ((&str, Loads), Vec<&str>)| {
            let loads: Vec<String> = loads.into_iter().map(load).filter(|load| !load.is_empty()).collect();
            let with = if loads.is_empty() { String::new() } else { format!(" with {}", loads.join("; ")) };
            format!("Missing: {}{with} ({reason})", names.join(", "))
        };
        alike.into_iter().map(line).collect()
    }
}
