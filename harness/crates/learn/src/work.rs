//! The learner's folder: an exercise in each of its folders, the progress, and one target folder for all.

use crate::exercise::{Exercise, Lab};
use crate::part;
use crate::starter::{Kind, Starter};
use anyhow::{Context, Result};
use std::fs::{create_dir_all, remove_dir_all, rename, write};
use std::path::{Path, PathBuf};

/// What an assistant may do there.
const AGENTS: &str = include_str!("AGENTS.md");
/// Where cargo builds, also when a learner calls it.
const CARGO: &str = "[build]\ntarget-dir = \"target\"\n";
/// Git sees nothing of the folder, wherever in a clone it is.
const IGNORED: &str = "*\n";

/// The learner's folder.
#[derive(Clone, Debug)]
pub(crate) struct Work {
    pub(crate) folder: PathBuf,
    /// `--work` as the learner gave it, for the commands that are printed.
    given: Option<PathBuf>,
}

impl Work {
    /// The folder `work` of the tree, or another one. Nothing is made yet.
    pub(crate) fn at(lab: &Lab, folder: Option<PathBuf>) -> Result<Self> {
        let given = folder.clone();
        let folder = folder.unwrap_or_else(|| lab.root.join("work"));
        let folder = std::path::absolute(&folder).with_context(|| folder.display().to_string())?;
        Ok(Self { folder, given })
    }

    /// What a learner types, after `./lab learn`, to stay in this folder.
    pub(crate) fn command(&self, words: &str) -> String {
        let Some(given) = &self.given else { return format!("./lab learn {words}") };
        let folder = given.display().to_string();
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:,@%".contains(c);
        let folder = match !folder.is_empty() && folder.chars().all(is_plain) {
            true => folder,
            false => format!("'{}'", folder.replace('\'', "'\\''")),
        };
        format!("./lab learn --work {folder} {words}")
    }

    /// Where all exercises are built.
    pub(crate) fn target(&self) -> PathBuf {
        self.folder.join("target")
    }

    /// The crate of an exercise.
    pub(crate) fn of(&self, exercise: &Exercise) -> PathBuf {
        self.folder.join(&exercise.name)
    }

    /// A path as a learner in the lab's folder names it.
    pub(crate) fn shown(&self, lab: &Lab, path: &Path) -> String {
        path.strip_prefix(&lab.root).unwrap_or(path).display().to_string()
    }

    /// Makes the folder itself.
    pub(crate) fn prepare(&self) -> Result<()> {
        let cargo = self.folder.join(".cargo");
        create_dir_all(&cargo).with_context(|| format!("cannot make {}", self.folder.display()))?;
        let files = [
            (cargo.join("config.toml"), CARGO),
            (self.folder.join("AGENTS.md"), AGENTS),
            (self.folder.join(".gitignore"), IGNORED),
        ];
        for (path, text) in files {
            // A teacher may have changed it.
            if !path.exists() {
                write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
            }
        }
        Ok(())
    }

    /// Makes the starter unless there is one: what a learner has is never overwritten. Returns whether it was
    /// made.
    pub(crate) fn open(&self, lab: &Lab, exercise: &Exercise) -> Result<bool> {
        let folder = self.of(exercise);
        if folder.exists() {
            return Ok(false);
        }
        self.prepare()?;
        // It is there whole, or not at all. The paths in it are of the same depth.
        let unfinished = self.folder.join(format!(".{}", exercise.name));
        if unfinished.exists() {
            remove_dir_all(&unfinished).with_context(|| unfinished.display().to_string())?;
        }
        Starter::of(lab, exercise)?.write(&unfinished, &exercise.name, Kind::Alone)?;
        write(unfinished.join("TASK.md"), part::task(self, exercise)).context("TASK.md")?;
        rename(&unfinished, &folder).with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(true)
    }

    /// Puts the learner's crate aside. Returns where it is now, if there was one.
    pub(crate) fn put_aside(&self, exercise: &Exercise) -> Result<Option<PathBuf>> {
        let folder = self.of(exercise);
        if !folder.exists() {
            return Ok(None);
        }
        let names = std::iter::once(format!("{}.bak", exercise.name))
            .chain((2..).map(|number| format!("{}.bak-{number}", exercise.name)));
        let mut free = names.map(|name| self.folder.join(name)).filter(|path| !path.exists());
        let aside = free.next().context("no name is free")?;
        rename(&folder, &aside).with_context(|| format!("cannot make {}", aside.display()))?;
        Ok(Some(aside))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Protects a learner with a folder of another name: what is printed leads back to it.
    #[test]
    fn a_command_names_the_folder_that_was_given() {
        let lab = Lab::find().expect("the tree");
        let command = |folder: Option<&str>| {
            let work = Work::at(&lab, folder.map(PathBuf::from)).expect("a folder");
            work.command("05-read-until-short")
        };
        assert_eq!(command(None), "./lab learn 05-read-until-short");
        assert_eq!(command(Some("work2")), "./lab learn --work work2 05-read-until-short");
        assert_eq!(command(Some("it's mine")), "./lab learn --work 'it'\\''s mine' 05-read-until-short");
    }

    /// Protects a learner's work: opening again changes nothing, and a reset keeps what was there, every
    /// time.
    #[test]
    fn nothing_that_a_learner_wrote_is_lost() {
        let lab = Lab::find().expect("the tree");
        let exercise = lab.exercises.first().expect("there is an exercise");
        let directory = tempfile::tempdir().expect("a directory");
        let work = Work::at(&lab, Some(directory.path().to_owned())).expect("a folder");
        assert!(work.open(&lab, exercise).expect("opened"));
        let file = work.of(exercise).join("src/main.rs");
        for (round, expected) in [(1, "bak"), (2, "bak-2"), (3, "bak-3")] {
            let text = format!("// round {round}\n");
            write(&file, &text).expect("written");
            assert!(!work.open(&lab, exercise).expect("opened"), "it is there already");
            assert_eq!(std::fs::read_to_string(&file).expect("it is there"), text);
            let aside = work.put_aside(exercise).expect("put aside").expect("there was one");
            assert_eq!(aside, directory.path().join(format!("{}.{expected}", exercise.name)));
            assert_eq!(std::fs::read_to_string(aside.join("src/main.rs")).expect("kept"), text);
            assert!(work.open(&lab, exercise).expect("opened"));
            assert_ne!(std::fs::read_to_string(&file).expect("it is there"), text);
        }
        assert_eq!(std::fs::read_to_string(directory.path().join("AGENTS.md")).expect("it is there"), AGENTS);
    }
}
