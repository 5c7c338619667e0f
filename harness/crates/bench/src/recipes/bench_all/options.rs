//! What a user may say to `harness bench-all`.

use super::profile::{Clients, Profile, Workload};
use super::remote::Elsewhere;
use crate::recipes::select::{clients, phases};
use crate::recipes::whole_number::whole;
use anyhow::{Result, ensure};
use clap::ValueEnum;
use records::Phase;
use std::path::PathBuf;
use std::time::Duration;

/// The options of `harness bench-all`.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// Stages, ranges and twins: `1,4-7,5-mio`. Default: every stage. The floor is always measured too.
    #[arg(long, value_name = "LIST")]
    pub(super) stages: Option<String>,
    /// Load generators: ab, wrk, webbench, builtin. Default: the first three, and builtin where neither ab
    /// nor wrk is installed.
    #[arg(long, value_name = "LIST")]
    pub(super) tools: Option<String>,
    /// Clients at once [default: by profile]
    #[arg(long, value_name = "LIST")]
    pub(super) concurrency: Option<String>,
    /// Whether a client keeps its connection.
    #[arg(long, value_enum, default_value = "both")]
    pub(super) keep_alive: KeepAlive,
    /// Seconds per point; whole ones, the tools know no others [default: by profile]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..=3600))]
    pub(super) duration: Option<u32>,
    /// How often everything is measured; from five on an interval can be computed [default: by profile]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(super) rounds: Option<u32>,
    /// How much is measured.
    #[arg(long, alias = "rigor", value_enum, default_value = "standard", conflicts_with = "quick")]
    pub(super) profile: Profile,
    /// The same as `--profile quick`.
    #[arg(long)]
    pub(super) quick: bool,
    /// Begin anew, even if the same run was interrupted and could go on.
    #[arg(long)]
    pub(super) fresh: bool,
    /// The CPUs of the server and of the generator; default: the first one and the second one.
    #[arg(long, value_name = "SERVER:GENERATOR")]
    pub(super) cpus: Option<String>,
    /// What is asked for.
    #[arg(long, default_value = "/")]
    pub(super) path: String,
    /// A directory of files that every server serves, but for the floor: `--root DIR --path /FILE`
    #[arg(long, value_name = "DIR", conflicts_with = "target")]
    pub(super) root: Option<PathBuf>,
    /// Requests that a client sends before it reads the replies (wrk and builtin with keep-alive only).
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(super) pipeline: u16,
    /// What to compare with, where it is installed: floor, nginx, h2o [default: all of them; the floor is
    /// always one]
    #[arg(long, value_name = "LIST")]
    pub(super) references: Option<String>,
    /// What is measured: survey (speed), paired (CPU time against the floor), latency (open loop), idle
    /// (memory). Default: all that the profile has; without the last two for a run narrowed to some tools or
    /// loads.
    #[arg(long, value_name = "LIST")]
    pub(super) phases: Option<String>,
    /// What the order of the points is shuffled with; default: the time.
    #[arg(long, allow_negative_numbers = true, value_parser = whole::<u64>(0..=u64::MAX))]
    pub(super) seed: Option<u64>,
    /// Where the charts go; the data goes to `data` below it [default: results, for a run of everything by
    /// `--profile standard` or `full`; results/look for a part of it or a quick look]
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
    #[command(flatten)]
    pub(super) elsewhere: Elsewhere,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum KeepAlive {
    On,
    Off,
    Both,
}

impl KeepAlive {
    /// Whether a client keeps its connection, for each kind of point.
    pub(super) fn kinds(self) -> Vec<bool> {
        match self {
            Self::On => vec![true],
            Self::Off => vec![false],
            Self::Both => vec![true, false],
        }
    }
}

impl Args {
    /// Whether only some loads are wanted.
    pub(super) fn is_narrowed(&self) -> bool {
        self.tools.is_some()
            || self.concurrency.is_some()
            || self.pipeline > 1
            || !matches!(self.keep_alive, KeepAlive::Both)
    }

    /// How much is measured.
    pub(super) fn profile(&self) -> Profile {
        if self.quick { Profile::Quick } else { self.profile }
    }

    /// Refuses a path that cannot stand in a request.
    pub(super) fn ensure_path(&self) -> Result<()> {
        ensure!(self.path.starts_with('/'), "--path must begin with '/', not be '{}'", self.path);
        let is_plain = self.path.bytes().all(|byte| byte.is_ascii_graphic());
        ensure!(is_plain, "--path '{}' has characters that a request must encode: a space is %20", self.path);
        Ok(())
    }

    /// What is measured.
    pub(super) fn phases(&self) -> Result<Vec<Phase>> {
        let phases = match &self.phases {
            Some(list) => phases(list)?,
            None if self.is_narrowed() => vec![Phase::Survey, Phase::Paired],
            None => vec![Phase::Survey, Phase::Paired, Phase::Latency, Phase::Idle],
        };
        self.elsewhere.phases(phases)
    }

    /// The workloads to choose from, the richest first, and the time that decides, if any. A user who names
    /// how long, how often or what has decided.
    pub(super) fn workloads(&self) -> Result<(Vec<Workload>, Option<f64>)> {
        let mut workloads = self.profile().workloads();
        let is_ladder = !self.is_narrowed() && self.duration.is_none() && self.rounds.is_none();
        if !is_ladder {
            workloads.truncate(1);
        }
        // What a quick look has not by itself, it has for a user who names it.
        let named = self.phases.as_deref().map(phases).transpose()?.unwrap_or_default();
        let numbers = self.concurrency.as_deref().map(|list| clients(list, "--concurrency")).transpose()?;
        for workload in &mut workloads {
            workload.pairs |= named.contains(&Phase::Paired);
            workload.latency |= named.contains(&Phase::Latency);
            if named.contains(&Phase::Idle) {
                workload.idle_rounds = workload.idle_rounds.max(1);
            }
            if let Some(numbers) = &numbers {
                workload.clients = Clients::same(numbers.clone());
            }
            if let Some(seconds) = self.duration {
                workload.duration = Duration::from_secs(seconds.into());
            }
            if let Some(rounds) = self.rounds {
                (workload.rounds, workload.rounds_of_others, workload.idle_rounds) = (rounds, rounds, rounds);
            }
        }
        Ok((workloads, self.profile().budget().filter(|_| is_ladder)))
    }

    /// A look must not take the place of a measurement.
    pub(super) fn out(&self) -> PathBuf {
        let everything = !self.is_narrowed()
            && self.stages.is_none()
            && self.duration.is_none()
            && self.rounds.is_none()
            && self.phases.is_none()
            && !self.elsewhere.is_wanted()
            && self.path == "/";
        let measured = everything && self.profile() != Profile::Quick;
        self.out.clone().unwrap_or_else(|| if measured { "results".into() } else { "results/look".into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        args: Args,
    }

    fn args(line: &str) -> Args {
        Cli::try_parse_from(["bench-all"].into_iter().chain(line.split_whitespace())).expect("good").args
    }

    /// Protects scripts that were written before the option had its name.
    #[test]
    fn a_profile_has_three_ways_to_be_named() {
        for line in ["--profile quick", "--rigor quick", "--quick"] {
            assert_eq!(args(line).profile(), Profile::Quick, "{line}");
        }
        assert_eq!(args("").profile(), Profile::Standard);
    }

    #[test]
    fn a_look_does_not_take_the_place_of_a_measurement() {
        for whole in ["", "--profile full"] {
            assert_eq!(args(whole).out(), PathBuf::from("results"), "{whole}");
        }
        for part in ["--quick", "--stages 4", "--tools ab", "--rounds 9", "--keep-alive on", "--path /x"] {
            assert_eq!(args(part).out(), PathBuf::from("results/look"), "{part}");
        }
        assert_eq!(args("--quick --out mine").out(), PathBuf::from("mine"));
    }

    #[test]
    fn what_the_user_names_holds_for_every_tool_and_ends_the_choice() {
        let (workloads, budget) =
            args("--concurrency 8,1 --rounds 2 --phases idle").workloads().expect("good");
        let [workload] = workloads.as_slice() else { panic!("no choice: {workloads:?}") };
        assert_eq!((workload.rounds, workload.rounds_of_others, workload.idle_rounds), (2, 2, 2));
        assert_eq!((&workload.clients.ab, &workload.clients.kept), (&vec![1, 8], &vec![1, 8]));
        assert_eq!(budget, None);
        assert!(args("").workloads().expect("good").0.len() > 1);
    }
}
