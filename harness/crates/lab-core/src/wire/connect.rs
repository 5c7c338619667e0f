//! Connecting to a host that may have several addresses.

use anyhow::{Result, anyhow, ensure};
use std::io::{Error, ErrorKind};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Connects to the first address that accepts; `limit` is for each of them. The error has the
/// reason of each.
pub fn connect_first(addrs: &[SocketAddr], limit: Duration) -> Result<(SocketAddr, TcpStream)> {
    ensure!(!addrs.is_empty(), "there is no address to connect to");
    let mut refusals = Vec::new();
    for &addr in addrs {
        match TcpStream::connect_timeout(&addr, limit) {
            Ok(stream) => return Ok((addr, stream)),
            Err(error) => refusals.push(format!("{addr}: {}", reason(&error, limit))),
        }
    }
    Err(anyhow!("cannot connect to {}", refusals.join(", nor to ")))
}

/// The address to use of a host that has several: the first one that accepts a connection, which is closed at
/// once. A single address is not tried: what it does is for the caller to find out.
pub fn first_reachable(addrs: &[SocketAddr], limit: Duration) -> Result<SocketAddr> {
    match addrs {
        [addr] => Ok(*addr),
        _ => connect_first(addrs, limit).map(|(addr, _)| addr),
    }
}

/// Why there is no connection, in words.
fn reason(error: &Error, limit: Duration) -> String {
    match error.kind() {
        ErrorKind::TimedOut | ErrorKind::WouldBlock => format!("no answer within {limit:?}"),
        ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    const LIMIT: Duration = Duration::from_secs(5);

    /// `localhost` is two addresses, and a server may listen on the second one only.
    #[test]
    fn every_address_is_tried_in_order() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let there = listener.local_addr().expect("an address");
        let nowhere = |ip: &str| {
            let listener = TcpListener::bind((ip, 0)).expect("a port");
            listener.local_addr().expect("an address")
        };
        let (first, second) = (nowhere("127.0.0.2"), nowhere("127.0.0.3"));
        assert_eq!(connect_first(&[first, second, there], LIMIT).expect("the last one listens").0, there);
        assert_eq!(first_reachable(&[first, there], LIMIT).expect("the last one listens"), there);
        let error = connect_first(&[first, second], LIMIT).expect_err("nothing listens").to_string();
        for addr in [first, second] {
            assert!(error.contains(&format!("{addr}: connection refused")), "{error}");
        }
        assert_eq!(first_reachable(&[first], LIMIT).expect("it is not tried"), first);
    }
}
