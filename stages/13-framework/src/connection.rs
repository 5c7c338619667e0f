//! A connection, as its callbacks and tasks see it.

mod ending;

use crate::handle::{ConnectionId, Server};
use crate::hooks::Hooks;
use crate::link::{Link, Phase};
use crate::loop_clock::LoopClock;
use crate::packet::Packet;
use crate::protocol::Protocol;
use kit::clock::LoopContext;
use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, send};
use nix::unistd::read;
use std::any::Any;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::sync::Arc;

/// One connection, for as long as a callback or a task of it runs.
pub struct Connection<'turn> {
    pub(crate) link: &'turn mut Link,
    pub(crate) buffer: &'turn mut [u8],
    pub(crate) clock: &'turn mut LoopClock,
    pub(crate) server: &'turn Server,
    pub(crate) id: ConnectionId,
}

/// What the connection is, and whose.
impl Connection<'_> {
    /// Names it for as long as the server runs: no later connection has the same id, though it may have the
    /// same descriptor.
    pub fn id(&self) -> ConnectionId {
        self.id
    }

    /// Its server.
    pub fn server(&self) -> &Server {
        self.server
    }

    /// The time, read when the loop woke up, and whether the server drains.
    pub fn now(&self) -> &LoopContext {
        self.clock.now()
    }

    /// Reads the time anew, after something that took long.
    pub fn read_clock(&mut self) -> &LoopContext {
        self.clock.read()
    }

    /// The name of its service.
    pub fn service(&self) -> &'static str {
        self.link.service
    }

    /// Its protocol, in a task, if it is a `P`. In a callback it is None: there the protocol is `self`.
    pub fn protocol<P: Protocol>(&mut self) -> Option<&mut P> {
        let protocol: &mut dyn Any = &mut **self.link.protocol.as_mut()?;
        protocol.downcast_mut()
    }

    /// Lets another protocol go on with the conversation, once the present callback has returned. Neither
    /// `on_close` of the old one nor `on_open` of the new one is called.
    pub fn set_protocol(&mut self, protocol: Box<dyn Protocol>) {
        let before = std::mem::replace(&mut self.link.service, protocol.service());
        self.server.recount(self.id, before, self.link.service);
        self.link.protocol = Some(protocol);
    }

    /// What [`Connection::set_user_data`] has stored, if it is a `T`. A protocol's own fields need none of
    /// this; it is for what others attach to a connection.
    pub fn user_data<T: Any>(&mut self) -> Option<&mut T> {
        self.link.user_data.as_mut()?.downcast_mut()
    }

    /// Counts requests, for [`Server::counters`].
    pub fn count_requests(&self, count: u64) {
        self.server.count_requests(self.id, count);
    }

    /// Stores something with the connection, and returns what was there.
    pub fn set_user_data(&mut self, data: impl Any + Send) -> Option<Box<dyn Any + Send>> {
        self.link.user_data.replace(Box::new(data))
    }
}

/// Reading.
impl Connection<'_> {
    /// Reads what has arrived, through the reading hook if there is one, into the loop's buffer of 64 KiB.
    /// Empty at the end of the peer's bytes: unless the protocol [holds](Connection::hold) the connection, it
    /// is closed once everything has been sent.
    ///
    /// # Errors
    /// `WouldBlock` when nothing has arrived. After any other error the connection is closed.
    pub fn receive(&mut self) -> io::Result<&[u8]> {
        let count = read_into(self.link, self.buffer)?;
        Ok(&self.buffer[..count])
    }

    /// [`Connection::receive`] into a buffer of the caller's.
    ///
    /// # Errors
    /// As [`Connection::receive`].
    pub fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        read_into(self.link, buffer)
    }

    /// Whether to stop reading: then `on_data` is not called, and the peer's bytes wait in its own kernel.
    pub fn pause(&mut self, paused: bool) {
        self.link.paused = paused;
    }

    /// Whether the connection stays open after the end of the peer's bytes, for a reply that is not there
    /// yet.
    pub fn hold(&mut self, held: bool) {
        self.link.held = held;
    }

    /// Sets the pair of hooks.
    pub fn set_hooks(&mut self, hooks: Box<dyn Hooks>) {
        self.link.hooks = Some(hooks);
    }
}

/// Writing. Packets leave when the callback has returned, several in one call, each as a whole.
impl Connection<'_> {
    /// Queues a copy of these bytes.
    pub fn write(&mut self, bytes: &[u8]) {
        self.write_move(bytes.to_vec());
    }

    /// Queues a packet without a copy.
    pub fn write_move(&mut self, packet: impl Into<Packet>) {
        self.queue(packet.into(), false);
    }

    /// Queues a copy before all packets that have not begun and are not urgent.
    pub fn write_urgent(&mut self, bytes: &[u8]) {
        self.write_move_urgent(bytes.to_vec());
    }

    /// [`Connection::write_urgent`] without a copy.
    pub fn write_move_urgent(&mut self, packet: impl Into<Packet>) {
        self.queue(packet.into(), true);
    }

    /// Queues `length` bytes of a file as one packet; they stay in the file until they are sent.
    pub fn sendfile(&mut self, file: Arc<File>, offset: u64, length: u64) {
        self.queue(Packet::File { file, offset, length }, false);
    }

    /// How many bytes of memory wait to be sent.
    pub fn queued(&self) -> usize {
        self.link.out.queued()
    }

    /// Sends bytes at once, through the writing hook if there is one, and queues nothing: for a protocol that
    /// keeps its output itself. Not to be mixed with the queue. Returns how many were taken.
    ///
    /// # Errors
    /// `WouldBlock` when there is no room: [`Connection::wait_for_room`]. After any other error the
    /// connection is closed.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let socket = self.link.socket.as_fd();
        let result = match &mut self.link.hooks {
            Some(hooks) => hooks.write(socket, bytes),
            None => send(socket.as_raw_fd(), bytes, MsgFlags::MSG_NOSIGNAL).map_err(io::Error::from),
        };
        match result {
            Ok(0) if !bytes.is_empty() => Err(Errno::EAGAIN.into()),
            result => result.inspect_err(|error| fails(self.link, error)),
        }
    }

    /// Whether [`crate::Protocol::on_ready`] is called while the socket has room, though nothing is queued.
    pub fn wait_for_room(&mut self, wanted: bool) {
        self.link.wants_room = wanted;
    }

    /// Whether there is a pair of hooks. Without one, a protocol may write to the socket itself
    /// ([`AsFd`]).
    pub fn is_hooked(&self) -> bool {
        self.link.hooks.is_some()
    }

    fn queue(&mut self, packet: Packet, urgent: bool) {
        if self.link.phase == Phase::Open {
            self.link.out.push(packet, urgent);
        }
    }
}

impl AsFd for Connection<'_> {
    /// The socket, which bypasses hooks and queue.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.link.socket.as_fd()
    }
}

fn read_into(link: &mut Link, buffer: &mut [u8]) -> io::Result<usize> {
    let result = match &mut link.hooks {
        Some(hooks) => hooks.read(link.socket.as_fd(), buffer),
        None => loop {
            match read(&link.socket, buffer) {
                Err(Errno::EINTR) => {}
                result => break result.map_err(io::Error::from),
            }
        },
    };
    match result {
        Ok(0) if !buffer.is_empty() => {
            link.ended = true;
            Ok(0)
        }
        result => result.inspect_err(|error| fails(link, error)),
    }
}

/// Anything but "not now" ends a connection.
fn fails(link: &mut Link, error: &io::Error) {
    if error.kind() != io::ErrorKind::WouldBlock {
        link.fail(error);
    }
}
