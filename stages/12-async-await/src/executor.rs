//! The executor: it polls the futures that have something to do, and lets the reactor wait when none has.
//!
//! ```text
//!           spawn                 a waker
//!             |                      |
//!             v                      v
//!   tasks: number -> future     run queue: numbers
//!             ^                      |
//!             |        pop, poll     |
//!             +----------------------+
//!                  Pending: it stays, until a waker queues it again
//!                  Ready:   it is dropped
//!   queue empty: the reactor waits in epoll_wait, and wakes the tasks whose sockets are ready
//! ```
//!
//! A future does nothing by itself. It is a state machine which the compiler made of an `async fn`, with one
//! state for each `.await`, and a poll runs it from one `.await` to the next.

use crate::numbers::Numbers;
use crate::reactor::Reactor;
use crate::wake::{RunQueue, Waking};
use kit::connection_table::{ConnectionTable, Token};
use kit::error::failed;
use nix::sys::eventfd::{EfdFlags, EventFd};
use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

/// How many polls there are between two looks at the sockets, at most: tasks that always have something to do
/// must not keep the events from the others.
const MAX_POLLS: usize = 64;

/// A future whose output nobody awaits. (To spawn `async { future.await; }` instead would keep the future
/// twice: once as what the block has captured, and once as what it awaits.)
trait Spawned {
    /// As [`Future::poll`].
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()>;
}

impl<F: Future> Spawned for F {
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        Future::poll(self, context).map(drop)
    }
}

/// One thread's executor.
pub struct Executor {
    tasks: RefCell<Tasks>,
    queue: Arc<RunQueue<EventFd>>,
    reactor: Rc<Reactor>,
}

/// The futures that have been spawned and have not ended, by number.
#[derive(Default)]
struct Tasks {
    table: ConnectionTable<Rc<Task>>,
    numbers: Numbers,
}

/// One of them.
struct Task {
    /// Borrowed while it is being polled.
    future: RefCell<Pin<Box<dyn Spawned>>>,
    waking: Arc<Waking<EventFd>>,
    /// The same as `waking`, as futures know it.
    waker: Waker,
}

impl Executor {
    /// An executor without tasks, with a reactor of its own.
    ///
    /// # Errors
    /// Which system call found no descriptor.
    pub fn new() -> io::Result<Rc<Self>> {
        let event = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK);
        let queue = Arc::new(RunQueue::new(event.map_err(failed("eventfd"))?));
        let reactor = Rc::new(Reactor::new(&queue)?);
        Ok(Rc::new(Self { tasks: RefCell::default(), queue, reactor }))
    }

    /// What its futures wait on.
    pub fn reactor(&self) -> &Rc<Reactor> {
        &self.reactor
    }

    /// Lets a future run beside the others, from the next poll on. What it returns is dropped.
    pub fn spawn(&self, future: impl Future + 'static) {
        let mut tasks = self.tasks.borrow_mut();
        let number = tasks.numbers.take();
        let token = tasks.table.token_of(number);
        let waking = Arc::new(Waking::new(token, Arc::clone(&self.queue)));
        let waker = Waker::from(Arc::clone(&waking));
        waking.schedule();
        let future: RefCell<Pin<Box<dyn Spawned>>> = RefCell::new(Box::pin(future));
        tasks.table.insert(token, Rc::new(Task { future, waking, waker }));
    }

    // ANCHOR: run
    /// Runs `main`, and then everything that was spawned, to its end.
    ///
    /// # Errors
    /// What `main` says, at once, and what epoll_wait(2) says.
    pub fn run(&self, main: impl Future<Output = io::Result<()>> + 'static) -> io::Result<()> {
        let result = Rc::new(RefCell::new(Ok(())));
        let written = Rc::clone(&result);
        self.spawn(async move { *written.borrow_mut() = main.await });
        loop {
            for _ in 0..MAX_POLLS {
                let Some(task) = self.queue.pop() else { break };
                self.poll(task);
            }
            if self.tasks.borrow().table.is_empty() || result.borrow().is_err() {
                return result.replace(Ok(()));
            }
            self.reactor.wait(&self.queue)?;
        }
    }
    // ANCHOR_END: run

    // ANCHOR: poll
    /// Polls a task once; drops it when it is done.
    fn poll(&self, token: Token) {
        // The task may be gone: a waker can outlive it. Its number may be another task's by now, its
        // generation cannot.
        let Some(task) = self.tasks.borrow_mut().table.get_mut(token).cloned() else { return };
        self.reactor.begin_turn();
        // No table is borrowed here: the future may spawn others.
        let mut context = Context::from_waker(&task.waker);
        let done = task.waking.poll(|| task.future.borrow_mut().as_mut().poll(&mut context).is_ready());
        if done {
            self.tasks.borrow_mut().remove(token);
        }
    }
    // ANCHOR_END: poll
}

impl Tasks {
    fn remove(&mut self, token: Token) {
        self.table.remove(token);
        self.numbers.put_back((token & 0xffff_ffff) as usize);
    }
}
