//! Where a generator runs: on this host, or on another one by ssh.

use super::ssh::Remote;

/// The host of a generator.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Place {
    /// This one.
    #[default]
    Here,
    /// Another one.
    Ssh(Remote),
}

impl Place {
    /// The other host's name, as it is recorded; `None` is this one.
    pub fn host(&self) -> Option<&str> {
        match self {
            Self::Here => None,
            Self::Ssh(remote) => Some(remote.host()),
        }
    }
}
