//! The main reactor of stage 08: it accepts, and hands out what it accepts.

use crate::event_loop::Parts;
use crate::files::Files;
use crate::log::{self, Level, Log};
use crate::loops::Loops;
use crate::reserve::Reserve;
use crate::timer_source::WakeBy;
use crate::timers::Structure;
use clap::Parser;
use kit::clock::Clock;
use kit::listener::{Accepted, Acceptor};
use kit::options::{Speak, workers};
use kit::shutdown;
use kit::start::listen;
use kit::sweep::Sweep;
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};
use nix::sys::socket::SockFlag;
use std::io;
use std::sync::Arc;
use std::thread;

const LISTENER: u64 = 0;
const SHUTDOWN: u64 = 1;

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
    loops: Loops,
    clock: Clock,
    log: Arc<Log>,
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
    let loops = Loops::start(count, &parts)?;
    // More than the backlog holds did not wait when the reactor woke; and those taken first wait for the last.
    let batch = options.accept_batch.min(usize::from(options.common.backlog));
    let clock = Clock::new();
    let server = Server { epoll, acceptor, reserve, batch, most, loops, clock, log: Arc::clone(&log) };
    server.serve()?.wait();
    log.close();
    Ok(())
}

impl Server {
    /// The event loop: wait, then hand out what has come. Gives the loops, which have been told to end.
    fn serve(mut self) -> io::Result<Loops> {
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
            if self.acceptor.resumes(self.loops.open(), self.clock.last()) {
                self.watch_listener(EpollFlags::EPOLLIN)?;
            }
        }
        self.stop();
        Ok(self.loops)
    }

    // ANCHOR: accept
    /// Takes connections that wait, one batch of them: what is left is reported again.
    fn accept(&mut self) -> io::Result<()> {
        for _ in 0..self.batch {
            match self.acceptor.accept(self.loops.open(), self.clock.last())? {
                Accepted::Socket(socket) => {
                    self.reserve.is_not_needed();
                    self.loops.choose(socket);
                }
                Accepted::None => break,
                Accepted::NoRoom => {
                    self.shed();
                    self.watch_listener(EpollFlags::empty())?;
                    break;
                }
            }
        }
        self.loops.hand_out();
        Ok(())
    }
    // ANCHOR_END: accept

    /// There is no room, and accepting pauses. If it is descriptors that are missing, and for long, those who wait are told
    /// so: nobody can say when there will be some. Above the limit on connections the next one that ends makes room.
    fn shed(&mut self) {
        let now = self.clock.last();
        let is_short = self.loops.open() < self.most;
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

    /// Stops accepting, and tells the loops so.
    fn stop(&mut self) {
        self.acceptor.close();
        self.loops.stop();
    }

    fn watch_listener(&self, mask: EpollFlags) -> io::Result<()> {
        match self.acceptor.listener() {
            Some(listener) => Ok(self.epoll.modify(listener, &mut EpollEvent::new(mask, LISTENER))?),
            None => Ok(()),
        }
    }
}

fn batch(text: &str) -> Result<usize, String> {
    match (text, text.parse()) {
        ("all", _) => Ok(usize::MAX),
        (_, Ok(number @ 1..)) => Ok(number),
        _ => Err("expected a whole number from 1 on, or all".to_owned()),
    }
}
