//! Stage 08: one loop per thread.
//!
//! ```text
//!                     main reactor: accept
//!                    /         |          \          once for each connection, over an eventfd
//!               sub reactor  sub reactor  sub reactor
//!               epoll        epoll        epoll      then everything on this connection's loop
//! ```
//!
//! A connection crosses from one thread to another once in its life, and not at each event. After that it belongs to one
//! thread: no lock, no ONESHOT, no re-arming. [`server`] is the main reactor, [`event_loop`] a sub reactor; what they need
//! beside their sockets is in modules of their own:
//!
//! * [`loops`]: the loops, as the one that accepts sees them;
//! * [`remote`]: work for a loop, from other threads;
//! * [`timers`] and [`timer_source`]: when which peer's time is over, and what wakes the loop then;
//! * [`files`]: three ways from a file into a socket;
//! * [`log`]: an access log, written at once or behind the loops' backs;
//! * [`reserve`]: a descriptor for the moment when there is none.

pub mod event_loop;
pub mod files;
pub mod log;
pub mod loops;
pub mod remote;
pub mod reserve;
pub mod server;
pub mod timer_source;
pub mod timers;
