//! An exercise, as its folder describes it.

use anyhow::{Context, Result, anyhow, bail, ensure};
use grader::probes::{self, Probe};
use lab_core::Usage;
use lab_core::stages::{self, Stage};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::fmt;
use std::fs::{read_dir, read_to_string};
use std::path::{Path, PathBuf};

/// Where the exercises are, from the root of the tree.
const FOLDER: &str = "notes/exercises";
/// Where their solutions are.
const SOLUTIONS: &str = "notes/solutions";
/// The file that describes an exercise.
const FILE: &str = "exercise.toml";

/// The tree that a learner works in: its stages, and the exercises about them.
#[derive(Debug)]
pub struct Lab {
    /// The root of the tree.
    pub root: PathBuf,
    /// The stages and their twins.
    pub stages: Vec<Stage>,
    /// By name.
    pub exercises: Vec<Exercise>,
}

/// An exercise that builds.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exercise {
    /// `05-read-until-short`: the name of its folder, which begins with the chapter's number.
    #[serde(skip)]
    pub name: String,
    /// Its folder.
    #[serde(skip)]
    pub folder: PathBuf,
    /// The chapter that it belongs to.
    pub chapter: u8,
    /// Its place among the exercises of the chapter, from 1.
    pub number: u8,
    /// A few words.
    pub title: String,
    /// How long it takes, about.
    pub minutes: u32,
    /// How hard it is.
    pub difficulty: Difficulty,
    /// The stage or twin that it is cut from: `5`, `5-mio`.
    pub stage: String,
    /// The options that the server is graded with.
    #[serde(default)]
    pub options: Vec<String>,
    /// The probes that grade it: it is solved when all of them pass.
    pub probes: Vec<String>,
    /// Those of them that the starter does not pass.
    pub fails: Vec<String>,
    /// What is to be done, in Markdown.
    pub task: String,
    /// They unfold one by one.
    pub hints: Vec<String>,
    /// What the solution shows, in Markdown.
    pub answer: String,
    /// What is taken out of the stage.
    pub replace: Vec<Replacement>,
}

/// A part of the stage, and the lesser one that the starter has in its place.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Replacement {
    /// The file, relative to the folder of the stage.
    pub file: String,
    /// The anchor around the part.
    pub anchor: String,
    /// The file beside `exercise.toml` that stands there instead.
    pub with: String,
}

/// How hard an exercise is.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the words themselves")]
pub enum Difficulty {
    Easy,
    Medium,
    Hard,
}

impl fmt::Display for Difficulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Easy => "easy",
            Self::Medium => "medium",
            Self::Hard => "hard",
        })
    }
}

impl Lab {
    /// The tree around the current directory, or around this program.
    ///
    /// # Errors
    /// That there is none, or what is wrong with an exercise.
    pub fn find() -> Result<Self> {
        let stages = stages::discover()?;
        let first = stages.first().context("there is no stage")?;
        let root = first.folder.ancestors().find(|folder| folder.join(FOLDER).is_dir());
        let root = root.with_context(|| format!("there is no {FOLDER} above the stages"))?.to_owned();
        Self::at(root, stages)
    }

    /// The tree at `root`, which has these stages.
    ///
    /// # Errors
    /// What is wrong with an exercise.
    pub fn at(root: PathBuf, stages: Vec<Stage>) -> Result<Self> {
        let exercises = read(&root)?;
        Ok(Self { root, stages, exercises })
    }

    /// The exercise that a user means by its name, by the part of it behind the number, or by the number of
    /// its chapter.
    ///
    /// # Errors
    /// A [`Usage`] that names the nearest ones.
    pub fn exercise(&self, name: &str) -> Result<&Exercise> {
        let wanted = name.trim().trim_end_matches('/');
        let same = |exercise: &&Exercise| exercise.name == wanted || exercise.slug() == wanted;
        if let Some(found) = self.exercises.iter().find(same) {
            return Ok(found);
        }
        let chapter = wanted.parse::<u8>();
        let begins = |exercise: &&Exercise| match chapter {
            Ok(chapter) => exercise.chapter == chapter,
            Err(_) => {
                !wanted.is_empty()
                    && (exercise.name.starts_with(wanted) || exercise.slug().starts_with(wanted))
            }
        };
        let candidates: Vec<&Exercise> = self.exercises.iter().filter(begins).collect();
        match candidates[..] {
            [only] => return Ok(only),
            [] => {}
            _ => {
                let names: Vec<&str> = candidates.iter().map(|exercise| exercise.name.as_str()).collect();
                bail!(Usage::new(format!("`{wanted}` may be {}", names.join(" or "))));
            }
        }
        let mut near: Vec<(f64, &str)> = self
            .exercises
            .iter()
            .map(|exercise| {
                let alike =
                    [exercise.name.as_str(), exercise.slug()].map(|name| strsim::jaro_winkler(name, wanted));
                (alike[0].max(alike[1]), exercise.name.as_str())
            })
            .collect();
        near.sort_by(|one, other| other.0.total_cmp(&one.0));
        let near: Vec<&str> = near.into_iter().take(3).map(|(_, name)| name).collect();
        bail!(Usage::new(format!(
            "there is no exercise `{}`; the nearest are {} (./lab learn list shows all)",
            wanted.escape_debug(),
            near.join(", ")
        )))
    }

    /// The stage or twin that an exercise is cut from.
    ///
    /// # Errors
    /// That there is none of this name.
    pub fn stage(&self, exercise: &Exercise) -> Result<&Stage> {
        stages::find(&self.stages, &exercise.stage).with_context(|| exercise.name.clone())
    }

    /// The anchors of the code that exercises replace, each with its file.
    ///
    /// # Errors
    /// Which stage there is not.
    pub fn anchors(&self) -> Result<Vec<(PathBuf, String)>> {
        let mut anchors = Vec::new();
        for exercise in &self.exercises {
            let stage = self.stage(exercise)?;
            let place = |part: &Replacement| (stage.folder.join(&part.file), part.anchor.clone());
            anchors.extend(exercise.replace.iter().map(place));
        }
        Ok(anchors)
    }

    /// What is wrong with the exercises, but for what only a build shows.
    pub fn faults(&self) -> Vec<String> {
        let mut faults: Vec<String> = Vec::new();
        for exercise in &self.exercises {
            if let Err(error) = self.sound(exercise) {
                faults.push(format!("{FOLDER}/{}: {error:#}", exercise.name));
            }
        }
        for entry in read_dir(self.root.join(SOLUTIONS)).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let is_known = |exercise: &Exercise| name == format!("{}.patch", exercise.name);
            if name.ends_with(".patch") && !self.exercises.iter().any(is_known) {
                faults.push(format!("{SOLUTIONS}/{name}: there is no such exercise"));
            }
        }
        faults.sort();
        faults
    }

    fn sound(&self, exercise: &Exercise) -> Result<()> {
        let stage = self.stage(exercise)?;
        ensure!(
            exercise.name.starts_with(&format!("{:02}-", exercise.chapter)),
            "its name does not begin with the number of its chapter"
        );
        let is_good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        ensure!(exercise.name.chars().all(is_good), "a name has lower-case letters, digits and hyphens");
        let same_place = |other: &&Exercise| {
            other.name != exercise.name
                && (other.chapter, other.number) == (exercise.chapter, exercise.number)
        };
        if let Some(other) = self.exercises.iter().find(same_place) {
            bail!("{} has the same number", other.name);
        }
        ensure!((1..=240).contains(&exercise.minutes), "minutes: 1 to 240 are allowed");
        ensure!(!exercise.hints.is_empty(), "it has no hint");
        ensure!(!exercise.replace.is_empty(), "it replaces nothing: the starter would be the stage");
        exercise.probes()?;
        ensure!(!exercise.fails.is_empty(), "the starter fails no probe");
        let all: BTreeSet<&String> = exercise.probes.iter().collect();
        ensure!(all.len() == exercise.probes.len(), "a probe is named twice");
        if let Some(probe) = exercise.fails.iter().find(|probe| !all.contains(probe)) {
            bail!("{probe} is in `fails` and not in `probes`");
        }
        ensure!(exercise.solution(&self.root).is_file(), "{SOLUTIONS}/{}.patch is missing", exercise.name);
        for part in &exercise.replace {
            let source = stage.folder.join(&part.file);
            let text = read_to_string(&source).with_context(|| part.file.clone())?;
            part.in_place(&exercise.folder, &text)?;
        }
        Ok(())
    }
}

/// All exercises of the tree.
fn read(root: &Path) -> Result<Vec<Exercise>> {
    let mut all = Vec::new();
    let folder = root.join(FOLDER);
    for entry in read_dir(&folder).with_context(|| format!("{FOLDER} cannot be read"))? {
        let folder = entry?.path();
        if folder.is_dir() {
            all.push(Exercise::read(&folder)?);
        }
    }
    all.sort_by(|one: &Exercise, other| {
        (one.chapter, one.number, &one.name).cmp(&(other.chapter, other.number, &other.name))
    });
    Ok(all)
}

impl Exercise {
    /// Reads one folder.
    fn read(folder: &Path) -> Result<Self> {
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let place = || format!("{FOLDER}/{name}/{FILE}");
        let text = read_to_string(folder.join(FILE)).with_context(place)?;
        let exercise: Self = toml::from_str(&text).map_err(|error| {
            let before = text.get(..error.span().map_or(0, |span| span.start)).unwrap_or_default();
            anyhow!("{}:{}: {}", place(), before.lines().count().max(1), error.message())
        })?;
        Ok(Self { name, folder: folder.to_owned(), ..exercise })
    }

    /// Its name without the number of the chapter.
    pub fn slug(&self) -> &str {
        self.name.split_once('-').map_or(&*self.name, |(_, slug)| slug)
    }

    /// The probes that grade it, in its own order.
    ///
    /// # Errors
    /// Which of them does not exist.
    pub fn probes(&self) -> Result<Vec<&'static Probe>> {
        let find = |name: &String| probes::find(name);
        let probes: Vec<_> = self.probes.iter().map(find).collect::<Result<_>>()?;
        ensure!(!probes.is_empty(), "it names no probe");
        Ok(probes)
    }

    /// Where its solution is.
    pub fn solution(&self, root: &Path) -> PathBuf {
        root.join(SOLUTIONS).join(format!("{}.patch", self.name))
    }

    /// What a reader types to open it, in the lab's own folder `work`.
    pub fn command(&self) -> String {
        format!("./lab learn {}", self.name)
    }
}

/// The lines that begin and end a part: `// ANCHOR: name`.
fn is_mark(line: &str) -> bool {
    let line = line.trim();
    line.starts_with("// ANCHOR: ") || line.starts_with("// ANCHOR_END: ")
}

/// A source without the marks of the book's excerpts.
pub(crate) fn without_marks(source: &str) -> String {
    source.lines().filter(|line| !is_mark(line)).fold(String::new(), |text, line| text + line + "\n")
}

impl Replacement {
    /// Where the part begins in a source that has its marks, as it is without them: `src/server.rs:42`.
    pub(crate) fn place(&self, source: &str) -> String {
        let mark = format!("// ANCHOR: {}", self.anchor);
        let before =
            source.lines().take_while(|line| line.trim() != mark).filter(|line| !is_mark(line)).count();
        format!("{}:{}", self.file, before + 1)
    }

    /// The source with the lesser part in the place of its own; the marks stay, so that another part can be
    /// replaced too.
    pub(crate) fn in_place(&self, folder: &Path, source: &str) -> Result<String> {
        let with = read_to_string(folder.join(&self.with)).with_context(|| self.with.clone())?;
        let mark = |what: &str| {
            let wanted = format!("// {what}: {}", self.anchor);
            let found: Vec<usize> = (0..)
                .zip(source.lines())
                .filter(|(_, line)| line.trim() == wanted)
                .map(|(at, _)| at)
                .collect();
            match found[..] {
                [place] => Ok(place),
                _ => bail!("{}: `{wanted}` is there {} times", self.file, found.len()),
            }
        };
        let (begin, end) = (mark("ANCHOR")?, mark("ANCHOR_END")?);
        ensure!(begin < end, "{}: the anchor {} ends before it begins", self.file, self.anchor);
        let lines: Vec<&str> = source.lines().collect();
        let old = without_marks(&lines[begin + 1..end].join("\n"));
        ensure!(old.trim() != with.trim(), "{} is what the stage has: nothing is replaced", self.with);
        let parts = [&lines[..=begin], &with.lines().collect::<Vec<_>>(), &lines[end..]];
        Ok(parts.concat().join("\n") + "\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replaced(source: &str, with: &str) -> Result<String> {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("starter.rs"), with).expect("written");
        let part = Replacement { file: "a.rs".into(), anchor: "one".into(), with: "starter.rs".into() };
        part.in_place(folder.path(), source)
    }

    const SOURCE: &str = "fn a() {}\n// ANCHOR: one\nfn b() {}\n// ANCHOR_END: one\nfn c() {}\n";

    /// Protects the starter from being the stage: the part must be there, once, and be replaced by another.
    #[test]
    fn exactly_the_part_between_the_anchors_is_replaced() {
        let starter = replaced(SOURCE, "fn lesser() {}\n").expect("replaced");
        assert_eq!(without_marks(&starter), "fn a() {}\nfn lesser() {}\nfn c() {}\n");
        for (source, fault) in [
            ("fn a() {}\n".to_owned(), "`// ANCHOR: one` is there 0 times"),
            (SOURCE.to_owned() + SOURCE, "`// ANCHOR: one` is there 2 times"),
            (SOURCE.replace("ANCHOR_END: one", "ANCHOR_END: two"), "`// ANCHOR_END: one` is there 0 times"),
        ] {
            let error = replaced(&source, "x").expect_err("refused").to_string();
            assert!(error.contains(fault), "{error}");
        }
        let same = replaced(SOURCE, "fn b() {}").expect_err("refused").to_string();
        assert!(same.contains("nothing is replaced"), "{same}");
    }
}
