//! Values to places, and the round numbers between: one kind of axis for plotters, logarithmic or not.

use super::text::{self, SMALL};
use crate::model::{self, Unit};
use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};
use std::collections::BTreeSet;
use std::ops::Range;

/// Between two labels, in pixels.
const GAP: f64 = 8.0;
/// More measured places than this have round numbers.
const MANY: usize = 16;
/// A logarithmic axis that is shorter, in decades, has finer numbers.
const SHORT: f64 = 1.3;
/// The height of a label, in pixels.
const HEIGHT: f64 = 14.0;

/// An axis with its ticks.
#[derive(Clone, Debug)]
pub(super) struct Scale {
    is_log: bool,
    low: f64,
    high: f64,
    /// Place and label.
    ticks: Vec<(f64, String)>,
}

impl Scale {
    /// The axis that holds these values, in so many pixels.
    pub(super) fn of(axis: &model::Axis, values: &[f64], pixels: i32, is_across: bool) -> Self {
        let values = || values.iter().copied().filter(|&value| Unit::is_number(value));
        let is_log = axis.scale == model::Scale::Log;
        let positive = || values().filter(|&value| value > 0.0 || !is_log);
        let most = positive().fold(if is_log { f64::MIN_POSITIVE } else { 0.0 }, f64::max);
        let least = positive().fold(if is_log { most } else { 0.0 }, f64::min);
        let (low, high) = match (is_log, least < most) {
            (false, true) => (1.04 * least, 1.06 * most),
            (false, false) => (0.0, 1.0),
            (true, _) if most <= f64::MIN_POSITIVE => (0.0, 1.0),
            // At least a factor of four: a difference of a few per cent must not fill the picture.
            (true, _) => {
                let room = (most / least).powf(0.06).max((4.0 * least / most).sqrt()).max(1.1).log10();
                (least.log10() - room, most.log10() + room)
            }
        };
        let mut scale = Self { is_log, low, high, ticks: Vec::new() };
        // Zero lies apart, at the low end.
        let has_zero = is_log && values().any(|value| value <= 0.0);
        scale.low -= if has_zero { 0.12 * (high - low) } else { 0.0 };
        let sets = if is_log { log_ticks(low, high) } else { linear_ticks(low, high) };
        let zero = has_zero.then_some(0.0);
        let sets = sets.into_iter().map(|set| scale.labelled(zero.into_iter().chain(set), axis.unit));
        let mut kept = Vec::new();
        for set in sets {
            let all = set.len();
            kept = scale.apart(set, pixels, is_across);
            if kept.len() == all {
                break;
            }
        }
        scale.ticks = kept;
        scale
    }

    /// One that stands over measured values, and names as many of them as there is room for: the last and the
    /// first before the others. Where there are very many, round numbers are easier to read.
    pub(super) fn over(axis: &model::Axis, values: &[f64], pixels: i32) -> Self {
        let mut scale = Self::of(axis, values, pixels, true);
        let measured = values.iter().filter(|&&value| Unit::is_number(value));
        // Places are not negative, so that their bits have their order.
        let mut measured: Vec<f64> = measured
            .map(|value| value.to_bits())
            .collect::<BTreeSet<_>>()
            .into_iter()
            .map(f64::from_bits)
            .collect();
        if (1..=MANY).contains(&measured.len()) {
            measured.rotate_right(1);
            scale.ticks = scale.apart(scale.labelled(measured.into_iter(), axis.unit), pixels, true);
        }
        scale
    }

    /// A row for each of so many, the first at the top; without labels.
    pub(super) fn rows(count: usize) -> Self {
        Self { is_log: false, low: count as f64, high: 0.0, ticks: Vec::new() }
    }

    fn labelled(&self, ticks: impl Iterator<Item = f64>, unit: Unit) -> Vec<(f64, String)> {
        let ticks: Vec<f64> = ticks.collect();
        let is_whole = unit == Unit::Hundredths && ticks.iter().all(|tick| tick.fract() == 0.0);
        let unit = if is_whole { Unit::Count } else { unit };
        ticks.into_iter().map(|tick| (self.at(tick), unit.tick(tick))).collect()
    }

    /// Those of the labels, the most important first, that touch none that was kept.
    fn apart(&self, labels: Vec<(f64, String)>, pixels: i32, is_across: bool) -> Vec<(f64, String)> {
        let extent = |label: &str| if is_across { f64::from(text::width(label, SMALL)) } else { HEIGHT };
        let scale = f64::from(pixels) / (self.high - self.low);
        let mut kept: Vec<(f64, String)> = Vec::new();
        for (at, label) in labels {
            let is_free = |(other, text): &(f64, String)| {
                scale * (at - other).abs() >= (extent(&label) + extent(text)) / 2.0 + GAP
            };
            if kept.iter().all(is_free) {
                kept.push((at, label));
            }
        }
        kept
    }

    /// Where a value lies, as plotters' axis takes it.
    pub(super) fn at(&self, value: f64) -> f64 {
        match self.is_log {
            false => value,
            true if value <= 0.0 => self.low + 0.02 * (self.high - self.low),
            true => value.log10().clamp(self.low, self.high),
        }
    }

    #[cfg(test)]
    fn labels(&self) -> Vec<&str> {
        self.ticks.iter().map(|(_, label)| label.as_str()).collect()
    }
}

impl Ranged for Scale {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, place: &f64, limit: (i32, i32)) -> i32 {
        let share = (place - self.low) / (self.high - self.low);
        limit.0 + (f64::from(limit.1 - limit.0) * share).round() as i32
    }

    /// The ticks, whatever plotters would find room for: there are no light lines between them.
    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        if hint.weight().allow_light_points() {
            return Vec::new();
        }
        self.ticks.iter().map(|(place, _)| *place).collect()
    }

    fn range(&self) -> Range<f64> {
        self.low..self.high
    }
}

impl ValueFormatter<f64> for Scale {
    fn format_ext(&self, place: &f64) -> String {
        self.ticks.iter().find(|(at, _)| at == place).map_or(String::new(), |(_, label)| label.clone())
    }
}

/// Sets of round numbers between two values, from many to few.
fn linear_ticks(low: f64, high: f64) -> Vec<Vec<f64>> {
    let unit = 10f64.powf((high - low).log10().floor() - 1.0);
    let steps = [1.0, 2.0, 5.0, 10.0, 20.0, 50.0].map(|n| n * unit).into_iter();
    let steps = steps.filter(|step| (high - low) / step <= 10.0);
    let round = |step: f64| {
        let (first, last) = ((low / step).ceil() as i64, (high / step).floor() as i64);
        // A decimal of many digits is not what was meant by 3 × 0.1.
        let times = move |n: i64| if step < 1.0 { n as f64 / (1.0 / step).round() } else { n as f64 * step };
        (first..=last).map(times).collect()
    };
    steps.map(round).collect()
}

/// The same of the powers of ten and their multiples; the ends are logarithms.
fn log_ticks(low: f64, high: f64) -> Vec<Vec<f64>> {
    let decades = || (low.floor() as i32)..=(high.ceil() as i32);
    // Where there is hardly a decade, factors of two are too far apart to be read between.
    let fine = (&[1.0, 1.2, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0][..], 1);
    let coarse = [
        (&[1.0, 1.5, 2.0, 3.0, 5.0, 7.0][..], 1),
        (&[1.0, 2.0, 3.0, 5.0, 8.0], 1),
        (&[1.0, 2.0, 5.0], 1),
        (&[1.0, 3.0], 1),
        (&[1.0], 1),
        (&[1.0], 2),
        (&[1.0], 3),
        (&[1.0], 5),
    ];
    let sets = std::iter::once(fine).chain(coarse).skip(if high - low < SHORT { 0 } else { 3 });
    let set = |(digits, every): (&'static [f64], i32)| {
        let decades = decades().filter(move |decade| decade.rem_euclid(every) == 0);
        let ticks = decades.flat_map(|decade| digits.iter().map(move |digit| digit * 10f64.powi(decade)));
        ticks.filter(|tick| (low..=high).contains(&tick.log10())).collect()
    };
    sets.map(set).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(scale: model::Scale, unit: Unit, values: &[f64], pixels: i32, is_across: bool) -> Scale {
        Scale::of(&model::Axis { label: String::new(), unit, scale }, values, pixels, is_across)
    }

    #[test]
    fn a_linear_scale_runs_from_zero_to_a_little_more_than_the_most() {
        let scale = of(model::Scale::Linear, Unit::Count, &[5.0, 100.0], 1060, true);
        assert_eq!((scale.low, scale.high, scale.at(100.0)), (0.0, 106.0, 100.0));
        assert_eq!(scale.labels()[..3], ["0", "20", "40"]);
        assert_eq!(of(model::Scale::Linear, Unit::Count, &[], 200, true).labels()[0], "0");
    }

    #[test]
    fn a_logarithmic_scale_holds_every_value_and_has_round_numbers() {
        let all = [176.0, 400.0, 3_000_000.0];
        let scale = of(model::Scale::Log, Unit::Count, &all, 120, false);
        assert!(all.iter().all(|&value| scale.low < scale.at(value) && scale.at(value) < scale.high));
        assert_eq!(scale.labels(), ["100", "1,000", "10,000", "100,000", "1,000,000"]);
        let near = of(model::Scale::Log, Unit::Count, &[100.0, 101.0], 480, true);
        let share = (near.at(101.0) - near.at(100.0)) / (near.high - near.low);
        assert!(share < 0.02, "one per cent does not fill the picture: {share}");
    }

    #[test]
    fn zero_lies_apart_on_a_logarithmic_scale() {
        let scale = of(model::Scale::Log, Unit::Count, &[0.0, 10.0, 1000.0], 800, true);
        assert!(scale.at(0.0) < scale.at(10.0) - 0.1 && scale.labels()[0] == "0");
        assert_ne!(of(model::Scale::Log, Unit::Count, &[10.0, 1000.0], 800, true).labels()[0], "0");
    }

    #[test]
    fn over_measured_places_the_last_and_the_first_are_named() {
        let axis = model::Axis { scale: model::Scale::Log, ..model::Axis::default() };
        let labels = |clients: &[f64]| {
            let mut ticks = Scale::over(&axis, clients, 428).ticks;
            ticks.sort_by(|one, other| one.0.total_cmp(&other.0));
            ticks.into_iter().map(|(_, label)| label).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(labels(&[1.0, 2.0, 5.0, 2500.0, 3000.0]), "1 2 5 3,000");
        assert_eq!((labels(&[5.0]).as_str(), labels(&[5.0, 64.0]).as_str()), ("5", "5 64"));
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
            let kind = [model::Scale::Linear, model::Scale::Log][case % 2];
            let all: Vec<f64> = (0..1 + case % 7).map(|_| 10f64.powf(12.0 * random() - 4.0)).collect();
            let all: Vec<f64> = all.into_iter().chain((case % 5 == 0).then_some(0.0)).collect();
            let (pixels, is_across) = (100 + (900.0 * random()) as i32, case % 3 == 0);
            let scale = of(kind, units[case % 6], &all, pixels, is_across);
            let length = scale.high - scale.low;
            let placed = scale.ticks.iter().map(|(at, label)| {
                let extent = if is_across { f64::from(text::width(label, SMALL)) } else { HEIGHT };
                (f64::from(pixels) * (at - scale.low) / length, extent, label)
            });
            let placed: Vec<_> = placed.collect();
            assert!(!placed.is_empty() || pixels < 150, "{all:?} in {pixels} pixels");
            for (at, (one, width, label)) in placed.iter().enumerate() {
                assert!(*one >= -1.0 && *one <= f64::from(pixels) + 1.0, "{label} is off the axis: {all:?}");
                for (other, others_width, others) in &placed[at + 1..] {
                    let distance = (one - other).abs();
                    assert!(distance >= (width + others_width) / 2.0, "{label} touches {others}: {all:?}");
                }
            }
        }
    }
}
