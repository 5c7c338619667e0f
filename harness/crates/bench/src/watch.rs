//! What a server, the generator, the machine and the kernel did while a load ran.

use lab_core::network::AcceptQueues;
use lab_core::process::{Usage, machine_cpu_seconds, memory_of_tree, steal_seconds};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How often the memory is looked at. A look holds the server's memory map for a moment.
const LOOK: Duration = Duration::from_millis(250);
/// How long the processes of the last connections may take to end.
const SETTLE: Duration = Duration::from_millis(500);
/// The window begins so long after the load, and ends so long before it.
const MARGIN: Duration = Duration::from_millis(40);

/// The look before.
pub(crate) struct Watch {
    /// `None` for a server that is not ours to look into.
    pid: Option<u32>,
    before: Usage,
    machine: Option<f64>,
    steal: Option<f64>,
    queues: Option<AcceptQueues>,
    memory: Option<u64>,
    looked: Instant,
    /// When the generator was first seen.
    began: Option<Instant>,
    /// From when to when the load is on the server, after that.
    load: (Duration, Duration),
    /// Whether the generator is looked into: to read the times of thousands of processes would disturb them.
    looks: bool,
    /// How long the server is still being warmed up: what it does until then is not counted.
    warm_up: Duration,
    /// CPU time of the server and of the generator at both ends of the window.
    ends: Vec<(Instant, Usage, Usage)>,
}

/// What was used between the two looks.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spent {
    /// By the server's process tree.
    pub(crate) server: Option<Usage>,
    /// The same in the middle of the load, with the generator's; `None` where that ended too early, or was
    /// not looked into.
    pub(crate) window: Option<Window>,
    /// From the beginning of the load to the generator's end, s; `None` where it runs on another host.
    pub(crate) load_seconds: Option<f64>,
    /// CPU time of everything on the machine.
    pub(crate) machine: Option<f64>,
    pub(crate) steal: Option<f64>,
    pub(crate) queues: Option<AcceptQueues>,
    /// The largest Pss of the server's process tree that was seen.
    pub(crate) memory: Option<u64>,
}

/// CPU time, s, of the server and of the generator between the same two instants.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    pub(crate) seconds: f64,
    pub(crate) server: f64,
    pub(crate) generator: f64,
}

impl Watch {
    /// `load`: from when to when the load is on the server, from the start of the generator, without the
    /// warm-up.
    pub(crate) fn new(pid: Option<u32>, load: (Duration, Duration), warm_up: Duration, looks: bool) -> Self {
        Self {
            pid,
            before: pid.map(Usage::of_tree).unwrap_or_default(),
            machine: machine_cpu_seconds(),
            steal: steal_seconds(),
            queues: AcceptQueues::now(),
            memory: None,
            looked: Instant::now(),
            began: None,
            load,
            looks,
            warm_up,
            ends: Vec::new(),
        }
    }

    /// To be called often while the load runs; `generator` is its process, where it is one of this host.
    pub(crate) fn look(&mut self, generator: Option<u32>) {
        let since = generator.map(|_| self.began.get_or_insert_with(Instant::now).elapsed());
        if !self.warm_up.is_zero() && since.is_some_and(|since| since >= self.warm_up) {
            let began = self.began;
            *self = Self { began, ..Self::new(self.pid, self.load, Duration::ZERO, self.looks) };
        }
        let Some(pid) = self.pid else { return };
        if let Some((generator, since)) = generator.zip(since).filter(|_| self.looks) {
            let (from, to) = (self.load.0 + MARGIN, self.load.1.saturating_sub(MARGIN));
            if (self.ends.is_empty() && since >= from) || (self.ends.len() == 1 && since >= to) {
                // The server's time is read last: that is the one that counts most, and so the instant is
                // taken beside it.
                let used = Usage::of_tree(generator);
                self.ends.push((Instant::now(), Usage::of_tree(pid), used));
            }
        }
        if self.looked.elapsed() >= LOOK {
            // Option orders None before any size.
            self.memory = self.memory.max(memory_of_tree(pid));
            self.looked = Instant::now();
        }
    }

    /// The look after. The machine's clock stops first: the server may have to be waited for.
    pub(crate) fn spent(self) -> Spent {
        let load_seconds = self.began.map(|began| began.elapsed().saturating_sub(self.load.0).as_secs_f64());
        let difference =
            |after: Option<f64>, before: Option<f64>| after.zip(before).map(|(a, b)| (a - b).max(0.0));
        let machine = difference(machine_cpu_seconds(), self.machine);
        let steal = difference(steal_seconds(), self.steal);
        let queues = AcceptQueues::now().zip(self.queues).map(|(after, before)| after.since(before));
        let server = self.pid.map(|pid| settled(pid, self.before.processes).since(&self.before));
        Spent {
            server,
            window: window(&self.ends),
            load_seconds,
            machine,
            steal,
            queues,
            memory: self.memory,
        }
    }
}

fn window(ends: &[(Instant, Usage, Usage)]) -> Option<Window> {
    let [(from, server_before, generator_before), (to, server, generator)] = ends else { return None };
    let cpu = |after: &Usage, before: &Usage| after.since(before).cpu.as_secs_f64();
    Some(Window {
        seconds: to.duration_since(*from).as_secs_f64(),
        server: cpu(server, server_before),
        generator: cpu(generator, generator_before),
    })
}

/// The usage once the processes of the last connections have ended and were waited for, so that their time
/// is not lost between two looks.
pub fn settled(pid: u32, processes: usize) -> Usage {
    let start = Instant::now();
    loop {
        let usage = Usage::of_tree(pid);
        if usage.processes <= processes || start.elapsed() > SETTLE {
            return usage;
        }
        sleep(Duration::from_millis(10));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Child, Command};

    /// Protects the shares: what a tool uses before its load and after it is not divided by the load's time.
    #[test]
    fn both_times_are_read_at_the_same_two_instants() {
        let used = |millis| Usage { cpu: Duration::from_millis(millis), ..Usage::default() };
        let (from, later) = (Instant::now(), Duration::from_millis(900));
        let ends = [(from, used(1_000), used(5_000)), (from + later, used(1_450), used(5_880))];
        let window = window(&ends).expect("two instants");
        let found = [window.seconds, window.server, window.generator].map(|s| (s * 1000.0).round());
        assert_eq!(found, [900.0, 450.0, 880.0]);
    }

    #[test]
    fn the_times_of_two_processes_are_read_inside_their_load() {
        let busy = || Command::new("sh").args(["-c", "while :; do :; done"]).spawn().expect("sh is there");
        let mut children: [Child; 2] = [busy(), busy()];
        let [server, generator] = children.each_ref().map(Child::id);
        let load = (Duration::from_millis(50), Duration::from_millis(400));
        let (start, mut watch) = (Instant::now(), Watch::new(Some(server), load, Duration::ZERO, true));
        while watch.ends.len() < 2 {
            watch.look(Some(generator));
            sleep(Duration::from_millis(5));
        }
        let spent = watch.spent();
        for child in &mut children {
            child.kill().and_then(|()| child.wait()).expect("it runs");
        }
        let window = spent.window.expect("both instants have come");
        let whole = spent.server.expect("it is ours").cpu.as_secs_f64();
        let elapsed = start.elapsed().as_secs_f64();
        assert!((0.2..elapsed).contains(&window.seconds), "{window:?} of {elapsed} s");
        assert!(
            window.server <= whole && window.generator <= elapsed,
            "{window:?} of {whole} and {elapsed} s"
        );
    }

    /// Protects the cost of a request: the work of the warm-up is in no count of the generator.
    #[test]
    fn what_a_server_did_while_it_was_warmed_up_is_not_counted() {
        let mut server = Command::new("sh").args(["-c", "while :; do :; done"]).spawn().expect("sh is there");
        let warm_up = Duration::from_millis(300);
        let mut watch = Watch::new(Some(server.id()), (warm_up, warm_up), warm_up, false);
        while !watch.warm_up.is_zero() {
            watch.look(Some(server.id()));
            sleep(Duration::from_millis(5));
        }
        let warm = watch.before.cpu;
        let spent = watch.spent().server.expect("it is ours").cpu;
        let all = Usage::of_tree(server.id()).cpu;
        server.kill().and_then(|()| server.wait()).expect("it runs");
        assert!(warm > Duration::ZERO && spent <= all - warm, "{spent:?} of {all:?}, {warm:?} before");
    }

    #[test]
    fn a_load_that_ended_early_has_no_window() {
        let load = (Duration::ZERO, Duration::from_secs(600));
        let mut watch = Watch::new(Some(std::process::id()), load, Duration::ZERO, true);
        watch.look(Some(std::process::id()));
        sleep(Duration::from_millis(60));
        watch.look(Some(std::process::id()));
        assert!(watch.spent().window.is_none());
    }
}
