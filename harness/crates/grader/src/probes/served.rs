//! What a server of files sends of them: a range, and nothing that is outside its root or no file.

use super::client::{LIMIT, get, get_and_close};
use super::files::{FILE, FileServer, LENGTH, path, shown_by_hand};
use super::heads::{Answer, exchange};
use super::subject::Subject;
use super::tree::group;
use super::verdict::{Fault, Kind, Outcome, Verdict};
use nix::sys::stat::Mode;
use procfs::process::{MMapPath, Process};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

/// A file that a server may read whole before it answers, and one that takes more than one read.
const SMALL: &str = "small.txt";
const SMALL_LENGTH: usize = 1_000;
const MEDIUM: &str = "medium.txt";
const MEDIUM_LENGTH: usize = 150_000;

/// Letters that stand in no other file.
const SECRET: &[u8] = b"SECRET-0123456789";

fn cannot(error: std::io::Error) -> Fault {
    Fault::not_applicable(format!("no temporary file: {error}"))
}

/// A request for a file with one header line more.
fn with_line(path: &str, line: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: probe\r\n{line}\r\n\r\n").into_bytes()
}

/// The value of Range, and the first and last position that it stands for in a file of `length` bytes; `None`
/// if no byte is there.
fn ranges(length: usize) -> Vec<(String, Option<(usize, usize)>)> {
    vec![
        ("bytes=0-9".to_owned(), Some((0, 9))),
        ("bytes=0-0".to_owned(), Some((0, 0))),
        ("bytes=100-299".to_owned(), Some((100, 299))),
        ("bytes=-7".to_owned(), Some((length - 7, length - 1))),
        (format!("bytes={}-", length - 5), Some((length - 5, length - 1))),
        (format!("bytes={}-{}", length - 5, length + 50), Some((length - 5, length - 1))),
        (format!("bytes={length}-"), None),
    ]
}

/// Ranges of a small file and of a larger one: exactly these bytes, and a head that says which they are.
pub(super) fn file_range(subject: &mut Subject<'_>) -> Verdict {
    let mut server = FileServer::start(subject)?;
    let root = server.directory().join("root");
    let files = [(SMALL, &server.body[..SMALL_LENGTH]), (MEDIUM, &server.body[..MEDIUM_LENGTH])];
    files.iter().try_for_each(|(name, body)| std::fs::write(root.join(name), body)).map_err(cannot)?;
    let is_foreign = subject.target.is_foreign();
    let verdict = (|| {
        for (name, file) in files {
            let path = format!("/{name}");
            let mut client = server.connect()?;
            for (range, positions) in ranges(file.len()) {
                let answer = exchange(&mut client, &with_line(&path, &format!("Range: {range}")))?;
                if answer.status == 200 && answer.body == file && is_foreign {
                    let reason = "it knows no ranges, and a server may ignore them (RFC 9110 14.2)";
                    return Err(Fault::not_applicable(reason));
                }
                let verdict = must_be_part(&answer, file, positions);
                verdict.map_err(|fault| fault.at(format!("{path}, Range: {range}")))?;
            }
            client.ask(&get_and_close("/"))?.must_be_hello()?;
        }
        Ok(())
    })();
    let asked = "curl -s -r 0-9 -w ' %{http_code}\\n' http://127.0.0.1:$PORT/small.txt";
    let shown = ["the first 10 bytes, 0123456789, and 206", "other bytes, or another status"];
    server.judge(verdict).map_err(|fault| {
        shown_by_hand(subject, fault, "printf '0123456789abcdefghij' >small.txt", asked, shown)
    })
}

fn must_be_part(answer: &Answer, file: &[u8], positions: Option<(usize, usize)>) -> Verdict {
    let length = file.len();
    let (status, said) = match positions {
        Some((first, last)) => (206, format!("bytes {first}-{last}/{length}")),
        None => (416, format!("bytes */{length}")),
    };
    if answer.status != status {
        let fault = Fault::wrong(format!("status {} instead of {status}", answer.status));
        return Err(fault.of(Kind::Status));
    }
    let found = answer.field("content-range").unwrap_or("none");
    if found != said {
        return Err(Fault::wrong(format!("Content-Range: {found}, and not {said}")));
    }
    match positions {
        Some((first, last)) if answer.body != file[first..=last] => {
            let count = last - first + 1;
            let fault = Fault::wrong(format!("{} bytes, not the {count} asked for", answer.body.len()));
            Err(fault.of(Kind::Body))
        }
        _ => Ok(()),
    }
}

/// Conditional requests (RFC 9110 section 13): by what the server itself says of the file's version.
pub(super) fn file_conditions(subject: &mut Subject<'_>) -> Verdict {
    const NOT_ITS: &str = "\"no-such-version\"";
    let mut server = FileServer::start(subject)?;
    let body = &server.body[..MEDIUM_LENGTH];
    std::fs::write(server.directory().join("root").join(MEDIUM), body).map_err(cannot)?;
    let (path, is_foreign) = (format!("/{MEDIUM}"), subject.target.is_foreign());
    let verdict = (|| {
        let mut client = server.connect()?;
        let whole = exchange(&mut client, &get(&path))?;
        let (tag, modified) = (whole.field("etag"), whole.field("last-modified"));
        let mut asked = Vec::new();
        if let Some(tag) = tag {
            asked.push((format!("If-None-Match: {tag}"), 304));
            asked.push((format!("If-None-Match: {NOT_ITS}"), 200));
            asked.push((format!("If-Match: {tag}"), 200));
            asked.push((format!("If-Match: {NOT_ITS}"), 412));
            asked.push((format!("If-Range: {tag}\r\nRange: bytes=0-9"), 206));
            asked.push((format!("If-Range: {NOT_ITS}\r\nRange: bytes=0-9"), 200));
        }
        if let Some(modified) = modified {
            asked.push((format!("If-Modified-Since: {modified}"), 304));
            asked.push(("If-Modified-Since: Thu, 01 Jan 1998 00:00:00 GMT".to_owned(), 200));
        }
        if asked.is_empty() {
            return Err(match is_foreign {
                true => Fault::not_applicable("it says nothing of a file's version"),
                false => Fault::wrong("neither ETag nor Last-Modified in a reply with a file"),
            });
        }
        for (lines, status) in asked {
            let answer = exchange(&mut client, &with_line(&path, &lines))?;
            let place = lines.replace("\r\n", ", ");
            if answer.status != status {
                // To ignore a condition is a server's choice, but for a range of another version of the file.
                if is_foreign && answer.status == 200 {
                    continue;
                }
                let fault = Fault::wrong(format!("{place}: status {} instead of {status}", answer.status));
                return Err(fault.of(Kind::Status));
            }
            let due: &[u8] = match status {
                200 => body,
                206 => &body[..10],
                _ => continue,
            };
            if answer.body != due {
                let detail = format!("{place}: {} bytes instead of {}", answer.body.len(), due.len());
                return Err(Fault::wrong(detail).of(Kind::Body));
            }
        }
        client.ask(&get_and_close("/"))?.must_be_hello()
    })();
    let ask = "curl -s -o /dev/null -w '%{http_code}\\n'";
    let url = "http://127.0.0.1:$PORT/small.txt";
    let asked = format!(
        "T=$(curl -s -D - -o /dev/null {url} | tr -d '\\r' | sed -n 's/^[Ee][Tt]ag: //p'); \
         {ask} -H \"If-None-Match: $T\" {url}; {ask} -H 'If-Match: \"other\"' {url}; \
         {ask} -H 'If-Range: \"other\"' -r 0-3 {url}"
    );
    let shown = ["304, 412, 200", "another status"];
    server
        .judge(verdict)
        .map_err(|fault| shown_by_hand(subject, fault, "printf '0123456789' >small.txt", &asked, shown))
}

/// Paths that lead out of the root as a text or by what they mean.
const PATHS_OUT: [&str; 7] = [
    "/../secret.txt",
    "/%2e%2e/secret.txt",
    "/..%2fsecret.txt",
    "/%2e%2e%2fsecret.txt",
    "/folder/../../secret.txt",
    "/..%5csecret.txt",
    "//../secret.txt",
];

/// Symbolic links in the root: to the file outside, by either kind of name, and to the directory above.
const LINKS_OUT: [&str; 3] = ["/link.txt", "/absolute.txt", "/above/secret.txt"];

/// Whatever a path says, and wherever a symbolic link in the root points, no byte from outside the root
/// leaves.
pub(super) fn file_outside_root(subject: &mut Subject<'_>) -> Verdict {
    let mut server = FileServer::start(subject)?;
    let (directory, root) = (server.directory().to_owned(), server.directory().join("root"));
    let secret = directory.join("secret.txt");
    std::fs::write(&secret, SECRET).map_err(cannot)?;
    std::fs::create_dir(root.join("folder")).map_err(cannot)?;
    let links = [
        ("link.txt", Path::new("../secret.txt")),
        ("absolute.txt", secret.as_path()),
        ("above", Path::new("..")),
    ];
    links.iter().try_for_each(|(name, to)| symlink(to, root.join(name))).map_err(cannot)?;
    let mut found = None;
    let verdict = (|| {
        for path in PATHS_OUT.into_iter().chain(LINKS_OUT) {
            if shows_secret(&server, path)? {
                found = Some(path);
                let is_link = LINKS_OUT.contains(&path);
                return Err(match is_link && subject.target.is_foreign() {
                    true => Fault::not_applicable(
                        "it follows symbolic links out of its root, which is its choice",
                    ),
                    false => Fault::wrong(format!("GET {path} sends a file that is outside the root")),
                });
            }
        }
        server.connect()?.ask(&get_and_close("/"))?.must_be_hello()
    })();
    let prepare = "echo SECRET >../secret.txt; mkdir folder; ln -s ../secret.txt link.txt; \
                   ln -s $D/secret.txt absolute.txt; ln -s .. above";
    let path = found.unwrap_or(PATHS_OUT[0]);
    let asked = format!("curl -s --path-as-is -w '%{{http_code}}\\n' http://127.0.0.1:$PORT{path}");
    let shown = ["404 or 400, and not SECRET", "SECRET, from outside the root"];
    server.judge(verdict).map_err(|fault| shown_by_hand(subject, fault, prepare, &asked, shown))
}

/// Whether the reply to a request has the secret. How else it is answered is for other probes.
fn shows_secret(server: &FileServer, path: &str) -> Result<bool, Fault> {
    let mut client = server.connect()?;
    client.send(&get_and_close(path))?;
    match client.reply() {
        Ok(reply) => Ok(reply.body.windows(SECRET.len()).any(|bytes| bytes == SECRET)),
        Err(fault) if fault.outcome == Outcome::Hang => Err(fault.at(format!("GET {path}"))),
        Err(_) => Ok(false),
    }
}

/// A FIFO in the root: opening one for reading waits for a writer, and reading it would never end.
pub(super) fn file_not_regular(subject: &mut Subject<'_>) -> Verdict {
    let mut server = FileServer::start(subject)?;
    let fifo = server.directory().join("root/fifo");
    nix::unistd::mkfifo(&fifo, Mode::S_IRUSR | Mode::S_IWUSR).map_err(|error| cannot(error.into()))?;
    let is_foreign = subject.target.is_foreign();
    let verdict = (|| {
        let mut client = server.connect()?;
        client.send(&get_and_close("/fifo"))?;
        // Whatever becomes of that client, it costs its own connection only.
        let mut beside = server.connect()?;
        let served = beside.ask(&get_and_close("/")).and_then(|reply| reply.must_be_hello());
        served.map_err(|fault| fault.at("while another client asks for a FIFO"))?;
        match client.reply() {
            Ok(reply) if reply.status == 404 || is_foreign => Ok(()),
            Ok(reply) => {
                let fault = Fault::wrong(format!("status {} instead of 404 for a FIFO", reply.status));
                Err(fault.of(Kind::Status))
            }
            Err(_) if is_foreign => Err(Fault::not_applicable(
                "it waits for who asks for a FIFO, which costs its connection alone",
            )),
            Err(fault) => Err(fault.at("GET of a FIFO")),
        }
    })();
    let asked = "curl -s -m 2 -o /dev/null -w '%{http_code}\\n' http://127.0.0.1:$PORT/fifo";
    let shown = ["404", "another status, or 000 after 2 s"];
    server.judge(verdict).map_err(|fault| shown_by_hand(subject, fault, "mkfifo fifo", asked, shown))
}

/// What a server holds of the files that it has sent: descriptors, and bytes of its address space.
#[derive(Debug, Clone, Copy)]
struct Held {
    descriptors: usize,
    mapped: u64,
}

impl Held {
    /// Of everything below `root`, in all processes.
    fn of(leader: i32, root: &Path) -> Self {
        let mut held = Self { descriptors: 0, mapped: 0 };
        for process in group(leader).iter().filter_map(|stat| Process::new(stat.pid).ok()) {
            let links =
                std::fs::read_dir(format!("/proc/{}/fd", process.pid)).into_iter().flatten().flatten();
            let targets = links.filter_map(|link| std::fs::read_link(link.path()).ok());
            held.descriptors += targets.filter(|target| target.ends_with(FILE)).count();
            let maps = process.maps().into_iter().flatten();
            let of_file = |path: &MMapPath| matches!(path, MMapPath::Path(path) if path.starts_with(root));
            let mapped = maps.filter(|map| of_file(&map.pathname)).map(|map| map.address.1 - map.address.0);
            held.mapped += mapped.sum::<u64>();
        }
        held
    }
}

/// A file is sent whole, in part, not at all, or to a client that leaves: behind each of these it is closed,
/// and what was mapped to send it is unmapped.
pub(super) fn leak_on_file(subject: &mut Subject<'_>) -> Verdict {
    const VISITS: usize = 16;
    const SETTLE: Duration = Duration::from_secs(5);
    let mut server = FileServer::start(subject)?;
    let pid = server.server.pid();
    let root = server.directory().join("root");
    let visit = |count: usize| -> Verdict {
        for i in 0..count {
            let mut client = server.connect()?;
            match i % 4 {
                0 => client.ask(&get_and_close(&path()))?.must_be(&server.body)?,
                1 => drop(client.ask(&with_line(&path(), "Range: bytes=100-1000000\r\nConnection: close"))?),
                2 => {
                    client.send(&get(&path()))?;
                    client.bytes(1_000, LIMIT)?;
                    client.reset();
                }
                _ => {
                    client.send(&get(&path()))?;
                    client.finish_sending();
                    client.bytes(1_000, LIMIT)?;
                }
            }
        }
        Ok(())
    };
    let verdict = (|| {
        // What is opened at first use and kept is no leak.
        visit(4)?;
        thread::sleep(Duration::from_millis(100));
        let before = Held::of(pid, &root);
        visit(VISITS)?;
        let start = Instant::now();
        loop {
            let now = Held::of(pid, &root);
            let more = now.descriptors.saturating_sub(before.descriptors);
            let mapped = now.mapped.saturating_sub(before.mapped);
            if more == 0 && mapped <= 2 * LENGTH as u64 {
                return Ok(());
            }
            if start.elapsed() > SETTLE {
                let detail = format!(
                    "after {VISITS} downloads {more} descriptors of the file more, and {} MiB more of it mapped",
                    mapped >> 20
                );
                return Err(Fault::new(Outcome::Leak, detail));
            }
            thread::sleep(Duration::from_millis(50));
        }
    })();
    let state = "ls -l /proc/$PID/fd | grep -c large.txt; grep -c large.txt /proc/$PID/maps";
    let asked = format!(
        "for i in 1 2 3 4 5 6 7 8; do curl -s -o /dev/null http://127.0.0.1:$PORT/large.txt; \
         curl -s http://127.0.0.1:$PORT/large.txt | head -c 100 >/dev/null; done; sleep 1\n{{ {state}; }} | paste -s"
    );
    let shown = ["0 descriptors and 0 mappings of the file", "more"];
    let prepare = "head -c 4194304 /dev/zero | tr '\\000' a >large.txt";
    server.judge(verdict).map_err(|fault| shown_by_hand(subject, fault, prepare, &asked, shown))
}
