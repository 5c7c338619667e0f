//! Points beside the floor: in turns with it, or between two runs of it.

use super::meter::{Measured, Meter};
use super::point::Point;
use super::servers::Servers;
use super::turns::Pair;
use records::{Outcome, Paired, Phase, Throughput};

/// The pairs of a block.
///
/// In turns with the floor is the better way, and the way of every run on this machine. What a generator of
/// others does, or one on another host, cannot be held at the end of a turn: then the floor runs before and
/// after, floor, server, floor, server, floor … in the order of the block.
pub(super) struct Pairs<'a> {
    meter: &'a Meter<'a>,
    /// Without turns: what the last run of the floor cost, and whether other programs disturbed it; the next
    /// point stands after it.
    before: Option<(f64, bool)>,
    /// What the floor did, to be recorded.
    pub(super) floors: Vec<(Point, Measured)>,
}

impl<'a> Pairs<'a> {
    pub(super) fn new(meter: &'a Meter<'a>) -> Self {
        Self { meter, before: None, floors: Vec::new() }
    }

    /// Measures a point, one in pairs beside the floor. Tells whether other programs disturbed the point or
    /// what it is compared with.
    pub(super) fn measure(&mut self, point: &Point, servers: &mut Servers) -> (Measured, bool) {
        let Some(Pair { point: measured, floor }) = self.meter.in_turns(point, servers) else {
            return self.between_runs(point, servers);
        };
        self.before = None;
        self.floors.extend(floor);
        let is_disturbed = measured.is_disturbed();
        (measured, is_disturbed)
    }

    /// With a run of the floor after it, and before it too, unless that was just done and is good.
    fn between_runs(&mut self, point: &Point, servers: &mut Servers) -> (Measured, bool) {
        let floor = self.meter.plan.floor_beside(point);
        if self.before.is_none() || self.repeats_the_floor() {
            self.before = floor.as_ref().and_then(|floor| self.cost(floor, servers));
        }
        let mut measured = self.meter.measure(point, servers);
        let mut is_disturbed = measured.is_disturbed();
        let (Some(floor), Ok(Outcome::Throughput(run))) = (floor, &measured.outcome) else {
            return (measured, is_disturbed);
        };
        let Throughput { figures, served } = run.clone();
        let after = self.cost(&floor, servers);
        if let Some(((before, disturbed_before), (after, disturbed_after))) = self.before.zip(after) {
            is_disturbed |= disturbed_before || disturbed_after;
            let floor_around = [before, after];
            measured.outcome = Ok(Outcome::Paired(Paired { floor_around, slices: None, figures, served }));
        }
        self.before = after;
        (measured, is_disturbed)
    }

    /// Whether this point has to wait for another run of the floor, because the last one was disturbed.
    pub(super) fn repeats_the_floor(&self) -> bool {
        self.meter.plan.repeats && self.before.is_some_and(|(_, is_disturbed)| is_disturbed)
    }

    /// A run that fails is tried once more: without it the point beside it would be no pair.
    fn cost(&mut self, floor: &Point, servers: &mut Servers) -> Option<(f64, bool)> {
        (0..2).find_map(|_| {
            let measured = self.meter.measure(floor, servers);
            let cost = measured.cost().map(|cost| (cost, measured.is_disturbed()));
            self.floors.push((Point { phase: Phase::Floor, ..floor.clone() }, measured));
            cost
        })
    }
}
