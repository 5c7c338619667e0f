//! `stop_all` from a callback of one of several processes. A server of several processes forks, and a process
//! that forks must have one thread: so this test has a `main` of its own, which starts itself as the server.

mod stage;

use framework::{Connection, Protocol, Server, Settings};
use stage::Stage;
use std::io::{Read, Write};
use std::time::Instant;

/// Tells its process on the first byte, and stops all processes on an `s`.
struct Stops;

impl Protocol for Stops {
    fn service(&self) -> &'static str {
        "stops"
    }

    fn on_data(&mut self, connection: &mut Connection<'_>) {
        let Ok(bytes) = connection.receive() else { return };
        if bytes.contains(&b's') {
            connection.server().stop_all();
        }
        connection
            .write(format!("{} of {}\n", nix::unistd::getpid(), connection.server().root_pid()).as_bytes());
    }
}

fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("serve") => serve(),
        _ => {
            stop_all_ends_every_process();
            println!("stop_all_ends_every_process ... ok");
        }
    }
}

fn serve() {
    let settings = Settings { processes: 3, signals: true, announce: true, ..Settings::default() };
    let server = Server::new(settings).expect("a free port");
    server.run(|_: &Server| Box::new(Stops) as Box<dyn Protocol>).expect("it serves");
}

/// Protects whoever stops a server from within: all of its processes end, the parent too, with success, and
/// what a client was to be told before is told. `root_pid` is the parent's in each of them.
fn stop_all_ends_every_process() {
    let stage =
        Stage::of(std::process::Command::new(std::env::current_exe().expect("our path")).arg("serve"));
    let parent = stage.pid();
    assert_eq!(stage::children(parent).len(), 3);
    let mut streams: Vec<_> = (0..6).map(|_| stage.connect()).collect();
    for stream in &mut streams {
        stream.write_all(b"?").unwrap();
        let line = stage::read_line(stream);
        assert!(line.ends_with(&format!(" of {parent}\n")), "{line}");
    }
    let begun = Instant::now();
    streams[0].write_all(b"s").unwrap();
    for (index, stream) in streams.iter_mut().enumerate() {
        let mut rest = String::new();
        stream.read_to_string(&mut rest).expect("an orderly end");
        assert_eq!(rest.lines().count(), usize::from(index == 0), "{rest}");
    }
    let (status, stderr) = stage.wait();
    assert!(status.success() && stderr.is_empty(), "{status}: {stderr}");
    assert!(begun.elapsed() < stage::LIMIT);
}
