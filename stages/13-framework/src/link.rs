//! What a loop knows of one connection.

use crate::hooks::Hooks;
use crate::outgoing::Outgoing;
use crate::protocol::{Protocol, Reason};
use nix::errno::Errno;
use nix::sys::epoll::EpollFlags;
use std::any::Any;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use timers::Timer;

/// Takes a connection out of the server.
pub(crate) type Hijack = Box<dyn FnOnce(OwnedFd) + Send>;

/// How far a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Open,
    /// What is queued is still sent, and nothing more is read.
    Closing,
    /// Our side is shut; what arrives is dropped, so that the close is no reset (RFC 9112 §9.6).
    Lingering,
}

/// One connection of a loop.
pub(crate) struct Link {
    pub(crate) socket: OwnedFd,
    /// None while one of its callbacks runs: the protocol is borrowed then.
    pub(crate) protocol: Option<Box<dyn Protocol>>,
    pub(crate) service: &'static str,
    pub(crate) out: Outgoing,
    pub(crate) hooks: Option<Box<dyn Hooks>>,
    pub(crate) user_data: Option<Box<dyn Any + Send>>,
    pub(crate) hijack: Option<Hijack>,
    pub(crate) phase: Phase,
    /// To be closed at once, for this reason.
    pub(crate) ending: Option<Reason>,
    /// The peer has shut its sending side.
    pub(crate) ended: bool,
    /// Neither an end of the input nor silence closes the connection; only its protocol does.
    pub(crate) held: bool,
    pub(crate) paused: bool,
    pub(crate) wants_room: bool,
    /// All that was queued has left, and its protocol was not told.
    pub(crate) owes_ready: bool,
    /// It came by [`crate::Server::attach`]: others may have the descriptor too.
    pub(crate) attached: bool,
    /// What epoll watches it for.
    pub(crate) interest: EpollFlags,
    /// How long it may be silent, in ms; 0 for ever.
    pub(crate) timeout_ms: u64,
    /// When it is pinged (ms of the loop's clock).
    pub(crate) deadline: Option<u64>,
    pub(crate) timer: Option<Timer>,
}

impl Link {
    pub(crate) fn new(socket: OwnedFd, protocol: Box<dyn Protocol>, timeout_ms: u64) -> Self {
        Self {
            socket,
            service: protocol.service(),
            protocol: Some(protocol),
            out: Outgoing::default(),
            hooks: None,
            user_data: None,
            hijack: None,
            phase: Phase::Open,
            ending: None,
            ended: false,
            held: false,
            paused: false,
            wants_room: false,
            owes_ready: false,
            attached: false,
            interest: EpollFlags::empty(),
            timeout_ms,
            deadline: None,
            timer: None,
        }
    }

    /// Whether its protocol is to be told when bytes arrive.
    pub(crate) fn reads(&self) -> bool {
        self.phase == Phase::Open && !self.paused && !self.ended && self.ending.is_none()
    }

    /// Whether bytes wait to be sent.
    pub(crate) fn has_output(&self) -> bool {
        !self.out.is_empty() || self.hooks.as_ref().is_some_and(|hooks| hooks.wants_room())
    }

    /// Whether its peer has ended, and nothing is to be sent to it any more.
    pub(crate) fn is_over(&self) -> bool {
        let waits = self.held || self.wants_room || self.owes_ready;
        self.phase == Phase::Open && self.ended && !waits && !self.has_output()
    }

    /// What epoll is to watch it for.
    pub(crate) fn wanted(&self) -> EpollFlags {
        let reads = self.reads() || self.phase == Phase::Lingering;
        let waits = self.wants_room || self.owes_ready;
        let writes = self.has_output() || waits && self.phase == Phase::Open;
        let mut wanted = EpollFlags::empty();
        wanted.set(EpollFlags::EPOLLIN, reads);
        wanted.set(EpollFlags::EPOLLOUT, writes);
        wanted
    }

    /// Its time of silence begins anew.
    pub(crate) fn touch(&mut self, now_ms: u64) {
        if self.timeout_ms > 0 {
            self.deadline = Some(now_ms + self.timeout_ms);
        }
    }

    /// Sends what the socket takes of what waits.
    pub(crate) fn flush(&mut self, now_ms: u64) {
        let mut hooks = self.hooks.as_deref_mut();
        let (moved, mut result) = self.out.flush(self.socket.as_fd(), hooks.as_deref_mut());
        if let (Ok(()), Some(hooks)) = (&result, hooks)
            && hooks.wants_room()
        {
            result = hooks.flush(self.socket.as_fd());
        }
        if moved {
            // A peer that takes something is alive.
            self.touch(now_ms);
        }
        match result {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => self.fail(&error),
        }
    }

    /// A read or a write has failed.
    pub(crate) fn fail(&mut self, error: &io::Error) {
        let errno = error.raw_os_error().map_or(Errno::EPROTO, Errno::from_raw);
        self.ending.get_or_insert(Reason::Failed(errno));
    }
}

impl AsFd for Link {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
