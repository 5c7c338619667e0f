//! `./lab load` as a program: what it counts against servers that behave in known ways.

use load::Report;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const RIGHT: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\nHello, World!";
const LAST: &[u8] = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 13\r\n\r\nHello, World!";

/// A reply, and whether the connection stays open.
type Answer = (Vec<u8>, bool);

/// A server with a thread per connection, for the rest of the test process. `answer` gets the number of the
/// request, counted over all connections, and returns the reply and whether the connection stays open.
struct Server {
    addr: SocketAddr,
    /// Requests that were answered.
    answered: Arc<AtomicU64>,
    accepted: Arc<AtomicU64>,
}

impl Server {
    fn start(answer: impl Fn(u64) -> Answer + Send + Sync + 'static) -> Self {
        Self::start_with_paths(move |n, _| answer(n))
    }

    /// The same for an answer that depends on what is asked for.
    fn start_with_paths(answer: impl Fn(u64, &str) -> Answer + Send + Sync + 'static) -> Self {
        Self::start_serving(move |stream, answered| serve(stream, &answer, answered))
    }

    /// The same for an answer in several writes, on a connection that stays open.
    fn start_with_streams(
        answer: impl Fn(&mut TcpStream) -> std::io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        Self::start_serving(move |stream, answered| {
            let mut writer = stream.try_clone().expect("a descriptor");
            for _ in BufReader::new(stream).lines().map_while(Result::ok).filter(String::is_empty) {
                answered.fetch_add(1, Ordering::Relaxed);
                if answer(&mut writer).is_err() {
                    return;
                }
            }
        })
    }

    fn start_serving(serve: impl Fn(TcpStream, &AtomicU64) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let addr = listener.local_addr().expect("an address");
        let (answered, accepted) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let server = Self { addr, answered: Arc::clone(&answered), accepted: Arc::clone(&accepted) };
        let serve = Arc::new(serve);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                accepted.fetch_add(1, Ordering::Relaxed);
                let (serve, answered) = (Arc::clone(&serve), Arc::clone(&answered));
                thread::spawn(move || serve(stream, &answered));
            }
        });
        server
    }

    fn url(&self) -> String {
        format!("http://{}/", self.addr)
    }

    fn answered(&self) -> u64 {
        self.answered.load(Ordering::Relaxed)
    }
}

fn serve(mut stream: TcpStream, answer: &dyn Fn(u64, &str) -> Answer, answered: &AtomicU64) {
    let mut path = String::new();
    let mut lines = BufReader::new(stream.try_clone().expect("a descriptor")).lines();
    while let Some(Ok(line)) = lines.next() {
        if let Some(rest) = line.strip_prefix("GET ") {
            path = rest.split(' ').next().unwrap_or_default().to_owned();
        }
        if !line.is_empty() {
            continue;
        }
        let (reply, keeps) = answer(answered.fetch_add(1, Ordering::Relaxed), &path);
        if stream.write_all(&reply).is_err() || !keeps {
            return;
        }
    }
}

fn load(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_harness")).arg("load").args(args).output().expect("it was built")
}

/// The report of a run that ended well.
fn report(url: &str, args: &[&str]) -> Report {
    let output = load(&[&[url, "--json"], args].concat());
    assert!(output.status.success(), "{output:?}");
    read(&output)
}

fn read(output: &Output) -> Report {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

/// Every request is right, wrong or cut off: what the server counted must be what the generator counted.
#[test]
fn the_count_is_the_servers() {
    for args in [["-c", "8", "-t", "1"], ["-c", "8", "-t", "3"]] {
        let server = Server::start(|_| (RIGHT.to_vec(), true));
        let report = report(&server.url(), &[&args[..], &["-d", "0.5"]].concat());
        assert!(report.main.requests > 50 && report.failed() == 0, "{report:?}");
        assert_eq!(report.clients_served, 8);
        assert_eq!(report.connections_opened, 8);
        assert!(report.main.requests <= server.answered(), "{report:?}");
        assert!(
            report.main.requests + report.main.aborted >= server.answered(),
            "{report:?} {}",
            server.answered()
        );
        assert!((0.4..5.0).contains(&report.seconds) && report.cpu_seconds > 0.0, "{report:?}");
        assert!(report.bytes >= report.main.requests * RIGHT.len() as u64, "{report:?}");
        assert!(
            report.main.service_us.is_some() && report.main.latency_us.is_none(),
            "a closed loop has no latency"
        );
    }
}

#[test]
fn the_warm_up_is_not_counted() {
    let server = Server::start(|_| (RIGHT.to_vec(), true));
    let report = report(&server.url(), &["-c", "4", "-d", "0.5", "--warm-up", "0.5"]);
    assert!(
        report.main.requests > 50 && report.main.requests < server.answered() - 50,
        "{report:?} {}",
        server.answered()
    );
    assert!(report.seconds < 0.9, "{report:?}");
}

/// Short in two ways: announced as short, and cut off; and too long. Only a body of another length may be one
/// that is right for the user.
#[test]
fn short_and_long_replies_are_errors_and_no_throughput() {
    for (short, keeps, kind) in [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nHello".as_slice(), true, "length"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\nHello", false, "closed in the middle of a reply"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\nHello, World!Hello",
            false,
            "with bytes behind the reply",
        ),
    ] {
        let bad = move |n: u64| n % 100 == 50;
        let server =
            Server::start(move |n| if bad(n) { (short.to_vec(), keeps) } else { (RIGHT.to_vec(), true) });
        let report = report(&server.url(), &["-c", "4", "-d", "0.5"]);
        let answered = server.answered();
        assert!(answered > 200, "{answered}");
        let expected = (0..answered).filter(|n| bad(*n)).count() as u64;
        let counted = report.main.errors[kind];
        assert!(counted > 0 && counted.abs_diff(expected) <= 4, "{counted} of {expected}: {report:?}");
        assert_eq!(report.failed(), counted, "{report:?}");
        assert!(report.main.requests <= answered - counted, "{report:?}");
        assert_eq!(report.table().contains("--learn-body"), kind == "length", "{}", report.table());
    }
}

/// The reason why there is an open loop: one stall of a second hides behind thousands of quick replies in a
/// closed loop, and not from clients that do not wait for each other.
#[test]
fn one_stall_shows_in_the_latency_and_hardly_in_the_throughput() {
    one_stall_shows(&[]);
}

/// Protects the open loop of a generator that looks at its sockets all the time: it keeps the same times.
#[test]
fn a_stall_shows_as_well_to_a_generator_that_never_sleeps() {
    one_stall_shows(&["--spin"]);
}

fn one_stall_shows(options: &[&str]) {
    let server = Server::start(|n| {
        if n == 300 {
            thread::sleep(Duration::from_millis(1000));
        }
        (RIGHT.to_vec(), true)
    });
    let report = report(&server.url(), &[&["-c", "1", "-d", "4", "--rate", "300"], options].concat());
    let (latency, service) =
        (report.main.latency_us.expect("open loop"), report.main.service_us.expect("answers"));
    assert!(latency.max >= 900_000 && latency.p99 >= 900_000, "{report:?}");
    assert!(latency.p90 >= 200_000, "what was to be sent during the stall has waited: {report:?}");
    // From sending, one request in a thousand was slow.
    assert!(service.max >= 900_000 && service.p99 < latency.p99 / 2, "{report:?}");
    // They waited for the one client, which waited for the server: the generator was not behind.
    assert!(
        report.requests_per_second > 200.0 && report.main.late.is_some_and(|late| late < 200),
        "{report:?}"
    );
}

/// A server that stops answering towards the end sends no slow reply, and must not look as if it had been
/// quick.
#[test]
fn a_stall_that_outlasts_the_run_shows_in_the_latency() {
    let server = Server::start(|n| {
        if n >= 300 {
            thread::sleep(Duration::from_secs(30));
        }
        (RIGHT.to_vec(), true)
    });
    let report = report(&server.url(), &["-c", "4", "-d", "2", "--rate", "200", "--timeout", "20"]);
    assert!((299..=300).contains(&report.main.requests) && report.failed() == 0, "{report:?}");
    // Four are cut off and the others never left. The server's end of the first may be a little late, not the
    // run's.
    assert_eq!((report.main.aborted, report.main.aborted_in_latency), (4, Some(4)), "{report:?}");
    assert!(report.main.never_sent.is_some_and(|count| count >= 50), "{report:?}");
    let latency = report.main.latency_us.expect("open loop");
    assert!(latency.max >= 300_000 && latency.p90 >= 100_000, "{report:?}");
    assert!(report.main.service_us.expect("answers").p50 < latency.p90, "{report:?}");
}

#[test]
fn the_open_loop_keeps_its_rate_and_counts_what_it_could_not_send() {
    let server = Server::start(|_| (RIGHT.to_vec(), true));
    let kept = report(&server.url(), &["-c", "8", "-t", "2", "-d", "2", "--rate", "200", "--warm-up", "0.5"]);
    let all = kept.main.requests + kept.main.aborted + kept.main.never_sent.expect("open loop");
    assert!((399..=401).contains(&all), "every intended request is accounted for: {kept:?}");
    assert!(kept.main.requests > 300 && kept.failed() == 0, "{kept:?}");

    // One client that waits 50 ms for each answer can send 20 per second of 200.
    let slow = Server::start(|_| {
        thread::sleep(Duration::from_millis(50));
        (RIGHT.to_vec(), true)
    });
    let missed = report(&slow.url(), &["-c", "1", "-d", "2", "--rate", "200"]);
    let all = missed.main.requests + missed.main.aborted + missed.main.never_sent.expect("open loop");
    assert!((399..=401).contains(&all), "{missed:?}");
    assert!(missed.main.requests <= 41 && missed.main.never_sent >= Some(350), "{missed:?}");
    assert!(missed.main.latency_us.expect("answers").max >= 1_000_000, "{missed:?}");
}

#[test]
fn a_server_that_answers_only_404_has_no_throughput() {
    let server = Server::start(|_| (b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno".to_vec(), true));
    let output = load(&[&server.url(), "-c", "2", "-d", "0.3", "--json"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let report = read(&output);
    assert_eq!((report.main.requests, report.clients_served), (0, 0));
    assert!(
        report.main.errors["status"] > 10 && report.failed() == report.main.errors["status"],
        "{report:?}"
    );
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(complaint.lines().count() == 1 && complaint.contains("status"), "{complaint}");
    // What is right can be said.
    let output = load(&[&server.url(), "-c", "2", "-d", "0.3", "--json", "--status", "404"]);
    assert!(output.status.success() && read(&output).main.requests > 10, "{output:?}");
}

#[test]
fn connections_are_opened_anew_where_one_carries_no_more_requests() {
    // The server says that it closes; nothing is an error.
    let closing = Server::start(|_| (LAST.to_vec(), false));
    let report_of = |server: &Server, args: &[&str]| {
        let report = report(&server.url(), &[&["-c", "4", "-d", "0.5"], args].concat());
        assert!(report.main.requests > 20 && report.failed() == 0, "{args:?}: {report:?}");
        assert_eq!(report.clients_served, 4);
        report
    };
    for args in [&[][..], &["--close"], &["--rate", "100"]] {
        let report = report_of(&closing, args);
        assert!(report.connections_opened >= report.main.requests, "{args:?}: {report:?}");
    }
    // The client closes.
    let open = Server::start(|_| (RIGHT.to_vec(), true));
    let report = report_of(&open, &["--requests-per-connection", "3"]);
    let needed = report.main.requests / 3;
    assert!((needed..=needed + 8).contains(&report.connections_opened), "{report:?}");
    let report = report_of(&open, &["--requests-per-connection", "5", "--pipeline", "2"]);
    let needed = report.main.requests / 5;
    assert!((needed..=needed + 8).contains(&report.connections_opened), "{report:?}");
}

/// Protects what `./lab scenario slow` says: quick and slow requests are counted and timed apart, each by
/// its own rule.
#[test]
fn a_mix_is_counted_and_timed_apart() {
    const SLEPT: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nslept";
    let slow = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&slow);
    let server = Server::start_with_paths(move |_, path| match path {
        "/" => (RIGHT.to_vec(), true),
        "/sleep/60" => {
            counter.fetch_add(1, Ordering::Relaxed);
            thread::sleep(Duration::from_millis(60));
            (SLEPT.to_vec(), true)
        }
        other => panic!("no client asks for {other}"),
    });
    // A thread per connection: no quick request waits for a slow one.
    let args =
        ["-c", "32", "-t", "2", "-d", "2", "--rate", "200", "--mix", "5:/sleep/60", "--warm-up", "0.2"];
    let open = report(&server.url(), &args);
    let mixed = open.mix.clone().expect("there was a mix");
    assert_eq!((open.failed(), mixed.failed()), (0, 0), "{open:?}");
    let quick = open.main.requests + open.main.aborted + open.main.never_sent.expect("open loop");
    let slow_ones = mixed.requests + mixed.aborted + mixed.never_sent.expect("open loop");
    assert!((399..=401).contains(&(quick + slow_ones)), "every intended request is accounted for: {open:?}");
    assert!((19..=21).contains(&slow_ones), "one in each run of twenty: {open:?}");
    assert!(mixed.latency_us.expect("answers").p50 >= 59_000, "{open:?}");
    assert!(open.main.latency_us.expect("answers").p50 < 59_000, "{open:?}");
    assert_eq!(open.options["mix"], "5:/sleep/60", "the choice is recorded");

    let before = slow.load(Ordering::Relaxed);
    let closed = report(&server.url(), &["-c", "4", "-d", "1", "--mix", "20:/sleep/60"]);
    let mixed = closed.mix.clone().expect("there was a mix");
    let asked = slow.load(Ordering::Relaxed) - before;
    assert!(mixed.requests > 5 && mixed.failed() == 0 && closed.failed() == 0, "{closed:?}");
    assert!((mixed.requests..=mixed.requests + 4).contains(&asked), "{asked}: {closed:?}");
    assert!(mixed.latency_us.is_none() && mixed.service_us.expect("answers").p50 >= 59_000, "{closed:?}");
    let all = closed.main.requests + closed.main.aborted + mixed.requests + mixed.aborted;
    assert!((mixed.requests + mixed.aborted).abs_diff(all / 5) <= 2, "a fifth of {all}: {closed:?}");
}

/// A wrong reply on one path is no error of the other, and two bodies are not compared with each other.
#[test]
fn a_mix_has_its_own_idea_of_a_right_reply() {
    let server = Server::start_with_paths(|_, path| {
        let reply =
            if path == "/" { RIGHT } else { b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno" };
        (reply.to_vec(), true)
    });
    let wrong = report(&server.url(), &["-c", "4", "-d", "0.5", "--mix", "10:/nowhere"]);
    let mixed = wrong.mix.clone().expect("there was a mix");
    assert!(wrong.main.requests > 50 && wrong.failed() == 0, "{wrong:?}");
    assert!(mixed.requests == 0 && mixed.errors["status"] > 5, "{wrong:?}");
    assert_eq!(mixed.failed(), mixed.errors["status"], "{wrong:?}");
    let output = load(&[&server.url(), "-c", "4", "-d", "0.3", "--mix", "10:/nowhere"]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("10:/nowhere: 0 requests") && output.status.success(), "{output:?}");
}

/// A server that closes without a word loses requests; the run goes on and ends in time.
#[test]
fn unannounced_closing_costs_requests_and_not_the_run() {
    let server = Server::start(|n| (RIGHT.to_vec(), n % 10 != 9));
    let start = Instant::now();
    let report = report(&server.url(), &["-c", "4", "-d", "0.5"]);
    assert!(start.elapsed() < Duration::from_secs(20), "{report:?}");
    assert!(report.main.requests > 20 && report.connections_opened > 4, "{report:?}");
    let lost = ["closed", "read", "write"].iter().map(|kind| report.main.errors[*kind]).sum::<u64>();
    assert_eq!(report.failed(), lost, "{report:?}");
    assert!(report.connections_opened <= server.accepted.load(Ordering::Relaxed) + 4);
}

/// A batch may be cut anywhere on its way: no reply is lost, doubled, or taken for another.
#[test]
fn pipelined_replies_are_counted_one_by_one() {
    for depth in ["2", "16", "1000"] {
        let server = Server::start(|_| (RIGHT.to_vec(), true));
        let report = report(&server.url(), &["-c", "2", "-d", "0.5", "--pipeline", depth]);
        assert!(report.main.requests > 20 && report.failed() == 0, "{depth}: {report:?}");
        assert!(report.main.requests <= server.answered(), "{depth}: {report:?}");
        assert!(report.main.requests + report.main.aborted >= server.answered(), "{depth}: {report:?}");
    }
    // The body of each third reply differs: exactly those are wrong, wherever the cuts of the stream fall.
    let server =
        Server::start(|n| (if n % 3 == 2 { RIGHT.to_ascii_uppercase() } else { RIGHT.to_vec() }, true));
    let wrong = report(&server.url(), &["-c", "1", "-d", "0.5", "--pipeline", "16"]);
    assert!(wrong.main.requests > 20, "{wrong:?}");
    assert!((wrong.main.errors["body"] * 2).abs_diff(wrong.main.requests) <= 32, "{wrong:?}");
    assert_eq!(wrong.failed(), wrong.main.errors["body"], "{wrong:?}");
}

#[test]
fn a_server_that_does_not_answer_times_out() {
    let server = Server::start(|n| if n == 5 { (Vec::new(), true) } else { (RIGHT.to_vec(), true) });
    let report = report(&server.url(), &["-c", "4", "-d", "1.5", "--timeout", "0.3"]);
    assert!(report.main.errors["timeout"] >= 1 && report.main.requests > 20, "{report:?}");
    assert!(report.connections_opened >= 5, "the client went on: {report:?}");
}

/// The user has mistyped the port, or has not started the server: to be told so after ten seconds is late.
#[test]
fn a_port_on_which_nothing_listens_is_one_line_at_once() {
    let unused = TcpListener::bind("127.0.0.1:0").expect("a port");
    let addr = unused.local_addr().expect("an address");
    drop(unused);
    for args in [&["-c", "300", "-t", "3"][..], &["-c", "4", "--rate", "500000"], &["--close", "--idle", "9"]]
    {
        let start = Instant::now();
        let output = load(&[&[&format!("http://{addr}/"), "-d", "600", "--json"], args].concat());
        assert!(start.elapsed() < Duration::from_secs(60), "{args:?}: {output:?}");
        assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(1), &[][..]), "{args:?}");
        let expected = format!("lab: nothing listens on {addr}: connection refused\n");
        assert_eq!(String::from_utf8_lossy(&output.stderr), expected, "{args:?}");
    }
}

/// A server that answers one request, and after which nothing listens on its port any more.
fn mortal() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/", listener.local_addr().expect("an address"));
    thread::spawn(move || {
        let (stream, _) = listener.accept().expect("a client");
        drop(listener);
        serve(stream, &|_, _| (LAST.to_vec(), false), &AtomicU64::new(0));
    });
    url
}

/// The report of a run against it. Which clients were connected before the end is left to chance; the status
/// follows from it.
fn report_of_mortal(args: &[&str]) -> Report {
    let output = load(&[&[&mortal(), "--json", "-c", "4", "-d", "0.5"], args].concat());
    let report = read(&output);
    let is_whole = report.main.requests > 0 && report.clients_never_connected == 0;
    assert_eq!(output.status.code(), Some(i32::from(!is_whole)), "{output:?}");
    report
}

#[test]
fn a_server_that_has_died_causes_no_busy_loop() {
    let report = report_of_mortal(&[]);
    // Four clients try again every 50 ms, so about 40 times; a busy loop would try thousands of times.
    assert!((4..400).contains(&report.main.errors["connect"]), "{report:?}");
    assert_eq!(report.not_connected.as_deref(), Some("connection refused"));
}

/// The next request is always due before a refused one is over: the end must be seen all the same.
#[test]
fn an_open_loop_that_nothing_answers_ends_in_its_time() {
    let report = report_of_mortal(&["--rate", "500000"]);
    assert!((4..400).contains(&report.main.errors["connect"]), "{report:?}");
    assert_eq!(report.not_connected.as_deref(), Some("connection refused"));
    assert!(report.main.never_sent.is_some_and(|count| count > 200_000), "{report:?}");
}

/// RFC 9110 section 15.2: what comes before the final reply is no reply, in the same segment or long before
/// it.
#[test]
fn interim_replies_are_not_the_reply() {
    const HINTS: &[u8] = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n";
    for apart in [false, true] {
        let server = Server::start_with_streams(move |stream| {
            if apart {
                stream.write_all(HINTS)?;
                thread::sleep(Duration::from_millis(20));
                stream.write_all(RIGHT)
            } else {
                stream.write_all(&[HINTS, b"HTTP/1.1 100 Continue\r\n\r\n", RIGHT].concat())
            }
        });
        let report = report(&server.url(), &["-c", "2", "-d", "0.5"]);
        assert!(report.main.requests > 5 && report.failed() == 0, "apart: {apart}: {report:?}");
        assert!(
            report.main.requests + report.main.aborted >= server.answered(),
            "{report:?} {}",
            server.answered()
        );
    }
}

/// Without a Content-Length there is nothing to hold the server to but its own first reply, and the user is
/// told.
#[test]
fn replies_without_a_length_are_compared_with_the_first() {
    let chunked = |content: &str| {
        let (one, two) = content.split_at(3);
        let frames = format!("3\r\n{one}\r\n{:x}\r\n{two}\r\n0\r\n\r\n", two.len());
        (format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{frames}").into_bytes(), true)
    };
    let closed = |content: &str| (format!("HTTP/1.1 200 OK\r\n\r\n{content}").into_bytes(), false);
    for (name, answer) in
        [("chunked", &chunked as &(dyn Fn(&str) -> Answer + Sync)), ("ended by closing", &closed)]
    {
        let (page, other, long) = (answer("a page"), answer("A page"), answer("a page and more"));
        let right = page.clone();
        let server = Server::start(move |_| right.clone());
        let clean = report(&server.url(), &["-c", "2", "-d", "0.4"]);
        assert!(clean.main.requests > 10 && clean.failed() == 0, "{name}: {clean:?}");
        assert_eq!(
            (clean.without_length.as_slice(), clean.clients_served),
            ([name.to_owned()].as_slice(), 2)
        );
        let output = load(&[&server.url(), "-c", "1", "-d", "0.2"]);
        let text = String::from_utf8_lossy(&output.stdout);
        let line = format!("replies without Content-Length ({name}): each was compared with the first");
        assert!(text.contains(&line) && text.contains("no errors"), "{text}");

        let server = Server::start(move |n| match n % 10 {
            3 => other.clone(),
            6 => long.clone(),
            _ => page.clone(),
        });
        let wrong = report(&server.url(), &["-c", "1", "-d", "0.4"]);
        assert!(wrong.main.errors["body"] > 0 && wrong.main.errors["length"] > 0, "{name}: {wrong:?}");
        assert_eq!(
            wrong.failed(),
            wrong.main.errors["body"] + wrong.main.errors["length"],
            "{name}: {wrong:?}"
        );
        // Nothing is right that is not as it was told to be.
        let told = load(&[&server.url(), "-c", "1", "-d", "0.2", "--json", "--body", "Hello, World!"]);
        assert_eq!((told.status.code(), read(&told).main.requests), (Some(1), 0), "{name}: {told:?}");
    }
    let server = Server::start(|_| (RIGHT.to_vec(), true));
    assert!(report(&server.url(), &["-d", "0.1"]).without_length.is_empty(), "they all have one");
}

/// Clients that wait for a connection have no wrong reply, and are no success either.
#[test]
fn clients_that_never_connect_are_counted() {
    use nix::sys::socket::{AddressFamily, Backlog, SockFlag, SockType, SockaddrIn, bind, listen, socket};
    use std::os::fd::AsRawFd;
    let listener =
        socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None).expect("a socket");
    bind(listener.as_raw_fd(), &SockaddrIn::new(127, 0, 0, 1, 0)).expect("a port");
    listen(&listener, Backlog::new(1).expect("one is allowed")).expect("it listens");
    let listener = TcpListener::from(listener);
    let url = format!("http://{}/", listener.local_addr().expect("an address"));
    // One client is served, few fit into the queue, and the others are not let in.
    thread::spawn(move || {
        let (stream, _) = listener.accept().expect("a client");
        serve(stream, &|_, _| (RIGHT.to_vec(), true), &AtomicU64::new(0));
        thread::sleep(Duration::from_secs(60));
    });
    let output = load(&[&url, "-c", "16", "-d", "0.7"]);
    assert_eq!(output.status.code(), Some(1), "it was not the load that was asked for: {output:?}");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(
        complaint.starts_with("lab: ") && complaint.ends_with(" of 16 clients never connected\n"),
        "{complaint}"
    );
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().find(|line| line.ends_with("of 16 clients never connected"));
    let count: u64 = line.and_then(|line| line.split(' ').next()?.parse().ok()).unwrap_or_default();
    assert!((8..16).contains(&count) && !text.contains("no errors"), "{text}");
    // Clients that had nothing to send are not missed.
    let server = Server::start(|_| (RIGHT.to_vec(), true));
    let idle = report(&server.url(), &["-c", "64", "-d", "0.5", "--rate", "20"]);
    assert_eq!(idle.clients_never_connected, 0, "{idle:?}");
}

#[test]
fn idle_clients_stay_beside_the_load() {
    let server = Server::start(|_| (RIGHT.to_vec(), true));
    let report = report(&server.url(), &["-c", "2", "-d", "1", "--idle", "20", "--slow", "3"]);
    assert_eq!((report.bystanders.idle_open, report.bystanders.slow_open), (20, 3), "{report:?}");
    assert!(report.bystanders.slow_bytes > 0 && report.failed() == 0, "{report:?}");
    assert_eq!(report.clients_served, 2, "only those of the load");
}

#[test]
fn the_table_names_what_went_wrong() {
    let server =
        Server::start(|n| (if n % 2 == 0 { RIGHT.to_vec() } else { RIGHT.to_ascii_uppercase() }, true));
    let output = load(&[&server.url(), "-c", "1", "-d", "0.3"]);
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8_lossy(&output.stdout);
    for part in ["requests/s", "body", "p99.9", "hide the waiting", "clients served: 1"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(output.stderr.is_empty(), "no progress where there is no terminal: {output:?}");
}

#[test]
fn what_is_unanswered_at_the_end_is_told_in_words() {
    let server = Server::start(|n| {
        if n > 0 {
            thread::sleep(Duration::from_secs(60));
        }
        (RIGHT.to_vec(), true)
    });
    let output = load(&[&server.url(), "-c", "4", "-d", "0.5"]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("\n4 requests were still unanswered when the time ended\n"), "{output:?}");
}

/// Ctrl-C ends the run early, and what was counted so far is reported.
#[test]
fn an_interrupt_reports_what_was_counted() {
    let server = Server::start(|_| (RIGHT.to_vec(), true));
    let mut command = Command::new(env!("CARGO_BIN_EXE_harness"));
    command.args(["load", &server.url(), "-c", "2", "-d", "600", "--json"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
    let start = Instant::now();
    while server.answered() < 100 {
        assert!(start.elapsed() < Duration::from_secs(60), "no request came");
        thread::sleep(Duration::from_millis(10));
    }
    kill(Pid::from_raw(child.id() as i32), Signal::SIGINT).expect("it lives");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(130), "{output:?}");
    let report = read(&output);
    assert!(report.interrupted && report.main.requests >= 90 && report.seconds < 300.0, "{report:?}");
}

/// Without ab and wrk a benchmark still has a generator that keeps connections.
#[test]
fn bench_measures_with_builtin_where_the_others_are_absent() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut command = Command::new(env!("CARGO_BIN_EXE_harness"));
    command.args([
        "bench-all",
        "--stages",
        "floor",
        "--concurrency",
        "2",
        "--duration",
        "1",
        "--rounds",
        "1",
    ]);
    command.args(["--keep-alive", "on", "--out"]).arg(directory.path()).env("PATH", directory.path());
    let output = command.output().expect("it runs");
    assert!(output.status.success(), "{output:?}");
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("builtin (harness load) measures too"),
        "{output:?}"
    );
    let data = std::fs::read_dir(directory.path().join("data")).expect("data").flatten();
    let records: Vec<_> = data.flat_map(|file| records::read(&file.path()).expect("lines")).collect();
    let measured: Vec<_> = records.iter().filter(|record| record.figures().is_some()).collect();
    assert!(
        !measured.is_empty() && measured.iter().all(|record| record.key.tool == "builtin"),
        "{records:?}"
    );
    for record in measured {
        let figures = record.figures().expect("measured");
        assert!(figures.requests > 100 && figures.errors == 0, "{record:?}");
        assert!(figures.generator_cpu_seconds > 0.0, "{record:?}");
    }
}

#[test]
fn bad_input_gives_one_clear_line() {
    let url = "http://127.0.0.1:1/";
    let rows: [(&[&str], &str); 16] = [
        (&["127.0.0.1"], "http://HOST"),
        (&["https://127.0.0.1/"], "http://HOST"),
        (&["http://127.0.0.1:99999/"], "65535"),
        (&[url, "-c", "0"], "1..=20000"),
        (&[url, "-c", "1", "-t", "2"], "--connections 1"),
        (&[url, "-d", "0"], "0.01 to 86400"),
        (&[url, "-d", "NaN"], "0.01 to 86400"),
        (&[url, "--rate", "-1"], "0.01 to 10000000"),
        (&[url, "--rate", "inf"], "0.01 to 10000000"),
        (&[url, "--rate", "10", "--pipeline", "2"], "cannot be used with"),
        (&[url, "--close", "--requests-per-connection", "2"], "cannot be used with"),
        (&[url, "--mix", "5:/x", "--pipeline", "2"], "cannot be used with"),
        (&[url, "--mix", "0:/x"], "1 to 99"),
        (&[url, "--mix", "5"], "PERCENT:PATH"),
        (&[url, "--pipeline", "0"], "1..=1024"),
        (&[url, "--status", "99"], "200..=599"),
    ];
    for (args, hint) in rows {
        let start = Instant::now();
        let output = load(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {output:?}");
        let first = String::from_utf8_lossy(&output.stderr).lines().next().unwrap_or_default().to_owned();
        assert!(first.contains(hint), "{args:?}: {first}");
        assert!(output.stdout.is_empty() && start.elapsed() < Duration::from_secs(8), "{args:?}: {output:?}");
    }
}
