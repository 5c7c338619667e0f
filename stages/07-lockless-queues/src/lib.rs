//! Stage 07: a queue per worker instead of one for all.
//!
//! Seed 000's thread pool gave each thread a ring of its own, so that nobody waits for a lock. Here that ring is
//! written out ([`ring`]), with the part that costs more than any queue: how a worker sleeps and is woken
//! ([`doorbell`], [`bell`]). `--queue` puts other queues in its place ([`lane`]), `--dispatch` decides who gets what
//! ([`dispatch`]).

pub mod bell;
pub mod dispatch;
pub mod doorbell;
pub mod lane;
pub mod ring;
pub mod server;
pub mod sync;
