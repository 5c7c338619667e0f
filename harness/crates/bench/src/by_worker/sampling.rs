//! A few requests beside the load, each on a connection whose worker is known: how long that worker's clients
//! wait. And the connection that slows one of them down.

use super::long::{Dealt, deal};
use super::sockets::Sockets;
use super::worker_of;
use super::workers::Worker;
use crate::generators::Load;
use anyhow::{Context, Result, anyhow};
use lab_core::wire::Replies;
use records::Placement;
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::{Duration, Instant};

/// Clients that ask beside the load.
const CLIENTS: usize = 16;
/// Each of them asks so often.
const EVERY: Duration = Duration::from_millis(20);
/// How long a reply may take.
const LIMIT: Duration = Duration::from_secs(5);
/// The slowed worker sleeps so long, and then serves others for as long.
const SLEEP_MS: u64 = 10;

/// Clients beside the load.
pub(super) struct Samplers {
    clients: Vec<JoinHandle<Result<Asked>>>,
}

/// What one of them has found.
struct Asked {
    /// The worker of each request, and how long its reply took, µs.
    waits: Vec<(usize, u64)>,
    /// The worker that has its connection, if it keeps one.
    kept: Option<usize>,
}

impl Samplers {
    /// Starts them.
    pub(super) fn start(load: &Load, workers: &[Worker], stop: &Arc<AtomicBool>) -> Result<Self> {
        let client = |at: usize| {
            let (load, workers, stop) = (load.clone(), workers.to_vec(), Arc::clone(stop));
            let sockets = Sockets::of(load.addr)?;
            let offset = offset(at);
            Ok(spawn(move || match load.keep_alive {
                true => {
                    let connection = connection(&load, &sockets, &workers)?;
                    kept(&load, connection, (offset, &stop))
                }
                false => short(&load, &sockets, &workers, (offset, &stop)),
            }))
        };
        Ok(Self { clients: (0..CLIENTS).map(client).collect::<Result<_>>()? })
    }

    /// The same with kept connections, of which each worker has as many as any other.
    pub(super) fn start_evenly(
        load: &Load,
        (sockets, workers): (&Sockets, &[Worker]),
        stop: &Arc<AtomicBool>,
    ) -> Result<Self> {
        let connection = || {
            let (stream, worker) = connection(load, sockets, workers)?;
            Ok(((stream, worker), worker))
        };
        let Dealt { streams, .. } = deal(Placement::Each, (CLIENTS, workers.len()), connection)?;
        let client = |(at, connection): (usize, (TcpStream, usize))| {
            let (load, stop) = (load.clone(), Arc::clone(stop));
            spawn(move || kept(&load, connection, (offset(at), &stop)))
        };
        Ok(Self { clients: streams.into_iter().enumerate().map(client).collect() })
    }

    /// How long the requests of each worker took, and how many of the kept connections it had.
    pub(super) fn end(self, workers: usize) -> Result<(Vec<Vec<u64>>, Vec<u64>)> {
        let (mut waits, mut kept) = (vec![Vec::new(); workers], vec![0; workers]);
        for client in self.clients {
            let asked = client.join().map_err(|_| anyhow!("a client beside the load has panicked"))??;
            asked.waits.into_iter().for_each(|(worker, wait)| waits[worker].push(wait));
            asked.kept.into_iter().for_each(|worker| kept[worker] += 1);
        }
        Ok((waits, kept))
    }
}

/// The times at which a client asks: it does not fall behind because a reply was late.
fn times(offset: Duration, stop: &AtomicBool) -> impl Iterator<Item = Instant> {
    let start = Instant::now() + offset;
    (0..).map(move |n| start + EVERY * n).take_while(|intended| {
        sleep(intended.saturating_duration_since(Instant::now()));
        !stop.load(Relaxed)
    })
}

/// They do not ask all at once.
fn offset(at: usize) -> Duration {
    EVERY * at as u32 / CLIENTS as u32
}

/// A connection, and the worker that has it.
pub(super) fn connection(load: &Load, sockets: &Sockets, workers: &[Worker]) -> Result<(TcpStream, usize)> {
    let stream = connect(load.addr)?;
    let worker = worker_of(sockets, workers, stream.local_addr()?.port())?;
    Ok((stream, worker))
}

/// Asks on one connection.
fn kept(
    load: &Load,
    (mut stream, worker): (TcpStream, usize),
    (offset, stop): (Duration, &AtomicBool),
) -> Result<Asked> {
    let mut waits = Vec::new();
    for intended in times(offset, stop) {
        ask(&mut stream, load, &load.path)?;
        waits.push((worker, micros(intended)));
    }
    Ok(Asked { waits, kept: Some(worker) })
}

/// Asks on a new connection each time. It sends nothing before it is known who has it: while it waits in an
/// accept queue it belongs to nobody.
fn short(
    load: &Load,
    sockets: &Sockets,
    workers: &[Worker],
    (offset, stop): (Duration, &AtomicBool),
) -> Result<Asked> {
    let mut waits = Vec::new();
    for intended in times(offset, stop) {
        let (mut stream, worker) = connection(load, sockets, workers)?;
        ask(&mut stream, load, &load.path)?;
        waits.push((worker, micros(intended)));
    }
    Ok(Asked { waits, kept: None })
}

/// What slows one worker down.
pub(super) struct Slowdown {
    /// The worker that has it.
    pub(super) worker: usize,
    client: JoinHandle<Result<()>>,
}

/// A connection whose requests let its worker sleep for half of the time.
pub(super) fn slow_down(
    load: &Load,
    sockets: &Sockets,
    workers: &[Worker],
    stop: &Arc<AtomicBool>,
) -> Result<Slowdown> {
    let (mut stream, worker) = connection(load, sockets, workers)?;
    let load = Load { keep_alive: true, ..load.clone() };
    let stop = Arc::clone(stop);
    let client = spawn(move || {
        while !stop.load(Relaxed) {
            ask(&mut stream, &load, &format!("/sleep/{SLEEP_MS}"))?;
            sleep(Duration::from_millis(SLEEP_MS));
        }
        Ok(())
    });
    Ok(Slowdown { worker, client })
}

impl Slowdown {
    pub(super) fn end(self) -> Result<()> {
        self.client.join().map_err(|_| anyhow!("the client that slows a worker down has panicked"))?
    }
}

fn connect(addr: SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&addr, LIMIT).context("a client beside the load was refused")?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// A request and its reply.
pub(super) fn ask(stream: &mut TcpStream, load: &Load, path: &str) -> Result<()> {
    let close = if load.keep_alive { "" } else { "Connection: close\r\n" };
    let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n{close}\r\n", load.addr);
    stream.write_all(request.as_bytes()).context("a client beside the load cannot send")?;
    // One request at a time: nothing comes behind its reply.
    let reply = Replies::default().next(stream, LIMIT).context("a client beside the load")?;
    (reply.status == 200)
        .then_some(())
        .with_context(|| format!("a client beside the load got the status {}", reply.status))
}

pub(super) fn micros(from: Instant) -> u64 {
    from.elapsed().as_micros() as u64
}
