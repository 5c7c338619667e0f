//! What a user may say to `./lab bench-all`.

use super::profile::{Profile, Workload};
use super::remote::Elsewhere;
use crate::engine::USUAL_CLIENTS;
use crate::generators::Tool;
use crate::recipes::options::Options;
use crate::recipes::select::{self, clients, phases};
use anyhow::{Result, ensure};
use clap::ValueEnum;
use records::Phase;
use std::path::PathBuf;
use std::time::Duration;

/// The options of `./lab bench-all`.
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
    /// How much is measured.
    #[arg(long, alias = "rigor", value_enum, default_value = "standard", conflicts_with = "quick")]
    pub(super) profile: Profile,
    /// The same as `--profile quick`.
    #[arg(long)]
    pub(super) quick: bool,
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
    /// What is measured: survey (speed), paired (CPU time against the floor), idle (memory). Default: all of
    /// them; without the last one for a run narrowed to some tools or loads. How long requests wait:
    /// `./lab scenario latency`.
    #[arg(long, value_name = "LIST")]
    pub(super) phases: Option<String>,
    #[command(flatten)]
    pub(super) options: Options,
    #[command(flatten)]
    pub(super) elsewhere: Elsewhere,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum KeepAlive {
    On,
    Off,
    Both,
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
    fn phases(&self) -> Result<Vec<Phase>> {
        let phases = match &self.phases {
            Some(list) => phases(list)?,
            None if self.is_narrowed() => vec![Phase::Survey, Phase::Paired],
            None => vec![Phase::Survey, Phase::Paired, Phase::Idle],
        };
        self.elsewhere.phases(phases)
    }

    /// The workloads to choose from, the richest first, and the time that decides, if any. A user who names
    /// how long, how often or what has decided.
    pub(super) fn workloads(&self) -> Result<(Vec<Workload>, Option<f64>)> {
        let mut workloads = self.profile().workloads();
        let is_ladder = !self.is_narrowed() && self.duration.is_none() && self.options.rounds.is_none();
        if !is_ladder {
            workloads.truncate(1);
        }
        let phases = self.phases()?;
        let tools = select::tools(self.tools.as_deref())?;
        let numbers = self.concurrency.as_deref().map(|list| clients(list, "--concurrency")).transpose()?;
        let pairs_by = self.tool_of_pairs(&tools);
        for workload in &mut workloads {
            workload.series.retain(|series| {
                let is_asked_for = match series.phase {
                    Phase::Survey => tools.contains(&series.tool),
                    Phase::Paired => pairs_by.is_some(),
                    _ => true,
                };
                let is_of_kind = match self.keep_alive {
                    KeepAlive::On => series.keep_alive,
                    KeepAlive::Off => !series.keep_alive,
                    KeepAlive::Both => true,
                };
                is_asked_for && (is_of_kind || series.phase == Phase::Idle) && phases.contains(&series.phase)
            });
            for series in &mut workload.series {
                series.rounds = self.options.rounds.unwrap_or(series.rounds);
                if series.phase == Phase::Idle {
                    continue;
                }
                if let Some(seconds) = self.duration {
                    series.duration = Duration::from_secs(seconds.into());
                }
                if let Some(numbers) = &numbers {
                    series.clients.clone_from(numbers);
                }
                if let (Phase::Paired, Some(tool)) = (series.phase, pairs_by) {
                    // A pair stands for a server: one number of clients is enough.
                    let usual = |clients: &&usize| clients.abs_diff(USUAL_CLIENTS);
                    series.clients = series.clients.iter().min_by_key(usual).copied().into_iter().collect();
                    series.tool = tool;
                }
            }
        }
        Ok((workloads, self.profile().budget().filter(|_| is_ladder)))
    }

    /// The generator of the pairs: the built-in one, which brings a server to its limit, unless other tools
    /// are asked for. ab and webbench cannot stand for the others.
    fn tool_of_pairs(&self, tools: &[Tool]) -> Option<Tool> {
        let has = |tool: Tool| tools.contains(&tool);
        match &self.tools {
            Some(_) if self.phases.is_none() && !has(Tool::Builtin) => {
                Some(Tool::Wrk).filter(|&tool| has(tool))
            }
            Some(_) if has(Tool::Wrk) && !has(Tool::Builtin) => Some(Tool::Wrk),
            _ => Some(Tool::Builtin),
        }
    }

    /// A look must not take the place of a measurement.
    pub(super) fn out(&self) -> PathBuf {
        let everything = !self.is_narrowed()
            && self.stages.is_none()
            && self.duration.is_none()
            && self.options.rounds.is_none()
            && self.phases.is_none()
            && !self.elsewhere.is_wanted()
            && self.path == "/";
        let measured = everything && self.profile() != Profile::Quick;
        self.options
            .out
            .clone()
            .unwrap_or_else(|| if measured { "results".into() } else { "results/look".into() })
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
        let (workloads, budget) = args("--concurrency 8,1 --rounds 2").workloads().expect("good");
        let [workload] = workloads.as_slice() else { panic!("no choice: {workloads:?}") };
        assert!(workload.series.iter().all(|series| series.rounds == 2));
        for series in &workload.series {
            let clients: &[usize] = if series.phase == Phase::Paired { &[8] } else { &[1, 8] };
            assert_eq!(series.clients, clients, "{series:?}");
        }
        assert_eq!(budget, None);
        assert!(args("").workloads().expect("good").0.len() > 1);
    }

    #[test]
    fn the_built_in_generator_measures_pairs_unless_other_tools_are_named() {
        let of = |line: &str| {
            let workload = args(line).workloads().expect("good").0.remove(0);
            let tools = |phase| workload.series.iter().filter(move |s| s.phase == phase).map(|s| s.tool);
            let mut both = [tools(Phase::Paired), tools(Phase::Survey)].map(Iterator::collect::<Vec<_>>);
            both.iter_mut().for_each(Vec::dedup);
            both
        };
        let three = vec![Tool::Ab, Tool::Wrk, Tool::Webbench];
        if Tool::Ab.find().is_ok() || Tool::Wrk.find().is_ok() {
            assert_eq!(of(""), [vec![Tool::Builtin], three]);
        }
        assert_eq!(of("--tools wrk"), [vec![Tool::Wrk], vec![Tool::Wrk]]);
        assert_eq!(of("--tools webbench"), [vec![], vec![Tool::Webbench]]);
        assert_eq!(of("--tools wrk,builtin"), [vec![Tool::Builtin], vec![Tool::Wrk, Tool::Builtin]]);
        assert_eq!(of("--tools ab --phases paired"), [vec![Tool::Builtin], vec![]]);
    }
}
