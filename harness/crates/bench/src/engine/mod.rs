//! One engine for everything that is measured: a recipe says which points, the engine measures and records
//! them.
//!
//! * `point`: a load of one tool on one server, and how it is measured; `subject`: the server; `plan`: all
//!   points, in which order; `estimate`: for how long;
//! * `setup`: what all points have in common; `servers`: the processes, for as long as they are needed;
//!   `meter`: one point, from before to after, with `idle_memory` for connections that say nothing; `pairs`:
//!   a point beside the floor, in `turns` where that can be, with an `account` of what both used;
//! * `round_trip`: in which of its clock states the machine is; `recording`: a point as a record;
//!   `interrupted`: which earlier run can go on, `resume`: from where;
//! * `idle_gate`: waiting for other programs; `progress`: what the user sees; `session`: the run while it
//!   goes;
//! * `run`: from a recipe to its records.

mod account;
mod estimate;
mod idle_gate;
mod idle_memory;
mod interrupted;
mod meter;
mod pairs;
mod plan;
mod point;
mod progress;
mod recording;
mod resume;
mod round_trip;
mod run;
mod servers;
mod session;
mod setup;
mod subject;
mod turns;

pub use plan::Plan;
pub use point::{Clients, Long, Method, Point, Slowed};
pub use run::{Finished, Options, Outcome, Recipe, run};
pub use setup::Setup;
pub use subject::{Program, Subject};

pub(crate) use interrupted::command_line;
pub(crate) use meter::ab_would_hang;
pub(crate) use plan::USUAL_CLIENTS;
pub(crate) use recording::NOT_OURS;
