//! Memory that a server keeps of what its clients' replies needed.

use super::client::{Client, LIMIT, get, post_echo};
use super::evidence::{CONNECTED_TO, FROM, NARROW};
use super::footprint::Footprint;
use super::narrow::connect_narrow;
use super::subject::Subject;
use super::tree::Snapshot;
use super::verdict::{Fault, Outcome, Verdict};
use nix::sys::socket::{SetSockOpt, sockopt};
use std::thread;
use std::time::{Duration, Instant};

/// Many clients send a large body each and take none of the replies, so that all of these wait at the same
/// time; then they take them, and stay. What an idle connection needs is little, and what one moment needed
/// is given back.
pub(super) fn memory_while_idle(subject: &mut Subject<'_>) -> Verdict {
    const CLIENTS: usize = 24;
    /// Less than the limit of a body, and more than the kernels hold for a narrow client.
    const BODY: usize = 900 * 1024;
    /// What all their replies need.
    const NEEDED: u64 = (CLIENTS * BODY) as u64;
    /// What each thread may keep for the next reply.
    const EACH_THREAD: u64 = 512 * 1024;
    const SETTLE: Duration = Duration::from_secs(3);
    let mut clients: Vec<Client> = Vec::new();
    while clients.len() < CLIENTS {
        let mut client = connect_narrow(subject)?.allowing_chunks(subject.target.is_foreign());
        client.send(&get("/"))?;
        // All of the usual time: a busy machine must not look like a small pool.
        match client.reply() {
            Ok(reply) => reply.must_be_hello()?,
            Err(fault) if fault.outcome == Outcome::Hang => {
                let reason = format!("it serves {} clients at once, whose memory says little", clients.len());
                return Err(Fault::not_applicable(reason));
            }
            Err(fault) => return Err(fault),
        }
        clients.push(client);
    }
    let pid = subject.process()?.pid();
    let threads = u64::try_from(Snapshot::of(pid).threads).unwrap_or(0);
    let allowed = (NEEDED / 2 + threads * EACH_THREAD).min(NEEDED / 4 * 3);
    let before = Footprint::of(pid).memory;
    let body = vec![b'm'; BODY];
    let request = post_echo(&body);
    for client in &mut clients {
        client.send(&request)?;
    }
    let peak = Footprint::of(pid).memory.saturating_sub(before);
    // They take the replies side by side, as fast as these come, now that all have waited.
    thread::scope(|scope| {
        let body = &body;
        let take = |client: &mut Client| -> Verdict {
            sockopt::RcvBuf.set(&*client.stream()?, &BODY).map_err(std::io::Error::from)?;
            client.reply_within(2 * LIMIT)?.must_be(body)
        };
        let threads: Vec<_> = clients.iter_mut().map(|client| scope.spawn(move || take(client))).collect();
        threads.into_iter().try_for_each(|thread| match thread.join() {
            Ok(verdict) => verdict,
            Err(panic) => std::panic::resume_unwind(panic),
        })
    })?;
    let start = Instant::now();
    loop {
        let kept = Footprint::of(pid).memory.saturating_sub(before);
        subject.remark =
            format!("{} KiB while the replies waited, {} KiB after them", peak >> 10, kept >> 10);
        if kept <= allowed {
            return Ok(());
        }
        if start.elapsed() > SETTLE {
            if threads >= CLIENTS as u64 {
                let reason = "a thread for each connection has a heap of its own, which lasts as long";
                return Err(Fault::not_applicable(reason));
            }
            if subject.target.is_foreign() {
                let reason = format!("{}: to keep what was needed once is its choice", subject.remark);
                return Err(Fault::not_applicable(reason));
            }
            let detail = format!("{}, with {CLIENTS} clients that are idle", subject.remark);
            let fault = Fault::new(Outcome::Leak, detail);
            let shown = [
                "two numbers that differ by a few thousand kB at most",
                "the second number is higher by more than 10,000 kB",
            ];
            return Err(fault.shows(shown[0], shown[1]).shown_by(by_hand()));
        }
        thread::sleep(Duration::from_millis(50));
    }
}

/// The memory before and after, by hand. Clients like nc would not do: all of each reply fits into the
/// buffers of their kernel, so none waits in the server.
fn by_hand() -> String {
    let from = FROM.trim_end_matches("; ");
    // In one line, since a report indents. 256: `MSG_WAITALL`, for all of the body but as much as the head
    // is long.
    format!(
        "timeout 30 python3 -c 'import os, socket, sys, time; \
         held = [socket.socket() for i in range(24)]; \
         memory = lambda: os.system(\"grep RssAnon /proc/\" + sys.argv[1] + \"/status\"); memory(); \
         [({NARROW}, {from}, s.connect({CONNECTED_TO}), s.sendall(b\"POST /echo HTTP/1.1\\r\\nHost: probe\\r\\n\
         Content-Length: 900000\\r\\n\\r\\n\" + bytes(900000))) for s in held]; time.sleep(1); \
         [s.setsockopt(1, 8, 900000) for s in held]; [s.recv(900000, 256) for s in held]; time.sleep(3); memory()' $PID"
    )
}
