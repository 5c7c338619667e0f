//! The kernel's own cost: a server that answers every read with one constant reply and parses nothing.
//!
//! It makes the system calls that no readiness-based server can do without, and no others: `accept4` and one
//! `epoll_ctl` per connection; `epoll_wait`, `read` and `write` per batch of input. The reply is as long as
//! the stages' reply to `GET /`. What a stage costs above this is the stage.

use clap::{Parser, ValueEnum};
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::socket::{self, AddressFamily, SockFlag, SockType, SockaddrIn, sockopt};
use nix::unistd;
use std::net::SocketAddrV4;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::process::ExitCode;

/// A server that reads and writes one constant reply, without parsing: what the kernel costs.
#[derive(Parser)]
struct Options {
    /// Where to listen; port 0 is any free port.
    #[arg(long, default_value = "127.0.0.1:0")]
    addr: SocketAddrV4,
    /// One reply per read (a client that waits for each reply), or as many as requests were read
    /// (a pipelining client). The requests of one connection must all have the same length.
    #[arg(long, value_enum, default_value = "read")]
    reply_per: ReplyPer,
    /// What the reply says about the connection. `keep-alive` is for HTTP/1.0 clients, which want to be told;
    /// after `close` the connection is closed.
    #[arg(long, value_enum, default_value = "nothing")]
    connection: Connection,
    /// Instead of the greeting, the body of the stages' `/bytes/N`. One write must carry it.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=65_536))]
    filler: Option<u32>,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum ReplyPer {
    Read,
    Request,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Connection {
    Nothing,
    KeepAlive,
    Close,
}

impl Connection {
    /// The reply, as long as that of a stage. The date stands still: a stage formats it once a second only.
    fn reply(self, body: &str) -> String {
        let connection = match self {
            Connection::Nothing => "",
            Connection::KeepAlive => "Connection: keep-alive\r\n",
            Connection::Close => "Connection: close\r\n",
        };
        format!(
            "HTTP/1.1 200 OK\r\nServer: c10k-lab\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n\
             Content-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\n{connection}\r\n{body}",
            body.len()
        )
    }
}

/// Counts requests by their bytes: the first one of a connection is measured, the others are as long.
#[derive(Clone, Copy, Default)]
struct Counter {
    request_length: usize,
    left_over: usize,
}

impl Counter {
    fn count(&mut self, input: &[u8]) -> usize {
        if self.request_length == 0 {
            let end = input.windows(4).position(|window| window == b"\r\n\r\n");
            self.request_length = end.map_or(input.len(), |end| end + 4);
        }
        let bytes = self.left_over + input.len();
        self.left_over = bytes % self.request_length;
        bytes / self.request_length
    }
}

/// Replies that one write can carry; a deeper pipeline gets more writes.
const BATCH: usize = 256;

fn main() -> ExitCode {
    let options = Options::parse();
    match serve(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("floor: cannot serve on {}: {}", options.addr, error.desc());
            ExitCode::FAILURE
        }
    }
}

fn serve(options: &Options) -> nix::Result<()> {
    const LINE: &str = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-\n";
    let body = match options.filler {
        None => "Hello, World!".to_owned(),
        Some(length) => LINE.chars().cycle().take(length as usize).collect(),
    };
    let reply = options.connection.reply(&body);
    let replies = reply.repeat(if options.reply_per == ReplyPer::Request { BATCH } else { 1 });

    // A blocked signal is read from a descriptor, so the loop below needs no handler.
    let mut stop = SigSet::empty();
    stop.add(Signal::SIGTERM);
    stop.add(Signal::SIGINT);
    stop.thread_block()?;
    let stopped = SignalFd::with_flags(&stop, SfdFlags::SFD_CLOEXEC)?;

    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    let listener = listen(options.addr)?;
    println!("listening on {}", socket::getsockname::<SockaddrIn>(listener.as_raw_fd())?);

    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
    for fd in [listener.as_fd(), stopped.as_fd()] {
        epoll.add(fd, EpollEvent::new(EpollFlags::EPOLLIN, fd.as_raw_fd() as u64))?;
    }
    // Indexed by descriptor: the kernel hands out the lowest free number.
    let mut connections: Vec<Option<(OwnedFd, Counter)>> = Vec::new();
    let mut events = [EpollEvent::empty(); 256];
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let ready = match epoll.wait(&mut events, EpollTimeout::NONE) {
            Err(Errno::EINTR) => continue,
            ready => ready?,
        };
        for event in &events[..ready] {
            let fd = event.data() as usize;
            if fd == stopped.as_raw_fd() as usize {
                return Ok(());
            }
            if fd == listener.as_raw_fd() as usize {
                // One per event: level-triggered epoll reports the listener again while others wait.
                if let Ok(connection) = accept(&listener) {
                    let at = connection.as_raw_fd() as usize;
                    epoll.add(&connection, EpollEvent::new(EpollFlags::EPOLLIN, at as u64))?;
                    connections.resize_with(connections.len().max(at + 1), || None);
                    connections[at] = Some((connection, Counter::default()));
                }
                continue;
            }
            let Some((connection, counter)) = &mut connections[fd] else { continue };
            let answered = match unistd::read(&*connection, &mut buffer) {
                Ok(0) | Err(_) => false,
                Ok(count) => {
                    let requests = match options.reply_per {
                        ReplyPer::Read => 1,
                        ReplyPer::Request => counter.count(&buffer[..count]),
                    };
                    write_replies(connection, &replies, reply.len(), requests)
                }
            };
            if !answered || options.connection == Connection::Close {
                connections[fd] = None; // closing removes it from epoll
            }
        }
    }
}

/// Writes `count` replies. A client that does not read its replies is dropped: this server keeps no output.
fn write_replies(connection: &OwnedFd, replies: &str, length: usize, mut count: usize) -> bool {
    while count > 0 {
        let batch = count.min(replies.len() / length);
        let bytes = &replies.as_bytes()[..batch * length];
        if unistd::write(connection, bytes) != Ok(bytes.len()) {
            return false;
        }
        count -= batch;
    }
    true
}

fn listen(addr: SocketAddrV4) -> nix::Result<OwnedFd> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let listener = socket::socket(AddressFamily::Inet, SockType::Stream, flags, None)?;
    socket::setsockopt(&listener, sockopt::ReuseAddr, &true)?;
    socket::bind(listener.as_raw_fd(), &SockaddrIn::from(addr))?;
    socket::listen(&listener, socket::Backlog::new(4096)?)?;
    Ok(listener)
}

fn accept(listener: &OwnedFd) -> nix::Result<OwnedFd> {
    let fd = socket::accept4(listener.as_raw_fd(), SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK)?;
    // SAFETY: accept4 has just created this descriptor and no other code knows its number.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
