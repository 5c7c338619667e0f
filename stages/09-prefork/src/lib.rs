//! Stage 09: processes, each with a loop of its own, on one queue of connections.
//!
//! ```text
//!   parent: epoll { signals, listener, answers of the children }
//!              |  "there is a connection"        ^ "taken"
//!              v                                 |
//!   child 1: epoll { notices, its connections }  child 2: ...
//! ```
//!
//! * [`accept`]: how a connection finds a process: the herd and its cures;
//! * [`children`]: forked, reaped, replaced; [`signals`]: what happens to them arrives in the same epoll;
//! * [`line`]: what parent and child say to each other;
//! * [`board`]: counts that all processes see;
//! * [`siblings`]: several listening sockets on one port;
//! * [`parent`]: the parent's loop; [`server`]: the children's.

pub mod accept;
pub mod board;
pub mod children;
pub mod line;
pub mod parent;
pub mod server;
pub mod siblings;
pub mod signals;
