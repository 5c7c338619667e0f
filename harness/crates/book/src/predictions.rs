//! The predictions of the chapters: what a reader is asked before reading, and how the answer is measured.
//!
//! They are data, `notes/predictions/NN.toml`. The section of a chapter is generated from them (`page`),
//! `./lab predict` asks them, and `./lab reveal` measures what `Measure` names; so a question is typed once.
//! What can be measured is a closed set: a question that none of it answers is a question for the exercises.

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use std::fmt::Write;
use std::fs::read_to_string;
use std::path::Path;

/// The folder of the files, below the root of the tree.
pub const FOLDER: &str = "notes/predictions";

/// The predictions of a chapter.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Predictions {
    /// In the order in which they are asked; the first one has the number 1.
    pub prediction: Vec<Prediction>,
}

/// A question, and how it is answered.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Prediction {
    /// The name under which a guess is kept. It stays when the order of the questions changes; a question
    /// that asks for something else needs another one.
    pub id: String,
    /// In Markdown, one paragraph or more.
    pub question: String,
    /// What may be answered.
    pub answer: Answer,
    /// How it is measured.
    pub measure: Measure,
    /// The heading below which the chapter answers it: `#the-idea`, or `11-b-buffers.md#back-pressure` on a
    /// page of the chapter.
    pub answered: String,
    /// One sentence: why it is so.
    pub why: String,
}

/// The kinds of answers.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Answer {
    /// A number of this unit.
    Number(String),
    /// One of several.
    Choice(Vec<Choice>),
    /// A sentence in the reader's own words, which nobody but the reader can judge.
    Sentence(bool),
}

/// A possible answer.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Choice {
    /// As the measurement names it.
    pub key: String,
    /// As the reader sees it.
    pub text: String,
}

/// Everything that can be measured. A `server` is a stage or twin with its options, as they are typed behind
/// `./lab stage`.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Measure {
    /// How far a second client gets beside a silent first one.
    SecondClient {
        /// The server.
        server: String,
    },
    /// CPU time of the server, ms in a second, beside silent clients.
    CpuBesideSilent {
        /// The server.
        server: String,
        /// The silent clients.
        silent: usize,
        /// Whether each of them has had a reply before.
        greeted: bool,
        /// Whether another client waits for a reply meanwhile.
        asking: bool,
    },
    /// Seconds until a client has its reply, beside silent ones that leave after a while.
    SecondsBesideSilent {
        /// The server.
        server: String,
        /// The silent clients.
        silent: usize,
        /// Whether each of them has had a reply before.
        greeted: bool,
        /// When they leave, ms after the client has asked.
        leave_ms: u64,
    },
    /// Seconds until a quick client has its reply, which asks while a handler sleeps.
    SecondsBesideSleep {
        /// The server.
        server: String,
        /// How long the handler sleeps.
        sleep_ms: u64,
    },
    /// How many quick requests are slow beside a handler that sleeps: those that take a tenth of its time.
    SlowBesideSleep {
        /// The server.
        server: String,
        /// How long the handler sleeps.
        sleep_ms: u64,
        /// The quick requests.
        requests: usize,
        /// How they come.
        come: Coming,
    },
    /// How many of so many requests are answered that clients with kept connections share, as with `ab -k`.
    SharedRequests {
        /// The server.
        server: String,
        /// The clients.
        clients: usize,
        /// The requests of all of them.
        requests: usize,
    },
    /// Which server of several answers fewer requests of a burst than the others.
    FewestReplies {
        /// The servers, by the keys of the choices.
        servers: Vec<Candidate>,
    },
    /// How many replies a client has that sent a burst and, a second later, one request more.
    RepliesAfterOneMore {
        /// The server.
        server: String,
    },
    /// In which order the replies of a slow and a quick request leave, which a client has sent one shortly
    /// after the other.
    OrderOfReplies {
        /// The server.
        server: String,
    },
    /// How many processes there are with so many silent clients.
    Processes {
        /// The server.
        server: String,
        /// The silent clients.
        clients: usize,
    },
    /// Memory of a silent connection in bytes.
    MemoryOfSilent {
        /// The server.
        server: String,
        /// The silent clients over which it is divided.
        clients: usize,
    },
    /// Whether a client sees the end of a connection of which the server's side holds a second descriptor.
    EndBehindADuplicate {},
    /// How many signals a process gets when the processes of so many clients end together.
    SignalsAtTheEnd {
        /// The server.
        server: String,
        /// The clients, which leave at the same moment.
        clients: usize,
        /// The signal.
        signal: String,
    },
    /// System calls of the server in a second, beside silent clients.
    CallsPerSecond {
        /// The server.
        server: String,
        /// The silent clients.
        clients: usize,
    },
    /// System calls for each request on kept connections under load, at each of several numbers of clients;
    /// the first one is the answer.
    CallsPerRequest {
        /// The server.
        server: String,
        /// How many clients, each measured by itself.
        clients: Vec<u32>,
        /// The calls that count; all, if there are none.
        calls: Vec<String>,
    },
    /// How many system calls more a lone request on a kept connection takes in one server than in another.
    CallsMore {
        /// The server.
        server: String,
        /// The other one.
        than: String,
    },
    /// CPU time of a request in one server as a multiple of that in another, both in turns.
    CpuRatio {
        /// The server.
        server: String,
        /// The other one.
        to: String,
        /// Whether each request has a connection of its own.
        close: bool,
    },
    /// How a probe of the grader ends.
    Probe {
        /// The server.
        server: String,
        /// The probe.
        probe: String,
    },
    /// How many times a process is woken for each connection, as the server counts, at each of several
    /// numbers of clients; the first one is the answer.
    WakeUps {
        /// The server.
        server: String,
        /// How many clients, each measured by itself.
        clients: Vec<u32>,
    },
    /// Who notices that one of the server's children is killed.
    KilledChild {
        /// The server.
        server: String,
    },
    /// What becomes of the same server started a second time on the same port.
    StartedTwice {
        /// The server.
        server: String,
    },
}

/// A server of several.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Candidate {
    /// As the choices name it.
    pub key: String,
    /// The server.
    pub server: String,
}

/// How quick requests come.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Coming {
    /// One after the other on one connection.
    OnOneConnection,
    /// One after the other, each on a connection of its own.
    OneAfterTheOther,
    /// All at once, each on a connection of its own.
    AtOnce,
}

impl Measure {
    /// What it may find, where that is one of a few things. None where it finds a number.
    pub fn keys(&self) -> Option<Vec<&str>> {
        Some(match self {
            Self::SecondClient { .. } => vec!["refused", "not-connected", "connected", "answered"],
            Self::FewestReplies { servers } => servers.iter().map(|server| server.key.as_str()).collect(),
            Self::OrderOfReplies { .. } => vec!["in-order", "swapped"],
            Self::EndBehindADuplicate {} => vec!["yes", "no"],
            Self::CpuRatio { .. } => vec!["less", "more", "alike"],
            Self::Probe { .. } => vec!["pass", "starved", "wrong", "broken"],
            Self::KilledChild { .. } => vec!["own", "all", "none"],
            Self::StartedTwice { .. } => vec!["refused", "joins"],
            _ => return None,
        })
    }

    /// Whether it finds a number.
    pub fn has_number(&self) -> bool {
        self.keys().is_none() || matches!(self, Self::CpuRatio { .. })
    }

    /// How long it takes, seconds, on a machine with nothing else to do.
    pub fn seconds(&self) -> u64 {
        match self {
            Self::EndBehindADuplicate {} | Self::StartedTwice { .. } => 1,
            Self::OrderOfReplies { .. } | Self::Processes { .. } | Self::MemoryOfSilent { .. } => 2,
            Self::SignalsAtTheEnd { .. } | Self::KilledChild { .. } | Self::CallsMore { .. } => 3,
            Self::SecondClient { .. } | Self::CpuBesideSilent { .. } | Self::SharedRequests { .. } => 3,
            Self::SecondsBesideSilent { leave_ms, .. } => 1 + leave_ms.div_ceil(1000),
            Self::SecondsBesideSleep { sleep_ms, .. } | Self::SlowBesideSleep { sleep_ms, .. } => {
                1 + sleep_ms.div_ceil(1000)
            }
            Self::FewestReplies { servers } => 2 * servers.len() as u64,
            Self::RepliesAfterOneMore { .. } | Self::CallsPerSecond { .. } => 4,
            Self::CallsPerRequest { clients, .. } | Self::WakeUps { clients, .. } => 2 * clients.len() as u64,
            Self::CpuRatio { .. } => 6,
            Self::Probe { .. } => 5,
        }
    }
}

impl Predictions {
    /// Those of the chapter of a stage, by its name: `05`.
    ///
    /// # Errors
    ///
    /// The file is missing, or is not what this module describes: what is wrong with it, in one line.
    pub fn read(root: &Path, stage: &str) -> Result<Self> {
        let name = format!("{FOLDER}/{stage}.toml");
        let text = read_to_string(root.join(&name)).with_context(|| format!("{name} cannot be read"))?;
        Self::parse(&text).with_context(|| format!("{name} is no list of predictions"))
    }

    fn parse(text: &str) -> Result<Self> {
        // The whole message would be a picture of the file.
        let all: Self = toml::from_str(text).map_err(|error| anyhow::anyhow!("{}", error.message()))?;
        ensure!(!all.prediction.is_empty(), "there is none");
        for (at, prediction) in all.prediction.iter().enumerate() {
            let id = &prediction.id;
            let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            ensure!(!id.is_empty() && id.chars().all(is_name), "`{id}` is no id: small letters and hyphens");
            let is_twice = all.prediction[..at].iter().any(|other| other.id == *id);
            ensure!(!is_twice, "`{id}` is there twice");
            prediction.check().with_context(|| format!("`{id}`"))?;
        }
        Ok(all)
    }

    /// How long all of them take to measure, seconds.
    pub fn seconds(&self) -> u64 {
        self.prediction.iter().map(|prediction| prediction.measure.seconds()).sum()
    }

    /// The section of the chapter, without its heading.
    pub(crate) fn page(&self, number: u8) -> String {
        let mut page = String::new();
        for (at, prediction) in self.prediction.iter().enumerate() {
            // A question may make a reader think of more than one thing; one of them is guessed.
            let asked = match &prediction.answer {
                Answer::Number(unit) => {
                    format!("{} (Your guess: how many {unit}.)", prediction.question.trim())
                }
                Answer::Choice(_) | Answer::Sentence(_) => prediction.question.trim().to_owned(),
            };
            let mut lines = asked.lines();
            let _ = writeln!(page, "{}. {}", at + 1, lines.next().unwrap_or_default());
            for line in lines {
                let _ = writeln!(page, "{}", format!("   {line}").trim_end());
            }
            if let Answer::Choice(choices) = &prediction.answer {
                page.push('\n');
                for (at, choice) in choices.iter().enumerate() {
                    let _ = writeln!(page, "   - **{}** {}", letter(at), choice.text);
                }
                page.push('\n');
            }
        }
        let _ = write!(
            page,
            "\nGuess before you read on: `./lab predict {number}` asks for your guesses and keeps them. `./lab reveal \
             {number}` measures on your machine, in about {} seconds, and sets guess beside result.\n",
            self.seconds()
        );
        page
    }
}

/// By what a choice is named: the first one is `a`.
pub fn letter(at: usize) -> char {
    char::from(b'a' + u8::try_from(at).unwrap_or(25).min(25))
}

impl Prediction {
    /// Whether the measurement finds what is asked for.
    fn check(&self) -> Result<()> {
        ensure!(!self.question.trim().is_empty(), "it asks nothing");
        let why = self.why.trim();
        ensure!(!why.is_empty() && !why.contains('\n'), "`why` must be one sentence in one line");
        ensure!(why.ends_with('.'), "`why` must end with a full stop");
        match &self.answer {
            Answer::Number(unit) => {
                ensure!(!unit.trim().is_empty(), "a number needs its unit");
                ensure!(self.measure.has_number(), "its measurement finds no number");
            }
            Answer::Choice(choices) => {
                let Some(keys) = self.measure.keys() else {
                    bail!("its measurement finds a number, no choice")
                };
                let has = |key: &str| choices.iter().filter(|choice| choice.key == key).count();
                if let Some(bad) = choices.iter().find(|choice| !keys.contains(&choice.key.as_str())) {
                    bail!("`{}` is nothing that its measurement finds: {}", bad.key, keys.join(", "));
                }
                ensure!(choices.iter().all(|choice| has(&choice.key) == 1), "a choice is there twice");
                ensure!(choices.len() > 1, "one choice is none");
            }
            Answer::Sentence(is_one) => ensure!(*is_one, "write `answer.sentence = true`"),
        }
        Ok(())
    }

    /// The page and the heading below which it is answered, in the chapter with this file name.
    pub fn place<'a>(&'a self, chapter: &'a str) -> (&'a str, &'a str) {
        match self.answered.split_once('#') {
            Some(("", heading)) => (chapter, heading),
            Some((page, heading)) => (page, heading),
            None => (chapter, &self.answered),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "
        [[prediction]]
        id = 'second'
        question = '''
        How far does it get?

        Really?'''
        answer.choice = [{ key = 'refused', text = 'refused' }, { key = 'connected', text = 'it waits' }]
        measure = { kind = 'second-client', server = '1' }
        answered = '#see-it'
        why = 'The kernel connects.'

        [[prediction]]
        id = 'cpu'
        question = 'How much CPU time?'
        answer.number = 'ms in a second'
        measure = { kind = 'cpu-beside-silent', server = '1', silent = 1, greeted = true, asking = false }
        answered = '01-more.md#why'
        why = 'It sleeps.'
    ";

    /// Protects the chapter: what is asked there is what the commands ask, with their numbers and letters.
    #[test]
    fn the_section_has_each_question_with_its_choices() {
        let all = Predictions::parse(GOOD).expect("it is good");
        let page = all.page(1);
        assert!(
            page.starts_with("1. How far does it get?\n\n           Really?\n\n   - **a** refused\n   - **b** it waits\n\n2. How much"),
            "{page}"
        );
        assert!(page.contains("2. How much CPU time? (Your guess: how many ms in a second.)\n"), "{page}");
        assert!(page.contains("`./lab predict 1`") && page.contains("in about 6 seconds"), "{page}");
        let places: Vec<_> = all.prediction.iter().map(|one| one.place("01-one.md")).collect();
        assert_eq!(places, [("01-one.md", "see-it"), ("01-more.md", "why")]);
    }

    /// Protects the reader from a question that is measured by something else than it asks for.
    #[test]
    fn what_does_not_fit_is_refused() {
        for (from, to, why) in [
            ("key = 'refused'", "key = 'gone'", "`gone` is nothing that its measurement finds"),
            ("key = 'refused'", "key = 'connected'", "twice"),
            ("answer.number = 'ms in a second'", "answer.number = ' '", "unit"),
            ("answer.number = 'ms in a second'", "answer.choice = []", "finds a number"),
            (
                "'second-client', server = '1'",
                "'cpu-ratio', server = '1', to = '2', close = true",
                "`refused`",
            ),
            ("'second-client'", "'second-guess'", "unknown variant"),
            ("id = 'cpu'", "id = 'second'", "`second` is there twice"),
            ("id = 'cpu'", "id = 'C P U'", "is no id"),
            ("'It sleeps.'", "'It sleeps'", "full stop"),
            ("silent = 1", "quiet = 1", "quiet"),
        ] {
            let text = GOOD.replace(from, to);
            assert_ne!(text, GOOD);
            let error = format!("{:#}", Predictions::parse(&text).expect_err(to));
            assert!(error.contains(why) && !error.contains('\n'), "{to}: {error}");
        }
    }
}
