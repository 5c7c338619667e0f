//! The protocol and the session of the lab without any socket, to be run under callgrind: each kind of
//! request N times and then 2N times, so that the difference is that of N requests and of nothing else.
//! `./lab instructions` runs it and reads what callgrind has counted.
//!
//! Callgrind is told to count inside [`measured_requests`] alone, and to write a profile each time that the
//! function returns. Which profile is that of which request is printed, a line for each.

use clap::Parser;
use kit::clock::{Clock, LoopContext};
use kit::protocol::file::Opened;
use kit::protocol::http::{Http, Limits, Settings};
use kit::protocol::work::{Answer, Job, Outcome, Work};
use kit::session::{Next, Session, Timeouts};
use std::fs::File;
use std::hint::black_box;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Requests in the smaller of the two counts, and calls before the first: the buffers that a thread keeps are
/// then there.
const REQUESTS: usize = 1_000;
const WARM_UP: usize = 100;

/// To be run under callgrind by `./lab instructions`.
#[derive(Debug, Parser)]
struct Options {
    /// A directory with a file `13` of 13 bytes
    #[arg(long, value_name = "DIR")]
    root: PathBuf,

    /// As a stage has them without options.
    #[command(flatten)]
    limits: Limits,
}

/// One kind of request.
struct Kind {
    name: &'static str,
    /// What arrives, read by read.
    pieces: Vec<Vec<u8>>,
    /// How many requests that is.
    requests: usize,
    /// What the last reply must begin with.
    status: &'static [u8],
}

/// What a loop does for one turn, with a socket that takes everything. Returns how many bytes of replies
/// left; the last of them are copied to `seen`, if it is given.
fn turn(
    session: &mut Session,
    input: &[u8],
    root: &Path,
    now: &LoopContext,
    mut seen: Option<&mut Vec<u8>>,
) -> usize {
    let mut left = 0;
    session.received(input, now);
    loop {
        let count = match session.next(now) {
            Next::Read => return left,
            Next::Write(output) => {
                assert!(output.body().is_none(), "every reply here is small enough for one write");
                if let Some(seen) = &mut seen {
                    seen.extend_from_slice(output.bytes());
                }
                black_box(output.bytes()).len()
            }
            Next::Work(work) => {
                session.finished(answer(*work, root), now);
                continue;
            }
            Next::ShutdownWrite | Next::Close => unreachable!("the connection is kept"),
        };
        session.sent(count, now);
        left += count;
    }
}

/// Opens the file without openat2(2), which valgrind 3.19 does not know, and which is the kernel's work
/// anyway.
fn answer(work: Work, root: &Path) -> Answer {
    let Job::Open { path, .. } = work.job else { unreachable!("nothing here sleeps or spins") };
    let opened = Opened::read(File::open(root.join(path)).expect("the file is there"));
    Answer { outcome: Outcome::Opened(opened), ticket: work.ticket }
}

/// The only function in which callgrind counts. Its name must stay as it is in the program, and it must stay
/// a call.
#[allow(improper_ctypes_definitions, reason = "it is called from Rust alone")]
// SAFETY: no other function of the program has this name.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn measured_requests(
    session: &mut Session,
    kind: &Kind,
    root: &Path,
    now: &LoopContext,
    rounds: usize,
) -> usize {
    let mut left = 0;
    for _ in 0..rounds {
        for piece in &kind.pieces {
            left += turn(session, black_box(piece), root, now, None);
        }
    }
    left
}

fn get(target: &str, field: &str) -> Vec<u8> {
    format!("GET {target} HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n{field}\r\n").into_bytes()
}

/// The entity tag of the file, from a first reply.
fn entity_tag(session: &mut Session, root: &Path, now: &LoopContext) -> String {
    let mut reply = Vec::new();
    turn(session, &get("/13", ""), root, now, Some(&mut reply));
    let text = String::from_utf8_lossy(&reply);
    let tag = text.lines().find_map(|line| line.strip_prefix("ETag: ")).expect("a file has one");
    tag.to_owned()
}

fn kinds(tag: &str) -> [Kind; 6] {
    let whole = get("/", "");
    let mut upload = b"POST /echo HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nContent-Length: 1024\r\n\r\n".to_vec();
    upload.extend_from_slice(&[b'x'; 1024]);
    let (first, second) = whole.split_at(whole.len() / 2);
    let ok = b"HTTP/1.1 200 OK\r\n".as_slice();
    let kind = |name, pieces, requests, status| Kind { name, pieces, requests, status };
    [
        kind("get", vec![whole.clone()], 1, ok),
        kind("depth-16", vec![whole.repeat(16)], 16, ok),
        kind("file-13", vec![get("/13", "")], 1, ok),
        kind("not-modified", vec![get("/13", &format!("If-None-Match: {tag}\r\n"))], 1, b"HTTP/1.1 304 "),
        kind("echo-1024", vec![upload], 1, ok),
        kind("cut-head", vec![first.to_vec(), second.to_vec()], 1, ok),
    ]
}

fn main() {
    let Options { root, limits } = Options::parse();
    let directory = OwnedFd::from(File::open(&root).expect("the root is there"));
    let settings = Arc::new(Settings { limits, root: Some(Arc::new(directory)) });
    let now = Clock::new().last().clone();
    let timeouts = Timeouts { idle_ms: 60_000, header_ms: 10_000 };
    let open = || Session::new(Http::boxed(Arc::clone(&settings)), timeouts, &now);
    let tag = entity_tag(&mut open(), &root, &now);
    for kind in kinds(&tag) {
        let mut session = open();
        let mut reply = Vec::new();
        for piece in &kind.pieces {
            turn(&mut session, piece, &root, &now, Some(&mut reply));
        }
        assert!(reply.starts_with(kind.status), "{}: {}", kind.name, String::from_utf8_lossy(&reply));
        for _ in 0..WARM_UP {
            for piece in &kind.pieces {
                turn(&mut session, piece, &root, &now, None);
            }
        }
        let rounds = REQUESTS / kind.requests;
        for rounds in [rounds, 2 * rounds] {
            let left = measured_requests(&mut session, &kind, &root, &now, rounds);
            assert_eq!(left, reply.len() * rounds, "{}: every reply is as long as the first", kind.name);
            println!("{} {}", kind.name, rounds * kind.requests);
        }
    }
}
