//! The servers of a scenario: each stage with each number of workers that it can have.

use crate::engine::{Method, Point, Subject};
use crate::generators::{Load, Tool};
use lab_core::stages::Stage;
use records::Phase;

/// Clients at once, if the user does not say how many.
pub(super) const CLIENTS: u32 = 64;

/// The servers, and a point for each.
pub(super) struct Servers {
    pub(super) subjects: Vec<Subject>,
    pub(super) points: Vec<Point>,
}

/// What is measured of each server; the load's clients are those of a server that serves as many at once.
pub(super) struct Measured {
    pub(super) phase: Phase,
    pub(super) method: Method,
    pub(super) load: Load,
    pub(super) rounds: u32,
}

impl Servers {
    /// `workers` are those to be tried on a stage that has the option.
    pub(super) fn of(stages: &[&Stage], workers: &[usize], measured: &Measured) -> Self {
        let mut servers = Self { subjects: Vec::new(), points: Vec::new() };
        for stage in stages {
            match stage.has_workers {
                true => workers.iter().for_each(|&workers| servers.add(stage, Some(workers), measured)),
                false => servers.add(stage, None, measured),
            }
        }
        servers
    }

    /// Adds a server. A pool that keeps a worker for each connection gets as many clients as it has workers:
    /// the others would wait for ever, which is another question.
    fn add(&mut self, stage: &Stage, workers: Option<usize>, measured: &Measured) {
        let at_once = stage.serves_at_once.map(|at_once| workers.unwrap_or(at_once));
        let subject = subject(stage, workers, at_once);
        // A server that is left out is left out of the load that it would have had.
        let clients = measured.load.concurrency;
        let concurrency = at_once.filter(|_| subject.lacks.is_none()).unwrap_or(clients).min(clients);
        self.subjects.push(subject);
        self.points.push(Point {
            subject: self.subjects.len() - 1,
            phase: measured.phase,
            tool: Tool::Builtin,
            method: measured.method,
            load: Load { concurrency, ..measured.load.clone() },
            rounds: measured.rounds,
            fresh: true,
        });
    }
}

fn subject(stage: &Stage, workers: Option<usize>, at_once: Option<usize>) -> Subject {
    let options: Vec<String> =
        workers.iter().flat_map(|workers| ["--workers".into(), workers.to_string()]).collect();
    let one_only =
        (at_once == Some(1) && workers.is_none()).then(|| "it serves one client at a time".to_owned());
    let label = match workers {
        Some(1) => format!("{}, 1 worker", stage.name),
        Some(workers) => format!("{}, {workers} workers", stage.name),
        None => stage.name.clone(),
    };
    Subject {
        label,
        configuration: (!options.is_empty()).then(|| options.join(" ")),
        workers,
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
        let measured = Measured {
            phase: Phase::Spin,
            method: Method::Closed(Clients::Reported),
            load: Load { concurrency: 64, ..Load::new("/") },
            rounds: 1,
        };
        let servers = Servers::of(&stages, &[1, 8], &measured);
        let names: Vec<&str> = servers.subjects.iter().map(|subject| subject.label.as_str()).collect();
        assert_eq!(names, ["01", "03, 1 worker", "03, 8 workers", "04", "06, 1 worker", "06, 8 workers"]);
        let clients: Vec<usize> = servers.points.iter().map(|point| point.load.concurrency).collect();
        assert_eq!(clients, [64, 1, 8, 64, 64, 64]);
        assert!(servers.subjects[0].lacks.as_ref().is_some_and(|reason| reason.contains("one client")));
        let launch = servers.subjects[2].launch(Tool::Builtin, &measured.load);
        assert!(launch.args.ends_with(&["--workers".into(), "8".into()]), "{launch:?}");
        assert!(servers.subjects[1].lacks.is_none(), "a pool of one is asked for by number");
    }
}
