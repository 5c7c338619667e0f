//! `./lab learn`.

use crate::attempt::{self, Attempt};
use crate::exercise::{Exercise, Lab};
use crate::progress::Progress;
use crate::report::{self, Format};
use crate::solution;
use crate::starter::Starter;
use crate::work::Work;
use crate::{part, shown, watch};
use anyhow::{Result, bail};
use lab_core::Usage;
use lab_core::interruption::Interruption;
use nix::sys::statvfs::statvfs;
use std::io::{Write, stdout};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// What every caller of the command must know.
const MORE: &str = "\
What to do:
  ./lab learn                  Where you are, and what comes next
  ./lab learn EXERCISE         Open an exercise: at each save it is built and graded, until it is solved
  ./lab learn hint [EXERCISE]  One more hint
  ./lab learn reset [EXERCISE] Begin anew; the old work is kept beside, as EXERCISE.bak
  ./lab learn list             Every exercise
An exercise is named in full, or by the beginning of its name, or by its chapter where that has only one. Without
a name it is the one that was opened last.

Exit status:
  0    Done. With --once: solved. While it watches, Ctrl-C is the way to end it.
  1    With --once: it does not build, or a probe does not pass. With --report: a folder has no progress, or a
       damaged one; the others are reported all the same.
  2    A mistake in the command line.
  130  Interrupted by SIGINT while --once runs; 143 by SIGTERM. No server is left behind.";

/// The options.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = MORE)]
pub struct Args {
    /// An exercise, or what to do
    #[arg(value_name = "WORDS", num_args = 0..=2)]
    pub words: Vec<String>,

    /// Build and grade once, without watching: for scripts, and without a terminal. Without a name it is the
    /// exercise that was opened last, solved or not
    #[arg(long)]
    once: bool,

    /// Print what was opened, tried and solved: here, or in the folders of several learners
    #[arg(long, value_name = "WORK", num_args = 0.., conflicts_with_all = ["words", "once"])]
    report: Option<Vec<PathBuf>>,

    /// In what the report is printed
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "table", requires = "report")]
    format: Format,

    /// The learner's folder, which is made if it is not there [default: work, in the lab's folder]
    #[arg(long, value_name = "DIR")]
    work: Option<PathBuf>,
}

/// One learner at work.
pub(crate) struct Session<'a> {
    pub(crate) lab: &'a Lab,
    pub(crate) work: Work,
}

/// What came of building and grading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Solved,
    NotSolved,
}

/// Runs it.
///
/// # Errors
/// What cannot be read, written or started.
pub fn run(args: Args) -> Result<ExitCode> {
    let lab = Lab::find()?;
    let session = Session { lab: &lab, work: Work::at(&lab, args.work.clone())? };
    if let Some(folders) = &args.report {
        let folders = match folders.is_empty() {
            true => report::own(session.work.shown(&lab, &session.work.folder), &session.work.folder),
            false => report::named(folders),
        };
        let (text, is_whole) = report::report(&lab, &folders, args.format)?;
        print(&text)?;
        return Ok(if is_whole { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    let progress = Progress::read(&session.work.folder)?;
    let words: Vec<&str> = args.words.iter().map(String::as_str).collect();
    if args.once && matches!(words[..], ["list" | "hint" | "reset" | "solution", ..]) {
        bail!(Usage::new(format!("--once builds and grades; it does not go with `{}`", words[0])));
    }
    let one = |name: Option<&&str>| match name {
        Some(name) => lab.exercise(name),
        // A teacher grades what was handed in: the same again, and nothing is begun in that folder.
        None => session.handed_in(&progress),
    };
    match words[..] {
        [] if !args.once => print(&shown::overview(&lab, &session.work, &progress))?,
        ["list"] => print(&shown::list(&lab, &progress))?,
        ["hint", ..] => session.hint(session.current(&progress, words.get(1))?)?,
        ["reset", ..] => session.reset(session.current(&progress, words.get(1))?)?,
        // For those who write exercises; see notes/exercises/README.md.
        ["solution", name] => session.write_solution(lab.exercise(name)?)?,
        [_, other] => {
            bail!(Usage::new(format!(
                "`{}` is one word too many: ./lab learn takes an exercise, or hint, reset or list",
                other.escape_debug()
            )));
        }
        _ => return session.work_on(one(words.first())?, args.once),
    }
    Ok(ExitCode::SUCCESS)
}

/// A reader that has left is no failure.
fn print(text: &str) -> Result<()> {
    stdout().write_all(text.as_bytes())?;
    Ok(())
}

impl Session<'_> {
    /// The exercise that is named, or the one that was opened last.
    fn current(&self, progress: &Progress, name: Option<&&str>) -> Result<&Exercise> {
        match (name, &progress.current) {
            (Some(name), _) => self.lab.exercise(name),
            (None, Some(name)) => self.lab.exercise(name),
            (None, None) => {
                let first = progress.next(self.lab).map_or("list", |exercise| &exercise.name);
                let first = self.work.command(first);
                bail!(Usage::new(format!("no exercise is open yet; begin with {first}")))
            }
        }
    }

    /// The exercise that was opened last, if the learner's crate is there.
    fn handed_in(&self, progress: &Progress) -> Result<&Exercise> {
        let exercise = self.current(progress, None)?;
        let folder = self.work.of(exercise);
        if !folder.exists() {
            bail!(
                "{} is not there, though {} was opened last; name another exercise",
                self.work.shown(self.lab, &folder),
                exercise.name
            );
        }
        Ok(exercise)
    }

    /// Opens an exercise, and grades it once or at each save.
    fn work_on(&self, exercise: &Exercise, once: bool) -> Result<ExitCode> {
        if let Some(lack) = self.lab.stage(exercise)?.lacks() {
            bail!("{}: {lack}", exercise.name);
        }
        let is_new = self.work.open(self.lab, exercise)?;
        Progress::update(&self.work.folder, |progress| progress.open(exercise))?;
        let folder = self.work.of(exercise);
        let shown = self.work.shown(self.lab, &folder);
        print(&part::task(&self.work, exercise))?;
        match is_new {
            // Where the parts are: in a work that has begun they may have moved.
            true => println!(
                "\nThe starter is in {shown}; what to change begins at {}.\n",
                Starter::of(self.lab, exercise)?.places.join(" and ")
            ),
            false => println!("\nYour work is in {shown}.\n"),
        }
        let interruption = Arc::new(Interruption::catch()?);
        end_when_interrupted(&interruption);
        if !once {
            return watch::watch(self, exercise, &interruption);
        }
        let outcome = self.attempt(exercise, &interruption)?;
        if let Some(signal) = interruption.signal() {
            return Ok(ExitCode::from(128 + signal));
        }
        Ok(if outcome == Outcome::Solved { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    /// Builds and grades, prints what came of it, and notes it.
    pub(crate) fn attempt(&self, exercise: &Exercise, interruption: &Interruption) -> Result<Outcome> {
        let (folder, target) = (self.work.of(exercise), self.work.target());
        let is_interrupted = || interruption.has_come();
        let first = if target.exists() { "" } else { " (the first time that takes half a minute)" };
        println!("building{first} ...");
        let Some(program) = attempt::build(&folder, &target, &exercise.name, &is_interrupted)? else {
            if !is_interrupted() {
                println!("It does not build: see above what the compiler or the linker says.");
                if let Some(lack) = full(&target) {
                    println!("{lack}");
                }
                Progress::update(&self.work.folder, |progress| progress.attempt(exercise, 0, false))?;
            }
            return Ok(Outcome::NotSolved);
        };
        println!("grading by {} ...", lab_core::units::count(exercise.probes.len(), "probe"));
        let graded = attempt::grade(self.lab, exercise, &program, &is_interrupted)?;
        if is_interrupted() {
            return Ok(Outcome::NotSolved);
        }
        let attempt = graded.unwrap_or_else(|reason| {
            println!("Nothing could be asked: {reason}");
            Attempt { findings: Vec::new() }
        });
        if !attempt.findings.is_empty() {
            print(&shown::attempt(exercise, &attempt))?;
        }
        let is_solved = attempt.is_solved();
        let progress = Progress::update(&self.work.folder, |progress| {
            progress.attempt(exercise, attempt.passed(), is_solved);
        })?;
        if !is_solved {
            return Ok(Outcome::NotSolved);
        }
        println!("\nSolved: {}.\n", exercise.title);
        println!("{}\n", exercise.answer.trim());
        print(&shown::next(self.lab, &self.work, &progress))?;
        Ok(Outcome::Solved)
    }

    /// Prints the hints so far and one more.
    pub(crate) fn hint(&self, exercise: &Exercise) -> Result<()> {
        let all = exercise.hints.len();
        self.work.prepare()?;
        let mut had_all = false;
        let progress = Progress::update(&self.work.folder, |progress| {
            let hints = &mut progress.entry(exercise).hints;
            had_all = *hints >= all;
            *hints = (*hints + 1).min(all);
        })?;
        let shown = progress.exercises.get(&exercise.name).map_or(1, |entry| entry.hints);
        println!("{}: {}\n", exercise.name, exercise.title);
        for (number, hint) in (1..=shown).zip(&exercise.hints) {
            println!("Hint {number} of {all}: {}\n", hint.trim());
        }
        if had_all {
            println!(
                "There is no further hint. The solution is notes/solutions/{}.patch: a diff of the starter.",
                exercise.name
            );
        }
        Ok(())
    }

    /// Puts the learner's work aside and makes the starter anew.
    fn reset(&self, exercise: &Exercise) -> Result<()> {
        let aside = self.work.put_aside(exercise)?;
        self.work.open(self.lab, exercise)?;
        Progress::update(&self.work.folder, |progress| progress.open(exercise))?;
        if let Some(aside) = aside {
            println!("Your work is kept in {}.", self.work.shown(self.lab, &aside));
        }
        println!(
            "The starter is in {}. Go on with: {}",
            self.work.shown(self.lab, &self.work.of(exercise)),
            self.work.command(&exercise.name)
        );
        Ok(())
    }

    /// Writes the solution as the difference between the starter and the work, or the stage if there is no
    /// work. A solution that is more than the stage is not overwritten by the stage.
    fn write_solution(&self, exercise: &Exercise) -> Result<()> {
        let (folder, path) = (self.work.of(exercise), exercise.solution(&self.lab.root));
        let from = if folder.exists() {
            folder
        } else {
            if path.exists() && !solution::is_of_stage(self.lab, exercise)? {
                bail!(
                    "{} is not what the stage has, and there is no {} to write it from; to write it from the \
                     stage all the same, delete it first",
                    self.work.shown(self.lab, &path),
                    self.work.shown(self.lab, &folder)
                );
            }
            self.lab.stage(exercise)?.folder.clone()
        };
        solution::write(self.lab, exercise, &from, &path)?;
        println!("{}: from {}", self.work.shown(self.lab, &path), self.work.shown(self.lab, &from));
        Ok(())
    }
}

/// Says so where the file system of the target folder has next to no room: the linker ends with a signal then
/// (SIGBUS, as it maps its output), and names no reason.
fn full(target: &Path) -> Option<String> {
    /// Less than any program of the exercises takes.
    const ROOM: u64 = 16 << 20;
    let place = target.ancestors().find(|folder| folder.exists())?;
    let stat = statvfs(place).ok()?;
    let free = stat.blocks_available() * stat.fragment_size();
    let shown = place.display();
    (free < ROOM).then(|| {
        format!("The file system of {shown} is full ({} MiB are free): make room there.", free >> 20)
    })
}

/// Ends this process some seconds after a signal, whatever it waits for then: a server that does not start,
/// or a probe. The guards of the servers see the end, and leave nothing behind.
fn end_when_interrupted(interruption: &Arc<Interruption>) {
    /// Longer than a run of probes waits for the ends of its servers.
    const GRACE: Duration = Duration::from_secs(4);
    const LOOK: Duration = Duration::from_millis(50);
    let interruption = Arc::clone(interruption);
    thread::spawn(move || {
        let signal = loop {
            match interruption.signal() {
                Some(signal) => break signal,
                None => thread::sleep(LOOK),
            }
        };
        thread::sleep(GRACE);
        std::process::exit(128 + i32::from(signal));
    });
}
