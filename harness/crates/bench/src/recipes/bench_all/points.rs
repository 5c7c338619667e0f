//! The points: every server under every load, and what stands for a server in pairs, in an open loop, in
//! silence.

use super::profile::Workload;
use super::skips::{reason_to_skip, waiting_clients};
use crate::engine::{Clients, Method, Plan, Point, Rate, Subject};
use crate::generators::{Load, Tool, WARM_UP};
use records::Phase;

/// What the user asked to combine.
#[derive(Clone, Debug)]
pub(super) struct Axes {
    pub(super) tools: Vec<Tool>,
    /// Tools that are absent, with the command that installs each.
    pub(super) absent: Vec<(Tool, &'static str)>,
    pub(super) keep_alive: Vec<bool>,
    /// What is measured; by default all that the workload has.
    pub(super) phases: Vec<Phase>,
    /// What is common to all points.
    pub(super) load: Load,
    /// Whether what other programs disturbed is measured again.
    pub(super) repeats: bool,
}

/// Pairs, and everything else that stands for a server, have so many clients, or the nearest number that is
/// measured.
const USUAL_CLIENTS: usize = 64;
/// The rates of the open loop, as per cent of the peak.
const SHARES: [u32; 4] = [50, 70, 80, 90];
/// Connections that say nothing.
const SILENT: usize = 1_000;
/// Of the whole time, so much may be spent on waiting for an idle machine.
const PATIENCE: f64 = 0.03;

/// A point, and the reason if it is left out.
type Candidate = (Point, Option<String>);

/// Combines everything with everything.
pub(super) fn plan(subjects: Vec<Subject>, axes: &Axes, workload: &Workload, seed: u64) -> Plan {
    let has = |phase| axes.phases.contains(&phase);
    let mut all = survey(&subjects, axes, workload);
    if workload.pairs && has(Phase::Paired) {
        // They carry the same load as a point of the survey would, so they are such points too and not
        // measured twice.
        pairs_of(&subjects, &all).into_iter().for_each(|at| all[at].0.phase = Phase::Paired);
    }
    all.retain(|(point, _)| point.phase == Phase::Paired || has(Phase::Survey));
    if workload.latency && has(Phase::Latency) {
        all.extend(open_loops(&subjects, axes, workload));
    }
    if workload.idle_rounds > 0 && has(Phase::Idle) {
        all.extend(silence(&subjects, axes, workload));
    }
    Plan {
        starts: workload.starts,
        counting: workload.counting,
        repeats: axes.repeats,
        patience: PATIENCE,
        ..Plan::new(subjects, all, workload.rounds, seed)
    }
}

fn survey(subjects: &[Subject], axes: &Axes, workload: &Workload) -> Vec<Candidate> {
    let mut candidates = Vec::new();
    for (index, subject) in subjects.iter().enumerate() {
        for (&tool, &keep_alive) in
            axes.tools.iter().flat_map(|tool| axes.keep_alive.iter().map(move |kept| (tool, kept)))
        {
            let rounds = match tool {
                Tool::Ab | Tool::Webbench => workload.rounds_of_others,
                Tool::Wrk | Tool::Builtin => workload.rounds,
            };
            for &concurrency in workload.clients.of(tool, keep_alive) {
                let load = Load { concurrency, keep_alive, duration: workload.duration, ..axes.load.clone() };
                let reason = reason_to_skip(subject, tool, &load, &axes.absent);
                let method = Method::Closed(Clients::Counted);
                candidates.push((point(index, Phase::Survey, tool, method, load, rounds), reason));
            }
        }
    }
    candidates
}

/// Which points are measured in pairs: with connections that are kept, unless only others are measured. A
/// server that leaves clients waiting does other work for a request than the floor around it, so it is not
/// paired.
fn pairs_of(subjects: &[Subject], all: &[Candidate]) -> Vec<usize> {
    let possible = all.iter().enumerate().filter(|(_, (_, reason))| reason.is_none());
    let points: Vec<(usize, &Point)> = possible.map(|(at, (point, _))| (at, point)).collect();
    // Every stage can be measured with both, and wrk was there before our own.
    let has_wrk = points.iter().any(|(_, point)| point.tool == Tool::Wrk);
    let tool = if has_wrk { Tool::Wrk } else { Tool::Builtin };
    let keep_alive = points.iter().any(|(_, point)| point.load.keep_alive);
    let fits = |point: &Point| point.tool == tool && point.load.keep_alive == keep_alive;
    let clients = points.iter().filter(|(_, point)| fits(point)).map(|(_, point)| point.load.concurrency);
    let clients = clients.min_by_key(|clients| clients.abs_diff(USUAL_CLIENTS));
    let serves_all = |point: &Point| waiting_clients(&subjects[point.subject], &point.load).is_none();
    let is_chosen =
        |point: &Point| fits(point) && Some(point.load.concurrency) == clients && serves_all(point);
    points.into_iter().filter(|(_, point)| is_chosen(point)).map(|(at, _)| at).collect()
}

/// Every server at every rate. A failure does not say at which, and one that cannot be measured is there
/// once.
fn open_loops(subjects: &[Subject], axes: &Axes, workload: &Workload) -> Vec<Candidate> {
    let (concurrency, duration) = (USUAL_CLIENTS, workload.open_loop);
    let load = Load { concurrency, keep_alive: true, duration, warm_up: WARM_UP, ..axes.load.clone() };
    let of_server = |(index, subject): (usize, &Subject)| {
        let reason = waiting_clients(subject, &load);
        let shares: &[u32] = if reason.is_some() { &[0] } else { &SHARES };
        let candidate = |&share: &u32| {
            let method = Method::Open(Rate::Share(share));
            let point = point(index, Phase::Latency, Tool::Builtin, method, load.clone(), workload.rounds);
            (point, reason.clone())
        };
        shares.iter().map(candidate).collect::<Vec<_>>()
    };
    subjects.iter().enumerate().flat_map(of_server).collect()
}

/// Every server with connections that say nothing.
fn silence(subjects: &[Subject], axes: &Axes, workload: &Workload) -> Vec<Candidate> {
    let load =
        Load { concurrency: SILENT, keep_alive: true, duration: workload.duration, ..axes.load.clone() };
    let candidate = |(index, subject): (usize, &Subject)| {
        let rounds = workload.idle_rounds;
        let point = point(index, Phase::Idle, Tool::Builtin, Method::Idle, load.clone(), rounds);
        (point, waiting_clients(subject, &load))
    };
    subjects.iter().enumerate().map(candidate).collect()
}

fn point(subject: usize, phase: Phase, tool: Tool, method: Method, load: Load, rounds: u32) -> Point {
    Point { subject, phase, tool, method, load, rounds, fresh: false }
}

#[cfg(test)]
mod tests {
    use super::super::profile::{Clients as Numbers, Profile};
    use super::*;
    use lab_core::server_process::Launch;
    use std::collections::BTreeSet;
    use std::time::Duration;

    const ALL: [Phase; 4] = [Phase::Survey, Phase::Paired, Phase::Latency, Phase::Idle];

    fn plan_of(limits: &[Option<usize>], workload: &Workload, phases: &[Phase]) -> Plan {
        plan_with(limits, workload, phases, &[true, false])
    }

    fn plan_with(
        limits: &[Option<usize>],
        workload: &Workload,
        phases: &[Phase],
        keep_alive: &[bool],
    ) -> Plan {
        let subject = |(index, limit): (usize, &Option<usize>)| Subject {
            serves_at_once: *limit,
            ..Subject::command(&format!("{index:02}"), "a server", Launch::new("server"))
        };
        let subjects = limits.iter().enumerate().map(subject).collect();
        let axes = Axes {
            tools: vec![Tool::Ab, Tool::Wrk, Tool::Webbench],
            absent: Vec::new(),
            keep_alive: keep_alive.to_vec(),
            phases: phases.to_vec(),
            load: Load::new("/"),
            repeats: true,
        };
        plan(subjects, &axes, workload, 3)
    }

    fn usual(clients: Vec<usize>, rounds: u32) -> Plan {
        let workload = Workload {
            clients: Numbers::same(clients),
            duration: Duration::from_secs(2),
            rounds,
            rounds_of_others: rounds,
            idle_rounds: rounds,
            starts: 1,
            ..Profile::Standard.workloads().remove(0)
        };
        plan_of(&[Some(1), None, Some(4), None], &workload, &ALL)
    }

    #[test]
    fn every_combination_is_planned_or_skipped_with_a_reason() {
        let plan = usual(vec![1, 4, 64], 1);
        let is_survey = |(point, _): &&(Point, String)| point.phase == Phase::Survey;
        let skipped: Vec<_> = plan.skipped.iter().filter(is_survey).collect();
        let planned = plan.of(Phase::Survey).count() + plan.of(Phase::Paired).count();
        assert_eq!(planned + skipped.len(), 4 * 3 * 2 * 3);
        // webbench with keep-alive on 4 servers; ab with more clients than 00 (1) and 02 (4) serve.
        assert_eq!(skipped.len(), 4 * 3 + 2 + 1);
        assert!(plan.skipped.iter().all(|(point, reason)| !reason.is_empty() && point.load.keep_alive));
    }

    #[test]
    fn pairs_keep_their_connections_unless_no_point_does() {
        let paired = |keep_alive: &[bool]| {
            let workload =
                Workload { clients: Numbers::same(vec![64]), ..Profile::Standard.workloads().remove(0) };
            let plan = plan_with(&[None], &workload, &[Phase::Paired], keep_alive);
            plan.of(Phase::Paired).map(|point| point.load.keep_alive).collect::<Vec<_>>()
        };
        assert_eq!(paired(&[true, false]), [true]);
        assert_eq!(paired(&[false]), [false]);
    }

    #[test]
    fn pairs_are_the_servers_that_serve_all_of_about_64_clients_and_are_not_measured_twice() {
        let plan = usual(vec![1, 8, 256], 1);
        let paired: Vec<_> =
            plan.of(Phase::Paired).map(|point| (point.subject, point.load.concurrency)).collect();
        assert_eq!(paired, [(1, 8), (3, 8)]);
        let survey = |subject: usize, clients: usize| {
            let same = |point: &&Point| {
                let (tool, load) = (point.tool, &point.load);
                point.subject == subject
                    && load.concurrency == clients
                    && tool == Tool::Wrk
                    && load.keep_alive
            };
            plan.of(Phase::Survey).filter(same).count()
        };
        assert_eq!((survey(1, 8), survey(0, 8), survey(1, 256)), (0, 1, 1));
    }

    #[test]
    fn latency_and_idle_leave_out_servers_that_let_clients_wait_and_say_why() {
        let plan = usual(vec![64], 1);
        let servers = |phase| plan.of(phase).map(|point| point.subject).collect::<BTreeSet<_>>();
        assert_eq!(servers(Phase::Latency), BTreeSet::from([1, 3]));
        assert_eq!(servers(Phase::Idle), BTreeSet::from([1, 3]));
        assert_eq!(plan.of(Phase::Latency).count(), 2 * SHARES.len());
        for phase in [Phase::Latency, Phase::Idle] {
            assert_eq!(plan.skipped.iter().filter(|(point, _)| point.phase == phase).count(), 2, "{phase:?}");
        }
    }

    #[test]
    fn the_rounds_have_as_many_points_as_are_planned() {
        let workload = Workload {
            rounds: 5,
            rounds_of_others: 3,
            idle_rounds: 1,
            clients: Numbers::same(vec![1, 64]),
            ..Profile::Standard.workloads().remove(0)
        };
        let plan = plan_of(&[Some(1), None, Some(4), None], &workload, &ALL);
        let measured: usize = (1..=5).flat_map(|round| plan.round(round)).map(|block| block.len()).sum();
        assert_eq!(measured, plan.len());
        assert!(plan.round(4)[1].iter().all(|point| point.tool == Tool::Wrk));
        assert!(plan.round(2)[3].is_empty());
    }

    #[test]
    fn a_phase_that_is_not_wanted_is_not_planned() {
        let workload = Profile::Standard.workloads().remove(0);
        let latency = plan_of(&[None, None], &workload, &[Phase::Latency]);
        let of = |plan: &Plan, phase| plan.of(phase).count();
        assert_eq!([Phase::Survey, Phase::Paired, Phase::Idle].map(|phase| of(&latency, phase)), [0; 3]);
        assert_eq!(latency.len(), 2 * SHARES.len() * latency.rounds as usize);
        let paired = plan_of(&[None, None], &workload, &[Phase::Paired]);
        assert_eq!((of(&paired, Phase::Survey), of(&paired, Phase::Paired)), (0, 2));
    }

    #[test]
    fn the_estimate_grows_with_rounds_and_covers_the_measuring() {
        let (one, three) = (usual(vec![1, 64], 1), usual(vec![1, 64], 3));
        assert!(three.seconds() > 2.5 * one.seconds() && three.seconds() < 3.0 * one.seconds() + 1e-6);
        assert!(one.seconds() > one.of(Phase::Survey).count() as f64 * 2.0);
    }

    /// 01 and 03 serve 1 and 4 clients at once; a run has these, the others, and three references.
    #[test]
    fn a_run_of_every_server_fits_into_its_time() {
        for servers in [10, 14] {
            let mut limits = vec![None; servers];
            (limits[0], limits[2]) = (Some(1), Some(4));
            for profile in [Profile::Quick, Profile::Standard] {
                let plans = profile.workloads().into_iter().map(|workload| plan_of(&limits, &workload, &ALL));
                let budget = profile.budget().expect("both have one");
                let times: Vec<f64> = plans.map(|plan| plan.seconds()).collect();
                assert!(
                    times.iter().any(|&time| time <= budget),
                    "{servers} servers, {profile:?}: {times:?}"
                );
                assert!(times.is_sorted_by(|more, less| more > less), "the richest is first: {times:?}");
            }
        }
    }
}
