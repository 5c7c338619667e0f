//! The machine's clock states: these virtual machines run at one of two speeds and change between them, and
//! no counter of theirs shows it.
//!
//! What shows it is the CPU time of the same work: one round trip over the loopback before and after each
//! point, or, in records of before that was measured, the cost of the floor.

use super::{FLOOR, Outcome, Phase, Record};
use lab_core::stats::median;

/// The clock state of the machine in which a point ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ClockState {
    /// The one in which the same work costs less.
    Fast,
    /// The one in which it costs more.
    Slow,
    /// The machine changed its state during the point.
    Between,
}

/// The clock states that the records of a run show.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct States {
    /// By the round trips, and by the floor's costs where there are none.
    scales: Vec<Scale>,
    /// The state of each point that shows one, in the order of the records.
    points: Vec<ClockState>,
    /// What a request costs the floor in the fast state and in the slow one, median, µs, where it was
    /// measured in it.
    pub floor_us: [Option<f64>; 2],
}

/// What shows the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sign {
    RoundTrip,
    Floor,
}

/// Where the two states are on a scale: the medians of the two clusters of values.
#[derive(Clone, Debug, PartialEq)]
struct Scale {
    sign: Sign,
    fast: f64,
    slow: f64,
}

/// Two clusters are two states if their medians differ by more than this.
const APART: f64 = 1.12;
/// A state is more than some outliers: it has at least this share of the values.
const LEAST: f64 = 0.05;
/// A change of state in the middle of a point leaves a value between the clusters; where more values than
/// this share are there, they are one cluster that is wide.
const BETWEEN: f64 = 0.15;

impl States {
    /// Finds the states. Without two clusters there is one state, and nothing is told apart.
    pub fn of(records: &[Record]) -> Self {
        let scale = |sign| {
            let values = records.iter().filter_map(|record| values(record, sign)).flatten();
            Scale::of(sign, values.collect())
        };
        let scales = [Sign::RoundTrip, Sign::Floor].into_iter().filter_map(scale).collect();
        let mut states = Self { scales, ..Self::default() };
        states.points = records.iter().filter_map(|record| states.of_record(record)).collect();
        states.floor_us = [ClockState::Fast, ClockState::Slow].map(|state| {
            let here = records.iter().filter(|record| states.of_record(record) == Some(state));
            median(&here.filter_map(|record| values(record, Sign::Floor)).flatten().collect::<Vec<_>>())
        });
        states
    }

    /// The state in which a point ran; `None` where the machine has shown one state only, or where nothing
    /// was measured that tells it.
    pub fn of_record(&self, record: &Record) -> Option<ClockState> {
        self.scales.iter().find_map(|scale| {
            let values = values(record, scale.sign)?;
            let states = values.iter().map(|value| scale.state(*value)).collect::<Vec<_>>();
            let is_one = states.iter().all(|state| *state == states[0]);
            Some(if is_one { states[0] } else { ClockState::Between })
        })
    }

    /// The state that most points share; `None` where there is one only.
    pub fn most(&self) -> Option<ClockState> {
        let count = |state| self.points.iter().filter(|point| **point == state).count();
        let order = [ClockState::Slow, ClockState::Fast];
        order.into_iter().max_by_key(|&state| count(state)).filter(|&state| count(state) > 0)
    }

    /// The share of the points that ran in a state, of those that show one.
    pub fn share(&self, state: ClockState) -> f64 {
        let count = self.points.iter().filter(|point| **point == state).count();
        count as f64 / (self.points.len() as f64).max(1.0)
    }

    /// One line about it; `None` where there is one state only.
    pub fn summary(&self) -> Option<String> {
        let scale = self.scales.first()?;
        let cost = |floor: Option<f64>, value: f64| match (floor, scale.sign) {
            (Some(floor), _) => format!("floor {floor:.1} µs"),
            (None, Sign::Floor) => format!("floor {value:.1} µs"),
            (None, Sign::RoundTrip) => format!("round trip {:.1} µs", value / 1000.0),
        };
        Some(format!(
            "The machine has two clock states. Fast state in {:.0} % of the points: {}; slow: {}.",
            100.0 * self.share(ClockState::Fast),
            cost(self.floor_us[0], scale.fast),
            cost(self.floor_us[1], scale.slow),
        ))
    }
}

/// What a record has on a scale. The floor is compared at one load: kept connections, `/`, and the clients
/// that most servers have.
fn values(record: &Record, sign: Sign) -> Option<Vec<f64>> {
    /// Fewer wake the server for each request, which costs several times as much.
    const CLIENTS: usize = 64;
    let has_them = record.key.concurrency == CLIENTS;
    match (sign, &record.outcome) {
        _ if record.context.dropped => None,
        (Sign::RoundTrip, _) => record.context.round_trip_ns.map(Vec::from),
        // Beside the features of io_uring stands a stage.
        (Sign::Floor, _) if record.key.phase == Phase::Uring => None,
        (Sign::Floor, _) if record.key.phase == Phase::Floor && record.key.server != FLOOR => None,
        (Sign::Floor, _) if !record.key.keep_alive || record.key.path != "/" => None,
        // The floor before and after had them, whatever the server between had.
        (Sign::Floor, Outcome::Paired(pair)) => {
            (pair.slices.is_none() || has_them).then(|| pair.floor_around.into())
        }
        (Sign::Floor, _) => (record.key.phase == Phase::Floor && has_them)
            .then_some(record.figures()?.cpu_us_per_request?)
            .map(|cost| vec![cost]),
    }
}

impl Scale {
    fn of(sign: Sign, mut values: Vec<f64>) -> Option<Self> {
        values.retain(|value| value.is_finite() && *value > 0.0);
        values.sort_by(f64::total_cmp);
        let at = split(&values)?;
        let (fast, slow) = (median(&values[..at])?, median(&values[at..])?);
        let least = (LEAST * values.len() as f64).max(2.0) as usize;
        let scale = Self { sign, fast, slow };
        let between = values.iter().filter(|value| scale.state(**value) == ClockState::Between).count();
        let are_two = slow > APART * fast && at.min(values.len() - at) >= least;
        (are_two && between as f64 <= BETWEEN * values.len() as f64).then_some(scale)
    }

    /// The middle third between the clusters belongs to neither.
    fn state(&self, value: f64) -> ClockState {
        match (value - self.fast) / (self.slow - self.fast) {
            at if at < 1.0 / 3.0 => ClockState::Fast,
            at if at > 2.0 / 3.0 => ClockState::Slow,
            _ => ClockState::Between,
        }
    }
}

/// Where sorted values fall into two clusters: the split with the least squared distance to the two means.
fn split(sorted: &[f64]) -> Option<usize> {
    // The sums of the first values and of their squares, so that every split costs the same few steps.
    // Counted from the mean, where the difference of two squares loses least.
    let mean = sorted.iter().sum::<f64>() / sorted.len() as f64;
    let sums: Vec<(f64, f64)> = std::iter::once((0.0, 0.0))
        .chain(sorted.iter().scan((0.0, 0.0), |(sum, squares), value| {
            let off = value - mean;
            (*sum, *squares) = (*sum + off, *squares + off * off);
            Some((*sum, *squares))
        }))
        .collect();
    let (all, all_squares) = *sums.last()?;
    let cost = |at: &usize| {
        let (sum, squares) = sums[*at];
        let spread = |count: usize, sum: f64, squares: f64| squares - sum * sum / count as f64;
        spread(*at, sum, squares) + spread(sorted.len() - at, all - sum, all_squares - squares)
    };
    (1..sorted.len()).min_by(|one, other| cost(one).total_cmp(&cost(other)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    fn at(server: &str, round_trip_ns: [f64; 2]) -> Record {
        let mut record = sample::record(server, "wrk", 64, true, 10.0);
        record.context.round_trip_ns = Some(round_trip_ns);
        record
    }

    #[test]
    fn the_round_trips_of_a_run_show_its_two_states() {
        let mut records: Vec<Record> =
            (0..6).map(|n| at("04", [5000.0 + 40.0 * f64::from(n), 5100.0])).collect();
        records.extend((0..3).map(|n| at("04", [6600.0 + 40.0 * f64::from(n), 6700.0])));
        records.push(at("05", [5100.0, 6650.0]));
        records.push(sample::record("06", "wrk", 64, true, 10.0));
        let states = States::of(&records);
        let of = |at: usize| states.of_record(&records[at]);
        assert_eq!((of(0), of(6)), (Some(ClockState::Fast), Some(ClockState::Slow)));
        assert_eq!((of(9), of(10)), (Some(ClockState::Between), None));
        assert_eq!(states.most(), Some(ClockState::Fast));
        let summary = states.summary().expect("two states");
        assert!(summary.contains("60 %") && summary.contains("round trip 6.7 µs"), "{summary}");
    }

    #[test]
    fn older_records_show_it_by_the_floor_beside_them() {
        let pair = |around| sample::paired(sample::record("05", "wrk", 64, true, 9e4), around);
        let mut records: Vec<Record> = (0..4).map(|_| pair([5.85, 5.9])).collect();
        records.extend((0..5).map(|_| pair([7.7, 7.72])));
        records.push(pair([5.9, 7.7]));
        let states = States::of(&records);
        assert_eq!(states.most(), Some(ClockState::Slow));
        assert_eq!(states.of_record(&records[9]), Some(ClockState::Between));
        assert!(states.summary().is_some_and(|line| line.contains("floor 5.9 µs; slow: floor 7.7 µs")));
        // A short connection costs the floor several times as much: that is another load, no state.
        let mut short = pair([25.0, 25.0]);
        short.key.keep_alive = false;
        assert_eq!(states.of_record(&short), None);
    }

    /// Protects the states from the few clients of a server that serves no more: their floor is another load.
    #[test]
    fn the_floor_with_fewer_clients_shows_no_state() {
        let floor = |clients, cost| {
            let mut record = sample::record("floor", "builtin", clients, true, 1e6 / cost);
            record.key.phase = Phase::Floor;
            record
        };
        let mut records: Vec<Record> = (0..10).map(|_| floor(64, 5.5)).collect();
        records.extend((0..5).map(|_| floor(1, 43.0)));
        let mut few = sample::paired(sample::record("01", "builtin", 1, true, 2e4), [42.0, 44.0]);
        let Outcome::Paired(pair) = &mut few.outcome else { panic!("a pair") };
        pair.slices = Some(80);
        records.extend([few.clone(), few]);
        assert_eq!(States::of(&records).summary(), None);
    }

    /// Protects them from a stage that stands where the floor does elsewhere: its cost is that of its own
    /// load.
    #[test]
    fn what_stands_beside_the_features_of_io_uring_is_no_floor() {
        let mut records: Vec<Record> = [8.0; 10]
            .iter()
            .chain(&[16.0; 10])
            .map(|&cost| {
                let mut beside = sample::record("11", "builtin", 64, true, 1e6 / cost);
                beside.key.phase = Phase::Floor;
                beside
            })
            .collect();
        records.extend([8.0; 10].iter().chain(&[16.0; 10]).map(|&cost| {
            let mut own = sample::paired(sample::record("11", "builtin", 64, true, 1e6 / cost), [cost; 2]);
            own.key.phase = Phase::Uring;
            own
        }));
        assert_eq!(States::of(&records).summary(), None);
    }

    #[test]
    fn one_state_with_noise_or_with_an_outlier_is_no_two() {
        let even: Vec<Record> = (0..40).map(|n| at("04", [5000.0 + 30.0 * f64::from(n); 2])).collect();
        assert_eq!((States::of(&even).summary(), States::of(&even).most()), (None, None));
        let mut still: Vec<Record> = (0..40).map(|_| at("04", [5000.0, 5001.0])).collect();
        still.push(at("04", [9000.0, 5000.0]));
        assert_eq!(States::of(&still).summary(), None);
        assert_eq!(States::of(&[]).summary(), None);
    }
}
