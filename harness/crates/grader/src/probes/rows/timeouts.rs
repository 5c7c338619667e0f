//! Timeouts.

use crate::probes::probe::{PLAIN, Probe};
use crate::probes::routes::Route::Bytes;
use crate::probes::{Setup, deadlines, timeouts};

pub(super) const PROBES: &[Probe] = &[
    Probe::new(
        "idle-timeout",
        "Closes a connection that was idle for the idle timeout, without a word.",
        "A deadline per connection, looked at without an event from it.",
        timeouts::idle_timeout,
    )
    .with(Setup { options: &["--idle-timeout", "1"], ..PLAIN })
    .keeps_open(),
    Probe::new(
        "header-timeout-408",
        "Answers 408 when a head stays unfinished for the header timeout.",
        "The deadline counts from the first byte of the head, not from the last one.",
        timeouts::header_timeout_408,
    )
    .with(Setup { options: &["--header-timeout", "1"], ..PLAIN })
    .of_http(),
    Probe::new(
        "idle-timeout-late",
        "Closes an idle connection in time, also when its deadline has moved before.",
        "Look at the deadlines at least once a second, in one unit; a timer that fires too early is armed again.",
        deadlines::idle_timeout_late,
    )
    .with(Setup { options: &["--idle-timeout", "2"], ..PLAIN })
    .keeps_open(),
    Probe::new(
        "idle-timeout-moves",
        "Keeps a connection whose requests come in time, however long it lasts.",
        "The deadline moves with each request.",
        deadlines::idle_timeout_moves,
    )
    .with(Setup { options: &["--idle-timeout", "2"], ..PLAIN })
    .keeps_open(),
    Probe::new(
        "slow-is-not-idle",
        "Keeps a connection whose client takes its reply slowly, longer than the idle timeout.",
        "The deadline moves with each byte that the client takes; those that leave your kernel are such bytes.",
        deadlines::slow_is_not_idle,
    )
    .with(Setup { options: &["--idle-timeout", "2"], ..PLAIN })
    .asks(&[Bytes]),
    Probe::new(
        "header-timeout-late",
        "Answers 408 in time.",
        "Look at the deadlines at least once a second, and compare in one unit.",
        deadlines::header_timeout_late,
    )
    .with(Setup { options: &["--header-timeout", "2"], ..PLAIN })
    .keeps_open()
    .of_http(),
    Probe::new(
        "header-dribble",
        "Ends a head that comes a byte at a time when the header timeout is over.",
        "The deadline of a head is set at its first byte, and a further byte does not move it.",
        deadlines::header_dribble,
    )
    .with(Setup { options: &["--header-timeout", "1"], ..PLAIN })
    .of_http(),
    Probe::new(
        "never-reads",
        "Ends a client that sends request after request and takes no reply.",
        "A request does not move the deadline while a reply waits: only what the client takes does.",
        deadlines::never_reads,
    )
    .with(Setup { options: &["--idle-timeout", "1"], ..PLAIN })
    .asks(&[Bytes])
    .keeps_open(),
];
