//! What the floor, a server, this process and the machine use while the two take turns.

use crate::watch::{Spent, settled};
use anyhow::{Context, Result, bail};
use lab_core::network::AcceptQueues;
use lab_core::process::{Usage, cpu_clock, machine_cpu_seconds, memory_of_tree, steal_seconds};
use load::Boundary;
use std::time::{Duration, Instant};

/// How often the memory is looked at.
const LOOK: Duration = Duration::from_millis(250);

/// What the floor, the server, this process and the machine have used, read where no server has anything to
/// answer.
pub(super) struct Account {
    pids: [u32; 2],
    /// Their processes without connections, where these are short; kept ones are open at each reading.
    idle: [Option<usize>; 2],
    turns: u32,
    /// At the beginning and at the end of what is counted.
    readings: Vec<Reading>,
    /// CPU time and replies of the floor in its odd turns and in its even ones.
    floor: [(Duration, u64); 2],
    floor_turns: u32,
    floor_cpu: Duration,
    server_turns: u32,
    memory: [Option<u64>; 2],
    looked: Instant,
}

struct Reading {
    at: Instant,
    servers: [Usage; 2],
    own: Duration,
    machine: Option<f64>,
    steal: Option<f64>,
    queues: Option<AcceptQueues>,
}

impl Account {
    /// Of the floor and of a server, in so many turns each. `is_kept`: the connections stay open.
    pub(super) fn new(pids: [u32; 2], is_kept: bool, turns: u32) -> Self {
        let idle = |pid| (!is_kept).then(|| Usage::of_tree(pid).processes);
        Self {
            pids,
            idle: pids.map(idle),
            turns,
            readings: Vec::new(),
            floor: [(Duration::ZERO, 0); 2],
            floor_turns: 0,
            floor_cpu: Duration::ZERO,
            server_turns: 0,
            memory: [None; 2],
            looked: Instant::now(),
        }
    }

    pub(super) fn at(&mut self, boundary: Boundary) -> Result<()> {
        match boundary {
            Boundary::WarmUp => {
                let servers = self.servers();
                self.readings.push(Reading::of(servers, Instant::now())?);
                self.floor_cpu = cpu_clock(self.pids[0] as i32)?;
            }
            Boundary::Turn { load: 0, answered } => {
                let cpu = cpu_clock(self.pids[0] as i32).context("the floor has ended")?;
                let (used, replies) = &mut self.floor[self.floor_turns as usize % 2];
                *used += cpu.saturating_sub(self.floor_cpu);
                *replies += answered;
                (self.floor_cpu, self.floor_turns) = (cpu, self.floor_turns + 1);
            }
            Boundary::Turn { .. } => self.server_turns += 1,
        }
        if self.looked.elapsed() >= LOOK || self.server_turns == self.turns {
            for (memory, pid) in self.memory.iter_mut().zip(self.pids) {
                // Option orders None before any size.
                *memory = (*memory).max(memory_of_tree(pid));
            }
            self.looked = Instant::now();
        }
        if self.server_turns == self.turns {
            // The machine's clock stops first: a server may have to be waited for.
            let mut last = Reading::of([Usage::default(); 2], Instant::now())?;
            last.servers = self.servers();
            self.readings.push(last);
        }
        Ok(())
    }

    /// What the two have used, their last connections' processes included.
    fn servers(&self) -> [Usage; 2] {
        let of = |at: usize| match self.idle[at] {
            Some(processes) => settled(self.pids[at], processes),
            None => Usage::of_tree(self.pids[at]),
        };
        [of(0), of(1)]
    }

    /// CPU time per request of the floor in its odd turns and in its even ones, µs.
    pub(super) fn floor_costs(&self) -> Option<[f64; 2]> {
        let has_answered = self.floor.iter().all(|(_, replies)| *replies > 0);
        has_answered.then(|| self.floor.map(|(cpu, replies)| cpu.as_secs_f64() * 1e6 / replies as f64))
    }

    /// What one of them used in its turns, `seconds` in all, and what strangers used meanwhile: all that
    /// neither server nor this process did, of the whole pair, by the share of its time.
    pub(super) fn spent(&self, at: usize, seconds: f64) -> Result<(Spent, Option<f64>)> {
        let [first, last] = self.readings.as_slice() else { bail!("the turns did not come to an end") };
        let share = seconds / (last.at - first.at).as_secs_f64().max(f64::MIN_POSITIVE);
        let used = |at: usize| last.servers[at].since(&first.servers[at]);
        let ours = used(0).cpu + used(1).cpu + last.own.saturating_sub(first.own);
        let difference =
            |last: Option<f64>, first: Option<f64>| last.zip(first).map(|(last, first)| last - first);
        let machine = difference(last.machine, first.machine);
        let other = machine.map(|machine| share * (machine - ours.as_secs_f64()).max(0.0));
        let spent = Spent {
            server: Some(used(at)),
            steal: difference(last.steal, first.steal).map(|steal| share * steal.max(0.0)),
            queues: last.queues.zip(first.queues).map(|(last, first)| last.since(first)),
            memory: self.memory[at],
            ..Spent::default()
        };
        Ok((spent, other))
    }
}

impl Reading {
    fn of(servers: [Usage; 2], at: Instant) -> Result<Self> {
        Ok(Self {
            at,
            servers,
            own: cpu_clock(0)?,
            machine: machine_cpu_seconds(),
            steal: steal_seconds(),
            queues: AcceptQueues::now(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(readings: Vec<Reading>) -> Account {
        Account {
            pids: [0; 2],
            idle: [None; 2],
            turns: 2,
            readings,
            floor: [(Duration::from_millis(40), 10_000), (Duration::from_millis(42), 10_000)],
            floor_turns: 4,
            floor_cpu: Duration::ZERO,
            server_turns: 4,
            memory: [None, Some(4096)],
            looked: Instant::now(),
        }
    }

    fn reading(at: Instant, [floor, server, own, machine]: [u64; 4]) -> Reading {
        let used = |millis| Usage { cpu: Duration::from_millis(millis), ..Usage::default() };
        Reading {
            at,
            servers: [used(floor), used(server)],
            own: Duration::from_millis(own),
            machine: Some(machine as f64 / 1000.0),
            steal: Some(machine as f64 / 1e5),
            queues: None,
        }
    }

    /// Protects a pair from being called disturbed by its own other half, and by this process.
    #[test]
    fn what_the_other_server_and_the_generator_used_is_no_strangers() {
        let start = Instant::now();
        let first = reading(start, [1_000, 2_000, 500, 9_000]);
        // Of two seconds the floor used 0.7, the server 0.8, this process 1.7, and others 0.2.
        let last = reading(start + Duration::from_secs(2), [1_700, 2_800, 2_200, 12_400]);
        let account = account(vec![first, last]);
        let (spent, other) = account.spent(1, 1.0).expect("both readings are there");
        let close = |found: Option<f64>, expected: f64| found.is_some_and(|f| (f - expected).abs() < 1e-9);
        assert!(close(other, 0.1), "half of the pair was the server's: {other:?}");
        assert!(close(spent.steal, 0.017), "{spent:?}");
        assert_eq!(spent.server.map(|used| used.cpu), Some(Duration::from_millis(800)), "of the whole pair");
        assert_eq!((spent.memory, spent.window.is_none()), (Some(4096), true));
        assert_eq!(account.floor_costs(), Some([4.0, 4.2]));
    }

    #[test]
    fn turns_that_were_cut_short_are_no_measurement() {
        let account = account(vec![reading(Instant::now(), [0; 4])]);
        assert!(account.spent(0, 1.0).is_err());
        assert_eq!(Account { floor: [(Duration::ZERO, 0); 2], ..account }.floor_costs(), None);
    }
}
