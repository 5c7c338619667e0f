//! A pair in turns: the floor and a server are asked alternately, a hundredth of a second each, by one thread
//! of this process. Between two turns neither has anything to answer (see [`load::alternate`]).
//!
//! Why turns, and why so short: on the virtual machine that the lab was measured on the floor's cost wanders
//! between 3.7 and 5.9 µs within some 100 ms. Runs of 0.8 s, floor, server, floor, sample that at different
//! times; turns sample it together. The floor against itself, 64 kept connections, 15 pairs each:
//!
//! | turns of | 0.8 s each: standard deviation of the ratio | floors over 5 % apart | 1.6 s each | |
//! |---|---|---|---|---|
//! | the whole time, floor before and after | 5.5 % | 9 | | |
//! | 50 ms | 1.7 % | 2 | 0.8 % | 0 |
//! | 20 ms | 0.8 % | 1 | 1.1 % | 0 |
//! | 10 ms | 0.7 % | 0 | 0.8 % | 0 |
//! | 5 ms | 0.8 % | 1 | 0.6 % | 0 |
//!
//! Of 0.4 s in turns of 10 ms it is 1.2 %, of 0.2 s 6 %. So shorter turns gain nothing more, and they spend
//! more of their time on the last replies, 0.3 ms each; a longer pair gains little, so a run rather has more
//! of them. The middle of the ratios is the same with turns as without: 1.06 and 1.03 for 04, 1.13 and 1.12
//! for 08, 2.4 and 2.4 for 02, 24 and 23 for 02 with short connections.

use super::account::Account;
use super::meter::{Measured, Meter, Ready};
use super::point::{Method, Point};
use super::servers::Servers;
use crate::cpus::Bound;
use crate::generators::{Load, Place, Tool, measured_in_turns, options_of_turns};
use anyhow::{Context, Result, ensure};
use lab_core::clock::now;
use lab_core::server_process::Launch;
use load::{Turns, alternate};
use records::{Outcome, Paired, Phase, Served, Throughput};
use std::time::Duration;

/// How long a turn is.
pub(super) const TURN: Duration = Duration::from_millis(10);
/// Turns of each that are not counted: in the first one a server that forks makes its processes.
pub(super) const WARM_UP: u32 = 5;

/// What came of a pair.
pub(super) struct Pair {
    pub(super) point: Measured,
    /// The floor's part, for a record of its own; `None` where the pair failed.
    pub(super) floor: Option<(Point, Measured)>,
}

/// A server of the pair, ready.
struct Side {
    pid: u32,
    launch: Launch,
    load: Load,
    body_bytes: u64,
}

impl Meter<'_> {
    /// Measures a pair in turns. `None` where its load cannot be put on in turns, so that the floor has to
    /// run before and after it: by another generator, on another host, on several CPUs; or where some clients
    /// wait for ever, and the end of a turn would too.
    pub(super) fn in_turns(&self, point: &Point, servers: &mut Servers) -> Option<Pair> {
        let floor = self.floor_in_turns(point)?;
        let started_at = now();
        let failed = |error| Pair {
            point: Measured { started_at: now(), outcome: Err(error), round_trip_ns: None },
            floor: None,
        };
        let sides = match self.sides([&floor, point], servers).transpose()? {
            Ok(sides) => sides,
            Err(error) => return Some(failed(error)),
        };
        let before = self.round_trip.before();
        let outcomes = self.take_turns([&floor, point], &sides, servers);
        let round_trip_ns = before.zip(before.and_then(|_| self.round_trip.after())).map(Into::into);
        let measured =
            |outcome| Measured { started_at: started_at.clone(), outcome: Ok(outcome), round_trip_ns };
        Some(match outcomes {
            Ok([beside, own]) => Pair { point: measured(own), floor: Some((floor, measured(beside))) },
            Err(error) => failed(error),
        })
    }

    /// The floor's part of a pair: as many clients as the server has, so that like is compared with like.
    fn floor_in_turns(&self, point: &Point) -> Option<Point> {
        let is_here = self.plan.subject(point).running_at().is_none()
            && self.tool(Tool::Builtin).is_ok_and(|tool| tool.place == Place::Here);
        let mut floor = self.plan.floor_beside(point).filter(|_| is_here && point.takes_turns())?;
        floor.phase = Phase::Floor;
        let Load { concurrency, duration, .. } = point.load;
        floor.load = Load { concurrency, duration, ..floor.load };
        Some(floor)
    }

    /// Both servers, with their clients counted; `None` if some of these wait for ever.
    fn sides(&self, points: [&Point; 2], servers: &mut Servers) -> Result<Option<[Side; 2]>> {
        let mut side = |point: &Point| {
            let Ready { running, load, counted, body_bytes } = self.ready(point, servers)?;
            let pid = running.pid().context("a server in a pair is started here")?;
            let all_served = counted.is_none_or(|counted| counted == load.concurrency);
            let side = Side { pid, launch: self.launch(point), load, body_bytes };
            anyhow::Ok(all_served.then_some(side))
        };
        let (floor, server) = (side(points[0])?, side(points[1])?);
        Ok(floor.zip(server).map(Into::into))
    }

    fn take_turns(
        &self,
        points: [&Point; 2],
        sides: &[Side; 2],
        servers: &mut Servers,
    ) -> Result<[Outcome; 2]> {
        let options = sides.each_ref().map(|side| options_of_turns(&side.load));
        let counted = turns_in(sides[1].load.duration);
        let turns = Turns { length: TURN, warm_up: WARM_UP, counted };
        let mut account =
            Account::new(sides.each_ref().map(|side| side.pid), sides[1].load.keep_alive, counted);
        let bound = sides[1].load.cpus.as_deref().map(Bound::to).transpose()?;
        let reports = alternate([&options[0], &options[1]], turns, &mut |boundary| {
            ensure!(!(self.stop)(), "interrupted");
            account.at(boundary)
        });
        drop(bound);
        // If a server has died, that is why no reply came.
        sides.iter().try_for_each(|side| servers.get(&side.launch, &side.load.path).map(drop))?;
        let (reports, tool) = (reports?, self.tool(Tool::Builtin)?);
        let floor_around = account.floor_costs().context("the floor has answered nothing")?;
        let mut parts = Vec::new();
        for (at, report) in reports.into_iter().enumerate() {
            let (side, measured) = (&sides[at], measured_in_turns(report));
            let (spent, other) = account.spent(at, measured.seconds)?;
            let clients = side.load.concurrency;
            let mut figures = self.figures((points[at], tool), &side.load, clients, (&measured, &spent))?;
            figures.other_cpu_seconds = other;
            parts.push((figures, Served { clients, body_bytes: side.body_bytes }));
        }
        let [(beside, beside_served), (figures, served)] = parts.try_into().expect("one for each side");
        let floor = Throughput { figures: beside, served: beside_served };
        let paired = Paired { floor_around, slices: Some(counted), figures, served };
        Ok([Outcome::Throughput(floor), Outcome::Paired(paired)])
    }
}

impl Point {
    /// Whether it is a pair that the built-in generator's one thread can put on in turns.
    pub(super) fn takes_turns(&self) -> bool {
        let is_one_thread = self.load.cpus.as_ref().is_none_or(|cpus| cpus.len() == 1);
        self.is_paired()
            && is_one_thread
            && self.tool == Tool::Builtin
            && matches!(self.method, Method::Closed(_))
    }
}

/// How many turns of each are counted, so that each has so long in all. Two have an odd one and an even one.
pub(super) fn turns_in(duration: Duration) -> u32 {
    ((duration.as_secs_f64() / TURN.as_secs_f64()).round() as u32).max(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_has_an_odd_turn_and_an_even_one() {
        let turns = [1, 14, 16, 800].map(|millis| turns_in(Duration::from_millis(millis)));
        assert_eq!(turns, [2, 2, 2, 80]);
    }
}
