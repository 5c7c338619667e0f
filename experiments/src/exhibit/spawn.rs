//! What it costs to start a process or a thread when the parent has so much memory. It is a process of its
//! own, with one thread, since a fork copies its page table.

use crate::measure::spawn::{Pages, Resident, fork_and_wait, thread_and_join};
use anyhow::{Result, bail, ensure};
use std::sync::mpsc;
use std::time::Instant;

/// `MIB small|huge ROUNDS`: memory that is touched before, the size of its pages, and how often each is
/// started. Prints a line per round: the microseconds of fork, thread, hand-off to a thread that is there.
pub(super) fn run(words: &[String]) -> Result<()> {
    let [mib, pages, rounds] = words else { bail!("the exhibit takes MiB, small or huge, and rounds") };
    let pages = match pages.as_str() {
        "small" => Pages::Small,
        "huge" => Pages::Huge,
        _ => bail!("small or huge"),
    };
    let _resident = Resident::touch(mib.parse::<usize>()? << 20, pages)?;
    // Forked before any other thread is there: a child has the one that called fork, and no locks of others.
    let forks: Vec<f64> =
        (0..rounds.parse::<usize>()?).map(|_| timed(fork_and_wait)).collect::<Result<_>>()?;
    let threads = forks.iter().map(|_| timed(thread_and_join)).collect::<Result<Vec<f64>>>()?;
    let hand_offs = hand_off(forks.len())?;
    for ((fork, thread), hand_off) in forks.iter().zip(&threads).zip(&hand_offs) {
        println!("{fork} {thread} {hand_off}");
    }
    Ok(())
}

/// Microseconds.
fn timed(start_one: fn() -> Result<()>) -> Result<f64> {
    let start = Instant::now();
    start_one()?;
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
