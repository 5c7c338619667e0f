//! Stage 01: accept, read, write, repeat.
//!
//! The oldest design there is (CS:APP's `echo` and `tiny`): one process, one thread, and every call blocks.
//! While it waits for one client it cannot serve another. [`serve`] is what stages 02 and 03 run for each
//! connection.

pub mod server;

pub use server::{READ_BUFFER, serve};
