//! What the header fields of a request say about its connection and its body.

use super::framing::{Declared, Framing};
use super::grammar::{is_authority, is_name, trim};
use super::status::Reject;
use httparse::Header;

/// What the Expect field asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Expect {
    /// Nothing.
    #[default]
    Nothing,
    /// `100-continue`.
    Continue,
    /// Something that this server does not know.
    Other,
}

/// What the fields that concern every request say. The conditional fields are read only when a file is
/// asked for ([`super::condition`]).
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields {
    /// How long the body is.
    pub(super) framing: Framing,
    /// What the client waits for before it sends the body.
    pub(super) expect: Expect,
    /// Whether the client wants a persistent connection (RFC 9112 §9.3).
    pub(super) persistent: bool,
}

/// What the fields other than Host have said so far.
#[derive(Debug, Default)]
struct Said {
    declared: Declared,
    expect: Expect,
    close: bool,
    keep_alive: bool,
}

impl Fields {
    /// Reads the fields. `http_1_0`: the request is HTTP/1.0.
    // Inlined, since its result would be written to memory and read again.
    #[inline(always)]
    pub(super) fn read(headers: &[Header<'_>], http_1_0: bool) -> Result<Self, Reject> {
        let mut host = false;
        let mut said = None::<Said>;
        for Header { name, value } in headers {
            // The length alone distinguishes most names.
            match name.len() {
                4 if is_name(name, b"host") => {
                    if host {
                        return Err(Reject::bad("Host is given twice"));
                    }
                    if !is_authority(trim(value)) {
                        return Err(Reject::bad("malformed Host"));
                    }
                    host = true;
                }
                6 | 10 | 14 | 17 => said.get_or_insert_default().add(name, value, http_1_0)?,
                _ => {}
            }
        }
        if !host && !http_1_0 {
            return Err(Reject::bad("an HTTP/1.1 request needs a Host"));
        }
        match said {
            None => Ok(Self { framing: Framing::Empty, expect: Expect::Nothing, persistent: !http_1_0 }),
            Some(said) => said.verdict(http_1_0),
        }
    }
}

impl Said {
    /// One line that may concern the connection or the body. Out of line: most requests have none of them,
    /// and inlined their registers are saved and restored around each Host.
    #[inline(never)]
    fn add(&mut self, name: &str, value: &[u8], http_1_0: bool) -> Result<(), Reject> {
        match name.len() {
            6 if is_name(name, b"expect") => {
                for expectation in members(value) {
                    if !expectation.eq_ignore_ascii_case(b"100-continue") {
                        self.expect = Expect::Other;
                    } else if self.expect == Expect::Nothing && !http_1_0 {
                        // RFC 9110 §10.1.1: an HTTP/1.0 client knows no 100.
                        self.expect = Expect::Continue;
                    }
                }
            }
            10 if is_name(name, b"connection") => {
                for option in members(value) {
                    self.close |= option.eq_ignore_ascii_case(b"close");
                    self.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
                }
            }
            14 if is_name(name, b"content-length") => self.declared.content_length(value)?,
            17 if is_name(name, b"transfer-encoding") => self.declared.transfer_encoding(value)?,
            _ => {}
        }
        Ok(())
    }

    /// What all of them have said together.
    #[inline(never)]
    fn verdict(self, http_1_0: bool) -> Result<Fields, Reject> {
        let Self { declared, expect, close, keep_alive } = self;
        let persistent = !close && (keep_alive || !http_1_0);
        Ok(Fields { framing: declared.framing(http_1_0)?, expect, persistent })
    }
}

/// The members of a comma-separated list (RFC 9110 §5.6.1). Empty ones do not count.
fn members(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    list.split(|&byte| byte == b',').map(trim).filter(|member| !member.is_empty())
}
