//! Which shard gets a connection: by default the kernel's hash of its addresses decides, and with
//! `--steer cpu` the CPU on which its first packet was processed.
//!
//! A classic BPF program decides for the whole group of listening sockets (socket(7),
//! `SO_ATTACH_REUSEPORT_CBPF`, Linux 4.5). It runs at the first packet of each connection and returns the
//! number of a socket, in the order in which they began to listen:
//!
//! ```text
//!   A = number of this CPU                     BPF_LD | BPF_W | BPF_ABS  at SKF_AD_OFF + SKF_AD_CPU
//!   if A == CPU of shard 0: return 0           BPF_JMP | BPF_JEQ | BPF_K, BPF_RET | BPF_K
//!   if A == CPU of shard 1: return 1
//!   …
//!   return a number that no socket has         then the hash decides
//! ```
//!
//! Where a network card spreads its queues over the CPUs, a connection then stays on the CPU that its packets
//! come to. Over the loopback a packet is processed on the CPU of the client that sends it.

use clap::ValueEnum;
use nix::libc::{
    BPF_ABS, BPF_JEQ, BPF_JMP, BPF_K, BPF_LD, BPF_RET, BPF_W, SKF_AD_CPU, SKF_AD_OFF, sock_filter, sock_fprog,
};
use nix::sys::socket::{setsockopt, sockopt};
use std::os::fd::OwnedFd;

/// Which shard gets a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Steer {
    /// By the kernel's hash of its addresses
    Hash,
    /// The shard of the CPU on which its first packet was processed, where it has one; else by the hash
    Cpu,
}

/// No group has so many sockets.
const NO_SOCKET: u32 = u32::MAX;

// ANCHOR: by_cpu
/// Lets each connection go to the socket whose number in `cpus` is that of its CPU. All sockets of the group
/// must listen already; `one` is any of them. Of two sockets with one CPU the first gets all.
///
/// # Errors
/// What setsockopt(2) says: `ENOMEM`, or `EINVAL` where the sockets are no group.
pub fn by_cpu(one: &OwnedFd, cpus: &[usize]) -> nix::Result<()> {
    let mut program = program(cpus);
    // The kernel copies the instructions, which live until the call returns.
    let program = sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
    setsockopt(one, sockopt::AttachReusePortCbpf, &program)
}

fn program(cpus: &[usize]) -> Vec<sock_filter> {
    let instruction = |code: u32, jf: u8, k: u32| sock_filter { code: code as u16, jt: 0, jf, k };
    let mut program = vec![instruction(BPF_LD | BPF_W | BPF_ABS, 0, (SKF_AD_OFF + SKF_AD_CPU) as u32)];
    for (socket, &cpu) in cpus.iter().enumerate() {
        // On another CPU the next instruction is skipped.
        program.push(instruction(BPF_JMP | BPF_JEQ | BPF_K, 1, cpu as u32));
        program.push(instruction(BPF_RET | BPF_K, 0, socket as u32));
    }
    program.push(instruction(BPF_RET | BPF_K, 0, NO_SOCKET));
    program
}
// ANCHOR_END: by_cpu

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpus::{allowed, pin};
    use kit::listener::{accept, address_of, bind_to};
    use nix::sys::socket::SockFlag;
    use prefork::reuseport::bind_reuseport_group;
    use std::net::{SocketAddrV4, TcpStream};
    use std::os::fd::AsFd;

    /// Connections that each of the sockets has to accept, of 64 from a thread on the first allowed CPU.
    fn accepted(cpus_of_sockets: &[usize]) -> Vec<usize> {
        let any = SocketAddrV4::new([127, 0, 0, 1].into(), 0);
        let first = bind_to(any, 64, SockFlag::SOCK_NONBLOCK).expect("a free port");
        let all = bind_reuseport_group(first, 64, SockFlag::SOCK_NONBLOCK, cpus_of_sockets.len());
        let all = all.expect("bound");
        by_cpu(&all[0], cpus_of_sockets).expect("attached");
        let address = SocketAddrV4::from(address_of(all[0].as_fd()).expect("bound"));
        // A thread of its own: the affinity ends with it.
        let client = std::thread::spawn(move || {
            pin(allowed().expect("readable")[0]).expect("it may run there");
            (0..64).map(|_| TcpStream::connect(address).expect("accepted")).collect::<Vec<_>>()
        });
        let _clients = client.join().expect("no panic");
        let count = |listener: &OwnedFd| {
            std::iter::from_fn(|| accept(listener.as_fd(), SockFlag::SOCK_NONBLOCK).ok()).count()
        };
        all.iter().map(count).collect()
    }

    /// Protects the pairs of CPU and shard from being mixed up: a client on one CPU reaches one shard
    /// alone, and it is the one of that CPU, wherever it stands in the group.
    #[test]
    fn a_connection_goes_to_the_shard_of_the_cpu_that_got_its_packet() {
        let cpu = allowed().expect("readable")[0];
        // No machine has a CPU of this number.
        const NONE: usize = 1 << 20;
        assert_eq!(accepted(&[cpu, NONE, NONE]), [64, 0, 0]);
        assert_eq!(accepted(&[NONE, NONE, cpu]), [0, 0, 64]);
        let dealt = accepted(&[NONE, NONE]);
        assert!(
            dealt.iter().sum::<usize>() == 64 && dealt.iter().all(|&count| count > 0),
            "by hash: {dealt:?}"
        );
    }

    /// Protects a server with as many shards as the option allows: the kernel takes at most 4,096
    /// instructions.
    #[test]
    fn the_program_of_the_most_shards_is_not_too_long() {
        assert!(program(&[0; 1024]).len() <= 4096);
    }
}
