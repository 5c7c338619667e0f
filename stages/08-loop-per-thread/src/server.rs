//! The main reactor of stage 08: it accepts, and hands out what it accepts.

use crate::event_loop::{EventLoop, Parts};
use crate::files::Files;
use crate::log::{self, Level, Log};
use crate::remote::Remote;
use crate::reserve::Reserve;
use crate::timer_source::WakeBy;
use crate::timers::Structure;
use clap::Parser;
use kit::clock::Clock;
use kit::listener::{Accepted, Acceptor};
use kit::options::{Speak, workers};
use kit::shutdown::{self, DRAIN_SECONDS};
use kit::start::listen;
use kit::sweep::Sweep;
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};
use nix::sys::socket::SockFlag;
use std::convert::Infallible;
use std::io;
use std::os::fd::OwnedFd;
use std::process::exit;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

const LISTENER: u64 = 0;
const SHUTDOWN: u64 = 1;

/// Before the process is ended for what does not end by itself (see [`kit::shutdown`]), the log must be written.
const LAST_LINES: Duration = Duration::from_millis(200);

/// Stage 08: one loop per thread.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Options {
    /// How many loops serve connections, each in its thread [default: the number of CPUs]
    #[arg(long, value_name = "N", value_parser = workers)]
    pub workers: Option<usize>,

    /// How many connections are accepted at each wake-up: 1, a number, or all that wait
    #[arg(long, value_name = "N", default_value = "all", value_parser = batch)]
    pub accept_batch: usize,

    /// In what a loop keeps its timers
    #[arg(long, value_enum, default_value = "heap")]
    pub timers: Structure,

    /// What wakes a loop when a timer fires
    #[arg(long, value_enum, default_value = "epoll")]
    pub timer_source: WakeBy,

    /// How files get into sockets
    #[arg(long, value_enum, default_value = "sendfile")]
    pub files: Files,

    /// What is logged, where, and by whom.
    #[command(flatten)]
    pub logging: log::Options,

    /// What every stage understands.
    #[command(flatten)]
    pub common: kit::options::Options,
}

/// The main reactor.
struct Server {
    epoll: Epoll,
    acceptor: Acceptor,
    reserve: Reserve,
    batch: usize,
    most: usize,
    loops: Vec<Seat>,
    /// The loop that gets the next connection.
    next: usize,
    clock: Clock,
    log: Arc<Log>,
}

/// A sub reactor, as the main reactor sees it.
struct Seat {
    remote: Remote<EventLoop>,
    open: Arc<AtomicUsize>,
    /// Connections of the present batch that it will get.
    chosen: Vec<OwnedFd>,
}

/// Accepts in one loop and serves in others until the server must stop.
///
/// # Errors
/// Why it cannot listen, accept or wait.
pub fn run(options: Options) -> io::Result<()> {
    let log = Arc::new(Log::open(&options.logging)?);
    let (listener, sessions) = listen(&options.common, SockFlag::SOCK_NONBLOCK, Speak::Http)?;
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
    epoll.add(&listener, EpollEvent::new(EpollFlags::EPOLLIN, LISTENER))?;
    epoll.add(shutdown::event(), EpollEvent::new(EpollFlags::EPOLLIN, SHUTDOWN))?;
    let most = options.common.max_connections;
    let (acceptor, reserve) = (Acceptor::new(listener, most), Reserve::new()?);
    let parts = Parts {
        sessions,
        timers: options.timers,
        wake_by: options.timer_source,
        files: options.files,
        log: Arc::clone(&log),
    };
    let count = options.workers.map_or_else(|| thread::available_parallelism().map(usize::from), Ok)?;
    let (alive, ended) = channel();
    let loops = (0..count).map(|_| start(&parts, alive.clone())).collect::<io::Result<_>>()?;
    drop(alive);
    // More than the backlog holds did not wait when the reactor woke; and those taken first wait for the last.
    let batch = options.accept_batch.min(usize::from(options.common.backlog));
    let clock = Clock::new();
    Server { epoll, acceptor, reserve, batch, most, loops, next: 0, clock, log: Arc::clone(&log) }.serve()?;
    wait_for_loops(&ended);
    log.close();
    Ok(())
}

impl Server {
    /// The event loop: wait, then hand out what has come.
    fn serve(mut self) -> io::Result<()> {
        let mut events = [EpollEvent::empty(); 2];
        while !self.clock.last().draining {
            let timeout = Sweep::timeout(0, self.acceptor.is_paused());
            let count = match self.epoll.wait(&mut events, timeout) {
                Ok(count) => count,
                Err(Errno::EINTR) => 0,
                Err(error) => return Err(error.into()),
            };
            self.clock.read();
            for event in &events[..count] {
                if event.data() == LISTENER {
                    self.accept()?;
                }
            }
            if self.acceptor.resumes(self.open(), self.clock.last()) {
                self.watch_listener(EpollFlags::EPOLLIN)?;
            }
        }
        self.stop();
        Ok(())
    }

    // ANCHOR: accept
    /// Takes connections that wait, one batch of them: what is left is reported again.
    fn accept(&mut self) -> io::Result<()> {
        for _ in 0..self.batch {
            match self.acceptor.accept(self.open(), self.clock.last())? {
                Accepted::Socket(socket) => self.choose(socket),
                Accepted::None => break,
                Accepted::NoRoom => {
                    self.shed();
                    self.watch_listener(EpollFlags::empty())?;
                    break;
                }
            }
        }
        self.hand_out();
        Ok(())
    }

    /// Chooses the next loop for a connection, for good.
    fn choose(&mut self, socket: OwnedFd) {
        self.reserve.is_not_needed();
        let seat = &mut self.loops[self.next];
        // Relaxed: a count for a limit. What the loop must see of the socket is handed over under the queue's lock.
        seat.open.fetch_add(1, Relaxed);
        seat.chosen.push(socket);
        self.next = (self.next + 1) % self.loops.len();
    }

    /// Gives each loop its share of the batch: a lock and a wake-up for each loop, and not for each connection.
    fn hand_out(&mut self) {
        for seat in self.loops.iter_mut().filter(|seat| !seat.chosen.is_empty()) {
            let sockets = std::mem::take(&mut seat.chosen);
            seat.remote
                .queue_in_loop(|event_loop| sockets.into_iter().for_each(|socket| event_loop.adopt(socket)));
        }
    }
    // ANCHOR_END: accept

    /// There is no room, and accepting pauses. If it is descriptors that are missing, and for long, those who wait are told
    /// so: nobody can say when there will be some. Above the limit on connections the next one that ends makes room.
    fn shed(&mut self) {
        let now = self.clock.last();
        let is_short = self.open() < self.most;
        if let Some(listener) = self.acceptor.listener()
            && is_short
            && self.reserve.is_needed(now.ms)
        {
            let count = self.reserve.shed(listener);
            self.log.note(
                Level::Warn,
                &now.date,
                format_args!("out of descriptors: {count} connections were shed"),
            );
        }
    }

    /// How many connections all the loops have.
    fn open(&self) -> usize {
        self.loops.iter().map(|seat| seat.open.load(Relaxed)).sum()
    }

    /// Stops accepting, and tells the loops that nothing will come any more. They hear of it in the queue in which the
    /// connections are, hence after the last of these.
    fn stop(&mut self) {
        self.acceptor.close();
        for Seat { remote, .. } in &self.loops {
            remote.queue_in_loop(EventLoop::stop);
        }
    }

    fn watch_listener(&self, mask: EpollFlags) -> io::Result<()> {
        match self.acceptor.listener() {
            Some(listener) => Ok(self.epoll.modify(listener, &mut EpollEvent::new(mask, LISTENER))?),
            None => Ok(()),
        }
    }
}

/// Starts a loop in a thread of its own. `alive` is dropped when it has ended.
fn start(parts: &Parts, alive: Sender<Infallible>) -> io::Result<Seat> {
    let event_loop = EventLoop::new(parts.clone())?;
    let seat = Seat { remote: event_loop.remote(), open: event_loop.open(), chosen: Vec::new() };
    let log = Arc::clone(&parts.log);
    thread::Builder::new().name("loop".to_owned()).spawn(move || {
        let (_alive, vital) = (alive, Vital(log));
        match event_loop.serve() {
            // As it should: there is nothing to raise the alarm for.
            Ok(()) => std::mem::forget(vital),
            Err(error) => eprintln!("error: {error}"),
        }
    })?;
    Ok(seat)
}

/// Without one of its loops a server would go on, and leave each n-th connection without an answer: it is better to end.
struct Vital(Arc<Log>);

impl Drop for Vital {
    /// The loop has failed, or panicked.
    fn drop(&mut self) {
        let date = &Clock::new().last().date.to_owned();
        self.0.note(Level::Error, date, format_args!("a loop has failed: the server ends"));
        self.0.close();
        exit(1);
    }
}

/// Waits until all loops have ended, but not longer than leaves time to write the log: a request may sleep for longer.
fn wait_for_loops(ended: &Receiver<Infallible>) {
    let end = Instant::now() + Duration::from_secs(u64::from(DRAIN_SECONDS)) - LAST_LINES;
    // Nothing is ever sent: it ends when the last sender is dropped, or at the end of the time.
    let _ = ended.recv_timeout(end.saturating_duration_since(Instant::now()));
}

fn batch(text: &str) -> Result<usize, String> {
    match (text, text.parse()) {
        ("all", _) => Ok(usize::MAX),
        (_, Ok(number @ 1..)) => Ok(number),
        _ => Err("expected a whole number from 1 on, or all".to_owned()),
    }
}
