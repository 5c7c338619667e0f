//! Stage 06: a reactor and workers share descriptors.
//!
//! The reactor waits for events and queues the connections (stage 03's queue); workers serve them. So two
//! workers could get the same connection: `EPOLLONESHOT` disarms a descriptor when it is reported, and the
//! worker arms it again when it is done. `--no-oneshot` shows what happens otherwise.

pub mod options;
pub mod reactor_shared;
pub mod server;
pub mod shared_connection;
