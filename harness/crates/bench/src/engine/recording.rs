//! A point as it is recorded.

use super::meter::Measured;
use super::plan::Plan;
use super::point::{Point, Slowed};
use super::setup::Setup;
use records::{Context, Key, Kind, Outcome, Record};

/// What a record of a server that was running before says.
pub(crate) const NOT_OURS: &str = "no CPU figures: the server is not ours";

/// What the point is known by in the records.
pub(super) fn key(plan: &Plan, point: &Point) -> Key {
    let subject = plan.subject(point);
    Key {
        phase: point.phase,
        server: subject.name.clone(),
        title: subject.title.clone(),
        workers: subject.workers,
        tool: point.tool_name().into(),
        concurrency: point.load.concurrency,
        keep_alive: point.load.keep_alive,
        pipeline: point.load.pipeline,
        path: point.load.path.clone(),
        idle: point.idle,
        cpus: subject.cpus.as_ref().map(Vec::len),
        slowed: point.by_worker == Some(Slowed::One),
        placement: point.by_worker.and_then(|slowed| match slowed {
            Slowed::Long(long) => Some(long.placement),
            Slowed::None | Slowed::One => None,
        }),
    }
}

/// The record of a point. A failure is recorded as the reason why there are no figures.
pub(super) fn record(
    (plan, setup): (&Plan, &Setup),
    (point, round): (&Point, u32),
    measured: Measured,
) -> Record {
    let Measured { started_at, outcome, round_trip_ns } = measured;
    let outcome = outcome.unwrap_or_else(|error| Outcome::skipped(format!("{error:#}")));
    let subject = plan.subject(point);
    let served = outcome.served().clients;
    let starves = !matches!(outcome, Outcome::Skipped(_)) && served < point.load.concurrency;
    let starves = starves.then(|| format!("{served} of {} clients served", point.load.concurrency));
    let foreign = (subject.kind == Kind::Target).then(|| NOT_OURS.to_owned());
    let server_cpus = match subject.kind {
        Kind::Target => Vec::new(),
        _ => subject.cpus.clone().unwrap_or_else(|| setup.server_cpus.clone()),
    };
    let generator_cpus = point.load.cpus.clone().unwrap_or_default();
    let share = server_cpus.iter().any(|cpu| generator_cpus.contains(cpu));
    let share = share.then(|| "The generator shares the CPUs of the server".to_owned());
    let notes: Vec<String> = starves.into_iter().chain(foreign).chain(share).collect();
    let tool = setup.tools.iter().find(|installed| installed.tool == point.tool);
    let context = Context {
        kind: subject.kind,
        configuration: subject.configuration.clone(),
        duration_seconds: point.load.duration.as_secs_f64(),
        round,
        points_planned: plan.len(),
        seed: plan.seed,
        quick: setup.quick,
        command: setup.command.clone(),
        started_at,
        server_cpus,
        generator_cpus,
        generator_host: tool.and_then(|tool| tool.place.host()).map(str::to_owned),
        note: (!notes.is_empty()).then(|| notes.join("; ")),
        dropped: false,
        round_trip_ns,
        host: setup.host.clone(),
    };
    Record { key: key(plan, point), context, outcome }
}
