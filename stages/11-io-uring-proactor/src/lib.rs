//! Stage 11: completion instead of readiness.
//!
//! epoll says that a socket *can* be read; then the server reads. io_uring is told *to* read, and says what was read. The
//! requests go through a queue that program and kernel share, so many of them cost one system call, and a *multishot*
//! request is made once and answers again and again: one for all the connections of a listener, one for all the bytes of
//! a connection.
//!
//! * [`operation`]: which answer belongs to which request;
//! * [`proactor`]: the two queues;
//! * [`buffers`]: memory that the kernel picks from when bytes arrive;
//! * [`aside`]: what has arrived and waits until a send is over;
//! * [`listener`]: one request, and the kernel accepts from then on;
//! * [`connection`]: one connection, which has at most one reply on its way;
//! * [`server`]: the loop.

pub mod aside;
pub mod buffers;
pub mod connection;
pub mod listener;
pub mod operation;
pub mod proactor;
pub mod server;
