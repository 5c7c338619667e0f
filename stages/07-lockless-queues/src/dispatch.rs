//! Which worker gets which connection, and what happens when its channel is full.
//!
//! Round-robin, each event goes to the next worker, and `EPOLLONESHOT` keeps two workers from one connection.
//! By descriptor, a connection always goes to the same worker: no other worker can have it, so it needs no
//! ONESHOT and is never re-armed.
//!
//! **A full channel loses nothing and blocks no thread.** Round-robin, the other channels are tried first. A
//! job that fits nowhere waits in a list of the dispatcher's own and is tried again after a millisecond at
//! most ([`Dispatcher::retry`]), so the dispatcher neither blocks (its workers may be the ones that wait for
//! it) nor spins. The list is bounded, since a connection is queued at most once
//! ([`SharedConnection::enqueue`]).
//!
//! With `--overload` there is one queue for all workers that decides whom to serve, and may refuse: see
//! [`load_shedding`].

use crate::channel::{self, Kind, channel};
use crate::parker::Wakeup;
use clap::{Args, ValueEnum};
use kit::clock::Clock;
use kit::options::workers;
use kit::protocol::work::{Answer, Work};
use load_shedding::Policy;
use nonblocking_epoll::connection::READ_BUFFER;
use oneshot::reactor_shared::ReactorShared;
use oneshot::shared_connection::SharedConnection;
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use thread_pool::queue;

/// How connections get from the reactor to the workers.
#[derive(Args, Clone, Debug)]
pub struct DispatchOptions {
    /// How many threads serve connections
    #[arg(long, value_name = "N", default_value = "4", value_parser = workers)]
    pub workers: usize,

    /// What the dispatcher queues connections in
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

    /// One queue for all workers, and whom it serves beyond the peak: unbounded, bounded:N, lifo, by-age:MS.
    /// What is refused is answered 503
    #[arg(long, value_name = "POLICY", conflicts_with_all = ["queue", "queue_capacity", "dispatch", "wakeup"])]
    pub overload: Option<Policy>,
}

/// What the dispatcher queues connections in.
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

impl DispatchOptions {
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
    Shared(queue::Sender<Arc<SharedConnection>>),
    /// A channel for each.
    PerWorker {
        /// The channels, in the order of the workers.
        senders: Vec<channel::Sender<Arc<SharedConnection>>>,
        /// Which worker gets which connection.
        dispatch: Dispatch,
        /// Round-robin: the worker whose turn it is.
        next: usize,
        /// Jobs that no channel had room for, each with the worker that it was meant for.
        waiting: VecDeque<(usize, Arc<SharedConnection>)>,
    },
    /// One queue for all that may refuse.
    Shedding {
        /// The queue.
        sender: load_shedding::Sender<Arc<SharedConnection>>,
        /// With this and the next the dispatcher itself answers those that it refuses.
        clock: Clock,
        /// For one read.
        buffer: Vec<u8>,
    },
}

/// Where a worker gets its jobs.
pub enum JobReceiver {
    /// Stage 06's one queue for all.
    Shared(queue::Receiver<Arc<SharedConnection>>),
    /// Its own channel.
    Own(channel::Receiver<Arc<SharedConnection>>),
    /// One queue for all that may refuse.
    Shedding(load_shedding::Receiver<Arc<SharedConnection>>),
}

/// A connection to serve, and what to do with the work that its request asks for: run it, or refuse it.
pub type Job = (Arc<SharedConnection>, fn(Work) -> Answer);

/// A dispatcher, and a receiver for each worker. There are never more than `max` connections.
///
/// # Errors
/// When a descriptor that a worker waits on cannot be made.
pub fn dispatcher(options: &DispatchOptions, max: usize) -> io::Result<(Dispatcher, Vec<JobReceiver>)> {
    if let Some(policy) = options.overload {
        let (sender, receiver) = load_shedding::queue(policy);
        let receivers = (0..options.workers).map(|_| JobReceiver::Shedding(receiver.clone())).collect();
        let (clock, buffer) = (Clock::new(), vec![0; READ_BUFFER]);
        return Ok((Dispatcher::Shedding { sender, clock, buffer }, receivers));
    }
    let kind = match options.queue {
        Queue::Shared => {
            let (sender, receiver) = queue::queue(max);
            let receivers = (0..options.workers).map(|_| JobReceiver::Shared(receiver.clone())).collect();
            return Ok((Dispatcher::Shared(sender), receivers));
        }
        Queue::Mutex => Kind::Mutex,
        Queue::Crossbeam => Kind::Crossbeam,
        Queue::Ring => Kind::Ring,
    };
    let make = |_| channel(kind, options.queue_capacity as usize, options.wakeup);
    let both = (0..options.workers).map(make).collect::<io::Result<Vec<_>>>()?;
    let (senders, receivers): (Vec<_>, Vec<_>) = both.into_iter().unzip();
    let dispatcher =
        Dispatcher::PerWorker { senders, dispatch: options.dispatch, next: 0, waiting: VecDeque::new() };
    Ok((dispatcher, receivers.into_iter().map(JobReceiver::Own).collect()))
}

impl Dispatcher {
    /// Sends a connection to a worker, or refuses its request.
    pub fn send(&mut self, shared: &ReactorShared, job: Arc<SharedConnection>) {
        match self {
            Dispatcher::Shared(sender) => drop(sender.send(job)),
            Dispatcher::PerWorker { senders, dispatch, next, waiting } => {
                let worker = match dispatch {
                    // The low half of a token is the descriptor.
                    Dispatch::ByDescriptor => job.token() as u32 as usize % senders.len(),
                    Dispatch::RoundRobin => {
                        // ANCHOR: choose
                        *next = (*next + 1) % senders.len();
                        *next
                        // ANCHOR_END: choose
                    }
                };
                if let Err(job) = offer(senders, *dispatch, worker, job) {
                    waiting.push_back((worker, job));
                }
            }
            Dispatcher::Shedding { sender, clock, buffer } => {
                if let Err(job) = sender.send(job) {
                    // A 503 costs little of this thread's time. A request that asks for no work gets its
                    // reply.
                    job.dequeue();
                    shared.serve_with(&job, Work::refuse, clock, buffer);
                }
            }
        }
    }

    /// Tries once more the jobs that fitted nowhere. Returns whether some still wait: then call it again
    /// within a millisecond.
    pub fn retry(&mut self) -> bool {
        let Dispatcher::PerWorker { senders, dispatch, waiting, .. } = self else { return false };
        for _ in 0..waiting.len() {
            let Some((worker, job)) = waiting.pop_front() else { break };
            if let Err(job) = offer(senders, *dispatch, worker, job) {
                waiting.push_back((worker, job));
            }
        }
        !waiting.is_empty()
    }
}

// ANCHOR: offer
/// Offers a job to its worker's channel and, round-robin, to the others too.
fn offer(
    senders: &mut [channel::Sender<Arc<SharedConnection>>],
    dispatch: Dispatch,
    worker: usize,
    mut job: Arc<SharedConnection>,
) -> Result<(), Arc<SharedConnection>> {
    let tries = if dispatch == Dispatch::RoundRobin { senders.len() } else { 1 };
    for step in 0..tries {
        match senders[(worker + step) % senders.len()].send(job) {
            Ok(()) => return Ok(()),
            Err(back) => job = back,
        }
    }
    Err(job)
}
// ANCHOR_END: offer

impl JobReceiver {
    /// The next job; `None` when the server has stopped.
    pub fn recv(&mut self) -> Option<Job> {
        let connection = match self {
            JobReceiver::Shared(receiver) => receiver.recv()?,
            JobReceiver::Own(receiver) => receiver.recv()?,
            JobReceiver::Shedding(receiver) => {
                let taken = receiver.recv()?;
                return Some((taken.item, if taken.is_late { Work::refuse } else { Work::run }));
            }
        };
        Some((connection, Work::run))
    }
}
