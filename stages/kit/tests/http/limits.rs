//! The limits: their defaults, and the options that change them.

use crate::reply;
use crate::stage::converse;
use clap::Parser;
use kit::protocol::http::{Limits, Settings};
use std::sync::Arc;

#[derive(clap::Parser, Debug)]
struct Command {
    #[command(flatten)]
    limits: Limits,
}

fn parse(options: &[&str]) -> Result<Limits, clap::Error> {
    Command::try_parse_from(["stage"].iter().chain(options)).map(|command| command.limits)
}

#[test]
fn no_option_means_the_defaults() {
    let (parsed, default) = (parse(&[]).unwrap(), Limits::default());
    assert_eq!(format!("{parsed:?}"), format!("{default:?}"));
}

#[test]
fn each_option_has_a_range_and_says_so() {
    for (option, good, bad) in [
        ("--max-request-line", "64", "63"),
        ("--max-header-bytes", "1048576", "1048577"),
        ("--max-header-lines", "256", "257"),
        ("--max-body", "0", "-1"),
        ("--max-requests", "1", "0"),
        ("--max-bytes", "0", "x"),
        ("--max-sleep", "3600000", "3600001"),
        ("--max-spin", "60000000", "60000001"),
    ] {
        assert!(parse(&[&format!("{option}={good}")]).is_ok(), "{option}={good}");
        let error = parse(&[&format!("{option}={bad}")]).expect_err(option).to_string();
        assert!(error.contains(option), "{error}");
    }
}

/// The figures that the rules name, each just within and just over.
#[test]
fn the_defaults_are_those_of_the_rules() {
    let settings = Arc::new(Settings { limits: Limits::default(), root: None });
    let status = |request: String| {
        let seen = converse(&settings, [request.as_bytes()]);
        reply::parse(&seen.wire, request.starts_with("HEAD")).pop().map(|reply| reply.status)
    };
    let line = |length: usize| format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "x".repeat(length - 16));
    assert_eq!(status(line(8192)), Some(404));
    assert_eq!(status(line(8193)), Some(414));
    let fields =
        |length: usize| format!("GET / HTTP/1.1\r\nHost: x\r\na: {}\r\n\r\n", "x".repeat(length - 16));
    assert_eq!(status(fields(16_384)), Some(200));
    assert_eq!(status(fields(16_385)), Some(431));
    let lines = |count: usize| format!("GET / HTTP/1.1\r\nHost: x\r\n{}\r\n", "a: b\r\n".repeat(count - 1));
    assert_eq!(status(lines(100)), Some(200));
    assert_eq!(status(lines(101)), Some(431));
    let body = |length: usize| {
        format!("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n{}", "x".repeat(length))
    };
    assert_eq!(status(body(1 << 20)), Some(200));
    assert_eq!(status(body((1 << 20) + 1)), Some(413));
    let head = |path: &str| status(format!("HEAD {path} HTTP/1.1\r\nHost: x\r\n\r\n"));
    assert_eq!(head("/bytes/1073741824"), Some(200));
    assert_eq!(head("/bytes/1073741825"), Some(400));
    assert_eq!(head("/sleep/60000"), Some(200));
    assert_eq!(head("/sleep/60001"), Some(400));
    assert_eq!(head("/spin/1000000"), Some(200));
    assert_eq!(head("/spin/1000001"), Some(400));
}
