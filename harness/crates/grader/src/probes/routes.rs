//! What the probes ask for: a server of another make must answer these, or they say nothing about it.

use super::PLAIN;
use super::client::{get_and_close, post_echo};
use super::subject::{Subject, Target};
use super::verdict::{Fault, Verdict};
use anyhow::{Result, anyhow, bail};

/// A route, and the check of one reply.
type Route = (&'static str, fn(&mut Subject<'_>) -> Verdict);

const ROUTES: [Route; 4] = [
    ("GET / with the 13 bytes `Hello, World!`", |subject| subject.must_serve()),
    ("GET /bytes/N with N bytes", |subject| ask(subject, &get_and_close("/bytes/100"), 100)),
    ("GET /sleep/MS after MS milliseconds", |subject| {
        subject.connect()?.ask(&get_and_close("/sleep/1"))?.must_be_ok()
    }),
    ("POST /echo with the body that it received", |subject| ask(subject, &post_echo(b"echo"), 4)),
];

fn ask(subject: &mut Subject<'_>, request: &[u8], length: usize) -> Verdict {
    let reply = subject.connect()?.ask(request)?;
    reply.must_be_ok()?;
    match reply.body.len() == length {
        true => Ok(()),
        false => Err(Fault::wrong(format!("{} bytes instead of {length}", reply.body.len()))),
    }
}

/// The routes that a server does not answer, each with what came instead. An error if it cannot be asked at
/// all: nothing accepts connections, or it ends by itself.
pub fn missing_routes(target: &Target) -> Result<Vec<String>> {
    let mut missing = Vec::new();
    let mut subject = start(target)?;
    for (at, (route, check)) in ROUTES.into_iter().enumerate() {
        let Err(fault) = check(&mut subject) else { continue };
        let end = subject.end();
        if let (0, Some(end)) = (at, &end) {
            bail!("{end}");
        }
        missing.push(format!("{route}: {}", end.as_ref().unwrap_or(&fault.detail)));
        if end.is_some() {
            subject = start(target)?;
        }
    }
    Ok(missing)
}

/// The server, which accepts connections.
fn start(target: &Target) -> Result<Subject<'_>> {
    let mut subject = Subject::start(target, &PLAIN).map_err(|fault| anyhow!(fault.detail))?;
    if subject.connect().is_err() {
        let addr = subject.addr;
        bail!("{}", subject.end().unwrap_or_else(|| format!("nothing accepts connections on {addr}")));
    }
    Ok(subject)
}
