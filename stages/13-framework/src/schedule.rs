//! Tasks for a later time: `run_after` and `run_every`.
//!
//! The source makes a timerfd for each, so a timer costs a descriptor and a system call. Here it is an entry
//! in the tree of the loop's deadlines (`timers`), beside those of the connections, and what wakes the loop
//! is the timeout of the wait that it makes anyway.
//!
//! A timer belongs to one loop and its task runs there. Any thread may cancel it: the two agree over one
//! atomic, so a task never begins after [`ScheduledTask::cancel`] has returned.

use crate::handle::Server;
use kit::connection_table::Token;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering::AcqRel, Ordering::Acquire};
use timers::{Deadlines, Timer};

/// No connection's token has this bit: descriptor numbers do not reach this far.
const MARK: Token = 1 << 31;

const WAITING: u8 = 0;
const RUNNING: u8 = 1;
const OVER: u8 = 2;

/// A task that waits for its time. Dropping this changes nothing.
#[derive(Clone, Debug)]
pub struct ScheduledTask {
    pub(crate) state: Arc<TaskState>,
    pub(crate) server: Server,
    pub(crate) worker: usize,
    pub(crate) id: u64,
}

/// Whether a task may still run.
#[derive(Debug, Default)]
pub(crate) struct TaskState(AtomicU8);

impl TaskState {
    /// The task is about to run. AcqRel, here and in the others: what the canceller did before is seen by a
    /// task that does not run, and what the task did by a canceller that comes too late.
    fn begin(&self) -> bool {
        self.0.compare_exchange(WAITING, RUNNING, AcqRel, Acquire).is_ok()
    }

    /// The task has run, and is to run again. False if it was cancelled meanwhile.
    fn repeat(&self) -> bool {
        self.0.compare_exchange(RUNNING, WAITING, AcqRel, Acquire).is_ok()
    }

    /// Returns whether it was not over before.
    fn end(&self) -> bool {
        self.0.swap(OVER, AcqRel) != OVER
    }
}

impl ScheduledTask {
    /// Lets the task not run any more. Once this has returned it does not begin; one that is running at this
    /// moment, on the thread of its loop, is not interrupted. Returns false if it had run for the last time,
    /// or was cancelled before.
    pub fn cancel(&self) -> bool {
        let was_alive = self.state.end();
        if was_alive {
            let id = self.id;
            self.server.queue(self.worker, move |event_loop| event_loop.forget_task(id));
        }
        was_alive
    }
}

/// What runs at a time, how often, and when next.
pub(crate) struct Entry {
    pub(crate) task: Box<dyn FnMut(&Server) + Send>,
    pub(crate) state: Arc<TaskState>,
    /// When it is due (ms of the loop's clock).
    pub(crate) at: u64,
    /// The time between two runs, in ms.
    pub(crate) every: u64,
    /// How many runs are left; None for ever.
    pub(crate) left: Option<u32>,
    pub(crate) timer: Option<Timer>,
}

/// The tasks of one loop.
#[derive(Default)]
pub(crate) struct Schedule {
    entries: HashMap<u64, Entry>,
}

/// What is left to do with a task that was due.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Ran {
    /// It was cancelled, and has been counted out by whoever did so.
    Cancelled,
    /// It ran for the last time.
    Last,
    /// It will run again.
    Again,
}

impl Schedule {
    /// The id that a key of [`Deadlines`] stands for, if it is one of a task.
    pub(crate) fn id_of(key: Token) -> Option<u64> {
        (key & MARK != 0).then_some(key >> 32 << 31 | key & (MARK - 1))
    }

    fn key_of(id: u64) -> Token {
        id >> 31 << 32 | MARK | id & (MARK - 1)
    }

    pub(crate) fn insert(&mut self, id: u64, mut entry: Entry, deadlines: &mut Deadlines) {
        deadlines.arm(&mut entry.timer, Some(entry.at), Self::key_of(id));
        self.entries.insert(id, entry);
    }

    /// Takes a task out that was cancelled. Returns whether it was there.
    pub(crate) fn remove(&mut self, id: u64, deadlines: &mut Deadlines) -> bool {
        let Some(entry) = self.entries.remove(&id) else { return false };
        deadlines.cancel(entry.timer);
        true
    }

    /// Runs a task whose time has come at `now`.
    pub(crate) fn run(&mut self, id: u64, now: u64, server: &Server, deadlines: &mut Deadlines) -> Ran {
        let Some(mut entry) = self.entries.remove(&id) else { return Ran::Cancelled };
        entry.timer = None;
        if !entry.state.begin() {
            // `forget_task` is on its way, and will find nothing.
            return Ran::Cancelled;
        }
        (entry.task)(server);
        entry.left = entry.left.map(|left| left - 1);
        if entry.left == Some(0) {
            return if entry.state.end() { Ran::Last } else { Ran::Cancelled };
        }
        if !entry.state.repeat() {
            return Ran::Cancelled;
        }
        // In step with the first time. Times that were missed are not made up for.
        let missed = now.saturating_sub(entry.at) / entry.every.max(1);
        entry.at += (missed + 1) * entry.every.max(1);
        self.insert(id, entry, deadlines);
        Ran::Again
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Settings;
    use nix::sys::epoll::{Epoll, EpollCreateFlags};
    use std::sync::mpsc::{Receiver, Sender, channel};
    use timers::Structure;
    use timers::source::WakeBy;

    struct Fixture {
        schedule: Schedule,
        deadlines: Deadlines,
        server: Server,
        runs: Sender<u64>,
        ran: Receiver<u64>,
    }

    impl Fixture {
        fn new() -> Self {
            let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).unwrap();
            let deadlines = Deadlines::new(Structure::Tree, WakeBy::Epoll, &epoll, 0, 0).unwrap();
            let (runs, ran) = channel();
            let server = Server::new(Settings::default()).unwrap();
            Self { schedule: Schedule::default(), deadlines, server, runs, ran }
        }

        fn add(&mut self, id: u64, at: u64, every: u64, left: Option<u32>) -> Arc<TaskState> {
            let (state, runs) = (Arc::<TaskState>::default(), self.runs.clone());
            let task = Box::new(move |_: &Server| runs.send(id).unwrap());
            let entry = Entry { task, state: Arc::clone(&state), at, every, left, timer: None };
            self.schedule.insert(id, entry, &mut self.deadlines);
            state
        }

        /// What runs when the loop looks at `now`.
        fn look(&mut self, now: u64) -> Vec<u64> {
            for key in self.deadlines.expired(now) {
                let id = Schedule::id_of(key).expect("a task's key");
                self.schedule.run(id, now, &self.server, &mut self.deadlines);
            }
            self.ran.try_iter().collect()
        }
    }

    /// Protects every user of a timer: in the order of the times, those of one time in the order in which
    /// they were asked for, each once, and none before its time.
    #[test]
    fn tasks_run_once_in_order_and_at_their_time() {
        let mut fixture = Fixture::new();
        for (id, at) in [(1, 30), (2, 10), (3, 20), (4, 10)] {
            fixture.add(id, at, 0, Some(1));
        }
        assert_eq!(fixture.look(9), []);
        assert_eq!(fixture.look(10), [2, 4]);
        assert_eq!(fixture.look(29), [3]);
        assert_eq!(fixture.look(100), [1]);
        assert_eq!(fixture.look(1000), []);
    }

    /// Protects a repetition from drift, and a loop that was held up from a burst of missed runs.
    #[test]
    fn repetitions_keep_step_and_end_after_their_number() {
        let mut fixture = Fixture::new();
        fixture.add(1, 10, 10, Some(4));
        fixture.add(2, 10, 10, None);
        let runs: Vec<_> = [10, 22, 29, 30, 85, 89, 90, 100].map(|now| fixture.look(now)).into();
        let expected: [&[u64]; 8] = [&[1, 2], &[1, 2], &[], &[1, 2], &[1, 2], &[], &[2], &[2]];
        assert_eq!(runs, expected);
    }

    /// Protects a task's data: it may be gone once the canceller has heard that the task will not run.
    #[test]
    fn a_cancelled_task_does_not_run_though_its_time_had_come() {
        let mut fixture = Fixture::new();
        let states = [1, 2, 3].map(|id| fixture.add(id, 10, 10, None));
        let due = fixture.deadlines.expired(10);
        assert!(states[1].end(), "it was alive");
        assert!(!states[1].end(), "and is cancelled once");
        for key in due {
            let id = Schedule::id_of(key).unwrap();
            let ran = fixture.schedule.run(id, 10, &fixture.server, &mut fixture.deadlines);
            assert_eq!(ran, if id == 2 { Ran::Cancelled } else { Ran::Again });
        }
        assert!(fixture.schedule.remove(3, &mut fixture.deadlines));
        assert_eq!(fixture.look(20), [1, 3, 1], "1 and 3 ran at 10, and 1 again");
    }

    /// Protects connections from a task that would be taken for one of them, and tasks from each other.
    #[test]
    fn a_key_is_no_connections_and_has_its_id_back() {
        for id in [0, 1, u64::from(u32::MAX) >> 1, 1 << 31, 1 << 40, (1 << 62) + 12_345] {
            assert_eq!(Schedule::id_of(Schedule::key_of(id)), Some(id));
        }
        assert_eq!(Schedule::id_of(7 << 32 | 1_048_575), None);
    }
}
