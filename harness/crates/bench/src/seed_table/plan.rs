//! The points of the table.

use crate::generators::Tool;
use crate::rounds::{Plan, Point, Subject};

/// Every row with every number of clients.
pub(super) fn plan(rows: Vec<Subject>, clients: &[usize], rounds: u32, seconds: u32, seed: u64) -> Plan {
    let points = (0..rows.len()).flat_map(|subject| {
        clients.iter().map(move |&clients| Point { subject, clients, seconds: time(seconds, clients) })
    });
    Plan { points: points.collect(), subjects: rows, rounds, seed }
}

/// Seconds that a point will take.
fn time(seconds: u32, clients: usize) -> f64 {
    /// Starting a server; waiting for a quiet machine, if it is quiet.
    const AROUND: f64 = 0.35;
    /// Making one of webbench's processes and waiting for its end.
    const PROCESS: f64 = 0.000_5;
    f64::from(seconds) + Tool::Webbench.overhead_seconds() + AROUND + PROCESS * clients as f64
}

#[cfg(test)]
mod tests {
    use super::super::rows::rows;
    use super::*;

    #[test]
    fn the_time_that_webbench_sleeps_is_told_beforehand() {
        let built = std::env::current_exe().expect("this test");
        let mut subjects = rows(&[], 5);
        subjects[0].launch = Ok(lab_core::server_process::Launch::new(built));
        let plan = plan(subjects, &[1, 3000], 2, 1, 4);
        assert_eq!((plan.points.len(), plan.len()), (6, 4), "two rows are not built");
        assert!(plan.seconds() > 4.0 * 2.0 + 2.0 * 1.5, "{}", plan.seconds());
    }
}
