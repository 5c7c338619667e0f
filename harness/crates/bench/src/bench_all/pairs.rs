//! A block of pairs: floor, server, floor, server, floor … in shuffled order, the floor among the servers.

use super::measure::{Bench, Outcome};
use super::plan::Plan;
use super::point::Point;
use super::servers::Servers;

/// What a request cost the floor in one run.
#[derive(Clone, Copy)]
struct Cost {
    cpu_us: f64,
    disturbed: bool,
}

/// The runs of the floor between the points of a block.
pub(super) struct Pairs<'a> {
    bench: &'a Bench<'a>,
    floor: Option<Point>,
    /// The last one; the next point stands after it.
    before: Option<Cost>,
}

impl<'a> Pairs<'a> {
    pub(super) fn new(bench: &'a Bench<'a>) -> Self {
        Self { bench, floor: bench.plan.floor_of_pairs(), before: None }
    }

    /// Measures a point, and the floor after it; before it too, unless that was just done and is good.
    pub(super) fn measure(
        &mut self,
        point: &Point,
        servers: &mut Servers,
        stop: &dyn Fn() -> bool,
    ) -> Outcome {
        if self.before.is_none_or(|cost| cost.disturbed) {
            self.before = self.cost(servers, stop);
        }
        let mut outcome = self.bench.measure(point, servers, stop);
        if let Outcome::Measured(measured) = &mut outcome {
            let after = self.cost(servers, stop);
            let around = self.before.zip(after);
            measured.floor_around = around.map(|(before, after)| [before.cpu_us, after.cpu_us]);
            measured.disturbed |= around.is_some_and(|(before, after)| before.disturbed || after.disturbed);
            self.before = after;
        }
        outcome
    }

    /// Whether the next point has to wait for another run of the floor, because the last one was disturbed.
    pub(super) fn repeats_the_floor(&self) -> bool {
        self.before.is_some_and(|cost| cost.disturbed)
    }

    fn cost(&self, servers: &mut Servers, stop: &dyn Fn() -> bool) -> Option<Cost> {
        match self.bench.measure(&self.floor?, servers, stop) {
            Outcome::Measured(measured) => {
                let cpu_us = measured.figures.as_ref()?.cpu_us_per_request?;
                Some(Cost { cpu_us, disturbed: measured.disturbed })
            }
            Outcome::Skipped(_) | Outcome::Failed(_) => None,
        }
    }
}

impl Plan {
    /// The runs of the floor that stand around all others.
    fn floor_of_pairs(&self) -> Option<Point> {
        self.paired.iter().copied().find(|point| self.subjects[point.subject].is_floor())
    }
}
