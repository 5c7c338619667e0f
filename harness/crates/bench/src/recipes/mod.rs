//! What is measured: each recipe has its options and its points; the engine does the rest.
//!
//! * `bench_all`: every stage under every tool; `table`: a table that was published; `scenario`: loads under
//!   which more workers show;
//! * `options`: what all but the first take; `select`: lists on the command line, and what is there of them;
//!   `whole_number`: numbers on it.

pub mod bench_all;
mod options;
pub mod scenario;
mod select;
pub mod table;
mod whole_number;
