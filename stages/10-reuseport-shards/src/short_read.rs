//! A turn that ends with a short read.
//!
//! A read that did not fill the buffer has emptied the socket, so an edge-triggered turn can end there: one
//! more read, only to get `EAGAIN`, would cost a system call per request, and whatever arrives later makes a
//! new edge. Two cases are exceptions:
//!
//! * **The end was reported together with bytes.** The kernel has already made the edge for it, so no other
//!   one follows: the turn reads on until it meets the end.
//! * **Urgent data.** A read stops at the urgent mark, however much lies behind it (tcp(7)), so a short read
//!   does not show that the socket is empty.

use kit::clock::Clock;
use nix::sys::epoll::EpollFlags;
use nonblocking_epoll::connection::{Connection, Turn};

/// A turn reads at most this often, or one peer that never stops sending would have the loop to itself.
const MAX_READS: usize = 16;

// ANCHOR: turn
/// Serves a connection for one turn, which began with these events. The result is [`Turn::Blocked`] if the
/// socket is known to be empty.
#[inline]
pub fn turn(connection: &mut Connection, events: EpollFlags, buffer: &mut [u8], clock: &mut Clock) -> Turn {
    let reads_on = reads_on(events);
    for _ in 0..MAX_READS {
        // While the connection was writing it did not read, so what arrived meanwhile has had its edge.
        let was_writing = connection.interest() == EpollFlags::EPOLLOUT;
        let mut turn = connection.handle_event(buffer, clock.last());
        while let Turn::Work(work) = turn {
            let answer = work.run();
            turn = connection.finish_work(answer, buffer, clock.read());
        }
        if !matches!(turn, Turn::Served) {
            return turn;
        }
        if !(reads_on || was_writing || connection.has_filled()) {
            return Turn::Blocked;
        }
    }
    Turn::Served
}
// ANCHOR_END: turn

/// What epoll must be asked to report so that [`turn`] can tell.
pub const REPORTED: EpollFlags = EpollFlags::EPOLLPRI.union(EpollFlags::EPOLLRDHUP);

/// Whether a turn that begins with these events must read until `EAGAIN` or the end.
fn reads_on(events: EpollFlags) -> bool {
    let end = EpollFlags::EPOLLRDHUP | EpollFlags::EPOLLHUP | EpollFlags::EPOLLERR;
    events.intersects(end | EpollFlags::EPOLLPRI)
}
