//! The load generators: programs, most of them by others, started, bounded in time, and read into one shape.
//!
//! Each tool lies in its own way; what is known about it, and how it is read right, is in its module. All are
//! closed loops, as they are used here: a client asks again only when it was answered. They find how much a
//! server can do, not how long a request waits, so nothing here is a latency to be published.
//!
//! * `tool`: their names; `load`: what is asked of one, and what it says; `installed`: where it is, and a run
//!   of it, with whether its report can be true;
//! * `ab`, `wrk`, `webbench`, `builtin`: how each is told and read;
//! * `run`: a run of a program, bounded in time (`bounded`); `ssh`: on another host.

mod ab;
mod bounded;
mod builtin;
mod installed;
mod load;
mod run;
mod ssh;
mod tool;
mod webbench;
mod wrk;

pub use self::load::{Load, Measurement, WARM_UP};
pub use bounded::{Output, bounded};
pub(crate) use builtin::{measured_in_turns, options_of_turns};
pub use installed::{Installed, on_path};
pub use run::Meanwhile;
pub use ssh::{Place, Remote};
pub use tool::Tool;
