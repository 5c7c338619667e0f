//! What will be measured, and in which order.

use super::point::Point;
use super::rigor::Amount;
use super::skips::{reason_to_skip, waiting_clients};
use super::subject::Subject;
use crate::generators::{Load, Tool};
use records::Phase;

/// The whole run.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) subjects: Vec<Subject>,
    /// The points of the survey.
    pub(super) points: Vec<Point>,
    /// The points that stand between two runs of the floor. They carry the same load as a point of the survey would,
    /// so they are points of the survey too, and `points` does not have them a second time.
    pub(super) paired: Vec<Point>,
    /// The points of the open loop.
    pub(super) latency: Vec<Point>,
    /// The points with connections that say nothing.
    pub(super) idle: Vec<Point>,
    /// Points that cannot be measured, each with the reason.
    pub(super) skipped: Vec<(Point, String)>,
    pub(super) amount: Amount,
    pub(super) seed: u64,
}

/// What the user asked to combine.
#[derive(Clone, Debug)]
pub(super) struct Axes {
    pub(super) tools: Vec<Tool>,
    /// Tools that are absent, with the command that installs each.
    pub(super) absent: Vec<(Tool, &'static str)>,
    pub(super) keep_alive: Vec<bool>,
    /// What is measured; by default all that the amount has.
    pub(super) phases: Vec<Phase>,
    pub(super) seed: u64,
}

/// Pairs, and everything else that stands for a server, have so many clients, or the nearest number that is measured.
const USUAL_CLIENTS: usize = 64;
/// The rates of the open loop, as per cent of the peak.
pub(super) const SHARES: [u32; 4] = [50, 70, 80, 90];
/// Connections that say nothing.
const SILENT: usize = 1_000;

impl Plan {
    /// Combines everything with everything; `load` gives what is common to all points.
    pub(super) fn new(subjects: Vec<Subject>, axes: &Axes, amount: Amount, load: &Load) -> Self {
        let mut points = Vec::new();
        let mut skipped = Vec::new();
        for (index, subject) in subjects.iter().enumerate() {
            for &tool in &axes.tools {
                for &keep_alive in &axes.keep_alive {
                    for &concurrency in amount.clients.of(tool, keep_alive) {
                        let phase = Phase::Survey;
                        let point = Point { subject: index, phase, tool, concurrency, keep_alive, share: 0 };
                        let load = Load { concurrency, keep_alive, ..load.clone() };
                        match reason_to_skip(subject, tool, &load, &axes.absent) {
                            Some(reason) => skipped.push((point, reason)),
                            None => points.push(point),
                        }
                    }
                }
            }
        }
        let has = |phase| axes.phases.contains(&phase);
        let paired =
            if amount.pairs && has(Phase::Paired) { pairs_of(&subjects, &points) } else { Vec::new() };
        if has(Phase::Survey) {
            let is_paired = |point: &Point| paired.contains(&Point { phase: Phase::Paired, ..*point });
            points.retain(|point| !is_paired(point));
        } else {
            points.clear();
            skipped.clear();
        }
        let mut plan = Self {
            subjects,
            points,
            paired,
            latency: Vec::new(),
            idle: Vec::new(),
            skipped,
            amount,
            seed: axes.seed,
        };
        if plan.amount.latency && has(Phase::Latency) {
            plan.add_latency();
        }
        if plan.amount.idle_rounds > 0 && has(Phase::Idle) {
            plan.add_idle();
        }
        plan
    }

    fn add_latency(&mut self) {
        let base = Point {
            subject: 0,
            phase: Phase::Latency,
            tool: Tool::Builtin,
            concurrency: USUAL_CLIENTS,
            keep_alive: true,
            share: 0,
        };
        for (index, subject) in self.subjects.iter().enumerate() {
            let point = Point { subject: index, ..base };
            match waiting_clients(subject, &point) {
                None => self.latency.extend(SHARES.map(|share| Point { share, ..point })),
                Some(reason) => self.skipped.push((point, reason)),
            }
        }
    }

    fn add_idle(&mut self) {
        for (index, subject) in self.subjects.iter().enumerate() {
            let point = Point {
                subject: index,
                phase: Phase::Idle,
                tool: Tool::Builtin,
                concurrency: SILENT,
                keep_alive: true,
                share: 0,
            };
            match waiting_clients(subject, &point) {
                None => self.idle.push(point),
                Some(reason) => self.skipped.push((point, reason)),
            }
        }
    }

    pub(super) fn rounds(&self) -> u32 {
        self.amount.rounds
    }

    /// The points of a round, block by block, in the order in which they are run. Shuffled within a block, so that
    /// whatever drifts on the machine hits every server alike; the same seed gives the same order.
    pub(super) fn blocks(&self, round: u32) -> [Vec<Point>; 4] {
        let mut stream = 0;
        [&self.paired, &self.points, &self.latency, &self.idle].map(|block| {
            let mut points: Vec<Point> =
                block.iter().copied().filter(|point| round <= self.rounds_of(point)).collect();
            let seed = self.seed.wrapping_add(u64::from(round)) ^ (stream << 32);
            fastrand::Rng::with_seed(seed).shuffle(&mut points);
            stream += 1;
            points
        })
    }

    /// How often a point is measured.
    pub(super) fn rounds_of(&self, point: &Point) -> u32 {
        let most = match (point.phase, point.tool) {
            (Phase::Idle, _) => self.amount.idle_rounds,
            (Phase::Survey, Tool::Ab | Tool::Webbench) => self.amount.rounds_of_others,
            _ => self.amount.rounds,
        };
        most.min(self.amount.rounds)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Point> {
        [&self.paired, &self.points, &self.latency, &self.idle].into_iter().flatten()
    }

    /// Points in all rounds.
    pub(super) fn len(&self) -> usize {
        self.all().map(|point| self.rounds_of(point) as usize).sum()
    }
}

/// The tool of the pairs: every stage can be measured with both, and wrk was there before our own.
fn paired_tool(points: &[Point]) -> Tool {
    if points.iter().any(|point| point.tool == Tool::Wrk) { Tool::Wrk } else { Tool::Builtin }
}

/// The points that are measured in pairs: with connections that are kept, unless only others are measured. A server that
/// leaves clients waiting does other work for a request than the floor around it, so it is not paired.
fn pairs_of(subjects: &[Subject], points: &[Point]) -> Vec<Point> {
    let tool = paired_tool(points);
    let keep_alive = points.iter().any(|point| point.keep_alive);
    let fits = |point: &&Point| point.tool == tool && point.keep_alive == keep_alive;
    let clients = points.iter().filter(fits).map(|point| point.concurrency);
    let Some(clients) = clients.min_by_key(|clients| clients.abs_diff(USUAL_CLIENTS)) else {
        return Vec::new();
    };
    let chosen = points.iter().filter(fits).filter(|point| point.concurrency == clients);
    let serves_all = chosen.filter(|point| waiting_clients(&subjects[point.subject], point).is_none());
    serves_all.map(|point| Point { phase: Phase::Paired, ..*point }).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::rigor::{Clients, Rigor};
    use super::*;
    use std::collections::BTreeSet;
    use std::time::Duration;

    pub(in super::super) const ALL: [Phase; 4] = [Phase::Survey, Phase::Paired, Phase::Latency, Phase::Idle];

    pub(in super::super) fn plan_of(limits: &[Option<usize>], amount: Amount, phases: &[Phase]) -> Plan {
        plan_with(limits, amount, phases, &[true, false])
    }

    fn plan_with(limits: &[Option<usize>], amount: Amount, phases: &[Phase], keep_alive: &[bool]) -> Plan {
        let subject =
            |(index, limit): (usize, &Option<usize>)| Subject::for_test(&format!("{index:02}"), *limit);
        let subjects = limits.iter().enumerate().map(subject).collect();
        let axes = Axes {
            tools: vec![Tool::Ab, Tool::Wrk, Tool::Webbench],
            absent: Vec::new(),
            keep_alive: keep_alive.to_vec(),
            phases: phases.to_vec(),
            seed: 3,
        };
        let load = Load {
            addr: ([127, 0, 0, 1], 0).into(),
            host: None,
            path: "/".into(),
            concurrency: 1,
            keep_alive: true,
            pipeline: 1,
            duration: Duration::from_secs(2),
            rate: None,
            warm_up: Duration::ZERO,
            learns_body: false,
            mix: None,
            reply_bytes: 0,
            variable_bytes: 0,
            cpus: None,
        };
        Plan::new(subjects, &axes, amount, &load)
    }

    pub(in super::super) fn plan(clients: Vec<usize>, rounds: u32) -> Plan {
        let amount = Amount {
            clients: Clients::same(clients),
            duration: Duration::from_secs(2),
            rounds,
            rounds_of_others: rounds,
            idle_rounds: rounds,
            starts: 1,
            ..Rigor::Standard.amounts().remove(0)
        };
        plan_of(&[Some(1), None, Some(4), None], amount, &ALL)
    }

    #[test]
    fn every_combination_is_planned_or_skipped_with_a_reason() {
        let plan = plan(vec![1, 4, 64], 1);
        let is_survey = |(point, _): &&(Point, String)| point.phase == Phase::Survey;
        let skipped: Vec<_> = plan.skipped.iter().filter(is_survey).collect();
        assert_eq!(plan.points.len() + plan.paired.len() + skipped.len(), 4 * 3 * 2 * 3);
        // webbench with keep-alive on 4 servers; ab with more clients than 00 (1) and 02 (4) serve.
        assert_eq!(skipped.len(), 4 * 3 + 2 + 1);
        assert!(plan.skipped.iter().all(|(point, reason)| !reason.is_empty() && point.keep_alive));
    }

    #[test]
    fn pairs_keep_their_connections_unless_no_point_does() {
        let paired = |keep_alive: &[bool]| {
            let amount = Amount { clients: Clients::same(vec![64]), ..Rigor::Standard.amounts().remove(0) };
            let plan = plan_with(&[None], amount, &[Phase::Paired], keep_alive);
            plan.paired.iter().map(|point| point.keep_alive).collect::<Vec<_>>()
        };
        assert_eq!(paired(&[true, false]), [true]);
        assert_eq!(paired(&[false]), [false]);
    }

    #[test]
    fn pairs_are_the_servers_that_serve_all_of_about_64_clients_and_are_not_measured_twice() {
        let plan = plan(vec![1, 8, 256], 1);
        let paired: Vec<_> = plan.paired.iter().map(|point| (point.subject, point.concurrency)).collect();
        assert_eq!(paired, [(1, 8), (3, 8)]);
        let survey = |subject: usize, clients: usize| {
            let same = |p: &&Point| {
                p.subject == subject && p.concurrency == clients && p.tool == Tool::Wrk && p.keep_alive
            };
            plan.points.iter().filter(same).count()
        };
        assert_eq!((survey(1, 8), survey(0, 8), survey(1, 256)), (0, 1, 1));
    }

    #[test]
    fn latency_and_idle_leave_out_servers_that_let_clients_wait_and_say_why() {
        let plan = plan(vec![64], 1);
        let servers = |points: &[Point]| points.iter().map(|point| point.subject).collect::<BTreeSet<_>>();
        assert_eq!(servers(&plan.latency), BTreeSet::from([1, 3]));
        assert_eq!(servers(&plan.idle), BTreeSet::from([1, 3]));
        assert_eq!(plan.latency.len(), 2 * SHARES.len());
        for phase in [Phase::Latency, Phase::Idle] {
            assert_eq!(plan.skipped.iter().filter(|(point, _)| point.phase == phase).count(), 2, "{phase:?}");
        }
    }

    #[test]
    fn a_seed_fixes_the_order_and_every_round_has_its_own() {
        let plan = plan(vec![1, 4, 64], 2);
        let ([_, first, ..], [_, second, ..]) = (plan.blocks(1), plan.blocks(2));
        assert_eq!(first, plan.blocks(1)[1]);
        assert_ne!(first, second);
        let among = |points: &[Point]| plan.points.iter().all(|point| points.contains(point));
        assert!(among(&first) && among(&second) && first.len() == plan.points.len());
    }

    #[test]
    fn the_rounds_have_as_many_points_as_are_planned() {
        let mut plan = plan(vec![1, 64], 5);
        (plan.amount.rounds_of_others, plan.amount.idle_rounds) = (3, 1);
        let measured: usize = (1..=5).flat_map(|round| plan.blocks(round)).map(|block| block.len()).sum();
        assert_eq!(measured, plan.len());
        assert!(plan.blocks(4)[1].iter().all(|point| point.tool == Tool::Wrk));
        assert!(plan.blocks(2)[3].is_empty());
    }

    #[test]
    fn a_phase_that_is_not_wanted_is_not_planned() {
        let amount = || Rigor::Standard.amounts().remove(0);
        let limits = [None, None];
        let latency = plan_of(&limits, amount(), &[Phase::Latency]);
        assert_eq!((latency.points.len(), latency.paired.len(), latency.idle.len()), (0, 0, 0));
        assert_eq!(latency.len(), 2 * SHARES.len() * latency.rounds() as usize);
        let paired = plan_of(&limits, amount(), &[Phase::Paired]);
        assert_eq!((paired.points.len(), paired.paired.len()), (0, 2));
    }
}
