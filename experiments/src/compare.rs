//! Whether one thing costs more than another: a ratio beside the ratio of a thing to itself.

use crate::report::Figure;

/// What a ratio of costs says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// The first costs more: the whole interval is above 1, by more than the noise.
    More,
    /// The first costs less.
    Less,
    /// The whole interval is about 1: a difference that would matter is excluded.
    Same,
    /// The interval is too wide to say.
    Unclear,
}

/// A difference below this share is none, however surely it is measured.
const NEGLIGIBLE: f64 = 0.03;
/// An interval within this share of 1 excludes a difference that matters.
const SAME_WITHIN: f64 = 0.10;

impl Comparison {
    /// Reads a ratio; `itself` is the ratio of the same thing to itself, measured in the same rounds. How far
    /// that strays from 1 is the smallest difference that can be detected.
    pub fn of(ratio: &Figure, itself: Option<&Figure>) -> Self {
        let noise = itself.map_or(0.0, |itself| (itself.high() - 1.0).max(1.0 - itself.low()));
        let smallest = noise.max(NEGLIGIBLE);
        match (ratio.low(), ratio.high()) {
            (low, _) if low > 1.0 + smallest => Self::More,
            (_, high) if high < 1.0 - smallest => Self::Less,
            (low, high) if low > 1.0 - SAME_WITHIN && high < 1.0 + SAME_WITHIN => Self::Same,
            _ => Self::Unclear,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ratio(low: f64, high: f64) -> Figure {
        Figure { interval: Some((low, high)), ..Figure::exact("r", "×", (low + high) / 2.0) }
    }

    #[test]
    fn a_difference_counts_when_it_is_larger_than_that_of_a_thing_to_itself() {
        let quiet = ratio(0.99, 1.01);
        for (low, high, expected) in [
            (1.05, 1.20, Comparison::More),
            (0.70, 0.95, Comparison::Less),
            (0.98, 1.05, Comparison::Same),
            (1.01, 1.02, Comparison::Same),
            (0.80, 1.20, Comparison::Unclear),
            (1.01, 1.30, Comparison::Unclear),
        ] {
            assert_eq!(Comparison::of(&ratio(low, high), Some(&quiet)), expected, "{low} to {high}");
        }
        let noisy = ratio(0.85, 1.10);
        assert_eq!(Comparison::of(&ratio(1.05, 1.20), Some(&noisy)), Comparison::Unclear);
        assert_eq!(Comparison::of(&ratio(1.20, 1.30), Some(&noisy)), Comparison::More);
    }
}
