//! The experiments, a module for each.

use crate::experiment::Experiment;

mod ab_waits_for_close;
mod accept_batch;
mod accept_notify;
mod arc_cycle;
mod async_log;
mod backlog;
mod buffer_front_erase;
mod client_is_the_bottleneck;
mod close_is_dear;
mod close_with_unread;
mod closed_loop_hides;
mod edge_beats_level;
mod edge_or_level;
mod epoll_mmap;
mod file_copies;
mod fork_cost;
mod idle_cpu;
mod idle_wakeups;
mod keep_alive;
mod listener_closed_at_once;
mod log_buffers;
mod many_processes;
mod peer_vanishes;
mod pipelining_batches;
mod poll_is_linear;
mod pool_starves;
mod proactor_faster;
mod processes;
mod queues;
mod sched_yield;
mod seed_ring;
mod serial_collapses;
mod sigpipe;
mod slow_handler;
mod split_request;
mod timer_source;
mod timer_structure;
mod tools_disagree;
mod two_threads_one_fd;
mod units;
mod wakeup_cost;

/// All of them. Their order is that of the ledger.
pub const ALL: &[&Experiment] = &[
    &ab_waits_for_close::EXPERIMENT,
    &accept_batch::EXPERIMENT,
    &accept_notify::EXPERIMENT,
    &arc_cycle::EXPERIMENT,
    &async_log::EXPERIMENT,
    &backlog::EXPERIMENT,
    &buffer_front_erase::EXPERIMENT,
    &client_is_the_bottleneck::EXPERIMENT,
    &close_is_dear::EXPERIMENT,
    &close_with_unread::EXPERIMENT,
    &closed_loop_hides::EXPERIMENT,
    &edge_beats_level::EXPERIMENT,
    &edge_or_level::EXPERIMENT,
    &epoll_mmap::EXPERIMENT,
    &file_copies::EXPERIMENT,
    &fork_cost::EXPERIMENT,
    &idle_cpu::EXPERIMENT,
    &idle_wakeups::EXPERIMENT,
    &keep_alive::EXPERIMENT,
    &listener_closed_at_once::EXPERIMENT,
    &log_buffers::EXPERIMENT,
    &many_processes::EXPERIMENT,
    &peer_vanishes::EXPERIMENT,
    &pipelining_batches::EXPERIMENT,
    &poll_is_linear::EXPERIMENT,
    &pool_starves::EXPERIMENT,
    &proactor_faster::EXPERIMENT,
    &processes::EXPERIMENT,
    &queues::EXPERIMENT,
    &sched_yield::EXPERIMENT,
    &seed_ring::EXPERIMENT,
    &serial_collapses::EXPERIMENT,
    &sigpipe::EXPERIMENT,
    &slow_handler::EXPERIMENT,
    &split_request::EXPERIMENT,
    &timer_source::EXPERIMENT,
    &timer_structure::EXPERIMENT,
    &tools_disagree::EXPERIMENT,
    &two_threads_one_fd::EXPERIMENT,
    &units::EXPERIMENT,
    &wakeup_cost::EXPERIMENT,
];
