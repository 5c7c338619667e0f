//! The ledger: every claim that the lab examines, those of the sources and its own, with its id, in one
//! table. The ids are fixed: chapters, recorded results and the report name them.

/// A claim of the literature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// What a user types.
    pub id: &'static str,
    /// The heading that it stands below in the ledger.
    pub group: Group,
    /// The page of the book that names it: the chapter of a stage by its number, another page by its name.
    pub page: &'static str,
    /// The claim, as one sentence.
    pub text: &'static str,
    /// The source by its number, and the place in it; [`OWN`] for a claim that the lab makes itself.
    pub source: &'static str,
}

/// The source of the lab's own claims.
pub const OWN: &str = "this lab";

/// The headings of the ledger, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// select, poll, epoll and their triggers.
    Readiness,
    /// Processes, threads and pools.
    Processes,
    /// Queues and wake-ups.
    HandOff,
    /// Accepting, keeping and closing.
    Connections,
    /// Timers and idle servers.
    Time,
    /// Buffers, files and logs.
    Bytes,
    /// What the published figures are figures of.
    Measuring,
}

impl Group {
    /// All of them, in order.
    pub const ALL: [Self; 7] = [
        Self::Readiness,
        Self::Processes,
        Self::HandOff,
        Self::Connections,
        Self::Time,
        Self::Bytes,
        Self::Measuring,
    ];

    /// The heading.
    pub fn title(self) -> &'static str {
        match self {
            Self::Readiness => "Waiting for readiness",
            Self::Processes => "Processes, threads and pools",
            Self::HandOff => "Queues and wake-ups",
            Self::Connections => "Accepting, keeping and closing connections",
            Self::Time => "Timers and idle servers",
            Self::Bytes => "Buffers, files and logs",
            Self::Measuring => "What the published figures measure",
        }
    }
}

/// The claim with this id.
pub fn find(id: &str) -> Option<&'static Claim> {
    CLAIMS.iter().find(|claim| claim.id == id)
}

use Group::{Bytes, Connections, HandOff, Measuring, Processes, Readiness, Time};

const fn row(
    id: &'static str,
    group: Group,
    page: &'static str,
    source: &'static str,
    text: &'static str,
) -> Claim {
    Claim { id, group, page, text, source }
}

/// All claims, in the order in which `--all` examines them and the ledger lists them.
#[rustfmt::skip] // one row, one claim
pub const CLAIMS: [Claim; 41] = [
    row("edge-or-level", Readiness, "05", "001 and 004: the two modes of epoll",
        "With 2 KiB ready of which 1 KiB is read, edge-triggered epoll stays silent and level-triggered \
         epoll reports again."),
    row("edge-beats-level", Readiness, "05", "003: select, poll and epoll (\"not verified\")",
        "Edge-triggered and level-triggered epoll perform about the same."),
    row("poll-is-linear", Readiness, "04", "003 and 004: select, poll and epoll",
        "select and poll take time in proportion to the descriptors that they watch; epoll takes constant \
         time."),
    row("epoll-mmap", Readiness, "04", "003: select, poll and epoll",
        "epoll returns ready descriptors through memory that it shares with the process (mmap), so nothing \
         is copied."),
    row("two-threads-one-fd", Readiness, "06", "001: new data while a thread is at work on a descriptor",
        "Without EPOLLONESHOT two workers get the same descriptor and the order of the replies is lost; with \
         it they do not."),
    row("proactor-faster", Readiness, "11", "003: Reactor and Proactor",
        "A proactor would be more efficient than a reactor, but Linux lacks good asynchronous I/O."),
    row("pool-starves", Processes, "03", "001 and 004: the thread pool",
        "A pool of N threads does not serve connection N+1 while N clients keep theirs open."),
    row("fork-cost", Processes, "02", "001 and 004: fork per connection",
        "fork is expensive because it copies the page table; a thread is cheap."),
    row("many-processes", Processes, "02", "001 and 004: process per connection",
        "Thousands of processes or threads cost the scheduler and the memory too much."),
    row("processes", Processes, "09", "002: test 2, two cores",
        "Two processes on two cores serve 1.76 times as much as one (179,292 against 101,904 at 2,500 \
         clients); on one core they gain little."),
    row("slow-handler", Processes, "04", "001: Reactor pattern",
        "A reactor must hand blocking work to other threads, or every other client waits."),
    row("serial-collapses", Processes, "01", "002: section 3, both tables",
        "A serial server falls from about 120,000 to 20,000-30,000 pages/min as clients rise to 3,000; an \
         event loop stays level."),
    row("seed-ring", HandOff, "07", "000: the lock-less thread pool",
        "A ring per thread whose index is moved by an atomic fetch-and-add is safe without a lock."),
    row("queues", HandOff, "07", "000: the lock-less thread pool",
        "A queue for each thread beats one queue behind a mutex."),
    row("wakeup-cost", HandOff, "07", "003: calls across threads",
        "An eventfd wakes a thread more cheaply than a pipe."),
    row("sched-yield", HandOff, "07", "000: worker_thread_cycle",
        "sched_yield after each batch of work lets other threads have the CPU."),
    row("accept-batch", Connections, "08", "003: Server, the three ways to accept",
        "Accepting every connection that waits beats accepting 1 or 10 at each wake-up."),
    row("accept-notify", Connections, "09", "002: section 2, the pipe between parent and children",
        "Notifying the children in turn prevents the thundering herd; an edge-triggered listener in the \
         parent can lose connections."),
    row("backlog", Connections, "01", "002: phenomenon 1, guess 2",
        "The serial server drops at ten clients because its accept queue (backlog 5) overflows."),
    row("keep-alive", Connections, "08", "003: section 4, the test of version 0.1",
        "Kept connections serve 3.46 times as many requests as a connection for each request (105,801 \
         against 30,564)."),
    row("split-request", Connections, "04", "001 and 004: a request that arrives in pieces",
        "A request that is cut within its first line breaks a parser without memory; a state machine parses \
         it."),
    row("close-with-unread", Connections, "08", "003: Server, the limit of descriptors",
        "A connection over the limit that is accepted and closed at once sends no RST."),
    row("close-is-dear", Connections, "01", "002: phenomenon 1, guess 1",
        "writev and close each take 20 us more once more than ten clients connect."),
    row("pipelining-batches", Connections, "10", OWN,
        "A pipelined request costs less than a fifth of a single one at depth 16, but only where all replies \
         to what was read leave in one write."),
    row("listener-closed-at-once", Connections, "10", OWN,
        "A server that closes its listener as soon as it is told to stop resets every connection that waits \
         in its accept queue; one that drains the queue first answers them all."),
    row("sigpipe", Connections, "signals-and-descriptors",
        "004: the server dies at the end of a webbench run",
        "SIGPIPE kills a server that writes to a connection which its peer has closed."),
    row("peer-vanishes", Connections, "08", "001: the two ways in which a client goes",
        "A client that vanishes without a FIN is found by a timer only."),
    row("arc-cycle", Time, "08", "003: section 4, the bug that the test found",
        "A timer that owns its connection, which owns the timer, leaks both; a weak pointer mends it."),
    row("timer-source", Time, "08", "003: Timer, two ways to be woken",
        "A timerfd is slower than the timeout of epoll_wait."),
    row("timer-structure", Time, "08", "001 and 003: Timer, how timers are kept",
        "A heap keeps cancelled timers alive; a multimap removes them at once at the same cost."),
    row("idle-wakeups", Time, "07", "000: a question on worker_thread_cycle",
        "With two or more threads the pool's read of its pipe never blocks, even when no request comes."),
    row("idle-cpu", Time, "08", "003: section 4, the test of version 0.1",
        "An idle server uses no CPU, and under kept connections the main reactor has no load."),
    row("buffer-front-erase", Bytes, "04", "003: the buffers of a connection",
        "Erasing the front of a string that serves as a buffer is slow."),
    row("file-copies", Bytes, "08", "003: sending a file from disk",
        "read and write copy a file four times, mmap and write three times, sendfile twice: so sendfile is \
         the fastest."),
    row("async-log", Bytes, "08", "003: asynchronous log with two buffers",
        "An asynchronous log with two buffers keeps the latency of requests low; a synchronous one does \
         not."),
    row("log-buffers", Bytes, "08", "003: asynchronous log with two buffers",
        "Four log buffers instead of two shorten the time that a request waits for the log."),
    row("units", Measuring, "09", "002: the text below both tables",
        "The figures of both tables of source 002 are QPS, queries per second."),
    row("ab-waits-for-close", Measuring, "01", "000: the four runs of ab",
        "A shorter polling interval and a shorter timeout raise the server's throughput from 6.19 to 13.08 \
         requests per second."),
    row("client-is-the-bottleneck", Measuring, "reading-a-benchmark", "000: Broken Performance Tools",
        "ab is single-threaded, and without -k it measures how fast connections are made, not the server."),
    row("tools-disagree", Measuring, "reading-a-benchmark", OWN,
        "ab, wrk and webbench disagree about one server, because they measure themselves; they agree once a \
         request is expensive for the server."),
    row("closed-loop-hides", Measuring, "reading-a-benchmark", OWN,
        "A closed loop hides a stall of one second from its 99th percentile; an open loop shows it."),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Chapters and recorded results name these: one that is renamed or lost here is lost there.
    #[test]
    fn the_ids_are_fixed() {
        let ids: BTreeSet<&str> = CLAIMS.iter().map(|claim| claim.id).collect();
        let fixed = "ab-waits-for-close accept-batch accept-notify arc-cycle async-log backlog \
                     buffer-front-erase client-is-the-bottleneck close-is-dear close-with-unread \
                     closed-loop-hides edge-beats-level edge-or-level epoll-mmap file-copies fork-cost \
                     idle-cpu idle-wakeups keep-alive listener-closed-at-once log-buffers many-processes \
                     peer-vanishes pipelining-batches poll-is-linear pool-starves proactor-faster processes \
                     queues sched-yield seed-ring serial-collapses sigpipe slow-handler split-request \
                     timer-source timer-structure tools-disagree two-threads-one-fd units wakeup-cost";
        assert_eq!(ids, fixed.split_whitespace().collect());
        assert_eq!(ids.len(), CLAIMS.len(), "an id stands in the table twice");
    }

    #[test]
    fn every_row_is_a_sentence_with_its_source() {
        for claim in &CLAIMS {
            assert!(
                claim.text.ends_with('.') && (claim.source.starts_with("00") || claim.source == OWN),
                "{}",
                claim.id
            );
        }
    }

    /// A page that lists the groups in order would leave out a claim of a group that is not in the list.
    #[test]
    fn every_group_has_claims() {
        for group in Group::ALL {
            assert!(CLAIMS.iter().any(|claim| claim.group == group), "{group:?}");
        }
    }
}
