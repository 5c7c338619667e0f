//! What an experiment is given: how much to measure, the stages, the user's patience, a place to say what it
//! is doing.

use crate::experiment::Profile;
use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressStyle};
use lab_core::interruption::Interruption;
use lab_core::server_process::{Launch, Server};
use lab_core::stages::{self, Stage};
use std::fmt;
use std::io::IsTerminal;
use std::time::Duration;

/// The user has ended the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interrupted;

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("interrupted")
    }
}

impl std::error::Error for Interrupted {}

/// What an experiment is given.
#[derive(Debug)]
pub struct Session {
    profile: Profile,
    interruption: Option<Interruption>,
    /// On a terminal only. It moves when it is told and never by itself: a thread that ticks would run on the
    /// CPUs that are measured.
    bar: Option<ProgressBar>,
    is_silent: bool,
    stages: Vec<Stage>,
}

impl Session {
    /// For a user, who can end it and is shown what is going on.
    ///
    /// # Errors
    /// When signals cannot be handled.
    pub fn new(profile: Profile) -> Result<Self> {
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("  {bar:24} {percent:>3}%  {msg}");
            let bar = ProgressBar::new(1000);
            bar.set_style(style.expect("the template is a constant"));
            bar
        });
        let interruption = Some(Interruption::catch()?);
        Ok(Self { profile, interruption, bar, is_silent: false, stages: Vec::new() })
    }

    /// For a test: quick and silent.
    pub fn silent() -> Self {
        Self { profile: Profile::Quick, interruption: None, bar: None, is_silent: true, stages: Vec::new() }
    }

    /// How much is measured.
    pub fn profile(&self) -> Profile {
        self.profile
    }

    /// The one with `--quick`, the other otherwise.
    pub fn pick<T>(&self, quick: T, full: T) -> T {
        match self.profile {
            Profile::Quick => quick,
            Profile::Full => full,
        }
    }

    /// Says what is being done, and how much of the experiment is over, from 0 to 1.
    ///
    /// # Errors
    /// [`Interrupted`].
    pub fn step(&self, share: f64, doing: impl fmt::Display) -> Result<()> {
        match &self.bar {
            Some(bar) => {
                bar.set_position((share.clamp(0.0, 1.0) * 1000.0) as u64);
                bar.set_message(doing.to_string());
            }
            None if !self.is_silent => eprintln!("  {doing}"),
            None => {}
        }
        self.check()
    }

    /// As [`Session::step`] for what happens too often to be a line each: where there is no bar, nothing is
    /// said.
    ///
    /// # Errors
    /// [`Interrupted`].
    pub fn tick(&self, share: f64, doing: impl fmt::Display) -> Result<()> {
        match &self.bar {
            Some(_) => self.step(share, doing),
            None => self.check(),
        }
    }

    /// Fails once the user has ended the run: long experiments ask between their parts.
    ///
    /// # Errors
    /// [`Interrupted`].
    pub fn check(&self) -> Result<()> {
        match &self.interruption {
            Some(interruption) if interruption.has_come() => Err(Interrupted.into()),
            _ => Ok(()),
        }
    }

    /// Sleeps, unless the user ends it.
    ///
    /// # Errors
    /// [`Interrupted`].
    pub fn sleep(&self, time: Duration) -> Result<()> {
        const PIECE: Duration = Duration::from_millis(50);
        let mut left = time;
        while !left.is_zero() {
            let piece = left.min(PIECE);
            std::thread::sleep(piece);
            left -= piece;
            self.check()?;
        }
        Ok(())
    }

    /// Takes the bar away, so that lines can be printed.
    pub fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.reset();
            bar.set_message("");
            bar.finish_and_clear();
            bar.reset();
        }
    }

    /// All stages without their twins, those that this machine cannot run left out.
    ///
    /// # Errors
    /// When the workspace is not found.
    pub fn stages(&mut self) -> Result<Vec<Stage>> {
        if self.stages.is_empty() {
            self.stages = stages::discover()?;
        }
        Ok(self.stages.iter().filter(|stage| !stage.is_twin && stage.lacks().is_none()).cloned().collect())
    }

    /// How to start a stage by its number, on a free port, bound to the given CPUs or to none.
    ///
    /// # Errors
    /// When there is no such stage.
    pub fn launch(&mut self, name: &str, options: &[&str], cpus: Option<Vec<usize>>) -> Result<Launch> {
        if self.stages.is_empty() {
            self.stages = stages::discover()?;
        }
        let stage = stages::find(&self.stages, name)?;
        let options: Vec<String> = options.iter().map(|&option| option.to_owned()).collect();
        Ok(Launch { cpus, ..stage.launch(&options) })
    }

    /// Starts a stage by its number, as [`Session::launch`] says.
    ///
    /// # Errors
    /// When it is not built or does not start.
    pub fn start(&mut self, name: &str, options: &[&str], cpus: Option<Vec<usize>>) -> Result<Server> {
        self.launch(name, options, cpus)?.start().with_context(|| format!("stage {name}"))
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.clear();
    }
}
