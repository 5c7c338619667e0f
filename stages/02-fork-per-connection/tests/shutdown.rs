//! What the kernel had accepted before SIGTERM is answered.

#[path = "../../01-blocking-echo/tests/common/mod.rs"]
mod common;

use common::Server;
use nix::sys::signal::Signal;
use std::io::Read;

const STAGE: &str = env!("CARGO_BIN_EXE_stage-02");

#[test]
fn what_was_sent_before_the_signal_is_answered() {
    for stage in [STAGE, env!("CARGO_BIN_EXE_stage-02-threads")] {
        common::what_was_sent_before_the_signal_is_answered(stage, 4);
    }
}

/// Protects clients that wait since there may be no more children: as those in the way are idle, they end,
/// and each of the others has a child that the parent waits for.
#[test]
fn what_waits_for_room_is_answered() {
    let mut server = Server::start(STAGE, &["--max-connections", "2"]);
    let mut idle = [server.ask("/", ""), server.ask("/", "")];
    for stream in &mut idle {
        assert!(stream.read(&mut [0; 1024]).expect("a reply") > 0);
    }
    let waiting: Vec<_> = (0..6).map(|_| server.ask("/sleep/100", "")).collect();
    server.signal(Signal::SIGTERM);
    for mut stream in waiting {
        let mut reply = String::new();
        stream.read_to_string(&mut reply).expect("no reset");
        assert!(reply.starts_with("HTTP/1.1 200 OK\r\n"), "{reply:?}");
    }
    assert_eq!(server.child.wait().expect("it is ours").code(), Some(0));
}
