//! The grader's probes: what a server can do, asked over TCP and by signals.
//!
//! A probe is a row of [`PROBES`]. It knows no stage, so a server in any language can be graded, and its
//! outcome depends neither on fine timing nor on luck: what must be slow is a sleep or a silent client, and
//! every bound is far from what a right server needs.

mod client;
mod concurrency;
mod evidence;
mod framing;
mod malformed;
mod payload;
mod peers;
mod replays;
mod resources;
mod routes;
mod runner;
mod shell;
mod shutdown;
mod subject;
mod timeouts;
mod transcript;
mod tree;
mod verdict;

pub use evidence::{Evidence, Replay};
pub use routes::{Failure, FirstLook, Route, first_look};
pub(crate) use routes::{needs_an_open_connection, routes_of};
pub use runner::{Limits, Run, run_all, run_one};
pub use subject::{START_LIMIT, Setup, Target};
pub use verdict::{Expected, Fault, Finding, Outcome, Verdict};

use nix::sys::signal::Signal;
use subject::Subject;

/// One behaviour, and how it is looked for.
pub struct Probe {
    /// What a user types, and what a stage declares.
    pub name: &'static str,
    /// What a server that passes does.
    pub sentence: &'static str,
    /// Where to look when it fails.
    pub hint: &'static str,
    /// The server that it needs.
    pub setup: Setup,
    /// It would disturb its neighbours, so it runs by itself.
    pub alone: bool,
    /// It is left out unless it is asked for.
    pub only_on_request: bool,
    run: fn(&mut Subject<'_>) -> Verdict,
}

/// A server without special options.
const PLAIN: Setup = Setup { options: &[], few_descriptors: false, process: false, by_hand: false };

/// A server that is signalled or looked at.
const PROCESS: Setup = Setup { process: true, ..PLAIN };

impl Probe {
    const fn new(
        name: &'static str,
        sentence: &'static str,
        hint: &'static str,
        run: fn(&mut Subject<'_>) -> Verdict,
    ) -> Self {
        Self { name, sentence, hint, setup: PLAIN, alone: false, only_on_request: false, run }
    }

    const fn with(self, setup: Setup) -> Self {
        Self { setup, ..self }
    }

    const fn alone(self) -> Self {
        Self { alone: true, ..self }
    }

    const fn on_request(self) -> Self {
        Self { only_on_request: true, ..self }
    }
}

/// Every probe, in the order of the table that `grade` prints: one client, several, misbehaving ones, the
/// machine's limits, the end.
pub const PROBES: &[Probe] = &[
    Probe::new(
        "echo-duplex",
        "Echoes 1 MiB that is sent while the reply is being read.",
        "Neither direction may wait for the other: after a short write keep the rest, and read on meanwhile.",
        framing::echo_duplex,
    )
    .with(Setup { options: &["--protocol", "echo"], ..PLAIN }),
    Probe::new(
        "keep-alive",
        "Answers several requests on one connection.",
        "HTTP/1.1 keeps the connection open unless a side says `Connection: close`.",
        framing::keep_alive,
    ),
    Probe::new(
        "pipelined-pair",
        "Answers two requests that arrive in one segment.",
        "What was read behind the first request must be kept and parsed.",
        |subject| framing::pipelined(subject, 2),
    ),
    Probe::new(
        "pipelined-100",
        "Answers 100 requests that were sent at once, in order.",
        "Parse until the buffer holds no whole request, and keep the unfinished one.",
        |subject| framing::pipelined(subject, 100),
    ),
    Probe::new(
        "pipelined-mixture",
        "Answers small, large and slow requests that were sent at once, each in its place.",
        "A turn that ends early must keep the output that the protocol has already produced.",
        framing::pipelined_mixture,
    ),
    Probe::new(
        "cut-at-every-byte",
        "Answers a request that is cut in two at every byte, or dribbles in byte by byte.",
        "A read returns any number of bytes: the parser must resume where they ended.",
        framing::cut_at_every_byte,
    ),
    Probe::new(
        "in-order",
        "Answers a request that comes during the handling of an earlier one after that one.",
        "One connection must not be handled by two threads at once.",
        framing::in_order,
    ),
    Probe::new(
        "burst-behind-sleep",
        "Answers 256 KiB of requests that arrive while it sleeps, without another byte from the client.",
        "The event for what arrives meanwhile comes once: read until the socket would block, or remember that you did not.",
        framing::burst_behind_sleep,
    ),
    Probe::new(
        "half-close",
        "Sends the whole reply to a client that has closed its sending side.",
        "End of input is not the end of the connection: send what waits, then close.",
        framing::half_close,
    ),
    Probe::new(
        "slow-reader",
        "Sends 16 MiB to a client that reads slowly.",
        "After a short write, keep the rest and wait until the socket is writable.",
        framing::slow_reader,
    ),
    Probe::new(
        "late-bytes",
        "Sends the whole of its last reply, 16 MiB, to a client that sends on.",
        "close(2) with unread bytes resets, and destroys what is not sent yet: shut the sending side, and read on.",
        framing::late_bytes,
    ),
    Probe::new(
        "body-413",
        "Refuses a body over the limit so that the client sees the 413 and not a reset.",
        "Closing with unread input resets the connection: shut the sending side, read on for a while, close.",
        framing::body_413,
    ),
    Probe::new(
        "malformed",
        "Answers malformed requests, and odd ones that are not, by the rules of RFC 9112.",
        "The detail names the rule.",
        malformed::malformed,
    ),
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
    ),
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
    ),
    Probe::new(
        "greedy-pipeliner",
        "Serves a client beside another one that sends requests without end.",
        "Bound what is read or answered for one connection before the next one has its turn.",
        concurrency::greedy_pipeliner,
    )
    .alone(),
    Probe::new(
        "slow-reader-beside",
        "Serves a client while another one does not read its 16 MiB.",
        "A write that blocks, or is retried in a loop, stops all other clients.",
        concurrency::slow_reader_beside,
    ),
    Probe::new(
        "reset-mid-reply",
        "Survives clients that reset the connection while replies are being written.",
        "The second write after a reset raises SIGPIPE: ignore it, and close at the first error.",
        peers::reset_mid_reply,
    ),
    Probe::new(
        "connect-burst",
        "Survives 500 clients that connect and close at once.",
        "accept may return ECONNABORTED, and a fresh connection may already be closed.",
        peers::connect_burst,
    ),
    Probe::new(
        "stale-event",
        "Answers the right clients when connections end while their events are pending.",
        "A descriptor number is reused at once: a token needs a generation.",
        peers::stale_event,
    ),
    Probe::new(
        "descriptor-churn",
        "Answers each of many short-lived clients with the length that it asked for.",
        "State that is kept by descriptor must be new with each connection.",
        peers::descriptor_churn,
    ),
    Probe::new(
        "descriptor-limit",
        "Out of descriptors it does not spin, and it serves again when some are free.",
        "EMFILE returns at once and the listener stays readable: pause accepting, or shed.",
        resources::descriptor_limit,
    )
    .with(Setup { few_descriptors: true, ..PROCESS }),
    Probe::new(
        "idle-cpu",
        "Uses no CPU time while its clients are silent.",
        "Something polls: look for a timeout of zero, or an event that is never taken.",
        resources::idle_cpu,
    )
    .with(PROCESS),
    Probe::new(
        "no-leaks",
        "Has no zombie and no more descriptors, processes or threads after 2,000 connections than before.",
        "Close on every path, reap in a loop (one SIGCHLD may stand for many children).",
        resources::no_leaks,
    )
    .with(PROCESS),
    Probe::new(
        "idle-timeout",
        "Closes a connection that was idle for the idle timeout, without a word.",
        "A deadline per connection, looked at without an event from it.",
        timeouts::idle_timeout,
    )
    .with(Setup { options: &["--idle-timeout", "1"], ..PLAIN }),
    Probe::new(
        "header-timeout-408",
        "Answers 408 when a head stays unfinished for the header timeout.",
        "The deadline counts from the first byte of the head, not from the last one.",
        timeouts::header_timeout_408,
    )
    .with(Setup { options: &["--header-timeout", "1"], ..PLAIN }),
    Probe::new(
        "sigterm-in-flight",
        "At SIGTERM it answers what is in flight and exits with 0.",
        "Stop accepting, finish what began, close the rest.",
        |subject| shutdown::finishes_what_is_in_flight(subject, |server| server.signal(Signal::SIGTERM)),
    )
    .with(PROCESS),
    Probe::new(
        "sigterm-idle",
        "At SIGTERM it exits at once when its only client is idle.",
        "A connection between requests is closed at once; nothing is in flight.",
        shutdown::sigterm_idle,
    )
    .with(PROCESS),
    Probe::new(
        "second-sigterm",
        "At a second SIGTERM it exits at once with 128+15, even inside a handler.",
        "The second signal must not wait for a loop to look at a flag: _exit in the handler.",
        shutdown::second_sigterm,
    )
    .with(PROCESS),
    Probe::new(
        "ctrl-c-group",
        "Takes SIGINT to the whole process group for one signal, and finishes what is in flight.",
        "Children ignore SIGINT; the parent tells them.",
        shutdown::ctrl_c_group,
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

/// The groups in the order of [`PROBES`]: the name, and the first probe of each.
const GROUPS: [(&str, &str); 6] = [
    ("one-client", "echo-duplex"),
    ("several", "two-clients"),
    ("peers", "reset-mid-reply"),
    ("limits", "descriptor-limit"),
    ("timeouts", "idle-timeout"),
    ("end", "sigterm-in-flight"),
];

impl std::fmt::Debug for Probe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

impl Probe {
    /// The group that it belongs to.
    pub fn group(&self) -> &'static str {
        let mut group = GROUPS[0].0;
        for probe in PROBES {
            group = GROUPS.iter().find(|(_, first)| *first == probe.name).map_or(group, |(name, _)| name);
            if probe.name == self.name {
                break;
            }
        }
        group
    }
}

/// The names of the groups.
pub fn groups() -> impl Iterator<Item = &'static str> {
    GROUPS.iter().map(|(name, _)| *name)
}

/// The probes of this name: one, or those of a group.
pub fn select(name: &str) -> anyhow::Result<Vec<&'static Probe>> {
    let group: Vec<&Probe> = PROBES.iter().filter(|probe| probe.group() == name).collect();
    if !group.is_empty() {
        return Ok(group);
    }
    let groups = groups().collect::<Vec<_>>().join(", ");
    find(name).map(|probe| vec![probe]).map_err(|error| anyhow::anyhow!("{error}; the groups are {groups}"))
}

/// The probe of this name.
pub fn find(name: &str) -> anyhow::Result<&'static Probe> {
    PROBES.iter().find(|probe| probe.name == name).ok_or_else(|| {
        let names: Vec<&str> = PROBES.iter().map(|probe| probe.name).collect();
        anyhow::anyhow!("no probe `{name}`: there is {}", names.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Protects `--only` and the points of a group: each has probes, and a name is not that of a probe.
    #[test]
    fn every_group_has_probes() {
        for (name, first) in GROUPS {
            assert!(find(name).is_err(), "{name}");
            assert_eq!(select(name).unwrap()[0].name, first);
        }
        let number: usize = groups().map(|name| select(name).unwrap().len()).sum();
        assert_eq!(number, PROBES.len());
        assert!(select("nothing").err().unwrap().to_string().contains("one-client"));
    }

    /// Protects the table: a name is unique and typed without quotes, and every row says what it means.
    #[test]
    fn names_are_unique_and_every_row_speaks() {
        let mut names: Vec<&str> = PROBES.iter().map(|probe| probe.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), PROBES.len());
        for probe in PROBES {
            assert!(probe.name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'));
            assert!(probe.sentence.ends_with('.') && probe.hint.ends_with('.'), "{}", probe.name);
        }
    }
}
