//! Stage 09: processes, each with a loop of its own, on one queue of connections.
//!
//! ```text
//!   parent: epoll { signals, listener, answers of the children }
//!              |  "a connection waits"           ^ "accepted"
//!              v                                 |
//!   child 1: epoll { notifications, its connections }  child 2: ...
//! ```
//!
//! * [`server`]: the children's loop; [`acceptor`]: how a child learns that a connection waits;
//! * [`startup`]: what comes before the loop;
//! * [`options`]: how a connection finds a process: the thundering herd and its cures;
//! * [`parent`]: the parent's loop; [`signals`]: what happens to its children arrives in the same epoll;
//! * [`children`]: started, reaped, started again;
//! * [`dispatcher`]: which child is notified; [`control_pipe`]: how;
//! * [`listeners`]: what the parent keeps for a successor, and what becomes of it at shutdown;
//! * [`scoreboard`]: counts that all processes see;
//! * [`reuseport`]: several listening sockets on one port.

pub mod acceptor;
pub mod children;
pub mod control_pipe;
pub mod dispatcher;
pub mod listeners;
pub mod options;
pub mod parent;
pub mod reuseport;
pub mod scoreboard;
pub mod server;
pub mod signals;
pub mod startup;
