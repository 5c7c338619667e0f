//! How a server ends, and how it refuses to begin.

use crate::probes::probe::{PROCESS, Probe};
use crate::probes::routes::Route::{Bytes, Sleep};
use crate::probes::{Setup, access_log, ending, limits, shutdown, waiting};
use nix::sys::signal::Signal;

pub(super) const PROBES: &[Probe] = &[
    Probe::new(
        "sigterm-in-flight",
        "At SIGTERM it answers what is in flight and exits with 0.",
        "Stop accepting, finish what began, close the rest.",
        |subject| shutdown::finishes_what_is_in_flight(subject, |server| server.signal(Signal::SIGTERM)),
    )
    .with(PROCESS)
    .asks(&[Sleep]),
    Probe::new(
        "sigterm-says-close",
        "Says `Connection: close` in the reply that is in flight at SIGTERM.",
        "A server that drains keeps no connection, and its last reply says so (RFC 9112 9.6).",
        shutdown::sigterm_says_close,
    )
    .with(PROCESS)
    .asks(&[Sleep])
    .keeps_open()
    .of_http_1_1(),
    Probe::new(
        "sigterm-idle",
        "At SIGTERM it exits at once when its only client is idle.",
        "A connection between requests is closed at once; nothing is in flight.",
        shutdown::sigterm_idle,
    )
    .with(PROCESS),
    Probe::new(
        "sigterm-every-worker",
        "At SIGTERM every worker closes its idle connections, and it exits at once.",
        "An event that one worker takes is gone for the others: tell each, or leave the event in place.",
        ending::sigterm_every_worker,
    )
    .with(PROCESS),
    Probe::new(
        "queued-at-sigterm",
        "At SIGTERM it answers what waits in the backlog.",
        "Closing a listener resets what it holds: accept until EAGAIN first.",
        ending::queued_at_sigterm,
    )
    .with(PROCESS),
    Probe::new(
        "drain-spin",
        "Uses no CPU time while it waits for its last client to read.",
        "The event of the signal stays readable: take it out of epoll when it was seen.",
        waiting::drain_spin,
    )
    .with(PROCESS)
    .asks(&[Bytes]),
    Probe::new(
        "second-sigterm",
        "At a second SIGTERM it exits at once with 128+15, even inside a handler.",
        "The second signal must not wait for a loop to look at a flag: _exit in the handler.",
        shutdown::second_sigterm,
    )
    .with(PROCESS)
    .asks(&[Sleep]),
    Probe::new(
        "ctrl-c-group",
        "Takes SIGINT to the whole process group for one signal, and finishes what is in flight.",
        "Children ignore SIGINT; the parent tells them.",
        shutdown::ctrl_c_group,
    )
    .with(PROCESS)
    .asks(&[Sleep]),
    Probe::new(
        "killed-parent",
        "Has no process left when its parent is killed.",
        "PR_SET_PDEATHSIG, or a pipe whose other end the parent holds, tells the children.",
        ending::killed_parent,
    )
    .with(PROCESS),
    Probe::new(
        "killed-child",
        "Serves on, with as many processes as before, when a child is killed.",
        "Reap it and start another one; a lock that it held must not be lost with it.",
        ending::killed_child,
    )
    .with(PROCESS),
    Probe::new(
        "log-at-the-end",
        "Has written a line for each answered request when it has ended.",
        "What a thread still buffers is written before the process ends: close the log, and join the thread.",
        access_log::log_at_the_end,
    )
    .asks(&[Bytes])
    .with(Setup { by_hand: true, ..PROCESS })
    .keeps_open()
    .of_http(),
    Probe::new(
        "restart-same-port",
        "Gets its port again at once when it is started anew.",
        "A connection that the server closed is in TIME_WAIT: set SO_REUSEADDR before bind.",
        limits::restart_same_port,
    )
    .with(Setup { by_hand: true, ..PROCESS }),
    Probe::new(
        "second-server",
        "Refuses to start on the port of a server that runs.",
        "SO_REUSEPORT lets a second server share the port: set it behind bind, for sockets of your own.",
        limits::second_server,
    )
    .with(PROCESS),
    Probe::new(
        "bad-option",
        "Refuses a bad option with one line and exit status 2, a port in use with one line and 1.",
        "Name what was wrong and what is allowed; print no usage text behind it.",
        shutdown::bad_option,
    )
    .with(Setup { by_hand: true, ..PROCESS }),
];
