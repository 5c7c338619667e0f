//! A host and a port: as a user writes them, as a Host header has them, as addresses.

use anyhow::{Context, Result, bail, ensure};
use std::borrow::Cow;
use std::net::{Ipv6Addr, SocketAddr, ToSocketAddrs};

/// The port of http.
const HTTP: u16 = 80;

/// A host and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    /// A name or an address; an IPv6 address without its brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl Authority {
    /// Reads `HOST`, `HOST:PORT`, `[IPV6]` or `[IPV6]:PORT`. Without a default the port must be there.
    pub fn parse(text: &str, default_port: Option<u16>) -> Result<Self> {
        let (host, port) = match text.rsplit_once(':') {
            // The colons of an IPv6 address stand inside brackets.
            Some((host, port)) if !port.ends_with(']') => {
                let number = port.parse().ok();
                let refusal = || format!("'{}' is no port; 0 to 65535 are allowed", port.escape_debug());
                (host, number.with_context(refusal)?)
            }
            _ => (
                text,
                default_port
                    .with_context(|| format!("'{}' has no port: write HOST:PORT", text.escape_debug()))?,
            ),
        };
        let is_bracketed = host.starts_with('[') && host.ends_with(']');
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        ensure!(!host.is_empty(), "no host in '{text}'");
        ensure!(
            is_host(host, is_bracketed),
            "'{}' is no host: write a name or an address",
            host.escape_debug()
        );
        if host.contains(':') && !is_bracketed {
            bail!("'{text}' has too many colons: write an IPv6 address in brackets, [{host}]:{port}");
        }
        Ok(Self { host: host.to_owned(), port })
    }

    /// The value of the Host header: the authority of the URL, whose default port may be left out (RFC 9110
    /// sections 7.2 and 4.2.3).
    pub fn header(&self) -> String {
        match self.port {
            HTTP => bracketed(&self.host).into_owned(),
            port => format!("{}:{port}", bracketed(&self.host)),
        }
    }

    /// Every address of the host, in the order in which they should be tried.
    pub fn resolve(&self) -> Result<Vec<SocketAddr>> {
        let host = &self.host;
        let found = (host.as_str(), self.port)
            .to_socket_addrs()
            .with_context(|| format!("the host '{host}' is not known"))?;
        let mut addrs: Vec<SocketAddr> = Vec::new();
        for addr in found {
            // An address that stands in the hosts file twice is tried once.
            if !addrs.contains(&addr) {
                addrs.push(addr);
            }
        }
        ensure!(!addrs.is_empty(), "the host '{host}' has no address");
        Ok(addrs)
    }
}

/// Whether a text is a host of RFC 3986 section 3.2.2: in brackets an IPv6 address (with a zone, RFC 6874),
/// else a name of the characters that need no quoting. A space or a line end would change the request.
fn is_host(host: &str, is_bracketed: bool) -> bool {
    let is_unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    if is_bracketed {
        let (addr, zone) = host.split_once('%').unwrap_or((host, "any"));
        return addr.parse::<Ipv6Addr>().is_ok() && !zone.is_empty() && zone.bytes().all(is_unreserved);
    }
    // The colons of an address without brackets have a message of their own.
    host.bytes().all(|byte| is_unreserved(byte) || b"!$&'()*+,;=%:".contains(&byte))
}

impl std::fmt::Display for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", bracketed(&self.host), self.port)
    }
}

impl From<SocketAddr> for Authority {
    fn from(addr: SocketAddr) -> Self {
        Self { host: addr.ip().to_string(), port: addr.port() }
    }
}

/// The host as a URL and a Host header have it: an IPv6 address in brackets (RFC 3986 section 3.2.2) and
/// without its zone, which means something on this machine alone (RFC 4007 section 6).
pub fn bracketed(host: &str) -> Cow<'_, str> {
    if !host.contains(':') {
        return Cow::Borrowed(host);
    }
    Cow::Owned(format!("[{}]", host.split('%').next().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Protects every Host header: a strict server answers 400 to one that is not valid.
    #[test]
    fn an_authority_becomes_a_valid_host_header() {
        let rows = [
            ("h", "h", 80, "h"),
            ("h:80", "h", 80, "h"),
            ("h:81", "h", 81, "h:81"),
            ("127.0.0.1:8080", "127.0.0.1", 8080, "127.0.0.1:8080"),
            ("[::1]", "::1", 80, "[::1]"),
            ("[::1]:90", "::1", 90, "[::1]:90"),
            ("[fe80::1%eth0]:90", "fe80::1%eth0", 90, "[fe80::1]:90"),
        ];
        for (text, host, port, header) in rows {
            let authority = Authority::parse(text, Some(80)).expect(text);
            assert_eq!((authority.host.as_str(), authority.port), (host, port), "{text}");
            assert_eq!(authority.header(), header, "{text}");
        }
        let addr: SocketAddr = "[::1]:8080".parse().expect("an address");
        assert_eq!(Authority::from(addr).header(), "[::1]:8080");
    }

    #[test]
    fn what_is_no_authority_is_refused_in_one_line() {
        let rows = ["", ":80", "[]:80", "h:", "h:99999", "::1", "::1:8080", "h:-1"];
        // What would change the request, or is no host of any kind.
        let odd = [
            "a b",
            "a\r\nX: y",
            "a\r\nX: y:80",
            "h:8\n0",
            "a\0",
            "a/b",
            "u@h",
            "h\u{e9}",
            "[h]",
            "[::1 ]",
            "[::1%\n]",
        ];
        for text in rows.into_iter().chain(odd) {
            let error = format!("{:#}", Authority::parse(text, Some(80)).expect_err(text));
            assert_eq!(error.lines().count(), 1, "{error}");
        }
        let error = Authority::parse("h", None).expect_err("no port").to_string();
        assert!(error.contains("HOST:PORT"), "{error}");
    }
}
