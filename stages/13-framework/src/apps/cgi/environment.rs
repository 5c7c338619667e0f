//! What a program is told (RFC 3875 §4.1). Its environment is built from nothing: what is in the server's own
//! is nobody's business, and what a client sends may not name a variable of its own choice.

use std::net::SocketAddrV4;

/// A request, parsed.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) method: String,
    /// The name of the program.
    pub(super) program: String,
    /// What follows the name in the path.
    pub(super) path_info: String,
    pub(super) query: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Asked {
    /// The variables of its program.
    pub(super) fn environment(&self, server: SocketAddrV4, client: &str) -> Vec<(String, String)> {
        let mut variables: Vec<(String, String)> = [
            ("GATEWAY_INTERFACE", "CGI/1.1"),
            ("SERVER_PROTOCOL", "HTTP/1.1"),
            ("SERVER_SOFTWARE", "c10k-lab"),
            ("PATH", "/usr/local/bin:/usr/bin:/bin"),
            ("REQUEST_METHOD", &self.method),
            ("PATH_INFO", &self.path_info),
            ("QUERY_STRING", &self.query),
            ("REMOTE_ADDR", client),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        variables.push(("SCRIPT_NAME".to_owned(), format!("/cgi-bin/{}", self.program)));
        variables.push(("SERVER_NAME".to_owned(), server.ip().to_string()));
        variables.push(("SERVER_PORT".to_owned(), server.port().to_string()));
        if !self.body.is_empty() {
            variables.push(("CONTENT_LENGTH".to_owned(), self.body.len().to_string()));
        }
        for (name, value) in &self.headers {
            let name = name.to_ascii_uppercase().replace('-', "_");
            match name.as_str() {
                "CONTENT_TYPE" => variables.push((name, value.clone())),
                // HTTP_PROXY is read by libraries as the proxy for the program's own requests (RFC 3875 has
                // no word on it; CVE-2016-5385 has). Credentials are not for every program (§4.1.18).
                "PROXY" | "CONTENT_LENGTH" | "AUTHORIZATION" | "PROXY_AUTHORIZATION" => {}
                _ => variables.push((format!("HTTP_{name}"), value.clone())),
            }
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
        let header = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        let asked = Asked {
            method: "POST".to_owned(),
            program: "hello".to_owned(),
            path_info: "/more".to_owned(),
            query: "a=b".to_owned(),
            headers: [
                ("path", "/tmp"),
                ("LD-Preload", "evil.so"),
                ("Proxy", "http://evil"),
                ("Authorization", "Basic x"),
                ("Content-Type", "text/plain"),
                ("Content-Length", "999"),
            ]
            .map(header)
            .into(),
            body: b"four".to_vec(),
        };
        let variables = asked.environment("127.0.0.1:8080".parse().unwrap(), "127.0.0.2");
        let value = |name: &str| {
            let mut found = variables.iter().filter(|(variable, _)| variable == name);
            let value = found.next().map(|(_, value)| value.as_str());
            assert!(found.next().is_none(), "{name} is there twice");
            value
        };
        assert_eq!(value("PATH"), Some("/usr/local/bin:/usr/bin:/bin"));
        assert_eq!((value("HTTP_PATH"), value("HTTP_LD_PRELOAD")), (Some("/tmp"), Some("evil.so")));
        assert_eq!(
            (value("LD_PRELOAD"), value("HTTP_PROXY"), value("HTTP_AUTHORIZATION")),
            (None, None, None)
        );
        assert_eq!((value("CONTENT_LENGTH"), value("CONTENT_TYPE")), (Some("4"), Some("text/plain")));
        assert_eq!((value("SCRIPT_NAME"), value("PATH_INFO")), (Some("/cgi-bin/hello"), Some("/more")));
    }
}
