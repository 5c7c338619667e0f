//! What the kernel had accepted before SIGTERM is answered.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Protects clients that wait since there may be no more children: as those in the way are idle, they end,
/// and each of the others has a child that the parent waits for.
#[test]
fn what_waits_for_room_is_answered() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stage-02"));
    command.args(["--addr", "127.0.0.1:0", "--max-connections", "2"]).stdout(Stdio::piped());
    let mut server = command.spawn().expect("built by cargo");
    let mut line = String::new();
    BufReader::new(server.stdout.take().expect("piped")).read_line(&mut line).expect("its first line");
    let addr = line.trim().strip_prefix("listening on ").expect("the contract");
    let connect = || {
        let stream = TcpStream::connect(addr).expect("the listener is open");
        stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
        stream
    };
    let mut idle = [connect(), connect()];
    for stream in &mut idle {
        stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").expect("sent");
        assert!(stream.read(&mut [0; 1024]).expect("a reply") > 0);
    }
    let request = |mut stream: TcpStream| {
        stream.write_all(b"GET /sleep/100 HTTP/1.1\r\nHost: x\r\n\r\n").expect("it fits into the socket");
        stream
    };
    let waiting: Vec<_> = (0..6).map(|_| request(connect())).collect();
    kill(Pid::from_raw(server.id() as i32), Signal::SIGTERM).expect("it is not reaped yet");
    for mut stream in waiting {
        let mut reply = String::new();
        stream.read_to_string(&mut reply).expect("no reset");
        assert!(reply.starts_with("HTTP/1.1 200 OK\r\n"), "{reply:?}");
    }
    assert_eq!(server.wait().expect("it is ours").code(), Some(0));
}
