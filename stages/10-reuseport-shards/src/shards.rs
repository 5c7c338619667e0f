//! The shards: a thread for each of them, with a listening socket and a CPU of its own.

use crate::cpus::{allowed, pin};
use crate::exit_on_drop;
use crate::steering::{self, Steer};
use kit::error::failed;
use kit::listener::address_of;
use kit::start::announce_address;
use nix::sys::socket::SockFlag;
use prefork::reuseport::bind_reuseport_group;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Barrier;
use std::thread::scope;

/// How many shards, and which of them gets a connection.
#[derive(Clone, Copy, Debug)]
pub struct ShardOptions {
    /// `None`: one for each CPU.
    pub count: Option<usize>,
    /// Which of them gets a connection.
    pub steer: Steer,
}

/// Lets each of `options.count` threads (by default one for each CPU) `make` a shard from a listening
/// socket and `serve` until the server must stop. `backlog` and `flags` are those of `listener`.
///
/// A shard is made by its own thread, so that its memory comes from the NUMA node of its CPU.
///
/// # Errors
/// Why there cannot be as many listening sockets. A shard that fails ends the process: see [`exit_on_drop`].
pub fn run<S>(
    listener: OwnedFd,
    backlog: u16,
    flags: SockFlag,
    options: ShardOptions,
    make: impl Fn(OwnedFd) -> io::Result<S> + Sync,
    serve: impl Fn(S) -> io::Result<()> + Sync,
) -> io::Result<()> {
    let cpus = allowed()?;
    let count = options.count.unwrap_or(cpus.len());
    let address = address_of(listener.as_fd())?;
    let listeners = bind_reuseport_group(listener, backlog, flags, count)
        .map_err(failed("a listening socket for each shard"))?;
    // One socket is no group.
    if options.steer == Steer::Cpu && count > 1 {
        let of_shards: Vec<usize> = cpus.iter().copied().cycle().take(count).collect();
        steering::by_cpu(&listeners[0], &of_shards).map_err(failed("SO_ATTACH_REUSEPORT_CBPF"))?;
    }
    // ANCHOR: run
    // No shard accepts before all are made: connections would take the descriptors that the others still
    // need.
    let made = Barrier::new(count);
    scope(|scope| {
        for (listener, &cpu) in listeners.into_iter().zip(cpus.iter().cycle()) {
            let (made, make, serve) = (&made, &make, &serve);
            exit_on_drop::spawn(scope, move || {
                pin(cpu)?;
                let shard = make(listener)?;
                if made.wait().is_leader() {
                    announce_address(address)?;
                }
                serve(shard)
            });
        }
    });
    // ANCHOR_END: run
    Ok(())
}
