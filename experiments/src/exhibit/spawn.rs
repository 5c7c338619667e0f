//! What it costs to start a process or a thread when the parent has so much memory. It is a process of its
//! own, with one thread, since a fork copies its page table.

use anyhow::{Context, Result, bail, ensure};
use nix::libc;
use nix::sys::mman::{MapFlags, MmapAdvise, ProtFlags, madvise, mmap_anonymous};
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, fork};
use std::num::NonZeroUsize;
use std::sync::mpsc;
use std::time::Instant;

const PAGE: usize = 4096;

/// `MIB small|huge ROUNDS`: memory that is touched before, the size of its pages, and how often each is
/// started. Prints a line per round: the microseconds of fork, thread, hand-off to a thread that is there.
pub(super) fn run(words: &[String]) -> Result<()> {
    let [mib, pages, rounds] = words else { bail!("the exhibit takes MiB, small or huge, and rounds") };
    let advice = match pages.as_str() {
        "small" => MmapAdvise::MADV_NOHUGEPAGE,
        "huge" => MmapAdvise::MADV_HUGEPAGE,
        _ => bail!("small or huge"),
    };
    let _resident = touch(mib.parse::<usize>()? << 20, advice)?;
    // Forked before any other thread is there: a child has the one that called fork, and no locks of others.
    let forks: Vec<f64> = (0..rounds.parse::<usize>()?).map(|_| fork_and_wait()).collect::<Result<_>>()?;
    let threads = forks.iter().map(|_| thread_and_join()).collect::<Result<Vec<f64>>>()?;
    let hand_offs = hand_off(forks.len())?;
    for ((fork, thread), hand_off) in forks.iter().zip(&threads).zip(&hand_offs) {
        println!("{fork} {thread} {hand_off}");
    }
    Ok(())
}

/// Maps and touches memory, which stays until the process ends.
fn touch(bytes: usize, advice: MmapAdvise) -> Result<usize> {
    let Some(length) = NonZeroUsize::new(bytes) else { return Ok(0) };
    // SAFETY: a new private mapping at a place of the kernel's choice touches no memory that is in use.
    let memory = unsafe {
        mmap_anonymous(None, length, ProtFlags::PROT_READ | ProtFlags::PROT_WRITE, MapFlags::MAP_PRIVATE)
    }
    .context("the memory cannot be mapped")?;
    // SAFETY: the range is the mapping that was just made, and this advice changes no contents. A kernel
    // without huge pages refuses it, and has small ones then.
    let _ = unsafe { madvise(memory, bytes, advice) };
    for at in (0..bytes).step_by(PAGE) {
        // SAFETY: within the mapping, which is writable and which nothing else refers to.
        unsafe { memory.cast::<u8>().as_ptr().add(at).write_volatile(1) };
    }
    Ok(bytes)
}

fn fork_and_wait() -> Result<f64> {
    let start = Instant::now();
    // SAFETY: this process has one thread, and the child calls nothing but _exit.
    match unsafe { fork() }.context("fork")? {
        // SAFETY: _exit ends the child without running anything of the parent's.
        ForkResult::Child => unsafe { libc::_exit(0) },
        ForkResult::Parent { child } => waitpid(child, None)?,
    };
    Ok(start.elapsed().as_secs_f64() * 1e6)
}

fn thread_and_join() -> Result<f64> {
    let start = Instant::now();
    let ended = std::thread::Builder::new().spawn(|| {}).context("a thread")?.join();
    ensure!(ended.is_ok(), "the thread panicked");
    Ok(start.elapsed().as_secs_f64() * 1e6)
}

/// A job to a thread that waits for it, and word that it is done.
fn hand_off(rounds: usize) -> Result<Vec<f64>> {
    let (jobs, worker_jobs) = mpsc::sync_channel::<()>(1);
    let (done, is_done) = mpsc::sync_channel::<()>(1);
    let worker = std::thread::spawn(move || while worker_jobs.recv().is_ok() && done.send(()).is_ok() {});
    let once = || {
        let start = Instant::now();
        jobs.send(())?;
        is_done.recv()?;
        anyhow::Ok(start.elapsed().as_secs_f64() * 1e6)
    };
    let times = (0..rounds).map(|_| once()).collect();
    drop(jobs);
    ensure!(worker.join().is_ok(), "the worker panicked");
    times
}
