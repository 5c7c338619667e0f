//! When a short read does not end a turn.
//!
//! A read that did not fill the buffer has emptied the socket, so an edge-triggered turn can end there: one
//! more read, only to get `EAGAIN`, would cost a system call per request, and whatever arrives later makes a
//! new edge. Two cases are exceptions:
//!
//! * **The end was reported together with bytes.** The kernel has already made the edge for it, so no other
//!   one follows: the turn reads on until it meets the end.
//! * **Urgent data.** A read stops at the urgent mark, however much lies behind it (tcp(7)), so a short read
//!   does not show that the socket is empty.

use nix::sys::epoll::EpollFlags;

/// What epoll must be asked to report so that [`reads_on`] can tell.
pub const REPORTED: EpollFlags = EpollFlags::EPOLLPRI.union(EpollFlags::EPOLLRDHUP);

/// Whether a turn that begins with these events must read until `EAGAIN` or the end.
pub fn reads_on(events: EpollFlags) -> bool {
    let end = EpollFlags::EPOLLRDHUP | EpollFlags::EPOLLHUP | EpollFlags::EPOLLERR;
    events.intersects(end | EpollFlags::EPOLLPRI)
}
