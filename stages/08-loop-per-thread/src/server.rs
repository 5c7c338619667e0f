//! The main reactor of stage 08: it accepts, and hands out what it accepts.

use crate::event_loop::Parts;
use crate::loops::Loops;
use crate::options::Options;
use access_log::{Level, Log};
use descriptor_reserve::Reserve;
use kit::clock::Clock;
use kit::connection_table::{LISTENER, SHUTDOWN};
use kit::error::failed;
use kit::listener::{Acceptor, address_of};
use kit::options::ProtocolKind;
use kit::shutdown;
use kit::start::{announce_address, listen};
use kit::timeout_scan::TimeoutScan;
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent};
use nix::sys::socket::SockFlag;
use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// How many events are fetched at once: there are two.
const MAX_EVENTS: usize = 2;

/// How long connections may take after the signal (ms). The rest of the time until [`shutdown`] ends the
/// process is for the log.
const DRAIN_MS: u64 = shutdown::DRAIN_SECONDS as u64 * 1_000 - 200;

/// The main reactor: it has no connections of its own.
struct Server {
    epoll: Epoll,
    acceptor: Acceptor,
    loops: Loops, // New in 08
    /// How many connections are accepted at each wake-up.
    batch: usize,
    /// How many may be open.
    max: usize,
    reserve: Reserve,
    clock: Clock,
    /// When to wait no longer for connections to end (ms).
    end_ms: u64,
    log: Arc<Log>,
}

/// Accepts in one loop and serves in others until the server must stop.
///
/// # Errors
/// Why it cannot listen, accept or wait.
pub fn run(options: Options) -> io::Result<()> {
    let (listener, sessions) = listen(&options.common, SockFlag::SOCK_NONBLOCK, ProtocolKind::Http)?;
    let address = address_of(listener.as_fd())?;
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).map_err(failed("epoll_create1"))?;
    let max = options.common.max_connections;
    let acceptor = Acceptor::new(listener, max);
    acceptor.watch(&epoll).map_err(failed("epoll_ctl"))?;
    shutdown::watch(&epoll).map_err(failed("epoll_ctl"))?;
    let log = Arc::new(Log::open(&options.logging)?);
    let reserve = Reserve::new()?;
    let (timers, wake_by, files) = (options.timers, options.timer_source, options.files);
    let parts = Parts { sessions, timers, wake_by, files, log: Arc::clone(&log) };
    let count = options.workers.map_or_else(|| thread::available_parallelism().map(usize::from), Ok)?;
    let loops = Loops::start(count, &parts)?; // New in 08
    announce_address(address)?;
    // No more than the backlog holds can have waited; and the connections taken first wait for the last.
    let batch = options.accept_batch.min(usize::from(options.common.backlog));
    let (clock, end_ms) = (Clock::new(), u64::MAX);
    Server { epoll, acceptor, loops, batch, max, reserve, clock, end_ms, log: Arc::clone(&log) }.serve()?;
    log.close();
    Ok(())
}

impl Server {
    /// The event loop: wait, then hand out what has come. At the end it waits for the loops.
    fn serve(&mut self) -> io::Result<()> {
        let mut events = [EpollEvent::empty(); MAX_EVENTS];
        while self.acceptor.is_open() && self.clock.last().ms < self.end_ms {
            let check_soon = self.acceptor.is_paused() || self.clock.last().draining;
            let count = match self.epoll.wait(&mut events, TimeoutScan::timeout(0, check_soon)) {
                Ok(count) => count,
                Err(Errno::EINTR) => 0,
                Err(error) => return Err(error.into()),
            };
            self.clock.read();
            for event in &events[..count] {
                match event.data() {
                    LISTENER => self.accept()?,
                    SHUTDOWN => self.stop()?,
                    _ => {}
                }
            }
            if self.acceptor.resume(&self.epoll, self.loops.open(), self.clock.last())? {
                self.accept()?;
            }
        }
        self.loops.finish(); // New in 08
        self.loops.wait(Duration::from_millis(self.end_ms.saturating_sub(self.clock.last().ms)));
        Ok(())
    }

    /// Takes connections that wait, one batch of them: what is left is reported again.
    fn accept(&mut self) -> io::Result<()> {
        for _ in 0..self.batch {
            let open = self.loops.open();
            let Some(socket) = self.acceptor.accept(&self.epoll, open, self.clock.last())? else { break };
            self.reserve.accepted();
            self.loops.choose(socket); // New in 08
        }
        self.loops.hand_out(); // New in 08
        self.shed();
        Ok(())
    }

    /// If accepting pauses since descriptors are missing, and for long, the peers that wait are turned away:
    /// no one can say when there will be some. Above the limit on connections the next one that ends makes
    /// room.
    fn shed(&mut self) {
        let now = self.clock.last();
        let exhausted = self.acceptor.is_paused() && self.loops.open() < self.max;
        if let Some(listener) = self.acceptor.listener()
            && exhausted
            && let Some(count) = self.reserve.shed(listener, now.ms)
        {
            let text = format_args!("out of descriptors: {count} connections were shed");
            self.log.note(Level::Warn, &now.date, text);
        }
    }

    /// Lets no new connection begin, takes those that wait, and closes the listener. The loops see the same
    /// event.
    fn stop(&mut self) -> io::Result<()> {
        shutdown::unwatch(&self.epoll)?;
        self.end_ms = self.clock.last().ms + DRAIN_MS;
        self.acceptor.drain();
        // What waits now is all that will come.
        self.batch = usize::MAX;
        self.accept()
    }
}
