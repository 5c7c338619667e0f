//! Stage 10: share nothing.
//!
//! In stages 06 to 08 one thread accepts and hands the work to others; here no thread hands anything to
//! another. Each thread binds a listening socket of its own to the same port (`SO_REUSEPORT`, Linux 3.9), and
//! the kernel deals the connections out by a hash of their addresses. From then on a connection lives in one
//! thread, on one CPU, in one set of caches.

pub mod cpus;
pub mod exit_on_drop;
pub mod options;
pub mod server;
pub mod shards;
pub mod short_read;
pub mod steering;
