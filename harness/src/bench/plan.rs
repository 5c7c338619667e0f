//! What will be measured, in which order, and how long it will take.

use super::subject::Subject;
use crate::generators::{Load, Tool};

/// One point: a load of one tool on one server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Point {
    /// The server, as an index into the plan's subjects.
    pub(super) subject: usize,
    pub(super) tool: Tool,
    pub(super) concurrency: usize,
    pub(super) keep_alive: bool,
}

/// The whole run.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) subjects: Vec<Subject>,
    /// The points of each round.
    pub(super) points: Vec<Point>,
    /// The points of each round that stand between two runs of the floor; none in a quick look.
    pub(super) paired: Vec<Point>,
    /// Points that cannot be measured, each with the reason.
    pub(super) skipped: Vec<(Point, String)>,
    pub(super) rounds: u32,
    pub(super) seconds: u32,
    pub(super) seed: u64,
}

/// What the user asked to combine.
#[derive(Clone, Debug)]
pub(super) struct Axes {
    pub(super) tools: Vec<Tool>,
    /// Tools that are absent, with the command that installs each.
    pub(super) absent: Vec<(Tool, &'static str)>,
    /// Clients at once, for wrk.
    pub(super) concurrency: Vec<usize>,
    /// Clients at once, for the other tools.
    pub(super) concurrency_of_others: Vec<usize>,
    pub(super) keep_alive: Vec<bool>,
    pub(super) rounds: u32,
    /// Whether each round has a block of pairs.
    pub(super) pairs: bool,
    pub(super) seed: u64,
}

/// Pairs are measured with wrk: every stage can be, and it was there before our own generator.
const PAIRED_TOOL: Tool = Tool::Wrk;
/// With this many clients, or the nearest number that is measured.
const PAIRED_CLIENTS: usize = 64;

impl Plan {
    /// Combines everything with everything; `load` gives what is common to all points.
    pub(super) fn new(subjects: Vec<Subject>, axes: &Axes, load: &Load) -> Self {
        let mut points = Vec::new();
        let mut skipped = Vec::new();
        for (index, subject) in subjects.iter().enumerate() {
            for &tool in &axes.tools {
                for &keep_alive in &axes.keep_alive {
                    let concurrency =
                        if tool == Tool::Wrk { &axes.concurrency } else { &axes.concurrency_of_others };
                    for &concurrency in concurrency {
                        let point = Point { subject: index, tool, concurrency, keep_alive };
                        let load = Load { concurrency, keep_alive, ..load.clone() };
                        match reason_to_skip(subject, tool, &load, &axes.absent) {
                            Some(reason) => skipped.push((point, reason)),
                            None => points.push(point),
                        }
                    }
                }
            }
        }
        let paired = if axes.pairs { pairs_of(&subjects, &points) } else { Vec::new() };
        let (rounds, seconds, seed) = (axes.rounds, load.seconds, axes.seed);
        Self { subjects, points, paired, skipped, rounds, seconds, seed }
    }

    /// The points of a round in the order in which they are run. Shuffled, so that whatever drifts on the
    /// machine hits every server alike; the same seed gives the same order.
    pub(super) fn round(&self, round: u32) -> Vec<Point> {
        let mut points = self.points.clone();
        fastrand::Rng::with_seed(self.seed.wrapping_add(round.into())).shuffle(&mut points);
        points
    }

    /// Seconds that a point will take.
    pub(super) fn seconds_of(&self, point: &Point) -> f64 {
        /// Reading `/proc` before and after, and waiting for the last connection's end.
        const AROUND: f64 = 0.02;
        f64::from(self.seconds) + point.tool.overhead_seconds() + AROUND
    }

    /// Seconds that the whole run will take.
    pub(super) fn seconds(&self) -> f64 {
        /// Starting a server, asking it once, stopping it.
        const PER_SERVER: f64 = 0.06;
        let points: f64 = self.points.iter().map(|point| self.seconds_of(point)).sum();
        let mut per_server = PER_SERVER;
        let mut pairs = 0.0;
        if let Some(point) = self.paired.first() {
            // Each with a run of the floor, one run of the floor before all, a warm-up for each server.
            pairs = (2.0 * self.paired.len() as f64 + 1.0) * self.seconds_of(point);
            per_server += self.seconds_of(point);
        }
        f64::from(self.rounds) * (points + pairs + self.subjects.len() as f64 * per_server)
    }

    /// Points in all rounds.
    pub(super) fn len(&self) -> usize {
        (self.points.len() + self.paired.len()) * self.rounds as usize
    }
}

/// The points that are measured once more in pairs. A server that leaves clients waiting does other work for a
/// request than the floor around it, so it is not paired.
fn pairs_of(subjects: &[Subject], points: &[Point]) -> Vec<Point> {
    let fits = |point: &&Point| point.tool == PAIRED_TOOL && point.keep_alive;
    let clients = points.iter().filter(fits).map(|point| point.concurrency);
    let Some(clients) = clients.min_by_key(|clients| clients.abs_diff(PAIRED_CLIENTS)) else {
        return Vec::new();
    };
    let serves_all = |point: &&Point| subjects[point.subject].clients_served(true, clients) == clients;
    let chosen = points.iter().filter(fits).filter(|point| point.concurrency == clients).filter(serves_all);
    chosen.copied().collect()
}

fn reason_to_skip(
    subject: &Subject,
    tool: Tool,
    load: &Load,
    absent: &[(Tool, &'static str)],
) -> Option<String> {
    if let Some((_, install)) = absent.iter().find(|(absent, _)| *absent == tool) {
        return Some(format!("{} is not installed: {install}", tool.name()));
    }
    if let Some(reason) = tool.refuses(load) {
        return Some(reason.to_owned());
    }
    let served = subject.clients_served(load.keep_alive, load.concurrency);
    if tool == Tool::Ab && served < load.concurrency {
        // ab shares its requests among the connections and waits for each of them.
        return Some(format!(
            "ab would hang with keep-alive: {} of {} clients are served",
            served, load.concurrency
        ));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(concurrency: Vec<usize>, rounds: u32) -> Plan {
        let limits = [Some(1), None, Some(4), None];
        let subject =
            |(index, limit): (usize, &Option<usize>)| Subject::for_test(&format!("{index:02}"), *limit);
        let subjects = limits.iter().enumerate().map(subject).collect();
        let axes = Axes {
            tools: vec![Tool::Ab, Tool::Wrk, Tool::Webbench],
            absent: Vec::new(),
            concurrency_of_others: concurrency.clone(),
            concurrency,
            pairs: true,
            keep_alive: vec![true, false],
            rounds,
            seed: 3,
        };
        let load = Load {
            addr: ([127, 0, 0, 1], 0).into(),
            path: "/".into(),
            concurrency: 1,
            keep_alive: true,
            pipeline: 1,
            seconds: 2,
            reply_bytes: 0,
            cpus: None,
        };
        Plan::new(subjects, &axes, &load)
    }

    #[test]
    fn every_combination_is_planned_or_skipped_with_a_reason() {
        let plan = plan(vec![1, 4, 64], 1);
        assert_eq!(plan.points.len() + plan.skipped.len(), 4 * 3 * 2 * 3);
        // webbench with keep-alive on 4 servers; ab with more clients than 00 (1) and 02 (4) serve.
        assert_eq!(plan.skipped.len(), 4 * 3 + 2 + 1);
        assert!(plan.skipped.iter().all(|(point, reason)| !reason.is_empty() && point.keep_alive));
    }

    #[test]
    fn pairs_are_the_servers_that_serve_all_of_about_64_clients() {
        let plan = plan(vec![1, 8, 256], 1);
        let paired: Vec<_> = plan.paired.iter().map(|point| (point.subject, point.concurrency)).collect();
        assert_eq!(paired, [(1, 8), (3, 8)]);
    }

    #[test]
    fn a_seed_fixes_the_order_and_every_round_has_its_own() {
        let plan = plan(vec![1, 4, 64], 2);
        let (first, second) = (plan.round(1), plan.round(2));
        assert_eq!(first, plan.round(1));
        assert_ne!(first, second);
        let among = |points: &[Point]| plan.points.iter().all(|point| points.contains(point));
        assert!(among(&first) && among(&second) && first.len() == plan.points.len());
    }

    #[test]
    fn the_estimate_grows_with_rounds_and_covers_the_measuring() {
        let (one, three) = (plan(vec![1, 64], 1), plan(vec![1, 64], 3));
        assert!((three.seconds() - 3.0 * one.seconds()).abs() < 1e-6);
        assert!(one.seconds() > one.points.len() as f64 * 2.0);
    }
}
