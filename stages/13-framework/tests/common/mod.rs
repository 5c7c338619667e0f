//! A server in this process, for a test.

#![allow(dead_code, reason = "each test file is a crate of its own and uses a part of this")]

use framework::{Application, Connection, ConnectionId, Protocol, Server, Settings};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Long enough for a machine that has other things to do.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);

/// A server that runs in threads of its own, stopped when the test ends.
pub(crate) struct Running {
    pub(crate) server: Server,
    thread: Option<JoinHandle<std::io::Result<()>>>,
}

impl Running {
    pub(crate) fn start(settings: Settings, application: impl Application) -> Self {
        let server = Server::new(settings).expect("a free port");
        let clone = server.clone();
        let thread = Some(std::thread::spawn(move || clone.run(application)));
        let running = Self { server, thread };
        until(|| running.server.counters().len() == running.server.settings().workers);
        running
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.server.address()).expect("the server listens");
        stream.set_read_timeout(Some(LIMIT)).expect("a timeout can be set");
        stream
    }

    /// Stops the server and waits for its end.
    pub(crate) fn stop(mut self) {
        self.server.stop();
        let thread = self.thread.take().expect("it runs");
        thread.join().expect("no panic").expect("it ends well");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.server.stop();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Waits until something is so.
pub(crate) fn until(mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < LIMIT, "it does not become so");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Answers each line with itself, and tells the test the id of each connection.
pub(crate) struct Lines {
    pub(crate) opened: Sender<ConnectionId>,
    pub(crate) service: &'static str,
}

impl Protocol for Lines {
    fn service(&self) -> &'static str {
        self.service
    }

    fn on_open(&mut self, connection: &mut Connection<'_>) {
        let _ = self.opened.send(connection.id());
    }

    fn on_data(&mut self, connection: &mut Connection<'_>) {
        let Ok(bytes) = connection.receive() else { return };
        let bytes = bytes.to_vec();
        connection.write_move(bytes);
    }
}

/// A server of [`Lines`], and the ids of its connections.
pub(crate) fn lines(settings: Settings) -> (Running, Receiver<ConnectionId>) {
    let (opened, ids) = channel();
    let make =
        move |_: &Server| Box::new(Lines { opened: opened.clone(), service: "lines" }) as Box<dyn Protocol>;
    (Running::start(settings, make), ids)
}

/// A connection that the server has opened, with its id.
pub(crate) fn open(running: &Running, ids: &Receiver<ConnectionId>) -> (TcpStream, ConnectionId) {
    let stream = running.connect();
    (stream, ids.recv_timeout(LIMIT).expect("it is opened"))
}

/// Sends a line and reads one.
pub(crate) fn ask(stream: &mut TcpStream, line: &str) -> String {
    stream.write_all(line.as_bytes()).expect("the server reads");
    read_line(stream)
}

pub(crate) fn read_line(stream: &mut TcpStream) -> String {
    let mut line = String::new();
    // Unbuffered, so that nothing behind the line is lost.
    BufReader::with_capacity(1, stream).read_line(&mut line).expect("a line");
    line
}

/// What comes until the end.
pub(crate) fn read_all(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).expect("an orderly end");
    bytes
}
