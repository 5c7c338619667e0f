//! Peers that misbehave, signals, and very many short jobs.

use crate::probes::probe::{PROCESS, Probe};
use crate::probes::routes::Route::{Bytes, Sleep};
use crate::probes::{Setup, files, listener, peers, pools, queues, signals};

pub(super) const PROBES: &[Probe] = &[
    Probe::new(
        "reset-mid-reply",
        "Survives clients that reset the connection while replies are being written.",
        "The second write after a reset raises SIGPIPE: ignore it, and close at the first error.",
        peers::reset_mid_reply,
    )
    .asks(&[Bytes]),
    Probe::new(
        "connect-burst",
        "Survives 500 clients that connect and close at once.",
        "accept may return ECONNABORTED, and a fresh connection may already be closed.",
        peers::connect_burst,
    ),
    Probe::new(
        "accept-burst",
        "Serves 200 connections that come at once, while no further one comes.",
        "One event may stand for many connections: accept until EAGAIN.",
        listener::accept_burst,
    )
    .with(PROCESS),
    Probe::new(
        "holders-at-once",
        "Serves as many clients that come at once and stay as it serves one after the other.",
        "Each job needs a wake-up of its own: signal at every push, not only at one into an empty queue.",
        queues::holders_at_once,
    )
    .with(PROCESS)
    .keeps_open(),
    Probe::new(
        "stale-event",
        "Answers the right clients when connections end while their events are pending.",
        "A descriptor number is reused at once: a token needs a generation.",
        peers::stale_event,
    )
    .asks(&[Bytes, Sleep]),
    Probe::new(
        "descriptor-churn",
        "Answers each of many short-lived clients with the length that it asked for.",
        "State that is kept by descriptor must be new with each connection.",
        peers::descriptor_churn,
    )
    .asks(&[Bytes]),
    Probe::new(
        "sigpipe-send",
        "Survives clients that close in an orderly way while several replies are due.",
        "The first write is answered by a reset, the second one raises SIGPIPE: MSG_NOSIGNAL, or ignore it.",
        signals::sigpipe_send,
    )
    .asks(&[Bytes, Sleep])
    .keeps_open(),
    Probe::new(
        "sigpipe-sendfile",
        "Survives clients that close in an orderly way while files are being sent.",
        "sendfile has no MSG_NOSIGNAL: ignore SIGPIPE in the whole process.",
        files::sigpipe_sendfile,
    )
    .with(Setup { by_hand: true, ..PROCESS })
    .keeps_open()
    .of_http(),
    Probe::new(
        "stop-and-continue",
        "Goes on after it was stopped and continued, idle and under load.",
        "After SIGCONT epoll_wait, poll and others fail with EINTR, with no handler too: call them again.",
        signals::stop_and_continue,
    )
    .with(PROCESS)
    .alone()
    .asks(&[Bytes]),
    Probe::new(
        "lost-wake-up",
        "Forgets none of the jobs that find its workers going to sleep.",
        "Between the look at the queue and the sleep no job may come unseen: look again under the lock.",
        pools::lost_wake_up,
    )
    .keeps_open(),
    Probe::new(
        "wake-up-on-one-cpu",
        "Forgets no connection when it has one CPU.",
        "Queue the job first and wake then: on one CPU the one that is woken looks before you go on.",
        pools::wake_up_on_one_cpu,
    )
    .with(Setup { one_cpu: true, ..PROCESS })
    .asks(&[Bytes]),
    Probe::new(
        "stolen-wake-up",
        "Keeps its workers when one takes the job that another one was woken for.",
        "A condition is waited for in a loop: `while` it does not hold, not `if`.",
        pools::stolen_wake_up,
    )
    .asks(&[Bytes]),
    Probe::new(
        "job-once",
        "Answers each of very many pipelined pairs once and in order.",
        "A job is taken out of the queue and out of the set of those that are ready in one step.",
        pools::job_once,
    )
    .asks(&[Bytes])
    .keeps_open(),
    Probe::new(
        "more-than-the-queue",
        "Answers each of 4,300 requests that come while its handlers sleep.",
        "A full queue refuses the job: keep it and try again; it is full at its capacity, not one behind.",
        queues::more_than_the_queue,
    )
    .alone()
    .asks(&[Bytes, Sleep]),
];
