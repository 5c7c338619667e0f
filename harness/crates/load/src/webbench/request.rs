//! The URL, and the bytes that are sent for it.

use super::{Options, Version};
use anyhow::{Context, Result, bail, ensure};
use lab_core::wire::{Authority, bracketed};

/// What is sent, and to which server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The server, or the proxy.
    pub target: Authority,
    /// The bytes of one request.
    pub text: String,
}

/// The longest URL that webbench takes, in bytes.
const MAX_URL: usize = 1500;

impl Request {
    /// Builds the request for a URL; an error says in one line what is wrong with it.
    pub fn new(url: &str, options: &Options) -> Result<Self> {
        let length = url.len();
        ensure!(length <= MAX_URL, "the URL has {length} characters; at most {MAX_URL} are allowed");
        ensure!(
            !url.contains(|c: char| c.is_ascii_control() || c == ' '),
            "the URL contains a space or a control character"
        );
        let split = url.split_once("://");
        let (scheme, rest) =
            split.with_context(|| format!("'{url}' is no URL; it must look like http://HOST[:PORT]/PATH"))?;
        ensure!(scheme.eq_ignore_ascii_case("http"), "'{scheme}://' is not supported; only http:// is");
        let slash =
            rest.find('/').with_context(|| format!("'{url}' has no '/' after the host; append one"))?;
        let (authority, path) = rest.split_at(slash);
        let server = parse(authority)?;
        // A proxy is sent the whole URL.
        let (target, path) = match &options.proxy {
            Some(proxy) => (parse(proxy)?, url),
            None => (server.clone(), path),
        };
        Ok(Self { target, text: text(path, &server.host, options) })
    }
}

/// Splits `HOST[:PORT]` at the last colon, as the original does: it does not know the brackets of an IPv6
/// address, which are optional here.
fn parse(authority: &str) -> Result<Authority> {
    let (host, port) = match authority.rsplit_once(':') {
        // The colons of a bracketed address are not the port's.
        Some((host, port)) if !port.ends_with(']') => match port.parse() {
            Ok(port @ 1..) => (host, port),
            _ => bail!("'{port}' is no port; 1 to 65535 are allowed"),
        },
        _ => (authority, 80),
    };
    ensure!(!host.is_empty(), "'{authority}' names no host");
    Ok(Authority { host: host.trim_matches(['[', ']']).to_owned(), port })
}

fn text(path: &str, host: &str, options: &Options) -> String {
    let method = options.method();
    let version = options.version();
    let number = match version {
        Version::Http09 => return format!("{method} {path}\r\n"),
        Version::Http10 => "1.0",
        Version::Http11 => "1.1",
    };
    // As the original, without the port; an IPv6 address in brackets, which the original does not know.
    let host = bracketed(host);
    let mut text = format!("{method} {path} HTTP/{number}\r\nUser-Agent: WebBench 1.5\r\nHost: {host}\r\n");
    if options.reload && options.proxy.is_some() {
        text.push_str("Pragma: no-cache\r\n");
    }
    if version == Version::Http11 {
        text.push_str("Connection: close\r\n");
    }
    text.push_str("\r\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    fn request(args: &[&str], url: &str) -> Result<Request> {
        let options = Options::try_parse_from([&["webbench"], args, &[url]].concat()).expect("good flags");
        Request::new(url, &options)
    }

    #[test]
    fn each_version_and_method_sends_its_own_bytes() {
        let rows: &[(&[&str], &str)] = &[
            (&[], "GET /a HTTP/1.0\r\nUser-Agent: WebBench 1.5\r\nHost: h\r\n\r\n"),
            (&["-1"], "GET /a HTTP/1.0\r\nUser-Agent: WebBench 1.5\r\nHost: h\r\n\r\n"),
            (&["-9"], "GET /a\r\n"),
            (&["-9", "--head"], "HEAD /a HTTP/1.0\r\nUser-Agent: WebBench 1.5\r\nHost: h\r\n\r\n"),
            (&["-2"], "GET /a HTTP/1.1\r\nUser-Agent: WebBench 1.5\r\nHost: h\r\nConnection: close\r\n\r\n"),
            (
                &["--trace"],
                "TRACE /a HTTP/1.1\r\nUser-Agent: WebBench 1.5\r\nHost: h\r\nConnection: close\r\n\r\n",
            ),
            // Reload means something to a proxy only.
            (&["-r"], "GET /a HTTP/1.0\r\nUser-Agent: WebBench 1.5\r\nHost: h\r\n\r\n"),
        ];
        for (args, expected) in rows {
            let request = request(args, "HTTP://h:81/a").expect("a good URL");
            assert_eq!(request.text, *expected, "{args:?}");
            assert_eq!(request.target, Authority { host: "h".into(), port: 81 });
        }
    }

    /// A strict server answers 400 to an address without its brackets.
    #[test]
    fn an_ipv6_address_has_its_brackets() {
        for url in ["http://[::1]/", "http://[::1]:8080/", "http://::1:8080/"] {
            let request = request(&[], url).expect("a good URL");
            assert_eq!(request.target.host, "::1", "{url}");
            assert!(request.text.contains("\r\nHost: [::1]\r\n"), "{url}: {}", request.text);
        }
    }

    #[test]
    fn a_proxy_is_told_the_whole_url() {
        let request = request(&["-r", "-p", "a:b:8080"], "http://h/x").expect("a good URL");
        assert_eq!(request.target, Authority { host: "a:b".into(), port: 8080 });
        assert!(request.text.starts_with("GET http://h/x HTTP/1.0\r\n"), "{}", request.text);
        assert!(request.text.contains("\r\nHost: h\r\nPragma: no-cache\r\n\r\n"), "{}", request.text);
    }

    #[test]
    fn a_bad_url_is_refused_with_one_line() {
        let long = format!("http://h/{}", "a".repeat(1500));
        let urls = [
            "",
            "h/",
            "ftp://h/",
            "http://h",
            "http:///",
            "http://h:/",
            "http://h:0/",
            "http://h/a b",
            &long,
        ];
        for url in urls {
            let error = request(&[], url).expect_err(url);
            assert_eq!(format!("{error:#}").lines().count(), 1, "{error:#}");
        }
    }
}
