//! Work for connections and for later times, from any thread.

use crate::connection::Connection;
use crate::handle::{ConnectionId, Server};
use crate::loop_clock::precise_ms;
use crate::protocol::Protocol;
use crate::schedule::{Entry, ScheduledTask, TaskState};
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use std::cell::Cell;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicUsize, Ordering::AcqRel, Ordering::Acquire, Ordering::Relaxed};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

thread_local! {
    /// Which worker's loop runs on this thread: one thread serves one server.
    static WORKER: Cell<Option<usize>> = const { Cell::new(None) };
}

/// How often a thread that waits for a loop looks whether the loop still runs.
const LOOK: Duration = Duration::from_millis(50);

/// This thread is the loop of a worker from now on.
pub(crate) fn enter_worker(index: usize) {
    WORKER.set(Some(index));
}

/// Tasks of connections.
impl Server {
    /// Runs `task` on a connection, on the thread of its loop and between its callbacks, or `fallback` if the
    /// connection has gone by then: also if its descriptor is another connection's now. Neither runs if the
    /// server ends before.
    pub fn fd_task(
        &self,
        id: ConnectionId,
        task: impl FnOnce(&mut Connection<'_>) + Send + 'static,
        fallback: impl FnOnce(&Server) + Send + 'static,
    ) {
        let server = self.clone();
        self.queue(id.worker as usize, move |event_loop| {
            event_loop.run_task(id.token, |connection| match connection {
                Some(connection) => task(connection),
                None => fallback(&server),
            });
        });
    }

    /// Runs `task` on the loop of a worker, between callbacks; the loop does nothing else meanwhile. It does
    /// not run if there is no such worker, or if the server ends before.
    pub fn run_in_loop(&self, worker: usize, task: impl FnOnce(&Server) + Send + 'static) {
        let server = self.clone();
        self.queue(worker, move |_| task(&server));
    }

    /// Closes a connection, as [`Connection::close`] does.
    pub fn close(&self, id: ConnectionId) {
        self.fd_task(id, |connection| connection.close(), |_| {});
    }

    /// As [`Connection::touch`].
    pub fn touch(&self, id: ConnectionId) {
        self.fd_task(id, |connection| connection.touch(), |_| {});
    }

    /// As [`Connection::set_timeout`].
    pub fn set_timeout(&self, id: ConnectionId, timeout: Duration) {
        self.fd_task(id, move |connection| connection.set_timeout(timeout), |_| {});
    }

    /// Makes a descriptor a connection of this server: a socket that was connected elsewhere, or the end of a
    /// pipe. Its protocol learns its id in `on_open`.
    ///
    /// # Errors
    /// What fcntl(2) says; `NotConnected` when the server does not run.
    pub fn attach(&self, descriptor: OwnedFd, protocol: Box<dyn Protocol>) -> io::Result<()> {
        let worker = self.worker_here();
        self.workers().get(worker).ok_or(io::ErrorKind::NotConnected)?;
        let flags = OFlag::from_bits_retain(fcntl(&descriptor, FcntlArg::F_GETFL)?);
        fcntl(&descriptor, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
        self.opened(worker);
        self.queue(worker, move |event_loop| event_loop.register(descriptor, Some(protocol)));
        Ok(())
    }

    /// Runs `task` on every connection of `service` (None: of all) but `origin`, each on its own loop and
    /// between its own callbacks, and then `on_finish` once: on `origin`, or with None if that has gone, or
    /// was None. This returns at once.
    pub fn each(
        &self,
        origin: Option<ConnectionId>,
        service: Option<&'static str>,
        task: impl Fn(&mut Connection<'_>) + Send + Sync + 'static,
        on_finish: impl FnOnce(&Server, Option<&mut Connection<'_>>) + Send + 'static,
    ) {
        let left = Arc::new(AtomicUsize::new(self.workers().len()));
        let task = Arc::new(task);
        let on_finish = Arc::new(Mutex::new(Some(on_finish)));
        for worker in 0..self.workers().len() {
            let (left, task, on_finish) = (Arc::clone(&left), Arc::clone(&task), Arc::clone(&on_finish));
            let server = self.clone();
            self.queue(worker, move |event_loop| {
                event_loop.each(origin, service, &mut |connection| task(connection));
                // AcqRel: what all tasks did is seen by what runs at the end.
                if left.fetch_sub(1, AcqRel) > 1 {
                    return;
                }
                let Some(end) = on_finish.lock().unwrap_or_else(PoisonError::into_inner).take() else {
                    return;
                };
                let Some(origin) = origin else { return end(&server, None) };
                let home = server.clone();
                server.queue(origin.worker as usize, move |event_loop| {
                    event_loop.run_task(origin.token, |connection| end(&home, connection));
                });
            });
        }
    }

    /// Runs `task` on every connection of `service` (None: of all) but `origin`, one after the other, and
    /// returns when that is done. `state` goes with the task from connection to connection and comes back.
    ///
    /// # Errors
    /// `Deadlock` on the thread of a loop, which the others may be waiting for: use [`Server::each`] there;
    /// `NotConnected` when the server does not run, or ends meanwhile.
    pub fn each_block<S: Send + 'static>(
        &self,
        origin: Option<ConnectionId>,
        service: Option<&'static str>,
        state: S,
        task: impl FnMut(&mut S, &mut Connection<'_>) + Send + 'static,
    ) -> io::Result<S> {
        if WORKER.get().is_some() {
            return Err(io::Error::new(io::ErrorKind::Deadlock, "a loop cannot wait for itself: use `each`"));
        }
        if self.workers().is_empty() {
            return Err(io::ErrorKind::NotConnected.into());
        }
        let mut luggage = (state, task);
        for (index, worker) in self.workers().iter().enumerate() {
            let (done, back) = sync_channel(1);
            self.queue(index, move |event_loop| {
                let (state, task) = &mut luggage;
                event_loop.each(origin, service, &mut |connection| task(state, connection));
                let _ = done.send(luggage);
            });
            luggage = loop {
                match back.recv_timeout(LOOK) {
                    Ok(luggage) => break luggage,
                    Err(RecvTimeoutError::Timeout) if !worker.state.ended.load(Acquire) => {}
                    // It may have run just before the end.
                    Err(_) => break back.try_recv().map_err(|_| io::ErrorKind::NotConnected)?,
                }
            };
        }
        Ok(luggage.0)
    }
}

/// Tasks for later times.
impl Server {
    /// Runs `task` once, `delay` from now: not earlier, and later by at most one tick of the kernel's coarse
    /// clock (1–10 ms) and what the loop is busy with. It runs on the thread of a loop, this one's if it is
    /// called there. A delay is rounded up to milliseconds.
    pub fn run_after(&self, delay: Duration, task: impl FnOnce(&Server) + Send + 'static) -> ScheduledTask {
        let mut task = Some(task);
        let once = move |server: &Server| {
            if let Some(task) = task.take() {
                task(server);
            }
        };
        self.schedule(delay, Some(1), Box::new(once))
    }

    /// Runs `task` every `period`, `repetitions` times; 0 means until it is cancelled. Runs that a busy loop
    /// has missed are left out.
    pub fn run_every(
        &self,
        period: Duration,
        repetitions: u32,
        task: impl FnMut(&Server) + Send + 'static,
    ) -> ScheduledTask {
        self.schedule(period, (repetitions > 0).then_some(repetitions), Box::new(task))
    }

    /// The worker of this thread, or the one whose turn it is: this may be the loop of another server.
    fn worker_here(&self) -> usize {
        let here = WORKER.get().filter(|worker| *worker < self.workers().len());
        here.unwrap_or_else(|| self.next_worker())
    }

    fn schedule(
        &self,
        period: Duration,
        left: Option<u32>,
        task: Box<dyn FnMut(&Server) + Send>,
    ) -> ScheduledTask {
        let every = period.as_nanos().div_ceil(1_000_000) as u64;
        let (worker, id) = (self.worker_here(), self.next_task());
        let state = Arc::<TaskState>::default();
        let entry =
            Entry { task, state: Arc::clone(&state), at: precise_ms() + every, every, left, timer: None };
        if let Some(worker) = self.workers().get(worker) {
            worker.state.counters.timers.fetch_add(1, Relaxed);
        }
        self.queue(worker, move |event_loop| event_loop.schedule_task(id, entry));
        ScheduledTask { state, server: self.clone(), worker, id }
    }
}
