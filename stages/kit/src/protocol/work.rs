//! What a request asks for that may block: opening a file, sleeping, burning CPU.
//!
//! The protocol never blocks. It hands such a job out as [`Work`] and the stage decides where it runs: in
//! place (01–05), or on a worker thread (06, 07). The [`Answer`] goes back to the session. Everything that
//! is needed to answer the request travels with its work, so the protocol itself keeps nothing of it.

use crate::protocol::http::file::Opened;
use crate::protocol::http::ticket::Ticket;
use nix::errno::Errno;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

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
    /// Keep the CPU busy (`/spin/US`).
    Spin(Duration),
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
                let start = Instant::now();
                while start.elapsed() < time {
                    std::hint::spin_loop();
                }
                Outcome::Waited
            }
        };
        Answer { outcome, ticket: self.ticket }
    }

    /// Whether it takes time on purpose. Replies that are ready must leave before it runs; opening a file
    /// is quick, so its reply can leave together with theirs.
    pub fn is_slow(&self) -> bool {
        !matches!(self.job, Job::Open { .. })
    }
}
