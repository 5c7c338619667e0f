//! A few threads for work that blocks, and the way back to the task that waits for it.
//!
//! The executor's thread must never block: everything else that it serves would wait. So the work goes
//! through stage 03's queue to a thread that may block, and its answer is a future. When it is there, that
//! thread wakes the task, on the executor of another thread.

use crate::options::SpinOn;
use crate::sync::Mutex;
use kit::protocol::work::{Answer, Work};
use std::future::poll_fn;
use std::io;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};
use std::thread::Builder;
use thread_pool::queue::{Sender, queue};

/// The threads, as those see them who have work.
pub struct BlockingPool {
    jobs: Sender<Job>,
    spin: SpinOn,
}

/// Work, and where its answer goes. Only the future that waits for the answer keeps that place.
struct Job {
    work: Box<Work>,
    reply: Weak<Reply<Answer>>,
}

/// What the two sides share.
#[derive(Debug)]
pub struct Reply<T>(Mutex<Shared<T>>);

#[derive(Debug)]
struct Shared<T> {
    answer: Option<T>,
    waker: Option<Waker>,
}

impl BlockingPool {
    /// Starts `count` threads; `spin`: what else runs on the executor's. They end with the process: a job may
    /// take longer than the server has.
    ///
    /// # Errors
    /// When the system allows no more threads.
    pub fn start(count: usize, spin: SpinOn) -> io::Result<Self> {
        // Each connection has at most one job, so their number bounds the queue.
        let (jobs, receiver) = queue::<Job>(usize::MAX);
        for index in 0..count {
            let receiver = receiver.clone();
            let work = move || std::iter::from_fn(|| receiver.recv()).for_each(Job::run);
            Builder::new().name(format!("blocking-{index}")).spawn(work)?;
        }
        Ok(Self { jobs, spin })
    }

    // ANCHOR: run
    /// Runs the work on one of the threads. If the future is dropped before, work that no thread has begun is
    /// not done, and nobody gets the answer of work that one has.
    pub async fn run(&self, work: Box<Work>) -> Answer {
        if self.spin.is_inline(&work) {
            return work.run();
        }
        let reply = Arc::new(Reply::default());
        let sent = self.jobs.send(Job { work, reply: Arc::downgrade(&reply) });
        assert!(sent.is_ok(), "the threads end with the process");
        poll_fn(|context| reply.poll(context)).await
    }
    // ANCHOR_END: run
}

impl Job {
    fn run(self) {
        if let Some(reply) = self.reply.upgrade() {
            reply.put(self.work.run());
        }
    }
}

impl<T> Default for Reply<T> {
    fn default() -> Self {
        Self(Mutex::new(Shared { answer: None, waker: None }))
    }
}

impl<T> Reply<T> {
    // ANCHOR: reply
    /// For the task: the answer, if it is there. If not, the task will be woken.
    pub fn poll(&self, context: &mut Context<'_>) -> Poll<T> {
        let mut shared = self.0.lock();
        match shared.answer.take() {
            Some(answer) => Poll::Ready(answer),
            None => {
                // Under the lock: the answer cannot come between the look and this.
                shared.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }

    /// For the other thread: leaves the answer, and wakes the task that waits for it.
    pub fn put(&self, answer: T) {
        let mut shared = self.0.lock();
        shared.answer = Some(answer);
        let waker = shared.waker.take();
        drop(shared);
        // None: the task has not looked yet, and will find the answer.
        waker.into_iter().for_each(Waker::wake);
    }
    // ANCHOR_END: reply
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use kit::protocol::work::{Job as Kind, Ticket};
    use std::time::{Duration, Instant};

    /// Protects those who wait from work that nobody waits for: clients that have gone may leave hours of it
    /// in the queue.
    #[test]
    fn work_that_nobody_waits_for_is_not_begun() {
        const LONG: Duration = Duration::from_secs(20);
        let work = |time| Box::new(Work { job: Kind::Sleep(time), ticket: Ticket::new(0, None) });
        let reply = Arc::new(Reply::default());
        let waits = Job { work: work(Duration::ZERO), reply: Arc::downgrade(&reply) };
        waits.run();
        assert!(matches!(reply.poll(&mut Context::from_waker(Waker::noop())), Poll::Ready(_)));
        let gone = Job { work: work(LONG), reply: Arc::downgrade(&reply) };
        drop(reply);
        let start = Instant::now();
        gone.run();
        assert!(start.elapsed() < LONG);
    }
}
