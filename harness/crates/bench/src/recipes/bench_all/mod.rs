//! `./lab bench-all`: measure the stages with other people's load generators.
//!
//! * `options`: what the user asked for; `remote`: servers and generators on other machines;
//! * `profile`: how much is measured; `points`: what, and what is left out; `announce`: what is said before.

mod announce;
mod options;
mod points;
mod profile;
mod remote;

pub use options::Args;

use super::select;
use crate::cpus::cpus;
use crate::engine::{self, Outcome, Plan, Recipe, Setup, Subject};
use crate::generators::{Load, Place, Tool};
use anyhow::{Result, ensure};
use lab_core::Usage;
use lab_core::stages::{Stage, discover};
use lab_core::wire::Authority;
use points::Common;
use profile::{Profile, Workload};
use records::Content;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// Measures and records. Fails where nothing can be measured, where a word of the user's
/// has no meaning, and where nothing can be recorded.
pub fn run(mut args: Args) -> Result<Outcome> {
    let out = args.out();
    let place = args.elsewhere.place()?;
    let target = args.elsewhere.target()?;
    if let Some((_, path)) = &target {
        args.path.clone_from(path);
    }
    args.ensure_path().map_err(Usage::of)?;
    let (workloads, budget) = args.workloads()?;
    let (server_cpus, generator_cpus) = cpus(args.cpus.as_deref())?;
    let stages = if target.is_some() { Vec::new() } else { discover()? };
    let subjects = match target {
        Some((target, _)) => vec![target],
        None => subjects(&args, &stages, server_cpus.len())?,
    };
    let (mut installed, mut absent) = (Vec::new(), Vec::new());
    let series = workloads.iter().flat_map(|workload| &workload.series);
    for tool in series.map(|series| series.tool).collect::<BTreeSet<Tool>>() {
        match tool.find_on(&place)? {
            Ok(found) => installed.push(found),
            Err(install) => absent.push((tool, install)),
        }
    }
    // Every tool writes the address into the Host header by itself.
    let host = subjects.iter().find_map(Subject::running_at);
    let host = host.filter(|(addr, host)| *host != Authority::from(*addr).header());
    let load = Load {
        host: host.map(|(_, host)| host.to_owned()),
        pipeline: args.pipeline.into(),
        learns_body: subjects.iter().any(|subject| subject.running_at().is_some()),
        // On another host it is not bound.
        cpus: (place == Place::Here).then_some(generator_cpus),
        ..Load::new(&args.path)
    };
    let quick = args.profile() == Profile::Quick;
    let common = Common { absent, load, repeats: !quick };
    let workload = richest(&subjects, &common, workloads, budget);
    let setup = Setup { quick, ..Setup::new(installed, server_cpus)? };
    let options = engine::Options { out: out.clone(), seed: args.options.seed, fresh: args.options.fresh };
    let recipe = BenchAll { subjects, stages, common, workload, profile: args.profile(), budget, out };
    engine::run(&options, &setup, &recipe)
}

/// The servers: stages that were chosen, and what they are compared with.
fn subjects(args: &Args, stages: &[Stage], cpus: usize) -> Result<Vec<Subject>> {
    let mut options = Vec::new();
    if let Some(root) = &args.root {
        ensure!(root.is_dir(), Usage::new(format!("--root {} is not a directory", root.display())));
        options.extend(["--root".into(), root.display().to_string()]);
    }
    let chosen = select::stages(args.stages.as_deref(), stages)?;
    let references = select::references(args.references.as_deref(), &args.path, args.root.is_some())?;
    let mut subjects: Vec<Subject> =
        chosen.into_iter().map(|stage| Subject::stage(stage, &options)).collect();
    // It answers its one reply whatever it is asked for.
    subjects.extend(Subject::floor(&args.path)?);
    let listen = args.elsewhere.listen();
    for mut reference in references {
        // Their configurations are made for 127.0.0.1.
        if listen.is_some() {
            eprintln!("{} is left out: it listens on 127.0.0.1 only", reference.name.as_str());
            continue;
        }
        if let Some(root) = &args.root {
            reference = reference.with_root(root)?;
        }
        subjects.push(Subject::reference(&reference, cpus));
    }
    Ok(subjects.into_iter().map(|subject| Subject { listen, ..subject }).collect())
}

/// The first workload that fits into the time; the last one if none does.
fn richest(subjects: &[Subject], common: &Common, workloads: Vec<Workload>, budget: Option<f64>) -> Workload {
    let seconds = |workload: &Workload| points::plan(subjects.to_vec(), common, workload, 0).seconds();
    let fits = |workload: &&Workload| budget.is_none_or(|budget| seconds(workload) <= budget);
    workloads.iter().find(fits).or(workloads.last()).expect("every profile has a workload").clone()
}

struct BenchAll {
    subjects: Vec<Subject>,
    stages: Vec<Stage>,
    common: Common,
    workload: Workload,
    profile: Profile,
    budget: Option<f64>,
    out: PathBuf,
}

impl Recipe for BenchAll {
    fn content(&self) -> Content {
        Content::Run
    }

    fn ending(&self) -> &str {
        self.profile.name()
    }

    fn plan(&self, seed: u64) -> Plan {
        points::plan(self.subjects.clone(), &self.common, &self.workload, seed)
    }

    fn announce(&self, plan: &Plan) {
        announce::announce(plan, self.profile, &self.workload, self.budget);
        if let Some(note) = announce::ungraded_note(&self.stages, &self.subjects, &self.out) {
            eprintln!("{note}");
        }
    }
}
