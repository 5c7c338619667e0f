//! From a recipe to its records: what will be done is said, the directory is locked, a run that was
//! interrupted goes on.

use super::interrupted::find_interrupted;
use super::meter::Meter;
use super::plan::Plan;
use super::point::Point;
use super::resume::ResumePoint;
use super::round_trip::RoundTrip;
use super::servers::Servers;
use super::session::{End, Session};
use super::setup::Setup;
use super::subject::Subject;
use anyhow::{Result, bail, ensure};
use lab_core::clock::now;
use lab_core::host::Host;
use lab_core::interruption::Interruption;
use lab_core::units::{count, minutes};
use records::{Content, DirLock, Phase, Record, States, Writer, disturbance, ensure_room, read, straddling};
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::SystemTime;

/// Two records are shorter: a pair has another one, for what the floor did beside it.
const RECORD_BYTES: u64 = 4_096;
/// The charts and the page.
const DRAWN_BYTES: u64 = 4 << 20;

/// What is measured. `harness/tests/engine.rs` has one for servers of its own.
pub trait Recipe {
    /// What its files hold. A run that was interrupted is looked for among them.
    fn content(&self) -> Content;

    /// What the name of a new file ends with.
    fn ending(&self) -> &str {
        self.content().ending()
    }

    /// The points, in the order that this seed gives.
    fn plan(&self, seed: u64) -> Plan;

    /// Says before the run what else a user must know of it. The line before ends with its length and its
    /// seed.
    fn announce(&self, _plan: &Plan) {}
}

/// How a run is recorded.
#[derive(Clone, Debug)]
pub struct Options {
    /// The data goes to `data` below it.
    pub out: PathBuf,
    /// What the order of the points is shuffled with; the time if the user does not say.
    pub seed: Option<u64>,
    /// Begin anew, even if the same command was interrupted and could go on.
    pub fresh: bool,
}

/// What came of it.
#[derive(Debug)]
pub struct Outcome {
    /// What the command ends with.
    pub status: ExitCode,
    /// The run, if it came to its end.
    pub finished: Option<Finished>,
}

/// A run that came to its end.
#[derive(Debug)]
pub struct Finished {
    /// All records of it.
    pub records: Vec<Record>,
    /// Their file.
    pub data: PathBuf,
    /// Where charts and pages are expected.
    pub out: PathBuf,
}

/// Measures what is not done yet, records, and says where. The caller shows the figures. Fails where nothing
/// can be measured and where nothing can be recorded.
pub fn run(options: &Options, setup: &Setup, recipe: &dyn Recipe) -> Result<Outcome> {
    let data = options.out.join("data");
    // Before anything is looked at: what another run is about to record would be done a second time.
    let _lock = DirLock::on(&data)?;
    let (plan, done) = planned(options, &data, setup, recipe)?;
    announce(&plan, recipe);
    ensure!(!plan.is_empty(), "nothing can be measured: every point is skipped");
    ensure_room(&data, plan.len() as u64 * RECORD_BYTES + DRAWN_BYTES)?;
    let writer = match &done {
        Some(done) => {
            announce_rest(&plan, done);
            Writer::resume(done.path())?
        }
        None => Writer::create(&data, &file_name(&setup.host, recipe.ending()))?,
    };
    let path = writer.path().to_owned();
    let running = plan.subjects.iter().find_map(Subject::running_at);
    let servers = Servers::new(setup.checker.clone(), plan.counting).running_at(running);
    let interruption = Interruption::catch()?;
    let stop = || interruption.has_come();
    let round_trip = RoundTrip::on(&setup.server_cpus);
    let peak = Cell::new(done.as_ref().and_then(|done| done.peak));
    let meter = Meter { plan: &plan, setup, stop: &stop, round_trip, peak };
    let end = Session::new(&meter, &done.unwrap_or_default(), servers, writer).run()?;
    finish(end, setup, Finished { records: read(&path)?, data: path, out: options.out.clone() })
}

/// The plan, and where it goes on if an earlier run of it was interrupted.
fn planned(
    options: &Options,
    data: &Path,
    setup: &Setup,
    recipe: &dyn Recipe,
) -> Result<(Plan, Option<ResumePoint>)> {
    if !options.fresh {
        match find_interrupted(data, recipe.content(), &setup.command, options.seed, &setup.host)? {
            Ok(run) => {
                let (plan, done) = (recipe.plan(run.seed), ResumePoint::of(&run));
                if done.progress(&plan).0 < plan.len() {
                    return Ok((plan, Some(done)));
                }
            }
            Err(reason) => reason.iter().for_each(|reason| eprintln!("{reason}")),
        }
    }
    let seed = options.seed.unwrap_or_else(|| {
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |time| time.as_secs())
    });
    Ok((recipe.plan(seed), None))
}

/// Says what will be done, what will not, and how long it takes.
fn announce(plan: &Plan, recipe: &dyn Recipe) {
    let mut seen = BTreeSet::new();
    let names = plan.subjects.iter().map(|subject| subject.name.as_str());
    let names: Vec<&str> = names.filter(|name| seen.insert(*name)).collect();
    eprintln!(
        "{} in {} on {}; about {}, longer on a busy machine; seed {}",
        count(plan.len(), "point"),
        count(plan.rounds as usize, "round"),
        names.join(", "),
        minutes(plan.seconds()),
        plan.seed
    );
    recipe.announce(plan);
    // One line for each reason, with the servers that it holds for.
    let mut reasons: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for (point, reason) in &plan.skipped {
        reasons.entry(skipped(point, reason)).or_default().insert(&plan.subject(point).label);
    }
    for (line, servers) in reasons {
        match servers.len() == plan.subjects.len() {
            true => eprintln!("skipped: {line}"),
            false => eprintln!("skipped: {line} ({})", servers.into_iter().collect::<Vec<_>>().join(", ")),
        }
    }
}

/// Why a point is left out, without its server: other servers may be left out for the same reason.
fn skipped(point: &Point, reason: &str) -> String {
    match point.phase {
        Phase::Clients => "more clients than are served at once".to_owned(),
        Phase::Idle => format!("silent connections: {reason}"),
        // Some reasons name the tool themselves.
        Phase::Survey | Phase::Paired if !reason.starts_with(point.tool.name()) => {
            let kind = if point.load.keep_alive { "with keep-alive" } else { "without keep-alive" };
            format!("{} {kind}: {reason}", point.tool.name())
        }
        _ => reason.to_owned(),
    }
}

/// Says how much of an earlier run is there.
fn announce_rest(plan: &Plan, done: &ResumePoint) {
    let (count, seconds) = done.progress(plan);
    eprintln!(
        "going on with {}: {count} of {} points are there, about {} are left (--fresh begins anew)",
        done.path().display(),
        plan.len(),
        minutes(plan.seconds() - seconds)
    );
}

/// Says what must be known of the records, whole or not, and where they are.
fn finish(end: End, setup: &Setup, finished: Finished) -> Result<Outcome> {
    let Finished { records, data, .. } = &finished;
    let has_measured = records.iter().any(|record| record.skipped().is_none());
    if has_measured {
        let mut lines: Vec<String> = refused(records).into_iter().collect();
        lines.extend(disturbance(records));
        lines.extend(straddling(records));
        lines.extend(States::of(records).summary());
        lines.push(format!("data    {}", data.display()));
        lines.iter().for_each(|line| println!("{line}"));
    }
    let status = match end {
        End::Interrupted => {
            let kept = if records.is_empty() {
                Writer::discard(data)?;
                "nothing was measured yet, and nothing is kept".to_owned()
            } else {
                let what = match has_measured {
                    true => "what was measured",
                    false => "nothing was measured yet; what was skipped",
                };
                format!("{what} is in {}; {}", data.display(), how_to_go_on(&setup.host))
            };
            eprintln!("interrupted; {kept}");
            return Ok(Outcome { status: ExitCode::from(130), finished: None });
        }
        _ if !has_measured => bail!("nothing was measured; {} says why", data.display()),
        End::WithFailures => ExitCode::FAILURE,
        End::Complete => ExitCode::SUCCESS,
    };
    Ok(Outcome { status, finished: Some(finished) })
}

fn how_to_go_on(host: &Host) -> &'static str {
    match host.dirty {
        true => "the work tree has uncommitted changes, so the same command will begin anew",
        false => "the same command goes on from there",
    }
}

/// The servers that were not measured, or no longer, each with its reason.
fn refused(records: &[Record]) -> BTreeSet<String> {
    let reasons = records.iter().filter_map(|record| Some((record, record.skipped()?)));
    let refused = reasons.filter(|(_, reason)| reason.starts_with("refused"));
    refused.map(|(record, reason)| format!("{}: {reason}", record.key.server)).collect()
}

/// `20260102T030405Z-1234567890-standard`.
fn file_name(host: &Host, ending: &str) -> String {
    let commit = if host.commit.is_empty() { "nocommit" } else { &host.commit };
    format!("{}-{commit}-{ending}", now().replace(['-', ':'], ""))
}
