//! The driver `webbench` as a program: what it counts against servers that behave in known ways.

use nix::sys::signal::Signal;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Output};
use std::thread;
use std::time::{Duration, Instant};
use test_support::{Place, Run};

/// A server on a thread of its own, for the rest of the test process.
fn server(serve: impl Fn(TcpStream) + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let addr = listener.local_addr().expect("an address");
    thread::spawn(move || listener.incoming().flatten().for_each(serve));
    addr
}

fn webbench(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_webbench")).args(args).output().expect("it was built")
}

/// `(succeeded, failed, pages per minute)` of a completed run.
fn counted(output: &Output) -> (u64, u64, u64) {
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let text = String::from_utf8_lossy(&output.stdout);
    let number = |after: &str, before: &str| {
        let (_, rest) = text.rsplit_once(after).expect(after);
        rest.split_once(before).expect(before).0.parse().expect("a number")
    };
    (number("Requests: ", " susceed"), number(" susceed, ", " failed"), number("Speed=", " pages/min"))
}

#[test]
fn whole_replies_are_counted_and_reported_per_minute() {
    let addr = server(|mut stream| {
        let _ = stream.read(&mut [0; 1000]);
        let _ = stream.write_all(b"HTTP/1.0 200 OK\r\n\r\nHello, World!");
    });
    let output = webbench(&["-t", "1", "-c", "2", &format!("http://{addr}/page")]);
    let (succeeded, failed, speed) = counted(&output);
    assert!(succeeded > 10 && failed == 0, "{output:?}");
    assert_eq!(speed, succeeded * 60);
    let text = String::from_utf8_lossy(&output.stdout);
    let preamble = "\nRequest:\nGET /page HTTP/1.0\r\nUser-Agent: WebBench 1.5\r\nHost: 127.0.0.1\r\n\r\n\n\
                    Runing info: 2 clients, running 1 sec.\n";
    assert_eq!(text.replace("\r\n", "\n").find(&preamble.replace("\r\n", "\n")), Some(0), "{text:?}");
    assert_eq!(text.matches("Request:").count(), 1, "the preamble comes once");
}

/// What makes its figures misleading, and must stay as it is.
#[test]
fn an_empty_reply_is_a_success() {
    let addr = server(|mut stream| {
        let _ = stream.read(&mut [0; 1000]);
    });
    let output = webbench(&["-t", "1", &format!("http://{addr}/")]);
    let (succeeded, failed, _) = counted(&output);
    assert!(succeeded > 10 && failed == 0, "{output:?}");
}

#[test]
fn a_server_that_never_replies_gives_nothing_and_the_run_ends() {
    // The streams are kept, so nobody sees an end.
    let (keep, kept) = std::sync::mpsc::channel();
    let addr = server(move |stream| keep.send(stream).expect("the test keeps the other half"));
    let start = Instant::now();
    let output = webbench(&["-t", "1", "-c", "3", &format!("http://{addr}/")]);
    assert_eq!(counted(&output), (0, 0, 0));
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    drop(kept);
}

/// The clients of a run that was killed would keep the machine busy beside the next one, here for a minute.
#[test]
fn no_client_outlives_a_webbench_that_is_killed() {
    let addr = server(|mut stream| {
        let _ = stream.read(&mut [0; 1000]);
    });
    let place = Place::new();
    let mut command = place.command(env!("CARGO_BIN_EXE_webbench"));
    command.args(["-t", "60", "-c", "20", &format!("http://{addr}/")]);
    let mut run = Run::start(command);
    run.wait_until("20 clients", || place.running().len() == 21);
    run.signal_and_wait(Signal::SIGKILL);
    assert_eq!(place.left_behind(Duration::from_secs(10)), [""; 0]);
}

/// Connections are refused once the run has begun: failures, and they raise the speed.
#[test]
fn failures_raise_the_speed() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let addr = listener.local_addr().expect("an address");
    thread::spawn(move || drop(listener.accept()));
    let output = webbench(&["-t", "1", &format!("http://{addr}/")]);
    let (succeeded, failed, speed) = counted(&output);
    assert!(succeeded == 0 && failed > 10, "{output:?}");
    assert_eq!(speed, failed * 60);
}

#[test]
fn bad_arguments_exit_with_2_and_one_line() {
    let long = format!("http://h/{}", "a".repeat(1500));
    for url in ["127.0.0.1/", "https://127.0.0.1/", "http://127.0.0.1", "http://:1/", long.as_str()] {
        let output = webbench(&[url]);
        assert_eq!(output.status.code(), Some(2), "{url}");
        assert_eq!(String::from_utf8_lossy(&output.stderr).lines().count(), 1, "{output:?}");
        assert!(output.stdout.is_empty(), "{output:?}");
    }
    for args in [vec!["-t", "0", "http://h/"], vec!["-9", "-1", "http://h/"], vec!["--nonsense"], vec![]] {
        assert_eq!(webbench(&args).status.code(), Some(2), "{args:?}");
    }
}

#[test]
fn help_version_and_an_absent_server_have_their_codes() {
    for flag in ["-?", "-h", "--help"] {
        let output = webbench(&[flag]);
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{flag}");
        assert!(text.contains("webbench [option]... URL") && text.contains("Mended"), "{text}");
        assert!(output.stdout.is_empty());
    }
    let output = webbench(&["-V"]);
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(0), b"1.5\n".as_slice()));
    // Bound, then closed: nobody listens there.
    let addr = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
    assert_eq!(webbench(&[&format!("http://{addr}/")]).status.code(), Some(1));
}
