//! What is graded: from the command line to a server, and what is expected of it.

use crate::probes::{self, Expected, Limits, Outcome, PROBES, Probe, Profile, Target};
use anyhow::{Context, Result, bail};
use lab_core::server_process::EndedEarly;
use lab_core::stages::{self, Stage};
use lab_core::wire::{Authority, first_reachable};
use lab_core::{Usage, whole};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use tempfile::TempDir;

/// What to grade, and what of it.
#[derive(clap::Args, Clone, Debug)]
// The command that flattens it has a group of the default name.
#[group(id = "graded")]
pub struct Args {
    /// The stage or twin: 4, 04, 5-mio; or `all`: every stage with its twins and variants.
    #[arg(required_unless_present_any = ["cmd", "addr", "list"], conflicts_with_all = ["cmd", "addr"])]
    stage: Option<String>,

    /// Grade this command, which must listen on 127.0.0.1:$PORT. It is run by `sh -c`, so it may be several
    /// commands, a script or `make run`: the process that listens is judged. With $OPTIONS in it, it is also
    /// asked for what needs an option of the stages.
    #[arg(long, value_name = "COMMAND", conflicts_with = "addr")]
    cmd: Option<String>,

    /// Grade a server that runs already. What needs its process is not applicable.
    #[arg(long, value_name = "HOST:PORT")]
    addr: Option<String>,

    /// Grade by this profile: a file in TOML that says which requests of the server stand for the routes of
    /// the lab, and leaves out what the server does not have. Of the lab itself: csapp-tiny, echo-server,
    /// ostep-webserver.
    #[arg(long, value_name = "FILE|NAME", conflicts_with = "stage")]
    profile: Option<String>,

    /// Where files that a profile names are written, so that they stay after the grade [default: a directory
    /// that does not]. The command is told it as $ROOT.
    #[arg(long, value_name = "DIR", requires = "profile")]
    root: Option<PathBuf>,

    /// Where the files are that a profile copies to $ROOT, such as a CGI program [default: beside the
    /// profile; for one of the lab itself the current directory].
    #[arg(long, value_name = "DIR", requires = "profile")]
    files: Option<PathBuf>,

    /// What is expected where it is not a pass, instead of what the stage declares.
    #[arg(long, value_name = "PROBE=OUTCOME", value_delimiter = ',')]
    expect: Vec<String>,

    /// Run these probes or groups only (--list shows the groups).
    #[arg(long, value_name = "PROBE|GROUP", value_delimiter = ',')]
    pub only: Vec<String>,

    /// Leave these probes or groups out.
    #[arg(long, value_name = "PROBE|GROUP", value_delimiter = ',')]
    pub skip: Vec<String>,

    /// Run the probes one after the other, and stop at the first one that surprises.
    #[arg(long)]
    pub until_first_failure: bool,

    /// How long the command may take until it listens, seconds.
    #[arg(long, value_name = "SECONDS", default_value = "20", value_parser = whole::<u64>(1..=3600))]
    start_limit: u64,

    /// How long a probe may take, seconds; one that takes longer ends as `broken: hang`.
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = whole::<u64>(1..=3600))]
    probe_limit: u64,

    /// After this time no more probes are begun, seconds; the others are not applicable then, and the exit
    /// status is not 0.
    #[arg(long, value_name = "SECONDS", default_value = "180", value_parser = whole::<u64>(1..=86_400))]
    limit: u64,

    /// Run the probes that are left out otherwise as well (idle-10000).
    #[arg(long)]
    all: bool,

    /// Run everything this many times.
    #[arg(long, value_name = "K", default_value = "1", value_parser = whole::<u32>(1..=1000))]
    pub repeat: u32,

    /// Print each probe's name and what a server that passes does; with --profile also which of them are not
    /// asked of its server, and why.
    #[arg(long)]
    pub list: bool,

    /// Show what was sent and received, and a command that shows it by hand, also for flaws that were
    /// expected. A surprise shows it anyway.
    #[arg(long, visible_alias = "verbose")]
    pub evidence: bool,

    /// Options for the stage; from the first one on all are the stage's, so those of `grade` stand before.
    #[arg(value_name = "STAGE OPTIONS", allow_hyphen_values = true)]
    options: Vec<String>,
}

/// How long an address may take to accept a connection before the next one of the same name is tried.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// What stands for every stage, twin and variant.
const EVERYTHING: &str = "all";

/// What was declared about the probes; a pass where nothing was.
pub type Expectations = BTreeMap<&'static str, Expected>;

/// What to grade and what to expect of it.
#[derive(Debug)]
pub struct Task {
    /// `stage 05 --trigger edge`, the command, or the address.
    pub title: String,
    /// The stage or twin, if it is one.
    pub stage: Option<Graded>,
    /// The server.
    pub target: Target,
    /// Why it cannot run on this machine.
    pub lacks: Option<String>,
    /// What is expected where it is not a pass.
    pub expect: Expectations,
}

/// A stage or twin that is graded.
#[derive(Debug)]
pub struct Graded {
    /// What a user types: `05`, or `05-mio` for a twin.
    pub name: String,
    /// A few words.
    pub title: String,
    /// The options that it runs with.
    pub options: Vec<String>,
}

impl Args {
    /// Whether every stage, twin and variant is graded.
    pub fn is_all(&self) -> bool {
        self.stage.as_deref() == Some(EVERYTHING)
    }

    /// Whether it is a server of another make: most probes ask for the lab's routes, and it may not have
    /// them.
    pub fn is_foreign(&self) -> bool {
        self.stage.is_none()
    }

    /// The probes to run.
    pub fn probes(&self) -> Result<Vec<&'static Probe>> {
        let select = |names: &[String]| {
            let selected = names.iter().map(|name| Ok((name.clone(), probes::select(name)?)));
            selected.collect::<Result<Vec<_>>>().map_err(Usage::of)
        };
        let (only, skip) = (select(&self.only)?, select(&self.skip)?);
        let is_in = |selected: &[(String, Vec<&Probe>)], probe: &Probe| {
            selected.iter().any(|(_, probes)| probes.iter().any(|other| other.name == probe.name))
        };
        let is_asked_for = |probe: &Probe| self.all || only.iter().any(|(name, _)| name == probe.name);
        let wanted = |probe: &&'static Probe| {
            let is_chosen = only.is_empty() || is_in(&only, probe);
            is_chosen && (!probe.only_on_request || is_asked_for(probe)) && !is_in(&skip, probe)
        };
        let chosen: Vec<&'static Probe> = PROBES.iter().filter(wanted).collect();
        match chosen.is_empty() {
            true => bail!(Usage::new("--only and --skip leave no probe to run")),
            false => Ok(chosen),
        }
    }

    /// The probes to list: those that are run on request as well.
    pub fn listed(&self) -> Result<Vec<&'static Probe>> {
        Self { all: true, ..self.clone() }.probes()
    }

    /// Grades by the profile that was asked for, if one was: once in a process, before any task. Returns the
    /// directory that is gone when this is dropped.
    pub fn choose_profile(&self) -> Result<Option<TempDir>> {
        let Some(name) = &self.profile else { return Ok(None) };
        let mut profile = Profile::read(name).map_err(Usage::of)?;
        let mut directory = None;
        // A list starts no server.
        if profile.needs_root() && !self.list {
            let has_root = |command: &String| command.contains("$ROOT") || command.contains("${ROOT}");
            if !self.cmd.as_ref().is_some_and(has_root) {
                bail!(Usage::new(
                    "the profile has files below $ROOT, so the command (--cmd) must contain $ROOT, the directory \
                     that the server is told to serve"
                ));
            }
            let root = match &self.root {
                Some(root) => root.clone(),
                None => {
                    let made = tempfile::Builder::new().prefix("c10k-lab-").tempdir();
                    let made = made.context("cannot make a directory for the files of the profile")?;
                    directory.insert(made).path().to_owned()
                }
            };
            profile.fill(&root, self.files.as_deref()).map_err(Usage::of)?;
        }
        probes::choose(profile);
        Ok(directory)
    }

    /// How long the probes may take.
    pub fn limits(&self) -> Limits {
        Limits { probe: Duration::from_secs(self.probe_limit), all: Duration::from_secs(self.limit) }
    }

    /// What to grade. Fails where a name is not known, and where a server does not start with these options.
    pub fn tasks(&self) -> Result<Vec<Task>> {
        if !self.is_all() {
            return Ok(vec![task(self)?]);
        }
        let given: Vec<&String> = self.options.iter().chain(&self.expect).collect();
        if let Some(first) = given.first() {
            bail!(Usage::new(format!(
                "`grade all` takes each stage's own options and expectations, not `{first}`: that is for one stage"
            )));
        }
        let mut tasks = Vec::new();
        for stage in stages::discover()? {
            let variants = stage.variants.iter().filter(|variant| !variant.is_pattern());
            let variants = variants.map(|variant| variant.args.as_slice());
            for options in [&[][..]].into_iter().chain(variants) {
                tasks.push(stage_task(&stage, options, Expectations::new())?);
            }
        }
        Ok(tasks)
    }
}

fn task(args: &Args) -> Result<Task> {
    let given = args.expect.iter().map(|text| {
        let (probe, outcome) = text.split_once('=').with_context(|| {
            format!("--expect takes PROBE=OUTCOME, for example two-clients=starved, not `{text}`")
        })?;
        Ok((probe.trim().to_owned(), outcome.to_owned()))
    });
    let given = given.collect::<Result<BTreeMap<_, _>>>().map_err(Usage::of)?;
    let mut given = expectations(&given).context("--expect").map_err(Usage::of)?;
    if let Some(name) = &args.stage {
        if let Some(first) = args.options.first().filter(|first| !first.starts_with('-')) {
            bail!(Usage::new(format!(
                "grade takes one stage; what follows are the stage's options, and `{first}` is none"
            )));
        }
        let stages = stages::discover()?;
        return stage_task(stages::find(&stages, name)?, &args.options, given);
    }
    if !args.options.is_empty() {
        bail!(Usage::new(format!(
            "`{}` is no option of grade, and options for a stage need one; write those of a command into the command",
            args.options.join(" ")
        )));
    }
    for (probe, expected) in probes::current().expected() {
        given.entry(probe).or_insert(*expected);
    }
    let (title, target) = match (&args.cmd, &args.addr) {
        (Some(command), _) if !command.contains("$PORT") && !command.contains("${PORT}") => {
            bail!(Usage::new("the command must contain $PORT, the port that it is told to listen on"))
        }
        (Some(command), _) => {
            (command.clone(), Target::Command(command.clone(), Duration::from_secs(args.start_limit)))
        }
        (None, Some(addr)) => (addr.clone(), Target::Address(resolve(addr)?)),
        (None, None) => bail!(Usage::new("name a stage, or give --cmd or --addr")),
    };
    Ok(Task { title, stage: None, target, lacks: None, expect: given })
}

fn stage_task(stage: &Stage, options: &[String], given: Expectations) -> Result<Task> {
    let mut launch = stage.launch(options);
    // Whatever is wrong with it, nothing of it is left behind.
    launch.is_guarded = true;
    // Once, and not as a crash in every probe.
    launch.command()?;
    let (lacks, words) = (stage.lacks_with(options), options.join(" "));
    if !options.is_empty() && lacks.is_none() {
        let name = &stage.name;
        let started = launch.start().map(drop).map_err(|error| {
            // Of the stages' contract: an option is wrong.
            let is_usage = error.downcast_ref::<EndedEarly>().is_some_and(|end| end.0.code() == Some(2));
            if is_usage { Usage::of(error).into() } else { error }
        });
        started.with_context(|| {
            format!("stage {name} does not start with `{words}` (options of grade stand before those)")
        })?;
    }
    let mut expect = expectations(stage.expected_with(options))
        .with_context(|| format!("what stage {} declares", stage.name))?;
    expect.extend(given);
    let title = format!("stage {} {words}", stage.name);
    let graded = Graded { name: stage.name.clone(), title: stage.title.clone(), options: options.to_vec() };
    let target = Target::Stage(launch);
    Ok(Task { title: title.trim().to_owned(), stage: Some(graded), target, lacks, expect })
}

fn expectations(declared: &BTreeMap<String, String>) -> Result<Expectations> {
    declared.iter().map(|(name, outcome)| Ok((probes::find(name)?.name, Expected::parse(outcome)?))).collect()
}

/// The address to probe: of a name with several the first one that accepts a connection.
fn resolve(addr: &str) -> Result<SocketAddr> {
    let place = || format!("--addr takes HOST:PORT, not `{}`", addr.escape_debug());
    let authority = Authority::parse(addr, None).with_context(place).map_err(Usage::of)?;
    let addrs = authority.resolve().context("--addr")?;
    first_reachable(&addrs, CONNECT_TIMEOUT).context("--addr")
}

/// What was declared about a probe; a pass where nothing was.
pub fn expected_of(expect: &Expectations, probe: &str) -> Expected {
    expect.get(probe).copied().unwrap_or(Expected::Exactly(Outcome::Pass))
}
