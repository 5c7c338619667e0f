//! Whether a request comes from the page, and from this machine.
//!
//! A page of another site can let its reader's browser send requests here. What gives it away is the *origin*
//! that the browser adds (RFC 6454 §7). A name of its own that it has let point to 127.0.0.1 (*DNS
//! rebinding*) is given away by the host that the browser asks for: that is the other site's name still.

use std::net::Ipv4Addr;

/// Whether `host` names the loopback interface and this port. A port that is left out is 80 (RFC 9110
/// §4.2.1).
pub(super) fn is_loopback(host: &str, port: u16) -> bool {
    let (name, number) = host.split_once(':').unwrap_or((host, "80"));
    let is_port = number.bytes().all(|byte| byte.is_ascii_digit()) && number.parse() == Ok(port);
    let is_name = name.eq_ignore_ascii_case("localhost")
        || name.parse().is_ok_and(|address: Ipv4Addr| address.is_loopback());
    is_port && is_name
}

/// Whether `host` is an address or `localhost`, with any port: no name that another site could have let point
/// here.
pub(super) fn is_address(host: &str) -> bool {
    let name = host.split_once(':').map_or(host, |(name, _)| name);
    name.eq_ignore_ascii_case("localhost") || name.parse::<Ipv4Addr>().is_ok()
}

/// Whether an origin is that of the host that is asked. A browser sends both in small letters.
pub(super) fn is_same(origin: &str, host: &str) -> bool {
    origin.strip_prefix("http://").is_some_and(|of| of.eq_ignore_ascii_case(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Protects the server from pages of other sites: neither their names nor their ports are its own.
    #[test]
    fn only_names_of_the_loopback_with_the_right_port_are_taken() {
        for host in ["127.0.0.1:8080", "127.1.2.3:8080", "localhost:8080", "LocalHost:8080"] {
            assert!(is_loopback(host, 8080), "{host}");
        }
        assert!(is_loopback("localhost", 80) && !is_loopback("localhost", 8080));
        for host in [
            "",
            ":8080",
            "127.0.0.1",
            "127.0.0.1:80",
            "127.0.0.1:+8080",
            "127.0.0.1:8080:8080",
            "10.0.0.1:8080",
            "localhost.example:8080",
            "example.localhost:8080",
            "127.0.0.1.example:8080",
            "user@127.0.0.1:8080",
        ] {
            assert!(!is_loopback(host, 8080), "{host}");
        }
        for (host, is) in
            [("10.0.0.1:8080", true), ("localhost", true), ("site.example:8080", false), ("", false)]
        {
            assert_eq!(is_address(host), is, "{host}");
        }
        assert!(is_same("http://127.0.0.1:8080", "127.0.0.1:8080"));
        let origins =
            ["null", "", "http://localhost:8080", "https://127.0.0.1:8080", "http://127.0.0.1:80801"];
        for origin in origins {
            assert!(!is_same(origin, "127.0.0.1:8080"), "{origin}");
        }
    }
}
