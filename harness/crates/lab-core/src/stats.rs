//! The little statistics that a benchmark needs: the middle, the spread, and how sure we are of the middle.

use serde::{Deserialize, Serialize};

/// Of a distribution in µs, to three digits.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Percentiles {
    /// Half of the values are at most this.
    pub p50: u64,
    /// Nine of ten.
    pub p90: u64,
    /// 99 of 100.
    pub p99: u64,
    /// 999 of 1,000.
    pub p99_9: u64,
    /// The largest.
    pub max: u64,
}

/// The middle of several rounds, with how sure it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The median.
    pub median: f64,
    /// What is drawn beside it, see [`interval`]; `None` for one round.
    pub interval: Option<(f64, f64)>,
}

impl Estimate {
    /// `None` without values.
    pub fn of(values: &[f64]) -> Option<Self> {
        Some(Self { median: median(values)?, interval: interval(values) })
    }
}

/// The middle value; the mean of the two middle ones if their number is even. `None` without values.
pub fn median(values: &[f64]) -> Option<f64> {
    let sorted = sorted(values);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        length if length % 2 == 1 => Some(sorted[middle]),
        _ => Some((sorted[middle - 1] + sorted[middle]) / 2.0),
    }
}

/// The smallest and the largest value.
pub fn range(values: &[f64]) -> Option<(f64, f64)> {
    let sorted = sorted(values);
    Some((*sorted.first()?, *sorted.last()?))
}

/// A 95 % percentile-bootstrap interval of the median: draw as many values again, with replacement, take
/// the median, do so 2,000 times; 95 % of these medians lie in the interval. The same seed yields the same
/// interval. With fewer than five values it means little; use [`range`] then.
pub fn bootstrap_median(values: &[f64], seed: u64) -> Option<(f64, f64)> {
    const DRAWS: usize = 2000;
    if values.is_empty() {
        return None;
    }
    let mut random = fastrand::Rng::with_seed(seed);
    let draw = |random: &mut fastrand::Rng| {
        let sample: Vec<f64> = values.iter().map(|_| values[random.usize(..values.len())]).collect();
        median(&sample)
    };
    let medians: Vec<f64> = (0..DRAWS).filter_map(|_| draw(&mut random)).collect();
    let medians = sorted(&medians);
    let at = |share: f64| medians[((DRAWS - 1) as f64 * share).round() as usize];
    Some((at(0.025), at(0.975)))
}

/// What is drawn beside a median of several rounds: the bootstrap interval from five values on, the range
/// below that, nothing for one value.
pub fn interval(values: &[f64]) -> Option<(f64, f64)> {
    match values.len() {
        0 | 1 => None,
        2..=4 => range(values),
        _ => bootstrap_median(values, 0),
    }
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_does_not_depend_on_the_order() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0]), Some(3.0));
        assert_eq!(median(&[9.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 9.0]), Some(3.0));
    }

    #[test]
    fn the_interval_holds_the_median_and_stays_within_the_range() {
        let mut random = fastrand::Rng::with_seed(1);
        for length in 1..40 {
            let values: Vec<f64> = (0..length).map(|_| random.f64()).collect();
            let (low, high) = bootstrap_median(&values, 7).expect("there are values");
            let (least, most) = range(&values).expect("there are values");
            let middle = median(&values).expect("there are values");
            assert!(least <= low && low <= middle && middle <= high && high <= most, "{length}");
        }
    }

    /// The share of known medians that the intervals cover. 95 % in theory; a wrong quantile or a draw
    /// without replacement is far away from that.
    #[test]
    fn the_interval_covers_the_true_median_about_95_times_in_100() {
        let mut random = fastrand::Rng::with_seed(2);
        let covered = (0..400)
            .filter(|&seed| {
                let values: Vec<f64> = (0..15).map(|_| random.f64()).collect();
                let (low, high) = bootstrap_median(&values, seed).expect("there are values");
                low <= 0.5 && 0.5 <= high
            })
            .count();
        assert!((360..=396).contains(&covered), "{covered} of 400");
    }

    #[test]
    fn few_rounds_show_their_range() {
        assert_eq!(interval(&[1.0]), None);
        assert_eq!(interval(&[3.0, 1.0, 2.0]), Some((1.0, 3.0)));
        assert!(interval(&[1.0, 2.0, 3.0, 4.0, 5.0]).is_some());
    }
}
