//! What a process and its descendants have used: CPU time, context switches, memory. From `/proc`.
//!
//! CPU time includes that of ended processes: a server that forks per connection does its work in children
//! that have ended when it is measured. So a process counts with its own CPU clock (`clock_getcpuclockid(3)`,
//! nanoseconds, its ended threads included) and with the time of the children that it has waited for
//! (`cutime` and `cstime` of `proc_pid_stat(5)`, in ticks of 10 ms).

use nix::time::{ClockId, clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;
use procfs::CurrentSI;
use procfs::process::{Process, all_processes};
use std::collections::HashMap;
use std::time::Duration;

/// What a process tree has used since it was started.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// Processes alive in the tree.
    pub processes: usize,
    /// CPU time of the processes that are alive and of those that were waited for.
    pub cpu: Duration,
    /// The part of `cpu` that ended threads and processes have used.
    pub cpu_of_ended: Duration,
    /// Voluntary and involuntary switches of the living threads; the kernel keeps no count of ended ones.
    pub context_switches: u64,
}

impl Usage {
    /// Reads the usage of `root` and its descendants. All zero if `root` is gone.
    pub fn of_tree(root: u32) -> Self {
        // A parent is read before its children. One that ends in between and is waited for is in neither: its
        // time came to the parent after that was read. Nothing is ever counted twice, so the larger of two
        // readings is the better one. Under a load of short connections some child always ends: hence a
        // bound.
        const READINGS: usize = 4;
        let mut usage = Self::default();
        for _ in 0..READINGS {
            let (reading, is_whole) = Self::reading(root);
            if reading.cpu >= usage.cpu {
                usage = reading;
            }
            if is_whole {
                break;
            }
        }
        usage
    }

    /// One reading, and whether no process was gone before it could be read.
    fn reading(root: u32) -> (Self, bool) {
        let mut usage = Self::default();
        let mut is_whole = true;
        for process in tree(root) {
            let (Ok(stat), Ok(own)) = (process.stat(), cpu_clock(process.pid)) else {
                is_whole = false;
                continue;
            };
            let ticks = procfs::ticks_per_second();
            let waited_for = (stat.cutime + stat.cstime).max(0) as u64;
            let waited_for = Duration::from_millis(waited_for * 1000 / ticks);
            let (living, switches) = living_threads(&process);
            usage.processes += 1;
            usage.cpu += own + waited_for;
            usage.cpu_of_ended += own.saturating_sub(living) + waited_for;
            usage.context_switches += switches;
        }
        (usage, is_whole)
    }

    /// What was used between `earlier` and now.
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            processes: self.processes,
            cpu: self.cpu.saturating_sub(earlier.cpu),
            cpu_of_ended: self.cpu_of_ended.saturating_sub(earlier.cpu_of_ended),
            context_switches: self.context_switches.saturating_sub(earlier.context_switches),
        }
    }

    /// Context switches, unless threads or processes that did a noticeable part of the work took their
    /// count with them. Below one tick ended ones cannot be told from rounding.
    pub fn known_context_switches(&self) -> Option<u64> {
        (self.cpu_of_ended <= Duration::from_millis(10)).then_some(self.context_switches)
    }
}

/// Proportional set size of a process tree in bytes: a page that `n` processes share counts for `1/n` in
/// each, so the sum counts it once. `None` where the kernel does not permit reading it.
pub fn memory_of_tree(root: u32) -> Option<u64> {
    let sizes = tree(root).into_iter().filter_map(|process| {
        let rollup = process.smaps_rollup().ok()?;
        rollup.memory_map_rollup.0.first()?.extension.map.get("Pss").copied()
    });
    let total: u64 = sizes.sum();
    (total > 0).then_some(total)
}

/// CPU time that the whole machine has spent on anything, in seconds; what a hypervisor took away is counted
/// as spent. In ticks of 10 ms per CPU.
pub fn machine_cpu_seconds() -> Option<f64> {
    let total = procfs::KernelStats::current().ok()?.total;
    let busy = total.user_ms() + total.nice_ms() + total.system_ms();
    let interrupts = total.irq_ms().unwrap_or(0) + total.softirq_ms().unwrap_or(0);
    Some((busy + interrupts + total.steal_ms().unwrap_or(0)) as f64 / 1000.0)
}

/// Steal time: CPU time that a hypervisor took away while this machine wanted it, in seconds, all CPUs
/// together.
pub fn steal_seconds() -> Option<f64> {
    Some(procfs::KernelStats::current().ok()?.total.steal_ms()? as f64 / 1000.0)
}

/// Everything that descends from `root`, zombies included.
pub fn descendants(root: i32) -> Vec<Process> {
    let mut tree = tree(root as u32);
    tree.retain(|process| process.pid != root);
    tree
}

/// `root` and everything that descends from it.
fn tree(root: u32) -> Vec<Process> {
    let mut children: HashMap<i32, Vec<Process>> = HashMap::new();
    for process in all_processes().into_iter().flatten().flatten() {
        if let Ok(stat) = process.stat() {
            children.entry(stat.ppid).or_default().push(process);
        }
    }
    let mut found: Vec<Process> = Process::new(root as i32).into_iter().collect();
    let mut next = 0;
    while next < found.len() {
        let pid = found[next].pid;
        found.extend(children.remove(&pid).unwrap_or_default());
        next += 1;
    }
    found
}

/// The CPU time of all threads of a process, the ended ones included, without that of its children: two
/// system calls, where [`Usage::of_tree`] reads all of `/proc`. 0 is the calling process. Fails if it is
/// gone.
pub fn cpu_clock(pid: i32) -> nix::Result<Duration> {
    Ok(clock_gettime(clock_getcpuclockid(Pid::from_raw(pid))?)?.into())
}

/// The CPU time of the calling thread.
pub fn thread_cpu_time() -> Duration {
    // The clock is there since Linux 2.6.12: reading it cannot fail.
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}

/// CPU time and context switches of the threads of one process that are alive.
fn living_threads(process: &Process) -> (Duration, u64) {
    let mut cpu = Duration::ZERO;
    let mut switches = 0;
    for task in process.tasks().into_iter().flatten().flatten() {
        cpu += Duration::from_nanos(task.schedstat().map_or(0, |schedstat| schedstat.sum_exec_runtime));
        if let Ok(status) = task.status() {
            switches += status.voluntary_ctxt_switches.unwrap_or(0);
            switches += status.nonvoluntary_ctxt_switches.unwrap_or(0);
        }
    }
    (cpu, switches)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader, Write};
    use std::process::{Command, Stdio};

    /// A shell that runs what it is told, line by line, and says when it is done.
    fn shell(script: &str) -> (std::process::Child, BufReader<std::process::ChildStdout>) {
        let mut child = Command::new("sh")
            .args(["-c", script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("sh is there");
        let lines = BufReader::new(child.stdout.take().expect("stdout is piped"));
        (child, lines)
    }

    #[test]
    fn the_cpu_time_of_ended_children_is_not_forgotten() {
        let burn = "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done";
        let (mut child, mut lines) = shell(&format!("read go; sh -c '{burn}'; echo done; read go"));
        let before = Usage::of_tree(child.id());
        let mut stdin = child.stdin.take().expect("stdin is piped");
        writeln!(stdin).expect("sh reads");
        lines.read_line(&mut String::new()).expect("sh writes");
        let used = Usage::of_tree(child.id()).since(&before);
        drop(stdin);
        child.wait().expect("sh ends");
        assert_eq!(used.processes, 1, "the burning child has ended");
        assert!(used.cpu_of_ended >= Duration::from_millis(20), "{used:?}");
        assert!(used.cpu >= used.cpu_of_ended);
        assert_eq!(used.known_context_switches(), None, "the dead took their count with them");
    }

    /// Protects the cost of a server that forks: what sixteen children used is seen though they end while
    /// their tree is read.
    #[test]
    fn children_that_end_while_they_are_read_are_counted() {
        let burn = "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; read go <&3";
        let children = format!("for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do ({burn}) & done");
        let (mut child, mut lines) =
            shell(&format!("exec 3<&0; {children}; echo up; wait; echo done; read go <&3"));
        lines.read_line(&mut String::new()).expect("sh writes");
        let mut stdin = child.stdin.take().expect("stdin is piped");
        let go = std::thread::spawn(move || (0..16).for_each(|_| writeln!(stdin).expect("a child reads")));
        let mut seen = Duration::ZERO;
        loop {
            let usage = Usage::of_tree(child.id());
            // A tick of each child may be lost to rounding once it has ended.
            let rounding = Duration::from_millis(16 * 20);
            assert!(usage.cpu + rounding >= seen, "{usage:?} after {seen:?}");
            seen = seen.max(usage.cpu);
            if usage.processes == 1 {
                break;
            }
        }
        go.join().expect("all were told");
        lines.read_line(&mut String::new()).expect("sh writes");
        child.kill().and_then(|()| child.wait()).expect("our own child");
        assert!(seen >= Duration::from_millis(100), "{seen:?}");
    }

    #[test]
    fn living_children_belong_to_the_tree() {
        let (mut child, mut lines) = shell("sh -c 'echo up; read go; :'; :");
        lines.read_line(&mut String::new()).expect("sh writes");
        let usage = Usage::of_tree(child.id());
        let memory = memory_of_tree(child.id());
        drop(child.stdin.take());
        child.wait().expect("sh ends");
        assert!(usage.processes >= 2, "{usage:?}");
        assert!(memory.expect("our own child can be looked at") > 10_000);
        assert_eq!(Usage::of_tree(child.id()).processes, 0);
    }
}
