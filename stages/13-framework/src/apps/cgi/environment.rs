//! What a program is told (RFC 3875 §4.1). Its environment is built from nothing: what is in the server's own
//! is nobody's business, and what a client sends may not name a variable of its own choice.

use crate::apps::front::Caller;
use kit::protocol::http::own::Request;
use std::collections::BTreeMap;

/// A request for a program.
#[derive(Debug)]
pub(super) struct Asked<'a> {
    request: &'a Request,
    /// The name of the program.
    pub(super) program: &'a str,
    /// What follows the name in the path.
    path_info: &'a str,
}

impl<'a> Asked<'a> {
    /// None if it names no program.
    pub(super) fn of(request: &'a Request) -> Option<Self> {
        let rest = request.path.strip_prefix("/cgi-bin/")?;
        let (program, path_info) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
        // A name, and nothing that leads out of the directory: no dot at its beginning.
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        let is_name = !program.is_empty() && !program.starts_with('.') && program.bytes().all(is_plain);
        is_name.then_some(Self { request, program, path_info })
    }

    /// The variables of its program.
    pub(super) fn environment(&self, caller: &Caller) -> BTreeMap<String, String> {
        let client = caller.address.map(|address| address.to_string()).unwrap_or_default();
        let (name, port) = (caller.server.ip().to_string(), caller.server.port().to_string());
        let script = format!("/cgi-bin/{}", self.program);
        let mut variables: BTreeMap<String, String> = [
            ("GATEWAY_INTERFACE", "CGI/1.1"),
            ("SERVER_PROTOCOL", if self.request.http_1_0 { "HTTP/1.0" } else { "HTTP/1.1" }),
            ("SERVER_SOFTWARE", "c10k-lab"),
            ("SERVER_NAME", &name),
            ("SERVER_PORT", &port),
            ("PATH", "/usr/local/bin:/usr/bin:/bin"),
            ("REQUEST_METHOD", &self.request.method),
            ("SCRIPT_NAME", &script),
            ("PATH_INFO", self.path_info),
            ("QUERY_STRING", &self.request.query),
            ("REMOTE_ADDR", &client),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        if !self.request.body.is_empty() {
            variables.insert("CONTENT_LENGTH".to_owned(), self.request.body.len().to_string());
        }
        for (name, value) in &self.request.headers {
            // With a hyphen in its place it would be the same variable: one of the two would hide the other.
            if name.contains('_') {
                continue;
            }
            let name = name.to_ascii_uppercase().replace('-', "_");
            let (variable, separator) = match name.as_str() {
                "CONTENT_TYPE" => (name, ", "),
                // HTTP_PROXY is read by libraries as the proxy for the program's own requests (RFC 3875 has
                // no word on it; CVE-2016-5385 has). Credentials are not for every program (§4.1.18). The
                // framing is the server's.
                "PROXY"
                | "CONTENT_LENGTH"
                | "TRANSFER_ENCODING"
                | "AUTHORIZATION"
                | "PROXY_AUTHORIZATION" => {
                    continue;
                }
                "COOKIE" => ("HTTP_COOKIE".to_owned(), "; "),
                _ => (format!("HTTP_{name}"), ", "),
            };
            // Several lines of a field are one list (§4.1.18).
            let value = String::from_utf8_lossy(value);
            let entry = variables.entry(variable);
            entry.and_modify(|list| *list += &[separator, &value].concat()).or_insert_with(|| value.into());
        }
        variables
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Protects the program from its client: a header becomes a variable with a prefix, or none at all.
    #[test]
    fn a_header_cannot_choose_its_variable() {
        let header = |(name, value): (&str, &str)| (name.to_owned(), value.as_bytes().to_vec());
        let request = Request {
            method: "POST".to_owned(),
            path: "/cgi-bin/hello/more".to_owned(),
            query: "a=b".to_owned(),
            headers: [
                ("path", "/tmp"),
                ("LD-Preload", "evil.so"),
                ("Proxy", "http://evil"),
                ("Authorization", "Basic x"),
                ("Content-Type", "text/plain"),
                ("Content_Type", "text/evil"),
                ("Content-Length", "999"),
                ("X-A", "1"),
                ("X_A", "evil"),
                ("x-a", "2"),
                ("Cookie", "a=1"),
                ("Cookie", "b=2"),
            ]
            .map(header)
            .into(),
            body: b"four".to_vec(),
            http_1_0: false,
        };
        let asked = Asked::of(&request).unwrap();
        assert_eq!(asked.program, "hello");
        let server = "127.0.0.1:8080".parse().unwrap();
        let variables = asked.environment(&Caller { address: Some([127, 0, 0, 2].into()), server });
        let value = |name: &str| variables.get(name).map(String::as_str);
        assert_eq!(value("PATH"), Some("/usr/local/bin:/usr/bin:/bin"));
        assert_eq!((value("HTTP_PATH"), value("HTTP_LD_PRELOAD")), (Some("/tmp"), Some("evil.so")));
        assert_eq!(
            (value("LD_PRELOAD"), value("HTTP_PROXY"), value("HTTP_AUTHORIZATION")),
            (None, None, None)
        );
        assert_eq!((value("CONTENT_LENGTH"), value("CONTENT_TYPE")), (Some("4"), Some("text/plain")));
        assert_eq!((value("HTTP_X_A"), value("HTTP_COOKIE")), (Some("1, 2"), Some("a=1; b=2")));
        assert_eq!((value("SCRIPT_NAME"), value("PATH_INFO")), (Some("/cgi-bin/hello"), Some("/more")));
        assert_eq!((value("REMOTE_ADDR"), value("SERVER_PORT")), (Some("127.0.0.2"), Some("8080")));
    }
}
