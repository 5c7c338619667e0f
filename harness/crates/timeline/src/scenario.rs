//! What the clients of a run do, and which flaw or cure of which stage that shows.

use crate::model::{Event, Kind, LaneKind, Timeline};
use lab_core::Usage;

/// Something that a client does. Steps are done one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The client of this letter connects.
    Connect(char),
    /// It sends a request for a path.
    Get(char, &'static str),
    /// The same with a head that is so many bytes long.
    Padded(char, &'static str, usize),
    /// It waits until it has so many replies in all, or the limit is reached.
    Await(char, usize),
    /// It closes its connection.
    Close(char),
    /// Nobody does anything for so many milliseconds.
    Pause(u64),
}

/// A run that shows something.
#[derive(Debug)]
pub(crate) struct Scenario {
    /// What a user types.
    pub(crate) name: &'static str,
    /// The stage for which it was made; it can be played with any other server.
    pub(crate) stage: u8,
    /// The options of that stage with which it shows what it must.
    pub(crate) options: &'static [&'static str],
    /// What is seen, in a few words.
    pub(crate) title: &'static str,
    /// What the clients do, in one or two sentences.
    pub(crate) about: &'static str,
    /// What they do.
    pub(crate) steps: &'static [Step],
    /// Where luck has a part in it: whether a run shows what it must.
    pub(crate) shows: fn(&Timeline) -> bool,
}

use Step::{Await, Close, Connect, Get, Padded, Pause};

/// One client after the other: connects, asks, has its reply.
macro_rules! in_turn {
    ($($letter:literal),*) => {
        &[$(Connect($letter), Get($letter, "/"), Await($letter, 1), Pause(20)),*]
    };
}

/// Two workers; a client whose handler sleeps, and three that only ask for a greeting.
const BEHIND_A_SLEEPER: &[Step] = &[
    Connect('A'),
    Connect('B'),
    Connect('C'),
    Connect('D'),
    Pause(20),
    Get('A', "/sleep/120"),
    Pause(15),
    Get('B', "/"),
    Pause(15),
    Get('C', "/"),
    Pause(15),
    Get('D', "/"),
    Await('A', 1),
    Await('B', 1),
    Await('C', 1),
    Await('D', 1),
    Pause(5),
];

/// A second request on a connection whose first one sleeps.
const SECOND_REQUEST: &[Step] =
    &[Connect('A'), Pause(10), Get('A', "/sleep/80"), Pause(20), Get('A', "/"), Await('A', 2), Pause(10)];

/// In the order of their stages. The first one of a stage is what is recorded where none is named.
pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "two-clients",
        stage: 1,
        options: &[],
        title: "The second client waits until the first one leaves",
        about: "Client A is served and then says nothing. Client B connects and asks. Later A leaves.",
        steps: &[
            Connect('A'),
            Get('A', "/"),
            Await('A', 1),
            Pause(30),
            Connect('B'),
            Get('B', "/"),
            Pause(90),
            Close('A'),
            Await('B', 1),
            Pause(5),
            Close('B'),
            Pause(5),
        ],
        shows: always,
    },
    Scenario {
        name: "four-silent",
        stage: 3,
        options: &["--workers", "4"],
        title: "Four silent clients hold four threads; the fifth client waits",
        about: "Clients A to D connect and say nothing. Client E asks, and waits until A leaves.",
        steps: &[
            Connect('A'),
            Connect('B'),
            Connect('C'),
            Connect('D'),
            Pause(30),
            Connect('E'),
            Get('E', "/"),
            Pause(90),
            Close('A'),
            Await('E', 1),
            Pause(5),
        ],
        shows: always,
    },
    Scenario {
        name: "sleeper",
        stage: 4,
        options: &[],
        title: "One handler sleeps, and every client waits",
        about: "The handler of client A's request sleeps 100 ms. Clients B and C ask for a greeting meanwhile.",
        steps: &[
            Connect('A'),
            Connect('B'),
            Connect('C'),
            Pause(20),
            Get('A', "/sleep/100"),
            Pause(25),
            Get('B', "/"),
            Pause(25),
            Get('C', "/"),
            Await('A', 1),
            Await('B', 1),
            Await('C', 1),
            Pause(5),
        ],
        shows: always,
    },
    Scenario {
        name: "edge-once",
        stage: 5,
        options: &["--trigger", "edge", "--drain", "once", "--read-buffer", "64"],
        title: "Told once, read once: the rest of a request is never read",
        about: "The server reads 64 bytes at a time, once for each event. Client A sends a request of 150 \
                bytes, client B one of 34.",
        steps: &[
            Connect('A'),
            Connect('B'),
            Pause(20),
            Padded('A', "/", 150),
            Pause(40),
            Get('B', "/"),
            Await('B', 1),
            Pause(100),
        ],
        shows: always,
    },
    Scenario {
        name: "race",
        stage: 6,
        options: &["--workers", "2", "--no-oneshot"],
        title: "Without EPOLLONESHOT two workers have one connection, and the replies change places",
        about: "The handler of client A's request sleeps 80 ms. After 20 ms client A asks for a greeting as well.",
        steps: SECOND_REQUEST,
        shows: always,
    },
    Scenario {
        name: "oneshot",
        stage: 6,
        options: &["--workers", "2"],
        title: "With EPOLLONESHOT the second request waits in its socket",
        about: "The handler of client A's request sleeps 80 ms. After 20 ms client A asks for a greeting as well.",
        steps: SECOND_REQUEST,
        shows: always,
    },
    Scenario {
        name: "behind-the-sleeper",
        stage: 7,
        options: &["--workers", "2"],
        title: "A queue for each worker: a request waits behind a sleeper while the other worker idles",
        about: "Two workers get requests in turn. The handler of client A's request sleeps 120 ms; B, C and D \
                ask for a greeting meanwhile.",
        steps: BEHIND_A_SLEEPER,
        shows: always,
    },
    Scenario {
        name: "shared-queue",
        stage: 7,
        options: &["--workers", "2", "--queue", "shared"],
        title: "One queue for all workers: nobody waits behind the sleeper",
        about: "Two workers take requests from one queue. The handler of client A's request sleeps 120 ms; B, \
                C and D ask for a greeting meanwhile.",
        steps: BEHIND_A_SLEEPER,
        shows: always,
    },
    Scenario {
        name: "hand-over",
        stage: 8,
        options: &["--workers", "2"],
        title: "A connection is handed over once, then its loop serves it",
        about: "Clients A and B connect; each then asks twice.",
        steps: &[
            Connect('A'),
            Pause(15),
            Connect('B'),
            Pause(15),
            Get('A', "/"),
            Await('A', 1),
            Pause(15),
            Get('B', "/"),
            Await('B', 1),
            Pause(15),
            Get('A', "/"),
            Get('B', "/"),
            Await('A', 2),
            Await('B', 2),
            Pause(5),
        ],
        shows: always,
    },
    Scenario {
        name: "notify",
        stage: 9,
        options: &["--workers", "3", "--accept", "notify"],
        title: "The parent notifies one child for each connection",
        about: "Clients A, B and C connect one after the other, and ask.",
        steps: in_turn!('A', 'B', 'C'),
        shows: always,
    },
    Scenario {
        name: "shared",
        stage: 9,
        options: &["--workers", "3", "--accept", "shared"],
        title: "A herd: several children wake up for one connection, and one gets it",
        about: "Clients A, B and C connect one after the other, and ask.",
        steps: in_turn!('A', 'B', 'C'),
        shows: wakes_in_vain,
    },
    Scenario {
        name: "exclusive",
        stage: 9,
        options: &["--workers", "3", "--accept", "exclusive"],
        title: "With EPOLLEXCLUSIVE the kernel wakes one child",
        about: "Clients A, B and C connect one after the other, and ask.",
        steps: in_turn!('A', 'B', 'C'),
        shows: always,
    },
    Scenario {
        name: "two-shards",
        stage: 10,
        options: &["--workers", "2"],
        title: "The kernel deals connections to two shards; one sleeps, and its clients wait",
        about: "Four clients connect. The handler of client A's request sleeps 100 ms; B, C and D ask for a \
                greeting meanwhile.",
        steps: &[
            Connect('A'),
            Connect('B'),
            Connect('C'),
            Connect('D'),
            Pause(20),
            Get('A', "/sleep/100"),
            Pause(15),
            Get('B', "/"),
            Pause(15),
            Get('C', "/"),
            Pause(15),
            Get('D', "/"),
            Await('A', 1),
            Await('B', 1),
            Await('C', 1),
            Await('D', 1),
            Pause(5),
        ],
        shows: some_wait_and_some_do_not,
    },
    Scenario {
        name: "batches",
        stage: 11,
        options: &["--workers", "1"],
        title: "One system call for many operations",
        about: "Clients A to D connect; then all ask at once, twice.",
        steps: &[
            Connect('A'),
            Connect('B'),
            Connect('C'),
            Connect('D'),
            Pause(20),
            Get('A', "/"),
            Get('B', "/"),
            Get('C', "/"),
            Get('D', "/"),
            Await('A', 1),
            Await('B', 1),
            Await('C', 1),
            Await('D', 1),
            Pause(20),
            Get('A', "/"),
            Get('B', "/"),
            Get('C', "/"),
            Get('D', "/"),
            Await('A', 2),
            Await('B', 2),
            Await('C', 2),
            Await('D', 2),
            Pause(5),
        ],
        shows: always,
    },
    Scenario {
        name: "a-future",
        stage: 12,
        options: &["--workers", "1", "--blocking-threads", "1"],
        title: "The life of a future: polled, pending, woken, and polled again",
        about: "Clients A and B connect. A's request sleeps 60 ms, on another thread; B asks for a greeting \
                meanwhile, and then again.",
        steps: &[
            Connect('A'),
            Connect('B'),
            Pause(20),
            Get('A', "/sleep/60"),
            Pause(15),
            Get('B', "/"),
            Await('B', 1),
            Await('A', 1),
            Pause(10),
            Get('B', "/"),
            Await('B', 2),
            Pause(5),
        ],
        shows: always,
    },
];

fn always(_: &Timeline) -> bool {
    true
}

/// A child that is slow to look finds that nothing waits any more, and is not woken: most must have looked.
fn wakes_in_vain(timeline: &Timeline) -> bool {
    const MOST: usize = 4;
    let times = timeline.findings.iter().filter_map(|finding| finding.split_once(" times a task was woken"));
    times.filter_map(|(count, _)| count.parse().ok()).any(|count: usize| count >= MOST)
}

/// Which shard gets a connection is chance: of the clients that ask while the first one's handler sleeps, one
/// must wait, and one not.
fn some_wait_and_some_do_not(timeline: &Timeline) -> bool {
    /// More than strace slows a reply by, µs, and less than what is left to sleep when the last one asks.
    const LONG: i64 = 30_000;
    let clients = timeline.lanes.iter().enumerate().filter(|(_, lane)| lane.kind == LaneKind::Client);
    let asked: Vec<&Event> = clients
        .filter_map(|(place, _)| {
            timeline.events.iter().find(|event| event.lane == place && event.kind == Kind::Ask)
        })
        .collect();
    let [sleeper, beside @ ..] = &asked[..] else { return false };
    let waits: Vec<bool> = beside.iter().map(|ask| ask.to - ask.from > LONG).collect();
    let are_beside = beside.iter().all(|ask| ask.from + LONG < sleeper.to);
    are_beside && waits.contains(&true) && waits.contains(&false)
}

/// The scenario of this name.
pub(crate) fn find(name: &str) -> Result<&'static Scenario, Usage> {
    let names = || SCENARIOS.iter().map(|scenario| scenario.name).collect::<Vec<_>>().join(", ");
    let found = SCENARIOS.iter().find(|scenario| scenario.name == name);
    found.ok_or_else(|| Usage::new(format!("no scenario `{}`: there is {}", name.escape_debug(), names())))
}

/// What is recorded of a stage where nothing is named: its own first scenario, or two clients.
pub(crate) fn of_stage(number: u8) -> &'static Scenario {
    SCENARIOS.iter().find(|scenario| scenario.stage == number).unwrap_or(&SCENARIOS[0])
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Protects a run from ending in the middle because of a mistake in the table.
    #[test]
    fn each_scenario_has_its_name_and_clients_that_are_connected() {
        let names: BTreeSet<&str> = SCENARIOS.iter().map(|scenario| scenario.name).collect();
        assert_eq!(names.len(), SCENARIOS.len());
        assert!(SCENARIOS.is_sorted_by_key(|scenario| scenario.stage));
        for scenario in SCENARIOS {
            let mut connected = BTreeSet::new();
            for step in scenario.steps {
                match step {
                    Connect(letter) => assert!(connected.insert(letter), "{}: {letter} twice", scenario.name),
                    Get(letter, _) | Padded(letter, ..) | Await(letter, _) | Close(letter) => {
                        assert!(connected.contains(letter), "{}: {letter}", scenario.name);
                    }
                    Pause(_) => {}
                }
            }
            assert!(connected.iter().copied().eq(('A'..).take(connected.len()).collect::<Vec<_>>().iter()));
        }
    }

    #[test]
    fn a_scenario_that_is_not_there_is_told_which_are() {
        assert!(find("nonsense").is_err_and(|error| error.to_string().contains("four-silent")));
        assert_eq!((of_stage(3).name, of_stage(2).name), ("four-silent", "two-clients"));
    }
}
