//! Work that another thread has stolen.

use super::{Finding, finding, of_server, sample};
use crate::figures::latency::is_reached;
use crate::figures::stealing::quick;
use crate::figures::{Data, Line};
use lab_core::units::time;
use records::{Phase, Placement};

/// How long quick requests wait while one thread has all the long ones: on executors that keep their tasks,
/// and on one whose threads steal them. The same conversation runs on both.
pub(super) fn waits(data: &Data) -> Option<Finding> {
    let lines = data.of(&[Phase::Stealing]);
    let is_here = |line: &Line| line.record.key.placement == Some(Placement::One) && is_reached(line.record);
    let lines: Vec<Line> = lines.into_iter().filter(is_here).collect();
    let wait = |server: &str| {
        let waits = sample(&of_server(&lines, server), |record| Some(quick(record)?.p99 as f64));
        waits.median().zip(waits.interval())
    };
    let ((kept, of_kept), (stolen, of_stolen)) = (wait("12")?, wait("12-tokio")?);
    let is_apart = of_kept.low > of_stolen.high || of_kept.high < of_stolen.low;
    is_apart.then_some(())?;
    let text = format!(
        "While one thread has all the long requests, p99 of the quick ones is {} where each thread keeps its tasks (12), and \
         {} where threads steal them (12-tokio).",
        time(kept),
        time(stolen)
    );
    finding("stealing", text)
}

#[cfg(test)]
mod tests {
    use super::super::invented::{contains, says};
    use super::*;
    use crate::figures::stealing::invented::round;
    use records::Record;

    fn rounds(server: &str, placement: Placement, waits: [u64; 5]) -> Vec<Record> {
        waits.into_iter().map(|p99| round(server, placement, p99, &[p99])).collect()
    }

    #[test]
    fn stealing_is_told_from_keeping_if_the_intervals_are_apart() {
        let long = [13_000, 14_000, 14_200, 15_000, 16_000];
        let one = |server: &str, waits| rounds(server, Placement::One, waits);
        let short = [2_900, 3_000, 3_100, 3_200, 3_300];
        let both = [one("12", long), one("12-tokio", short)].concat();
        contains(says(waits, both), &["is 14.2 ms where each", "(12), and 3.10 ms where threads steal"]);
        let reversed = [one("12", short), one("12-tokio", long)].concat();
        contains(says(waits, reversed), &["is 3.10 ms where each", "and 14.2 ms where threads steal"]);
        let alike = [one("12", long), one("12-tokio", [2_900, 3_000, 3_100, 3_200, 13_300])].concat();
        assert_eq!(says(waits, alike), None, "the intervals overlap");
        let each = |server: &str, waits| rounds(server, Placement::Each, waits);
        assert_eq!(says(waits, [each("12", long), each("12-tokio", short)].concat()), None);
        assert_eq!(says(waits, one("12", long)), None, "one alone");
    }
}
