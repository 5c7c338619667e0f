//! Stage 04: one thread, many sockets.
//!
//! No thread waits for a single client any more. The sockets are non-blocking, epoll says which are ready,
//! and what a thread's stack held for its client is now held by a state machine, one for each [`connection`].

pub mod connection;
pub mod server;
