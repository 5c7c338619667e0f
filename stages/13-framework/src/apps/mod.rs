//! The applications, and the command line that chooses one.

mod authority;
mod cgi;
mod chat;
mod dashboard;
pub(crate) mod front;
pub(crate) mod httpd;

use clap::builder::NonEmptyStringValueParser;
use clap::{Parser, ValueEnum};
use framework::Settings;
use kit::options::workers;
use kit::protocol::http::Limits;
use std::io;
use std::num::NonZeroUsize;
use std::thread::available_parallelism;
use std::time::Duration;

/// Stage 13: servers on a framework.
#[derive(Debug, Parser)]
#[command(version)]
pub(crate) struct Options {
    /// What is served
    #[arg(long, value_enum, default_value = "httpd")]
    pub(crate) app: App,

    /// How many loops a process has, each in its thread [default: the number of CPUs]
    #[arg(long, value_name = "N", value_parser = workers)]
    pub(crate) workers: Option<usize>,

    /// How many processes serve
    #[arg(long, value_name = "N", default_value = "1", value_parser = workers)]
    pub(crate) processes: usize,

    /// What a client over the limit on connections is told; without it accepting pauses
    #[arg(long, value_name = "TEXT", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) busy_message: Option<String>,

    /// How long a program of --app cgi may run [default: 5]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) cgi_time: Option<Duration>,

    /// How many bytes it may write [default: 1048576]
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    pub(crate) cgi_output: Option<usize>,

    /// How often --app dashboard sends its figures [default: 500]
    #[arg(long, value_name = "MS", value_parser = interval)]
    pub(crate) dashboard_interval: Option<Duration>,

    /// A page of --app dashboard may start load against this server
    #[arg(long)]
    pub(crate) dashboard_load: bool,

    /// What every stage understands.
    #[command(flatten)]
    pub(crate) common: kit::options::Options,
}

/// An application.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum App {
    /// What every stage serves
    Httpd,
    /// Lines to everybody else, over plain TCP or WebSocket
    Chat,
    /// A program below --root for each request: /cgi-bin/NAME (CGI/1.1)
    Cgi,
    /// What every stage serves, and a live page at / for a browser
    Dashboard,
}

impl Options {
    /// The settings of a server that runs as a stage.
    pub(crate) fn settings(&self) -> Settings {
        let cpus = || available_parallelism().map_or(1, NonZeroUsize::get);
        Settings {
            addr: self.common.addr,
            backlog: self.common.backlog,
            workers: self.workers.unwrap_or_else(cpus),
            processes: self.processes,
            idle_timeout: self.common.idle_timeout,
            max_connections: Some(self.common.max_connections),
            busy_message: self.busy_message.clone().map(String::into_bytes),
            signals: true,
            announce: true,
            ..Settings::default()
        }
    }

    /// # Errors
    /// `InvalidInput`, if an option would have no effect: whoever gives it expects one.
    fn check(&self) -> io::Result<()> {
        let (app, common, limits) = (self.app, &self.common, &self.common.limits);
        let usual = Limits::default();
        let work = (limits.max_bytes, limits.max_sleep, limits.max_spin);
        let has_work = work != (usual.max_bytes, usual.max_sleep, usual.max_spin);
        let serves_http = [App::Httpd, App::Dashboard].contains(&app);
        for (is_given, has_effect, what) in [
            (self.cgi_time.is_some(), app == App::Cgi, "--cgi-time is for --app cgi"),
            (self.cgi_output.is_some(), app == App::Cgi, "--cgi-output is for --app cgi"),
            (
                self.dashboard_interval.is_some(),
                app == App::Dashboard,
                "--dashboard-interval is for --app dashboard",
            ),
            (self.dashboard_load, app == App::Dashboard, "--dashboard-load is for --app dashboard"),
            (
                common.root.is_some(),
                app != App::Chat,
                "--root has no effect with --app chat: it serves no files",
            ),
            (common.protocol.is_some(), app == App::Httpd, "--protocol is for --app httpd"),
            (
                has_work,
                serves_http,
                "--max-bytes, --max-sleep and --max-spin are for --app httpd and dashboard",
            ),
        ] {
            if is_given && !has_effect {
                return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
            }
        }
        Ok(())
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(seconds) if (0.01..=3_600.0).contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        _ => Err("expected a number of seconds from 0.01 to 3600".to_owned()),
    }
}

fn interval(text: &str) -> Result<Duration, String> {
    match text.parse().map(Duration::from_millis) {
        Ok(interval) if dashboard::INTERVALS.contains(&interval) => Ok(interval),
        _ => Err("expected a whole number of milliseconds from 10 to 10000".to_owned()),
    }
}

fn bytes(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(bytes @ 1..=1_073_741_824) => Ok(bytes),
        _ => Err("expected a whole number from 1 to 1073741824".to_owned()),
    }
}

/// Runs the application that was chosen.
///
/// # Errors
/// Why it cannot serve.
pub(crate) fn run(options: Options) -> io::Result<()> {
    options.check()?;
    match options.app {
        App::Httpd => httpd::run(&options),
        App::Chat => chat::run(&options),
        App::Cgi => cgi::run(&options),
        App::Dashboard => dashboard::run(&options),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Protects whoever gives an option and expects something of it: one that changes nothing is refused, and
    /// it is said where it belongs.
    #[test]
    fn an_option_without_effect_is_refused() {
        let check = |words: &str| {
            let options = Options::try_parse_from(["stage-13"].into_iter().chain(words.split(' ')));
            options.map_err(|error| error.to_string())?.check().map_err(|error| error.to_string())
        };
        for (words, says) in [
            ("--app chat --root /tmp", "--root has no effect"),
            ("--app chat --protocol http", "--protocol is for --app httpd"),
            ("--app cgi --protocol echo", "--protocol is for --app httpd"),
            ("--app dashboard --protocol echo", "--protocol is for --app httpd"),
            ("--app chat --cgi-time 5", "--cgi-time is for --app cgi"),
            ("--app dashboard --cgi-output 1048576", "--cgi-output is for --app cgi"),
            ("--dashboard-load", "--dashboard-load is for --app dashboard"),
            ("--app cgi --dashboard-interval 500", "--dashboard-interval is for --app dashboard"),
            ("--app cgi --max-bytes 5", "--max-bytes"),
            ("--busy-message ", "a value is required"),
        ] {
            let error = check(words).expect_err(words);
            assert!(error.contains(says), "{words}: {error}");
        }
        for words in [
            "--protocol echo --root /tmp --max-bytes 5",
            "--app cgi --root /tmp --cgi-time 5 --cgi-output 5 --max-body 5",
            "--app dashboard --root /tmp --dashboard-load --dashboard-interval 50 --max-sleep 5",
            "--app chat --idle-timeout 5 --header-timeout 5 --busy-message busy",
        ] {
            assert_eq!(check(words), Ok(()), "{words}");
        }
    }
}
