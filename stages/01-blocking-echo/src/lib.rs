//! Stage 01: accept, read, write, repeat.
//!
//! The oldest server there is (CS:APP's `echo` and `tiny`): one process, one thread, and every call blocks. While it
//! waits for one client it cannot serve another.

pub mod serve;
pub mod server;
