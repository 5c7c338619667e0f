//! The servers of a scenario, and the options that say which.

use crate::engine::{Method, Point, Subject};
use crate::generators::{Load, Tool};
use crate::recipes::options::Options;
use crate::recipes::select;
use crate::recipes::whole_number::whole;
use crate::references::Reference;
use anyhow::Result;
use lab_core::stages::{Stage, discover};
use records::Phase;
use std::time::Duration;

/// Clients at once, if the user does not say how many.
pub(super) const CLIENTS: u32 = 64;
/// Before a point of several seconds.
pub(super) const LONG_WARM_UP: Duration = Duration::from_secs(1);

/// The options of every scenario.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct Common {
    /// Stages, ranges and twins: `4,6-7,5-mio`. Default: every stage.
    #[arg(long, value_name = "LIST")]
    pub(super) stages: Option<String>,
    /// Seconds per point, after a warm-up [default: by scenario]
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true, value_parser = whole::<u32>(1..=3600))]
    pub(super) seconds: Option<u32>,
    /// The CPUs of the servers and of the generator; default: the first one and the second one, and the first
    /// two for both where the servers have two.
    #[arg(long, value_name = "SERVER:GENERATOR")]
    pub(super) cpus: Option<String>,
    #[command(flatten)]
    pub(super) options: Options,
}

/// The options of those that compare the stages with other servers.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct Compared {
    #[command(flatten)]
    pub(super) common: Common,
    /// What to compare with, where it is installed: floor, nginx, h2o [default: all of them; the floor is
    /// always one]
    #[arg(long, value_name = "LIST")]
    references: Option<String>,
}

impl Common {
    /// How long a point is.
    pub(super) fn duration(&self, usual: Duration) -> Duration {
        self.seconds.map_or(usual, |seconds| Duration::from_secs(seconds.into()))
    }

    /// Each stage with each number of workers that it can have, and a point for each.
    pub(super) fn by_workers(
        &self,
        workers: &[usize],
        load: &Load,
        (phase, method): (Phase, Method),
    ) -> Result<(Vec<Subject>, Vec<Point>)> {
        let all = discover()?;
        Ok(by_workers(&select::stages(self.stages.as_deref(), &all)?, workers, load, (phase, method)))
    }
}

impl Compared {
    /// The stages, the floor and the references, for servers on so many CPUs.
    pub(super) fn subjects(&self, cpus: usize) -> Result<Vec<Subject>> {
        let all = discover()?;
        let stages = select::stages(self.common.stages.as_deref(), &all)?;
        let mut subjects: Vec<Subject> = stages.into_iter().map(|stage| Subject::stage(stage, &[])).collect();
        subjects.extend(Subject::floor("/")?);
        subjects.extend(self.references()?.iter().map(|reference| Subject::reference(reference, cpus)));
        Ok(subjects)
    }

    /// The references that are wanted and installed.
    pub(super) fn references(&self) -> Result<Vec<Reference>> {
        select::references(self.references.as_deref(), "/", false)
    }
}

/// A point of the built-in generator.
pub(super) fn point(subject: usize, phase: Phase, method: Method, load: Load) -> Point {
    Point {
        subject,
        phase,
        tool: Tool::Builtin,
        method,
        load,
        idle: None,
        by_worker: None,
        rounds: u32::MAX,
        fresh: false,
    }
}

/// A pool that keeps a worker for each connection gets as many clients as it has workers: the others would
/// wait for ever, which is another question.
pub(super) fn by_workers(
    stages: &[&Stage],
    workers: &[usize],
    load: &Load,
    (phase, method): (Phase, Method),
) -> (Vec<Subject>, Vec<Point>) {
    let (mut subjects, mut points) = (Vec::new(), Vec::new());
    for stage in stages {
        let all = workers.iter().copied().map(Some);
        for workers in if stage.has_workers { all.collect() } else { vec![None] } {
            let subject = with_workers(stage, workers);
            // A server that is left out is left out of the load that it would have had.
            let at_once = subject.serves_at_once.filter(|_| subject.lacks.is_none());
            let concurrency = load.concurrency.min(at_once.unwrap_or(usize::MAX));
            let load = Load { concurrency, ..load.clone() };
            points.push(Point { fresh: true, ..point(subjects.len(), phase, method, load) });
            subjects.push(subject);
        }
    }
    (subjects, points)
}

/// A stage with so many workers, where it has the option.
pub(super) fn with_workers(stage: &Stage, workers: Option<usize>) -> Subject {
    let options: Vec<String> =
        workers.iter().flat_map(|workers| ["--workers".into(), workers.to_string()]).collect();
    let serves_at_once = stage.serves_at_once.map(|at_once| workers.unwrap_or(at_once));
    let one_only =
        (serves_at_once == Some(1) && workers.is_none()).then(|| "it serves one client at a time".to_owned());
    let label = match workers {
        Some(1) => format!("{}, 1 worker", stage.name),
        Some(workers) => format!("{}, {workers} workers", stage.name),
        None => stage.name.clone(),
    };
    Subject {
        label,
        configuration: (!options.is_empty()).then(|| options.join(" ")),
        workers,
        serves_at_once,
        lacks: one_only.or_else(|| stage.lacks()),
        ..Subject::stage(stage, &options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Clients;
    use std::collections::BTreeMap;

    fn stage(name: &str, has_workers: bool, serves_at_once: Option<usize>) -> Stage {
        Stage {
            number: 1,
            name: name.into(),
            package: "p".into(),
            title: "t".into(),
            idea: "i".into(),
            flaw: "f".into(),
            chapter: "c".into(),
            binary: "stage".into(),
            serves_at_once,
            has_workers,
            expect: BTreeMap::new(),
            variants: Vec::new(),
            needs: None,
            is_twin: false,
            ..Stage::default()
        }
    }

    #[test]
    fn workers_are_tried_where_there_are_any_and_no_client_is_left_waiting() {
        let stages = [
            stage("01", false, Some(1)),
            stage("03", true, Some(4)),
            stage("04", false, None),
            stage("06", true, None),
        ];
        let stages: Vec<&Stage> = stages.iter().collect();
        let load = Load { concurrency: 64, ..Load::new("/") };
        let how = (Phase::Spin, Method::Closed(Clients::Reported));
        let (subjects, points) = by_workers(&stages, &[1, 8], &load, how);
        let names: Vec<&str> = subjects.iter().map(|subject| subject.label.as_str()).collect();
        assert_eq!(names, ["01", "03, 1 worker", "03, 8 workers", "04", "06, 1 worker", "06, 8 workers"]);
        let clients: Vec<usize> = points.iter().map(|point| point.load.concurrency).collect();
        assert_eq!(clients, [64, 1, 8, 64, 64, 64]);
        let waiting = |at: usize| subjects[at].cannot_serve(&points[at].load);
        assert!(waiting(0).is_some_and(|reason| reason.contains("one client")));
        assert!((1..6).all(|at| waiting(at).is_none()), "a pool of one is asked for by number");
        let launch = subjects[2].launch(Tool::Builtin, &load);
        assert!(launch.args.ends_with(&["--workers".into(), "8".into()]), "{launch:?}");
    }
}
