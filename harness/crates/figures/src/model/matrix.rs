//! What each server can do: servers in columns, probes in rows.

use serde::Serialize;

/// The table of outcomes.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Matrix {
    /// The servers: name and title.
    pub columns: Vec<(String, String)>,
    /// The probes; those that do not pass everywhere stand first.
    pub rows: Vec<String>,
    /// How many these are.
    pub differing: usize,
    /// Row by row, a cell for each column; `None` where a server was not asked.
    pub cells: Vec<Vec<Option<Cell>>>,
}

/// How one probe ended.
#[derive(Clone, Debug, Serialize)]
pub struct Cell {
    /// The kind of end.
    pub outcome: Outcome,
    /// In the probe's words: `broken: hang`.
    pub words: String,
    /// Whether it is not what the server declares.
    pub surprise: bool,
    /// What was seen.
    pub detail: String,
}

impl Cell {
    /// The stage's flaw: not a pass, and declared.
    pub fn is_declared(&self) -> bool {
        !self.surprise && !matches!(self.outcome, Outcome::Pass | Outcome::NotApplicable)
    }

    /// What stands in the cell: a surprise shouts.
    pub fn sign(&self) -> String {
        let letter = self.outcome.letter();
        if self.surprise { format!("{letter} !") } else { letter.to_owned() }
    }
}

/// The kinds of end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// As it should be.
    Pass,
    /// No reply while the cause lasted.
    Starved,
    /// A wrong reply.
    Wrong,
    /// A crash, a hang, a leak or a spin.
    Broken,
    /// The probe asks for nothing that the server has.
    NotApplicable,
    /// A word of another version.
    Unknown,
}

impl Outcome {
    /// Those that a legend explains.
    pub const ALL: [Self; 6] =
        [Self::Pass, Self::Starved, Self::Wrong, Self::Broken, Self::NotApplicable, Self::Unknown];

    /// From the probe's words.
    pub fn of(words: &str) -> Self {
        Self::ALL.into_iter().find(|outcome| words.starts_with(outcome.word())).unwrap_or(Self::Unknown)
    }

    /// In one word.
    pub fn word(self) -> &'static str {
        self.names().0
    }

    /// In one letter, for print and for the colour-blind.
    pub fn letter(self) -> &'static str {
        self.names().1
    }

    fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Pass => ("pass", "·"),
            Self::Starved => ("starved", "S"),
            Self::Wrong => ("wrong", "W"),
            Self::Broken => ("broken", "B"),
            Self::NotApplicable => ("not applicable", "–"),
            Self::Unknown => ("unknown", "?"),
        }
    }
}
