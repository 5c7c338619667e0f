//! Runs of everything that were interrupted: the next one goes on where they stopped.

use super::{Begun, Run};
use lab_core::host::Host;

/// What `--all` finds of an earlier `--all`.
#[derive(Debug)]
pub enum ResumePoint {
    /// It can go on with this run.
    Unfinished(Box<Run>),
    /// There is an unfinished one, but it cannot be gone on with, for this reason.
    Unfit(String),
    /// There is none.
    None,
}

/// Looks for the newest run of everything that was interrupted and that this one can go on with.
pub fn find_interrupted(runs: &[Run], wanted: &Begun) -> ResumePoint {
    let alike = |run: &&Run| run.begun.all && run.begun.profile == wanted.profile;
    match runs.iter().rfind(alike).filter(|run| !run.is_finished) {
        None => ResumePoint::None,
        Some(run) => match unfit(&run.begun.host, &wanted.host) {
            None => ResumePoint::Unfinished(Box::new(run.clone())),
            Some(why) => {
                ResumePoint::Unfit(format!("{} is unfinished, but {why}: beginning anew", run.path.display()))
            }
        },
    }
}

/// Why a run of one host cannot go on on another.
fn unfit(its: &Host, host: &Host) -> Option<&'static str> {
    match () {
        () if its.dirty || host.dirty => {
            Some("uncommitted changes have no name, so nothing says that both are of one program")
        }
        () if its.commit.is_empty() || host.commit.is_empty() => {
            Some("the commit is not known, so nothing says that both are of one program")
        }
        () if its.commit != host.commit => Some("it is of another commit"),
        () if !its.is_same_machine(host) => Some("it is of another machine, or of another kernel"),
        () => None,
    }
}
