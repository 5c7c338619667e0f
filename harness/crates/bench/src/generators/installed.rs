//! A generator that is installed, here or on another host, and its runs.

use super::bounded::bounded;
use super::load::{Load, Measurement};
use super::run::{self, Meanwhile, Run};
use super::ssh::Place;
use super::tool::Tool;
use super::{ab, builtin, webbench, wrk};
use anyhow::{Result, bail, ensure};
use lab_core::server_process::Launch;
use lab_core::stages::binary_directory;
use load::Report;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A tool that was found.
#[derive(Clone, Debug)]
pub struct Installed {
    /// Which one.
    pub tool: Tool,
    /// Where it is.
    pub program: PathBuf,
    /// What it says about itself.
    pub version: String,
    /// The host that it runs on.
    pub place: Place,
    /// The CPUs of that host, where it is another one; a [`Load`] says which ones it has here.
    remote_cpus: Option<usize>,
}

impl Tool {
    /// Looks for the tool. The error is the command that installs it.
    pub fn find(self) -> Result<Installed, &'static str> {
        /// Builds what this lab brings along.
        const BUILD: &str = "cargo build --release --workspace --bins";
        let (program, version) = match (on_path(self.name()), self) {
            (_, Tool::Builtin) => (builtin::ours().ok_or(BUILD)?, "--version"),
            (Some(program), Tool::Ab) => (program, "-V"),
            (Some(program), Tool::Wrk) => (program, "-v"),
            (Some(program), Tool::Webbench) => (program, "-V"),
            (None, Tool::Ab) => return Err("apt-get install apache2-utils"),
            (None, Tool::Wrk) => return Err("apt-get install wrk"),
            (None, Tool::Webbench) => (webbench::ours().ok_or(BUILD)?, "-V"),
        };
        let mut version = first_line(&program, version);
        if self == Tool::Webbench && binary_directory().is_ok_and(|directory| program.starts_with(directory))
        {
            version.push_str(" (this lab's clean-room driver)");
        }
        Ok(Installed { tool: self, program, version, place: Place::Here, remote_cpus: None })
    }

    /// Looks for the tool where it is to run. The inner error is the command that installs it there.
    pub fn find_on(self, place: &Place) -> Result<Result<Installed, &'static str>> {
        let Place::Ssh(remote) = place else { return Ok(self.find()) };
        Ok(remote.find(self)?.map(|found| Installed {
            tool: self,
            program: found.program.into(),
            version: format!("{} (on {})", found.version, remote.host()),
            place: place.clone(),
            remote_cpus: Some(found.cpus),
        }))
    }
}

impl Installed {
    /// Runs the tool.
    ///
    /// # Errors
    /// It fails, is ended early by `meanwhile`, or says what cannot be true.
    pub fn run(&self, load: &Load, meanwhile: Meanwhile) -> Result<Measurement> {
        let start = Instant::now();
        let run = self.about_to_run(load, meanwhile);
        let measured = match self.tool {
            Tool::Ab => ab::run(run),
            Tool::Wrk => wrk::run(run),
            Tool::Webbench => webbench::run(run),
            Tool::Builtin => builtin::run(run),
        }?;
        // Every figure is divided by it.
        let longest = run::limit(load).as_secs_f64();
        ensure!(
            measured.seconds > 0.0 && measured.seconds <= longest,
            "{} says that it measured for {} s, and was told {} s",
            self.tool.name(),
            measured.seconds,
            load.whole_seconds()
        );
        if let Some(why) = refuted(&measured, load, start.elapsed()) {
            bail!("{}'s report cannot be true: {why}", self.tool.name());
        }
        Ok(measured)
    }

    /// Runs the built-in generator and returns its whole report, with the CPU time of its process. No other
    /// tool has one.
    pub(crate) fn report(&self, load: &Load, meanwhile: Meanwhile) -> Result<(Report, f64)> {
        builtin::report(self.about_to_run(load, meanwhile))
    }

    /// How many CPUs the tool can keep busy under this load.
    pub fn cpus(&self, load: &Load) -> usize {
        match (self.tool, self.remote_cpus) {
            // It has one thread, however many there are.
            (Tool::Ab, _) => 1,
            (_, Some(cpus)) => cpus.min(load.concurrency),
            (_, None) => load.cpus.as_ref().map_or(1, Vec::len),
        }
    }

    fn about_to_run<'a>(&'a self, load: &'a Load, meanwhile: Meanwhile<'a>) -> Run<'a> {
        Run { program: &self.program, place: &self.place, cpus: self.cpus(load), load, meanwhile }
    }
}

/// Where a program is, if it is installed.
pub fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|directory| directory.join(name)).find(|program| program.is_file())
}

fn first_line(program: &Path, option: &str) -> String {
    /// A program that cannot say its version in this time says nothing.
    const LIMIT: Duration = Duration::from_secs(5);
    let mut launch = Launch::new(program);
    launch.args.push(option.to_owned());
    let output = launch.command().and_then(|mut command| bounded(&mut command, LIMIT, &mut |_| true));
    let text = output.map(|output| output.stdout + &output.stderr).unwrap_or_default();
    text.lines().next().unwrap_or_default().trim().to_owned()
}

/// A tool's clock and ours differ by no more.
const CLOCKS: f64 = 0.1;
/// A tool that measured for less than this share of its time has given up.
const SHORTEST: f64 = 0.5;
/// The head of a reply may differ so much from the one that was asked for first: `Connection` is there or
/// not, and says `close` or `keep-alive`.
const HEAD: f64 = 64.0;

/// Why a report cannot be true, compared with what is known without the tool, the clock and the length of a
/// right reply: what cannot be true is not published. `wall` is how long the tool ran.
fn refuted(measured: &Measurement, load: &Load, wall: Duration) -> Option<String> {
    let (seconds, wall) = (measured.seconds, wall.as_secs_f64());
    if seconds > wall + CLOCKS {
        return Some(format!("it says {seconds:.2} s, and ran for {wall:.2} s"));
    }
    let asked = load.duration.as_secs_f64();
    if seconds < SHORTEST * asked {
        return Some(format!("it measured for {seconds:.3} s, and was told {asked} s"));
    }
    // Failed replies have any length, and so have those of another path. Where it was not told, it is not
    // known.
    if measured.errors > 0 || load.mix.is_some() || load.reply_bytes == 0 {
        return None;
    }
    let (requests, bytes, reply) = (measured.requests as f64, measured.bytes as f64, load.reply_bytes as f64);
    // The end finds each connection in the middle of its replies.
    let slack = HEAD + load.variable_bytes as f64;
    let open = (load.concurrency * load.pipeline) as f64 * (reply + slack);
    let (least, most) = (requests * (reply - slack).max(1.0) - open, requests * (reply + slack) + open);
    // An open loop beyond the peak begins with the replies to what was to be sent in the warm-up: they are
    // received and do not count.
    if bytes < least || (bytes > most && load.rate.is_none()) {
        let each = bytes / requests.max(1.0);
        return Some(format!("{requests} replies of {each:.0} bytes each, and a right one has {reply}"));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_true_is_refuted() {
        let load = Load {
            addr: ([127, 0, 0, 1], 80).into(),
            host: None,
            path: "/".into(),
            mix: None,
            concurrency: 64,
            keep_alive: true,
            pipeline: 1,
            duration: Duration::from_secs(1),
            rate: None,
            spins: false,
            warm_up: Duration::ZERO,
            timeout: None,
            learns_body: false,
            reply_bytes: 152,
            variable_bytes: 0,
            cpus: None,
        };
        let report =
            |requests, bytes, seconds| Measurement { requests, bytes, seconds, ..Measurement::default() };
        let wall = Duration::from_millis(1_080);
        let why = |measured| refuted(&measured, &load, wall).unwrap_or_default();
        assert_eq!(why(report(50_000, 152 * 50_000, 1.0)), "");
        assert_eq!(why(report(50_000, 176 * 50_000, 1.0)), "", "another head");
        assert_eq!(why(report(1, 152 * 60, 1.0)), "", "the end cut 59 replies off");
        assert_eq!(why(Measurement { errors: 9, ..report(50_000, 9, 1.0) }), "", "errors have any length");
        for absurd in [
            report(u64::MAX, 152 * 50_000, 1.0),
            report(99_000_000_000, 1, 1.0),
            report(50_000, 1_365 * 50_000, 1.0),
        ] {
            assert!(why(absurd.clone()).contains("a right one has 152"), "{absurd:?}");
        }
        assert!(why(report(5_000_000, 152 * 5_000_000, 1e-6)).contains("was told 1 s"));
        let at_once = refuted(&report(50_000, 152 * 50_000, 1.0), &load, Duration::from_millis(20));
        assert!(at_once.is_some_and(|why| why.contains("ran for 0.02 s")));
        // Seen: beyond the peak of a stage every third reply was to a request of the warm-up.
        let open = Load { rate: Some(16_000.0), ..load.clone() };
        assert_eq!(refuted(&report(17_471, 258 * 17_471, 1.0), &open, wall), None);
        assert!(refuted(&report(17_471, 17_471, 1.0), &open, wall).is_some(), "too few bytes stay too few");
    }
}
