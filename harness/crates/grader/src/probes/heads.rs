//! Replies with their heads, for the probes that ask what a head says.

use super::client::{Client, LIMIT};
use super::verdict::Fault;

/// A reply with its head.
pub(super) struct Answer {
    pub(super) status: u16,
    head: String,
    pub(super) body: Vec<u8>,
}

impl Answer {
    /// The value of a field, whose name is given in small letters; of several the first one.
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        let fields = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        let mut named = fields.filter(|(its, _)| its.trim().eq_ignore_ascii_case(name));
        named.next().map(|(_, value)| value.trim())
    }

    /// Whether the reply says that its connection ends.
    pub(super) fn says_close(&self) -> bool {
        let options = self.field("connection").unwrap_or_default().split(',');
        options.map(str::trim).any(|option| option.eq_ignore_ascii_case("close"))
    }
}

/// Reads a head, up to and with its empty line.
pub(super) fn head(client: &mut Client) -> Result<String, Fault> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.extend(client.bytes(1, LIMIT)?);
        if head.len() > 16 * 1024 {
            return Err(Fault::wrong("a head of more than 16 KiB"));
        }
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

/// Sends a request and reads its reply.
pub(super) fn exchange(client: &mut Client, request: &[u8]) -> Result<Answer, Fault> {
    client.send(request)?;
    answer(client)
}

/// The next reply, whose body has a length.
pub(super) fn answer(client: &mut Client) -> Result<Answer, Fault> {
    let head = head(client)?;
    let status = head.split_whitespace().nth(1).and_then(|status| status.parse().ok());
    let Some(status) = status.filter(|_| head.starts_with("HTTP/1.")) else {
        return Err(Fault::wrong(format!("{:?} instead of a status line", head.lines().next())));
    };
    let mut answer = Answer { status, head, body: Vec::new() };
    if matches!(status, 100..=199 | 204 | 304) {
        return Ok(answer);
    }
    let length = answer.field("content-length").map(str::parse::<usize>);
    answer.body = match length {
        Some(Ok(length)) if length < 80 << 20 => client.bytes(length, LIMIT)?,
        Some(_) => return Err(Fault::wrong("a Content-Length that is none")),
        None => {
            return Err(Fault::not_applicable(
                "its replies have no Content-Length, and their end is not looked for",
            ));
        }
    };
    Ok(answer)
}
