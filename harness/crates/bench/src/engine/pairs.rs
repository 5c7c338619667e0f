//! A block of pairs: floor, server, floor, server, floor … in shuffled order, the floor among the servers.

use super::meter::Meter;
use super::point::Point;
use super::servers::Servers;
use anyhow::Result;
use records::{Outcome, Paired, Phase, Throughput};

/// What a request cost the floor in one run.
#[derive(Clone, Copy)]
struct Cost {
    cpu_us: f64,
    disturbed: bool,
}

/// The runs of the floor between the points of a block.
pub(super) struct Pairs<'a> {
    meter: &'a Meter<'a>,
    floor: Option<&'a Point>,
    /// The last one; the next point stands after it.
    before: Option<Cost>,
}

impl<'a> Pairs<'a> {
    pub(super) fn new(meter: &'a Meter<'a>) -> Self {
        Self { meter, floor: meter.plan.floor_of_pairs(), before: None }
    }

    /// Measures a point; a paired one with the floor after it, and before it too, unless that was just done
    /// and is good. Tells whether other programs disturbed the point or what it is compared with.
    pub(super) fn measure(&mut self, point: &Point, servers: &mut Servers) -> Result<(Outcome, bool)> {
        if point.phase != Phase::Paired {
            let outcome = self.meter.measure(point, servers)?;
            let disturbed = is_disturbed(&outcome);
            return Ok((outcome, disturbed));
        }
        if self.before.is_none_or(|cost| cost.disturbed) {
            self.before = self.cost(servers);
        }
        let outcome = self.meter.measure(point, servers)?;
        let Outcome::Throughput(Throughput { figures, served }) = outcome else {
            return Ok((outcome, false));
        };
        let after = self.cost(servers);
        let around = self.before.zip(after);
        self.before = after;
        let disturbed = figures.is_disturbed()
            || around.is_some_and(|(before, after)| before.disturbed || after.disturbed);
        let outcome = match around {
            Some((before, after)) => {
                Outcome::Paired(Paired { floor_around: [before.cpu_us, after.cpu_us], figures, served })
            }
            None => Outcome::Throughput(Throughput { figures, served }),
        };
        Ok((outcome, disturbed))
    }

    /// Whether this point has to wait for another run of the floor, because the last one was disturbed.
    pub(super) fn repeats_the_floor(&self, point: &Point) -> bool {
        point.phase == Phase::Paired && self.before.is_some_and(|cost| cost.disturbed)
    }

    fn cost(&self, servers: &mut Servers) -> Option<Cost> {
        let outcome = self.meter.measure(self.floor?, servers).ok()?;
        let cpu_us = outcome.figures()?.cpu_us_per_request?;
        Some(Cost { cpu_us, disturbed: is_disturbed(&outcome) })
    }
}

fn is_disturbed(outcome: &Outcome) -> bool {
    outcome.figures().is_some_and(|figures| figures.is_disturbed())
}
