//! The URL: where to connect, and what to ask.

use anyhow::{Context, Result, bail, ensure};
use std::net::{SocketAddr, ToSocketAddrs};

/// Where the requests go.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// The host, looked up, and the port.
    pub addr: SocketAddr,
    /// For the Host header.
    pub authority: String,
    /// From the `/` on.
    pub path: String,
}

impl Target {
    /// Reads `http://HOST[:PORT][/PATH]` and looks the host up, once. Fails where the text is no such URL,
    /// and where the host has no address.
    pub fn parse(url: &str) -> Result<Self> {
        const SHAPE: &str = "write http://HOST[:PORT]/PATH";
        let Some(rest) = url.strip_prefix("http://") else { bail!("no http URL: '{url}'; {SHAPE}") };
        // A space or a line end would change the request line.
        ensure!(rest.bytes().all(|byte| byte.is_ascii_graphic()), "'{url}' has characters that no URL has");
        let rest = rest.split('#').next().unwrap_or_default();
        let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        ensure!(!authority.contains('@'), "a user name in the URL is not supported; {SHAPE}");
        // The colons of an IPv6 address stand inside brackets.
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => {
                (host, port.parse().with_context(|| format!("'{port}' is no port; 0 to 65535 are allowed"))?)
            }
            _ => (authority, 80),
        };
        ensure!(!host.is_empty(), "no host in '{url}'; {SHAPE}");
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let mut addrs =
            (host, port).to_socket_addrs().with_context(|| format!("the host '{host}' is not known"))?;
        let addr = addrs.next().with_context(|| format!("the host '{host}' has no address"))?;
        Ok(Self { addr, authority: authority.to_owned(), path })
    }

    /// The bytes of a request.
    pub(super) fn request(&self, path: &str, close: bool) -> Vec<u8> {
        let connection = if close { "Connection: close\r\n" } else { "" };
        format!("GET {path} HTTP/1.1\r\nHost: {}\r\n{connection}\r\n", self.authority).into_bytes()
    }
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
            assert_eq!((target.addr.to_string().as_str(), target.path.as_str()), (addr, path), "{url}");
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
        ];
        for url in rows {
            let error = format!("{:#}", Target::parse(url).expect_err(url));
            assert!(error.lines().count() <= 1 || url.contains('\n'), "{error}");
        }
    }
}
