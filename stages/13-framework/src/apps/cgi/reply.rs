//! What a client is answered: the program's document with the server's head (RFC 3875 §6), or why there is
//! none.

/// What came of a program.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It has ended, or has closed its output.
    Output(Vec<u8>),
    /// Its time was over.
    TooSlow,
    /// It wrote more than is allowed.
    TooLong,
    /// It does not run.
    NotStarted,
}

impl Outcome {
    /// The whole reply, to a HEAD without its body (RFC 9110 §9.3.2).
    pub(super) fn reply(self, is_head: bool, date: &[u8]) -> Vec<u8> {
        let date = String::from_utf8_lossy(date);
        let error = |status: &str| {
            with_head(status, &[("Content-Type", "text/plain")], format!("{status}\n").as_bytes(), &date)
        };
        let mut reply = match self {
            Self::Output(output) => from_output(&output, &date).unwrap_or_else(|| error("502 Bad Gateway")),
            Self::TooSlow => error("504 Gateway Timeout"),
            Self::TooLong => error("502 Bad Gateway"),
            Self::NotStarted => error("503 Service Unavailable"),
        };
        let end = reply.windows(4).position(|window| window == b"\r\n\r\n");
        if let (true, Some(end)) = (is_head, end) {
            reply.truncate(end + 4);
        }
        reply
    }
}

/// None if the output is no reply of CGI: without a head, or with one that would break ours.
fn from_output<'a>(output: &'a [u8], date: &str) -> Option<Vec<u8>> {
    let mut status = None;
    let mut default = "200 OK";
    let (mut fields, mut rest): (Vec<(&'a str, &'a str)>, _) = (Vec::new(), output);
    loop {
        let end = rest.iter().position(|&byte| byte == b'\n')?;
        let line = std::str::from_utf8(&rest[..end]).ok()?.trim_end_matches('\r');
        rest = &rest[end + 1..];
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':')?;
        let value = value.trim();
        let is_token = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if name.is_empty() || !name.bytes().all(is_token) || value.contains(char::is_control) {
            return None;
        }
        match name.to_ascii_lowercase().as_str() {
            "status" => {
                let code = value.split(' ').next()?.as_bytes();
                let is_final = matches!(code, [b'2'..=b'5', b'0'..=b'9', b'0'..=b'9']);
                status = Some(is_final.then_some(value)?);
            }
            "location" => {
                default = "302 Found";
                fields.push((name, value));
            }
            // The framing is ours, and these two are in every reply.
            "connection" | "content-length" | "transfer-encoding" | "server" | "date" => {}
            _ => fields.push((name, value)),
        }
    }
    (!fields.is_empty()).then(|| with_head(status.unwrap_or(default), &fields, rest, date))
}

fn with_head(status: &str, fields: &[(&str, &str)], body: &[u8], date: &str) -> Vec<u8> {
    let mut reply = format!("HTTP/1.1 {status}\r\nServer: c10k-lab\r\nDate: {date}\r\n");
    for (name, value) in fields {
        reply += &format!("{name}: {value}\r\n");
    }
    // These two have no body, and a 204 no length either (RFC 9110 §8.6).
    let is_empty = matches!(&status[..3], "204" | "304");
    if !is_empty {
        reply += &format!("Content-Length: {}\r\n", body.len());
    }
    reply += "Connection: close\r\n\r\n";
    [reply.as_bytes(), if is_empty { &[] } else { body }].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply_to(output: &str) -> String {
        String::from_utf8(Outcome::Output(output.as_bytes().to_vec()).reply(false, b"today")).unwrap()
    }

    /// Protects the client: exactly one head, whose framing is right whatever the program writes.
    #[test]
    fn the_head_is_ours_and_the_document_the_programs() {
        let reply =
            reply_to("Content-Type: text/html\nStatus: 404 No Such Thing\nContent-Length: 9\n\nhello");
        assert!(reply.starts_with("HTTP/1.1 404 No Such Thing\r\n"), "{reply}");
        assert!(reply.contains("Content-Length: 5\r\n") && !reply.contains("Content-Length: 9"), "{reply}");
        assert!(reply.ends_with("\r\n\r\nhello"), "{reply}");
        assert!(reply_to("Location: /elsewhere\r\n\r\n").starts_with("HTTP/1.1 302 Found\r\n"));
        assert!(reply_to("Status: 301 Moved\nLocation: /x\n\n").starts_with("HTTP/1.1 301 Moved\r\n"));
        assert!(reply_to("Location: /x\nStatus: 301 Moved\n\n").starts_with("HTTP/1.1 301 Moved\r\n"));
        let reply = reply_to("Status: 204 None\nA: b\nServer: mine\nDate: mine\n\nbody");
        let expected =
            "HTTP/1.1 204 None\r\nServer: c10k-lab\r\nDate: today\r\nA: b\r\nConnection: close\r\n\r\n";
        assert_eq!(reply, expected);
        for broken in [
            "",
            "no head",
            "Content-Type text\n\n",
            "\n\nbody",
            "Status: 099 x\nA: b\n\n",
            "Status: 2000\nA: b\n\n",
            "Status: 2\nA: b\n\n",
            "A b: c\n\n",
        ] {
            assert!(reply_to(broken).starts_with("HTTP/1.1 502 "), "{broken:?}");
        }
        let reply = reply_to("X: a\rSet-Cookie: evil\n\n");
        assert!(reply.starts_with("HTTP/1.1 502 "), "{reply}");
    }
}
