//! Shedding when no descriptor is left. The only test of its process, since the limit on descriptors is the
//! process's.

use descriptor_reserve::{GRACE_MS, Reserve};
use kit::listener::{accept, address_of, bind_to};
use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::socket::SockFlag;
use std::fs::File;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream};
use std::os::fd::AsFd;

/// Protects peers that cannot be served: after the grace, and not before it, they see an *end*, which is
/// neither a reset nor silence; and the reserve is there again for the next shortage.
#[test]
fn peers_are_shed_after_the_grace_with_an_end_and_the_reserve_is_taken_again() {
    let listener =
        bind_to(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0), 16, SockFlag::SOCK_NONBLOCK).expect("a free port");
    let address = address_of(listener.as_fd()).expect("it is bound").to_string();
    let mut reserve = Reserve::new().expect("there are descriptors");
    let mut peers: Vec<TcpStream> = (0..6).map(|_| TcpStream::connect(&address).expect("it waits")).collect();
    for peer in &mut peers {
        // A close that leaves this unread would be a reset.
        peer.write_all(b"GET / HTTP/1.1\r\n").expect("the kernel takes it");
    }
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("readable");
    setrlimit(Resource::RLIMIT_NOFILE, 64.min(hard), hard).expect("it may be lowered");
    let mut taken = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        taken.push(file);
    }
    assert_eq!(
        accept(listener.as_fd(), SockFlag::empty()).expect_err("no descriptor is left"),
        Errno::EMFILE
    );

    assert_eq!(reserve.shed(listener.as_fd(), 1_000), None, "it may pass");
    assert_eq!(reserve.shed(listener.as_fd(), 1_000 + GRACE_MS - 1), None);
    // A connection could be accepted meanwhile: the next shortage begins anew.
    reserve.accepted();
    assert_eq!(reserve.shed(listener.as_fd(), 1_000 + GRACE_MS), None);
    assert_eq!(reserve.shed(listener.as_fd(), 1_000 + 2 * GRACE_MS), Some(6));
    for peer in &mut peers {
        assert_eq!(peer.read(&mut [0; 1]).expect("an end and no reset"), 0);
    }

    // Once more, which needs the reserve to be there again. A client needs a descriptor too.
    taken.pop();
    let mut peer = TcpStream::connect(&address).expect("it waits");
    assert_eq!(
        accept(listener.as_fd(), SockFlag::empty()).expect_err("no descriptor is left"),
        Errno::EMFILE
    );
    assert_eq!(reserve.shed(listener.as_fd(), 10_000), None);
    assert_eq!(reserve.shed(listener.as_fd(), 10_000 + GRACE_MS), Some(1));
    assert_eq!(peer.read(&mut [0; 1]).expect("an end"), 0);
}
