//! Stage 04: one thread, many sockets.
//!
//! Nothing waits for one client any more. The sockets are non-blocking, epoll says which are ready, and what a
//! thread's stack remembered for its client is now a state machine, one for each [`connection`].

pub mod connection;
pub mod server;
