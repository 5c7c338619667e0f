//! The parent: forks the clients, adds up what they counted, reports.

use super::client::{Client, Tally};
use super::{Options, Request, Version};
use anyhow::{Context, Error, Result, ensure};
use clap::{CommandFactory, Parser};
use lab_core::one_line;
use lab_core::wire::connect_first;
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, Pid, fork, getpid, getppid, pipe};
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::process::ExitCode;
use std::time::Duration;

const BAD_ARGUMENTS: u8 = 2;
const UNREACHABLE: u8 = 1;
const RUN_FAILED: u8 = 3;
/// How long an address may take to accept a connection before the next one of the same name is tried.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The program `webbench`.
pub fn main() -> ExitCode {
    drive().unwrap_or_else(|(status, problem)| {
        eprintln!("webbench: {problem}");
        status.into()
    })
}

/// The whole program. An error is the exit status and the line that says what is wrong.
fn drive() -> Result<ExitCode, (u8, String)> {
    let options = Options::try_parse().map_err(|error| (BAD_ARGUMENTS, one_line(&error)))?;
    if options.print_version {
        println!("1.5");
        return Ok(ExitCode::SUCCESS);
    }
    let Some(url) = options.url.as_deref().filter(|_| !options.help) else {
        eprint!("{}", Options::command().render_help());
        return Ok(BAD_ARGUMENTS.into());
    };
    let failed = |status: u8| move |error: Error| (status, format!("{error:#}"));
    let request = Request::new(url, &options).map_err(failed(BAD_ARGUMENTS))?;
    eprintln!("Webbench 1.5, clean-room driver: {} {url}", options.method());
    let connected = request.target.resolve().and_then(|addrs| connect_first(&addrs, CONNECT_TIMEOUT));
    let (addr, _) = connected.map_err(failed(UNREACHABLE))?;
    let client = Client {
        addr,
        request: request.text.as_bytes(),
        shut_after_request: options.version() == Version::Http09,
        wait_for_reply: !options.force,
    };
    let clients = options.clients.max(1);
    print!("\nRequest:\n{}\n{}\n", request.text, running(&options, &request, clients));
    let tally = run(&client, clients, options.time).map_err(failed(RUN_FAILED))?;
    print!("{}", report(&tally, options.time));
    if let Some(doubt) = doubt(&client, &tally) {
        eprintln!("webbench: {doubt}");
    }
    Ok(ExitCode::SUCCESS)
}

/// `Runing info: …`, spelt as in the original: parsers expect it.
fn running(options: &Options, request: &Request, clients: u32) -> String {
    let mut line = match clients {
        1 => "Runing info: 1 client".to_owned(),
        more => format!("Runing info: {more} clients"),
    };
    line += &format!(", running {} sec", options.time);
    if options.force {
        line += ", early socket close";
    }
    if options.proxy.is_some() {
        line += &format!(", via proxy server {}:{}", request.target.host, request.target.port);
    }
    if options.reload {
        line += ", forcing reload";
    }
    line + "."
}

/// The two lines that a run ends with. The speed counts failures too, and is per minute.
pub fn report(tally: &Tally, seconds: u32) -> String {
    let seconds = u64::from(seconds);
    let per_minute = (tally.succeeded + tally.failed) * 60 / seconds;
    format!(
        "\nSpeed={per_minute} pages/min, {} bytes/sec.\nRequests: {} susceed, {} failed.\n",
        tally.bytes / seconds,
        tally.succeeded,
        tally.failed
    )
}

/// Why the report, which is the original's, is not what it seems.
fn doubt(client: &Client, tally: &Tally) -> Option<String> {
    let has_status = client.wait_for_reply && !client.shut_after_request;
    match (tally.succeeded + tally.failed, tally.bytes) {
        (0, 0) => Some("nothing was counted: no reply came".into()),
        (0, _) => Some(
            "nothing was counted: bytes came, and no reply ended; the server does not close the connection, \
             or it needs more time"
                .into(),
        ),
        _ if !has_status || tally.has_success() || tally.succeeded == 0 => None,
        _ if tally.status == 0 => Some("no reply was a 2xx: none had a status".into()),
        _ => Some(format!("no reply was a 2xx: the last status was {}", tally.status)),
    }
}

/// Forks the clients and waits for all of them.
fn run(client: &Client, clients: u32, seconds: u32) -> Result<Tally> {
    // A child must not write again what its parent has buffered.
    std::io::stdout().flush().context("cannot write to stdout")?;
    let (results, result) = pipe().context("cannot make a pipe")?;
    let mut children: Vec<Pid> = Vec::new();
    let parent = getpid();
    for _ in 0..clients {
        // SAFETY: this process has one thread, so the child inherits no lock that another one holds.
        match unsafe { fork() } {
            Ok(ForkResult::Parent { child }) => children.push(child),
            Ok(ForkResult::Child) => {
                drop(results);
                let status = die_with(parent).and_then(|()| work(client, seconds, File::from(result)));
                // SAFETY: _exit(2) runs nothing of the parent's on the way out.
                unsafe { nix::libc::_exit(i32::from(status.is_err())) }
            }
            Err(error) => {
                // Those that run end by their alarm; a smaller number of clients is another measurement.
                for child in children {
                    let _ = kill(child, Signal::SIGKILL);
                }
                return Err(error).context(format!("cannot fork {clients} clients"));
            }
        }
    }
    drop(result);
    let (mut total, mut reports) = (Tally::default(), 0);
    for line in BufReader::new(File::from(results)).lines() {
        let line = line.context("cannot read the clients' results")?;
        total.add(serde_json::from_str(&line).with_context(|| format!("a client's result: {line}"))?);
        reports += 1;
    }
    for child in children {
        waitpid(child, None).context("cannot wait for a client")?;
    }
    ensure!(reports == clients, "{} of {clients} clients died", clients - reports);
    Ok(total)
}

/// Without a parent nothing would read what a client counts, and it would go on asking a server that others
/// may measure by then.
fn die_with(parent: Pid) -> Result<()> {
    set_pdeathsig(Signal::SIGKILL)?;
    // The parent may have died before the line above.
    ensure!(getppid() == parent, "the parent is gone");
    Ok(())
}

/// The life of a child. One line is less than PIPE_BUF, so the lines of several children never mix.
fn work(client: &Client, seconds: u32, mut result: File) -> Result<()> {
    // All children are there before the first one begins.
    std::thread::sleep(Duration::from_secs(1));
    let line = serde_json::to_string(&client.run(seconds)?)? + "\n";
    Ok(result.write_all(line.as_bytes())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_is_byte_for_byte_what_parsers_expect() {
        let tally = Tally { succeeded: 100, failed: 1, bytes: 5_000_000_000, status: 200 };
        assert_eq!(
            report(&tally, 7),
            "\nSpeed=865 pages/min, 714285714 bytes/sec.\nRequests: 100 susceed, 1 failed.\n"
        );
    }

    #[test]
    fn the_running_line_names_every_option() {
        let url = "http://h/";
        let options =
            Options::parse_from(["webbench", "-f", "-r", "-t", "3", "-c", "0", "-p", "p:3128", url]);
        let request = Request::new(url, &options).expect("a good URL");
        assert_eq!(
            running(&options, &request, options.clients.max(1)),
            "Runing info: 1 client, running 3 sec, early socket close, via proxy server p:3128, forcing reload."
        );
        assert!(running(&options, &request, 2).starts_with("Runing info: 2 clients, running 3 sec"));
    }
}
