//! A CPU for each thread.

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

/// The CPUs that this process may use; there is at least one.
///
/// # Errors
/// What sched_getaffinity(2) says.
pub fn allowed() -> nix::Result<Vec<usize>> {
    let set = sched_getaffinity(Pid::from_raw(0))?;
    Ok((0..CpuSet::count()).filter(|&cpu| set.is_set(cpu) == Ok(true)).collect())
}

/// Keeps the calling thread on one CPU: its connections stay in that CPU's caches, and the scheduler does not
/// put two loops on one CPU while another idles.
///
/// # Errors
/// What sched_setaffinity(2) says.
pub fn pin(cpu: usize) -> nix::Result<()> {
    let mut set = CpuSet::new();
    set.set(cpu)?;
    sched_setaffinity(Pid::from_raw(0), &set)
}
