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
    let banner = String::from_utf8_lossy(&output.stderr);
    assert_eq!(banner.matches("Webbench 1.5").count(), 1, "{banner:?}");
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

/// What the driver says beside the original's report, on stderr: the lines after its banner.
fn doubts(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    text.lines().filter(|line| line.starts_with("webbench: ")).collect::<Vec<_>>().join("\n")
}

/// The report alone would say that all is well.
#[test]
fn a_run_without_any_2xx_says_so() {
    let answer = |reply: &'static [u8]| {
        move |mut stream: TcpStream| {
            let _ = stream.read(&mut [0; 1000]);
            let _ = stream.write_all(reply);
        }
    };
    let refusing = server(answer(b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.0 400 Bad Request\r\n\r\nno"));
    let output = webbench(&["-t", "1", "-c", "2", &format!("http://{refusing}/")]);
    let (succeeded, failed, _) = counted(&output);
    assert!(succeeded > 10 && failed == 0, "as the original counts: {output:?}");
    assert_eq!(doubts(&output), "webbench: no reply was a 2xx: the last status was 400");
    // It does not look at what it does not wait for, and HTTP/0.9 has no status.
    for flag in ["-f", "-9"] {
        assert_eq!(doubts(&webbench(&["-t", "1", flag, &format!("http://{refusing}/")])), "", "{flag}");
    }
    let right = server(answer(b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.0 200 OK\r\n\r\nHello, World!"));
    assert_eq!(doubts(&webbench(&["-t", "1", &format!("http://{right}/")])), "");
    let nonsense = server(answer(b"Hello, World!"));
    let output = webbench(&["-t", "1", &format!("http://{nonsense}/")]);
    assert_eq!(doubts(&output), "webbench: no reply was a 2xx: none had a status");
}

/// webbench waits for the end of the connection. A server that keeps it gets "0 susceed, 0 failed".
#[test]
fn a_server_that_does_not_close_is_named_as_the_reason() {
    let (keep, _kept) = std::sync::mpsc::channel();
    let addr = server(move |mut stream| {
        let _ = stream.read(&mut [0; 1000]);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\nHello, World!");
        keep.send(stream).expect("the test keeps the other half");
    });
    let output = webbench(&["-t", "1", &format!("http://{addr}/")]);
    assert_eq!(counted(&output), (0, 0, 0));
    assert!(doubts(&output).contains("the server does not close the connection"), "{output:?}");
}

#[test]
fn a_literal_ipv6_host_has_its_brackets() {
    let Ok(listener) = TcpListener::bind("[::1]:0") else { return };
    let addr = listener.local_addr().expect("an address");
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut request = [0; 1000];
            let length = stream.read(&mut request).unwrap_or(0);
            let is_valid = String::from_utf8_lossy(&request[..length]).contains("\r\nHost: [::1]\r\n");
            let status = if is_valid { "200 OK" } else { "400 Bad Request" };
            let _ = stream.write_all(format!("HTTP/1.0 {status}\r\n\r\n").as_bytes());
        }
    });
    let output = webbench(&["-t", "1", &format!("http://{addr}/")]);
    assert!(counted(&output).0 > 10 && doubts(&output).is_empty(), "{output:?}");
}

#[test]
fn a_server_that_never_replies_gives_nothing_and_the_run_ends() {
    // The streams are kept, so no client sees an end.
    let (keep, kept) = std::sync::mpsc::channel();
    let addr = server(move |stream| keep.send(stream).expect("the test keeps the other half"));
    let start = Instant::now();
    let output = webbench(&["-t", "1", "-c", "3", &format!("http://{addr}/")]);
    assert_eq!(counted(&output), (0, 0, 0));
    assert!(doubts(&output).contains("no reply came"), "{output:?}");
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
    let rows: [(&[&str], &str); 5] = [
        (&["-t", "0", "http://h/"], "a whole number in 1..=86400 is allowed"),
        (&["-c", "many", "http://h/"], "'many' for '--clients <N>': a whole number in 0..=30000 is allowed"),
        (&["-9", "-1", "http://h/"], "cannot be used with"),
        (&["--head", "--trace", "http://h/"], "cannot be used with"),
        (&["--nonsense"], "--nonsense"),
    ];
    for (args, said) in rows {
        let output = webbench(args);
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), text.lines().count()), (Some(2), 1), "{args:?}: {text}");
        assert!(text.starts_with("webbench: ") && text.contains(said), "{args:?}: {text}");
    }
    assert_eq!(webbench(&[]).status.code(), Some(2), "without a URL it is the help");
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
    // Bound, then closed: nothing listens there.
    let addr = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
    assert_eq!(webbench(&[&format!("http://{addr}/")]).status.code(), Some(1));
}
