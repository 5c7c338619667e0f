//! Mutants: the stages with one mistake each, which a probe of the grader or a test must catch.
//!
//! * `mutant`: what the files in `harness/mutants` say; `diff`: the mistakes themselves, applied strictly;
//! * `tree`, `worker`, `child`: a copy of the tree, what is built and judged in it, and the bounds of that;
//! * `table`, `page`: what came of it, as a table and as a page of the book;
//! * `sanitize`: the stages under the compiler's sanitizers, which see what neither a probe nor a test does.
//!
//! The grader is asked as a process of its own, so what a mutated server does to it ends with it.

mod child;
pub use lab_core::diff;
pub mod mutant;
pub mod page;
pub mod sanitize;
pub mod table;
mod tree;
mod worker;

use anyhow::{Context, Result, ensure};
use lab_core::Usage;
use lab_core::files::write_atomically;
use lab_core::interruption::Interruption;
use lab_core::stages::Stage;
use lab_core::units::{count, minutes};
use lab_core::whole;
use mutant::{Catcher, FOLDER, Mutant, ServerName};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{read_to_string, write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread::{Builder, scope};
use std::time::Instant;
use table::{Done, Outcome, Progress, Table, Verdict};
use worker::{Baseline, Worker};

/// What a mutant takes of which nothing is known, and what the first build takes (s).
const USUAL_SECONDS: f64 = 25.0;
const SEED_SECONDS: f64 = 180.0;

/// The options.
#[derive(clap::Args, Debug)]
#[group(id = "mutated")]
pub struct Args {
    /// Mutants, or kinds of mutants; all of them where none is named.
    #[arg(value_name = "NAME|KIND")]
    names: Vec<String>,

    /// List them, with what must catch each.
    #[arg(long)]
    list: bool,

    /// Make the whole grade of each, to see which other probes catch it. That takes a minute for each.
    #[arg(long)]
    whole: bool,

    /// Judge those again that an earlier run has judged.
    #[arg(long)]
    again: bool,

    /// Move the patches whose lines have moved, and judge none.
    #[arg(long, conflicts_with_all = ["list", "whole", "again"])]
    refresh: bool,

    /// Write the page of the book anew from the table, and judge none.
    #[arg(long, conflicts_with_all = ["list", "whole", "again", "refresh"])]
    page: bool,

    /// How many are built and judged at once.
    #[arg(long, value_name = "N", default_value = "2", value_parser = whole::<usize>(1..=16))]
    workers: usize,
}

/// Runs it.
///
/// # Errors
/// What is wrong with a mutant's file, or what cannot be built without any mistake.
pub fn run(args: Args) -> Result<ExitCode> {
    let root = root()?;
    let every = mutant::all(&root)?;
    if args.page {
        write_page(&root, &every, &table::read(&root)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let chosen = mutant::choose(every.clone(), &args.names)?;
    if args.list {
        chosen.iter().for_each(print);
        return Ok(ExitCode::SUCCESS);
    }
    if args.refresh {
        return refresh(&root, &chosen);
    }
    let stages = worker::stages()?;
    let packages = packages(&root)?;
    for mutant in &chosen {
        mutant.check(&root, &stages, &packages).with_context(|| format!("{FOLDER}/{}.patch", mutant.name))?;
    }
    let mut run = Run::new(&root, &stages, &args)?;
    let outcomes = run.all(chosen)?;
    let mut table = table::read(&root)?;
    table.retain(|name, _| every.iter().any(|mutant| mutant.name == *name));
    table.extend(outcomes.clone());
    table::write(&root, &table)?;
    write_page(&root, &every, &table)?;
    Ok(report(&outcomes))
}

/// The root of the tree: where the mutants are.
fn root() -> Result<PathBuf> {
    let here = std::env::current_dir().context("the current directory is gone")?;
    let root = here.ancestors().find(|folder| folder.join(FOLDER).is_dir());
    let usage =
        || Usage::new(format!("run this inside the lab's tree: no {FOLDER} upwards of {}", here.display()));
    Ok(root.ok_or_else(usage)?.to_owned())
}

/// Every package of the stages, with its folder.
///
/// # Errors
/// What cannot be read.
pub fn packages(root: &Path) -> Result<Vec<(String, PathBuf)>> {
    let mut packages = Vec::new();
    for folder in ["stages", "stages/parts"] {
        for entry in std::fs::read_dir(root.join(folder)).with_context(|| folder.to_owned())? {
            let folder = entry?.path();
            let Ok(manifest) = read_to_string(folder.join("Cargo.toml")) else { continue };
            let name = manifest.lines().find_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'));
            packages.push((name.context("a manifest names its package")?.to_owned(), folder));
        }
    }
    Ok(packages)
}

fn write_page(root: &Path, mutants: &[Mutant], table: &Table) -> Result<()> {
    write_atomically(&root.join(page::PAGE), page::page(mutants, table).as_bytes())
}

fn print(mutant: &Mutant) {
    let Mutant { name, kind, server, what, .. } = mutant;
    println!("{name}  ({kind}; stage {server})\n    {what}");
    match &mutant.probe {
        Catcher::By(probe) => println!("    probe: {probe}"),
        Catcher::None(reason) => println!("    no probe: {reason}"),
    }
    match &mutant.test {
        Catcher::By(test) => println!("    test: {test}"),
        Catcher::None(reason) => println!("    no test: {reason}"),
    }
}

/// Writes those patches anew whose lines have moved.
fn refresh(root: &Path, mutants: &[Mutant]) -> Result<ExitCode> {
    let mut failures = 0;
    for mutant in mutants {
        let path = root.join(FOLDER).join(format!("{}.patch", mutant.name));
        let read = |path: &str| read_to_string(root.join(path)).with_context(|| path.to_owned());
        match mutant.diff.refreshed(read) {
            Ok(diff) if diff == mutant.diff => {}
            Ok(diff) => {
                write(&path, mutant.with_diff(&diff)).with_context(|| path.display().to_string())?;
                println!("{}: moved", mutant.name);
            }
            Err(error) => {
                println!("{}: {error:#}", mutant.name);
                failures += 1;
            }
        }
    }
    println!("{}: {failures} must be written anew", count(mutants.len(), "mutant"));
    Ok(if failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A run over some mutants.
struct Run<'all> {
    root: &'all Path,
    stages: &'all [Stage],
    args: &'all Args,
    folder: PathBuf,
    tree: String,
    progress: Mutex<Progress>,
    begun: Instant,
}

impl<'all> Run<'all> {
    fn new(root: &'all Path, stages: &'all [Stage], args: &'all Args) -> Result<Self> {
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
        let folder = std::path::absolute(target)?.join("mutants");
        let progress = Mutex::new(Progress::read(folder.join("outcomes.jsonl")));
        let tree = tree::state(root)?;
        Ok(Self { root, stages, args, folder, tree, progress, begun: Instant::now() })
    }

    /// The outcomes of all of them; those that an earlier run has judged are taken from there.
    fn all(&mut self, mutants: Vec<Mutant>) -> Result<BTreeMap<String, Outcome>> {
        let mut outcomes = BTreeMap::new();
        let mut open = Vec::new();
        for mutant in mutants {
            let progress = self.progress.get_mut().unwrap_or_else(|poison| poison.into_inner());
            let patch = tree::digest(&mutant.text);
            match progress.find(&mutant.name, &patch, &self.tree, self.args.whole) {
                // What could not be judged is tried again.
                Some(outcome)
                    if !self.args.again && ![outcome.probe, outcome.test].contains(&Verdict::Fault) =>
                {
                    outcomes.insert(mutant.name.clone(), outcome.clone());
                }
                _ => open.push(mutant),
            }
        }
        self.announce(&open, outcomes.len());
        if !open.is_empty() {
            outcomes.extend(self.judge(&open)?);
        }
        Ok(outcomes)
    }

    fn announce(&self, open: &[Mutant], known: usize) {
        if known > 0 {
            println!(
                "{} judged by an earlier run of this tree (--again judges them again)",
                count(known, "mutant")
            );
        }
        if open.is_empty() {
            return;
        }
        let progress = self.progress.lock().unwrap_or_else(|poison| poison.into_inner());
        let usual = if self.args.whole { 4.0 * USUAL_SECONDS } else { USUAL_SECONDS };
        let each = open.iter().map(|mutant| progress.seconds(&mutant.name).unwrap_or(usual));
        let seed =
            if self.folder.join("worker-0/target").is_dir() { 0.2 * SEED_SECONDS } else { SEED_SECONDS };
        let seconds = each.sum::<f64>() / self.args.workers.min(open.len()) as f64 + seed;
        println!(
            "{} to judge, in about {}; Ctrl-C ends it, and the next run goes on from there",
            count(open.len(), "mutant"),
            minutes(seconds)
        );
    }

    fn judge(&self, open: &[Mutant]) -> Result<BTreeMap<String, Outcome>> {
        let interruption = Interruption::catch()?;
        let workers = self.args.workers.min(open.len());
        let workers: Vec<Worker<'_>> = (0..workers)
            .map(|index| {
                Worker::new(
                    self.root,
                    self.folder.join(format!("worker-{index}")),
                    self.stages,
                    &interruption,
                )
            })
            .collect::<Result<_>>()?;
        self.say("building the stages without mistakes");
        self.on_workers(&workers, workers.len(), |worker, _| worker.seed(open))?;
        let asked: Vec<(ServerName, BTreeSet<String>)> = asked(open).into_iter().collect();
        self.say(&format!("asking {} without mistakes", count(asked.len(), "server")));
        let baselines = self.on_workers(&workers, asked.len(), |worker, index| {
            let (server, probes) = &asked[index];
            worker.baseline(server, probes)
        })?;
        let baseline: Baseline = baselines.into_iter().flatten().collect();
        let done = AtomicUsize::new(0);
        let outcomes = self.on_workers(&workers, open.len(), |worker, index| {
            let (mutant, begun) = (&open[index], Instant::now());
            let outcome = worker.judge(mutant, &baseline, self.args.whole)?;
            let seconds = begun.elapsed().as_secs_f64();
            let number = done.fetch_add(1, Relaxed) + 1;
            self.say(&format!("{number} of {}: {}: {}", open.len(), mutant.name, in_words(mutant, &outcome)));
            let keep = Done {
                name: mutant.name.clone(),
                patch: tree::digest(&mutant.text),
                tree: self.tree.clone(),
                whole: self.args.whole,
                seconds,
                outcome: outcome.clone(),
            };
            self.progress.lock().unwrap_or_else(|poison| poison.into_inner()).add(keep)?;
            Ok((mutant.name.clone(), outcome))
        })?;
        Ok(outcomes.into_iter().collect())
    }

    fn say(&self, what: &str) {
        println!("{:>5.0} s  {what}", self.begun.elapsed().as_secs_f64());
    }

    /// Does `work` for each index, in whichever worker is free; the first error ends all.
    fn on_workers<T: Send>(
        &self,
        workers: &[Worker<'_>],
        number: usize,
        work: impl Fn(&Worker<'_>, usize) -> Result<T> + Sync,
    ) -> Result<Vec<T>> {
        let next = AtomicUsize::new(0);
        let results: Mutex<Vec<(usize, Result<T>)>> = Mutex::default();
        scope(|scope| {
            for worker in workers {
                let (next, results, work) = (&next, &results, &work);
                let body = move || {
                    loop {
                        // Relaxed: each index is taken once whatever the order.
                        let index = next.fetch_add(1, Relaxed);
                        if index >= number {
                            return;
                        }
                        let result = work(worker, index);
                        if result.is_err() {
                            next.store(number, Relaxed);
                        }
                        results.lock().unwrap_or_else(|poison| poison.into_inner()).push((index, result));
                    }
                };
                Builder::new().spawn_scoped(scope, body).context("cannot start a thread")?;
            }
            anyhow::Ok(())
        })?;
        let mut results = results.into_inner().unwrap_or_else(|poison| poison.into_inner());
        results.sort_by_key(|(index, _)| *index);
        results.into_iter().map(|(_, result)| result).collect()
    }
}

/// The probes that are asked of each server.
fn asked(mutants: &[Mutant]) -> BTreeMap<ServerName, BTreeSet<String>> {
    let mut asked: BTreeMap<ServerName, BTreeSet<String>> = BTreeMap::new();
    for mutant in mutants {
        if let Catcher::By(probe) = &mutant.probe {
            asked.entry(mutant.server.clone()).or_default().insert(probe.clone());
        }
    }
    asked
}

fn in_words(mutant: &Mutant, outcome: &Outcome) -> String {
    let word = |verdict| match verdict {
        Verdict::Caught => "caught it",
        Verdict::Survived => "DID NOT CATCH IT",
        Verdict::NotAsked => "is none",
        Verdict::Fault => "FAULT",
    };
    let mut words = Vec::new();
    if let Catcher::By(probe) = &mutant.probe {
        words.push(format!("probe {probe} {} ({})", word(outcome.probe), outcome.said));
    }
    if let Catcher::By(test) = &mutant.test {
        words.push(
            format!("test {} {} {}", test.name, word(outcome.test), outcome.test_said).trim_end().to_owned(),
        );
    }
    words.join("; ")
}

/// The closing lines, and the exit status: a mutant that was not caught is a failure.
fn report(outcomes: &BTreeMap<String, Outcome>) -> ExitCode {
    let count_of = |verdict: Verdict| {
        let probes = outcomes.values().filter(|outcome| outcome.probe == verdict).count();
        (probes, outcomes.values().filter(|outcome| outcome.test == verdict).count())
    };
    let (by_probe, by_test) = count_of(Verdict::Caught);
    println!(
        "{}: {by_probe} caught by the probe that is named, {by_test} by the test",
        count(outcomes.len(), "mutant")
    );
    let bad: Vec<_> = outcomes.iter().filter(|(_, outcome)| !outcome.is_good()).collect();
    for (name, outcome) in &bad {
        for (verdict, what, said) in
            [(outcome.probe, "probe", &outcome.said), (outcome.test, "test", &outcome.test_said)]
        {
            match verdict {
                Verdict::Survived => println!("  {name}: survived its {what} ({said})"),
                Verdict::Fault => println!("  {name}: its {what} could not be asked: {said}"),
                Verdict::Caught | Verdict::NotAsked => {}
            }
        }
    }
    if bad.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What is wrong with the mutants of the tree at `root`, their table and their page: what the test command
/// checks.
///
/// # Errors
/// What cannot be read, or which file is not a mutant's.
pub fn faults(root: &Path, stages: &[Stage]) -> Result<Vec<String>> {
    let (mutants, packages, table) = (mutant::all(root)?, packages(root)?, table::read(root)?);
    ensure!(!mutants.is_empty(), "there is no mutant");
    let mut faults = Vec::new();
    for mutant in &mutants {
        if let Err(error) = mutant.check(root, stages, &packages) {
            faults.push(format!("{FOLDER}/{}.patch: {error:#}", mutant.name));
        }
        if !table.contains_key(&mutant.name) {
            faults.push(format!(
                "{}: not in {}: run ./lab mutants {}",
                mutant.name,
                table::TABLE,
                mutant.name
            ));
        }
    }
    for name in table.keys().filter(|name| !mutants.iter().any(|mutant| mutant.name == **name)) {
        faults.push(format!("{}: {name} is no mutant: run ./lab mutants", table::TABLE));
    }
    if read_to_string(root.join(page::PAGE)).unwrap_or_default() != page::page(&mutants, &table) {
        faults.push(format!("{} is not what its sources say: run ./lab mutants --page", page::PAGE));
    }
    Ok(faults)
}
