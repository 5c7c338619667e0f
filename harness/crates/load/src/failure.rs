//! Why a request was not answered right.

/// Why a request was not answered right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// A reply with another status.
    Status,
    /// A body that is too short or too long.
    Length,
    /// A body of the right length with other bytes.
    Body,
    /// No HTTP.
    Malformed,
    /// The server closed the connection instead of answering.
    Closed,
    /// No connection.
    Connect,
    /// An error while reading, such as a reset.
    Read,
    /// An error while writing.
    Write,
    /// No whole reply within `--timeout`.
    Timeout,
}

impl Failure {
    pub(super) const ALL: [Failure; 9] = [
        Failure::Status,
        Failure::Length,
        Failure::Body,
        Failure::Malformed,
        Failure::Closed,
        Failure::Connect,
        Failure::Read,
        Failure::Write,
        Failure::Timeout,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Failure::Status => "status",
            Failure::Length => "length",
            Failure::Body => "body",
            Failure::Malformed => "malformed",
            Failure::Closed => "closed",
            Failure::Connect => "connect",
            Failure::Read => "read",
            Failure::Write => "write",
            Failure::Timeout => "timeout",
        }
    }
}
