//! Running probes: one with its server, or all of them a few at a time, each and all within a limit.

use super::evidence::Evidence;
use super::profile::{current, is_of_the_profile};
use super::replays;
use super::transcript::Recorder;
use super::{Fault, Finding, Outcome, Probe, Subject, Target};
use lab_core::server_process::{Ender, Server};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::TcpStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Probes spend nearly all of their time waiting, so several share a CPU without disturbing each other.
const AT_ONCE: usize = 8;

/// How often a run looks whether it has been interrupted.
const LOOK: Duration = Duration::from_millis(50);

/// Runs one probe with a server of its own.
pub fn run_one(probe: &'static Probe, target: &Target) -> Finding {
    let start = Instant::now();
    let recorder = Recorder::default();
    let result = recorder.during(|| judge(probe, target));
    let (outcome, detail, hint, evidence) = match result {
        Ok(remark) => (Outcome::Pass, remark, "", None),
        Err(fault) => {
            let evidence = Evidence::of(probe, target, &recorder, &fault);
            (fault.outcome, fault.detail.clone(), replays::hint(probe.name, probe.hint, &fault), evidence)
        }
    };
    // A probe says so of what it cannot ask on this machine or in this way; what the server lacks is known
    // before.
    let is_excused = outcome == Outcome::NotApplicable;
    let seconds = start.elapsed().as_secs_f64();
    Finding { probe: probe.name, outcome, detail, hint, seconds, evidence, is_excused }
}

/// The remark of a probe that passes. A crash beats what the probe saw of it.
fn judge(probe: &Probe, target: &Target) -> Result<String, Fault> {
    let mut subject = Subject::start(target, &probe.setup)?;
    let verdict = (probe.run)(&mut subject);
    if verdict.is_err() && matches!(target, Target::Address(_)) {
        // One that ends closes its connections a moment before its listener, and the next probe would be
        // taken for the one that ended it.
        thread::sleep(Duration::from_millis(200));
    }
    match subject.crash() {
        Some(words) => Err(Fault::crash(words)),
        None => verdict.map(|()| subject.remark),
    }
}

/// How long a run may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Each probe: after this time its server is ended.
    pub probe: Duration,
    /// All of them: after this time no more are begun.
    pub all: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { probe: Duration::from_secs(30), all: Duration::from_secs(180) }
    }
}

/// A run of several probes.
pub struct Run<'a> {
    /// How long it may take.
    pub limits: Limits,
    /// Why a probe is not to be run, where it is not: the server lacks what it asks for.
    pub lacks: &'a dyn Fn(&Probe) -> Option<String>,
    /// Whether a finding is the last one: those that are not begun yet are not run any more.
    pub is_last: Option<&'a dyn Fn(&Finding) -> bool>,
    /// Whether the run has been interrupted.
    pub is_interrupted: &'a dyn Fn() -> bool,
    /// Called with each finding as it comes.
    pub done: &'a dyn Fn(&Finding),
}

thread_local! {
    /// The servers of the probe that runs on this thread.
    static SERVERS: RefCell<Arc<Mutex<Servers>>> = RefCell::default();
}

/// The servers of one probe, so that they can be ended from outside when its time is over.
#[derive(Debug, Default)]
struct Servers {
    enders: Vec<Ender>,
    is_over: bool,
}

/// Notes a server that has been started for the probe that runs on this thread.
pub(super) fn running(server: &Server) {
    let Some(ender) = server.ender() else { return };
    SERVERS.with_borrow(|servers| {
        let mut servers = servers.lock().unwrap_or_else(PoisonError::into_inner);
        if servers.is_over {
            ender.end();
        }
        servers.enders.push(ender);
    });
}

/// A probe that runs.
struct Running {
    probe: &'static Probe,
    begun: Instant,
    servers: Arc<Mutex<Servers>>,
}

impl Running {
    /// Ends its servers, and any that it starts from now on.
    fn end(&self) {
        let mut servers = self.servers.lock().unwrap_or_else(PoisonError::into_inner);
        servers.is_over = true;
        servers.enders.iter().for_each(Ender::end);
    }
}

/// The state of a run.
struct Progress<'a> {
    run: &'a Run<'a>,
    target: Arc<Target>,
    findings: BTreeMap<usize, Finding>,
    running: BTreeMap<usize, Running>,
    sender: Sender<(usize, Finding)>,
    receiver: Receiver<(usize, Finding)>,
    begun: Instant,
    /// Why no further probe is run.
    over: Option<Over>,
    /// The probe that ended a server which we cannot start again.
    gone_since: Option<&'static str>,
}

/// Why no further probe is run: the reason, and whether it is none of the server's.
struct Over {
    reason: String,
    is_excused: bool,
    is_interrupted: bool,
}

/// Runs the probes and returns the findings in the order of `probes`: of all of them, or, if the run was
/// interrupted, of those that had ended.
pub fn run_all(probes: &[&'static Probe], target: &Target, run: &Run<'_>) -> Vec<Finding> {
    // A server that runs already is shared, so only one probe at a time is undisturbed there.
    let shares_a_server = matches!(target, Target::Address(_));
    let (alone, together): (Vec<usize>, Vec<usize>) =
        (0..probes.len()).partition(|&index| probes[index].alone || shares_a_server);
    let (sender, receiver) = channel();
    let mut progress = Progress {
        run,
        target: Arc::new(target.clone()),
        findings: BTreeMap::new(),
        running: BTreeMap::new(),
        sender,
        receiver,
        begun: Instant::now(),
        over: None,
        gone_since: None,
    };
    // The first failure must be the first one in the order of the probes, and not in that of their ends.
    let queues = match run.is_last {
        Some(_) => vec![(1, (0..probes.len()).collect())],
        None => vec![(AT_ONCE, together), (1, alone)],
    };
    for (at_once, queue) in queues {
        for index in queue {
            while progress.running.len() >= at_once {
                progress.step();
            }
            progress.begin(index, probes[index]);
        }
        while !progress.running.is_empty() {
            progress.step();
        }
    }
    progress.findings.into_values().collect()
}

impl Progress<'_> {
    fn begin(&mut self, index: usize, probe: &'static Probe) {
        let limits = &self.run.limits;
        if self.over.is_none() && self.begun.elapsed() >= limits.all {
            let reason = format!("the {:?} for all probes were over (--limit)", limits.all);
            self.over = Some(Over { reason, is_excused: false, is_interrupted: false });
        }
        if let Some(over) = &self.over {
            if !over.is_interrupted {
                let finding = Finding::skipped(probe, &over.reason, over.is_excused);
                self.finish(index, finding);
            }
            return;
        }
        // What cannot be asked in this way says nothing about the server, whatever that lacks; nor does what
        // its profile does not have.
        let outside = current().leaves_out(probe).map(|reason| (reason, true));
        let hindrance = || self.target.hindrance(&probe.setup).map(|reason| (reason.to_owned(), true));
        let skipped = outside.or_else(hindrance);
        let skipped = skipped.or_else(|| (self.run.lacks)(probe).map(|reason| (reason, false)));
        let skipped = skipped.or_else(|| self.gone().map(|reason| (reason, false)));
        if let Some((reason, is_excused)) = skipped {
            return self.finish(index, Finding::skipped(probe, &reason, is_excused));
        }
        let (target, sender) = (Arc::clone(&self.target), self.sender.clone());
        let servers = Arc::new(Mutex::new(Servers::default()));
        let running = Running { probe, begun: Instant::now(), servers: Arc::clone(&servers) };
        self.running.insert(index, running);
        thread::spawn(move || {
            SERVERS.set(servers);
            let finding = catch_unwind(AssertUnwindSafe(|| run_one(probe, &target))).unwrap_or_else(|_| {
                Finding::skipped(probe, "the grader itself failed, and said so on stderr", true)
            });
            // Nobody may be waiting for it any more.
            let _ = sender.send((index, finding));
        });
    }

    /// Why nothing can be asked of a server that runs already: it does so no more.
    fn gone(&self) -> Option<String> {
        let (Target::Address(addr), Some(probe)) = (&*self.target, self.gone_since) else { return None };
        let is_gone = TcpStream::connect_timeout(addr, Duration::from_secs(1)).is_err();
        is_gone.then(|| format!("the server is gone since {probe}"))
    }

    /// Waits for the next finding, the end of a probe's time, or an interruption.
    fn step(&mut self) {
        match self.receiver.recv_timeout(LOOK) {
            // One whose time was over has its finding.
            Ok((index, finding)) if self.running.remove(&index).is_some() => self.finish(index, finding),
            Ok(_) | Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
        }
        if (self.run.is_interrupted)() {
            return self.interrupt();
        }
        let limits = self.run.limits;
        let is_late = |running: &Running| running.begun.elapsed() >= limits.probe;
        let late: Vec<usize> =
            self.running.iter().filter(|(_, running)| is_late(running)).map(|(index, _)| *index).collect();
        for index in late {
            let Some(running) = self.running.remove(&index) else { continue };
            running.end();
            let detail = format!("not done within {:?} (--probe-limit)", limits.probe);
            let finding = Finding {
                outcome: Outcome::Hang,
                hint: running.probe.hint,
                seconds: running.begun.elapsed().as_secs_f64(),
                ..Finding::skipped(running.probe, &detail, false)
            };
            self.finish(index, finding);
        }
    }

    /// Ends every server, and waits a moment until the probes have seen it: nothing is left behind then.
    fn interrupt(&mut self) {
        const MOMENT: Duration = Duration::from_secs(2);
        self.running.values().for_each(Running::end);
        let start = Instant::now();
        let has_servers = !matches!(*self.target, Target::Address(_));
        while has_servers && !self.running.is_empty() && start.elapsed() < MOMENT {
            if let Ok((index, _)) = self.receiver.recv_timeout(LOOK) {
                self.running.remove(&index);
            }
        }
        self.running.clear();
        self.over = Some(Over { reason: String::new(), is_excused: true, is_interrupted: true });
    }

    fn finish(&mut self, index: usize, finding: Finding) {
        (self.run.done)(&finding);
        if finding.outcome == Outcome::Crash {
            self.gone_since.get_or_insert(finding.probe);
        }
        if self.over.is_none() && self.run.is_last.is_some_and(|is_last| is_last(&finding)) {
            let reason = format!("not run after the first failure, {}", finding.probe);
            self.over = Some(Over { reason, is_excused: false, is_interrupted: false });
        }
        self.findings.insert(index, finding);
    }
}

impl Finding {
    /// Whether it is about what the profile of the server does not have.
    pub fn is_outside_profile(&self) -> bool {
        self.outcome == Outcome::NotApplicable && is_of_the_profile(&self.detail)
    }

    /// A probe that was not run. `is_excused`: for no reason of the server's.
    pub fn skipped(probe: &'static Probe, reason: &str, is_excused: bool) -> Self {
        Self {
            probe: probe.name,
            outcome: Outcome::NotApplicable,
            detail: reason.to_owned(),
            hint: "",
            seconds: 0.0,
            evidence: None,
            is_excused,
        }
    }
}
