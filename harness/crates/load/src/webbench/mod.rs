//! A driver with the flags, the counting and the report of webbench 1.5, written from a description of its
//! behaviour, so that figures compare with the many that were published with it.
//!
//! What it counts is not what it seems. A request has succeeded when the connection was closed without an
//! error: neither the status nor the length is looked at, and an empty reply is a success. The speed is in
//! pages per **minute**, and failures raise it. A reader of its report has to take them out.

mod client;
mod options;
mod request;
mod run;

pub use client::Tally;
pub use options::{Options, Version};
pub use request::Request;
pub use run::{main, report};
