//! The parts of the book that are generated, and the check that the book agrees with the tree.
//!
//! * `parts`: what a step costs, by the figures of the report; its diff; the system calls of a request;
//! * `claims`: the experiments of a chapter, and the page of all claims;
//! * `step`: what changed from one stage to the next; `calls`: strace of one request;
//! * `predictions`: what each chapter asks first, and how that is measured;
//! * `check`: a module for each kind of fault; `markdown`: as much of it as the book uses;
//! * `course`: how long pages and exercises take, and schedules of them;
//! * `site`: one folder with everything that can be read, with `slides` and an `epub`, which `html` renders.
//!
//! Generated parts lie in `notes/src/generated` and are committed, so that the book can be built without
//! having measured anything, and a change of them is seen in a review.

mod calls;
mod check;
mod claims;
mod course;
mod epub;
mod html;
mod markdown;
mod parts;
pub mod predictions;
pub mod site;
mod slides;
pub mod step;

use anyhow::{Context, Result, bail};
use check::commands::{Programs, recipes};
use check::{
    Book, built, commands, current, ends, excerpts, glossary, links, options, predictions as asked, sections,
    typed,
};
use clap::Subcommand;
use lab_core::files::write_atomically;
use lab_core::stages::{self, Stage, binary_directory};
use learn::Lab;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{create_dir_all, read_dir, read_to_string};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::thread::scope;

/// The options of `harness notes`.
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Write the generated parts of the book again: costs from `results/data`, diffs from the stages.
    Generate,
    /// Check that the book agrees with the tree: excerpts, links, commands, figures, terms, sections, and
    /// that its generated parts are up to date.
    Check,
    /// Record the system calls of one request by strace, and write them into the book.
    Calls {
        /// The stages: 4, 04 [default: all]
        #[arg(value_name = "STAGE")]
        stages: Vec<String>,
    },
}

/// The tree that the book is of.
struct Tree {
    root: PathBuf,
    stages: Vec<Stage>,
}

/// Runs it. `harness` is the whole command line, of which the book's commands are parts.
///
/// # Errors
///
/// Something cannot be read, written or started. Faults of the book are no error: they are printed, and the
/// status is 1.
pub fn run(args: Args, harness: &clap::Command) -> Result<ExitCode> {
    let tree = Tree::find()?;
    match args.what {
        What::Generate => tree.generate(),
        What::Check => tree.check(harness),
        What::Calls { stages } => tree.calls(&stages),
    }
}

impl Tree {
    fn find() -> Result<Self> {
        let stages = stages::discover()?;
        Ok(Self { root: root(&stages)?, stages })
    }

    fn src(&self) -> PathBuf {
        self.root.join("notes/src")
    }

    fn folder(&self) -> PathBuf {
        self.src().join(parts::FOLDER)
    }

    /// A path as a reader of the tree names it.
    fn shown(&self, file: &Path) -> String {
        file.strip_prefix(&self.root).unwrap_or(file).display().to_string()
    }

    fn parts(&self) -> Result<BTreeMap<String, String>> {
        let mut all = parts::all(&self.stages, &self.lab()?, &self.root, &self.folder())?;
        let stages: Vec<&str> =
            self.stages.iter().filter(|stage| !stage.is_twin).map(|stage| stage.name.as_str()).collect();
        all.extend(claims::parts(&self.ledger()?, &self.root.join("results"), &stages)?);
        all.extend(self.parts_of_pages()?);
        Ok(all)
    }

    /// The parts that are made of the pages, with the other parts in their places.
    fn parts_of_pages(&self) -> Result<BTreeMap<String, String>> {
        Ok(course::made(&Book::open(&self.src())?))
    }

    fn lab(&self) -> Result<Lab> {
        Lab::at(self.root.clone(), self.stages.clone())
    }

    fn generate(&self) -> Result<ExitCode> {
        let folder = self.folder();
        create_dir_all(&folder).with_context(|| format!("{} cannot be made", self.shown(&folder)))?;
        for stage in self.stages.iter().filter(|stage| !stage.is_twin) {
            // A page that cannot be included would be an error in the built book.
            let file = folder.join(format!("calls-{}.md", stage.name));
            if !file.is_file() {
                write_atomically(&file, parts::calls_page(stage, Err("there is none yet")).as_bytes())?;
            }
        }
        self.replace_marks()?;
        let mut written = self.write_parts(self.parts()?)?;
        // The pages may have got other exercises by these parts.
        written += self.write_parts(self.parts_of_pages()?)?;
        println!(
            "{} written; `./lab notes-calls` records the system calls again",
            lab_core::units::count(written, "part")
        );
        Ok(ExitCode::SUCCESS)
    }

    /// Writes those that differ from what is there, and says how many.
    fn write_parts(&self, parts: BTreeMap<String, String>) -> Result<usize> {
        let mut written = 0;
        for (name, text) in parts {
            let file = self.folder().join(&name);
            if read_to_string(&file).is_ok_and(|there| there == text) {
                continue;
            }
            write_atomically(&file, text.as_bytes())?;
            println!("{}", self.shown(&file));
            written += 1;
        }
        Ok(written)
    }

    /// Puts the includes in the place of the marks that a new chapter has.
    fn replace_marks(&self) -> Result<()> {
        for stage in self.stages.iter().filter(|stage| !stage.is_twin) {
            let file = self.src().join(&stage.chapter);
            let Ok(text) = read_to_string(&file) else { continue };
            let replaced = parts::with_includes(&text, &stage.name);
            if replaced != text {
                write_atomically(&file, replaced.as_bytes())?;
                println!("{}", self.shown(&file));
            }
        }
        Ok(())
    }

    fn calls(&self, names: &[String]) -> Result<ExitCode> {
        let strace = calls::strace()?;
        let all: Vec<&Stage> = self.stages.iter().filter(|stage| !stage.is_twin).collect();
        let chosen = match names.is_empty() {
            true => all,
            false => names.iter().map(|name| stages::find(&self.stages, name)).collect::<Result<_>>()?,
        };
        if let Some(twin) = chosen.iter().find(|stage| stage.is_twin) {
            bail!(lab_core::Usage::new(format!(
                "{} is a twin; the book shows the calls of stages",
                twin.name
            )));
        }
        create_dir_all(self.folder())?;
        let mut failed = false;
        for (stage, page) in self.recorded(&chosen, &strace) {
            let file = self.folder().join(format!("calls-{}.md", stage.name));
            match page {
                Ok(page) => {
                    write_atomically(&file, page.as_bytes())?;
                    println!("{}", self.shown(&file));
                }
                Err(error) => {
                    failed = true;
                    eprintln!("stage {}: {error:#}", stage.name);
                }
            }
        }
        self.generate()?;
        Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }

    /// The pages of these stages. Traced servers mostly wait, so all of them run at once.
    fn recorded<'a>(&self, stages: &[&'a Stage], strace: &Path) -> Vec<(&'a Stage, Result<String>)> {
        let page = |stage: &Stage| {
            if let Some(lack) = stage.lacks() {
                bail!("{lack}");
            }
            Ok(parts::calls_page(stage, Ok(&calls::record(stage, strace)?)))
        };
        scope(|scope| {
            let page = &page;
            let threads: Vec<_> =
                stages.iter().map(|stage| (*stage, scope.spawn(move || page(stage)))).collect();
            let end = |(stage, thread): (&'a Stage, std::thread::ScopedJoinHandle<'_, Result<String>>)| {
                (stage, thread.join().unwrap_or_else(|_| bail!("the recording panicked")))
            };
            threads.into_iter().map(end).collect()
        })
    }

    fn check(&self, harness: &clap::Command) -> Result<ExitCode> {
        let book = Book::open(&self.src())?;
        let allowed = typed::allowed(&self.root.join("notes/typed-figures.toml"))?;
        let lab = self.lab()?;
        let options = |stage: &str| self.options(stage);
        let programs = Programs {
            harness,
            recipes: recipes(&read_to_string(self.root.join("justfile")).context("justfile")?),
            options: &options,
            claims: self.claims()?,
            mutants: self.mutants()?,
            is_exercise: &|name| lab.exercise(name).map(drop),
        };
        let code = ["stages", "experiments"].map(|folder| self.root.join(folder));
        let mut faults = excerpts::faults(&book, &code, &lab.anchors()?);
        faults.extend(lab.faults());
        faults.extend(links::faults(&book));
        faults.extend(sections::faults(&book, &self.stages));
        faults.extend(course::faults(&book));
        faults.extend(commands::faults(&book, &programs));
        faults.extend(ends::faults(&book));
        faults.extend(typed::faults(&book, &allowed));
        faults.extend(glossary::faults(&book));
        faults.extend(options::faults(&book));
        faults.extend(asked::faults(&book, &self.root, &self.stages));
        let parts = self.parts()?;
        faults.extend(current::faults(&book, &parts));
        faults.extend(current::of_this_machine(&parts, &self.root.display().to_string()));
        faults.extend(self.recordings(&book));
        match built::mdbook(&self.root) {
            Some(mdbook) => faults.extend(built::faults(&mdbook, &self.root.join("notes"))?),
            None => println!(
                "the built pages were not looked at: mdbook is not installed (`./lab setup` installs it)"
            ),
        }
        faults.iter().for_each(|fault| println!("{fault}"));
        println!(
            "{}",
            match faults.len() {
                0 => "the book agrees with the tree".to_owned(),
                count => lab_core::units::count(count, "fault"),
            }
        );
        Ok(if faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    /// Whether the stages still make the calls that the book shows, where that can be seen.
    fn recordings(&self, book: &Book) -> Vec<String> {
        let strace = match calls::strace() {
            Ok(strace) => strace,
            Err(why) => {
                println!("the system calls were not recorded again: {why:#}");
                return Vec::new();
            }
        };
        let stages: Vec<&Stage> = self.stages.iter().filter(|stage| !stage.is_twin).collect();
        let compare = |(stage, page): (&Stage, Result<String>)| match page {
            Ok(page) => current::recording(book, &stage.name, stage.number, &page),
            Err(why) => {
                println!("the system calls of stage {} were not recorded again: {why:#}", stage.name);
                None
            }
        };
        self.recorded(&stages, &strace).into_iter().filter_map(compare).collect()
    }

    /// The long options of a stage, from its own help.
    fn options(&self, name: &str) -> Result<BTreeSet<String>> {
        let stage = stages::find(&self.stages, name)?;
        let help = printed(&stage.binary, "--help")?;
        let words = help.split(|c: char| c.is_whitespace() || c == ',').filter(|word| word.starts_with("--"));
        Ok(words.map(str::to_owned).collect())
    }

    /// The claims that `experiment` examines, each with its page.
    fn ledger(&self) -> Result<Vec<claims::Claim>> {
        claims::listed(&printed(&binary_directory()?.join("experiment"), "--pages")?)
    }

    /// Their ids.
    fn claims(&self) -> Result<BTreeSet<String>> {
        Ok(self.ledger()?.into_iter().map(|claim| claim.id).collect())
    }

    /// The names of the mutants, and their kinds.
    fn mutants(&self) -> Result<BTreeSet<String>> {
        let mut names = BTreeSet::new();
        for entry in read_dir(self.root.join("harness/mutants")).context("harness/mutants cannot be read")? {
            let path = entry?.path();
            if path.extension().is_some_and(|ending| ending == "patch") {
                names.extend(path.file_stem().map(|name| name.to_string_lossy().into_owned()));
                let text = read_to_string(&path)?;
                names.extend(text.lines().filter_map(|line| line.strip_prefix("Kind: ")).map(str::to_owned));
            }
        }
        Ok(names)
    }
}

/// The root of the tree that has these stages and the book.
///
/// # Errors
///
/// There is no stage, or no book above the first one.
pub fn root(stages: &[Stage]) -> Result<PathBuf> {
    let first = stages.first().context("there is no stage")?;
    let root = first.folder.ancestors().find(|folder| folder.join("notes/src").is_dir());
    Ok(root.context("there is no book above the stages: notes/src is missing")?.to_owned())
}

/// The system calls of a lone request of a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallsOfOne {
    /// On a kept connection.
    pub kept: usize,
    /// On a connection of its own.
    pub fresh: usize,
}

/// Counts the system calls of a lone request of a stage, by strace. The inner error says that strace is
/// missing or not allowed.
///
/// # Errors
///
/// The stage does not run, or does not answer.
pub fn count_calls(stage: &Stage) -> Result<Result<CallsOfOne>> {
    let strace = match calls::strace() {
        Ok(strace) => strace,
        Err(why) => return Ok(Err(why)),
    };
    let calls = calls::record(stage, &strace)?;
    let number = |tasks: &[calls::Task]| parts::number_of(tasks);
    Ok(Ok(CallsOfOne { kept: number(&calls.kept), fresh: number(&calls.fresh) }))
}

/// The same by the recording that the book has.
pub fn recorded_calls(root: &Path, stage: &str) -> Option<CallsOfOne> {
    let folder = root.join("notes/src").join(parts::FOLDER);
    let [kept, fresh] = parts::counts_of(&folder, stage)?;
    Some(CallsOfOne { kept, fresh })
}

/// What a program of the lab prints.
fn printed(program: &Path, argument: &str) -> Result<String> {
    let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut command = Command::new(program);
    let output = command.arg(argument).stdin(Stdio::null()).output();
    let output =
        output.with_context(|| format!("{name} is not built: run `cargo build --workspace --bins`"))?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
