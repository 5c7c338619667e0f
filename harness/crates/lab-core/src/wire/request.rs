//! The bytes of a request.

/// What becomes of the connection after the reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connection {
    /// HTTP/1.1's own way: it stays open.
    Kept,
    /// `Connection: close`.
    Closed,
}

/// A GET in HTTP/1.1. `host` is the value of the Host header: see [`super::Authority::header`].
pub fn get(path: &str, host: &str, connection: Connection) -> Vec<u8> {
    let close = match connection {
        Connection::Kept => "",
        Connection::Closed => "Connection: close\r\n",
    };
    format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{close}\r\n").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_these_bytes() {
        assert_eq!(get("/a", "h:81", Connection::Kept), b"GET /a HTTP/1.1\r\nHost: h:81\r\n\r\n");
        let closing = b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
        assert_eq!(get("/", "h", Connection::Closed), closing);
    }
}
