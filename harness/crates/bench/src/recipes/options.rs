//! The options of every command that measures in rounds, and the recipe of those that measure each of their
//! points once in a round.

use super::whole_number::whole;
use crate::engine::{self, Outcome, Plan, Point, Recipe, Setup, Subject, command_line};
use anyhow::Result;
use records::Content;
use std::path::PathBuf;

/// The options of every command that measures in rounds.
#[derive(clap::Args, Clone, Debug, Default)]
pub(super) struct Options {
    /// How often everything is measured; from six on an interval can be computed [default: as often as the
    /// command has the time for]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = whole::<u32>(1..=1000))]
    pub(super) rounds: Option<u32>,
    /// What the order of the points is shuffled with; default: the time.
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = whole::<u64>(0..=u64::MAX))]
    pub(super) seed: Option<u64>,
    /// Begin anew, even if the same command was interrupted and could go on.
    #[arg(long)]
    pub(super) fresh: bool,
    /// Where the charts go; the data goes to `data` below it [default: results; results/look for a quick look
    /// and for a part of what is measured by default]
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
    /// The command as it is recorded, where it is not the one that was typed.
    #[arg(skip)]
    pub(super) command: Option<String>,
}

/// What such a command measures.
pub(super) struct Measured {
    pub(super) content: Content,
    pub(super) subjects: Vec<Subject>,
    pub(super) points: Vec<Point>,
    /// How often, unless the user says otherwise.
    pub(super) rounds: u32,
}

impl Options {
    /// Measures and records.
    pub(super) fn measure(&self, measured: Measured, mut setup: Setup) -> Result<Outcome> {
        setup.command = self.command.clone().unwrap_or_else(command_line);
        let is_whole = is_whole(&setup.command, measured.content);
        let is_whole = is_whole && self.rounds.is_none_or(|rounds| rounds >= measured.rounds);
        // A look must not take the place of a measurement.
        let usual = if is_whole { "results" } else { "results/look" };
        let out = self.out.clone().unwrap_or_else(|| usual.into());
        let rounds = self.rounds.unwrap_or(measured.rounds);
        let recipe = InRounds { measured, rounds };
        engine::run(&engine::Options { out, seed: self.seed, fresh: self.fresh }, &setup, &recipe)
    }
}

/// Whether a command measures all that it measures by itself: it has no options but `--rounds`.
fn is_whole(command: &str, content: Content) -> bool {
    let usual = content.command().trim_start_matches("./lab ");
    let Some(options) = command.strip_prefix(usual) else { return false };
    let mut words = options.split_whitespace();
    while let Some(word) = words.next() {
        match word {
            "--rounds" => drop(words.next()),
            _ if word.starts_with("--rounds=") => {}
            _ => return false,
        }
    }
    true
}

struct InRounds {
    measured: Measured,
    rounds: u32,
}

impl Recipe for InRounds {
    fn content(&self) -> Content {
        self.measured.content
    }

    fn plan(&self, seed: u64) -> Plan {
        Plan::of_points(self.measured.subjects.clone(), self.measured.points.clone(), self.rounds, seed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_does_not_take_the_place_of_a_measurement() {
        for whole in ["scenario slow", "scenario slow --rounds 9", "scenario slow --rounds=9"] {
            assert!(is_whole(whole, Content::Slow), "{whole}");
        }
        for part in ["scenario slow --stages 4", "scenario spin", "scenario slow --rounds 9 --rate 10"] {
            assert!(!is_whole(part, Content::Slow), "{part}");
        }
        assert!(is_whole("table", Content::Table));
    }
}
