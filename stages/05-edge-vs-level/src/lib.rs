//! Stage 05: two flags on stage 04.
//!
//! Level-triggered, epoll reports a socket *for as long as* it is ready; edge-triggered, it reports *that it
//! became* ready. A turn may read once, or until the kernel says that nothing is left. Of the four
//! combinations one hangs. The twin in [`on_mio`] is the same server on mio, which is edge-triggered without
//! asking.

pub mod on_mio;
pub mod options;
pub mod server;
pub mod trigger;
