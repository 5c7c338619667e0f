//! What a request asks for that may block: opening a file, sleeping, burning CPU.
//!
//! The protocol never blocks. It hands such a job out as [`Work`] and the stage decides where it runs: in
//! place (01–05), or on a worker thread (06, 07). The [`Answer`] goes back to the session. Everything that
//! is needed to answer the request travels with its work, so the protocol itself keeps nothing of it.

use super::file::Opened;
use nix::errno::Errno;
use nix::time::ClockId;
use std::any::Any;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

/// A job that may block, and the request that waits for it.
#[derive(Debug)]
pub struct Work {
    /// What to do.
    pub job: Job,
    /// The request, opaque to the stage.
    pub ticket: Ticket,
}

/// What to do.
#[derive(Debug)]
pub enum Job {
    /// Open a file below the root directory. `path` is relative, decoded and without `..`.
    Open {
        /// The directory given as `--root`.
        root: Arc<OwnedFd>,
        /// The path below it.
        path: String,
    },
    /// Block the thread (`/sleep/MS`).
    Sleep(Duration),
    /// Keep the CPU busy (`/spin/US`) until the thread has used so much CPU time. While it is preempted
    /// nothing counts, so every request costs the same, however many threads share a CPU.
    Spin(Duration),
}

/// The request that waits for a job, as its protocol left it. Only that protocol reads it.
///
/// It travels with the job, and the protocol does not keep it under a number, because several jobs of one
/// connection may be under way and end in any order (stage 06 without its ONESHOT). It is a word and, where a
/// word is not enough, something on the heap: a protocol that gets by with the word allocates nothing.
#[derive(Debug)]
pub struct Ticket {
    word: u64,
    rest: Option<Box<dyn Any + Send>>,
}

impl Ticket {
    /// A ticket that a protocol can read later.
    pub fn new(word: u64, rest: Option<Box<dyn Any + Send>>) -> Self {
        Self { word, rest }
    }

    /// What [`Ticket::new`] was given.
    pub fn into_parts(self) -> (u64, Option<Box<dyn Any + Send>>) {
        (self.word, self.rest)
    }
}

/// What came of a job, with the request that waits for it.
#[derive(Debug)]
pub struct Answer {
    /// What came of it.
    pub outcome: Outcome,
    /// The request, as it was in [`Work`].
    pub ticket: Ticket,
}

/// What came of a job.
#[derive(Debug)]
pub enum Outcome {
    /// A file was opened, or could not be.
    Opened(Result<Opened, Errno>),
    /// The time is over.
    Waited,
    /// The job was not run: the server has too much to do.
    Refused,
}

impl Work {
    /// Runs the job on this thread. It may block.
    pub fn run(self) -> Answer {
        let outcome = match self.job {
            Job::Open { root, path } => Outcome::Opened(Opened::open(&root, &path)),
            Job::Sleep(time) => {
                std::thread::sleep(time);
                Outcome::Waited
            }
            Job::Spin(time) => {
                spin(time);
                Outcome::Waited
            }
        };
        Answer { outcome, ticket: self.ticket }
    }

    /// Does not run the job: the request is answered 503, for the server has too much to do.
    pub fn refuse(self) -> Answer {
        Answer { outcome: Outcome::Refused, ticket: self.ticket }
    }

    /// Whether it takes time on purpose. Replies that are ready must leave before it runs; opening a file
    /// is quick, so its reply can leave together with theirs.
    pub fn is_slow(&self) -> bool {
        !matches!(self.job, Job::Open { .. })
    }
}

fn spin(time: Duration) {
    let end = cpu_time() + time;
    while cpu_time() < end {
        std::hint::spin_loop();
    }
}

/// The CPU time that this thread has used.
fn cpu_time() -> Duration {
    ClockId::CLOCK_THREAD_CPUTIME_ID.now().expect("Linux keeps this clock for every thread").into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
    use nix::unistd::Pid;
    use std::thread;

    /// With two threads on one CPU, each would do about half of its work if wall-clock time counted.
    #[test]
    fn a_thread_that_is_preempted_does_all_its_work() {
        const WORK: Duration = Duration::from_millis(100);
        let this = Pid::from_raw(0);
        let allowed = sched_getaffinity(this).expect("readable");
        let cpu = (0..CpuSet::count()).find(|&cpu| allowed.is_set(cpu) == Ok(true)).expect("it runs on one");
        let work = || {
            let mut one = CpuSet::new();
            one.set(cpu).expect("it exists");
            sched_setaffinity(this, &one).expect("it is allowed");
            let before = cpu_time();
            spin(WORK);
            cpu_time() - before
        };
        let used = thread::scope(|scope| [scope.spawn(work), scope.spawn(work)].map(|one| one.join()));
        for used in used {
            let used = used.expect("no panic");
            assert!(used >= WORK, "{used:?}");
        }
    }
}
