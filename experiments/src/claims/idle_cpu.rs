//! `idle-cpu`: what an idle server uses, and what the accepting thread of stage 08 uses under kept
//! connections.

use crate::client::Client;
use crate::experiment::{Experiment, Seconds};
use crate::fleet;
use crate::report::{Figure, Figures, Judgement, Measured};
use crate::session::Session;
use anyhow::{Context, Result, anyhow};
use procfs::process::Process;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::spawn;
use std::time::Duration;

/// The experiment.
pub(super) const EXPERIMENT: Experiment = Experiment {
    id: "idle-cpu",
    method: "Every stage is left alone with ten silent connections, and the CPU time of its processes is \
             read before and after. Then four clients keep stage 08 busy over kept connections, and the CPU \
             time of its accepting thread is compared with that of its loops.",
    needs: &[],
    seconds: Seconds { quick: 7.0, full: 17.0 },
    run,
    judge,
};

/// What counts as nothing, in % of a CPU: a thousandth.
const NOTHING: f64 = 0.1;
/// What the main reactor may use of the whole server's time and still have no load, in %.
const NO_LOAD: f64 = 2.0;

fn run(session: &mut Session) -> Result<Measured> {
    session.step(0.0, "every stage with ten silent connections")?;
    let fleet = fleet::start(session, &[], 10)?;
    session.sleep(Duration::from_millis(500))?;
    let before: Vec<_> = fleet.iter().map(fleet::Member::usage).collect();
    let watched = session.pick(Duration::from_secs(3), Duration::from_secs(10));
    session.sleep(watched)?;
    let mut figures = Figures::default();
    for (member, before) in fleet.iter().zip(before) {
        let cpu = member.usage().since(&before).cpu.as_secs_f64() / watched.as_secs_f64() * 100.0;
        figures.push(Figure::once(format!("idle: stage {}", member.name), "% of a CPU", cpu));
    }
    drop(fleet);
    session.step(0.7, "stage 08 with four busy clients")?;
    let rounds = session.pick(3, 5);
    let server = session.start("08", &["--workers", "2"], None)?;
    let pid = server.pid();
    let mut shares = Vec::new();
    let mut all = Vec::new();
    let clients = BusyClients::start(server.addr, 4);
    // Connecting is over: it would count as the main reactor's load.
    session.sleep(Duration::from_millis(200))?;
    for _ in 0..rounds {
        let before = cpu_times(pid)?;
        session.sleep(Duration::from_millis(300))?;
        let after = cpu_times(pid)?;
        let (main, total) = (after.0 - before.0, after.1 - before.1);
        shares.push(100.0 * main / total);
        all.push(total / 0.3 * 100.0);
    }
    clients.stop()?;
    server.stop()?;
    figures.push(Figure::median("busy: all threads of stage 08", "% of a CPU", &all)?);
    figures.push(Figure::median("busy: the accepting thread's share of that", "%", &shares)?);
    Ok(figures.into())
}

/// CPU seconds of the first thread, which accepts, and of all threads.
fn cpu_times(pid: i32) -> Result<(f64, f64)> {
    let (mut main, mut all) = (0.0, 0.0);
    for task in Process::new(pid)?.tasks()?.flatten() {
        let seconds = task.schedstat().context("schedstat")?.sum_exec_runtime as f64 / 1e9;
        all += seconds;
        main += if task.tid == pid { seconds } else { 0.0 };
    }
    Ok((main, all))
}

/// Clients that ask as soon as they have been answered.
struct BusyClients {
    stop: Arc<AtomicBool>,
    threads: Vec<std::thread::JoinHandle<Result<()>>>,
}

impl BusyClients {
    fn start(addr: SocketAddr, count: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let thread = |_| {
            let stop = Arc::clone(&stop);
            spawn(move || {
                let mut client = Client::connect(addr)?;
                // Relaxed: nothing but the flag is handed over.
                while !stop.load(Relaxed) {
                    client.ask("/")?;
                    client.reply()?;
                }
                Ok(())
            })
        };
        let threads = (0..count).map(thread).collect();
        Self { stop, threads }
    }

    fn stop(self) -> Result<()> {
        self.stop.store(true, Relaxed);
        self.threads
            .into_iter()
            .try_for_each(|thread| thread.join().map_err(|_| anyhow!("a client panicked"))?)
    }
}

fn judge(figures: &Figures) -> Result<Judgement> {
    const LESSON: &str = "A server that waits in the kernel costs nothing, and the thread that accepts works \
                          only while connections come.";
    const SOURCE: &str =
        "The percentage of a process monitor, which shows 0 for anything below half a percent.";
    let idle: Vec<(&str, f64)> =
        figures.family("idle: ").map(|(name, figure)| (name, figure.value)).collect();
    let busiest =
        idle.iter().copied().max_by(|one, other| one.1.total_cmp(&other.1)).context("no stage ran")?;
    let share = figures.get("busy: the accepting thread's share of that")?;
    let because = format!(
        "of {} idle stages {} uses most, {:.3} % of a CPU; under kept connections the accepting thread uses \
         {:.2} % of what stage 08 uses",
        idle.len(),
        busiest.0,
        busiest.1,
        share.value
    );
    Ok(match (busiest.1 <= NOTHING, share.high() <= NO_LOAD) {
        (true, true) => Judgement::holds(because, LESSON),
        (false, false) => Judgement::refuted(because, LESSON, SOURCE),
        (false, true) => Judgement::depends(format!("on the server: {because}"), LESSON, SOURCE),
        (true, false) => Judgement::inconclusive(because, LESSON),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Verdict;

    #[test]
    fn both_halves_of_the_claim_count() {
        let verdict = |idle: f64, share: f64| {
            let figures = Figures(vec![
                Figure::once("idle: stage 04", "% of a CPU", 0.0),
                Figure::once("idle: stage 05", "% of a CPU", idle),
                Figure::once("busy: the accepting thread's share of that", "%", share),
            ]);
            judge(&figures).expect("all figures are there").verdict
        };
        assert_eq!(verdict(0.05, 0.1), Verdict::Holds);
        assert_eq!(verdict(3.0, 0.1), Verdict::Depends);
        assert_eq!(verdict(3.0, 30.0), Verdict::Refuted);
        assert_eq!(verdict(0.05, 30.0), Verdict::Inconclusive);
    }
}
