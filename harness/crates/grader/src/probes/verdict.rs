//! How a probe ends, and what was expected of it.

use anyhow::{Result, bail};
use std::fmt;

/// How a probe ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The server behaves.
    Pass,
    /// No reply while a cause lasted, and a right one once it was removed.
    Starved,
    /// An answer, but not the right one.
    Wrong,
    /// Something that the end of the cause does not mend.
    Broken(Breakage),
    /// The probe could not be run here; the detail says why.
    NotApplicable,
}

/// In which way a server is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Breakage {
    /// A process or thread died.
    Crash,
    /// What was asked for never came.
    Hang,
    /// Descriptors, threads or zombies were left behind.
    Leak,
    /// The CPU was used while there was nothing to do.
    Spin,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Outcome::Pass => "pass",
            Outcome::Starved => "starved",
            Outcome::Wrong => "wrong",
            Outcome::Broken(Breakage::Crash) => "broken: crash",
            Outcome::Broken(Breakage::Hang) => "broken: hang",
            Outcome::Broken(Breakage::Leak) => "broken: leak",
            Outcome::Broken(Breakage::Spin) => "broken: spin",
            Outcome::NotApplicable => "not applicable",
        })
    }
}

/// What was declared about a probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// This outcome.
    Exactly(Outcome),
    /// Broken in any way but a crash.
    Broken,
}

impl Expected {
    /// Reads `starved`, `broken`, `broken: hang` and so on. A crash cannot be declared: no flaw that a stage
    /// teaches is a crash.
    pub fn parse(text: &str) -> Result<Self> {
        let compact: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        Ok(Self::Exactly(match compact.as_str() {
            "pass" => Outcome::Pass,
            "starved" => Outcome::Starved,
            "wrong" => Outcome::Wrong,
            "broken" => return Ok(Self::Broken),
            "broken:hang" => Outcome::Broken(Breakage::Hang),
            "broken:leak" => Outcome::Broken(Breakage::Leak),
            "broken:spin" => Outcome::Broken(Breakage::Spin),
            "broken:crash" => bail!("a crash is always a surprise and cannot be expected"),
            _ => bail!(
                "unknown outcome `{text}`: allowed are pass, starved, wrong, broken, broken:hang, \
                 broken:leak, broken:spin"
            ),
        }))
    }

    /// Whether `outcome` is no surprise. What could not be run is none.
    pub fn allows(self, outcome: Outcome) -> bool {
        match (self, outcome) {
            (_, Outcome::NotApplicable) => true,
            (_, Outcome::Broken(Breakage::Crash)) => false,
            (Expected::Broken, outcome) => matches!(outcome, Outcome::Broken(_)),
            (Expected::Exactly(expected), outcome) => expected == outcome,
        }
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Expected::Exactly(outcome) => outcome.fmt(f),
            Expected::Broken => f.write_str("broken"),
        }
    }
}

/// An outcome that is not a pass, and what was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The outcome.
    pub outcome: Outcome,
    /// What was seen, in one line.
    pub detail: String,
}

/// What a probe returns: a remark with a pass (often empty), or a fault.
pub type Verdict = Result<String, Fault>;

impl Fault {
    fn new(outcome: Outcome, detail: impl Into<String>) -> Self {
        Self { outcome, detail: detail.into() }
    }

    pub(crate) fn starved(detail: impl Into<String>) -> Self {
        Self::new(Outcome::Starved, detail)
    }

    pub(crate) fn wrong(detail: impl Into<String>) -> Self {
        Self::new(Outcome::Wrong, detail)
    }

    pub(crate) fn crash(detail: impl Into<String>) -> Self {
        Self::new(Outcome::Broken(Breakage::Crash), detail)
    }

    pub(crate) fn hang(detail: impl Into<String>) -> Self {
        Self::new(Outcome::Broken(Breakage::Hang), detail)
    }

    pub(crate) fn leak(detail: impl Into<String>) -> Self {
        Self::new(Outcome::Broken(Breakage::Leak), detail)
    }

    pub(crate) fn spin(detail: impl Into<String>) -> Self {
        Self::new(Outcome::Broken(Breakage::Spin), detail)
    }

    pub(crate) fn not_applicable(detail: impl Into<String>) -> Self {
        Self::new(Outcome::NotApplicable, detail)
    }
}

/// One probe's end, with what it took.
#[derive(Debug, Clone)]
pub struct Finding {
    /// The probe's name.
    pub probe: &'static str,
    /// How it ended.
    pub outcome: Outcome,
    /// What was seen.
    pub detail: String,
    /// How long it took.
    pub seconds: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Protects the rule of the lab that a flaw may be declared and a crash may not, by either spelling.
    #[test]
    fn a_crash_is_always_a_surprise() {
        let crash = Outcome::Broken(Breakage::Crash);
        assert!(!Expected::Broken.allows(crash));
        assert!(!Expected::Exactly(crash).allows(crash));
        assert!(Expected::parse("broken: crash").is_err());
    }

    /// Protects the surprise in both directions: a declared flaw that is gone is one as well.
    #[test]
    fn a_pass_where_a_flaw_was_declared_is_a_surprise() {
        let starved = Expected::parse("starved").unwrap();
        assert!(starved.allows(Outcome::Starved));
        assert!(!starved.allows(Outcome::Pass));
        assert!(!Expected::Exactly(Outcome::Pass).allows(Outcome::Starved));
        assert!(Expected::parse("broken: hang").unwrap().allows(Outcome::Broken(Breakage::Hang)));
        assert!(!Expected::parse("broken: hang").unwrap().allows(Outcome::Broken(Breakage::Leak)));
    }
}
