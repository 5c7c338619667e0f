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
    /// What each is called in a report, in the order of the variants.
    pub(super) const NAMES: [&str; 9] =
        ["status", "length", "body", "malformed", "closed", "connect", "read", "write", "timeout"];
}
