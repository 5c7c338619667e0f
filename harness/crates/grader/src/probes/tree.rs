//! The state of a server's processes, as `/proc` has it.

use procfs::process::{Process, Stat, all_processes};
use std::collections::BTreeMap;
use std::iter::successors;
use std::time::Duration;

/// The state of a server's processes at one time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Snapshot {
    /// Clock ticks of CPU time of every process, its reaped children included.
    ticks: u64,
    /// Processes that were not reaped by their parent.
    pub(crate) zombies: usize,
    /// Processes, zombies not counted.
    pub(crate) processes: usize,
    /// Threads of all of them.
    pub(crate) threads: i64,
    /// Open descriptors of all of them.
    pub(crate) descriptors: usize,
}

impl Snapshot {
    /// The server whose process is `leader`, now.
    pub(crate) fn of(leader: i32) -> Self {
        let members = group(leader);
        let alive: Vec<&Stat> = members.iter().filter(|stat| stat.state != 'Z').collect();
        Self {
            ticks: members.iter().map(cpu_ticks).sum(),
            zombies: members.len() - alive.len(),
            processes: alive.len(),
            threads: alive.iter().map(|stat| stat.num_threads).sum(),
            descriptors: alive.iter().filter_map(|stat| Process::new(stat.pid).ok()?.fd_count().ok()).sum(),
        }
    }

    /// The CPU time that was used since an earlier snapshot.
    pub(crate) fn cpu_since(&self, earlier: &Snapshot) -> Duration {
        let ticks = self.ticks.saturating_sub(earlier.ticks);
        Duration::from_secs_f64(ticks as f64 / procfs::ticks_per_second() as f64)
    }
}

/// The processes of a server: those of the group of `leader`, and whatever descends from the process that we
/// have started for it, which is a guard or the leader. A wrapper of the leader, such as a shell or `make`,
/// is none of them. One that ends meanwhile is left out.
pub(super) fn group(leader: i32) -> Vec<Stat> {
    let Ok(processes) = all_processes() else { return Vec::new() };
    let all: BTreeMap<i32, Stat> =
        processes.flatten().filter_map(|process| process.stat().ok()).map(|stat| (stat.pid, stat)).collect();
    let parents = |of: i32| successors(all.get(&of), |stat| all.get(&stat.ppid)).map(|stat| stat.pid);
    let us = std::process::id() as i32;
    // From the leader up to what we have started, which is the last one below us.
    let above: Vec<i32> = parents(leader).take_while(|&pid| pid != us).collect();
    let is_below_us = parents(leader).any(|pid| pid == us);
    let started = above.last().copied().filter(|_| is_below_us);
    let wrappers = if is_below_us { above.get(1..).unwrap_or_default() } else { &[] };
    let belongs = |stat: &&Stat| {
        let descends = started.is_some_and(|started| parents(stat.pid).any(|pid| pid == started));
        (descends || stat.pgrp == leader) && !wrappers.contains(&stat.pid)
    };
    all.values().filter(belongs).cloned().collect()
}

/// How long each thread has been ready to run: on a CPU, or in the queue for one (schedstat, in proc(5)).
/// Unlike CPU time it does not shrink when the machine is busy. Empty where the kernel does not count it.
pub(super) fn ready_times(leader: i32) -> BTreeMap<i32, Duration> {
    let processes = group(leader).into_iter().filter_map(|stat| Process::new(stat.pid).ok());
    let tasks = processes.filter_map(|process| process.tasks().ok()).flatten().flatten();
    let times = tasks.filter_map(|task| {
        let times = task.schedstat().ok()?;
        Some((task.tid, Duration::from_nanos(times.sum_exec_runtime.saturating_add(times.run_delay))))
    });
    times.collect()
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
        // It looks whether this process lives, so that nothing is left behind however the test ends.
        let script = "while kill -0 $PPID 2>/dev/null; do :; done";
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
        // It is ready all the time, however little of a CPU it gets.
        let (begun, before) = (Instant::now(), ready_times(leader)[&leader]);
        let is_ready = || {
            std::thread::sleep(Duration::from_millis(100));
            let ready = ready_times(leader)[&leader].saturating_sub(before);
            let whole = begun.elapsed();
            assert!(ready <= whole, "{ready:?} of {whole:?}");
            ready > whole / 2
        };
        // What a thread has waited is counted when it runs.
        let has_been_ready = (0..100).any(|_| is_ready());
        busy.kill().unwrap();
        busy.wait().unwrap();
        dead.wait().unwrap();
        assert!(!last.cpu_since(&first).is_zero());
        assert!(has_been_ready);
        assert_eq!((last.zombies, last.processes, last.threads), (1, 1, 1));
        assert!(last.descriptors >= 3);
    }
}
