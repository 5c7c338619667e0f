//! Numbers as every figure writes them.

use lab_core::units;
use serde::Serialize;

/// What stands for a number that there is not.
pub const NONE: &str = "–";

/// A number that is larger is no measurement.
const ABSURD: f64 = 1e15;

/// What a number counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// Whole things, or so many of them that a fraction is nothing: `61,234`; small ones with a decimal.
    #[default]
    Count,
    /// Two decimals: `1.07`.
    Hundredths,
    /// Two digits that count: `0.0052`.
    Short,
    /// A time, given in µs: `1.25 ms`.
    Micros,
    /// `352 B`, `8.4 kB`.
    Bytes,
    /// A share, given in hundredths: `70 %`.
    Percent,
}

impl Unit {
    /// Whether a number can be drawn and written at all.
    pub fn is_number(value: f64) -> bool {
        value.abs() < ABSURD
    }

    /// The number with its unit; a dash for one that is none.
    pub fn text(self, value: f64) -> String {
        if !Self::is_number(value) {
            return NONE.to_owned();
        }
        match self {
            Self::Count if value.abs() < 100.0 && value.fract() != 0.0 => format!("{value:.1}"),
            Self::Count => units::number(value),
            Self::Hundredths => format!("{value:.2}"),
            Self::Short => short(value),
            Self::Micros => units::time(value),
            Self::Bytes => units::bytes(value),
            Self::Percent if value.abs() < 9.95 => format!("{value:.1} %"),
            Self::Percent => format!("{value:.0} %"),
        }
    }

    /// The same along an axis, where a round number has no zeros behind the point: `1 ms`. Decimals are those
    /// that the step between the numbers needs.
    pub fn tick(self, value: f64) -> String {
        let text = match self {
            Self::Micros if Self::is_number(value) && value > 0.0 && value < 1.0 => {
                return format!("{} µs", short(value));
            }
            Self::Count if value.abs() < 1.0 => short(value),
            _ => self.text(value),
        };
        let (number, unit) =
            text.split_once(' ').map_or((text.as_str(), ""), |(number, unit)| (number, unit));
        let number = if number.contains('.') && self != Self::Hundredths {
            number.trim_end_matches('0').trim_end_matches('.')
        } else {
            number
        };
        if unit.is_empty() { number.to_owned() } else { format!("{number} {unit}") }
    }
}

/// Two digits that count: `1.1`, `0.23`, `0.0052`.
fn short(value: f64) -> String {
    if value == 0.0 {
        return "0".into();
    }
    let decimals = (1 - value.abs().log10().floor() as i32).clamp(0, 9) as usize;
    let text = format!("{value:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_the_digits_that_count() {
        let texts = |unit: Unit, values: &[f64]| values.iter().map(|&v| unit.text(v)).collect::<Vec<_>>();
        assert_eq!(
            texts(Unit::Count, &[0.0, 7.25, 42.0, 999.6, 1_234_567.0]),
            ["0", "7.2", "42", "1,000", "1,234,567"]
        );
        assert_eq!(
            texts(Unit::Short, &[0.0, 0.005_21, 0.0456, 0.2366, 1.07, 12.4, 340.0]),
            ["0", "0.0052", "0.046", "0.24", "1.1", "12", "340"]
        );
        assert_eq!(texts(Unit::Hundredths, &[1.0, 0.987]), ["1.00", "0.99"]);
        assert_eq!(texts(Unit::Percent, &[70.0]), ["70 %"]);
    }

    /// Protects the reader from "NaN" and from a row of three hundred digits.
    #[test]
    fn what_is_no_number_is_a_dash() {
        for unit in [Unit::Count, Unit::Hundredths, Unit::Short, Unit::Micros, Unit::Bytes, Unit::Percent] {
            for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300] {
                assert_eq!((unit.text(value), unit.tick(value)), (NONE.into(), NONE.into()), "{unit:?}");
            }
        }
    }

    #[test]
    fn along_an_axis_a_round_number_is_short() {
        let ticks = [50.0, 1e3, 2e4, 2_500.0, 5e6].map(|value| Unit::Micros.tick(value));
        assert_eq!(ticks, ["50 µs", "1 ms", "20 ms", "2.5 ms", "5 s"]);
        assert_eq!([0.1, 0.25, 3.0, 20_000.0].map(|v| Unit::Count.tick(v)), ["0.1", "0.25", "3", "20,000"]);
        assert_eq!([100.0, 1_000.0, 2e6].map(|v| Unit::Bytes.tick(v)), ["100 B", "1 kB", "2 MB"]);
        assert_eq!(Unit::Hundredths.tick(1.0), "1.00");
    }
}
