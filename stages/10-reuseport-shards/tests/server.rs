//! What this stage adds, seen from outside, beyond what the probes ask of all stages.

mod common;

use common::{Server, get, status};
use nix::sys::signal::Signal;
use nix::sys::socket::{MsgFlags, send};
use std::io::{Read, Write};
use std::os::fd::AsRawFd;

const STAGE: &str = env!("CARGO_BIN_EXE_stage-10");

#[test]
fn a_shard_that_cannot_start_ends_the_server() {
    common::a_shard_that_cannot_start_ends_the_server(STAGE);
}

#[test]
fn early_clients_do_no_harm_to_a_shard() {
    common::early_clients_do_no_harm_to_a_shard(STAGE);
}

#[test]
fn a_large_reply_arrives_whole_and_delays_the_end_no_longer() {
    common::a_large_reply_arrives_whole_and_delays_the_end_no_longer(STAGE);
}

#[test]
fn a_stalled_download_keeps_no_client_out_at_the_end() {
    common::a_stalled_download_keeps_no_client_out_at_the_end(STAGE);
}

/// A read stops at the mark of urgent data. So a short one does not always mean that the socket is empty.
#[test]
fn a_request_behind_urgent_data_is_answered() {
    // It must not be answered only by the last turn of a connection whose deadline has passed.
    let server = Server::start(STAGE, &["--workers", "1", "--header-timeout", "60"]);
    // Known to epoll, and all that follows is one edge.
    let mut stream = server.ask(&get("/bytes/0"));
    assert_eq!(status(&mut stream), 200);
    server.freeze();
    stream.write_all(b"GET /bytes/0 HTT").unwrap();
    send(stream.as_raw_fd(), b"!", MsgFlags::MSG_OOB).unwrap();
    stream.write_all(b"P/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    server.signal(Signal::SIGCONT);
    let mut replies = String::new();
    stream.read_to_string(&mut replies).expect("the second reply, and the end");
    assert!(replies.contains("HTTP/1.1 200"), "{replies:?}");
}
