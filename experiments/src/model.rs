//! Every order in which a few threads can take their steps, for programs small enough to be written as steps.
//!
//! A program is a state that can be copied, and a function that takes the next step of a thread. The explorer
//! takes each possible next step of each thread from each state that can be reached, once, and so visits all
//! orders. The memory is sequentially consistent: what every thread writes, all see at once. That is more
//! than a processor promises, so a fault that is found here needs no weak memory and no rare processor. (The
//! lab's own ring is also examined by loom, which knows weak memory:
//! `stages/07-lockless-queues/tests/loom.rs`.)

use std::collections::{BTreeSet, VecDeque};

/// What a step of a thread led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The thread has taken a step.
    Taken,
    /// The thread waits for another one.
    Blocked,
    /// The thread has ended.
    Ended,
}

/// A program of several threads.
pub trait Program: Clone + Ord {
    /// How many threads it has.
    fn threads(&self) -> usize;

    /// Takes the next step of a thread; a thread that is blocked or has ended changes nothing.
    fn step(&mut self, thread: usize) -> Step;

    /// What the thread will do next, for a trace.
    fn next(&self, thread: usize) -> String;

    /// What is wrong with this state, if it is. `is_over`: no thread can take a step.
    fn fault(&self, is_over: bool) -> Option<&'static str>;
}

/// What the exploration found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Explored {
    /// Different states that can be reached.
    pub states: usize,
    /// Those in which no thread can take a step.
    pub ends: usize,
    /// Different states with a fault.
    pub faulty: usize,
    /// The kinds of faults.
    pub kinds: BTreeSet<&'static str>,
    /// A shortest way to a fault, step by step, and its kind.
    pub shortest: Option<(Vec<String>, &'static str)>,
}

/// Visits every state that can be reached from `start`, the nearest first; what follows a fault is not looked
/// at.
pub fn explore<P: Program>(start: P) -> Explored {
    let mut explored = Explored::default();
    let mut seen = BTreeSet::from([start.clone()]);
    // Every state that was reached, with the one that it was reached from, to tell the way to a fault.
    let mut reached: Vec<(P, Option<(usize, String)>)> = vec![(start, None)];
    let mut waiting = VecDeque::from([0]);
    while let Some(at) = waiting.pop_front() {
        let state = reached[at].0.clone();
        explored.states += 1;
        let mut nexts = Vec::new();
        for thread in 0..state.threads() {
            let mut next = state.clone();
            let doing = state.next(thread);
            if next.step(thread) == Step::Taken {
                nexts.push((next, doing));
            }
        }
        explored.ends += usize::from(nexts.is_empty());
        if let Some(kind) = state.fault(nexts.is_empty()) {
            explored.faulty += 1;
            explored.kinds.insert(kind);
            explored.shortest.get_or_insert_with(|| (way(&reached, at), kind));
            continue;
        }
        for (next, doing) in nexts {
            if seen.insert(next.clone()) {
                waiting.push_back(reached.len());
                reached.push((next, Some((at, doing))));
            }
        }
    }
    explored
}

/// The steps from the start to a state.
fn way<P>(reached: &[(P, Option<(usize, String)>)], mut at: usize) -> Vec<String> {
    let mut steps = Vec::new();
    while let Some((from, doing)) = &reached[at].1 {
        steps.push(doing.clone());
        at = *from;
    }
    steps.reverse();
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two threads that add 1 to a number: each reads it, then writes it, or does both in one step.
    #[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
    struct Adders {
        number: u32,
        read: [Option<u32>; 2],
        done: [bool; 2],
        is_atomic: bool,
    }

    impl Program for Adders {
        fn threads(&self) -> usize {
            2
        }

        fn step(&mut self, thread: usize) -> Step {
            if self.done[thread] {
                return Step::Ended;
            }
            match self.read[thread] {
                None if self.is_atomic => (self.number, self.done[thread]) = (self.number + 1, true),
                None => self.read[thread] = Some(self.number),
                Some(read) => (self.number, self.done[thread]) = (read + 1, true),
            }
            Step::Taken
        }

        fn next(&self, thread: usize) -> String {
            format!("{thread} {}", if self.read[thread].is_none() { "reads" } else { "writes" })
        }

        fn fault(&self, is_over: bool) -> Option<&'static str> {
            (is_over && self.number != 2).then_some("an addition was lost")
        }
    }

    /// Protects every verdict that rests on this: an explorer that visits one order would pass anything.
    #[test]
    fn a_lost_update_is_found_by_the_shortest_way_and_an_atomic_one_passes() {
        let start = |is_atomic| Adders { number: 0, read: [None; 2], done: [false; 2], is_atomic };
        let found = explore(start(false));
        assert_eq!(found.kinds, BTreeSet::from(["an addition was lost"]));
        let (steps, _) = found.shortest.expect("it was found");
        assert_eq!(steps.len(), 4);
        assert!(steps[..2].iter().all(|step| step.ends_with("reads")), "{steps:?}");
        let sound = explore(start(true));
        assert_eq!((sound.faulty, sound.states, sound.ends), (0, 4, 1));
    }
}
