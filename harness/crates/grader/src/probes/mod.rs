//! The grader's probes: what a server can do, asked over TCP and by signals.
//!
//! A probe is a row of [`PROBES`]. It knows no stage, so a server in any language can be graded, and its
//! outcome depends neither on fine timing nor on luck: what must be slow is a sleep or a silent client, and
//! every bound is far from what a right server needs.

mod client;
mod concurrency;
mod deadlines;
mod echo;
mod ending;
mod evidence;
mod files;
mod footprint;
mod framing;
mod half_close;
mod http;
mod leaks;
mod limits;
mod listener;
mod malformed;
mod narrow;
mod payload;
mod peers;
mod pools;
mod profile;
mod replays;
mod requests;
mod resources;
mod routes;
mod runner;
mod shell;
mod short_writes;
mod shutdown;
mod signals;
mod subject;
mod timeouts;
mod transcript;
mod tree;
mod verdict;
mod waiting;

pub use evidence::{Evidence, Replay};
pub(crate) use profile::note_whether_it_closes;
pub use profile::{Profile, choose, current, shipped};
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
        "second-in-part",
        "Answers a second request that arrives in part with the first one, and whole later.",
        "What is left behind the first request is the beginning of the next one: keep it, and read on behind it.",
        requests::second_in_part,
    ),
    Probe::new(
        "cut-at-buffer-end",
        "Answers pipelined requests that are cut by the end of a read buffer of 1 to 64 KiB.",
        "A full buffer ends anywhere: move the unfinished request to its beginning, or make room, and read on.",
        requests::cut_at_buffer_end,
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
        "half-close-pipelined",
        "Answers 50 pipelined requests whose client has closed its sending side behind them.",
        "A read of 0 says that no more requests come; those that were read are answered before the close.",
        half_close::half_close_pipelined,
    ),
    Probe::new(
        "half-close-large",
        "Sends a reply of 8 MiB, and the next one, to a client that has closed its sending side.",
        "EPOLLRDHUP, like a read of 0, ends the requests and not the replies: close when the last byte has left.",
        half_close::half_close_large,
    ),
    Probe::new(
        "half-close-slow-reader",
        "Sends what waits when its slow client closes the sending side in the middle of a reply.",
        "The end of input arrives while the server waits for room to write: note it, and go on writing.",
        half_close::half_close_slow_reader,
    ),
    Probe::new(
        "slow-reader",
        "Sends 16 MiB to a client that reads slowly.",
        "After a short write, keep the rest and wait until the socket is writable.",
        framing::slow_reader,
    ),
    Probe::new(
        "short-write-body",
        "Sends bodies of 1 KiB to 4 MiB whole to a client that takes a little at a time.",
        "send(2) returns how many bytes it took: keep the rest, and send it from there.",
        short_writes::short_write_body,
    ),
    Probe::new(
        "short-write-replies",
        "Sends 12,000 small replies whole to a client that takes a little at a time.",
        "A buffer of many replies is sent in part too: keep what is behind the count that send(2) returned.",
        short_writes::short_write_replies,
    ),
    Probe::new(
        "short-write-file",
        "Sends a file of 4 MiB whole to a client that takes a little at a time.",
        "sendfile(2) returns how many bytes it took as well: keep where the file goes on.",
        files::short_write_file,
    )
    .with(Setup { by_hand: true, ..PROCESS }),
    Probe::new(
        "write-would-block",
        "Goes on with a reply after its client has read nothing for a while, eight times.",
        "EAGAIN on a write is no error: keep the rest, and wait until the socket is writable.",
        short_writes::write_would_block,
    ),
    Probe::new(
        "rearm-after-write",
        "Answers the next request after a reply that had to wait for room.",
        "When the last byte has left, wait for input again: change the interest back, or arm ONESHOT anew.",
        short_writes::rearm_after_write,
    ),
    Probe::new(
        "read-while-writing",
        "Answers requests that arrived while it waited for room, without another byte from the client.",
        "Their event came while nothing was read: read when the reply has left, or ask epoll anew.",
        short_writes::read_while_writing,
    ),
    Probe::new(
        "fair-turn",
        "Sends 64 MiB, and 4,000 small replies, to a client that reads as fast as it writes.",
        "A turn that ends early for fairness gets no event: queue the connection, or ask epoll anew.",
        short_writes::fair_turn,
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
        "head-without-body",
        "Answers HEAD with a head alone.",
        "The head says the length that GET would have; no body follows (RFC 9110 9.3.2).",
        http::head_without_body,
    ),
    Probe::new(
        "http-10-closes",
        "Closes after a reply to HTTP/1.0.",
        "Without keep-alive its client reads to the end of the connection (RFC 9112 9.3).",
        http::http_10_closes,
    ),
    Probe::new(
        "expect-100",
        "Sends 100 to a client that waits for it, and then takes the body.",
        "Expect: 100-continue is answered when the head is complete, before the body (RFC 9110 10.1.1).",
        http::expect_100,
    ),
    Probe::new(
        "chunked-body",
        "Puts a body together whose chunks are cut anywhere.",
        "A size line, the CRLF behind a chunk and the last chunk may each be cut: keep where you are.",
        http::chunked_body,
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
        "accept-burst",
        "Serves 200 connections that come at once, while no further one comes.",
        "One event may stand for many connections: accept until EAGAIN.",
        listener::accept_burst,
    )
    .with(PROCESS),
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
        "sigpipe-send",
        "Survives clients that close in an orderly way while several replies are due.",
        "The first write is answered by a reset, the second one raises SIGPIPE: MSG_NOSIGNAL, or ignore it.",
        signals::sigpipe_send,
    ),
    Probe::new(
        "sigpipe-sendfile",
        "Survives clients that close in an orderly way while files are being sent.",
        "sendfile has no MSG_NOSIGNAL: ignore SIGPIPE in the whole process.",
        files::sigpipe_sendfile,
    )
    .with(Setup { by_hand: true, ..PROCESS }),
    Probe::new(
        "stop-and-continue",
        "Goes on after it was stopped and continued, idle and under load.",
        "After SIGCONT epoll_wait, poll and others fail with EINTR, with no handler too: call them again.",
        signals::stop_and_continue,
    )
    .with(PROCESS)
    .alone(),
    Probe::new(
        "lost-wake-up",
        "Forgets none of the jobs that find its workers going to sleep.",
        "Between the look at the queue and the sleep no job may come unseen: look again under the lock.",
        pools::lost_wake_up,
    ),
    Probe::new(
        "stolen-wake-up",
        "Keeps its workers when one takes the job that another one was woken for.",
        "A condition is waited for in a loop: `while` it does not hold, not `if`.",
        pools::stolen_wake_up,
    ),
    Probe::new(
        "job-once",
        "Answers each of very many pipelined pairs once and in order.",
        "A job is taken out of the queue and out of the set of those that are ready in one step.",
        pools::job_once,
    ),
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
    .with(Setup { options: &["--max-connections", "8"], ..PLAIN }),
    Probe::new(
        "connection-limit-left",
        "Serves the client that waits when another one leaves, and as many as before in the end.",
        "Each connection that ends must be counted down on every way, and must let accepting go on.",
        limits::connection_limit_left,
    )
    .with(Setup { options: &["--max-connections", "8"], ..PLAIN }),
    Probe::new(
        "idle-cpu",
        "Uses no CPU time while its clients are silent.",
        "Something polls: look for a timeout of zero, or an event that is never taken.",
        resources::idle_cpu,
    )
    .with(PROCESS),
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
    .with(PROCESS),
    Probe::new(
        "leak-on-reset",
        "Closes its descriptor, in every process, when its client resets the connection.",
        "A read or a write that fails ends the connection: close there too.",
        leaks::leak_on_reset,
    )
    .with(PROCESS),
    Probe::new(
        "leak-on-refusal",
        "Closes its descriptor, in every process, after a request that it refuses.",
        "The way of a refusal ends in a close as well, after the reply has left.",
        leaks::leak_on_refusal,
    )
    .with(PROCESS),
    Probe::new(
        "leak-on-timeout",
        "Closes its descriptor, in every process, when a timeout is over.",
        "Shutting a socket is not closing it: shutdown(2) frees no descriptor.",
        leaks::leak_on_timeout,
    )
    .with(Setup { options: &["--idle-timeout", "0.5", "--header-timeout", "0.5"], ..PROCESS }),
    Probe::new(
        "memory-per-connection",
        "Needs no more memory after 20,000 connections than before them.",
        "What is allocated for a connection is freed on every way in which it ends; its entry in a table too.",
        leaks::memory_per_connection,
    )
    .with(PROCESS),
    Probe::new(
        "memory-never-reads",
        "Holds a bounded amount for clients that send requests and read no reply.",
        "While replies wait to be sent, read no further request of that client.",
        leaks::memory_never_reads,
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
        "idle-timeout-late",
        "Closes an idle connection in time.",
        "Look at the deadlines at least once a second, and compare in one unit.",
        deadlines::idle_timeout_late,
    )
    .with(Setup { options: &["--idle-timeout", "2"], ..PLAIN }),
    Probe::new(
        "idle-timeout-moves",
        "Keeps a connection whose requests come in time, however long it lasts.",
        "The deadline moves with each request.",
        deadlines::idle_timeout_moves,
    )
    .with(Setup { options: &["--idle-timeout", "2"], ..PLAIN }),
    Probe::new(
        "slow-is-not-idle",
        "Keeps a connection whose client takes its reply slowly, longer than the idle timeout.",
        "The deadline moves with each byte that the client takes; those that leave your kernel are such bytes.",
        deadlines::slow_is_not_idle,
    )
    .with(Setup { options: &["--idle-timeout", "2"], ..PLAIN }),
    Probe::new(
        "header-timeout-late",
        "Answers 408 in time.",
        "Look at the deadlines at least once a second, and compare in one unit.",
        deadlines::header_timeout_late,
    )
    .with(Setup { options: &["--header-timeout", "2"], ..PLAIN }),
    Probe::new(
        "header-dribble",
        "Ends a head that comes a byte at a time when the header timeout is over.",
        "The deadline of a head is set at its first byte, and a further byte does not move it.",
        deadlines::header_dribble,
    )
    .with(Setup { options: &["--header-timeout", "1"], ..PLAIN }),
    Probe::new(
        "never-reads",
        "Ends a client that sends request after request and takes no reply.",
        "A request does not move the deadline while a reply waits: only what the client takes does.",
        deadlines::never_reads,
    )
    .with(Setup { options: &["--idle-timeout", "1"], ..PLAIN }),
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
        "restart-same-port",
        "Gets its port again at once when it is started anew.",
        "A connection that the server closed is in TIME_WAIT: set SO_REUSEADDR before bind.",
        limits::restart_same_port,
    )
    .with(Setup { by_hand: true, ..PROCESS }),
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
