//! What epoll and the timers know of a connection.

use super::EventLoop;
use crate::counters::add;
use crate::link::Link;
use crate::protocol::{Protocol, Reason};
use kit::connection_table::Token;
use nix::sys::epoll::{EpollEvent, EpollFlags};
use std::os::fd::{AsFd, OwnedFd};

impl EventLoop {
    /// Takes over a connection, for the rest of its life. It has been counted already.
    pub(crate) fn register(&mut self, socket: OwnedFd, protocol: Option<Box<dyn Protocol>>) {
        let token = self.links.token(socket.as_fd());
        let attached = protocol.is_some();
        let protocol = protocol.unwrap_or_else(|| self.application.protocol(&self.server));
        let timeout_ms = self.server.settings().idle_timeout.as_millis() as u64;
        let mut link = Link::new(socket, protocol, timeout_ms);
        link.attached = attached;
        link.interest = EpollFlags::EPOLLIN;
        link.touch(self.clock.now().ms);
        let service = link.service;
        if self.epoll.add(&link, EpollEvent::new(link.interest, token)).is_err() {
            self.server.closed(&self.state);
            return;
        }
        self.links.insert(token, link);
        self.state.recount(None, Some(service));
        add(&self.state.counters.opened, 1);
        self.visit(token, |protocol, connection| protocol.on_open(connection));
        if self.clock.has_stopped() {
            // It came after `stop`.
            self.visit(token, |protocol, connection| protocol.on_shutdown(connection));
        }
        self.settle(token);
    }

    /// Tells epoll and the timers what a connection waits for.
    pub(super) fn update(&mut self, token: Token) {
        let Some(link) = self.links.get_mut(token) else { return };
        let wanted = link.wanted();
        if wanted != link.interest {
            link.interest = wanted;
            if let Err(error) = self.epoll.modify(&*link, &mut EpollEvent::new(wanted, token)) {
                return self.remove(token, &Reason::Failed(error));
            }
        }
        let had_timer = link.timer.is_some();
        self.deadlines.arm(&mut link.timer, link.deadline, token);
        if !had_timer && link.timer.is_some() {
            add(&self.state.counters.deadlines, 1);
        }
    }
}
