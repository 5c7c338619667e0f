//! The URL: where to connect, and what to ask.

use anyhow::{Result, bail, ensure};
use lab_core::Usage;
use lab_core::wire::{Authority, Connection, first_reachable, get};
use std::net::SocketAddr;
use std::time::Duration;

/// How long an address may take to accept a connection before the next one of the same name is tried.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Where the requests go.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// Every address of the host, in the order in which they should be tried.
    pub addrs: Vec<SocketAddr>,
    /// For the Host header.
    pub host: String,
    /// From the `/` on.
    pub path: String,
}

impl Target {
    /// Reads `http://HOST[:PORT][/PATH]` and looks the host up, once. Fails where the text is no such URL
    /// (a [`Usage`]), and where the host has no address.
    pub fn parse(url: &str) -> Result<Self> {
        let (authority, path) = split(url).map_err(Usage::of)?;
        Ok(Self { addrs: authority.resolve()?, host: authority.header(), path })
    }

    /// The address that all requests go to: of several the first one that accepts a connection.
    pub fn reachable(&self) -> Result<SocketAddr> {
        first_reachable(&self.addrs, CONNECT_TIMEOUT)
    }

    /// The bytes of a request.
    pub(super) fn request(&self, path: &str, close: bool) -> Vec<u8> {
        get(path, &self.host, if close { Connection::Closed } else { Connection::Kept })
    }
}

/// The authority and the path of a URL.
fn split(url: &str) -> Result<(Authority, String)> {
    const SHAPE: &str = "write http://HOST[:PORT]/PATH";
    let shown = url.escape_debug();
    let Some(rest) = url.strip_prefix("http://") else { bail!("no http URL: '{shown}'; {SHAPE}") };
    // A space or a line end would change the request line.
    ensure!(rest.bytes().all(|byte| byte.is_ascii_graphic()), "'{shown}' has characters that no URL has");
    let rest = rest.split('#').next().unwrap_or_default();
    let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    ensure!(!authority.contains('@'), "a user name in the URL is not supported; {SHAPE}");
    ensure!(!authority.is_empty(), "no host in '{shown}'; {SHAPE}");
    Ok((Authority::parse(authority, Some(80))?, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_an_address_and_a_path() {
        let rows = [
            ("http://127.0.0.1:8080", "127.0.0.1:8080", "/"),
            ("http://127.0.0.1:8080/a/b?c=d#e", "127.0.0.1:8080", "/a/b?c=d"),
            ("http://127.0.0.1?c", "127.0.0.1:80", "/?c"),
            ("http://[::1]:90/x", "[::1]:90", "/x"),
            ("http://[::1]/x", "[::1]:80", "/x"),
        ];
        for (url, addr, path) in rows {
            let target = Target::parse(url).expect(url);
            let addrs: Vec<String> = target.addrs.iter().map(SocketAddr::to_string).collect();
            assert_eq!(
                (addrs.as_slice(), target.path.as_str()),
                ([addr.to_owned()].as_slice(), path),
                "{url}"
            );
        }
    }

    /// Nothing that a user types may smuggle a second line into the request.
    #[test]
    fn what_is_no_url_is_refused_in_one_line() {
        let rows = [
            "",
            "127.0.0.1",
            "https://127.0.0.1/",
            "http://",
            "http://:80/",
            "http://127.0.0.1:99999/",
            "http://127.0.0.1:/",
            "http://127.0.0.1/a b",
            "http://127.0.0.1/\r\nX: y",
            "http://u@127.0.0.1/",
            "http://::1/",
            "http://::1:80/",
        ];
        for url in rows {
            let error = Target::parse(url).expect_err(url);
            assert!(error.is::<Usage>() && format!("{error:#}").lines().count() == 1, "{error:#}");
        }
    }
}
