//! One mutant, as its file describes it: see `harness/mutants/README.md`.

use crate::diff::Diff;
use anyhow::{Context, Result, bail, ensure};
use lab_core::Usage;
use lab_core::stages::{self, Stage};
use std::fmt;
use std::fs::{read_dir, read_to_string};
use std::path::{Path, PathBuf};

/// Where the mutants are, from the root of the tree.
pub const FOLDER: &str = "harness/mutants";

/// A stage with one mistake in it.
#[derive(Clone, Debug)]
pub struct Mutant {
    /// The name of its file, without the ending.
    pub name: String,
    /// The mistake, one sentence.
    pub what: String,
    /// What a client sees, one sentence.
    pub seen: String,
    /// The probe that must catch it, or why no black box can see it.
    pub probe: Catcher<String>,
    /// The test that must catch it, or why there is none.
    pub test: Catcher<Test>,
    /// What is built and graded.
    pub server: ServerName,
    /// Of which kind the mistake is.
    pub kind: Kind,
    /// The mistake itself.
    pub diff: Diff,
    /// The whole file.
    pub text: String,
}

/// What must catch a mutant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Catcher<T> {
    /// This.
    By(T),
    /// Nothing of its sort, and why.
    None(String),
}

/// A test, as cargo is asked for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Test {
    /// The package.
    pub package: String,
    /// The file below its `tests` folder; none for the tests in the crate itself.
    pub file: Option<String>,
    /// Its full name: `tests::name` in a module.
    pub name: String,
}

/// A server as a user types it: a stage or twin, and its options.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ServerName {
    /// `04`, `2-threads`.
    pub stage: String,
    /// `--queue mutex`.
    pub options: Vec<String>,
}

/// Of which kind a mistake is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "each has its title below")]
pub enum Kind {
    Writing,
    EndOfInput,
    Accepting,
    Timeouts,
    Leaks,
    Requests,
    Signals,
    Limits,
    Waiting,
    Shutdown,
    Processes,
    Queues,
    WakeUps,
    Http,
    Files,
}

impl Kind {
    /// All of them, in the order of the page: what a header says, and the page's heading.
    pub const ALL: [(Self, &str, &str); 15] = [
        (Self::Writing, "writing", "Writing"),
        (Self::EndOfInput, "end-of-input", "The end of input"),
        (Self::Requests, "requests", "Requests in parts"),
        (Self::Http, "http", "HTTP"),
        (Self::Files, "files", "Files"),
        (Self::Accepting, "accepting", "Accepting"),
        (Self::Limits, "limits", "Limits"),
        (Self::Leaks, "leaks", "Leaks"),
        (Self::Timeouts, "timeouts", "Timeouts"),
        (Self::Waiting, "waiting", "Waiting"),
        (Self::Signals, "signals", "Signals"),
        (Self::Shutdown, "shutdown", "Shutdown"),
        (Self::Processes, "processes", "Processes"),
        (Self::Queues, "queues", "Queues between threads"),
        (Self::WakeUps, "wake-ups", "Waking a task"),
    ];

    fn parse(text: &str) -> Result<Self> {
        let found = Self::ALL.iter().find(|(_, name, _)| *name == text).map(|(kind, ..)| *kind);
        found.with_context(|| {
            let names: Vec<&str> = Self::ALL.iter().map(|(_, name, _)| *name).collect();
            format!("no kind `{text}`: there is {}", names.join(", "))
        })
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::ALL.iter().find(|(kind, ..)| kind == self).map_or("", |(_, name, _)| name);
        f.write_str(name)
    }
}

impl fmt::Display for ServerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.stage)?;
        self.options.iter().try_for_each(|option| write!(f, " {option}"))
    }
}

impl ServerName {
    fn parse(text: &str) -> Result<Self> {
        let mut words = text.split_whitespace().map(str::to_owned);
        let stage = words.next().context("a stage or a twin must be named")?;
        Ok(Self { stage, options: words.collect() })
    }

    /// The stage or twin.
    ///
    /// # Errors
    /// That there is none of this name.
    pub fn find<'a>(&self, stages: &'a [Stage]) -> Result<&'a Stage> {
        stages::find(stages, &self.stage)
    }
}

impl Test {
    /// Reads `PACKAGE --lib NAME` or `PACKAGE --test FILE NAME`.
    fn parse(text: &str) -> Result<Self> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let (package, file, name) = match words[..] {
            [package, "--lib", name] => (package, None, name),
            [package, "--test", file, name] => (package, Some(file.to_owned()), name),
            _ => bail!("takes `PACKAGE --lib NAME` or `PACKAGE --test FILE NAME`, not `{text}`"),
        };
        Ok(Self { package: package.to_owned(), file, name: name.to_owned() })
    }

    /// Whether it runs under the model checker.
    pub fn is_loom(&self) -> bool {
        self.file.as_deref() == Some("loom")
    }

    /// What cargo takes behind the package to choose the program.
    pub fn target(&self) -> Vec<&str> {
        match &self.file {
            None => vec!["--lib"],
            Some(file) => vec!["--test", file],
        }
    }

    /// Looks for it in the folder of its package.
    ///
    /// # Errors
    /// That it is not there.
    fn must_exist(&self, folder: &Path) -> Result<()> {
        let function = self.name.rsplit("::").next().unwrap_or(&self.name);
        let place = match &self.file {
            None => folder.join("src"),
            Some(file) if folder.join(format!("tests/{file}.rs")).is_file() => folder.join("tests"),
            Some(file) if folder.join(format!("tests/{file}/main.rs")).is_file() => {
                folder.join("tests").join(file)
            }
            Some(file) => bail!("{} has no tests/{file}.rs", self.package),
        };
        let definition = format!("fn {function}(");
        let mut folders = vec![place];
        while let Some(folder) = folders.pop() {
            for entry in read_dir(&folder).with_context(|| folder.display().to_string())? {
                let path = entry?.path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|ending| ending == "rs")
                    && read_to_string(&path)?.contains(&definition)
                {
                    return Ok(());
                }
            }
        }
        bail!("{} has no test `{}`", self.package, self.name)
    }
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.package, self.target().join(" "), self.name)
    }
}

impl<T> Catcher<T> {
    fn parse(text: &str, parse: impl FnOnce(&str) -> Result<T>) -> Result<Self> {
        match text.strip_prefix("none:").map(str::trim) {
            Some("") => bail!("`none:` needs a reason"),
            Some(reason) => Ok(Self::None(reason.to_owned())),
            None => Ok(Self::By(parse(text)?)),
        }
    }
}

impl Mutant {
    /// Reads a file's text.
    ///
    /// # Errors
    /// Which header is missing or wrong, or what is wrong with the diff.
    pub fn parse(name: &str, text: &str) -> Result<Self> {
        let (head, diff) = text.split_once("\n\n").context("an empty line must end the headers")?;
        let mut headers = Vec::new();
        for line in head.lines() {
            let (key, value) = line.split_once(": ").with_context(|| format!("not a header: {line}"))?;
            ensure!(headers.iter().all(|(other, _)| *other != key), "`{key}:` is there twice");
            headers.push((key, value.trim()));
        }
        let mut take = |key: &str| {
            let index = headers.iter().position(|(other, _)| *other == key);
            index.map(|index| headers.remove(index).1).with_context(|| format!("`{key}:` is missing"))
        };
        let named = |key: &'static str| move || format!("`{key}:`");
        let sentence = |text: &str| {
            ensure!(text.ends_with('.'), "not a sentence: {text}");
            Ok(text.to_owned())
        };
        let mutant = Self {
            name: name.to_owned(),
            what: sentence(take("What")?)?,
            seen: sentence(take("Seen")?)?,
            probe: Catcher::parse(take("Probe")?, |name| Ok(name.to_owned())).with_context(named("Probe"))?,
            test: Catcher::parse(take("Test")?, Test::parse).with_context(named("Test"))?,
            server: ServerName::parse(take("Server")?).with_context(named("Server"))?,
            kind: Kind::parse(take("Kind")?).with_context(named("Kind"))?,
            diff: Diff::parse(diff)?,
            text: text.to_owned(),
        };
        if let Some((key, _)) = headers.first() {
            bail!("there is no header `{key}:`");
        }
        let has_catcher = matches!(mutant.probe, Catcher::By(_)) || matches!(mutant.test, Catcher::By(_));
        ensure!(has_catcher, "neither a probe nor a test is named");
        Ok(mutant)
    }

    /// The text with another diff behind the same headers.
    pub fn with_diff(&self, diff: &Diff) -> String {
        let head = self.text.split_once("\n\n").map_or("", |(head, _)| head);
        format!("{head}\n\n{diff}")
    }

    /// Whether everything that the headers name is there, and the diff applies to the tree at `root`.
    ///
    /// # Errors
    /// What is not so.
    pub fn check(&self, root: &Path, stages: &[Stage], packages: &[(String, PathBuf)]) -> Result<()> {
        if let Catcher::By(probe) = &self.probe {
            grader::probes::find(probe)?;
        }
        if let Catcher::By(test) = &self.test {
            let folder = packages.iter().find(|(name, _)| *name == test.package);
            let (_, folder) = folder.with_context(|| format!("no package `{}`", test.package))?;
            test.must_exist(folder)?;
        }
        self.server.find(stages)?;
        for file in &self.diff.files {
            ensure!(
                file.path.starts_with("stages/"),
                "{}: a mutant changes a stage, kit or a part",
                file.path
            );
            let text = read_to_string(root.join(&file.path)).with_context(|| file.path.clone())?;
            ensure!(file.apply(&text)? != text, "{}: nothing is changed", file.path);
        }
        Ok(())
    }
}

/// All mutants of the tree at `root`, by their names.
///
/// # Errors
/// Which file is wrong, and why.
pub fn all(root: &Path) -> Result<Vec<Mutant>> {
    let folder = root.join(FOLDER);
    let mut mutants = Vec::new();
    for entry in read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        if path.extension().is_none_or(|ending| ending != "patch") {
            continue;
        }
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let text = read_to_string(&path)?;
        mutants.push(Mutant::parse(&name, &text).with_context(|| format!("{FOLDER}/{name}.patch"))?);
    }
    mutants.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(mutants)
}

/// Those that the words name: a mutant, or all of a kind.
///
/// # Errors
/// Which word names neither.
pub fn choose(mutants: Vec<Mutant>, words: &[String]) -> Result<Vec<Mutant>> {
    let names = |word: &String, mutant: &Mutant| *word == mutant.name || *word == mutant.kind.to_string();
    for word in words {
        if !mutants.iter().any(|mutant| names(word, mutant)) {
            let kinds: Vec<&str> = Kind::ALL.iter().map(|(_, name, _)| *name).collect();
            bail!(Usage::new(format!(
                "no mutant and no kind `{}`: the kinds are {}; --list names the mutants",
                word.escape_debug(),
                kinds.join(", ")
            )));
        }
    }
    let chosen = |mutant: &Mutant| words.is_empty() || words.iter().any(|word| names(word, mutant));
    Ok(mutants.into_iter().filter(chosen).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "What: A mistake.\nSeen: Nothing.\nProbe: none: it is not seen\nTest: kit --lib tests::name\n\
                        Server: 07 --queue mutex\nKind: queues\n\ndiff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n";

    #[test]
    fn the_headers_are_read() {
        let mutant = Mutant::parse("name", GOOD).unwrap();
        assert_eq!(mutant.probe, Catcher::None("it is not seen".to_owned()));
        let test = Test { package: "kit".to_owned(), file: None, name: "tests::name".to_owned() };
        assert_eq!(mutant.test, Catcher::By(test));
        assert_eq!(mutant.server.to_string(), "07 --queue mutex");
        assert_eq!(mutant.kind, Kind::Queues);
        assert_eq!(Mutant::parse("name", &mutant.with_diff(&mutant.diff)).unwrap().diff, mutant.diff);
    }

    /// Protects a mutant that is never graded since a header was mistyped.
    #[test]
    fn each_fault_of_a_header_is_named() {
        for (from, to, expected) in [
            ("What: A mistake.\n", "", "`What:` is missing"),
            ("A mistake.", "A mistake", "not a sentence: A mistake"),
            ("Seen: Nothing.", "Seen: Nothing.\nSeen: Nothing.", "`Seen:` is there twice"),
            ("none: it is not seen", "none:", "`Probe:`: `none:` needs a reason"),
            ("kit --lib tests::name", "kit name", "`Test:`: takes `PACKAGE --lib NAME`"),
            ("kit --lib tests::name", "none: none", "neither a probe nor a test is named"),
            ("Kind: queues", "Kind: quietness", "`Kind:`: no kind `quietness`: there is writing,"),
            ("Kind: queues", "Kind: queues\nWhy: x", "there is no header `Why:`"),
            ("\n\n", "\n", "an empty line must end the headers"),
        ] {
            let bad = GOOD.replace(from, to);
            assert_ne!(bad, GOOD);
            let error = format!("{:#}", Mutant::parse("name", &bad).unwrap_err());
            assert!(error.starts_with(expected), "{error}");
        }
    }

    #[test]
    fn a_subset_is_chosen_by_name_or_kind() {
        let mutants = || vec![Mutant::parse("one", GOOD).unwrap(), Mutant::parse("two", GOOD).unwrap()];
        let names = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            choose(mutants(), &words)
                .map(|chosen| chosen.into_iter().map(|mutant| mutant.name).collect::<Vec<_>>())
        };
        assert_eq!(names(&[]).unwrap(), ["one", "two"]);
        assert_eq!(names(&["two"]).unwrap(), ["two"]);
        assert_eq!(names(&["queues"]).unwrap(), ["one", "two"]);
        assert!(names(&["three"]).is_err());
    }
}
