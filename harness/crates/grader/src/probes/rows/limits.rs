//! The machine's limits and the server's own.

use crate::probes::probe::{PLAIN, PROCESS, Probe};
use crate::probes::routes::Route::{Bytes, Echo};
use crate::probes::{Setup, kept_memory, leaks, limits, listener, resources, served, waiting};

pub(super) const PROBES: &[Probe] = &[
    Probe::new(
        "descriptor-limit",
        "Out of descriptors it does not spin, and it serves again when some are free.",
        "EMFILE returns at once and the listener stays readable: pause accepting, or shed.",
        resources::descriptor_limit,
    )
    .with(Setup { few_descriptors: true, ..PROCESS }),
    Probe::new(
        "queued-at-emfile",
        "Serves, or sheds, what waited when descriptors ran out, without another connection.",
        "No event comes for what waits already: try to accept again after a while, or when a connection ends.",
        listener::queued_at_emfile,
    )
    .with(Setup { few_descriptors: true, ..PROCESS }),
    Probe::new(
        "shed-in-order",
        "Turns clients away without a reset when it is out of descriptors, or lets them wait.",
        "A close with a request unread is a reset: read what has come, then close.",
        listener::shed_in_order,
    )
    .with(Setup { few_descriptors: true, ..PROCESS }),
    Probe::new(
        "over-1024",
        "Serves the last 100 of 1,100 connections that are open.",
        "select and an array of 1,024 end at descriptor 1,023 (FD_SETSIZE): use poll or epoll, and a table that grows.",
        limits::over_1024,
    )
    .alone(),
    Probe::new(
        "connection-limit",
        "Serves no more clients at once than its limit says.",
        "Count what is open, and stop accepting, or refuse, at the limit.",
        limits::connection_limit,
    )
    .with(Setup { options: &["--max-connections", "8"], ..PLAIN })
    .keeps_open(),
    Probe::new(
        "connection-limit-left",
        "Serves the client that waits when another one leaves, and as many as before in the end.",
        "Each connection that ends must be counted down on every way, and must let accepting go on.",
        limits::connection_limit_left,
    )
    .with(Setup { options: &["--max-connections", "8"], ..PLAIN })
    .keeps_open(),
    Probe::new(
        "idle-cpu",
        "Uses no CPU time while its clients are silent.",
        "Something polls: look for a timeout of zero, or an event that is never taken.",
        resources::idle_cpu,
    )
    .with(PROCESS)
    .asks(&[Bytes]),
    Probe::new(
        "idle-wake-ups",
        "Does not wake up while its clients are silent.",
        "Wait until an event comes, or the next deadline: a timeout of 10 ms is polling.",
        waiting::idle_wake_ups,
    )
    .with(PROCESS),
    Probe::new(
        "no-leaks",
        "Has no zombie and no more descriptors, processes or threads after 2,000 connections than before.",
        "Close on every path, reap in a loop (one SIGCHLD may stand for many children).",
        resources::no_leaks,
    )
    .with(PROCESS)
    .asks(&[Bytes]),
    Probe::new(
        "leak-on-reset",
        "Closes its descriptor, in every process, when its client resets the connection.",
        "A read or a write that fails ends the connection: close there too.",
        leaks::leak_on_reset,
    )
    .with(PROCESS)
    .asks(&[Bytes]),
    Probe::new(
        "leak-on-refusal",
        "Closes its descriptor, in every process, after a request that it refuses.",
        "The way of a refusal ends in a close as well, after the reply has left.",
        leaks::leak_on_refusal,
    )
    .with(PROCESS)
    .asks(&[Echo])
    .of_http(),
    Probe::new(
        "leak-on-timeout",
        "Closes its descriptor, in every process, when a timeout is over.",
        "Shutting a socket is not closing it: shutdown(2) frees no descriptor.",
        leaks::leak_on_timeout,
    )
    .with(Setup { options: &["--idle-timeout", "0.5", "--header-timeout", "0.5"], ..PROCESS })
    .asks(&[Echo])
    .of_http(),
    Probe::new(
        "leak-on-file",
        "Closes and unmaps a file that it has sent, whole, in part, or to a client that has left.",
        "Whatever ends the sending, the file is closed with it, and munmap(2) takes back what mmap(2) took.",
        served::leak_on_file,
    )
    .with(Setup { by_hand: true, ..PROCESS })
    .of_http(),
    Probe::new(
        "memory-per-connection",
        "Needs no more memory after 20,000 connections than before them.",
        "What is allocated for a connection is freed on every way in which it ends; its entry in a table too.",
        leaks::memory_per_connection,
    )
    .with(PROCESS)
    .asks(&[Bytes]),
    Probe::new(
        "memory-never-reads",
        "Holds a bounded amount for clients that send requests and read no reply.",
        "While replies wait to be sent, read no further request of that client.",
        leaks::memory_never_reads,
    )
    .with(PROCESS)
    .asks(&[Bytes])
    .keeps_open(),
    Probe::new(
        "memory-while-idle",
        "Gives the memory back that its clients' replies needed, while they are idle.",
        "An idle connection needs no buffer; what is kept for the next one is bounded in bytes.",
        kept_memory::memory_while_idle,
    )
    .with(PROCESS)
    .asks(&[Echo])
    .keeps_open()
    .of_http(),
];
