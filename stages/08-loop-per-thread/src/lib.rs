//! Stage 08: one loop per thread.
//!
//! ```text
//!                     main reactor: accept
//!                    /         |          \          once for each connection, over an eventfd
//!               sub reactor  sub reactor  sub reactor
//!               epoll        epoll        epoll      then everything on this connection's loop
//! ```
//!
//! A connection crosses from one thread to another once in its life, and not at each event. After that it
//! belongs to one thread: no lock, no ONESHOT, no re-arming. [`server`] is the main reactor, [`event_loop`] a
//! sub reactor; [`loops`] has the loops as the one that accepts sees them, and [`remote`] brings work to a
//! loop from other threads.
//!
//! What a server needs beside its loop is in crates of its own, `stages/parts/`: [`timers`] for the
//! deadlines, [`sending_files`], [`access_log`], and [`descriptor_reserve`] for the moment when there is no
//! descriptor.

pub mod event_loop;
pub mod loops;
pub mod options;
pub mod remote;
pub mod server;
