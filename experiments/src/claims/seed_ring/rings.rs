//! Both rings, as steps. **The first one is an exhibit: it is broken as the source describes it.**

use crate::model::{Program, Step};

/// A task's number; 0 is an empty slot.
pub(super) type Task = u8;

/// The ring of the source: what is shared, and where each thread stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SeedRing {
    slots: Vec<Task>,
    front: usize,
    rear: usize,
    /// The producers, each with the tasks that it still has and the slot that it has taken.
    producers: Vec<(Vec<Task>, Option<usize>)>,
    /// The slot that the worker has taken.
    taken: Option<usize>,
    done: Vec<Task>,
    tasks: usize,
    fault: Option<&'static str>,
}

pub(super) const STALE: &str = "a slot was read before its task was written";
pub(super) const OVERWRITTEN: &str = "a task was overwritten in a full ring";
const TWICE: &str = "a task was done twice";
const LOST: &str = "a task was never done";

impl SeedRing {
    pub(super) fn new(capacity: usize, producers: &[&[Task]]) -> Self {
        let tasks = producers.iter().map(|tasks| tasks.len()).sum();
        let producers = producers.iter().map(|tasks| (tasks.to_vec(), None)).collect();
        let (slots, done) = (vec![0; capacity], Vec::new());
        Self { slots, front: 0, rear: 0, producers, taken: None, done, tasks, fault: None }
    }

    fn produce(&mut self, producer: usize) -> Step {
        let capacity = self.slots.len();
        let (tasks, slot) = &mut self.producers[producer];
        match (slot.take(), tasks.first().copied()) {
            (_, None) => return Step::Ended,
            // The index moves first...
            (None, Some(_)) => {
                *slot = Some(self.front % capacity);
                self.front += 1;
            }
            // ...and the slot is filled a step later, whatever it holds.
            (Some(at), Some(task)) => {
                tasks.remove(0);
                let is_pending = self.slots[at] != 0 && !self.done.contains(&self.slots[at]);
                if is_pending {
                    self.fault = Some(OVERWRITTEN);
                }
                self.slots[at] = task;
            }
        }
        Step::Taken
    }

    fn work(&mut self) -> Step {
        match self.taken.take() {
            None if self.rear == self.front => return Step::Blocked,
            None => {
                self.taken = Some(self.rear % self.slots.len());
                self.rear += 1;
            }
            Some(at) => {
                match self.slots[at] {
                    0 => self.fault = Some(STALE),
                    task if self.done.contains(&task) => self.fault = Some(TWICE),
                    task => self.done.push(task),
                };
            }
        }
        Step::Taken
    }
}

impl Program for SeedRing {
    fn threads(&self) -> usize {
        self.producers.len() + 1
    }

    fn step(&mut self, thread: usize) -> Step {
        if thread < self.producers.len() { self.produce(thread) } else { self.work() }
    }

    fn next(&self, thread: usize) -> String {
        match self.producers.get(thread) {
            Some((tasks, None)) => format!("producer {thread} moves front for task {:?}", tasks.first()),
            Some((tasks, Some(slot))) => {
                format!("producer {thread} writes {:?} to slot {slot}", tasks.first())
            }
            None if self.taken.is_none() => "the worker moves rear".to_owned(),
            None => format!("the worker runs slot {:?}", self.taken),
        }
    }

    fn fault(&self, is_over: bool) -> Option<&'static str> {
        self.fault.or((is_over && self.done.len() != self.tasks).then_some(LOST))
    }
}

/// Stage 07's ring: one producer, which looks whether there is room, writes, and only then publishes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct OurRing {
    slots: Vec<Task>,
    head: usize,
    tail: usize,
    tasks: Vec<Task>,
    /// What the producer has seen of `head`, and whether it has written.
    producer: (Option<usize>, bool),
    /// What the worker has seen of `tail`, and what it has read.
    worker: (Option<usize>, Option<Task>),
    done: Vec<Task>,
    expected: usize,
    fault: Option<&'static str>,
}

impl OurRing {
    pub(super) fn new(capacity: usize, tasks: &[Task]) -> Self {
        Self {
            slots: vec![0; capacity],
            head: 0,
            tail: 0,
            tasks: tasks.to_vec(),
            producer: (None, false),
            worker: (None, None),
            done: Vec::new(),
            expected: tasks.len(),
            fault: None,
        }
    }
}

impl Program for OurRing {
    fn threads(&self) -> usize {
        2
    }

    fn step(&mut self, thread: usize) -> Step {
        let capacity = self.slots.len();
        match (thread, self.producer, self.worker) {
            (0, ..) if self.tasks.is_empty() => return Step::Ended,
            (0, (None, _), _) if self.tail - self.head == capacity => return Step::Blocked,
            (0, (None, _), _) => self.producer.0 = Some(self.head),
            (0, (Some(_), false), _) => {
                if self.slots[self.tail % capacity] != 0 {
                    self.fault = Some(OVERWRITTEN);
                }
                self.slots[self.tail % capacity] = self.tasks.remove(0);
                // The last task is published too: it stays in the list of what is to come until then.
                self.tasks.insert(0, 0);
                self.producer.1 = true;
            }
            (0, (Some(_), true), _) => {
                self.tasks.remove(0);
                (self.tail, self.producer) = (self.tail + 1, (None, false));
            }
            (_, _, (None, _)) if self.head == self.tail => return Step::Blocked,
            (_, _, (None, _)) => self.worker.0 = Some(self.tail),
            (_, _, (Some(_), None)) => {
                let task = std::mem::take(&mut self.slots[self.head % capacity]);
                match task {
                    0 => self.fault = Some(STALE),
                    task if self.done.contains(&task) => self.fault = Some(TWICE),
                    task => self.done.push(task),
                }
                self.worker.1 = Some(task);
            }
            (_, _, (Some(_), Some(_))) => (self.head, self.worker) = (self.head + 1, (None, None)),
        }
        Step::Taken
    }

    fn next(&self, thread: usize) -> String {
        if thread == 0 { "the producer".to_owned() } else { "the worker".to_owned() }
    }

    fn fault(&self, is_over: bool) -> Option<&'static str> {
        self.fault.or((is_over && self.done.len() != self.expected).then_some(LOST))
    }
}
