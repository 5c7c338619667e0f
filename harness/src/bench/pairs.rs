//! A block of pairs: floor, server, floor, server, floor … in shuffled order, the floor among the servers.

use super::measure::{Bench, Outcome};
use super::servers::Servers;
use super::{Plan, Point};
use crate::records::{Phase, Record};

/// What is to be done with each record as it comes.
pub(super) type Each<'a> = &'a mut dyn FnMut(&Point, Record) -> anyhow::Result<()>;

impl Bench<'_> {
    /// Measures the block of a round. False if a server or the generator failed.
    pub(super) fn paired_block(
        &self,
        round: u32,
        servers: &mut Servers,
        stop: &dyn Fn() -> bool,
        each: Each<'_>,
    ) -> anyhow::Result<bool> {
        let Some(floor) = self.plan.floor_of_pairs() else { return Ok(true) };
        let mut all_well = true;
        let mut before = self.cost(&floor, servers, stop);
        for point in self.plan.paired_round(round) {
            let outcome = self.measure(&point, servers, stop);
            let after = self.cost(&floor, servers, stop);
            if stop() {
                return Ok(all_well);
            }
            all_well &= !matches!(outcome, Outcome::Failed(_));
            let mut record = self.record(&point, round, outcome);
            record.phase = Phase::Paired;
            record.floor_around = before.zip(after).map(<[f64; 2]>::from);
            each(&point, record)?;
            before = after;
        }
        Ok(all_well)
    }

    /// The CPU time per request of one run.
    fn cost(&self, point: &Point, servers: &mut Servers, stop: &dyn Fn() -> bool) -> Option<f64> {
        match self.measure(point, servers, stop) {
            Outcome::Measured(figures, _) => figures.cpu_us_per_request,
            Outcome::Skipped(_) | Outcome::Failed(_) => None,
        }
    }
}

impl Plan {
    /// The runs of the floor that stand around all others.
    fn floor_of_pairs(&self) -> Option<Point> {
        self.paired.iter().copied().find(|point| self.subjects[point.subject].is_floor())
    }

    /// The pairs of a round in the order in which they are run.
    fn paired_round(&self, round: u32) -> Vec<Point> {
        let mut points = self.paired.clone();
        // Another stream than that of the survey's order.
        fastrand::Rng::with_seed(!self.seed ^ u64::from(round)).shuffle(&mut points);
        points
    }
}
