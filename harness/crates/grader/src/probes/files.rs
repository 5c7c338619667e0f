//! A server that serves files, for the probes of what leaves by sendfile(2) and of what a path may reach.

use super::client::{Client, LIMIT, get, get_and_close};
use super::narrow::{STALL, connect_narrow_to};
use super::signals::leave_with_replies_due;
use super::subject::{Subject, asked_by_hand, not_started};
use super::verdict::{Fault, Outcome, Verdict};
use lab_core::server_process::Server;
use std::path::Path;
use std::thread;
use std::time::Duration;
use tempfile::TempDir;

/// The file that is asked for: large enough to take several calls.
pub(super) const FILE: &str = "large.txt";
pub(super) const LENGTH: usize = 4 * 1024 * 1024;

/// The server, and the directory whose folder `root` it serves.
pub(super) struct FileServer {
    pub(super) server: Server,
    pub(super) body: Vec<u8>,
    directory: TempDir,
    /// It is one of another make, which may send a file in chunks.
    may_be_chunked: bool,
}

impl FileServer {
    /// Starts it with `--root`. Not applicable where it serves no files then.
    pub(super) fn start(subject: &Subject<'_>) -> Result<Self, Fault> {
        let cannot = |error| Fault::not_applicable(format!("no temporary file: {error}"));
        let directory = tempfile::Builder::new().prefix("c10k-lab-").tempdir().map_err(cannot)?;
        let root = directory.path().join("root");
        std::fs::create_dir(&root).map_err(cannot)?;
        // 251 is prime: a block that is lost or sent twice shifts what is behind it. Only visible letters.
        let body: Vec<u8> = (0..LENGTH).map(|i| b'a' + (i % 251 % 26) as u8).collect();
        std::fs::write(root.join(FILE), &body).map_err(cannot)?;
        // A short one, to see whether there are files at all.
        std::fs::write(root.join("short.txt"), "short").map_err(cannot)?;
        let options = ["--root", &root.to_string_lossy()];
        let server = subject.start_another(&options).map_err(|error| not_started(&error))?;
        let server = Self { server, body, directory, may_be_chunked: subject.target.is_foreign() };
        match server.connect()?.ask(&get_and_close("/short.txt"))?.status {
            404 => Err(Fault::not_applicable("it serves no files below --root")),
            _ => Ok(server),
        }
    }

    pub(super) fn connect(&self) -> Result<Client, Fault> {
        Ok(Client::connect(self.server.addr)?.allowing_chunks(self.may_be_chunked))
    }

    /// The directory above the one that is served.
    pub(super) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// A crash of the server, else the verdict.
    pub(super) fn judge(&mut self, verdict: Verdict) -> Verdict {
        // A moment for one that dies of what was done last.
        match self.server.end(Duration::from_millis(10)) {
            Some(end) => Err(Fault::crash(end)),
            None => verdict,
        }
    }
}

pub(super) fn path() -> String {
    format!("/{FILE}")
}

/// The fault, with commands that make the files, start the server and ask; and what they show.
pub(super) fn shown_by_hand(
    subject: &Subject<'_>,
    fault: Fault,
    prepare: &str,
    asked: &str,
    [right, seen]: [&str; 2],
) -> Fault {
    if fault.outcome == Outcome::NotApplicable {
        return fault;
    }
    // Named by the port, so that two readers on one machine do not share it.
    let before = format!(
        "D=/tmp/lab-files-$PORT; rm -rf $D; mkdir -p $D/root; cd $D/root; {prepare}; cd - >/dev/null"
    );
    match asked_by_hand(subject.target, &["--root", "/tmp/lab-files-$PORT/root"], &before, asked) {
        Some(command) => fault.shows(right, seen).shown_by(command),
        None => fault,
    }
}

/// A file of 64 MiB: more than the kernel holds for a client that does not read.
const LARGE: &str = "head -c 67108864 /dev/zero | tr '\\000' a >large.txt";

/// The whole file, byte for byte, to a client that takes a little at a time; and what is asked for behind it.
pub(super) fn short_write_file(subject: &mut Subject<'_>) -> Verdict {
    let mut server = FileServer::start(subject)?;
    let verdict = (|| {
        let client = connect_narrow_to(server.server.addr)?;
        let mut client = client.allowing_chunks(server.may_be_chunked);
        client.send(&[get(&path()), get("/bytes/33")].concat())?;
        thread::sleep(STALL);
        let verdict = client.reply_within(2 * LIMIT).and_then(|reply| reply.must_be(&server.body));
        verdict.map_err(|fault| fault.at(format!("a file of {LENGTH} bytes")))?;
        client.reply()?.must_be_filler(33)
    })();
    let asked = "printf 'GET /large.txt HTTP/1.1\\r\\nHost: probe\\r\\nConnection: close\\r\\n\\r\\n' \
                 | timeout 8 nc -q6 127.0.0.1 $PORT | { sleep 1; wc -c; }";
    let shown = ["more than 67108864 bytes: the file and its head", "fewer"];
    server.judge(verdict).map_err(|fault| shown_by_hand(subject, fault, LARGE, asked, shown))
}

/// sendfile(2) has no flag like MSG_NOSIGNAL: only a handler, or ignoring the signal, keeps the process.
pub(super) fn sigpipe_sendfile(subject: &mut Subject<'_>) -> Verdict {
    let mut server = FileServer::start(subject)?;
    let verdict = leave_with_replies_due(server.server.addr, &[&path()]);
    let verdict =
        server.judge(verdict).and_then(|()| server.connect()?.ask(&get_and_close("/"))?.must_be_hello());
    let asked = "for i in 1 2 3 4; do for j in 1 2; do printf 'GET /large.txt HTTP/1.1\\r\\nHost: probe\\r\\n\\r\\n'; done \
                 | timeout 2 nc -q1 127.0.0.1 $PORT | head -c 1000 >/dev/null; done; \
                 curl -s -m 2 http://127.0.0.1:$PORT/; echo \" curl: $?\"";
    let shown = ["Hello, World! curl: 0", "curl: 7: the process has ended"];
    verdict.map_err(|fault| shown_by_hand(subject, fault, LARGE, asked, shown))
}
