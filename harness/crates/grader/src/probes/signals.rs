//! Signals that say nothing: one that stops and goes on, and SIGPIPE.

use super::client::{Client, get, get_and_close};
use super::profile::current;
use super::subject::Subject;
use super::verdict::Verdict;
use nix::sys::signal::Signal;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

/// Stops all processes of the server for a moment, so many times. After SIGCONT a call like epoll_wait(2)
/// fails with EINTR, though no handler was called (signal(7)).
fn interrupt(subject: &mut Subject<'_>, times: usize) -> Verdict {
    for _ in 0..times {
        subject.process()?.signal_group(Signal::SIGSTOP);
        thread::sleep(Duration::from_millis(5));
        subject.process()?.signal_group(Signal::SIGCONT);
        thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

fn must_go_on(subject: &Subject<'_>, when: &str) -> Verdict {
    subject.must_serve().map_err(|fault| fault.at(format!("stopped and continued {when}")))
}

pub(super) fn stop_and_continue(subject: &mut Subject<'_>) -> Verdict {
    // Without a connection, then with a silent one, which makes a thread wait in another call.
    interrupt(subject, 2)?;
    must_go_on(subject, "while it had no client")?;
    let mut silent = subject.connect()?;
    if current().keeps_open() {
        silent.ask(&get("/"))?.must_be_hello()?;
    }
    interrupt(subject, 2)?;
    silent
        .ask(&get_and_close("/"))
        .and_then(|reply| reply.must_be_hello())
        .map_err(|fault| fault.at("stopped and continued while its client was silent"))?;
    drop(silent);
    must_go_on(subject, "while a client was silent")?;
    // Under load: one client asks without a pause, and another one's reply takes many writes.
    let (addr, end) = (subject.addr, &AtomicBool::new(false));
    let busy = move || -> Verdict {
        let mut client = Client::connect(addr)?;
        // Relaxed: it says that it is over, and publishes nothing.
        while !end.load(Relaxed) {
            client.ask(&get("/bytes/5000"))?.must_be_filler(5_000)?;
            if !current().keeps_open() {
                client = Client::connect(addr)?;
            }
        }
        client.ask(&get_and_close("/bytes/3000000"))?.must_be_filler(3_000_000)
    };
    thread::scope(|scope| {
        let client = scope.spawn(busy);
        let stopped = interrupt(subject, 15);
        end.store(true, Relaxed);
        stopped?;
        let verdict = client.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        verdict.map_err(|fault| fault.at("stopped and continued under load"))
    })?;
    must_go_on(subject, "under load")
}

/// A client that goes away in an orderly way with replies due: its kernel answers the first of them with a
/// reset, and a second write to the same socket raises SIGPIPE, whose default action ends the process.
pub(super) fn leave_with_replies_due(addr: std::net::SocketAddr, paths: &[&str]) -> Verdict {
    for sleep in [10, 30, 60] {
        let mut client = Client::connect(addr)?;
        let due: Vec<u8> = paths.iter().flat_map(|path| get(path)).collect();
        // The replies are written one after the other, with a sleep between, long after the client has left.
        let pause = get(&format!("/sleep/{sleep}"));
        client.send(&[&pause[..], &due, &pause, &due, &pause, &due].concat())?;
        drop(client);
    }
    thread::sleep(Duration::from_millis(400));
    Ok(())
}

pub(super) fn sigpipe_send(subject: &mut Subject<'_>) -> Verdict {
    leave_with_replies_due(subject.addr, &["/", "/bytes/100000"])?;
    subject.must_serve()
}
