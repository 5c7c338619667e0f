//! What a second CPU is worth.

use super::words::{idea, times};
use super::{Finding, NOTHING, finding, is_stage, names, of_server, servers, sorted};
use crate::figures::{Data, Line, second_cpu};
use crate::sample::Change;
use records::Phase;

/// What a second CPU is worth, for requests that keep one busy.
pub(super) fn second(data: &Data) -> Option<Finding> {
    let lines = data.in_one_state(data.of(&[Phase::Cpus]));
    let lines: Vec<Line> = lines.into_iter().filter(|line| line.record.key.path != "/").collect();
    let factor = |server| Some((server, second_cpu::factor(&of_server(&lines, server))?));
    let stages = servers(&lines).into_iter().filter(is_stage);
    let all: Vec<(&str, Change)> = stages.filter_map(factor).collect();
    let none = names(all.iter().filter(|(_, change)| change.is_none(2.0 * NOTHING)));
    let gain = all.iter().filter(|(_, change)| change.is_real() && change.low > 1.0 + NOTHING);
    let gain = sorted(gain, |(_, change)| change.ratio);
    let (best, most) = gain.last()?;
    let text = format!(
        "Where each request keeps a CPU busy, a second CPU makes a server up to {1} as fast, {0} ({best}){2}.",
        idea(best),
        times(*most),
        if none.is_empty() { String::new() } else { format!("; {none} gain nothing by it") }
    );
    finding("second-cpu", text)
}

#[cfg(test)]
mod tests {
    use super::super::invented::{around, contains, says};
    use super::*;
    use records::Record;
    use records::sample::record;

    fn on_cpus(server: &str, cpus: usize, speed: f64, apart: f64) -> Vec<Record> {
        let one = |speed: f64| {
            let mut one = record(server, "builtin", 64, true, speed);
            (one.key.phase, one.key.cpus, one.key.path) = (Phase::Cpus, Some(cpus), "/spin/100".into());
            one
        };
        around(speed, apart).map(one).collect()
    }

    #[test]
    fn a_second_cpu_is_told_if_it_is_worth_something() {
        let of = |apart: f64, second: f64| {
            let two = [on_cpus("10", 1, 1e4, apart), on_cpus("10", 2, second * 1e4, apart)];
            let one = [on_cpus("04", 1, 1e4, 0.1), on_cpus("04", 2, 1e4, 0.1)];
            says(super::second, two.into_iter().chain(one).flatten().collect())
        };
        contains(
            of(0.5, 1.9),
            &["up to 1.90 times [1.8", "a listener per thread (10)", "; 04 gain nothing by it"],
        );
        assert_eq!(of(30.0, 1.2), None, "the interval is wide");
        assert_eq!(of(0.5, 1.0), None, "nobody gains");
        assert_eq!(says(super::second, on_cpus("10", 1, 1e4, 0.5)), None, "one CPU alone");
        let one = |cpus: usize| on_cpus("10", cpus, 1e4 * cpus as f64, 0.5).remove(0);
        assert_eq!(says(super::second, vec![one(1), one(2)]), None, "one round");
        assert_eq!(says(super::second, Vec::new()), None);
    }
}
