//! The experiments, a module for each.

use crate::experiment::Experiment;

mod accept_batch;
mod arc_cycle;
mod buffer_front_erase;
mod close_with_unread;
mod edge_or_level;
mod epoll_mmap;
mod file_copies;
mod fork_cost;
mod idle_cpu;
mod idle_wakeups;
mod log_buffers;
mod peer_vanishes;
mod poll_is_linear;
mod pool_starves;
mod sched_yield;
mod seed_ring;
mod sigpipe;
mod split_request;
mod timer_source;
mod timer_structure;
mod two_threads_one_fd;
mod units;
mod wakeup_cost;

/// All that are built. Their order is that of the ledger.
pub const ALL: &[&Experiment] = &[
    &accept_batch::EXPERIMENT,
    &arc_cycle::EXPERIMENT,
    &buffer_front_erase::EXPERIMENT,
    &close_with_unread::EXPERIMENT,
    &edge_or_level::EXPERIMENT,
    &epoll_mmap::EXPERIMENT,
    &file_copies::EXPERIMENT,
    &fork_cost::EXPERIMENT,
    &idle_cpu::EXPERIMENT,
    &idle_wakeups::EXPERIMENT,
    &log_buffers::EXPERIMENT,
    &peer_vanishes::EXPERIMENT,
    &poll_is_linear::EXPERIMENT,
    &pool_starves::EXPERIMENT,
    &sched_yield::EXPERIMENT,
    &seed_ring::EXPERIMENT,
    &sigpipe::EXPERIMENT,
    &split_request::EXPERIMENT,
    &timer_source::EXPERIMENT,
    &timer_structure::EXPERIMENT,
    &two_threads_one_fd::EXPERIMENT,
    &units::EXPERIMENT,
    &wakeup_cost::EXPERIMENT,
];
