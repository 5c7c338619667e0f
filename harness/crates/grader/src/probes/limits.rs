//! Limits: the server's own, the one of `select`, and the port.

use super::client::{Client, get, get_and_close};
use super::concurrency::{connect_silent, served_beside_clients};
use super::runner::running;
use super::shell::word;
use super::subject::{Subject, command_line, not_started, run_to_end};
use super::verdict::{Fault, Outcome, Verdict};
use lab_core::server_process::Ended;
use nix::sys::signal::Signal;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

/// What `connection-limit` sets.
const MAX: usize = 8;

/// How long a client that cannot be served waits before that counts as the limit. One that can be served has
/// its answer in a moment.
const WAITS: Duration = Duration::from_millis(1_500);

/// Connections that are served once and stay open, up to the first that is not served; and that one, if it is
/// still connected.
fn fill(subject: &Subject<'_>) -> Result<(Vec<Client>, Option<Client>), Fault> {
    let mut served = Vec::new();
    while served.len() <= MAX {
        let mut client = subject.connect()?;
        client.send(&get("/"))?;
        match client.reply_within(WAITS) {
            // 503 is a refusal.
            Ok(reply) if reply.status == 503 => return Ok((served, None)),
            Ok(reply) => reply.must_be_hello()?,
            Err(fault) if fault.outcome == Outcome::Hang => return Ok((served, Some(client))),
            Err(_) => return Ok((served, None)),
        }
        served.push(client);
    }
    Ok((served, None))
}

pub(super) fn connection_limit(subject: &mut Subject<'_>) -> Verdict {
    let (served, _waiting) = fill(subject)?;
    subject.remark = format!("{} at once", served.len());
    match served.len() > MAX {
        true => Err(Fault::wrong(format!("client {} is served, with a limit of {MAX}", served.len()))),
        false => Ok(()),
    }
}

/// When others leave, the one that waits is served; and when all have left, as many as before.
pub(super) fn connection_limit_left(subject: &mut Subject<'_>) -> Verdict {
    const SERVED: Duration = Duration::from_secs(5);
    let (mut served, waiting) = fill(subject)?;
    let before = served.len();
    if before == 0 {
        return Err(Fault::hang("not even the first client is served"));
    }
    drop(served.swap_remove(0));
    if let Some(mut waiting) = waiting {
        let verdict = waiting.reply_within(SERVED).and_then(|reply| reply.must_be_hello());
        verdict.map_err(|fault| fault.at("waiting at the limit, and one of the others has left"))?;
        served.push(waiting);
    }
    drop(served);
    for number in 1..=3 * MAX {
        let verdict = subject.must_serve();
        let place = format!("client {number} after the {before} that reached the limit have left");
        verdict.map_err(|fault| fault.at(place))?;
    }
    Ok(())
}

/// select(2) and an `fd_set` end at descriptor 1,023; so does an array of 1,024 connections.
pub(super) fn over_1024(subject: &mut Subject<'_>) -> Verdict {
    const COUNT: usize = 1_100;
    let mut clients = connect_silent(subject, COUNT)?;
    // The last ones, all of them: a server may divide its connections between processes.
    for number in (COUNT - 99..=COUNT).rev() {
        let Some(mut asker) = clients.pop() else { break };
        let verdict = served_beside_clients(&mut asker, &get_and_close("/"), &mut clients);
        verdict.map_err(|fault| fault.at(format!("connection {number} of {COUNT} that are open")))?;
    }
    Ok(())
}

/// A server that is started again at once must get its port, though a connection of the last run is in
/// TIME_WAIT there: the server had closed it first.
pub(super) fn restart_same_port(subject: &mut Subject<'_>) -> Verdict {
    let mut server = subject.start_another_on_a_port().map_err(|error| not_started(&error))?;
    let addr = server.addr;
    for _ in 0..3 {
        let mut client = Client::connect(addr)?;
        client.ask(&get_and_close("/"))?.must_be_hello()?;
        // The server closes first.
        client.let_it_close();
        client.end_within(super::client::LIMIT)?;
    }
    server.signal(Signal::SIGTERM);
    if server.wait(Duration::from_secs(4)).is_none() {
        return Err(Fault::hang("still running 4s after SIGTERM"));
    }
    drop(server);
    // Not on another one, whatever becomes of it: nobody but an earlier connection can have this one.
    let Some(launch) = subject.target.launch(&[], Some(addr)) else {
        return Err(Fault::not_applicable("nothing can be started"));
    };
    let again =
        launch.start().map_err(|error| Fault::wrong(format!("started again on the same port: {error:#}")))?;
    running(&again);
    Ok(())
}

/// How many sockets listen on this port (proc_net(5)). The kernel lists those that listen first, and others
/// are not read: there may be tens of thousands in TIME_WAIT.
fn listeners(addr: SocketAddr) -> usize {
    const LISTENS: &str = "0A";
    let port = format!("{:04X}", addr.port());
    let count = |path: &str| {
        let Ok(table) = File::open(path) else { return 0 };
        let lines = BufReader::new(table).lines().map_while(Result::ok).skip(1);
        let is_of_port = |line: String| {
            let mut fields = line.split_whitespace().skip(1);
            let (local, state) = (fields.next()?.to_owned(), fields.nth(1)?.to_owned());
            (state == LISTENS).then(|| local.ends_with(&format!(":{port}")))
        };
        lines.map_while(is_of_port).filter(|is_of_port| *is_of_port).count()
    };
    ["/proc/net/tcp", "/proc/net/tcp6"].into_iter().map(count).sum()
}

/// A second server that is started on the port of the first one by mistake: it must not get half of the
/// connections, which SO_REUSEPORT would let it have.
pub(super) fn second_server(subject: &mut Subject<'_>) -> Verdict {
    subject.process()?;
    let Some(launch) = subject.target.launch(&[], Some(subject.addr)) else {
        return Err(Fault::not_applicable("nothing can be started"));
    };
    let failed = |ended: &Ended| ended.status.is_some_and(|status| !status.success());
    let before = listeners(subject.addr);
    let (started, most) = thread::scope(|scope| {
        let second = scope.spawn(|| run_to_end(&launch));
        let mut most = before;
        while !second.is_finished() {
            most = most.max(listeners(subject.addr));
            thread::sleep(Duration::from_millis(50));
        }
        (second.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)), most)
    });
    let mut is_refused = started.as_ref().is_ok_and(failed);
    // One that does not listen as well may still be on its way there: a virtual machine on a busy computer.
    if started.is_err() && most <= before && subject.target.is_foreign() {
        is_refused = launch.run_to_end(launch.start_limit).is_ok_and(|ended| failed(&ended));
    }
    if !is_refused {
        if subject.target.is_foreign() {
            return Err(Fault::not_applicable(
                "it shares its port, or ends without an error: that is its choice",
            ));
        }
        let fault = Fault::wrong("a second server on the same port is started all the same");
        let fault =
            fault.shows("exit status 1: the port is in use", "exit status 124: it runs until it is ended");
        let line = command_line(subject.target, &[], "127.0.0.1:$PORT").map(|(before, line)| {
            format!("{before}timeout 5 sh -c {}; echo \"exit status $?\"", word(&line))
        });
        return Err(match line {
            Some(line) => fault.shown_by(line),
            None => fault,
        });
    }
    subject.must_serve()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    /// Protects the verdict on a second server that shares its port: that there are two is seen.
    #[test]
    fn what_listens_on_a_port_is_counted() {
        let first = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = first.local_addr().unwrap();
        assert_eq!(listeners(addr), 1);
        let second = TcpListener::bind(("127.0.0.2", addr.port())).unwrap();
        assert_eq!(listeners(addr), 2);
        drop((first, second));
    }
}
