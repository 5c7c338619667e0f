//! Finding the stages.
//!
//! A stage describes itself in its own `Cargo.toml`, so adding a stage is adding a folder: nothing here
//! knows a stage by name.

mod metadata;

use crate::Usage;
use crate::server_process::options::option_pairs;
use crate::server_process::{EndedEarly, Launch, override_options};
use anyhow::{Context, Result, bail};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A server of the staircase, or the twin of one.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// The step, from 1.
    pub number: u8,
    /// What a user types: `05`, or `05-mio` for a twin. Leading zeros are optional when typed.
    #[serde(skip)]
    pub name: String,
    /// The crate that the binary belongs to.
    #[serde(skip)]
    pub package: String,
    /// The folder of that crate.
    #[serde(skip)]
    pub folder: PathBuf,
    /// The number of the stage that this one changes in one thing: mostly the one before it.
    #[serde(default)]
    pub builds_on: u8,
    /// The number of the stage that its costs are compared with; by default that is [`Stage::builds_on`].
    #[serde(default)]
    pub compared_with: u8,
    /// A few words.
    pub title: String,
    /// The one new idea, as a sentence.
    pub idea: String,
    /// What the next stage answers, as a sentence.
    pub flaw: String,
    /// The chapter's file name in `notes/src`.
    pub chapter: String,
    /// Where the binary is once it is built.
    #[serde(skip)]
    pub binary: PathBuf,
    /// How many keep-alive clients are served at the same time; `None` when there is no limit.
    pub serves_at_once: Option<usize>,
    /// Whether it has `--workers N`.
    #[serde(default, rename = "workers")]
    pub has_workers: bool,
    /// What the kernel may lack or forbid: then the stage ends with status 3.
    pub needs: Option<String>,
    /// The probes that do not end in a pass, with the outcome that is expected instead.
    #[serde(default)]
    pub expect: BTreeMap<String, String>,
    /// Sets of options that behave in a way of their own.
    #[serde(default)]
    pub variants: Vec<Variant>,
    /// A second binary of the same crate, for a contrast that is no step.
    #[serde(skip)]
    pub is_twin: bool,
}

/// A set of options of a stage, with what is expected under them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variant {
    /// The options, as they are typed. A value `*` stands for any value.
    pub args: Vec<String>,
    /// Complete by itself: nothing is inherited from the stage.
    #[serde(default)]
    pub expect: BTreeMap<String, String>,
}

/// What stands for any value of an option of a variant.
const ANY_VALUE: &str = "*";

/// An option and its value.
type OptionPair = (String, Option<String>);

impl Variant {
    /// Whether it stands for several sets of options: then it says what to expect of each, and there is not
    /// one to start.
    pub fn is_pattern(&self) -> bool {
        option_pairs(&self.args).iter().any(|(_, value)| value.as_deref() == Some(ANY_VALUE))
    }

    /// Whether these are its options, in any order and form.
    fn matches(&self, options: &[String]) -> bool {
        let sorted = |args: &[String]| {
            let mut pairs = option_pairs(args);
            pairs.sort();
            pairs
        };
        let (own, given) = (sorted(&self.args), sorted(options));
        let is_same = |((name, value), (given, chosen)): (&OptionPair, &OptionPair)| {
            let is_any = value.as_deref() == Some(ANY_VALUE) && chosen.is_some();
            name == given && (value == chosen || is_any)
        };
        own.len() == given.len() && own.iter().zip(&given).all(is_same)
    }
}

impl Stage {
    /// The stage on a free port of 127.0.0.1, speaking HTTP, where `options` do not say otherwise.
    pub fn launch(&self, options: &[String]) -> Launch {
        let fixed = ["--addr", "127.0.0.1:0", "--protocol", "http"].map(String::from);
        let mut launch = Launch::new(&self.binary);
        launch.args = override_options(&fixed, options);
        launch
    }

    /// Why the stage cannot run on this machine, if it is one that needs what a kernel may lack. It is tried.
    pub fn lacks(&self) -> Option<String> {
        self.lacks_with(&[])
    }

    /// The same with options: some need a newer kernel than the stage does.
    pub fn lacks_with(&self, options: &[String]) -> Option<String> {
        /// Of the stages' contract.
        const UNSUPPORTED: i32 = 3;
        let needs = self.needs.as_ref()?;
        let error = self.launch(options).start().err()?;
        let EndedEarly(status) = error.downcast_ref()?;
        (status.code() == Some(UNSUPPORTED)).then(|| format!("{needs} cannot be used on this machine"))
    }

    /// What is expected when the stage runs with `options`. Options that no variant names change nothing
    /// that was declared.
    pub fn expected_with(&self, options: &[String]) -> &BTreeMap<String, String> {
        // One that is named exactly goes before a pattern, wherever it stands.
        let named = |is_pattern: bool| {
            let is_it = |variant: &&Variant| variant.is_pattern() == is_pattern && variant.matches(options);
            self.variants.iter().find(is_it)
        };
        let variant = named(false).or_else(|| named(true));
        variant.map_or(&self.expect, |variant| &variant.expect)
    }
}

/// The stages in order, each followed by its twins.
///
/// The workspace is looked for upwards from the current directory, then from the executable.
pub fn discover() -> Result<Vec<Stage>> {
    let binaries = binary_directory()?;
    let mut places = vec![std::env::current_dir().context("the current directory is gone")?];
    places.push(binaries.clone());
    for place in &places {
        let Some(manifest) = workspace_manifest(place) else { continue };
        let stages = metadata::read(&manifest, &binaries)?;
        if !stages.is_empty() {
            return Ok(stages);
        }
    }
    bail!("no stage found: run this inside the lab's workspace (looked upwards from {})", places[0].display())
}

/// The nearest manifest upwards that declares a workspace.
fn workspace_manifest(from: &Path) -> Option<PathBuf> {
    from.ancestors().map(|directory| directory.join("Cargo.toml")).find(|manifest| {
        std::fs::read_to_string(manifest)
            .is_ok_and(|text| text.lines().any(|line| line.trim() == "[workspace]"))
    })
}

/// Where cargo put this executable, and so the stages' binaries. A test runs from `deps` below it.
pub fn binary_directory() -> Result<PathBuf> {
    let executable = std::env::current_exe().context("this executable's path is unknown")?;
    let directory = executable.parent().context("this executable has no directory")?;
    Ok(match directory.file_name() {
        Some(name) if name == "deps" => directory.parent().unwrap_or(directory).to_owned(),
        _ => directory.to_owned(),
    })
}

/// The stage that a user means by `5`, `05`, `stage-05`, `5-mio` or the folder `05-edge-vs-level`; otherwise
/// a [`Usage`].
pub fn find<'a>(stages: &'a [Stage], name: &str) -> Result<&'a Stage> {
    fn canonical(name: &str) -> &str {
        name.trim().trim_start_matches("stage-").trim_start_matches('0')
    }
    let wanted = canonical(name);
    let found = stages.iter().find(|stage| canonical(&stage.name) == wanted);
    // A folder's twins come behind the stage itself.
    let has_folder = |stage: &&Stage| stage.folder.file_name().is_some_and(|folder| folder == name.trim());
    let found = found.or_else(|| stages.iter().find(has_folder));
    let usage = || {
        let names: Vec<&str> = stages.iter().map(|stage| stage.name.as_str()).collect();
        Usage::new(format!("no stage `{}`: there is {}", name.escape_debug(), names.join(", ")))
    };
    Ok(found.ok_or_else(usage)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(String::from).collect()
    }

    /// Protects `grade 5 --drain once --trigger edge`: the order and the form of options do not choose
    /// another variant, a different value does, unless the variant is for all of them.
    #[test]
    fn a_variant_is_the_same_options_in_any_order() {
        let declared = BTreeMap::from([("probe".to_owned(), "starved".to_owned())]);
        let other = BTreeMap::from([("probe".to_owned(), "wrong".to_owned())]);
        let variants = [
            ("--queue *", &other),
            ("--trigger edge --drain once --no-oneshot", &declared),
            ("--queue ring", &declared),
        ];
        let variants = variants.map(|(args, expect)| Variant { args: words(args), expect: expect.clone() });
        let stage = Stage {
            number: 5,
            name: "05".into(),
            package: String::new(),
            folder: PathBuf::new(),
            builds_on: 4,
            compared_with: 4,
            title: String::new(),
            idea: String::new(),
            flaw: String::new(),
            chapter: String::new(),
            binary: PathBuf::new(),
            serves_at_once: None,
            expect: BTreeMap::new(),
            variants: variants.into(),
            has_workers: false,
            needs: None,
            is_twin: false,
        };
        assert_eq!(stage.expected_with(&words("--no-oneshot --drain=once --trigger edge")), &declared);
        assert!(stage.expected_with(&words("--no-oneshot --drain=always --trigger edge")).is_empty());
        assert!(stage.expected_with(&words("--trigger edge --drain once")).is_empty());
        assert_eq!(stage.expected_with(&words("--queue bounded:8")), &other);
        assert_eq!(stage.expected_with(&words("--queue ring")), &declared, "the exact one goes first");
        assert!(stage.expected_with(&words("--queue")).is_empty(), "it has no value");
        assert!(stage.expected_with(&words("--queue ring --drain once")).is_empty());
    }
}
