//! Figures as people read them.

use crate::report::Figure;
use lab_core::units::number;

/// A value by three digits or more: `0.012`, `1.17`, `12,090`.
pub(crate) fn value(value: f64) -> String {
    match value.abs() {
        size if size.fract() == 0.0 || size >= 99.95 => number(value),
        size if size >= 9.995 => format!("{value:.1}"),
        size if size >= 0.9995 => format!("{value:.2}"),
        size if size >= 0.001 => format!("{value:.3}"),
        _ => format!("{value:.1e}"),
    }
}

/// A value with its unit: `1.17 ×`, `0.66 µs`.
pub(crate) fn with_unit(figure: &Figure) -> String {
    format!("{} {}", value(figure.value), figure.unit)
}

/// The interval: `[1.12 to 1.22]`; empty if there is none.
pub(crate) fn interval(figure: &Figure) -> String {
    figure.interval.map_or_else(String::new, |(low, high)| format!("[{} to {}]", value(low), value(high)))
}

/// The value with its interval: `1.17 [1.12 to 1.22]`.
pub(crate) fn ratio(figure: &Figure) -> String {
    format!("{} {}", value(figure.value), interval(figure)).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_has_three_digits_and_a_whole_number_none_behind_the_point() {
        let values = [0.0, 3.0, 12_090.4, 118.26, 44.16, 1.174, 0.0123, 0.000_04, 1e6].map(value);
        assert_eq!(values, ["0", "3", "12,090", "118", "44.2", "1.17", "0.012", "4.0e-5", "1,000,000"]);
    }
}
