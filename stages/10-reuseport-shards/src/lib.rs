//! Stage 10: share nothing.
//!
//! Stages 06 to 08 divide the work after somebody has accepted; here nobody hands anything to anybody. Each thread binds
//! a listening socket of its own to the same port (`SO_REUSEPORT`, Linux 3.9), and the kernel deals the connections out
//! by a hash of their addresses. From then on a connection lives in one thread, on one CPU, in one set of caches.

pub mod cpus;
pub mod server;
pub mod vital;
