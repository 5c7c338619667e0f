//! How sure a median is, by another way than the crate's: not drawn 2,000 times, but counted.
//!
//! A bootstrap interval has an exact distribution behind it. For one run it follows from order statistics: of
//! n draws with replacement the number at or below the k-th smallest value is binomial. Of several runs it is
//! drawn, more often than the crate does, with another generator.

/// Values with their probabilities, ascending.
pub(crate) struct Distribution {
    values: Vec<(f64, f64)>,
    /// How far the share of it below an end may be from 2.5 %.
    bound: f64,
}

/// How often the crate draws.
const THEIRS: usize = 2000;

/// The ends of the middle 95 % of 2,000 draws are themselves subject to chance: the share of the distribution
/// below an end that should be at 2.5 % has a standard deviation of √(0.025 × 0.975 ÷ 2000) = 0.35 %, and
/// more where this distribution is drawn too. An end that is more than five of these off is wrong, in one of
/// millions of right ones.
fn bound(own_draws: Option<usize>) -> f64 {
    let own = own_draws.map_or(0.0, |draws| 1.0 / draws as f64);
    5.0 * (0.025 * 0.975 * (1.0 / THEIRS as f64 + own)).sqrt()
}

impl Distribution {
    fn new(mut values: Vec<(f64, f64)>, bound: f64) -> Self {
        values.sort_by(|one, other| one.0.total_cmp(&other.0));
        // A median is one of few values, drawn often: two distributions of thousands of draws have millions
        // of pairs, and some hundred different ones.
        values.dedup_by(|next, kept| {
            let is_same = next.0.total_cmp(&kept.0).is_eq();
            kept.1 += if is_same { next.1 } else { 0.0 };
            is_same
        });
        Self { values, bound }
    }

    /// The smallest value that at least this share is at or below.
    fn quantile(&self, share: f64) -> f64 {
        let mut sum = 0.0;
        let found = self.values.iter().find(|(_, weight)| {
            sum += weight;
            sum >= share
        });
        found.or(self.values.last()).map_or(f64::NAN, |(value, _)| *value)
    }

    /// Whether both ends can be those of a drawn 95 % interval; `digits` is how exactly they are written.
    pub(crate) fn allows(&self, [low, high]: [f64; 2], written: f64) -> bool {
        let is_at = |end: f64, share: f64| {
            let slack = written + 1e-9 * end.abs();
            self.quantile(share - self.bound) - slack <= end
                && end <= self.quantile(share + self.bound) + slack
        };
        is_at(low, 0.025) && is_at(high, 0.975)
    }

    /// Where its ends must lie, for a message.
    pub(crate) fn ends(&self) -> [[f64; 2]; 2] {
        [0.025, 0.975].map(|share| [self.quantile(share - self.bound), self.quantile(share + self.bound)])
    }

    /// Of one value over an independent other.
    pub(crate) fn over(&self, base: &Self) -> Self {
        let pairs = self.values.iter().flat_map(|(value, one)| {
            base.values.iter().map(move |(below, other)| (value / below, one * other))
        });
        Self::new(pairs.collect(), self.bound.max(base.bound))
    }
}

/// Of the median of values that are drawn again, by run.
pub(crate) fn medians(runs: &[Vec<f64>]) -> Distribution {
    match runs {
        [one] => exact(one),
        _ => drawn(runs),
    }
}

fn exact(values: &[f64]) -> Distribution {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let n = sorted.len();
    let share = |k: usize| k as f64 / n as f64;
    // The chance that at least `least` of n draws are among the first k.
    let at_least = |k: usize, least: usize| (least..=n).map(|m| binomial(n, m, share(k))).sum::<f64>();
    if n % 2 == 1 {
        let below = |k: usize| at_least(k, n / 2 + 1);
        return Distribution::new(
            (0..n).map(|k| (sorted[k], below(k + 1) - below(k))).collect(),
            bound(None),
        );
    }
    // The two middle ones of the draws: the lower is among the first i, the upper among the first j, exactly.
    let both = |i: usize, j: usize| {
        // At least half of the draws are among the first i, and one more than half among the first j.
        (n / 2..=n)
            .map(|m| {
                let rest: f64 = if share(i) < 1.0 {
                    let among = (share(j) - share(i)) / (1.0 - share(i));
                    ((n / 2 + 1).saturating_sub(m)..=n - m).map(|more| binomial(n - m, more, among)).sum()
                } else {
                    1.0
                };
                binomial(n, m, share(i)) * rest
            })
            .sum::<f64>()
    };
    let mut all = Vec::new();
    for i in 1..=n {
        for j in i..=n {
            let upper = |i: usize, j: usize| if i == 0 || j < i { 0.0 } else { both(i, j) };
            let weight = if i == j {
                both(i, i) - upper(i - 1, i)
            } else {
                both(i, j) - both(i, j - 1) - upper(i - 1, j) + upper(i - 1, j - 1)
            };
            all.push((f64::midpoint(sorted[i - 1], sorted[j - 1]), weight.max(0.0)));
        }
    }
    Distribution::new(all, bound(None))
}

fn binomial(n: usize, m: usize, share: f64) -> f64 {
    let choose = (0..m).fold(1.0, |product, k| product * (n - k) as f64 / (k + 1) as f64);
    choose * share.powi(m as i32) * (1.0 - share).powi((n - m) as i32)
}

fn drawn(runs: &[Vec<f64>]) -> Distribution {
    const DRAWS: usize = 5_000;
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut below = |most: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % most as u64) as usize
    };
    let mut values = Vec::new();
    let draw = |_| {
        values.clear();
        for _ in runs {
            let run = &runs[below(runs.len())];
            values.extend(run.iter().map(|_| run[below(run.len())]));
        }
        (middle_of(&mut values), 1.0 / DRAWS as f64)
    };
    Distribution::new((0..DRAWS).map(draw).collect(), bound(Some(DRAWS)))
}

/// The median without sorting everything: there are tens of thousands of them.
fn middle_of(values: &mut [f64]) -> f64 {
    let half = values.len() / 2;
    let is_odd = values.len() % 2 == 1;
    let (below, middle, _) = values.select_nth_unstable_by(half, f64::total_cmp);
    if is_odd { *middle } else { f64::midpoint(below.iter().copied().fold(f64::MIN, f64::max), *middle) }
}

/// Protects the test itself: a distribution that sums to something else than 1 would allow anything.
#[test]
fn the_counted_distribution_is_one_and_agrees_with_a_drawn_one() {
    for n in 2..=12_usize {
        let values: Vec<f64> = (0..n).map(|k| (k * k) as f64).collect();
        let counted = exact(&values);
        let sum: f64 = counted.values.iter().map(|(_, weight)| weight).sum();
        assert!((sum - 1.0).abs() < 1e-9, "{n}: {sum}");
        let often = drawn(std::slice::from_ref(&values));
        assert!(counted.allows([often.quantile(0.025), often.quantile(0.975)], 1e-9), "{n}");
        let (least, most) = (values[0], values[n - 1]);
        assert!(n < 8 || !counted.allows([least, most], 1e-9), "{n}: the range is no interval of the median");
    }
}
