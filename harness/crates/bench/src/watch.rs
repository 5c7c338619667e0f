//! What a server, the machine and the kernel did while a load ran: a look before it, a look after it.

use lab_core::network::AcceptQueues;
use lab_core::process::{Usage, machine_cpu_seconds, memory_of_tree, steal_seconds};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How often the memory is looked at. A look holds the server's memory map for a moment.
const LOOK: Duration = Duration::from_millis(250);
/// How long the processes of the last connections may take to end.
const SETTLE: Duration = Duration::from_millis(500);

/// The look before.
pub(crate) struct Watch {
    /// `None` for a server that is not ours to look into.
    pid: Option<u32>,
    before: Usage,
    machine: Option<f64>,
    steal: Option<f64>,
    queues: Option<AcceptQueues>,
    memory: Option<u64>,
    last: Instant,
}

/// What was used between the two looks.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spent {
    /// By the server's process tree.
    pub(crate) server: Option<Usage>,
    /// CPU time of everything on the machine.
    pub(crate) machine: Option<f64>,
    pub(crate) steal: Option<f64>,
    pub(crate) queues: Option<AcceptQueues>,
    /// The largest Pss of the server's process tree that was seen.
    pub(crate) memory: Option<u64>,
}

impl Watch {
    pub(crate) fn new(pid: Option<u32>) -> Self {
        Self {
            pid,
            before: pid.map(Usage::of_tree).unwrap_or_default(),
            machine: machine_cpu_seconds(),
            steal: steal_seconds(),
            queues: AcceptQueues::now(),
            memory: None,
            last: Instant::now(),
        }
    }

    /// To be called often while the load runs.
    pub(crate) fn look(&mut self) {
        if let Some(pid) = self.pid
            && self.last.elapsed() >= LOOK
        {
            // Option orders None before any size.
            self.memory = self.memory.max(memory_of_tree(pid));
            self.last = Instant::now();
        }
    }

    /// The look after. The machine's clock stops first: the server may have to be waited for.
    pub(crate) fn spent(self) -> Spent {
        let difference =
            |after: Option<f64>, before: Option<f64>| after.zip(before).map(|(a, b)| (a - b).max(0.0));
        let machine = difference(machine_cpu_seconds(), self.machine);
        let steal = difference(steal_seconds(), self.steal);
        let queues = AcceptQueues::now().zip(self.queues).map(|(after, before)| after.since(before));
        let server = self.pid.map(|pid| settled(pid, self.before.processes).since(&self.before));
        Spent { server, machine, steal, queues, memory: self.memory }
    }
}

/// The usage once the processes of the last connections have ended and were waited for, so that their time
/// is not lost between two looks.
fn settled(pid: u32, processes: usize) -> Usage {
    let start = Instant::now();
    loop {
        let usage = Usage::of_tree(pid);
        if usage.processes <= processes || start.elapsed() > SETTLE {
            return usage;
        }
        sleep(Duration::from_millis(10));
    }
}
