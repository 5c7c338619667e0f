//! `./lab stage N`: runs a stage on the terminal until Ctrl-C.

use crate::Cli;
use anyhow::{Context, Result};
use clap::CommandFactory;
use lab_core::server_process::{EndedEarly, Launch, Server, Stderr, override_options};
use lab_core::stages::{self, Stage};
use lab_core::{Usage, whole};
use nix::sys::signal::Signal;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitCode, ExitStatus};
use std::time::Duration;

/// The ports that there are; 0 is any.
const PORTS: RangeInclusive<u64> = 0..=65_535;

/// Where a stage listens unless another place is named.
const DEFAULT_ADDR: &str = "127.0.0.1:8080";

/// The options.
#[derive(clap::Args)]
#[command(disable_help_flag = true, override_usage = "./lab stage [OPTIONS] <STAGE> [STAGE OPTIONS]...")]
pub(crate) struct Args {
    /// Print help; behind a stage: that stage's options.
    #[arg(short, long)]
    help: bool,

    /// Listen on this port of 127.0.0.1; 0 is any.
    #[arg(long, value_parser = whole::<u16>(PORTS))]
    port: Option<u16>,

    /// The stage or twin: 4, 04, 5-mio, or its folder: 04-nonblocking-epoll.
    #[arg(required_unless_present = "help")]
    stage: Option<String>,

    /// Options for the stage (`stage 4 --help` lists them). --port may stand among them.
    #[arg(value_name = "STAGE OPTIONS", allow_hyphen_values = true)]
    options: Vec<String>,
}

/// Runs it.
pub(crate) fn run(mut args: Args) -> Result<ExitCode> {
    let Some(name) = args.stage.take() else {
        let mut lab = Cli::command();
        lab.build();
        lab.find_subcommand_mut("stage").context("it was typed")?.print_help()?;
        return Ok(ExitCode::SUCCESS);
    };
    let stages = stages::discover()?;
    let stage = stages::find(&stages, &name)?;
    if let Some(port) = take_port(&mut args.options)? {
        if args.port.is_some() {
            return Err(Usage::new("--port is given twice".to_owned()).into());
        }
        args.port = Some(port);
    }
    let launch = launch(stage, &args);
    if args.help || launch.args.iter().any(|arg| matches!(arg.as_str(), "--help" | "-h" | "--version" | "-V"))
    {
        return Ok(exit_code(launch.command()?.status()?));
    }
    // Before the server starts: a Ctrl-C between the two must not leave it behind.
    let signals = Signals::new([SIGINT, SIGTERM]).context("cannot catch signals")?;
    let server = match launch.start() {
        Ok(server) => server,
        // The stage said in one line on the terminal what was wrong. Its status stands for itself.
        Err(error) => match error.downcast_ref::<EndedEarly>() {
            Some(EndedEarly(status)) => return Ok(exit_code(*status)),
            None => return Err(error),
        },
    };
    introduce(stage, server.addr, server.pid(), &launch.args);
    Ok(exit_code(follow(server, signals)))
}

/// Takes `--port N` out of the options of a stage: no stage has one, and users put it behind them.
fn take_port(options: &mut Vec<String>) -> Result<Option<u16>> {
    let is_port = |option: &String| option == "--port" || option.starts_with("--port=");
    let Some(at) = options.iter().position(is_port) else { return Ok(None) };
    let option = options.remove(at);
    let value = match option.split_once('=') {
        Some((_, value)) => value.to_owned(),
        None if at < options.len() => options.remove(at),
        None => String::new(),
    };
    let port = whole(PORTS)(&value);
    Ok(Some(port.map_err(|why| Usage::new(format!("--port `{}`: {why}", value.escape_debug())))?))
}

fn launch(stage: &Stage, args: &Args) -> Launch {
    let addr = args.port.map_or(DEFAULT_ADDR.to_owned(), |port| format!("127.0.0.1:{port}"));
    let mut launch = stage.launch(&override_options(&["--addr".to_owned(), addr], &args.options));
    launch.args.extend(args.help.then(|| "--help".to_owned()));
    launch.stderr = Stderr::Inherited;
    launch
}

/// Passes each signal on exactly once until the server ends. The server has a process group of its own, so a
/// Ctrl-C of the terminal reaches it only through here.
fn follow(mut server: Server, mut signals: Signals) -> ExitStatus {
    loop {
        for signal in signals.pending() {
            if let Ok(signal) = Signal::try_from(signal) {
                server.signal(signal);
            }
        }
        if let Some(status) = server.wait(Duration::from_millis(20)) {
            return status;
        }
    }
}

/// As a shell shows it: 128 + n for a death by signal n.
fn exit_code(status: ExitStatus) -> ExitCode {
    let code = status.code().or(status.signal().map(|signal| 128 + signal)).unwrap_or(1);
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}

/// The value of an option of the stage.
fn value<'a>(args: &'a [String], option: &str) -> Option<&'a str> {
    let at = args.iter().rposition(|arg| arg.split('=').next() == Some(option))?;
    args[at].split_once('=').map(|(_, value)| value).or_else(|| args.get(at + 1).map(String::as_str))
}

fn introduce(stage: &Stage, addr: SocketAddr, pid: i32, args: &[String]) {
    let what = value(args, "--app").or(value(args, "--protocol")).unwrap_or("http");
    println!("Stage {}, {}, listens on {addr} ({what}); its pid is {pid}.", stage.name, stage.title);
    println!("{}", stage.idea);
    println!();
    println!("Try:");
    let held = stage.serves_at_once.map_or(64, |limit| limit.min(64));
    what_to_try(addr, held, args).iter().for_each(|line| println!("  {line}"));
    println!();
    println!("Read: ./lab notes, chapter {}", stage.number);
    println!("Stop: Ctrl-C");
}

/// How to talk to a server with these options. `held`: how many clients it serves at once, at most 64.
fn what_to_try(addr: SocketAddr, held: usize, args: &[String]) -> Vec<String> {
    let (host, port) = (addr.ip(), addr.port());
    let may_load = args.iter().any(|arg| arg == "--dashboard-load");
    match (value(args, "--app"), value(args, "--protocol")) {
        (Some("chat"), _) => vec![
            format!("nc {host} {port}    # in two terminals: press Enter to come in, then type"),
            format!("http://{addr}/    # in a browser: the same room"),
        ],
        (Some("cgi"), _) => vec![
            format!("ls -l {}    # a program here is /cgi-bin/NAME", value(args, "--root").unwrap_or("DIR")),
            format!("curl -v http://{addr}/cgi-bin/NAME"),
            format!("curl -v --data 'its standard input' 'http://{addr}/cgi-bin/NAME/path?query'"),
        ],
        (Some("dashboard"), _) if may_load => {
            vec![format!("http://{addr}/    # in a browser: start a load on the page, then let a loop sleep")]
        }
        (Some("dashboard"), _) => vec![
            format!("http://{addr}/    # in a browser: what the server does, live"),
            format!("./lab load http://{addr}/    # with --dashboard-load the page has a button for it"),
        ],
        (_, Some("echo")) => vec![
            format!("printf 'hello\\n' | nc -q1 {host} {port}"),
            format!("nc {host} {port}          # type, and see it come back; in two terminals at once?"),
            format!("head -c 1000000 /dev/zero | nc -q1 {host} {port} | wc -c"),
        ],
        _ => vec![
            format!("curl -v http://{addr}/"),
            format!("printf 'GET / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n' | nc -q1 {host} {port}"),
            format!("wrk -t1 -c{held} -d2s http://{addr}/"),
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(String::from).collect()
    }

    /// Protects a new user: what the banner says can be typed, for the application that runs.
    #[test]
    fn each_application_is_tried_in_its_own_way() {
        let addr = "127.0.0.1:8080".parse().expect("an address");
        for (options, says) in [
            ("--protocol http", "curl -v http://127.0.0.1:8080/"),
            ("--protocol http --protocol=echo", "nc 127.0.0.1 8080  "),
            ("--app httpd", "wrk -t1 -c7 "),
            ("--app chat", "press Enter"),
            ("--app=cgi --root /tmp/programs", "ls -l /tmp/programs "),
            ("--app cgi --root /tmp/programs", "curl -v http://127.0.0.1:8080/cgi-bin/NAME"),
            ("--app dashboard --dashboard-load", "start a load on the page"),
            ("--app dashboard", "./lab load http://127.0.0.1:8080/"),
        ] {
            let lines = what_to_try(addr, 7, &words(options));
            assert!(lines.iter().any(|line| line.contains(says)), "{options}: {lines:#?}");
            assert!(
                options.contains("httpd") || !options.contains("--app") || !lines.join(" ").contains("wrk")
            );
        }
    }

    /// Protects whoever types the launcher's option behind those of the stage.
    #[test]
    fn the_port_stands_anywhere() {
        for (options, port, left) in [
            ("--app dashboard --port 0", Some(0), "--app dashboard"),
            ("--port=65535 --app chat", Some(65_535), "--app chat"),
            ("--app chat", None, "--app chat"),
        ] {
            let mut options = words(options);
            assert_eq!(take_port(&mut options).expect("a port"), port);
            assert_eq!(options, words(left));
        }
        for options in ["--port", "--port 65536", "--port=x", "--port --app"] {
            let error = take_port(&mut words(options)).expect_err(options);
            assert!(error.is::<Usage>() && error.to_string().contains("0..=65535"), "{options}: {error}");
        }
    }
}
