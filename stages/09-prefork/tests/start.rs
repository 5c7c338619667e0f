//! A server that cannot start says why in one line.

mod server;

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

/// Protects a user on a machine with low limits. With few descriptors one call or another fails, in the
/// parent or in a child: then there is one line that names it, status 1, and nothing on stdout. With enough
/// of them the server starts.
#[test]
fn a_failure_names_the_call_in_one_line() {
    let mut named = Vec::new();
    for (accept, limit) in ["notify", "reuseport"].into_iter().flat_map(|how| (4..24).map(move |n| (how, n)))
    {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("ulimit -n {limit}; exec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_stage-09")]);
        shell.args(["--addr", "127.0.0.1:0", "--workers", "3", "--accept", accept]);
        let mut child = shell.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("a shell");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("text");
        if line.starts_with("listening on ") {
            child.kill().expect("it runs");
            child.wait().expect("it is ours");
            continue;
        }
        let mut errors = String::new();
        child.stderr.take().expect("piped").read_to_string(&mut errors).expect("text");
        assert_eq!(child.wait().expect("it is ours").code(), Some(1), "{accept}, {limit}: {errors}");
        assert_eq!(errors.lines().count(), 1, "{accept}, {limit}: {errors}");
        assert!(!errors.contains("os error"), "{accept}, {limit}: no call is named: {errors}");
        let call = errors.trim_start_matches("error: ").split(':').next().expect("a word").to_owned();
        if !named.contains(&call) {
            named.push(call);
        }
    }
    for call in ["epoll_create1", "signalfd", "socketpair"] {
        assert!(named.iter().any(|name| name == call), "{call} is not among {named:?}");
    }
}
