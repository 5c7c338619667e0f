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
//! * [`session`]: one connection's protocol, leftovers, output and deadline;
//! * [`outbox`] and [`flush`]: what waits to be sent, and sending it;
//! * [`registry`]: connections by descriptor number; [`room`]: how many there may be;
//! * [`journal`]: what was asked and answered, for an access log;
//! * [`clock`]: the time, read once per wake-up; [`sweep`]: a look at all deadlines once a second;
//! * [`words`]: what a server says on stderr.

pub mod clock;
pub mod flush;
pub mod journal;
pub mod listener;
pub mod options;
pub mod outbox;
pub mod protocol;
pub mod registry;
pub mod room;
pub mod session;
pub mod shutdown;
pub mod start;
pub mod sweep;
pub mod words;
