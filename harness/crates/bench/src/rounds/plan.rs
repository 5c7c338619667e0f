//! The servers, the points, and the order in which they are measured.

use lab_core::server_process::Launch;

/// A server with its options.
pub(crate) struct Subject {
    /// What it is called while it is measured: `serial`, `03, 2 workers`.
    pub(crate) name: String,
    /// The stage.
    pub(crate) stage: String,
    /// What the record calls it.
    pub(crate) title: String,
    /// The options that it is started with.
    pub(crate) options: Vec<String>,
    /// Of `--workers`, if it was given.
    pub(crate) workers: Option<usize>,
    /// How to start it, or why that is not possible.
    pub(crate) launch: Result<Launch, String>,
}

/// One point: a server under a number of clients.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Point {
    /// An index into the plan's subjects.
    pub(crate) subject: usize,
    pub(crate) clients: usize,
    /// How long it will take, waiting for a quiet machine included.
    pub(crate) seconds: f64,
}

/// All rounds.
pub(crate) struct Plan {
    pub(crate) subjects: Vec<Subject>,
    pub(crate) points: Vec<Point>,
    pub(crate) rounds: u32,
    pub(crate) seed: u64,
}

impl Plan {
    pub(super) fn subject(&self, point: &Point) -> &Subject {
        &self.subjects[point.subject]
    }

    fn points(&self, is_measured: bool) -> Vec<Point> {
        let points = self.points.iter().copied();
        points.filter(|point| self.subject(point).launch.is_ok() == is_measured).collect()
    }

    /// The points of servers that cannot be measured.
    pub(super) fn skipped(&self) -> Vec<Point> {
        self.points(false)
    }

    /// The points of a round in the order in which they are run. Shuffled, so that whatever drifts on the machine hits
    /// every server and every number of clients alike; the same seed gives the same order.
    pub(super) fn round(&self, round: u32) -> Vec<Point> {
        let mut points = self.points(true);
        fastrand::Rng::with_seed(self.seed.wrapping_add(round.into())).shuffle(&mut points);
        points
    }

    /// Points in all rounds.
    pub(crate) fn len(&self) -> usize {
        self.points(true).len() * self.rounds as usize
    }

    /// Seconds that all rounds will take.
    pub(crate) fn seconds(&self) -> f64 {
        let round: f64 = self.points(true).iter().map(|point| point.seconds).sum();
        round * f64::from(self.rounds)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) fn plan(seed: u64) -> Plan {
        let subject = |title: &str, launch| Subject {
            name: title.into(),
            stage: "01".into(),
            title: title.into(),
            options: Vec::new(),
            workers: None,
            launch,
        };
        let subjects = vec![
            subject("serial", Ok(Launch::new("serial"))),
            subject("1 process", Err("not built yet".into())),
            subject("2 processes", Ok(Launch::new("prefork"))),
        ];
        let points =
            (0..3).flat_map(|subject| [1, 10, 3000].map(|clients| Point { subject, clients, seconds: 2.5 }));
        Plan { subjects, points: points.collect(), rounds: 2, seed }
    }

    #[test]
    fn every_point_is_in_every_round_or_skipped() {
        let plan = plan(4);
        assert_eq!((plan.len(), plan.round(1).len(), plan.skipped().len()), (12, 6, 3));
        assert_eq!(plan.round(2), plan.round(2), "a seed fixes the order");
        let orders: Vec<_> = (1..=20).map(|round| plan.round(round)).collect();
        assert!(orders.iter().any(|order| *order != orders[0]), "and every round has its own");
        assert!((plan.seconds() - 30.0).abs() < 1e-9);
    }
}
