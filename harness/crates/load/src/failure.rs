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
    /// The server closed the connection when a part of the reply had come.
    Truncated,
    /// More bytes than the reply announced, or a reply that nobody asked for.
    Surplus,
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
    /// What each is called in a report, in the order of the variants.
    pub(super) const NAMES: [&str; 11] = [
        "status",
        "length",
        "body",
        "malformed",
        "closed",
        "closed in the middle of a reply",
        "with bytes behind the reply",
        "connect",
        "read",
        "write",
        "timeout",
    ];
}
