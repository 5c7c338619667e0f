//! The three ways send the same bytes, and end in the same way.

use nix::errno::Errno;
use sending_files::Files;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

const WAYS: [Files; 3] = [Files::Copy, Files::Mmap, Files::Sendfile];

fn file_with(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().expect("a temporary file");
    file.write_all(bytes).expect("it takes bytes");
    file
}

/// Sends from `offset` on until `length` bytes are gone or the file ends; what the peer has received.
fn send(way: Files, file: &File, mut offset: u64, mut length: usize) -> Vec<u8> {
    let (ours, mut theirs) = UnixStream::pair().expect("a socket pair");
    let receiver = thread::spawn(move || {
        let mut received = Vec::new();
        theirs.read_to_end(&mut received).expect("the bytes arrive");
        received
    });
    while length > 0 {
        match way.send_file()(ours.as_fd(), file, offset, length).expect("the peer reads") {
            0 => break,
            count => (offset, length) = (offset + count as u64, length - count),
        }
    }
    drop(ours);
    receiver.join().expect("no panic")
}

/// Protects replies with a part of a file: a mapping begins with a page, and the part begins anywhere.
#[test]
fn each_way_sends_any_part_of_a_file() {
    let bytes: Vec<u8> = (0..300_000_u32).map(|i| (i * 7 % 251) as u8).collect();
    let file = file_with(&bytes);
    for (offset, length) in
        [(0, 300_000), (0, 1), (1, 4_095), (4_095, 2), (4_096, 4_096), (70_001, 200_000), (299_999, 1)]
    {
        for way in WAYS {
            let received = send(way, &file, offset, length);
            assert!(
                received == bytes[offset as usize..][..length],
                "{way:?}: {length} bytes from {offset} on"
            );
        }
    }
}

/// Protects against a connection that waits for ever: a file that ends before its promised length is told of
/// by a 0.
#[test]
fn the_end_of_a_file_is_a_zero() {
    let file = file_with(&[b'x'; 10_000]);
    for way in WAYS {
        assert_eq!(send(way, &file, 9_000, 5_000).len(), 1_000, "{way:?}");
        assert_eq!(send(way, &file, 10_000, 1).len(), 0, "{way:?}");
        // In another page than the end: touching it would raise SIGBUS.
        assert_eq!(send(way, &file, 100_000, 1).len(), 0, "{way:?}");
    }
}

/// Protects a loop from sleeping in a send: a full socket is `EAGAIN`, and no byte is lost by it.
#[test]
fn a_full_socket_is_eagain() {
    let file = file_with(&vec![b'x'; 4 << 20]);
    for way in WAYS {
        let (ours, mut theirs) = UnixStream::pair().expect("a socket pair");
        ours.set_nonblocking(true).expect("a flag can be set");
        let mut sent = 0;
        let error = loop {
            match way.send_file()(ours.as_fd(), &file, sent, 1 << 20) {
                Ok(count) => sent += count as u64,
                Err(error) => break error,
            }
        };
        assert_eq!(error, Errno::EAGAIN, "{way:?}");
        drop(ours);
        let mut received = Vec::new();
        theirs.read_to_end(&mut received).expect("the bytes arrive");
        assert_eq!(received.len() as u64, sent, "{way:?}");
    }
}

/// Protects the comparison of the three ways: `mmap` must not be another name for one of the others.
#[test]
fn mmap_maps_the_file_for_as_long_as_it_sends() {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    file.write_all(&vec![b'x'; 4 << 20]).expect("it takes bytes");
    let path = file.path().to_str().expect("text").to_owned();
    let is_mapped = || std::fs::read_to_string("/proc/self/maps").expect("readable").contains(&path);
    let (ours, mut theirs) = UnixStream::pair().expect("a socket pair");
    thread::scope(|scope| {
        // It blocks, since the socket does not take so much.
        let sender = scope.spawn(|| {
            let sent = Files::Mmap.send_file()(ours.as_fd(), file.as_file(), 0, 4 << 20);
            (sent.expect("the peer reads"), is_mapped())
        });
        let start = Instant::now();
        while !is_mapped() {
            assert!(start.elapsed() < Duration::from_secs(20), "it is not mapped");
            thread::sleep(Duration::from_millis(1));
        }
        theirs.read_exact(&mut vec![0; 4 << 20]).expect("the bytes arrive");
        assert_eq!(sender.join().expect("no panic"), (4 << 20, false));
    });
}
