//! What goes over the wire, in one place for every part of the harness: a reply that the generator accepts is
//! not called wrong by the grader, and a host that one part can reach is reached by all.
//!
//! * `host`: a host and a port as a user writes them, and as a Host header must have them;
//! * `connect`: every address of a name is tried, in order;
//! * `request`: the bytes of a request;
//! * `reply`: bytes in, a reply out; no socket and no clock;
//! * `exchange`: the replies on a blocking socket, one after another, each with a limit in time.
//!
//! It depends on nothing else of the harness, and on no other module of this crate.

mod connect;
mod exchange;
mod host;
mod reply;
mod request;

pub use connect::{connect_first, first_reachable};
pub use exchange::Replies;
pub use host::{Authority, bracketed};
pub use reply::{
    BODY_LIMIT, Collector, Framing, HEAD_LIMIT, Head, INTERIM_LIMIT, Part, Reader, Reply, TooLong, parse_head,
};
pub use request::{Connection, get};
