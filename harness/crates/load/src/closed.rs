//! The closed loop: who was answered asks again.

use super::schedule::Due;
use super::tally::Tallies;
use super::worker::{After, Worker};
use mio::Events;
use std::collections::VecDeque;
use std::io::Result;
use std::time::{Duration, Instant};

/// Connections that are begun between two looks at the sockets. All at once would overflow the server's
/// accept queue, and those that found it full would try again a second later.
const RAMP: usize = 64;

/// `numbers` are those of this thread's requests, among the requests of all threads.
pub(super) fn run(
    mut worker: Worker,
    start: Instant,
    mut numbers: impl Iterator<Item = u64>,
) -> Result<Tallies> {
    let mut next = move || numbers.next().expect("there is always a next number");
    let mut events = Events::with_capacity(1024);
    // Slots to begin: at the start all of them, later those that lost their connection.
    let mut waiting: VecDeque<usize> = (0..worker.clients()).collect();
    let mut resting: Vec<usize> = Vec::with_capacity(worker.clients());
    loop {
        let now = Instant::now();
        // A reply that comes in the window counts, whenever it was asked for: as many were cut off at the
        // end as came over from the warm-up.
        if worker.is_over(now, start) {
            return Ok(worker.finish(now));
        }
        if worker.tick(now, |at| waiting.push_back(at)) {
            waiting.extend(resting.drain(..));
        }
        for _ in 0..RAMP.min(waiting.len()) {
            let Some(at) = waiting.pop_front() else { break };
            let now = Instant::now();
            settle(
                worker.begin(at, Due { number: next(), intended: now }, now),
                at,
                &mut waiting,
                &mut resting,
            );
        }
        let pause =
            if waiting.is_empty() { worker.wake_at().saturating_duration_since(now) } else { Duration::ZERO };
        poll(&mut worker, &mut events, pause)?;
        for event in &events {
            let at = event.token().0;
            let mut after = worker.ready(at, event);
            if after == After::Free {
                let now = Instant::now();
                after = worker.begin(at, Due { number: next(), intended: now }, now);
            }
            settle(after, at, &mut waiting, &mut resting);
        }
    }
}

fn settle(after: After, at: usize, waiting: &mut VecDeque<usize>, resting: &mut Vec<usize>) {
    match after {
        After::Busy => {}
        After::Free | After::Lost => waiting.push_back(at),
        After::Refused => resting.push(at),
    }
}

/// Waits for events. A signal, such as Ctrl-C, is none.
pub(super) fn poll(worker: &mut Worker, events: &mut Events, pause: Duration) -> Result<()> {
    match worker.poll.poll(events, Some(pause)) {
        Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {
            events.clear();
            Ok(())
        }
        outcome => outcome,
    }
}
