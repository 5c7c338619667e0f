//! Stage 03: a fixed number of threads behind one locked queue.
//!
//! The threads are started once. The main thread accepts and queues; a worker takes a connection and serves
//! it to its end with stage 01's `serve`. The new part is the [`queue`].

pub mod options;
pub mod queue;
pub mod server;
