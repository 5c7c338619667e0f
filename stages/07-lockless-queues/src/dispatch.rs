//! Who gets which connection, and what happens when a lane is full.
//!
//! Round-robin, each event goes to the next worker, and `EPOLLONESHOT` keeps two workers from one connection. By
//! descriptor, a connection always goes to the same worker: nobody else can have it, so it needs no ONESHOT
//! and is never armed again.
//!
//! **A full lane loses nothing and blocks nobody.** Round-robin, the other lanes are tried first. What fits nowhere waits
//! in a list of the dispatcher's own and is tried again after a millisecond at most ([`Dispatcher::retry`]), so the
//! dispatcher neither blocks (its workers may be the ones that wait for it) nor spins. The list is bounded, since a
//! connection is queued at most once ([`Shared::enqueue`]).

use crate::doorbell::Wakeup;
use crate::lane::{Kind, Lane, Post, lane};
use clap::{Args, ValueEnum};
use kit::options::workers;
use oneshot::shared::Shared;
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use thread_pool::queue::{Receiver, Sender, queue};

/// How connections get from the reactor to the workers.
#[derive(Args, Clone, Debug)]
pub struct Handover {
    /// How many threads serve connections
    #[arg(long, value_name = "N", default_value = "4", value_parser = workers)]
    pub workers: usize,

    /// What the dispatcher hands connections over with
    #[arg(long, value_enum, default_value = "ring")]
    pub queue: Queue,

    /// How many connections a worker's queue holds
    #[arg(long, value_name = "N", default_value_t = 1024, value_parser = clap::value_parser!(u32).range(1..=1 << 20))]
    pub queue_capacity: u32,

    /// Which worker gets a connection
    #[arg(long, value_enum, default_value = "round-robin")]
    pub dispatch: Dispatch,

    /// How a sleeping worker is woken
    #[arg(long, value_enum, default_value = "eventfd")]
    pub wakeup: Wakeup,
}

/// What the dispatcher hands connections over with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Queue {
    /// Stage 06's one locked queue for all workers
    Shared,
    /// A locked queue for each worker
    Mutex,
    /// crossbeam's ArrayQueue for each worker
    Crossbeam,
    /// A ring with one producer and one consumer for each worker
    Ring,
}

/// Which worker gets a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Dispatch {
    /// The next one, for each event
    RoundRobin,
    /// Always the same one, by the descriptor's number: no ONESHOT, no re-arming
    ByDescriptor,
}

impl Handover {
    /// Whether the options agree with each other.
    ///
    /// # Errors
    /// What is allowed.
    pub fn check(&self) -> io::Result<()> {
        if self.queue == Queue::Shared && self.dispatch == Dispatch::ByDescriptor {
            let allowed =
                "--dispatch by-descriptor needs a queue per worker: --queue mutex, crossbeam or ring";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, allowed));
        }
        Ok(())
    }
}

/// Hands jobs to the workers.
pub enum Dispatcher {
    /// Stage 06's one queue for all.
    Shared(Sender<Arc<Shared>>),
    /// A lane for each.
    Lanes {
        /// The lanes, in the order of the workers.
        lanes: Vec<Lane<Arc<Shared>>>,
        /// Who gets what.
        dispatch: Dispatch,
        /// Round-robin: whose turn it is.
        next: usize,
        /// What fitted nowhere, with the lane it was meant for.
        waiting: VecDeque<(usize, Arc<Shared>)>,
    },
}

/// Where a worker gets its jobs.
pub enum Desk {
    /// Stage 06's one queue for all.
    Shared(Receiver<Arc<Shared>>),
    /// Its own lane.
    Own(Post<Arc<Shared>>),
}

/// A dispatcher, and a desk for each worker. There are never more than `most` connections.
///
/// # Errors
/// When a doorbell cannot be made.
pub fn dispatcher(options: &Handover, most: usize) -> io::Result<(Dispatcher, Vec<Desk>)> {
    let kind = match options.queue {
        Queue::Shared => {
            let (sender, receiver) = queue(most);
            let desks = (0..options.workers).map(|_| Desk::Shared(receiver.clone())).collect();
            return Ok((Dispatcher::Shared(sender), desks));
        }
        Queue::Mutex => Kind::Mutex,
        Queue::Crossbeam => Kind::Crossbeam,
        Queue::Ring => Kind::Ring,
    };
    let make = |_| lane(kind, options.queue_capacity as usize, options.wakeup);
    let both = (0..options.workers).map(make).collect::<io::Result<Vec<_>>>()?;
    let (lanes, posts): (Vec<_>, Vec<_>) = both.into_iter().unzip();
    let desks = posts.into_iter().map(Desk::Own).collect();
    Ok((Dispatcher::Lanes { lanes, dispatch: options.dispatch, next: 0, waiting: VecDeque::new() }, desks))
}

impl Dispatcher {
    /// Hands out a connection.
    pub fn send(&mut self, job: Arc<Shared>) {
        match self {
            Dispatcher::Shared(sender) => drop(sender.send(job)),
            Dispatcher::Lanes { lanes, dispatch, next, waiting } => {
                let lane = match dispatch {
                    // The low half of a token is the descriptor.
                    Dispatch::ByDescriptor => job.token() as u32 as usize % lanes.len(),
                    Dispatch::RoundRobin => {
                        *next = (*next + 1) % lanes.len();
                        *next
                    }
                };
                if let Err(job) = offer(lanes, *dispatch, lane, job) {
                    waiting.push_back((lane, job));
                }
            }
        }
    }

    /// Tries once more what fitted nowhere. True if something still waits: come back within a millisecond.
    pub fn retry(&mut self) -> bool {
        let Dispatcher::Lanes { lanes, dispatch, waiting, .. } = self else { return false };
        for _ in 0..waiting.len() {
            let Some((lane, job)) = waiting.pop_front() else { break };
            if let Err(job) = offer(lanes, *dispatch, lane, job) {
                waiting.push_back((lane, job));
            }
        }
        !waiting.is_empty()
    }
}

/// Offers a job to its lane, and round-robin to the others too.
fn offer(
    lanes: &mut [Lane<Arc<Shared>>],
    dispatch: Dispatch,
    lane: usize,
    mut job: Arc<Shared>,
) -> Result<(), Arc<Shared>> {
    let tries = if dispatch == Dispatch::RoundRobin { lanes.len() } else { 1 };
    for step in 0..tries {
        match lanes[(lane + step) % lanes.len()].send(job) {
            Ok(()) => return Ok(()),
            Err(back) => job = back,
        }
    }
    Err(job)
}

impl Desk {
    /// The next job; `None` when the server has stopped.
    pub fn recv(&mut self) -> Option<Arc<Shared>> {
        match self {
            Desk::Shared(receiver) => receiver.recv(),
            Desk::Own(post) => post.recv(),
        }
    }
}
