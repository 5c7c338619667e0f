//! A server under a load.

use anyhow::{Context, Result, bail, ensure};
use lab_core::server_process::{Launch, Server};
use lab_core::stages::binary_directory;
use load::Report;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// The load, as it is typed.
#[derive(Clone, Debug)]
pub(super) struct Load {
    /// What `./lab load` is called with, but for the URL.
    words: Vec<String>,
    pub(super) path: String,
    pub(super) duration: Duration,
}

/// How long the load is on the server before it is looked at.
pub(super) const WARM_UP: Duration = Duration::from_millis(500);

impl Load {
    /// Options of `./lab load` and a path, in any order; the path is `/` where there is none.
    pub(super) fn parse(text: &str, duration: Duration) -> Result<Self> {
        let (paths, words): (Vec<&str>, Vec<&str>) =
            text.split_whitespace().partition(|word| word.starts_with('/'));
        ensure!(paths.len() <= 1, "--load: one path is allowed, and there are {}", paths.join(", "));
        const OURS: [&str; 5] = ["--json", "--duration", "-d", "--warm-up", "--rate-of-peak"];
        let is_ours =
            |word: &&&str| OURS.iter().any(|ours| *word == ours || word.starts_with(&format!("{ours}=")));
        if let Some(ours) = words.iter().find(is_ours) {
            bail!("--load: {ours} is set by this command; --seconds says how long");
        }
        let path = paths.first().unwrap_or(&"/").to_string();
        Ok(Self { words: words.into_iter().map(str::to_owned).collect(), path, duration })
    }

    /// As it reads in a sentence.
    pub(super) fn text(&self) -> String {
        let words = self.words.join(" ");
        format!("GET {}{}{words}", self.path, if words.is_empty() { "" } else { ", load " })
    }

    /// What the floor must be told to answer such a load; `None` where it cannot: it knows no path but the
    /// lab's two plain ones, and sends no more than 64 KiB.
    pub(super) fn floor_options(&self) -> Option<Vec<String>> {
        let has = |option: &str| self.words.iter().any(|word| word == option);
        let connection = if has("--close") { "close" } else { "nothing" };
        let per = if has("--pipeline") { "request" } else { "read" };
        let mut options: Vec<String> =
            ["--connection", connection, "--reply-per", per].map(str::to_owned).into();
        if self.path != "/" {
            let length: u64 = self.path.strip_prefix("/bytes/")?.parse().ok()?;
            (length <= 65_536).then_some(())?;
            options.extend(["--filler".to_owned(), length.to_string()]);
        }
        Some(options)
    }
}

/// A server, and how to put the load on it.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) name: String,
    pub(super) launch: Launch,
    pub(super) generator_cpus: Vec<usize>,
}

/// The load while it is on a server.
pub(super) struct UnderLoad {
    generator: Child,
}

impl Target {
    /// Starts the server.
    pub(super) fn start(&self) -> Result<Server> {
        self.launch.start().with_context(|| format!("{} does not start", self.name))
    }

    /// Puts the load on, for the warm-up and so long after it. What comes in the warm-up is counted only if
    /// `all` is.
    pub(super) fn load(&self, server: &Server, load: &Load, all: bool) -> Result<UnderLoad> {
        let mut launch = Launch::new(binary_directory()?.join("harness"));
        let (before, duration) =
            if all { (Duration::ZERO, WARM_UP + load.duration) } else { (WARM_UP, load.duration) };
        let url = format!("http://{}{}", server.addr, load.path);
        let seconds = [("--duration", duration), ("--warm-up", before)];
        let seconds =
            seconds.iter().flat_map(|(option, time)| [option.to_string(), time.as_secs_f64().to_string()]);
        launch.args = ["load", "--json"].map(str::to_owned).into();
        launch.args.extend(load.words.iter().cloned().chain(seconds).chain([url]));
        launch.cpus = Some(self.generator_cpus.clone());
        let mut command: Command = launch.command()?;
        let generator = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("cannot start the generator")?;
        Ok(UnderLoad { generator })
    }
}

impl UnderLoad {
    /// Waits for the end of the load; what was answered.
    pub(super) fn end(self) -> Result<Report> {
        let output = self.generator.wait_with_output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        let complaint = String::from_utf8_lossy(&output.stderr);
        let complaint = complaint.lines().last().unwrap_or("it says nothing").trim_start_matches("lab: ");
        let json = text.lines().rfind(|line| line.starts_with('{'));
        let report: Report = serde_json::from_str(json.with_context(|| format!("--load: {complaint}"))?)?;
        ensure!(report.main.requests > 0, "no request was answered right: {}", report.complaint());
        Ok(report)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Load> {
        Load::parse(text, Duration::from_secs(1))
    }

    #[test]
    fn a_load_is_options_and_a_path() {
        let load = parse("-c 1 --close /bytes/4096").expect("good");
        assert_eq!((load.words.join(" ").as_str(), load.path.as_str()), ("-c 1 --close", "/bytes/4096"));
        assert_eq!(parse("").expect("good").path, "/");
        for bad in ["/ /", "-d 3", "--duration=3", "--json"] {
            assert!(parse(bad).expect_err(bad).to_string().starts_with("--load: "), "{bad}");
        }
    }

    /// Protects the comparison: a floor that answers something else would be no floor.
    #[test]
    fn the_floor_is_told_what_to_answer_and_left_out_where_it_cannot() {
        let options = |text: &str| parse(text).expect("good").floor_options().map(|words| words.join(" "));
        assert_eq!(options("/").as_deref(), Some("--connection nothing --reply-per read"));
        let long = "--connection close --reply-per read --filler 4096";
        assert_eq!(options("--close /bytes/4096").as_deref(), Some(long));
        let deep = "--connection nothing --reply-per request";
        assert_eq!(options("--pipeline 16 /").as_deref(), Some(deep));
        for none in ["/sleep/1", "/spin/50", "/bytes/65537", "/bytes/x", "/file"] {
            assert_eq!(options(none), None, "{none}");
        }
    }
}
