//! What every stage shares and no stage is about.
//!
//! A stage is a way to wait for many sockets. Everything else that a server needs is here, so that two
//! stages differ in nothing but how they wait:
//!
//! * [`options`]: the command line that every stage understands, and its one-line errors;
//! * [`start`]: descriptor limit, signals, listening socket, first line on stdout;
//! * [`listener`]: the listening socket, and accepting without spinning when descriptors run out;
//! * [`shutdown`]: one way to stop, for blocking and for event-driven stages;
//! * [`protocol`]: echo and HTTP as state machines that know no socket;
//! * [`session`]: one connection's conversation: a state machine that a loop drives; [`output`]: what it
//!   wants to send;
//! * [`read_buffer`] and [`write_buffer`]: bytes that wait to be parsed, and to be sent;
//! * [`socket`]: sending a session's output; [`blocking`]: deadlines for threads that block;
//! * [`connection_table`]: connections by descriptor number;
//! * [`clock`]: the time, read once per wake-up; [`timeout_scan`]: a look at all deadlines once a second;
//! * [`threads`]: starting threads; [`stderr`]: what a server writes there.

pub mod blocking;
pub mod clock;
pub mod connection_table;
pub mod error;
pub mod listener;
pub mod options;
pub mod output;
pub mod protocol;
pub mod read_buffer;
pub mod session;
pub mod shutdown;
pub mod socket;
pub mod start;
pub mod stderr;
pub mod threads;
pub mod timeout_scan;
pub mod write_buffer;
