//! Stage 07: a queue per worker instead of one for all.
//!
//! Source 000's thread pool gave each thread a ring of its own, so that no thread waits for a lock. Here that
//! ring is written out ([`ring`]), with the part that costs more than any queue: how a worker sleeps and is
//! woken ([`parker`], [`notifier`]). Ring and parker together are a [`channel`]; `--queue` puts other queues
//! in the ring's place. `--dispatch` decides which worker gets which connection ([`dispatch`]).

pub mod channel;
pub mod dispatch;
pub mod notifier;
pub mod options;
pub mod parker;
pub mod ring;
pub mod server;
pub mod sync;
