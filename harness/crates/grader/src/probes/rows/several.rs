//! Several clients: does one of them wait for another?

use crate::probes::concurrency;
use crate::probes::probe::Probe;
use crate::probes::routes::Route::{Bytes, Sleep};

pub(super) const PROBES: &[Probe] = &[
    Probe::new(
        "two-clients",
        "Serves a client while another one that came first is silent.",
        "One thread that waits in read for one client cannot serve another.",
        concurrency::two_clients,
    ),
    Probe::new(
        "reverse-order",
        "Serves three clients that ask in the reverse order of their connecting.",
        "Wait for all connections at once, or give each its own thread.",
        concurrency::reverse_order,
    ),
    Probe::new(
        "idle-holders",
        "Serves one more client while as many as a pool has workers hold idle connections.",
        "A worker that waits for the next request of one client is lost for the others.",
        concurrency::idle_holders,
    )
    .keeps_open(),
    Probe::new(
        "idle-1000",
        "Serves one more client while 1,000 silent ones are connected.",
        "Look at the backlog, the descriptor limit, and what a silent connection costs.",
        |subject| concurrency::silent_holders(subject, 1_000),
    )
    .alone(),
    Probe::new(
        "idle-10000",
        "Serves one more client while 10,000 silent ones are connected.",
        "Look at the descriptor limit, and at what is done for each connection at each event.",
        |subject| concurrency::silent_holders(subject, 10_000),
    )
    .alone()
    .on_request(),
    Probe::new(
        "fast-beside-slow",
        "Serves 32 clients while a handler sleeps for a second for another one.",
        "A handler that blocks stops everything that shares its thread or its queue.",
        concurrency::fast_beside_slow,
    )
    .asks(&[Bytes, Sleep]),
    Probe::new(
        "greedy-pipeliner",
        "Serves a client beside another one that sends requests without end.",
        "Bound what is read or answered for one connection before the next one has its turn.",
        concurrency::greedy_pipeliner,
    )
    .alone()
    .asks(&[Bytes])
    .keeps_open(),
    Probe::new(
        "slow-reader-beside",
        "Serves a client while another one does not read its 16 MiB.",
        "A write that blocks, or is retried in a loop, stops all other clients.",
        concurrency::slow_reader_beside,
    )
    .asks(&[Bytes]),
];
