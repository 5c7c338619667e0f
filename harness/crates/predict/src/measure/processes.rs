//! Processes, their memory, and what happens when one of them ends.

use super::client::{Client, LONG};
use super::{Found, Lab, SETTLED};
use anyhow::{Context, Result, ensure};
use lab_core::process::{Usage, descendants, memory_of_tree};
use lab_core::units::{bytes, count};
use load::{Args, measure_silently, raise_descriptor_limit};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs::read_to_string;
use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::thread::sleep;
use std::time::Duration;

pub(super) fn number(lab: &Lab, server: &str, clients: usize) -> Result<Found> {
    let server = lab.start(server)?;
    raise_descriptor_limit(clients as u32, 1)?;
    let _silent = Client::silent(server.addr, clients, false)?;
    sleep(SETTLED * 2);
    let found = Usage::of_tree(server.pid() as u32).processes;
    let pids = std::iter::once(server.pid()).chain(descendants(server.pid()).into_iter().map(|one| one.pid));
    let page_tables: u64 = pids.filter_map(page_tables).sum();
    let words = format!(
        "{found} processes for {}; their page tables take {}, {} for each",
        count(clients, "client"),
        bytes(page_tables as f64),
        bytes(page_tables as f64 / found.max(1) as f64)
    );
    Ok(Found::number(found as f64, words))
}

/// Bytes of page tables (`VmPTE` of proc_pid_status(5)).
fn page_tables(pid: i32) -> Option<u64> {
    let status = read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmPTE:"))?;
    Some(1024 * line.split_whitespace().next()?.parse::<u64>().ok()?)
}

pub(super) fn memory(lab: &Lab, server: &str, clients: usize) -> Result<Found> {
    let server = lab.start(server)?;
    let pid = server.pid() as u32;
    raise_descriptor_limit(clients as u32, 1)?;
    // What the first connection alone costs is not of each.
    let _first = Client::silent(server.addr, 1, false)?;
    sleep(SETTLED);
    let denied = "the kernel does not permit reading the memory of the server";
    let before = memory_of_tree(pid).context(denied)?;
    let _silent = Client::silent(server.addr, clients, false)?;
    sleep(SETTLED * 3);
    let grown = memory_of_tree(pid).context(denied)?.saturating_sub(before);
    let each = grown as f64 / clients as f64;
    let words = format!(
        "{} for each of {}, {} in all",
        bytes(each),
        count(clients, "silent client"),
        bytes(grown as f64)
    );
    Ok(Found::number(each, words))
}

/// A second descriptor is what fork leaves in a parent that does not close its own.
pub(super) fn end_behind_a_duplicate() -> Result<Found> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let mut client = TcpStream::connect(listener.local_addr()?)?;
    let (accepted, _) = listener.accept()?;
    let duplicate = accepted.try_clone()?;
    drop(accepted);
    client.set_read_timeout(Some(Duration::from_millis(500)))?;
    let sees_it = matches!(client.read(&mut [0]), Ok(0));
    drop(duplicate);
    let then = matches!(client.read(&mut [0]), Ok(0));
    let words = format!(
        "one of two descriptors closed: the client {}; both closed: it {}",
        if sees_it { "sees the end" } else { "sees nothing for half a second" },
        if then { "sees the end" } else { "sees nothing" }
    );
    Ok(Found::key(if sees_it { "yes" } else { "no" }, words))
}

pub(super) fn killed_child(lab: &Lab, server: &str) -> Result<Found> {
    /// Enough for each child to have some.
    const CLIENTS: usize = 8;
    const NEWS: Duration = Duration::from_millis(100);
    let server = lab.start(server)?;
    let mut clients = Client::silent(server.addr, CLIENTS, true)?;
    let victim = descendants(server.pid()).into_iter().next().context("the server has no child")?;
    // It is a child of a server that was started here.
    kill(Pid::from_raw(victim.pid), Signal::SIGKILL)?;
    sleep(SETTLED);
    let mut ended = 0;
    for client in &mut clients {
        if client.has_news_within(NEWS)? {
            ended += 1;
        } else {
            client.get("/").context("a client of another process has no reply any more")?;
        }
    }
    Client::connect(server.addr)?.get("/").context("a new client has no reply")?;
    let key = match ended {
        0 => "none",
        CLIENTS => "all",
        _ => "own",
    };
    Ok(Found::key(
        key,
        format!("{ended} of {CLIENTS} clients lost their connection; the others and a new one are answered"),
    ))
}

pub(super) fn started_twice(lab: &Lab, server: &str) -> Result<Found> {
    let first = lab.start(server)?;
    let mut second = lab.launch(server)?;
    let place = second.args.iter().position(|arg| arg == "--addr").context("a stage has an address")?;
    second.args[place + 1] = first.addr.to_string();
    let Err(error) = second.start() else {
        return Ok(Found::key("joins", "it started, and both listen on the port"));
    };
    ensure!(Client::connect(first.addr)?.get("/")? < LONG, "the first server does not answer any more");
    let line = format!("{error:#}");
    let line = line
        .split("its last line: ")
        .last()
        .unwrap_or(&line)
        .split(": exit status")
        .next()
        .unwrap_or_default();
    Ok(Found::key("refused", format!("it ended: {line}; the clients of the first one notice nothing")))
}

/// Of the line that stage 09 prints at its end.
pub(super) fn wake_ups(lab: &Lab, server: &str, clients: &[u32]) -> Result<Found> {
    const LINE: &str = " times a process was woken for it";
    let (mut first, mut words) = (None, Vec::new());
    for &clients in clients {
        let mut server = lab.start(server)?;
        let mut args = Args::new(&format!("http://{}/", server.addr));
        (args.connections, args.duration, args.close) = (clients, Duration::from_secs(1), true);
        measure_silently(&args)?;
        server.signal(Signal::SIGTERM);
        server.wait(LONG).context("the server did not end")?;
        sleep(SETTLED);
        let text = server.stderr();
        let line = text.lines().find_map(|line| line.strip_suffix(LINE));
        let numbers =
            line.map(|line| line.split(|c: char| !c.is_ascii_digit()).filter_map(|word| word.parse().ok()));
        let numbers: Vec<f64> = numbers.context("the server counts no wake-ups")?.collect();
        let [.., accepted, woken] = numbers.as_slice() else {
            anyhow::bail!("the server counts no wake-ups")
        };
        let each = woken / accepted.max(1.0);
        first = first.or(Some(each));
        words.push(format!("{each:.2} for each connection with {}", count(clients as usize, "client")));
    }
    Ok(Found::number(
        first.context("no number of clients is named")?,
        format!("wake-ups: {}", words.join(", ")),
    ))
}
