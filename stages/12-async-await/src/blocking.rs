//! A few threads for work that blocks, and the way back to the task that waits for it.
//!
//! The executor's thread must never block: everything else that it serves would wait. So the work goes
//! through stage 03's queue to a thread that may block, and its answer is a future. When it is there, that
//! thread wakes the task, on the executor of another thread.

use crate::sync::Mutex;
use kit::protocol::work::{Answer, Work};
use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::thread::Builder;
use thread_pool::queue::{Sender, queue};

/// The threads, as those see them who have work.
pub struct BlockingPool {
    jobs: Sender<Job>,
}

/// Work, and where its answer goes.
struct Job {
    work: Box<Work>,
    reply: Arc<Reply<Answer>>,
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
    /// Starts `count` threads. They end with the process: a job may take longer than the server has.
    ///
    /// # Errors
    /// When the system allows no more threads.
    pub fn start(count: usize) -> io::Result<Self> {
        // Each connection has at most one job, so their number bounds the queue.
        let (jobs, receiver) = queue::<Job>(usize::MAX);
        for index in 0..count {
            let receiver = receiver.clone();
            let work = move || std::iter::from_fn(|| receiver.recv()).for_each(Job::run);
            Builder::new().name(format!("blocking-{index}")).spawn(work)?;
        }
        Ok(Self { jobs })
    }

    // ANCHOR: run
    /// Runs the work on one of the threads. If the future is dropped before, the work is done all the same,
    /// and nobody gets the answer.
    pub async fn run(&self, work: Box<Work>) -> Answer {
        let reply = Arc::new(Reply::default());
        let sent = self.jobs.send(Job { work, reply: Arc::clone(&reply) });
        assert!(sent.is_ok(), "the threads end with the process");
        poll_fn(|context| reply.poll(context)).await
    }
    // ANCHOR_END: run
}

impl Job {
    fn run(self) {
        self.reply.put(self.work.run());
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
