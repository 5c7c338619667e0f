//! What the probes ask for: a server of another make must answer these, or they say nothing about it.

use super::PLAIN;
use super::client::{get_and_close, post_echo};
use super::subject::{Subject, Target};
use super::verdict::{Fault, Verdict};

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
/// all.
pub fn missing_routes(target: &Target) -> anyhow::Result<Vec<String>> {
    let mut subject = Subject::start(target, &PLAIN).map_err(|fault| anyhow::anyhow!(fault.detail))?;
    if subject.connect().is_err() {
        anyhow::bail!("nothing accepts connections on {}", subject.addr);
    }
    let mut missing = Vec::new();
    for (route, check) in ROUTES {
        if let Err(fault) = check(&mut subject) {
            missing.push(format!("{route}: {}", fault.detail));
        }
    }
    Ok(missing)
}
