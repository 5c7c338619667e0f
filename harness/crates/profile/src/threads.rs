//! The threads of a server, and what the kernel says of each.

use anyhow::{Context, Result};
use lab_core::process::descendants;
use nix::libc;
use std::collections::BTreeMap;
use std::fs::{self, read_to_string};
use std::time::Duration;

/// A thread of a server, by process and thread id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Thread {
    pub(super) process: i32,
    pub(super) thread: i32,
}

/// What a thread has done since it began.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Past {
    /// On a CPU.
    pub(super) running: Duration,
    /// Ready, and without a CPU.
    pub(super) ready: Duration,
    /// Context switches because it had to wait; a wake-up follows each.
    pub(super) slept: u64,
    /// Context switches because another thread had the CPU next.
    pub(super) preempted: u64,
}

/// The processes of a server, its own first.
pub(super) fn processes(pid: i32) -> Vec<i32> {
    std::iter::once(pid).chain(descendants(pid).into_iter().map(|process| process.pid)).collect()
}

/// The threads of a server that are alive.
pub(super) fn threads(pid: i32) -> Vec<Thread> {
    processes(pid).into_iter().flat_map(threads_of).collect()
}

/// The threads of one process.
pub(super) fn threads_of(process: i32) -> Vec<Thread> {
    let tasks = fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    let thread =
        |task: fs::DirEntry| Some(Thread { process, thread: task.file_name().to_str()?.parse().ok()? });
    tasks.filter_map(thread).collect()
}

/// The past of all threads. One that ends meanwhile is left out.
pub(super) fn pasts(pid: i32) -> BTreeMap<Thread, Past> {
    threads(pid).into_iter().filter_map(|thread| Some((thread, thread.past().ok()?))).collect()
}

impl Thread {
    fn read(self, file: &str) -> Result<String> {
        let path = format!("/proc/{}/task/{}/{file}", self.process, self.thread);
        read_to_string(&path).with_context(|| format!("{path} cannot be read"))
    }

    /// Its name; the program's own, where nobody gave it another.
    pub(super) fn name(self) -> String {
        self.read("comm").map_or_else(|_| "?".to_owned(), |name| name.trim().to_owned())
    }

    fn past(self) -> Result<Past> {
        let schedstat = self.read("schedstat")?;
        let status = self.read("status")?;
        past(&schedstat, &status).context("schedstat and status have another form here")
    }

    /// What it waits in; `None` while it runs or is ready.
    pub(super) fn waits_in(self) -> Option<&'static str> {
        let call = self.read("syscall").ok()?;
        let number: i64 = call.split_whitespace().next()?.parse().ok()?;
        Some(name_of(number))
    }
}

/// `schedstat` has the time on a CPU and the time in its queue, ns; `status` has the switches.
fn past(schedstat: &str, status: &str) -> Option<Past> {
    let mut times = schedstat.split_whitespace().map(|number| number.parse().ok().map(Duration::from_nanos));
    let switches = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim_start_matches(':').trim().parse().ok()
    };
    Some(Past {
        running: times.next()??,
        ready: times.next()??,
        slept: switches("voluntary_ctxt_switches")?,
        preempted: switches("nonvoluntary_ctxt_switches")?,
    })
}

impl Past {
    pub(super) fn since(self, before: Self) -> Self {
        Self {
            running: self.running.saturating_sub(before.running),
            ready: self.ready.saturating_sub(before.ready),
            slept: self.slept.saturating_sub(before.slept),
            preempted: self.preempted.saturating_sub(before.preempted),
        }
    }
}

/// The calls in which a thread of a server waits.
fn name_of(call: i64) -> &'static str {
    #[cfg(target_arch = "x86_64")]
    const OLDER: [(i64, &str); 5] = [
        (libc::SYS_epoll_wait, "epoll_wait"),
        (libc::SYS_poll, "poll"),
        (libc::SYS_select, "select"),
        (libc::SYS_accept, "accept"),
        (libc::SYS_pause, "pause"),
    ];
    #[cfg(not(target_arch = "x86_64"))]
    const OLDER: [(i64, &str); 1] = [(libc::SYS_accept, "accept")];
    const CALLS: [(i64, &str); 18] = [
        (libc::SYS_epoll_pwait, "epoll_pwait"),
        (libc::SYS_io_uring_enter, "io_uring_enter"),
        (libc::SYS_futex, "futex"),
        (libc::SYS_accept4, "accept4"),
        (libc::SYS_read, "read"),
        (libc::SYS_readv, "readv"),
        (libc::SYS_recvfrom, "recvfrom"),
        (libc::SYS_recvmsg, "recvmsg"),
        (libc::SYS_write, "write"),
        (libc::SYS_writev, "writev"),
        (libc::SYS_sendto, "sendto"),
        (libc::SYS_sendmsg, "sendmsg"),
        (libc::SYS_sendfile, "sendfile"),
        (libc::SYS_ppoll, "ppoll"),
        (libc::SYS_nanosleep, "nanosleep"),
        (libc::SYS_clock_nanosleep, "clock_nanosleep"),
        (libc::SYS_wait4, "wait4"),
        (libc::SYS_rt_sigtimedwait, "rt_sigtimedwait"),
    ];
    let all = OLDER.iter().chain(&CALLS);
    all.into_iter().find(|(number, _)| *number == call).map_or("another call", |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn switches_of_both_kinds_are_told_apart() {
        let status = "Name:\tx\nvoluntary_ctxt_switches:\t150\nnonvoluntary_ctxt_switches:\t545\n";
        let found = past("1000000 2000 7\n", status).expect("both have their form");
        let times = (Duration::from_millis(1), Duration::from_micros(2));
        assert_eq!((found.running, found.ready), times);
        assert_eq!((found.slept, found.preempted), (150, 545));
        assert_eq!(past("", status), None);
        assert_eq!(past("1 2 3", "Name:\tx\n"), None);
    }

    #[test]
    fn a_thread_that_waits_says_in_what() {
        assert_eq!(name_of(libc::SYS_futex), "futex");
        assert_eq!(name_of(-1), "another call");
        let (sender, receiver) = std::sync::mpsc::channel::<()>();
        let waiting = std::thread::spawn(move || {
            let _ = receiver.recv();
        });
        let start = std::time::Instant::now();
        let in_futex = |thread: &Thread| thread.waits_in() == Some("futex");
        while !threads(std::process::id() as i32).iter().any(in_futex) {
            assert!(start.elapsed() < Duration::from_secs(30), "no thread waits for another");
        }
        drop(sender);
        waiting.join().expect("no panic");
    }
}
