//! The points: every server under every load of the workload.

use super::profile::{Series, Workload};
use crate::engine::{Clients, Method, Plan, Point, Subject, ab_would_hang};
use crate::generators::{Load, Tool};
use records::Phase;

/// What all points have in common.
#[derive(Clone, Debug)]
pub(super) struct Common {
    /// Tools that are absent, with the command that installs each.
    pub(super) absent: Vec<(Tool, &'static str)>,
    pub(super) load: Load,
    /// Whether what other programs disturbed is measured again.
    pub(super) repeats: bool,
}

/// The share of the whole time that may be spent on waiting for an idle machine.
const PATIENCE: f64 = 0.03;

/// A point, and the reason if it is left out.
type Candidate = (Point, Option<String>);

/// Combines every server with every load.
pub(super) fn plan(subjects: Vec<Subject>, common: &Common, workload: &Workload, seed: u64) -> Plan {
    let mut all: Vec<Candidate> = Vec::new();
    for series in &workload.series {
        for (index, subject) in subjects.iter().enumerate() {
            let candidate = |&clients: &usize| candidate((index, subject), common, series, clients);
            all.extend(series.clients.iter().map(candidate));
        }
    }
    // A pair carries the load of a point of the survey, so it is one, and not measured a second time.
    let what = |point: &Point| {
        let Load { keep_alive, concurrency, .. } = point.load;
        (point.subject, point.tool, keep_alive, concurrency)
    };
    let in_pairs = all.iter().filter(|(point, reason)| point.phase == Phase::Paired && reason.is_none());
    let in_pairs: Vec<_> = in_pairs.map(|(point, _)| what(point)).collect();
    all.retain(|(point, _)| point.phase != Phase::Survey || !in_pairs.contains(&what(point)));
    let rounds = workload.series.iter().map(|series| series.rounds).max().unwrap_or(1);
    Plan {
        starts: workload.starts,
        counting: workload.counting,
        repeats: common.repeats,
        patience: PATIENCE,
        ..Plan::new(subjects, all, rounds, seed)
    }
}

fn candidate(
    (index, subject): (usize, &Subject),
    common: &Common,
    series: &Series,
    clients: usize,
) -> Candidate {
    let keep_alive = series.keep_alive;
    let concurrency = match series.phase {
        // A client that waits would cost the server nothing, and the floor beside it something.
        Phase::Paired => subject.clients_served(keep_alive, clients),
        _ => clients,
    };
    let load = Load { concurrency, keep_alive, duration: series.duration, ..common.load.clone() };
    let (reason, method) = match series.phase {
        Phase::Idle => (subject.cannot_serve(&load), Method::Idle),
        _ => (reason_to_skip(subject, series.tool, &load, &common.absent), Method::Closed(Clients::Counted)),
    };
    let (phase, tool, rounds) = (series.phase, series.tool, series.rounds);
    (
        Point {
            subject: index,
            phase,
            tool,
            method,
            load,
            idle: None,
            by_worker: None,
            rounds,
            fresh: false,
        },
        reason,
    )
}

/// Why a closed loop is left out, if it must be.
fn reason_to_skip(
    subject: &Subject,
    tool: Tool,
    load: &Load,
    absent: &[(Tool, &'static str)],
) -> Option<String> {
    if let Some(reason) = &subject.lacks {
        return Some(reason.clone());
    }
    if let Some((_, install)) = absent.iter().find(|(absent, _)| *absent == tool) {
        return Some(format!("{} is not installed: {install}", tool.name()));
    }
    if let Some(reason) = tool.refuses(load) {
        return Some(reason.to_owned());
    }
    let served = subject.clients_served(load.keep_alive, load.concurrency);
    (tool == Tool::Ab && served < load.concurrency).then(|| ab_would_hang(served, load.concurrency))
}

#[cfg(test)]
mod tests {
    use super::super::profile::Profile;
    use super::*;
    use lab_core::server_process::Launch;
    use std::time::Duration;

    /// Servers that serve so many clients at once; the last one is the floor.
    fn plan_of(at_once: &[Option<usize>], workload: &Workload) -> Plan {
        let subject = |(at, &serves_at_once): (usize, &Option<usize>)| {
            let name = if at + 1 == at_once.len() { "floor".to_owned() } else { format!("{at:02}") };
            Subject { serves_at_once, ..Subject::command(&name, "title", Launch::new(&name)) }
        };
        let subjects = at_once.iter().enumerate().map(subject).collect();
        let common = Common { absent: Vec::new(), load: Load::new("/"), repeats: true };
        plan(subjects, &common, &without_builtin(workload), 3)
    }

    /// As a user runs it that names no tool.
    fn without_builtin(workload: &Workload) -> Workload {
        let mut workload = workload.clone();
        workload.series.retain(|series| series.phase != Phase::Survey || series.tool != Tool::Builtin);
        workload
    }

    fn standard() -> Workload {
        Profile::Standard.workloads().pop().expect("it has one")
    }

    #[test]
    fn a_server_that_cannot_serve_all_is_paired_with_as_many_clients_as_it_serves() {
        let plan = plan_of(&[Some(1), None, Some(4), None], &standard());
        let clients = |kept| {
            let of = plan.of(Phase::Paired).filter(move |point| point.load.keep_alive == kept);
            of.map(|point| (point.subject, point.load.concurrency)).collect::<Vec<_>>()
        };
        assert_eq!(clients(true), [(0, 1), (1, 64), (2, 4), (3, 64)]);
        assert_eq!(clients(false), [(0, 64), (1, 64), (2, 64), (3, 64)], "each waits its turn");
        for point in plan.of(Phase::Paired) {
            let floor = plan.floor_beside(point).expect("the floor is among the servers");
            assert_eq!((floor.subject, floor.load.concurrency), (3, 64));
            assert_eq!(floor.load.keep_alive, point.load.keep_alive);
        }
    }

    #[test]
    fn kept_and_short_connections_are_two_blocks() {
        let plan = plan_of(&[None, None], &standard());
        for block in plan.round(1) {
            let mut kinds: Vec<_> = block.iter().map(|point| (point.phase, point.load.keep_alive)).collect();
            kinds.dedup();
            assert!(kinds.len() == 1 || kinds[0].0 != Phase::Paired, "{kinds:?}");
        }
    }

    #[test]
    fn what_is_measured_in_pairs_is_not_measured_again() {
        let mut workload = standard();
        workload.series.retain(|series| series.tool == Tool::Builtin && series.phase != Phase::Idle);
        workload.series.iter_mut().for_each(|series| series.clients = vec![8, 64]);
        let subjects = vec![Subject::command("a", "title", Launch::new("a")); 2];
        let common = Common { absent: Vec::new(), load: Load::new("/"), repeats: true };
        let plan = plan(subjects, &common, &workload, 1);
        assert_eq!((plan.of(Phase::Paired).count(), plan.of(Phase::Survey).count()), (8, 0));
    }

    #[test]
    fn silence_leaves_out_servers_that_let_clients_wait_and_says_why() {
        let plan = plan_of(&[Some(1), None, Some(4), None], &standard());
        let silent: Vec<usize> = plan.of(Phase::Idle).map(|point| point.subject).collect();
        assert_eq!(silent, [1, 3]);
        let skipped = plan.skipped.iter().filter(|(point, _)| point.phase == Phase::Idle);
        assert!(skipped.map(|(_, reason)| reason).all(|reason| reason.contains("of 1000 clients")));
        let hang = |(point, _): &&(Point, String)| point.tool == Tool::Ab && point.load.keep_alive;
        assert_eq!(plan.skipped.iter().filter(hang).count(), 2);
    }

    #[test]
    fn the_rounds_have_as_many_points_as_are_planned() {
        let plan = plan_of(&[Some(1), None, Some(4), None], &standard());
        let rounds = 1..=plan.rounds;
        let measured: usize = rounds.flat_map(|round| plan.round(round)).map(|block| block.len()).sum();
        assert_eq!(measured, plan.len());
        let last = plan.round(plan.rounds);
        assert!(last.iter().flatten().all(|point| point.phase == Phase::Paired));
    }

    /// 01 and 03 serve 1 and 4 clients at once; a run has these, the others, and three references.
    #[test]
    fn a_run_of_every_server_fits_into_its_time() {
        for servers in [10, 14] {
            let mut limits = vec![None; servers];
            (limits[0], limits[2]) = (Some(1), Some(4));
            for profile in [Profile::Quick, Profile::Standard] {
                let plans = profile.workloads().into_iter().map(|workload| plan_of(&limits, &workload));
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

    #[test]
    fn a_standard_run_of_eleven_stages_has_nine_pairs_of_each_kind_and_five_rounds_of_each_tool() {
        let mut limits = vec![None; 14];
        (limits[0], limits[2]) = (Some(1), Some(4));
        let fits = |workload: &Workload| plan_of(&limits, workload).seconds() <= 14.5 * 60.0;
        let workload = Profile::Standard.workloads().into_iter().find(fits).expect("one fits");
        let rounds = |phase| workload.series.iter().filter(move |s| s.phase == phase).map(|s| s.rounds);
        assert!(rounds(Phase::Paired).all(|rounds| rounds >= 9), "{workload:?}");
        assert!(rounds(Phase::Survey).all(|rounds| rounds >= 5), "{workload:?}");
        assert!(workload.series[0].duration >= Duration::from_millis(400));
    }
}
