//! `./lab scenario uring`: when does io_uring win?
//!
//! Stage 11 with one feature switched at a time, and stage 10, which does the same with epoll, each in turns
//! with stage 11 as it is, by clients and by the length of the reply. What is compared is the server's CPU
//! time for a request: above 1 the switch costs, below 1 it saves.

use super::servers::point;
use crate::cpus::cpus;
use crate::engine::{Clients, Method, Outcome, Setup, Subject};
use crate::generators::Load;
use crate::recipes::options::{Measured, Options};
use crate::recipes::select;
use crate::recipes::whole_number::whole;
use anyhow::Result;
use lab_core::server_process::EndedEarly;
use lab_core::stages::{Stage, discover, find};
use records::{Content, Phase};
use std::time::Duration;

/// The options of `./lab scenario uring`.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct Args {
    /// Clients at once, which keep their connections.
    #[arg(long, value_name = "LIST", default_value = "1,8,64,512", allow_negative_numbers = true)]
    clients: String,
    /// Lengths of the replies, bytes; a reply of 13 bytes is that to `/`.
    #[arg(long, value_name = "LIST", default_value = "13,4096,65536,1048576", allow_negative_numbers = true)]
    sizes: String,
    /// Milliseconds of each of the two servers of a pair.
    #[arg(long, value_name = "MS", default_value_t = 400, allow_negative_numbers = true, value_parser = whole::<u32>(20..=60_000))]
    millis: u32,
    /// The CPUs of the servers and of the generator; default: the first one and the second one.
    #[arg(long, value_name = "SERVER:GENERATOR")]
    cpus: Option<String>,
    #[command(flatten)]
    pub(super) options: Options,
}

/// Stage 11 as it is: all others take turns with it, and so does it with itself.
const AS_IT_IS: &str = "as it is";

/// The switches of stage 11, and what each is called.
const SWITCHES: [(&[&str], &str); 12] = [
    (&[], AS_IT_IS),
    (&["--accept-once"], "no multishot accept"),
    (&["--receive-once"], "no multishot receive"),
    (&["--own-buffers"], "no provided buffers"),
    (&["--interrupt"], "no DEFER_TASKRUN"),
    (&["--sqpoll", "10"], "SQPOLL"),
    (&["--zero-copy", "1"], "zero-copy send"),
    (&["--min-wait", "50"], "min_wait of 50 µs"),
    (&["--bundles"], "receive bundles"),
    (&["--incremental"], "incremental buffers"),
    (&["--direct"], "direct descriptors"),
    (&["--zero-copy", "1", "--registered-buffers"], "zero-copy send, registered"),
];

/// The length of the reply to `/`.
const GREETING: usize = 13;
/// A longer reply is another question.
const LONGEST: usize = 16 << 20;

/// More bytes on their way would take longer than a turn.
const MOST_IN_FLIGHT: usize = 64 << 20;

/// Measures and records.
pub(super) fn run(args: Args) -> Result<Outcome> {
    let clients = select::clients(&args.clients, "--clients")?;
    let sizes = select::numbers_up_to(&args.sizes, "--sizes", LONGEST)?;
    let (server_cpus, generator_cpus) = cpus(args.cpus.as_deref())?;
    let all = discover()?;
    let (uring, epoll) = (find(&all, "11")?, find(&all, "10")?);
    let one = ["--workers".to_owned(), server_cpus.len().to_string()];
    let switched = SWITCHES.iter().map(|(switch, title)| subject(uring, switch, &one, title));
    let subjects: Vec<Subject> = switched.chain([subject(epoll, &[], &one, "epoll (stage 10)")]).collect();
    let load = Load {
        duration: Duration::from_millis(args.millis.into()),
        cpus: Some(generator_cpus),
        ..Load::new("/")
    };
    let mut points = Vec::new();
    for at in 0..subjects.len() {
        for &size in &sizes {
            for &concurrency in clients.iter().filter(|clients| *clients * size <= MOST_IN_FLIGHT) {
                let load = Load { concurrency, path: path(size), ..load.clone() };
                points.push(point(at, Phase::Uring, Method::Closed(Clients::Counted), load));
            }
        }
    }
    let measured = Measured { content: Content::Uring, subjects, points, rounds: 3 };
    args.options.measure(measured, Setup::new(Vec::new(), server_cpus)?)
}

/// What is asked for.
fn path(size: usize) -> String {
    if size == GREETING { "/".to_owned() } else { format!("/bytes/{size}") }
}

/// A stage with a switch. What this kernel lacks is found by trying.
fn subject(stage: &Stage, switch: &[&str], workers: &[String], title: &str) -> Subject {
    /// Of the stages' contract.
    const UNSUPPORTED: i32 = 3;
    let options: Vec<String> = switch.iter().map(|word| (*word).to_owned()).chain(workers.to_vec()).collect();
    let subject = Subject::stage(stage, &options);
    let refused = || {
        let error = stage.launch(&options).start().err()?;
        let EndedEarly(status) = error.downcast_ref()?;
        (status.code() == Some(UNSUPPORTED)).then(|| format!("this kernel lacks it: {title}"))
    };
    Subject {
        title: title.to_owned(),
        label: format!("{}, {title}", stage.name),
        configuration: Some(options.join(" ")),
        lacks: subject.lacks.clone().or_else(refused),
        ..subject
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_length_has_its_path() {
        assert_eq!([13, 4096, 1 << 20].map(path), ["/", "/bytes/4096", "/bytes/1048576"]);
    }
}
