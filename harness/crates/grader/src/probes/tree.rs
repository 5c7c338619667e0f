//! The state of a server's processes, all of one process group, as `/proc` has it.

use procfs::process::{Process, Stat, all_processes};
use std::time::Duration;

/// The state of a process group at one time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Snapshot {
    /// Clock ticks of CPU time of every process in the group, its reaped children included.
    ticks: u64,
    /// Processes that were not reaped by their parent.
    pub(crate) zombies: usize,
    /// Processes, zombies not counted.
    pub(crate) processes: usize,
    /// Threads of all of them.
    pub(crate) threads: i64,
    /// Open descriptors of the process that was started.
    pub(crate) descriptors: usize,
}

impl Snapshot {
    /// The group of the process `leader`, now.
    pub(crate) fn of(leader: i32) -> Self {
        let members = group(leader);
        let alive: Vec<&Stat> = members.iter().filter(|stat| stat.state != 'Z').collect();
        Self {
            ticks: members.iter().map(cpu_ticks).sum(),
            zombies: members.len() - alive.len(),
            processes: alive.len(),
            threads: alive.iter().map(|stat| stat.num_threads).sum(),
            descriptors: Process::new(leader).and_then(|process| process.fd_count()).unwrap_or(0),
        }
    }

    /// The CPU time that was used since an earlier snapshot.
    pub(crate) fn cpu_since(&self, earlier: &Snapshot) -> Duration {
        let ticks = self.ticks.saturating_sub(earlier.ticks);
        Duration::from_secs_f64(ticks as f64 / procfs::ticks_per_second() as f64)
    }
}

/// The processes of a group. One that ends meanwhile is left out.
pub(super) fn group(leader: i32) -> Vec<Stat> {
    let Ok(processes) = all_processes() else { return Vec::new() };
    processes.flatten().filter_map(|process| process.stat().ok()).filter(|stat| stat.pgrp == leader).collect()
}

fn cpu_ticks(stat: &Stat) -> u64 {
    // Children that were reaped are counted in their parent.
    let reaped = u64::try_from(stat.cutime).unwrap_or(0) + u64::try_from(stat.cstime).unwrap_or(0);
    stat.utime + stat.stime + reaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::CommandExt;
    use std::process::{Command, Stdio};
    use std::time::Instant;

    /// Protects idle-cpu, descriptor-limit and no-leaks, which would pass for ever if a snapshot saw
    /// nothing: a busy group uses CPU, and a child that ended unreaped is a zombie.
    #[test]
    fn a_busy_group_and_a_zombie_are_seen() {
        let script = "while :; do :; done";
        let mut busy = Command::new("/bin/sh").args(["-c", script]).process_group(0).spawn().unwrap();
        let leader = busy.id() as i32;
        let mut dead = Command::new("/bin/sh")
            .args(["-c", "exit 0"])
            .stdout(Stdio::null())
            .process_group(leader)
            .spawn()
            .unwrap();
        let first = Snapshot::of(leader);
        let start = Instant::now();
        let mut last = first;
        while (last.cpu_since(&first).is_zero() || last.zombies == 0) && start.elapsed().as_secs() < 20 {
            std::thread::sleep(Duration::from_millis(20));
            last = Snapshot::of(leader);
        }
        busy.kill().unwrap();
        busy.wait().unwrap();
        dead.wait().unwrap();
        assert!(!last.cpu_since(&first).is_zero());
        assert_eq!((last.zombies, last.processes, last.threads), (1, 1, 1));
        assert!(last.descriptors >= 3);
    }
}
