//! What a conversation was asked and what it answered, one line each, for an access log.
//!
//! Request and reply meet only in the protocol: the loop sees bytes, and pipelined replies leave in one write. So the
//! protocol notes them, if somebody keeps a journal; else each note is one test of a pointer.

/// How much memory an idle connection's journal may keep, twice.
const KEPT: usize = 128;

/// The exchanges since the journal was last read.
#[derive(Debug, Default)]
pub struct Journal {
    /// Method and target of the request that waits for its reply.
    request: Vec<u8>,
    /// `METHOD TARGET STATUS BYTES` for each exchange, and a line feed.
    lines: Vec<u8>,
    /// How much waited to be sent when the reply that is being written began.
    began: Option<u64>,
}

impl Journal {
    /// A request's head is complete. Both parts are visible ASCII without blanks, or they would not have been parsed:
    /// nobody can forge a line.
    pub(crate) fn asked(&mut self, method: &str, target: &str) {
        self.request.clear();
        self.request.extend_from_slice(method.as_bytes());
        self.request.push(b' ');
        self.request.extend_from_slice(target.as_bytes());
    }

    /// A reply with this status line begins; `waiting` bytes are to be sent before it.
    pub(crate) fn replies(&mut self, status: &str, waiting: u64) {
        self.end(waiting);
        let (code, _) = status.split_once(' ').unwrap_or((status, ""));
        if code.starts_with('1') {
            // 100 (Continue) is no reply yet.
            return;
        }
        let request = if self.request.is_empty() { b"- -" } else { &self.request[..] };
        self.lines.extend_from_slice(request);
        self.lines.push(b' ');
        self.lines.extend_from_slice(code.as_bytes());
        self.request.clear();
        self.began = Some(waiting);
    }

    /// The last reply is complete: with it `waiting` bytes are to be sent.
    pub(crate) fn end(&mut self, waiting: u64) {
        if let Some(began) = self.began.take() {
            self.lines.extend_from_slice(format!(" {}\n", waiting - began).as_bytes());
        }
    }

    /// Hands each exchange, `METHOD TARGET STATUS BYTES`, to `each`, and forgets it. `BYTES` are those of the whole
    /// reply, also if the peer goes away before it has them all; a head that cannot be parsed is `- -`.
    pub fn drain(&mut self, each: impl FnMut(&[u8])) {
        if self.began.is_none() {
            let lines = self.lines.strip_suffix(b"\n").into_iter();
            lines.flat_map(|lines| lines.split(|&byte| byte == b'\n')).for_each(each);
            self.lines.clear();
            // An idle connection keeps little memory, whatever it has asked for.
            self.lines.shrink_to(KEPT);
            self.request.shrink_to(KEPT);
        }
    }
}
