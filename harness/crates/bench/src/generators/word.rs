//! What the command line of a generator is made of.

/// A word of a generator's command line. A generator that reads or writes files has them in a directory that
/// is made for the one run, on the host where it runs, so the word for such a file stands for a path that is
/// not known before.
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
