//! Values to pixels, and the round numbers between.

/// An axis: linear or logarithmic.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    least: f64,
    most: f64,
    log: bool,
    from: i32,
    to: i32,
}

impl Scale {
    /// From zero to a little more than the largest value.
    pub(super) fn from_zero(values: impl Iterator<Item = f64>, (from, to): (i32, i32)) -> Self {
        let most = values.fold(0.0, f64::max);
        Self { least: 0.0, most: if most > 0.0 { 1.06 * most } else { 1.0 }, log: false, from, to }
    }

    /// Logarithmic, with a little room at both ends. Values that are not above zero have no place on it.
    pub(super) fn log(values: impl Iterator<Item = f64>, (from, to): (i32, i32)) -> Self {
        let ends = values.filter(|&value| value > 0.0);
        let (least, most) = ends.fold((f64::MAX, 0.0), |(low, high), v| (v.min(low), v.max(high)));
        let (least, most) = if most > 0.0 { (least, most) } else { (1.0, 10.0) };
        // At least a factor of four: a difference of a few per cent must not fill the picture.
        let room = (most / least).powf(0.06).max((4.0 * least / most).sqrt()).max(1.1);
        Self { least: least / room, most: most * room, log: true, from, to }
    }

    /// Linear, between two values.
    pub(super) fn between(least: f64, most: f64, (from, to): (i32, i32)) -> Self {
        Self { least, most, log: false, from, to }
    }

    /// The pixels of its ends.
    pub(super) fn ends(&self) -> (i32, i32) {
        (self.from, self.to)
    }

    /// Where a value lies.
    pub(super) fn pixel(&self, value: f64) -> i32 {
        let share = if self.log {
            (value.max(self.least) / self.least).ln() / (self.most / self.least).ln()
        } else {
            (value - self.least) / (self.most - self.least)
        };
        self.from + (f64::from(self.to - self.from) * share).round() as i32
    }

    /// Round numbers, at most about this many.
    pub(super) fn ticks(&self, about: usize) -> Vec<f64> {
        if !self.log {
            return linear_ticks(self.least, self.most, about);
        }
        let decades = || (self.least.log10().floor() as i32)..=(self.most.log10().ceil() as i32);
        // From fine to coarse; the last is one number in three decades.
        for (digits, every) in
            [(&[1.0, 2.0, 5.0][..], 1), (&[1.0, 3.0], 1), (&[1.0], 1), (&[1.0], 2), (&[1.0], 3)]
        {
            let ticks: Vec<f64> = decades()
                .filter(|decade| decade.rem_euclid(every) == 0)
                .flat_map(|decade| digits.iter().map(move |digit| digit * 10f64.powi(decade)))
                .filter(|tick| (self.least..=self.most).contains(tick))
                .collect();
            if ticks.len() <= about {
                return ticks;
            }
        }
        Vec::new()
    }
}

/// Round numbers from `least` to `most`, at most `about` steps of them.
pub(super) fn linear_ticks(least: f64, most: f64, about: usize) -> Vec<f64> {
    let raw = (most - least) / about.max(1) as f64;
    let unit = 10f64.powf(raw.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|n| n * unit).find(|step| *step >= raw).unwrap_or(raw);
    let first = (least / step).ceil() as i64;
    let last = (most / step).floor() as i64;
    (first..=last).map(|n| n as f64 * step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_of_a_linear_scale_are_zero_and_a_little_more_than_the_most() {
        let scale = Scale::from_zero([5.0, 100.0].into_iter(), (10, 1070));
        assert_eq!((scale.pixel(0.0), scale.pixel(100.0)), (10, 1010));
        assert_eq!(scale.ticks(5), [0.0, 50.0, 100.0]);
        assert_eq!(Scale::from_zero([].into_iter(), (0, 10)).ticks(2), [0.0, 0.5, 1.0]);
    }

    #[test]
    fn a_logarithmic_scale_holds_every_value_and_gives_round_numbers() {
        let values = [176.0, 400.0, 3_000_000.0];
        let scale = Scale::log(values.into_iter(), (0, 1000));
        assert!(values.iter().all(|&value| (1..1000).contains(&scale.pixel(value))));
        assert_eq!(scale.ticks(5), [1e2, 1e3, 1e4, 1e5, 1e6]);
        assert_eq!(scale.ticks(3), [1e2, 1e4, 1e6]);
        let near = Scale::log([100.0, 101.0].into_iter(), (0, 1000));
        assert!(near.pixel(101.0) - near.pixel(100.0) < 20, "one per cent does not fill the picture");
        assert_eq!(near.ticks(6), [100.0, 200.0]);
    }

    #[test]
    fn an_axis_may_run_upwards() {
        let scale = Scale::from_zero([100.0].into_iter(), (500, 100));
        assert_eq!(scale.pixel(0.0), 500);
        assert!(scale.pixel(100.0) < 130);
    }
}
