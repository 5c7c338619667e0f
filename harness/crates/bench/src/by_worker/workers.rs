//! The workers of a server, and what the kernel says of each.

use anyhow::{Context, Result, bail};
use lab_core::process::descendants;
use nix::libc;
use std::fs::{self, read_to_string};
use std::io;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// A thread that waits on an epoll instance of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Worker {
    pub(super) process: i32,
    pub(super) thread: i32,
    /// The descriptor of the instance, in its process.
    pub(super) epoll: i32,
}

/// What a thread has used since it began.
#[derive(Clone, Copy, Debug)]
pub(super) struct Used {
    /// Bytes read by read(2).
    pub(super) bytes: u64,
    pub(super) cpu: Duration,
}

/// Finds the workers of a server that has nothing to do: in its children, where it has any, else in itself.
pub(super) fn find(pid: u32, count: usize) -> Result<Vec<Worker>> {
    /// A server that was just started may still be about to wait.
    const LIMIT: Duration = Duration::from_secs(2);
    let start = Instant::now();
    loop {
        let children: Vec<i32> = descendants(pid as i32).into_iter().map(|process| process.pid).collect();
        let processes = if children.is_empty() { vec![pid as i32] } else { children };
        let mut workers = Vec::new();
        for process in processes {
            workers.extend(waiting(process)?);
        }
        if workers.len() == count {
            return Ok(workers);
        }
        if start.elapsed() > LIMIT {
            bail!(
                "{} threads of the server wait on an epoll instance, and it was told to have {count} workers",
                workers.len()
            );
        }
        sleep(Duration::from_millis(10));
    }
}

/// The threads of a process that wait on an epoll instance at this moment.
fn waiting(process: i32) -> Result<Vec<Worker>> {
    let mut workers = Vec::new();
    let tasks = fs::read_dir(format!("/proc/{process}/task"));
    for task in tasks.with_context(|| format!("process {process} of the server has ended"))?.flatten() {
        let Some(thread) = task.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let path = format!("/proc/{process}/task/{thread}/syscall");
        let call = match read_to_string(&path) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                bail!("{path} may not be read: allow it (sysctl kernel.yama.ptrace_scope=0), or run as root")
            }
            call => call.unwrap_or_default(),
        };
        workers.extend(epoll_of(&call).map(|epoll| Worker { process, thread, epoll }));
    }
    Ok(workers)
}

/// The epoll instance that a thread waits on, of `232 0x4 0x7ffd… …`: the number of the call, then what it
/// was called with (proc_pid_syscall(5)).
fn epoll_of(call: &str) -> Option<i32> {
    let mut words = call.split_whitespace();
    let number: i64 = words.next()?.parse().ok()?;
    #[cfg(target_arch = "x86_64")]
    let waits = [libc::SYS_epoll_wait, libc::SYS_epoll_pwait];
    // Newer architectures have the one alone.
    #[cfg(not(target_arch = "x86_64"))]
    let waits = [libc::SYS_epoll_pwait];
    let epoll = words.next()?.strip_prefix("0x")?;
    i32::from_str_radix(epoll, 16).ok().filter(|_| waits.contains(&number))
}

impl Worker {
    /// How many descriptors its instance watches.
    pub(super) fn watched(&self) -> Result<u64> {
        Ok(self.targets()?.lines().filter(|line| line.starts_with("tfd:")).count() as u64)
    }

    /// Whether its instance watches the socket with this inode.
    pub(super) fn watches(&self, inode: u64) -> Result<bool> {
        Ok(names(&self.targets()?, inode))
    }

    fn targets(&self) -> Result<String> {
        let path = format!("/proc/{}/fdinfo/{}", self.process, self.epoll);
        read_to_string(&path).with_context(|| format!("{path} cannot be read: a worker has ended"))
    }

    /// What its thread has used so far.
    pub(super) fn used(&self) -> Result<Used> {
        self.used_by(self.thread)
    }

    /// What all threads of its process have used so far.
    pub(super) fn used_by_all(&self) -> Result<Used> {
        let path = format!("/proc/{}/task", self.process);
        let tasks = fs::read_dir(&path).with_context(|| format!("{path} cannot be read"))?.flatten();
        let threads = tasks.filter_map(|task| task.file_name().to_str()?.parse().ok());
        let mut all = Used { bytes: 0, cpu: Duration::ZERO };
        for thread in threads {
            let used = self.used_by(thread)?;
            (all.bytes, all.cpu) = (all.bytes + used.bytes, all.cpu + used.cpu);
        }
        Ok(all)
    }

    fn used_by(&self, thread: i32) -> Result<Used> {
        let read = |file: &str| {
            let path = format!("/proc/{}/task/{thread}/{file}", self.process);
            read_to_string(&path).with_context(|| format!("{path} cannot be read"))
        };
        let io = read("io")?;
        let bytes = io.lines().find_map(|line| line.strip_prefix("rchar: ")?.parse().ok());
        let schedstat = read("schedstat")?;
        let cpu = schedstat.split_whitespace().next().and_then(|nanos| nanos.parse().ok());
        Ok(Used {
            bytes: bytes.context("this kernel does not count the bytes that a thread reads")?,
            cpu: Duration::from_nanos(cpu.context("this kernel does not count a thread's CPU time")?),
        })
    }
}

/// Whether one of the lines is of this inode: `tfd: 6 events: 19 data: 6  pos:0 ino:c8d9290 sdev:9`.
fn names(targets: &str, inode: u64) -> bool {
    let word = format!("ino:{inode:x}");
    targets.lines().any(|line| line.starts_with("tfd:") && line.split_whitespace().any(|other| other == word))
}

impl Used {
    pub(super) fn since(self, before: Self) -> Self {
        Self { bytes: self.bytes.saturating_sub(before.bytes), cpu: self.cpu.saturating_sub(before.cpu) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
    use std::io::Write;
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixStream;
    use std::process;

    #[test]
    fn what_waits_for_something_else_is_no_worker() {
        for call in ["", "running", "202 0x4 0x80 0x0", "-1 0x4", "232", "232 4"] {
            assert_eq!(epoll_of(call), None, "{call}");
        }
    }

    #[test]
    fn an_inode_is_found_as_a_whole_word_of_a_target() {
        let targets =
            "pos:\t0\nino:\t1038\ntfd:        6 events:       19 data:   6  pos:0 ino:c8d9290 sdev:9\n";
        assert!(names(targets, 0xc8d_9290));
        assert!(!names(targets, 0xc8d_929) && !names(targets, 0x1038) && !names(targets, 9));
    }

    /// Protects the figures from a kernel that says these things otherwise: this test's own thread is a
    /// worker.
    #[test]
    fn a_thread_that_waits_is_found_with_what_it_watches_and_reads() {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).expect("an instance");
        let number = epoll.0.as_raw_fd();
        let (mut ours, theirs) = UnixStream::pair().expect("a pair");
        epoll.add(&theirs, EpollEvent::new(EpollFlags::EPOLLIN, 0)).expect("added");
        let thread = std::thread::spawn(move || {
            epoll.wait(&mut [EpollEvent::empty()], EpollTimeout::NONE).expect("woken");
            // As the stages read; what recv(2) takes is not counted.
            assert_eq!(nix::unistd::read(&theirs, &mut [0; 100]), Ok(37));
            // It waits again, so that it can be looked at.
            epoll.wait(&mut [EpollEvent::empty()], EpollTimeout::NONE).expect("woken");
        });
        let worker = || {
            let start = Instant::now();
            loop {
                let all = waiting(process::id() as i32).expect("it may be read");
                if let Some(worker) = all.into_iter().find(|worker| worker.epoll == number) {
                    return worker;
                }
                assert!(start.elapsed() < Duration::from_secs(30), "it does not wait");
                sleep(Duration::from_millis(1));
            }
        };
        let before = worker();
        let used = before.used().expect("counted");
        assert_eq!(before.watched().expect("readable"), 1);
        ours.write_all(&[0; 37]).expect("there is room");
        let start = Instant::now();
        while before.used().expect("counted").since(used).bytes < 37 {
            assert!(start.elapsed() < Duration::from_secs(30), "the bytes are not counted");
        }
        assert_eq!(worker().used().expect("counted").since(used).bytes, 37);
        drop(ours);
        thread.join().expect("no panic");
    }
}
