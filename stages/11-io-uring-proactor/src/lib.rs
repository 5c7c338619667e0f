//! Stage 11: completion instead of readiness.
//!
//! epoll reports that a socket *can* be read; then the server reads. io_uring is told *to* read, and reports
//! what was read. The submissions go through a queue that program and kernel share, so many of them cost one
//! system call, and a
//! *multishot* submission is made once and completes again and again: one for all the connections of a
//! listener, one for all the bytes of a connection.
//!
//! * [`proactor`]: the submission queue and the completion queue;
//! * [`operation`]: the `user_data` that tells which completion belongs to which submission;
//! * [`buffers`]: provided buffers, which the kernel picks from when bytes arrive;
//! * [`listener`]: a multishot accept;
//! * [`connection`]: a receive, multishot from the second one on, and at most one send in flight;
//! * [`direct`], [`registered`]: sockets and memory that the ring knows by a number, behind an option each;
//! * [`piece`]: a piece of a file between its read and its send;
//! * [`server`]: the loop.

pub mod buffers;
pub mod connection;
pub mod direct;
pub mod features;
pub mod listener;
pub mod operation;
pub mod options;
pub mod piece;
pub mod proactor;
pub mod registered;
pub mod server;
