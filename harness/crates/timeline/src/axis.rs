//! The axis of time: one scale, from which the stretches are cut out in which nothing changes.
//!
//! A reply takes a tenth of a millisecond and a wait a hundred of them: on an uncut axis all that happens is
//! a few lines of pixels.

/// From this length on a stretch may be cut out, µs; the first of them that leaves room is taken.
const QUIET: [i64; 9] = [500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 1_000_000];
/// At most this part of the width is spent on the places of what was cut out.
const MOST: f64 = 0.5;
/// Beside an event so much of a quiet stretch is kept, as a part of the length from which on one is cut.
const KEPT: i64 = 6;

/// A part of the axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Piece {
    /// µs from the start.
    pub(crate) from: i64,
    pub(crate) to: i64,
    /// Pixels.
    pub(crate) left: f64,
    pub(crate) right: f64,
    /// Whether it stands for a stretch that was cut out.
    pub(crate) is_cut: bool,
}

/// Where a time is.
#[derive(Clone, Debug)]
pub(crate) struct Axis {
    pub(crate) pieces: Vec<Piece>,
}

impl Axis {
    /// The axis from 0 to `end` between two places, for what happens at these times. A cut is `cut` wide.
    pub(crate) fn new(times: &[i64], end: i64, (left, right): (f64, f64), cut: f64) -> Self {
        let mut times: Vec<i64> =
            times.iter().copied().filter(|at| (0..=end).contains(at)).chain([0, end]).collect();
        times.sort_unstable();
        times.dedup();
        let width = right - left;
        let cuts = QUIET.iter().map(|&quiet| stretches(&times, quiet));
        let mut fitting = cuts.filter(|cuts| cuts.len() as f64 * cut <= width * MOST);
        let cuts = fitting.next().unwrap_or_default();
        let shown = end - cuts.iter().map(|(from, to)| to - from).sum::<i64>();
        let scale = (width - cut * cuts.len() as f64) / shown.max(1) as f64;
        let (mut pieces, mut at, mut x) = (Vec::new(), 0, left);
        for (from, to) in cuts.into_iter().chain([(end, end)]) {
            let next = x + (from - at) as f64 * scale;
            pieces.push(Piece { from: at, to: from, left: x, right: next, is_cut: false });
            if to > from {
                pieces.push(Piece { from, to, left: next, right: next + cut, is_cut: true });
            }
            (at, x) = (to, next + cut);
        }
        pieces.retain(|piece| piece.to > piece.from);
        Self { pieces }
    }

    /// The place of a time, pixels.
    pub(crate) fn x(&self, at: i64) -> f64 {
        let Some(piece) = self.pieces.iter().find(|piece| at <= piece.to).or(self.pieces.last()) else {
            return 0.0;
        };
        let share = (at - piece.from) as f64 / (piece.to - piece.from) as f64;
        piece.left + share.clamp(0.0, 1.0) * (piece.right - piece.left)
    }

    /// Round times at least so many pixels from each other, on the parts that were not cut out: µs.
    pub(crate) fn ticks(&self, room: f64) -> Vec<i64> {
        let Some(scale) = self
            .pieces
            .iter()
            .find(|piece| !piece.is_cut)
            .map(|piece| (piece.right - piece.left) / (piece.to - piece.from) as f64)
        else {
            return Vec::new();
        };
        let steps = (1..7).flat_map(|power| [1, 2, 5].map(|digit| digit * 10_i64.pow(power)));
        let step = steps.into_iter().find(|&step| step as f64 * scale >= room).unwrap_or(10_000_000);
        let linear = self.pieces.iter().filter(|piece| !piece.is_cut);
        linear.flat_map(|piece| (piece.from.div_ceil_to(step)..=piece.to).step_by(step as usize)).collect()
    }
}

/// The next multiple.
trait DivCeil {
    fn div_ceil_to(self, step: i64) -> i64;
}

impl DivCeil for i64 {
    fn div_ceil_to(self, step: i64) -> i64 {
        (self + step - 1).div_euclid(step) * step
    }
}

/// What lies between two times that are further apart than `quiet`, without a margin at both ends.
fn stretches(times: &[i64], quiet: i64) -> Vec<(i64, i64)> {
    let margin = quiet / KEPT;
    let pairs = times.windows(2).filter(|pair| pair[1] - pair[0] > quiet);
    pairs.map(|pair| (pair[0] + margin, pair[1] - margin)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_quiet_stretch_is_cut_out_and_the_rest_has_one_scale() {
        let axis = Axis::new(&[100, 900, 100_000, 101_000], 101_500, (0.0, 500.0), 40.0);
        let cuts: Vec<_> = axis.pieces.iter().filter(|piece| piece.is_cut).collect();
        assert!(
            cuts.iter().any(|cut| cut.to - cut.from > 98_000 && (cut.right - cut.left - 40.0).abs() < 1e-9)
        );
        let scale = |piece: &Piece| (piece.right - piece.left) / (piece.to - piece.from) as f64;
        let scales: Vec<f64> = axis.pieces.iter().filter(|piece| !piece.is_cut).map(scale).collect();
        assert!(scales.windows(2).all(|pair| (pair[0] - pair[1]).abs() < 1e-9), "{scales:?}");
    }

    proptest! {
        /// Protects every picture: what is later is further right, and everything is within the picture.
        #[test]
        fn time_runs_to_the_right(
            mut times in prop::collection::vec(0..2_000_000_i64, 0..60),
            end in 1..2_000_000_i64,
        ) {
            let axis = Axis::new(&times, end, (100.0, 700.0), 40.0);
            times.retain(|&at| at <= end);
            times.extend([0, end]);
            times.sort_unstable();
            let places: Vec<f64> = times.iter().map(|&at| axis.x(at)).collect();
            prop_assert!(places.windows(2).all(|pair| pair[0] <= pair[1] + 1e-9));
            prop_assert!((places[0] - 100.0).abs() < 1e-6 && (places[places.len() - 1] - 700.0).abs() < 1e-6);
            prop_assert!(axis.ticks(60.0).iter().all(|at| (0..=end).contains(at)));
        }
    }
}
