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

/// A word of a generator's command line. A generator that reads or writes files has them in a directory that is made for the
/// one run, on the host where it runs, so the word for such a file stands for a path that is not known before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// As it is.
    Text(String),
    /// The path of a file that has these contents when the program starts.
    Given { name: &'static str, contents: &'static str },
    /// The path of a file that the program writes; it is read when the program has ended.
    Wanted { name: &'static str },
}

impl From<String> for Word {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&str> for Word {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}
