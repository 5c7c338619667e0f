//! The exercises of the book that build: a starter is cut from a stage, the learner edits it, and each save
//! is built and graded.
//!
//! * `exercise`: what a folder of `notes/exercises` says; `part`: the same as a part of the book;
//! * `starter`: the crate that a learner gets, cut from the stage; `manifest`: its Cargo.toml;
//! * `solution`: the diff that solves it;
//! * `attempt`: builds and grades a crate; `shown`: what a learner sees of that;
//! * `progress`: what survives a restart; `work`: the learner's folder;
//! * `command`: `./lab learn`; `watch`: its loop; `report`: what a course sees.
//!
//! A starter is the stage's own source with the part between two anchors replaced, so it cannot drift from
//! the stage. The format of an exercise is described in `notes/exercises/README.md`.

mod attempt;
mod command;
mod exercise;
mod manifest;
mod part;
mod progress;
mod report;
mod shown;
mod solution;
mod starter;
mod watch;
mod work;

pub use attempt::{Attempt, build, grade};
pub use command::{Args, run};
pub use exercise::{Difficulty, Exercise, Lab, Replacement};
pub use part::part;
pub use solution::solve;
pub use starter::{Kind, Starter};
