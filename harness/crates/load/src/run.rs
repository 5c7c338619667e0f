//! One run: the threads, from start to end.

use super::event_loop::EventLoop;
use super::options::Args;
use super::reference::Expected;
use super::report::Report;
use super::schedule::Schedule;
use super::settings::{Gauge, RequestSpec, Settings};
use super::tally::Tallies;
use super::target::Target;
use super::worker::Worker;
use super::{bystanders, progress};
use anyhow::{Context, Result, anyhow, ensure};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

/// Puts the load on the server and returns what was counted. SIGINT and SIGTERM end it early.
///
/// # Errors
/// What is wrong with the options, or that the server cannot be reached.
pub fn measure(args: &Args) -> Result<Report> {
    put_on(args, true)
}

/// As [`measure`] without a line of progress, for a program that has one of its own.
///
/// # Errors
/// As [`measure`].
pub fn measure_silently(args: &Args) -> Result<Report> {
    put_on(args, false)
}

fn put_on(args: &Args, shows_progress: bool) -> Result<Report> {
    let target = args.check()?;
    let addr = target.reachable()?;
    raise_descriptor_limit(args.connections + args.idle + args.slow, args.threads)?;
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&stop)).context("cannot handle signals")?;
    }
    let specs = specs(args, &target);
    let start = Instant::now();
    let measure_from = start + args.warm_up;
    let end = measure_from + args.duration;
    let gauges = (0..args.threads).map(|_| Gauge::default()).collect();
    let settings = &Settings { args, target, addr, specs, start, measure_from, end, stop, gauges };
    let (tallies, beside) = thread::scope(|scope| {
        let beside = scope.spawn(|| bystanders::run(settings));
        let one = |thread| scope.spawn(move || one_thread(settings, thread));
        let threads: Vec<_> = (0..args.threads as usize).map(one).collect();
        if shows_progress {
            progress::show(settings, || threads.iter().all(|thread| thread.is_finished()));
        }
        let tallies: Vec<_> =
            threads.into_iter().map(|thread| thread.join().expect("a thread panicked")).collect();
        (tallies, beside.join().expect("a thread panicked"))
    });
    let seconds = Instant::now().min(end).saturating_duration_since(measure_from);
    let mut total = Tallies::new(start, settings.specs.len());
    for tally in tallies {
        total.add(tally.map_err(|error| match error.kind() {
            ErrorKind::ConnectionRefused => anyhow!("nothing listens on {addr}: connection refused"),
            _ => anyhow!(error).context("a thread of the generator failed"),
        })?);
    }
    let beside = beside.context("the idle and slow clients failed")?;
    Ok(Report::new(args, &total, beside, seconds.as_secs_f64(), settings.is_stopped()))
}

/// What is asked for on each path, and what is right there.
pub(super) fn specs(args: &Args, target: &Target) -> Vec<RequestSpec> {
    let mut specs = vec![spec(args, target, &target.path, args.status, args.expected(&target.path))];
    if let Some(mix) = &args.mix {
        specs.push(spec(args, target, mix.path(), 200, Expected::by_path(mix.path())));
    }
    specs
}

/// What is asked for on a path, and what is right there.
fn spec(args: &Args, target: &Target, path: &str, status: u16, expected: Expected) -> RequestSpec {
    let request = target.request(path, args.close);
    let batch = request.repeat(args.pipeline as usize);
    RequestSpec { batch, request_length: request.len(), status, expected }
}

/// Puts its share of the load on. Where it fails, all threads stop: the rest would be another measurement.
fn one_thread(settings: &Settings, thread: usize) -> std::io::Result<Tallies> {
    let args = settings.args;
    let (threads, all) = (args.threads as usize, args.connections as usize);
    let clients = all / threads + usize::from(thread < all % threads);
    let schedule = Schedule::new(settings.start, args.rate, thread, threads);
    let worker = Worker::new(settings, thread, clients);
    let outcome = worker.and_then(|worker| EventLoop::new(worker, schedule)?.run());
    if outcome.is_err() {
        settings.stop.store(true, Ordering::Relaxed);
    }
    outcome
}

/// Each client needs a descriptor; the usual soft limit of 1024 is no wish of the user's. Fails where the
/// hard limit is too low.
pub fn raise_descriptor_limit(clients: u32, threads: u32) -> Result<()> {
    // The standard streams; each thread's epoll and timer.
    let others = 16 + 2 * u64::from(threads);
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    let needed = u64::from(clients) + others;
    ensure!(
        needed <= hard,
        "{clients} clients need {needed} descriptors, and the hard limit is {hard}: raise it (ulimit -Hn) or ask for fewer clients"
    );
    if soft < needed {
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    }
    Ok(())
}
