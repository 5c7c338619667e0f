//! A thread on one CPU.

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

/// The number of the `index`-th CPU that this thread may use; with fewer CPUs they are counted round and
/// round. `None` where the kernel does not say.
pub fn cpu(index: usize) -> Option<usize> {
    let allowed = sched_getaffinity(Pid::from_raw(0)).ok()?;
    let cpus: Vec<usize> = (0..CpuSet::count()).filter(|&cpu| allowed.is_set(cpu).unwrap_or(false)).collect();
    cpus.get(index % cpus.len().max(1)).copied()
}

/// Keeps the calling thread on one CPU until it is dropped.
#[derive(Debug)]
pub struct Pinned {
    before: Option<CpuSet>,
}

impl Pinned {
    /// On the CPU with this number, see [`cpu`]. Where pinning is not permitted the thread stays free: the
    /// figures are then those of the scheduler.
    pub fn to(cpu: Option<usize>) -> Self {
        let this_thread = Pid::from_raw(0);
        let pin = || {
            let before = sched_getaffinity(this_thread).ok()?;
            let mut one = CpuSet::new();
            one.set(cpu?).ok()?;
            sched_setaffinity(this_thread, &one).ok()?;
            Some(before)
        };
        Self { before: pin() }
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            // It was allowed before.
            let _ = sched_setaffinity(Pid::from_raw(0), before);
        }
    }
}
