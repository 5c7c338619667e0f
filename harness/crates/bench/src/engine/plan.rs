//! What will be measured, and in which order.

use super::point::Point;
use super::subject::Subject;
use records::Phase;
use std::collections::BTreeMap;
use std::time::Duration;

/// Clients at once, unless something else is asked for or a server cannot serve them.
pub(crate) const USUAL_CLIENTS: usize = 64;
/// How long the clients are counted, if a recipe has no reason to count them longer.
const COUNTING: Duration = Duration::from_millis(300);
/// The share of the whole time that may be spent on waiting before points that are each waited for.
const PATIENCE: f64 = 0.1;
/// The blocks of a round, in this order.
const PHASES: [Phase; 15] = [
    Phase::Paired,
    Phase::Survey,
    Phase::Peak,
    Phase::Latency,
    Phase::Idle,
    Phase::Table,
    Phase::Spin,
    Phase::Slow,
    Phase::Clients,
    Phase::C10k,
    Phase::Cpus,
    Phase::Overload,
    Phase::Balance,
    Phase::Uring,
    Phase::Stealing,
];

/// The whole run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The servers.
    pub subjects: Vec<Subject>,
    /// The points, in blocks that are run one after the other in each round.
    pub blocks: Vec<Vec<Point>>,
    /// Points that cannot be measured, each with the reason.
    pub skipped: Vec<(Point, String)>,
    /// How many rounds.
    pub rounds: u32,
    /// How often the servers that live on are started, all rounds together.
    pub starts: u32,
    /// How long the run takes that checks every reply and counts the clients.
    pub counting: Duration,
    /// Whether a point that other programs disturbed is measured again: what is compared may have a tenth of
    /// them.
    pub repeats: bool,
    /// The share of the whole time that may be spent on waiting for an idle machine.
    pub patience: f64,
    /// What the order is shuffled with.
    pub seed: u64,
}

impl Plan {
    /// Points, those that must be left out with the reason. Each phase is a block, and in pairs so is each
    /// kind of connection. The defaults are those of points that are each measured on a server of its own:
    /// nothing is measured again, there are rounds for that.
    pub fn new(
        subjects: Vec<Subject>,
        candidates: Vec<(Point, Option<String>)>,
        rounds: u32,
        seed: u64,
    ) -> Self {
        let mut blocks: BTreeMap<_, Vec<Point>> = BTreeMap::new();
        let mut skipped = Vec::new();
        for (point, reason) in candidates {
            // Kept and short connections need another floor; where that runs before and after, it is the
            // same one for a whole block.
            let is_paired = point.is_paired();
            let block = PHASES.iter().position(|phase| *phase == point.phase);
            let block = (block.expect("all are there"), is_paired && !point.load.keep_alive);
            match reason {
                Some(reason) => skipped.push((point, reason)),
                None => blocks.entry(block).or_default().push(point),
            }
        }
        let blocks = blocks.into_values().collect();
        let (starts, counting, repeats, patience) = (1, COUNTING, false, PATIENCE);
        Self { subjects, blocks, skipped, rounds, starts, counting, repeats, patience, seed }
    }

    /// Points of which those are left out whose server cannot run, or leaves some of the clients waiting.
    pub fn of_points(subjects: Vec<Subject>, points: Vec<Point>, rounds: u32, seed: u64) -> Self {
        let reason = |point: &Point| subjects[point.subject].cannot_serve(&point.load);
        let candidates = points.into_iter().map(|point| (point.clone(), reason(&point))).collect();
        Self::new(subjects, candidates, rounds, seed)
    }

    /// The server of a point.
    pub fn subject(&self, point: &Point) -> &Subject {
        &self.subjects[point.subject]
    }

    /// Every point, once.
    pub fn points(&self) -> impl Iterator<Item = &Point> {
        self.blocks.iter().flatten()
    }

    /// Every point of a phase, once.
    pub fn of(&self, phase: Phase) -> impl Iterator<Item = &Point> {
        self.points().filter(move |point| point.phase == phase)
    }

    /// The points of a round, block by block, in the order in which they are run. Shuffled within a block, so
    /// that whatever drifts on the machine hits every server alike; the same seed gives the same order.
    pub fn round(&self, round: u32) -> Vec<Vec<&Point>> {
        let shuffled = |(block, points): (usize, &'_ Vec<Point>)| {
            let seed = self.seed.wrapping_add(u64::from(round)) ^ ((block as u64) << 32);
            let mut points: Vec<usize> =
                (0..points.len()).filter(|&at| round <= self.rounds_of(&points[at])).collect();
            fastrand::Rng::with_seed(seed).shuffle(&mut points);
            points
        };
        let order = self.blocks.iter().enumerate().map(shuffled);
        order.zip(&self.blocks).map(|(order, block)| order.iter().map(|&at| &block[at]).collect()).collect()
    }

    /// How often a point is measured.
    pub fn rounds_of(&self, point: &Point) -> u32 {
        point.rounds.min(self.rounds)
    }

    /// Points in all rounds.
    pub fn len(&self) -> usize {
        self.points().map(|point| self.rounds_of(point) as usize).sum()
    }

    /// Whether nothing can be measured.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Which start of the servers a round belongs to.
    pub(super) fn start_of(&self, round: u32) -> u32 {
        (round - 1) / self.rounds.div_ceil(self.starts.max(1)).max(1)
    }

    /// Whether the servers are stopped after this round: the last one of a start.
    pub(super) fn ends_a_start(&self, round: u32) -> bool {
        round == self.rounds || self.start_of(round) != self.start_of(round + 1)
    }

    /// The floor beside a point, if it is one in pairs: the same load on the floor, with the usual number of
    /// clients.
    ///
    /// The features of io_uring stand beside the first server of the plan, under the same load.
    pub(crate) fn floor_beside(&self, point: &Point) -> Option<Point> {
        if point.phase == Phase::Uring {
            return Some(Point { subject: 0, ..point.clone() });
        }
        let is_beside = |other: &&Point| {
            self.subject(other).is_floor()
                && (other.phase, other.load.keep_alive) == (point.phase, point.load.keep_alive)
        };
        let floors = self.points().filter(|_| point.is_paired()).filter(is_beside);
        floors.min_by_key(|floor| floor.load.concurrency.abs_diff(USUAL_CLIENTS)).cloned()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::point::{Clients, Method};
    use super::*;
    use crate::generators::{Load, Tool};
    use lab_core::server_process::Launch;
    use std::collections::BTreeSet;

    fn point(subject: usize, phase: Phase, tool: Tool, method: Method, clients: usize) -> Point {
        let load = Load { concurrency: clients, ..Load::new("/") };
        Point {
            subject,
            phase,
            tool,
            method,
            load,
            idle: None,
            by_worker: None,
            rounds: u32::MAX,
            fresh: false,
        }
    }

    fn subjects() -> Vec<Subject> {
        let subject = |name| Subject::command(name, &format!("Title of {name}"), Launch::new(name));
        ["00", "01", "02", "03"].map(subject).into()
    }

    /// Every block of a run, with two servers in pairs.
    pub(in super::super) fn plan(rounds: u32) -> Plan {
        let closed = Method::Closed(Clients::Counted);
        let all = || 0..subjects().len();
        let survey = all().flat_map(|at| {
            [Tool::Ab, Tool::Wrk].into_iter().flat_map(move |tool| {
                [1, 64].map(move |clients| point(at, Phase::Survey, tool, closed, clients))
            })
        });
        let latency = all().flat_map(|at| {
            [5000.0, 9000.0].map(|rate| point(at, Phase::Latency, Tool::Builtin, Method::Open(rate), 64))
        });
        let idle = |at| point(at, Phase::Idle, Tool::Builtin, Method::Idle, 1000);
        Plan {
            blocks: vec![
                [1, 3].map(|at| point(at, Phase::Paired, Tool::Wrk, closed, 64)).into(),
                survey.collect(),
                latency.collect(),
                all().map(idle).collect(),
            ],
            repeats: true,
            ..Plan::new(subjects(), Vec::new(), rounds, 3)
        }
    }

    #[test]
    fn a_seed_fixes_the_order_and_every_round_has_its_own() {
        let plan = plan(20);
        let order = |round, block: usize| {
            let place = |point: &&Point| std::ptr::from_ref::<Point>(*point) as usize;
            plan.round(round)[block].iter().map(place).collect::<Vec<_>>()
        };
        let rounds: BTreeSet<Vec<usize>> = (1..=20).map(|round| order(round, 1)).collect();
        assert!(rounds.len() > 1, "of 16 points");
        assert_eq!(order(7, 1), order(7, 1));
        let sorted: BTreeSet<BTreeSet<usize>> =
            rounds.into_iter().map(|round| round.into_iter().collect()).collect();
        assert_eq!(sorted.len(), 1, "the same points in every round");
        assert_eq!(plan.len(), 20 * (2 + 16 + 8 + 4));
    }

    #[test]
    fn every_point_is_in_every_round_or_skipped() {
        let mut subjects = subjects();
        subjects[1].lacks = Some("not built yet".into());
        let method = Method::Closed(Clients::Assumed);
        let points = (0..3).flat_map(|at| {
            [1, 10, 3000].map(|clients| point(at, Phase::Table, Tool::Webbench, method, clients))
        });
        let plan = Plan::of_points(subjects, points.collect(), 2, 4);
        let first: usize = plan.round(1).iter().map(Vec::len).sum();
        assert_eq!((plan.len(), first, plan.skipped.len()), (12, 6, 3));
        assert!(plan.skipped.iter().all(|(point, reason)| point.subject == 1 && reason == "not built yet"));
    }

    #[test]
    fn servers_live_as_long_as_the_plan_says() {
        let ends = |rounds, starts| {
            let plan = Plan { starts, ..plan(rounds) };
            (1..=rounds).filter(|&round| plan.ends_a_start(round)).collect::<Vec<_>>()
        };
        assert_eq!(ends(5, 1), [5]);
        assert_eq!(ends(9, 3), [3, 6, 9]);
        assert_eq!(ends(2, 3), [1, 2]);
        assert_eq!(ends(1, 1), [1]);
    }
}
