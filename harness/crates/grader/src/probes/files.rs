//! A server that serves files, for the probes of what leaves by sendfile(2).

use super::client::{Client, LIMIT, get, get_and_close};
use super::narrow::{STALL, connect_narrow_to};
use super::signals::leave_with_replies_due;
use super::subject::Subject;
use super::verdict::{Fault, Verdict};
use lab_core::server_process::Server;
use std::thread;
use std::time::Duration;
use tempfile::TempDir;

/// The file that is asked for: large enough to take several calls.
const FILE: &str = "large.txt";
const LENGTH: usize = 4 * 1024 * 1024;

/// The server, and the directory that it serves.
struct FileServer {
    server: Server,
    body: Vec<u8>,
    _directory: TempDir,
}

impl FileServer {
    /// Starts it with `--root`. Not applicable where it serves no files then.
    fn start(subject: &Subject<'_>) -> Result<Self, Fault> {
        let cannot = |error| Fault::not_applicable(format!("no temporary file: {error}"));
        let directory = tempfile::Builder::new().prefix("c10k-lab-").tempdir().map_err(cannot)?;
        // 251 is prime: a block that is lost or sent twice shifts what is behind it. Only visible letters.
        let body: Vec<u8> = (0..LENGTH).map(|i| b'a' + (i % 251 % 26) as u8).collect();
        std::fs::write(directory.path().join(FILE), &body).map_err(cannot)?;
        let root = directory.path().to_string_lossy();
        let Some(launch) = subject.target.launch(&["--root", &root], None) else {
            return Err(Fault::not_applicable("nothing can be started"));
        };
        let server = launch.start().map_err(|error| Fault::crash(format!("{error:#}")))?;
        let found = Client::connect(server.addr)?.ask(&get_and_close(&path()))?.status;
        match found {
            404 => Err(Fault::not_applicable("it serves no files below --root")),
            _ => Ok(Self { server, body, _directory: directory }),
        }
    }

    /// A crash of the server, else the verdict.
    fn judge(&mut self, verdict: Verdict) -> Verdict {
        // A moment for one that dies of what was done last.
        match self.server.end(Duration::from_millis(10)) {
            Some(end) => Err(Fault::crash(end)),
            None => verdict,
        }
    }
}

fn path() -> String {
    format!("/{FILE}")
}

/// The whole file, byte for byte, to a client that takes a little at a time; and what is asked for behind it.
pub(super) fn short_write_file(subject: &mut Subject<'_>) -> Verdict {
    let mut server = FileServer::start(subject)?;
    let verdict = (|| {
        let mut client = connect_narrow_to(server.server.addr)?;
        client.send(&[get(&path()), get("/bytes/33")].concat())?;
        thread::sleep(STALL);
        let verdict = client.reply_within(2 * LIMIT).and_then(|reply| reply.must_be(&server.body));
        verdict.map_err(|fault| fault.at(format!("a file of {LENGTH} bytes")))?;
        client.reply()?.must_be_filler(33)
    })();
    server.judge(verdict)
}

/// sendfile(2) has no flag like MSG_NOSIGNAL: only a handler, or ignoring the signal, keeps the process.
pub(super) fn sigpipe_sendfile(subject: &mut Subject<'_>) -> Verdict {
    let mut server = FileServer::start(subject)?;
    let verdict = leave_with_replies_due(server.server.addr, &[&path()]);
    server.judge(verdict)?;
    Client::connect(server.server.addr)?.ask(&get_and_close("/"))?.must_be_hello()
}
