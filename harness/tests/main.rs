//! The harness as a user meets it. One program: each would be linked with all crates again, and most of these
//! tests wait, which they do side by side here.

mod bench;
mod charts;
mod command_line;
mod engine;
mod grade;
mod grade_any;
mod interrupted;
mod learn;
mod load;
mod names;
mod notes;
mod pipeline;
mod predict;
mod profile;
mod refusals;
mod remote;
mod scenario;
mod starters;
mod step;
mod table;
mod targets;
mod timeline;
mod wire;
