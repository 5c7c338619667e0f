//! Values to pixels, and the round numbers between: one kind of axis for plotters, whatever lies on it.

use super::text::{self, SMALL};
use crate::model::{Axis, Scale as Kind, Unit};
use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged};
use std::ops::Range;

/// How much of a logarithmic axis is left for a zero, and where in it that lies.
const ZERO: (f64, f64) = (0.09, 0.02);
/// Of a tick's label in an upright axis.
const HEIGHT: f64 = 14.0;

/// An axis with its ticks.
#[derive(Clone, Debug)]
pub(super) struct Scale {
    place: Place,
    ticks: Vec<(f64, String)>,
}

#[derive(Clone, Debug)]
enum Place {
    Linear {
        least: f64,
        most: f64,
    },
    Log {
        least: f64,
        most: f64,
        has_zero: bool,
    },
    /// The edges of the bands, as shares of the axis.
    Bands {
        edges: Vec<f64>,
        downwards: bool,
    },
}

impl Scale {
    /// The axis that holds these values, in so many pixels.
    pub(super) fn of(axis: &Axis, values: impl Iterator<Item = f64>, pixels: i32, is_across: bool) -> Self {
        let values: Vec<f64> = values.filter(|&value| Unit::is_number(value)).collect();
        let place = match &axis.scale {
            Kind::Bands(names) => return Self::bands(names, &values, pixels),
            Kind::Linear => from_zero(&values),
            Kind::Around(middle) => around(*middle, &values),
            Kind::Log => log(&values),
        };
        let about = (if is_across { pixels / 55 } else { pixels / 26 }).clamp(2, 9) as usize;
        // Round in the unit of the other side: there a round number is one on this side too, but not the
        // other way round.
        let factor = axis.also.as_ref().map_or(1.0, |(_, factor)| *factor);
        let ticks = place.ticks(about, factor);
        let is_whole = axis.unit == Unit::Hundredths && ticks.iter().all(|tick| tick.fract() == 0.0);
        let unit = if is_whole { Unit::Count } else { axis.unit };
        let ticks = ticks.into_iter().map(|tick| (tick, unit.tick(tick))).collect();
        Self { place, ticks }.thinned(pixels, is_across)
    }

    /// One that stands over measured values, and names the first and the last of them.
    pub(super) fn over(axis: &Axis, values: impl Iterator<Item = f64> + Clone, pixels: i32) -> Self {
        let mut scale = Self::of(axis, values.clone(), pixels, true);
        if let Kind::Bands(_) = axis.scale {
            return scale;
        }
        let ends = [values.clone().fold(f64::MIN, f64::max), values.fold(f64::MAX, f64::min)];
        let ends = ends.into_iter().filter(|end| Unit::is_number(*end)).map(|end| (end, axis.unit.tick(end)));
        let [low, high] = scale.place.ends();
        scale.ticks.retain(|(tick, _)| tick.log10().fract() == 0.0 && *tick > low && *tick < high);
        scale.ticks.reverse();
        scale.ticks = ends.chain(scale.ticks).collect();
        scale.thinned(pixels, true)
    }

    /// A band for each name that is used. One that is a word cannot be left out and gets the room that it
    /// needs.
    fn bands(all: &[String], used: &[f64], pixels: i32) -> Self {
        let is_used = |at: usize| used.is_empty() || used.contains(&(at as f64));
        let names: Vec<&String> =
            all.iter().enumerate().filter(|(at, _)| is_used(*at)).map(|(_, name)| name).collect();
        let equal = f64::from(pixels) / names.len().max(1) as f64;
        let is_word = |name: &String| !name.starts_with(|first: char| first.is_ascii_digit());
        let need = |name: &String| (f64::from(text::width(name, SMALL)) + 40.0).max(equal);
        let words: f64 = names.iter().filter(|name| is_word(name)).map(|name| need(name)).sum();
        let numbers = names.iter().filter(|name| !is_word(name)).count().max(1);
        let each = ((f64::from(pixels) - words) / numbers as f64).max(1.0);
        let width = |(at, name): (usize, &String)| match is_used(at) {
            true if is_word(name) => need(name),
            true => each,
            false => 0.0,
        };
        let widths: Vec<f64> = all.iter().enumerate().map(width).collect();
        let total = widths.iter().sum::<f64>().max(1.0);
        let edges = widths.iter().scan(0.0, |end, width| {
            *end += width / total;
            Some(*end)
        });
        let edges: Vec<f64> = std::iter::once(0.0).chain(edges).collect();
        let ticks = all.iter().enumerate().filter(|(at, _)| is_used(*at));
        let mut ticks: Vec<(f64, String)> = ticks.map(|(at, name)| (at as f64, name.clone())).collect();
        // The most important first: words, the last number, the first, and as many others as there is room
        // for, evenly.
        let widest = names.iter().filter(|name| !is_word(name)).map(|name| text::width(name, SMALL)).max();
        let every = ((f64::from(widest.unwrap_or(0)) + 8.0) / each).ceil().max(1.0) as usize;
        let last = ticks.iter().rfind(|(_, name)| !is_word(name)).map(|(at, _)| *at);
        let first = ticks.first().map(|(at, _)| *at);
        ticks.sort_by_key(|(at, name)| match *at {
            _ if is_word(name) => 0,
            at if Some(at) == last => 1,
            at if Some(at) == first => 2,
            at if (at as usize).is_multiple_of(every) => 3,
            _ => 4,
        });
        Self { place: Place::Bands { edges, downwards: false }, ticks }.thinned(pixels, true)
    }

    /// A row for each of so many, the first at the top; without labels.
    pub(super) fn rows(count: usize) -> Self {
        let edges = (0..=count).map(|at| at as f64 / count.max(1) as f64).collect();
        Self { place: Place::Bands { edges, downwards: true }, ticks: Vec::new() }
    }

    /// Without those labels that would touch a more important one.
    fn thinned(mut self, pixels: i32, is_across: bool) -> Self {
        let extent = |label: &String| if is_across { f64::from(text::width(label, SMALL)) } else { HEIGHT };
        let placed =
            self.ticks.iter().map(|tick| (self.place.share(tick.0) * f64::from(pixels), tick.clone()));
        let kept = text::apart(placed.collect::<Vec<_>>(), |(_, label)| extent(label));
        self.ticks = kept.into_iter().map(|(_, tick)| tick).collect();
        self
    }

    /// The labels with their values.
    #[cfg(test)]
    fn ticks(&self) -> &[(f64, String)] {
        &self.ticks
    }

    /// Where a value lies, from 0 to 1.
    pub(super) fn share(&self, value: f64) -> f64 {
        self.place.share(value)
    }

    /// What stands at a tick.
    pub(super) fn label(&self, value: f64) -> String {
        self.ticks.iter().find(|(tick, _)| *tick == value).map_or(String::new(), |(_, label)| label.clone())
    }

    /// A place so many pixels beside the middle of a band, on an axis of that length.
    pub(super) fn beside(&self, value: f64, aside: f64, pixels: i32) -> f64 {
        match &self.place {
            Place::Bands { edges, .. } => {
                value + aside / (width_of(edges, value) * f64::from(pixels)).max(1.0)
            }
            _ => value,
        }
    }

    /// How many pixels a band has.
    pub(super) fn band(&self, value: f64, pixels: i32) -> f64 {
        match &self.place {
            Place::Bands { edges, .. } => width_of(edges, value) * f64::from(pixels),
            _ => 0.0,
        }
    }
}

fn width_of(edges: &[f64], value: f64) -> f64 {
    let at = (value.round().max(0.0) as usize).min(edges.len().saturating_sub(2));
    edges.get(at + 1).map_or(1.0, |end| end - edges[at])
}

impl Place {
    fn share(&self, value: f64) -> f64 {
        let share = match self {
            Self::Linear { least, most } => (value - least) / (most - least),
            Self::Log { has_zero: true, .. } if value <= 0.0 => ZERO.1,
            Self::Log { least, most, has_zero } => {
                let share = (value.max(*least) / least).ln() / (most / least).ln();
                if *has_zero { ZERO.0 + (1.0 - ZERO.0) * share } else { share }
            }
            Self::Bands { edges, downwards } => {
                let at = ((value + 0.5).floor().max(0.0) as usize).min(edges.len().saturating_sub(2));
                let share = edges[at] + (value + 0.5 - at as f64) * width_of(edges, at as f64);
                if *downwards { 1.0 - share } else { share }
            }
        };
        share.clamp(-0.01, 1.01)
    }

    fn ends(&self) -> [f64; 2] {
        match self {
            Self::Linear { least, most } | Self::Log { least, most, .. } => [*least, *most],
            Self::Bands { edges, .. } => [-0.5, edges.len() as f64 - 1.5],
        }
    }

    /// Round numbers, at most about this many; round once they are multiplied with the factor.
    fn ticks(&self, about: usize, factor: f64) -> Vec<f64> {
        let [least, most] = self.ends().map(|end| end * factor);
        let ticks = match self {
            Self::Bands { .. } => Vec::new(),
            Self::Linear { .. } => linear_ticks(least, most, about),
            Self::Log { has_zero, .. } => {
                let zero = has_zero.then_some(0.0);
                zero.into_iter().chain(log_ticks(least, most, about)).collect()
            }
        };
        ticks.into_iter().map(|tick| tick / factor).collect()
    }
}

/// From zero to a little more than the largest value.
fn from_zero(values: &[f64]) -> Place {
    let most = values.iter().copied().fold(0.0, f64::max);
    let least = values.iter().copied().fold(0.0, f64::min);
    Place::Linear { least: 1.06 * least, most: if most > 0.0 { 1.06 * most } else { 1.0 } }
}

/// A difference of a few per cent must not fill the picture.
fn around(middle: f64, values: &[f64]) -> Place {
    let least = values.iter().copied().fold(middle, f64::min);
    let most = values.iter().copied().fold(middle, f64::max);
    let room = (0.06 * (most - least)).max(0.05);
    Place::Linear { least: (least - room).max(0.0), most: most + room }
}

/// With a little room at both ends. What is not above zero lies apart.
fn log(values: &[f64]) -> Place {
    let positive = values.iter().copied().filter(|&value| value > 0.0);
    let (least, most) = positive.fold((f64::MAX, 0.0), |(low, high), v| (v.min(low), v.max(high)));
    let (least, most) = if most > 0.0 { (least, most) } else { (1.0, 10.0) };
    // At least a factor of four: a difference of a few per cent must not fill the picture.
    let room = (most / least).powf(0.06).max((4.0 * least / most).sqrt()).max(1.1);
    let has_zero = values.iter().any(|&value| value <= 0.0);
    Place::Log { least: least / room, most: most * room, has_zero }
}

/// Round numbers from `least` to `most`, at most `about` steps of them.
fn linear_ticks(least: f64, most: f64, about: usize) -> Vec<f64> {
    let raw = (most - least) / about.max(1) as f64;
    let unit = 10f64.powf(raw.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|n| n * unit).find(|step| *step >= raw).unwrap_or(raw);
    let (first, last) = ((least / step).ceil() as i64, (most / step).floor() as i64);
    // A decimal of many digits is not what was meant by 3 × 0.1.
    let round = |n: i64| if step < 1.0 { n as f64 / (1.0 / step).round() } else { n as f64 * step };
    (first..=last).map(round).collect()
}

/// 1, 2 and 5 of each power of ten; fewer where these are too many.
fn log_ticks(least: f64, most: f64, about: usize) -> Vec<f64> {
    let decades = || (least.log10().floor() as i32)..=(most.log10().ceil() as i32);
    // From fine to coarse; the last is one number in three decades.
    let sets = [(&[1.0, 2.0, 5.0][..], 1), (&[1.0, 3.0], 1), (&[1.0], 1), (&[1.0], 2), (&[1.0], 3)];
    for (digits, every) in sets {
        let ticks: Vec<f64> = decades()
            .filter(|decade| decade.rem_euclid(every) == 0)
            .flat_map(|decade| digits.iter().map(move |digit| digit * 10f64.powi(decade)))
            .filter(|tick| (least..=most).contains(tick))
            .collect();
        if ticks.len() <= about {
            return ticks;
        }
    }
    Vec::new()
}

impl Ranged for Scale {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        limit.0 + (f64::from(limit.1 - limit.0) * self.share(*value)).round() as i32
    }

    /// The ticks, whatever plotters would find room for: there are no light lines between them.
    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        if hint.weight().allow_light_points() {
            return Vec::new();
        }
        self.ticks.iter().map(|(tick, _)| *tick).collect()
    }

    fn range(&self) -> Range<f64> {
        let [least, most] = self.place.ends();
        least..most
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(scale: Kind) -> Axis {
        Axis { label: String::new(), unit: Unit::Count, scale, also: None }
    }

    fn values(scale: &Scale) -> Vec<f64> {
        let mut values: Vec<f64> = scale.ticks().iter().map(|(tick, _)| *tick).collect();
        values.sort_by(f64::total_cmp);
        values
    }

    fn labels(scale: &Scale) -> Vec<&str> {
        let mut ticks: Vec<_> = scale.ticks().iter().collect();
        ticks.sort_by(|one, other| one.0.total_cmp(&other.0));
        ticks.into_iter().map(|(_, label)| label.as_str()).collect()
    }

    #[test]
    fn the_ends_of_a_linear_scale_are_zero_and_a_little_more_than_the_most() {
        let scale = Scale::of(&axis(Kind::Linear), [5.0, 100.0].into_iter(), 1060, true);
        assert_eq!((scale.map(&0.0, (10, 1070)), scale.map(&100.0, (10, 1070))), (10, 1010));
        assert_eq!(scale.map(&0.0, (500, 100)), 500, "an axis may run upwards");
        assert_eq!(values(&Scale::of(&axis(Kind::Linear), [].into_iter(), 200, true)), [0.0, 0.5, 1.0]);
    }

    #[test]
    fn a_logarithmic_scale_holds_every_value_and_has_round_numbers() {
        let all = [176.0, 400.0, 3_000_000.0];
        let scale = Scale::of(&axis(Kind::Log), all.into_iter(), 400, true);
        assert!(all.iter().all(|&value| (1..1000).contains(&scale.map(&value, (0, 1000)))));
        assert_eq!(values(&scale), [1e2, 1e3, 1e4, 1e5, 1e6]);
        let near = Scale::of(&axis(Kind::Log), [100.0, 101.0].into_iter(), 480, true);
        assert!(near.share(101.0) - near.share(100.0) < 0.02, "one per cent does not fill the picture");
        assert_eq!(values(&near), [100.0, 200.0]);
    }

    #[test]
    fn zero_lies_apart_on_a_logarithmic_scale() {
        let scale = Scale::of(&axis(Kind::Log), [0.0, 10.0, 1000.0].into_iter(), 800, true);
        assert!(scale.share(0.0) < scale.share(10.0) - 0.05 && values(&scale)[0] == 0.0);
        let none = Scale::of(&axis(Kind::Log), [10.0, 1000.0].into_iter(), 800, true);
        assert!(values(&none)[0] > 0.0);
    }

    #[test]
    fn over_measured_numbers_the_first_and_the_last_are_named() {
        let over = |clients: &[f64]| {
            let scale = Scale::over(&axis(Kind::Log), clients.iter().copied(), 428);
            labels(&scale).join(" ")
        };
        assert_eq!(over(&[1.0, 2.0, 5.0, 2500.0, 3000.0]), "1 10 100 1,000 3,000");
        assert_eq!(over(&[1.0, 3000.0, 20_000.0]), "1 10 100 1,000 20,000");
        assert_eq!((over(&[5.0]).as_str(), over(&[5.0, 64.0]).as_str()), ("5", "5 10 64"));
    }

    /// Protects the reader of many bands: every label is whole, none touches another, the first and the last
    /// are there.
    #[test]
    fn many_bands_have_fewer_labels() {
        for (count, with_word) in [(1, false), (3, true), (11, true), (40, true), (100, false)] {
            let mut names: Vec<String> = (1..=count).map(|number| (10 * number).to_string()).collect();
            names.extend(with_word.then(|| "no --workers".to_owned()));
            let pixels = (24 * names.len() as i32).max(804);
            let scale = Scale::bands(&names, &[], pixels);
            let labels = labels(&scale);
            assert!(
                labels.contains(&"10") && labels.contains(&(10 * count).to_string().as_str()),
                "{labels:?}"
            );
            assert!(labels.len() > count / 4 && (count > 11 || labels.len() == names.len()), "{labels:?}");
            assert_eq!(labels.contains(&"no --workers"), with_word);
        }
    }

    /// Whatever the values, the unit and the room: no label of an axis lies on another, and every one has its
    /// place.
    #[test]
    fn no_two_labels_of_an_axis_overlap() {
        let units = [Unit::Count, Unit::Hundredths, Unit::Short, Unit::Micros, Unit::Bytes, Unit::Percent];
        let mut seed = 1_u64;
        let mut random = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) as f64 / f64::from(1_u32 << 31)
        };
        for case in 0..3000 {
            let kind = [Kind::Linear, Kind::Log, Kind::Around(1.0)][case % 3].clone();
            let axis = Axis { unit: units[case % 6], ..axis(kind) };
            let all: Vec<f64> = (0..1 + case % 7).map(|_| 10f64.powf(12.0 * random() - 4.0)).collect();
            let zero = (case % 5 == 0).then_some(0.0);
            let (pixels, is_across) = (100 + (900.0 * random()) as i32, case % 2 == 0);
            let scale = Scale::of(&axis, all.iter().copied().chain(zero), pixels, is_across);
            let placed = scale.ticks().iter().map(|(tick, label)| {
                let extent = if is_across { f64::from(text::width(label, SMALL)) } else { 14.0 };
                (f64::from(pixels) * scale.share(*tick), extent, label)
            });
            let placed: Vec<_> = placed.collect();
            for (at, (one, width, label)) in placed.iter().enumerate() {
                assert!(
                    *one >= -1.0 && *one <= f64::from(pixels) + 1.0,
                    "{label} is off the axis of {all:?}"
                );
                for (other, others_width, others) in &placed[at + 1..] {
                    let distance = (one - other).abs();
                    assert!(distance >= (width + others_width) / 2.0, "{label} touches {others}: {all:?}");
                }
            }
        }
    }
}
