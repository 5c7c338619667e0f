//! The machine's clock states, found by another way: two means moved until they rest, from every start.

use super::{middle, number};
use serde_json::Value;

/// Where the fast state and the slow one are: by the round trips, by the floor's costs.
pub(crate) struct States {
    /// Whether it is of the floor's costs, and the medians of the two.
    scales: Vec<(bool, f64, f64)>,
}

fn values(line: &Value, is_floor: bool) -> Option<Vec<f64>> {
    if is_floor { floors(line) } else { round_trips(line) }
}

fn round_trips(line: &Value) -> Option<Vec<f64>> {
    (line["dropped"] != true).then_some(())?;
    Some(line["round_trip_ns"].as_array()?.iter().filter_map(Value::as_f64).collect())
}

fn floors(line: &Value) -> Option<Vec<f64>> {
    let is_one_load = line["dropped"] != true && line["keep_alive"] == true && line["path"] == "/";
    is_one_load.then_some(())?;
    // Beside the features of io_uring stands a stage.
    let is_other = line["phase"] == "uring" || line["phase"] == "floor" && line["stage"] != "floor";
    (!is_other).then_some(())?;
    // In turns the floor has as many clients as its server, and fewer than the usual number cost more.
    let has_usual_clients = line["concurrency"] == 64;
    if let Some(around) = line["floor_around"].as_array() {
        number(line, "cpu_us_per_request")?;
        (line["slices"].is_null() || has_usual_clients).then_some(())?;
        return Some(around.iter().filter_map(Value::as_f64).collect());
    }
    (line["phase"] == "floor" && has_usual_clients)
        .then(|| number(line, "cpu_us_per_request").map(|cost| vec![cost]))?
}

/// 0 is fast, 1 is slow, anything else is between.
fn state(value: f64, (fast, slow): (f64, f64)) -> usize {
    let at = (value - fast) / (slow - fast);
    if at < 1.0 / 3.0 {
        0
    } else if at > 2.0 / 3.0 {
        1
    } else {
        2
    }
}

fn scale(values: &mut Vec<f64>) -> Option<(f64, f64)> {
    values.retain(|value| *value > 0.0);
    values.sort_by(f64::total_cmp);
    let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len() as f64;
    let spread = |part: &[f64]| {
        let middle = mean(part);
        part.iter().map(|value| (value - middle).powi(2)).sum::<f64>()
    };
    let mut best = (f64::MAX, 0);
    for start in 1..20 {
        let mut at = (values.len() * start / 20).clamp(1, values.len().checked_sub(1)?.max(1));
        for _ in 0..1000 {
            if at == 0 || at >= values.len() {
                break;
            }
            let border = f64::midpoint(mean(&values[..at]), mean(&values[at..]));
            let next = values.partition_point(|value| *value < border);
            if next == at {
                let cost = spread(&values[..at]) + spread(&values[at..]);
                best = if cost < best.0 { (cost, at) } else { best };
                break;
            }
            at = next;
        }
    }
    let at = best.1;
    (at > 0).then_some(())?;
    let means = (middle(&values[..at]), middle(&values[at..]));
    let between = values.iter().filter(|value| state(**value, means) == 2).count() as f64;
    let few = at.min(values.len() - at) as f64;
    let all = values.len() as f64;
    (means.1 > 1.12 * means.0 && few >= (0.05 * all).max(2.0).floor() && between <= 0.15 * all)
        .then_some(means)
}

impl States {
    pub(crate) fn of<'a>(lines: impl Iterator<Item = &'a Value> + Clone) -> Self {
        let found = [false, true].into_iter().filter_map(|is_floor| {
            let mut all: Vec<f64> =
                lines.clone().filter_map(|line| values(line, is_floor)).flatten().collect();
            let (fast, slow) = scale(&mut all)?;
            Some((is_floor, fast, slow))
        });
        Self { scales: found.collect() }
    }

    pub(crate) fn state_of(&self, line: &Value) -> Option<usize> {
        self.scales.iter().find_map(|(is_floor, fast, slow)| {
            let its: Vec<usize> =
                values(line, *is_floor)?.into_iter().map(|v| state(v, (*fast, *slow))).collect();
            Some(if its.iter().all(|one| *one == its[0]) { its[0] } else { 2 })
        })
    }

    /// The state of most lines; of two the slow one only if it has more.
    fn most<'a>(&self, lines: impl Iterator<Item = &'a Value>) -> Option<usize> {
        let mut counts = [0; 2];
        lines.filter_map(|line| self.state_of(line)).filter(|s| *s < 2).for_each(|s| counts[s] += 1);
        (counts != [0, 0]).then_some(usize::from(counts[1] > counts[0]))
    }

    /// Those of some lines that count where one state is compared.
    pub(crate) fn in_one<'a>(&self, all: &[&'a Value], its: &[&'a Value]) -> Vec<&'a Value> {
        let most = self.most(all.iter().copied());
        let counts = |line: &&&Value| {
            let own = self.state_of(line);
            most.is_none() || own.is_none() || own == most
        };
        let has: Vec<String> = its.iter().filter(counts).map(|line| super::key(line)).collect();
        its.iter().filter(|line| counts(line) || !has.contains(&super::key(line))).copied().collect()
    }

    /// What the page says of a run: the share of the fast state in per cent, the floor's cost in both.
    pub(crate) fn numbers(&self, lines: &[&Value]) -> Option<[f64; 3]> {
        let (is_floor, fast, slow) = self.scales.first()?;
        let of: Vec<usize> = lines.iter().filter_map(|line| self.state_of(line)).collect();
        let share = of.iter().filter(|state| **state == 0).count() as f64 / of.len() as f64;
        let cost = |state: usize| {
            let here = lines.iter().filter(|line| self.state_of(line) == Some(state));
            let costs: Vec<f64> = here.filter_map(|line| floors(line)).flatten().collect();
            let own = [fast, slow][state] / if *is_floor { 1.0 } else { 1000.0 };
            if costs.is_empty() { own } else { middle(&costs) }
        };
        Some([100.0 * share, cost(0), cost(1)])
    }
}
