//! The literature's claims, each as an experiment that ends in a verdict from this machine.
//!
//! * `ledger`: all claims, with their ids; `claims`: the experiments, a module for each;
//! * `experiment`, `needs`, `session`: what an experiment is, what it needs, what it is given;
//! * `report`, `compare`: figures, and the verdicts that rules draw from them; `noise`: whether another run
//!   could find another verdict;
//! * `measure`: pinning, interleaving, clocks, servers in pairs and under load generators; `model`: every
//!   order in which threads can run;
//! * `exhibit`: servers and programs that are broken on purpose, as processes of their own;
//! * `store`, `page`, `drawing`: what is recorded, the ledger that is written from it, its pictures;
//! * `command`, `screen`: the command line, and what it prints.

pub mod claims;
mod client;
pub mod command;
pub mod compare;
mod drawing;
pub mod exhibit;
pub mod experiment;
mod fleet;
mod format;
pub mod ledger;
pub mod measure;
pub mod model;
pub mod needs;
pub mod noise;
mod page;
pub mod report;
mod screen;
pub mod session;
pub mod store;
