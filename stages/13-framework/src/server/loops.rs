//! The threads of the loops.

use super::Reactor;
use crate::event_loop::EventLoop;
use crate::tasks::enter_worker;
use crate::worker::Worker;
use kit::stderr::log_stderr;
use std::convert::Infallible;
use std::io;
use std::process::exit;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread;

impl Reactor {
    /// All loops are made before the first one runs: its callbacks may ask for the others. The receiver ends
    /// when the last loop has ended.
    pub(super) fn start_loops(&mut self) -> io::Result<Receiver<Infallible>> {
        let make = |index| EventLoop::new(index as u32, self.server.clone(), Arc::clone(&self.application));
        let loops = (0..self.chosen.len()).map(make).collect::<io::Result<Vec<_>>>()?;
        let workers = loops.iter().map(|one| Worker { remote: one.remote(), state: one.state() }).collect();
        if self.server.set_running(workers, self.pending.remote()) {
            self.server.stop();
        }
        let (alive, ended) = channel();
        for (index, event_loop) in loops.into_iter().enumerate() {
            let (name, alive) = (format!("loop-{index}"), alive.clone());
            let body = move || {
                let (_alive, guard) = (alive, ExitOnDrop);
                enter_worker(index);
                match event_loop.serve() {
                    // The server was told to stop: the thread may end.
                    Ok(()) => std::mem::forget(guard),
                    Err(error) => log_stderr(format_args!("error: {error}")),
                }
            };
            thread::Builder::new().name(name.clone()).spawn(body).map_err(|error| {
                io::Error::new(error.kind(), format!("cannot start the thread {name}: {error}"))
            })?;
        }
        Ok(ended)
    }
}

/// Ends the process when it is dropped: a panic drops it too. Without one of its loops the server would go on
/// and leave each n-th connection without an answer.
struct ExitOnDrop;

impl Drop for ExitOnDrop {
    fn drop(&mut self) {
        log_stderr("error: a loop has failed: the server ends");
        exit(1);
    }
}
