//! A recorded run as data: what is drawn, what the page shows, what is committed.

use serde::{Deserialize, Serialize};

/// A run. All times are in µs since the first client began to connect, or a little before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timeline {
    /// Of its files: `01-two-clients`.
    pub name: String,
    /// What is seen, in a few words.
    pub title: String,
    /// What the clients do, in one or two sentences.
    pub about: String,
    /// What was started: `stage 01`, `stage 05 --trigger edge`, or a command.
    pub server: String,
    /// By what and where it was recorded: the versions of strace and of the kernel.
    pub recorded: String,
    /// How long the run was.
    pub end: i64,
    /// From the top of the picture.
    pub lanes: Vec<Lane>,
    /// By lane, and within a lane by time.
    pub events: Vec<Event>,
    /// From cause to effect.
    pub arrows: Vec<Arrow>,
    /// Who waited for whom, one sentence for each client that waited.
    pub findings: Vec<String>,
}

/// A line of the picture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lane {
    /// `client A`, `accept queue`, `worker 1`.
    pub name: String,
    /// What it stands for.
    pub kind: LaneKind,
}

/// What a lane stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LaneKind {
    /// A client.
    Client,
    /// A queue of the kernel or of the server, derived from the calls.
    Queue,
    /// A thread or a process.
    Task,
}

/// Something that took time in a lane, or happened at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Its lane, by place.
    #[serde(rename = "l")]
    pub lane: usize,
    /// When it began.
    #[serde(rename = "a")]
    pub from: i64,
    /// When it was over.
    #[serde(rename = "b")]
    pub to: i64,
    /// What it is.
    #[serde(rename = "k")]
    pub kind: Kind,
    /// A few words for the picture. What is in parentheses can be left out.
    #[serde(rename = "n", default, skip_serializing_if = "String::is_empty")]
    pub label: String,
    /// The call, or what was sent or received.
    #[serde(rename = "t", default, skip_serializing_if = "String::is_empty")]
    pub text: String,
}

/// What an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A client's connection is open, and nothing is due to it.
    Idle,
    /// A client waits for a reply.
    Ask,
    /// A client begins to connect.
    Connect,
    /// A client sends.
    Send,
    /// A client receives.
    Receive,
    /// The server has closed a client's connection.
    End,
    /// A client closes its connection.
    Close,
    /// Something of a client's is in a queue.
    Queued,
    /// A task runs, or is held by strace.
    Run,
    /// A task waits in a call for somebody else.
    Wait,
    /// A task sleeps because its handler says so.
    Sleep,
    /// A call that did not wait.
    Call,
}

impl Kind {
    /// Whether it says what its lane does for a time; the others are moments or calls on top of it.
    pub fn is_state(self) -> bool {
        matches!(self, Kind::Idle | Kind::Ask | Kind::Queued | Kind::Run | Kind::Wait | Kind::Sleep)
    }

    /// Whether it is something that a client does or sees at one moment.
    pub fn is_moment(self) -> bool {
        matches!(self, Kind::Connect | Kind::Send | Kind::Receive | Kind::End | Kind::Close)
    }
}

/// From a cause in one lane to its effect in another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arrow {
    /// The lane of the cause, and when.
    #[serde(rename = "f")]
    pub from: (usize, i64),
    /// The lane of the effect, and when.
    #[serde(rename = "o")]
    pub to: (usize, i64),
    /// What goes from one to the other.
    #[serde(rename = "k")]
    pub kind: Flow,
}

/// What goes from one lane to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Flow {
    /// A connection, from its client to the task that accepts it.
    Connection,
    /// Bytes, from a client to the server or back.
    Bytes,
    /// A wake-up, from a task to another.
    Wake,
}
