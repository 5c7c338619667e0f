//! Stage 12: async/await, made by hand.
//!
//! Stage 01's loop is back, with `.await` where it blocked ([`server`]). What was a thread's stack in stage
//! 03 and a state machine written by hand in stage 04 is now a state machine that the compiler makes of the
//! loop: a *future*. Nothing in it knows how to wait. Three parts do:
//!
//! ```text
//!   executor  polls the futures that have something to do         (its run queue: wake)
//!   reactor   waits for sockets and timers, and wakes their tasks (epoll, as in stage 05)
//!   waker     the way from what happened back to the task         (from any thread)
//! ```
//!
//! [`executor`], [`wake`] and [`reactor`] are those; [`socket`], [`timer`] and [`blocking`] are the futures
//! at the bottom, which return `Pending` and leave a waker behind. Threads and listeners are those of stage
//! 10: one executor per CPU, and a task never leaves its thread.

pub mod blocking;
pub mod executor;
pub mod fiber;
pub mod numbers;
pub mod on_fibers;
#[cfg(not(loom))]
pub mod on_tokio;
pub mod options;
pub mod reactor;
pub mod server;
pub mod shard;
pub mod socket;
pub mod source;
pub mod sync;
pub mod timer;
pub mod wake;
