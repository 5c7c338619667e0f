//! Stage 02: accept, then fork.
//!
//! The child serves its one connection with stage 01's `serve` and exits; the parent goes on accepting. The
//! kernel's scheduler now does what stage 01 could not: it runs other processes while one client is silent.
//! The twin in [`threads`] does the same with a thread instead of a process.

pub mod children;
pub mod semaphore;
pub mod server;
pub mod threads;
