//! How a probe ends, and what was expected of it.

use super::evidence::Evidence;
use super::transcript::last_used;
use anyhow::{Context, Result, ensure};
use std::{fmt, io};

/// How a probe ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The server behaves.
    Pass,
    /// No reply while a cause lasted, and a right one once it was removed.
    Starved,
    /// An answer, but not the right one.
    Wrong,
    /// Broken: a process or thread died.
    Crash,
    /// Broken: what was asked for never came.
    Hang,
    /// Broken: descriptors, threads or zombies were left behind.
    Leak,
    /// Broken: the CPU was used while there was nothing to do.
    Spin,
    /// The probe could not be run here; the detail says why.
    NotApplicable,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Outcome::Pass => "pass",
            Outcome::Starved => "starved",
            Outcome::Wrong => "wrong",
            Outcome::Crash => "broken: crash",
            Outcome::Hang => "broken: hang",
            Outcome::Leak => "broken: leak",
            Outcome::Spin => "broken: spin",
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
    /// Wrong in some runs and right in others: a race whose window no client can hold open.
    SometimesWrong,
    /// Broken in some runs, in any way but a crash, and right in others: what arrives together is luck.
    SometimesBroken,
}

impl Expected {
    /// Reads `starved`, `broken`, `broken: hang` and so on. A crash cannot be declared: no flaw that a stage
    /// teaches is a crash.
    pub fn parse(text: &str) -> Result<Self> {
        use Outcome::{Hang, Leak, Pass, Spin, Starved, Wrong};
        let compact = |text: &str| text.split_whitespace().collect::<String>();
        let wanted = compact(text);
        ensure!(wanted != "broken:crash", "a crash is always a surprise and cannot be expected");
        if wanted == "broken" {
            return Ok(Self::Broken);
        }
        if wanted == "sometimeswrong" {
            return Ok(Self::SometimesWrong);
        }
        if wanted == "sometimesbroken" {
            return Ok(Self::SometimesBroken);
        }
        let declared = [Pass, Starved, Wrong, Hang, Leak, Spin];
        let found = declared.into_iter().find(|outcome| compact(&outcome.to_string()) == wanted);
        found.map(Self::Exactly).with_context(|| {
            format!(
                "unknown outcome `{text}`: allowed are pass, starved, wrong, sometimes wrong, broken, \
                 sometimes broken, broken:hang, broken:leak, broken:spin"
            )
        })
    }

    /// Whether `outcome` is no surprise. What could not be run is none.
    pub fn allows(self, outcome: Outcome) -> bool {
        match (self, outcome) {
            (_, Outcome::NotApplicable) => true,
            (_, Outcome::Crash) => false,
            (Expected::Broken, outcome) => matches!(outcome, Outcome::Hang | Outcome::Leak | Outcome::Spin),
            (Expected::SometimesWrong, outcome) => matches!(outcome, Outcome::Pass | Outcome::Wrong),
            (Expected::SometimesBroken, Outcome::Pass) => true,
            (Expected::SometimesBroken, outcome) => Expected::Broken.allows(outcome),
            (Expected::Exactly(expected), outcome) => expected == outcome,
        }
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Expected::Exactly(outcome) => outcome.fmt(f),
            Expected::Broken => f.write_str("broken"),
            Expected::SometimesWrong => f.write_str("sometimes wrong"),
            Expected::SometimesBroken => f.write_str("sometimes broken"),
        }
    }
}

/// In which way a probe failed: what the hint and the command to see it by hand depend on, beside the probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// Something that only the probe knows.
    Other,
    /// No connection.
    Connect,
    /// A reply with another status.
    Status,
    /// A reply with another body.
    Body,
    /// The end of the connection where a reply was due, or in it.
    Closed,
    /// A reset.
    Reset,
    /// Nothing, where something was due.
    Silent,
    /// The connection stays open.
    StillOpen,
    /// Bytes where the connection should end.
    Unexpected,
    /// Bytes that are no reply.
    NotHttp,
    /// A body in chunks.
    Chunked,
    /// A body that does not end where it should.
    Endless,
    /// The process goes on after a signal.
    Running,
    /// The process ended with another status.
    ExitStatus,
    /// Several requests, each with a fault of its own.
    Several,
}

/// What is to be seen: of a server that is right, and of this one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) right: String,
    pub(crate) seen: String,
}

/// An outcome that is not a pass, and what was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The outcome.
    pub outcome: Outcome,
    /// What was seen, in one line.
    pub detail: String,
    /// Where to look, if the probe's own hint does not fit what was seen.
    pub hint: Option<&'static str>,
    /// In which way it failed.
    pub(crate) kind: Kind,
    /// The connection that the thread had used last.
    pub(crate) connection: Option<u32>,
    /// What is to be seen, if it is known better than by the probe's sentence.
    pub(crate) shown: Option<Box<Shown>>,
    /// A command that shows it, if the probe knows one better than what was sent.
    pub(crate) command: Option<String>,
    /// The faults that it consists of, where a probe goes on behind the first.
    pub(crate) parts: Vec<Fault>,
}

/// What a probe returns.
pub type Verdict = Result<(), Fault>;

impl Fault {
    pub(crate) fn new(outcome: Outcome, detail: impl fmt::Display) -> Self {
        Self {
            outcome,
            detail: detail.to_string(),
            hint: None,
            kind: Kind::Other,
            connection: last_used(),
            shown: None,
            command: None,
            parts: Vec::new(),
        }
    }

    /// Several faults as one; the worst of their outcomes is its own.
    pub(crate) fn several(detail: impl fmt::Display, parts: Vec<Fault>) -> Self {
        let is_hang = parts.iter().any(|fault| fault.outcome == Outcome::Hang);
        let outcome = if is_hang { Outcome::Hang } else { Outcome::Wrong };
        Self { kind: Kind::Several, parts, ..Self::new(outcome, detail) }
    }

    /// The fault, in this way.
    pub(crate) fn of(self, kind: Kind) -> Self {
        Self { kind, ..self }
    }

    /// The fault, with what a right server shows and what this one does.
    pub(crate) fn shows(self, right: impl fmt::Display, seen: impl fmt::Display) -> Self {
        let shown = Shown { right: right.to_string(), seen: seen.to_string() };
        Self { shown: Some(Box::new(shown)), ..self }
    }

    /// The fault, with a command for `sh` that shows it on `127.0.0.1 $PORT`. Without one, what was sent on
    /// the connection is sent again.
    pub(crate) fn shown_by(self, command: impl Into<String>) -> Self {
        Self { command: Some(command.into()), ..self }
    }

    /// An answer that is not the right one.
    pub(crate) fn wrong(detail: impl fmt::Display) -> Self {
        Self::new(Outcome::Wrong, detail)
    }

    /// A process or thread died.
    pub(crate) fn crash(detail: impl fmt::Display) -> Self {
        Self::new(Outcome::Crash, detail)
    }

    /// What was asked for never came.
    pub(crate) fn hang(detail: impl fmt::Display) -> Self {
        Self::new(Outcome::Hang, detail)
    }

    /// The probe cannot be run here.
    pub(crate) fn not_applicable(detail: impl fmt::Display) -> Self {
        Self::new(Outcome::NotApplicable, detail)
    }

    /// The fault, with a hint of its own.
    pub(crate) fn hinting(self, hint: &'static str) -> Self {
        Self { hint: Some(hint), ..self }
    }

    /// The fault, with what it was seen at.
    pub(crate) fn at(self, place: impl fmt::Display) -> Self {
        Self { detail: format!("{place}: {}", self.detail), ..self }
    }
}

/// A system call on a connection has failed.
impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        shortage(&error).unwrap_or_else(|| Self::wrong(format!("the connection failed: {error}")))
    }
}

/// What the grader's own machine lacks, where an error says so: that is no fault of the server.
pub(crate) fn shortage(error: &io::Error) -> Option<Fault> {
    use nix::libc::{EADDRNOTAVAIL, EMFILE, ENFILE, ENOBUFS, ENOMEM};
    let what = match error.raw_os_error()? {
        EADDRNOTAVAIL => "local ports (many connections ended within the last minute)",
        EMFILE | ENFILE => "descriptors",
        ENOBUFS | ENOMEM => "memory",
        _ => return None,
    };
    Some(Fault::not_applicable(format!("the grader has run out of {what}: {error}")))
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
    /// Where to look; empty after a pass.
    pub hint: &'static str,
    /// How long it took.
    pub seconds: f64,
    /// What shows it, after a fault.
    pub evidence: Option<Evidence>,
    /// It could not be run, for a reason that is not the server's: it costs no points.
    pub is_excused: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Protects the rule of the lab that a flaw may be declared and a crash may not, by either spelling.
    #[test]
    fn a_crash_is_always_a_surprise() {
        let crash = Outcome::Crash;
        assert!(!Expected::Broken.allows(crash));
        assert!(!Expected::Exactly(crash).allows(crash));
        assert!(Expected::parse("broken: crash").is_err());
    }

    /// Protects a server from being blamed for what its judge has run out of.
    #[test]
    fn a_shortage_of_the_grader_is_no_fault() {
        for code in [nix::libc::EADDRNOTAVAIL, nix::libc::EMFILE, nix::libc::ENOBUFS] {
            let fault = Fault::from(io::Error::from_raw_os_error(code));
            assert_eq!(fault.outcome, Outcome::NotApplicable, "{fault:?}");
            assert!(fault.detail.contains("the grader has run out of"), "{fault:?}");
        }
        let reset = Fault::from(io::Error::from_raw_os_error(nix::libc::ECONNRESET));
        assert_eq!(reset.outcome, Outcome::Wrong);
    }

    /// Protects the declaration of a race: it excuses wrong replies alone.
    #[test]
    fn a_race_excuses_no_hang() {
        let race = Expected::parse("sometimes wrong").unwrap();
        assert!(race.allows(Outcome::Pass) && race.allows(Outcome::Wrong));
        for outcome in [Outcome::Crash, Outcome::Hang, Outcome::Leak, Outcome::Spin, Outcome::Starved] {
            assert!(!race.allows(outcome), "{outcome}");
        }
        assert_eq!(Expected::parse(&race.to_string()).unwrap(), race);
    }

    /// Protects the declaration of what is broken by luck: it excuses neither a wrong reply nor a crash.
    #[test]
    fn what_is_sometimes_broken_is_never_wrong() {
        let luck = Expected::parse("sometimes broken").unwrap();
        assert!(luck.allows(Outcome::Pass) && luck.allows(Outcome::Hang));
        assert!(!luck.allows(Outcome::Wrong) && !luck.allows(Outcome::Crash));
        assert_eq!(Expected::parse(&luck.to_string()).unwrap(), luck);
    }

    /// Protects the surprise in both directions: a declared flaw that is gone is one as well.
    #[test]
    fn a_pass_where_a_flaw_was_declared_is_a_surprise() {
        let starved = Expected::parse("starved").unwrap();
        assert!(starved.allows(Outcome::Starved));
        assert!(!starved.allows(Outcome::Pass));
        assert!(!Expected::Exactly(Outcome::Pass).allows(Outcome::Starved));
        assert!(Expected::parse("broken: hang").unwrap().allows(Outcome::Hang));
        assert!(!Expected::parse("broken: hang").unwrap().allows(Outcome::Leak));
    }
}
