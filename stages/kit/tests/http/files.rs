//! The root directory, and what must not leave it.

use crate::reply::{self, Reply};
use crate::site::{BIG, SECRET, SMALL, Site};
use crate::stage::{converse, now};
use kit::protocol::Protocol;
use kit::protocol::http::{Http, Settings};
use kit::write_buffer::{Body, WriteBuffer};
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

fn get(settings: &Arc<Settings>, path: &str) -> Reply {
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n");
    let seen = converse(settings, [request.as_bytes()]);
    let mut replies = reply::parse(&seen.wire, false);
    assert_eq!(replies.len(), 1);
    replies.remove(0)
}

#[test]
fn a_symbolic_link_is_followed_inside_the_root_and_not_out_of_it() {
    let site = Site::new();
    symlink("small.txt", site.path("inside")).unwrap();
    symlink("../secret", site.path("outside")).unwrap();
    symlink(site.path("small.txt"), site.path("absolute")).unwrap();
    symlink("..", site.path("parent")).unwrap();
    symlink("/proc/self/root", site.path("magic")).unwrap();
    symlink("loop", site.path("loop")).unwrap();
    assert_eq!(get(&site.settings, "/inside").body, SMALL.as_bytes());
    for path in ["/outside", "/absolute", "/parent/secret", "/magic/etc/passwd", "/loop"] {
        let reply = get(&site.settings, path);
        assert_eq!(reply.status, 404, "{path}");
        assert!(!reply.body.windows(SECRET.len()).any(|bytes| bytes == SECRET.as_bytes()), "{path}");
    }
}

/// A FIFO without a writer would block the thread that opens it for ever; a socket cannot be opened at all.
#[test]
fn what_is_no_regular_file_is_not_there() {
    let site = Site::new();
    mkfifo(&site.path("fifo"), Mode::S_IRWXU).unwrap();
    let _listener = UnixListener::bind(site.path("socket")).unwrap();
    let (sender, receiver) = mpsc::channel();
    let settings = site.settings.clone();
    thread::spawn(move || {
        for path in ["/fifo", "/socket"] {
            sender.send(get(&settings, path).status).unwrap();
        }
    });
    for _ in 0..2 {
        assert_eq!(receiver.recv_timeout(Duration::from_secs(20)), Ok(404));
    }
}

/// Protects against a redirect to itself: `/empty/` is sent to no other place.
#[test]
fn a_directory_that_is_named_like_an_index_is_none() {
    let site = Site::new();
    fs::create_dir(site.path("empty/index.html")).unwrap();
    for (path, status, location) in [
        ("/empty/", 404, None),
        ("/empty", 301, Some("/empty/")),
        ("/empty/index.html", 301, Some("/empty/index.html/")),
        ("/empty/index.html/", 404, None),
    ] {
        let reply = get(&site.settings, path);
        assert_eq!((reply.status, reply.header("Location")), (status, location), "{path}");
    }
}

#[test]
fn a_large_file_comes_whole_and_in_parts() {
    let site = Site::new();
    let whole = get(&site.settings, "/big.bin");
    assert_eq!(whole.body, fs::read(site.path("big.bin")).unwrap());
    let request = b"GET /big.bin HTTP/1.1\r\nHost: x\r\nRange: bytes=-30000\r\n\r\n";
    let seen = converse(&site.settings, [&request[..]]);
    assert_eq!(reply::parse(&seen.wire, false)[0].body, whole.body[BIG - 30_000..]);
}

#[test]
fn a_large_file_that_shrinks_still_owes_what_its_head_announced() {
    let site = Site::new();
    let mut http = Http::new(site.settings.clone());
    let (mut out, now) = (WriteBuffer::default(), now());
    let (_, work) = http.receive(b"GET /big.bin HTTP/1.1\r\nHost: x\r\n\r\n", &mut out, &now);
    let Some(work) = work else { panic!("no work") };
    let answer = work.run();
    fs::OpenOptions::new().write(true).open(site.path("big.bin")).unwrap().set_len(10).unwrap();
    http.finish(answer, &mut out, &now);
    // The stage that sends it reaches the end of the file too early and must close: the client was promised
    // a length and has no other sign that the rest will not come.
    assert!(matches!(out.parts().1, Some(Body::File { left, .. }) if *left == BIG as u64));
}

#[test]
fn a_file_that_changed_has_another_entity_tag() {
    let site = Site::new();
    let before = get(&site.settings, "/small.txt");
    fs::write(site.path("small.txt"), "9876543210").unwrap();
    let after = get(&site.settings, "/small.txt");
    assert_ne!(before.header("ETag"), after.header("ETag"));
}

#[test]
fn an_unreadable_file_is_forbidden() {
    let site = Site::new();
    fs::set_permissions(site.path("small.txt"), fs::Permissions::from_mode(0o000)).unwrap();
    if fs::File::open(site.path("small.txt")).is_ok() {
        eprintln!("skipped: this user (root?) can read every file; rules.rs has the mapping of EACCES");
        return;
    }
    assert_eq!(get(&site.settings, "/small.txt").status, 403);
}

#[test]
fn without_a_root_there_are_no_files() {
    let site = Site::new();
    let settings = Arc::new(Settings { limits: site.settings.limits.clone(), root: None });
    assert_eq!(get(&settings, "/small.txt").status, 404);
    assert_eq!(get(&settings, "/").status, 200);
}
