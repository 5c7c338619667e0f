//! The thread that reads the counters and sends them to every open page.

use super::Shared;
use super::page::SERVICE;
use framework::{Server, percentile};
use serde_json::{Value, json};
use std::fs::read_to_string;
use std::sync::Arc;
use std::thread::{self, sleep};
use std::time::Instant;

/// Starts the thread, which runs for as long as the process.
pub(super) fn start(shared: Arc<Shared>, server: Server) {
    let run = move || {
        let mut sampler = Sampler { begun: Instant::now(), times: Vec::new() };
        loop {
            sleep(shared.switches.interval());
            let sample = sampler.sample(&shared, &server);
            if server.count(Some(SERVICE)) == 0 {
                // Nobody looks: no loop is woken.
                continue;
            }
            let event: Arc<[u8]> = format!("data: {sample}\n\n").into_bytes().into();
            let limit = shared.switches.page_queue();
            server.each(
                None,
                Some(SERVICE),
                move |page| {
                    if page.queued() + event.len() > limit {
                        page.drop_because("it does not read");
                    } else {
                        page.write_move(Arc::clone(&event));
                    }
                },
                |_, _| {},
            );
        }
    };
    thread::Builder::new().name("sampler".to_owned()).spawn(run).expect("a thread for the sampler");
}

struct Sampler {
    begun: Instant,
    /// What all loops had counted at the last look, by the length of the time.
    times: Vec<u64>,
}

impl Sampler {
    /// Counts since the start, from which a page makes rates; and the percentiles since the last look.
    fn sample(&mut self, shared: &Shared, server: &Server) -> Value {
        let counters = server.counters();
        let mut times = vec![0; counters.first().map_or(0, |first| first.times.len())];
        for worker in &counters {
            times.iter_mut().zip(&worker.times).for_each(|(sum, count)| *sum += count);
        }
        let before = std::mem::replace(&mut self.times, times);
        let since: Vec<u64> = self
            .times
            .iter()
            .enumerate()
            .map(|(at, count)| count - before.get(at).copied().unwrap_or_default())
            .collect();
        let microseconds = |percent| percentile(&since, percent).map(|time| time.as_nanos() as f64 / 1_000.0);
        let workers: Vec<Value> = counters
            .iter()
            .map(|worker| {
                json!({
                    "connections": worker.connections,
                    "opened": worker.opened,
                    "wake_ups": worker.wake_ups,
                    "events": worker.events,
                    "requests": worker.requests,
                    "tasks": worker.tasks,
                    "timers": worker.timers as u64 + worker.deadlines,
                })
            })
            .collect();
        json!({
            "ms": self.begun.elapsed().as_secs_f64() * 1_000.0,
            "workers": workers,
            "latency_us": { "p50": microseconds(50.0), "p99": microseconds(99.0), "max": microseconds(100.0) },
            "memory": resident(),
            "pages": server.count(Some(SERVICE)),
            "load": shared.load.state(),
            "options": shared.switches.state(),
        })
    }
}

/// The memory of this process that is in RAM, in bytes (proc_pid_status(5)).
fn resident() -> Option<u64> {
    let text = read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib * 1024)
}
