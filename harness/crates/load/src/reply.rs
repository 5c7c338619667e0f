//! Replies: bytes in, in any pieces; verdicts out. No socket and no clock.

use super::reference::{LEARNT_LIMIT, Learnt, Reference};
use super::tally::Failure;
use super::template::Template;
use httparse::{Header, Response, Status};

/// A longer head is no reply of a server that works.
const HEAD_LIMIT: usize = 16 * 1024;
const HEADERS_LIMIT: usize = 64;

/// What a right reply is. Shared by the connections of a thread.
#[derive(Debug)]
pub(super) struct Checker {
    status: u16,
    reference: Reference,
    template: Template,
    /// The last status that was not the right one.
    pub(super) wrong_status: Option<u16>,
}

impl Checker {
    pub(super) fn new(status: u16, reference: Reference) -> Self {
        Self { status, reference, template: Template::default(), wrong_status: None }
    }
}

/// A reply has ended, or cannot go on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Reply {
    /// What is wrong with it.
    pub(super) failure: Option<Failure>,
    /// Whether another reply may follow on the connection.
    pub(super) keeps: bool,
}

/// Reads the replies of one connection.
#[derive(Debug, Default)]
pub(super) struct Reader {
    /// `None`: in the head.
    body: Option<Body>,
    /// The beginning of a head; while a body is learnt, the beginning of the body.
    kept: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
struct Body {
    length: u64,
    at: u64,
    learning: bool,
    reply: Reply,
}

/// What a head says.
struct Head {
    length: usize,
    status: u16,
    keeps: bool,
    /// `None`: the end cannot be known.
    body_length: Option<u64>,
    /// Where the Date stands.
    date: std::ops::Range<usize>,
}

impl Reader {
    /// Whether a reply has begun.
    pub(super) fn is_inside(&self) -> bool {
        self.body.is_some() || !self.kept.is_empty()
    }

    /// Takes bytes up to the end of a reply: how many, and the verdict if the end was reached.
    pub(super) fn feed(&mut self, input: &[u8], checker: &mut Checker) -> (usize, Option<Reply>) {
        if self.body.is_some() {
            return self.feed_body(input, checker);
        }
        if !self.kept.is_empty() {
            return self.continue_head(input, checker);
        }
        if let Some(length) = checker.template.matches(input) {
            return (length, Some(Reply { failure: None, keeps: checker.template.keeps }));
        }
        let head = match parse(input) {
            Ok(Some(head)) => head,
            Ok(None) => {
                self.kept.extend_from_slice(input);
                return (input.len(), None);
            }
            Err(broken) => return (input.len(), Some(broken)),
        };
        self.begin_body(&head, checker);
        let (body, reply) = self.feed_body(&input[head.length..], checker);
        let length = head.length + body;
        if let Some(Reply { failure: None, keeps }) = reply {
            checker.template.learn(&input[..length], head.date, keeps);
        }
        (length, reply)
    }

    /// A head that came in pieces. It may be parsed again for every piece: a server under load sends its
    /// head at once, and the limit bounds the rest.
    fn continue_head(&mut self, input: &[u8], checker: &mut Checker) -> (usize, Option<Reply>) {
        let before = self.kept.len();
        let taken = input.len().min(HEAD_LIMIT - before);
        self.kept.extend_from_slice(&input[..taken]);
        match parse(&self.kept) {
            Ok(Some(head)) => {
                self.begin_body(&head, checker);
                let of_head = head.length - before;
                let (body, reply) = self.feed_body(&input[of_head..], checker);
                (of_head + body, reply)
            }
            Ok(None) => (taken, None),
            Err(broken) => {
                self.kept.clear();
                (input.len(), Some(broken))
            }
        }
    }

    fn begin_body(&mut self, head: &Head, checker: &mut Checker) {
        self.kept.clear();
        if head.status != checker.status {
            checker.wrong_status = Some(head.status);
        }
        let expected = checker.reference.length();
        let failure = match head.body_length {
            _ if head.status != checker.status => Some(Failure::Status),
            None => Some(Failure::Length),
            Some(length) if expected.is_some_and(|expected| expected != length) => Some(Failure::Length),
            Some(_) => None,
        };
        self.body = Some(Body {
            // Without a known end nothing more is read: the connection is given up.
            length: head.body_length.unwrap_or(0),
            at: 0,
            learning: failure.is_none() && expected.is_none(),
            reply: Reply { failure, keeps: head.keeps && head.body_length.is_some() },
        });
    }

    fn feed_body(&mut self, input: &[u8], checker: &Checker) -> (usize, Option<Reply>) {
        let Some(body) = &mut self.body else { return (0, None) };
        let left = body.length - body.at;
        let taken = usize::try_from(left).map_or(input.len(), |left| left.min(input.len()));
        let piece = &input[..taken];
        if body.learning {
            let room = LEARNT_LIMIT - self.kept.len();
            self.kept.extend_from_slice(&piece[..taken.min(room)]);
        } else if body.reply.failure.is_none() && !checker.reference.matches(body.at, piece) {
            body.reply.failure = Some(Failure::Body);
        }
        body.at += taken as u64;
        if body.at < body.length {
            return (taken, None);
        }
        let body = *body;
        self.body = None;
        let mut reply = body.reply;
        if let (true, Reference::Learnt(learnt)) = (body.learning, &checker.reference) {
            let mine = Learnt { length: body.length, beginning: std::mem::take(&mut self.kept) };
            // Another connection may have been first; then this reply is compared with it.
            let first = learnt.get_or_init(|| mine.clone());
            reply.failure = match () {
                () if first.length != mine.length => Some(Failure::Length),
                () if first.beginning != mine.beginning => Some(Failure::Body),
                () => None,
            };
        }
        (taken, Some(reply))
    }
}

/// Reads a head: `None` while it is unfinished.
fn parse(input: &[u8]) -> Result<Option<Head>, Reply> {
    const BROKEN: Reply = Reply { failure: Some(Failure::Malformed), keeps: false };
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_LIMIT];
    let mut response = Response::new(&mut headers);
    // The limit holds for a head that came at once as well, or the pieces would change the verdict.
    let length = match response.parse(&input[..input.len().min(HEAD_LIMIT)]) {
        Ok(Status::Complete(length)) => length,
        Ok(Status::Partial) if input.len() < HEAD_LIMIT => return Ok(None),
        Ok(Status::Partial) | Err(_) => return Err(BROKEN),
    };
    let status = response.code.ok_or(BROKEN)?;
    let mut head = Head { length, status, keeps: response.version == Some(1), body_length: None, date: 0..0 };
    let mut coded = false;
    for Header { name, value } in response.headers.iter() {
        if name.eq_ignore_ascii_case("content-length") {
            let length = decimal(value).ok_or(BROKEN)?;
            if head.body_length.replace(length).is_some_and(|other| other != length) {
                return Err(BROKEN);
            }
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            coded = true;
        } else if name.eq_ignore_ascii_case("connection") {
            let has = |option: &str| {
                value
                    .split(|byte| *byte == b',')
                    .any(|item| item.trim_ascii().eq_ignore_ascii_case(option.as_bytes()))
            };
            head.keeps = !has("close") && (head.keeps || has("keep-alive"));
        } else if name.eq_ignore_ascii_case("date") {
            // The value is a part of the input.
            let start = value.as_ptr() as usize - input.as_ptr() as usize;
            head.date = start..start + value.len();
        }
    }
    if matches!(status, 100..=199 | 204 | 304) {
        // RFC 9112 section 6.3: these never have a body, whatever they say.
        head.body_length = Some(0);
    } else if coded {
        // This generator asks for nothing that must be coded, and compares lengths.
        head.body_length = None;
    }
    Ok(Some(head))
}

/// RFC 9110 section 8.6: digits and nothing else.
fn decimal(value: &[u8]) -> Option<u64> {
    let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    digits.then(|| std::str::from_utf8(value).ok()?.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DATES: [&str; 2] = ["Thu, 01 Jan 1970 00:00:00 GMT", "Thu, 01 Jan 1970 00:00:01 GMT"];

    fn reply(head: &str, body: &str) -> Vec<u8> {
        format!("HTTP/1.1 200 OK\r\n{head}Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
    }

    fn checker() -> Checker {
        Checker::new(200, Reference::for_path("/"))
    }

    /// The verdicts on a stream that arrives in these pieces; nothing follows a reply that ends it.
    fn verdicts<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, checker: &mut Checker) -> Vec<Reply> {
        let mut reader = Reader::default();
        let mut all = Vec::new();
        for piece in pieces {
            let mut rest = piece;
            while !rest.is_empty() {
                let (taken, reply) = reader.feed(rest, checker);
                rest = &rest[taken..];
                all.extend(reply);
                if reply.is_some_and(|reply| !reply.keeps) {
                    return all;
                }
                assert!(taken > 0 || reply.is_some(), "no progress");
            }
        }
        all
    }

    fn verdict(reply: &[u8]) -> Reply {
        let all = verdicts([reply], &mut checker());
        assert_eq!(all.len(), 1, "{}", String::from_utf8_lossy(reply));
        all[0]
    }

    #[test]
    fn each_fault_has_its_name() {
        let right = reply("", "Hello, World!");
        let text = |text: &str| text.as_bytes().to_vec();
        let rows: [(Vec<u8>, Option<Failure>, bool); 18] = [
            (right, None, true),
            (reply("Connection: close\r\n", "Hello, World!"), None, false),
            (reply("Connection: x, Close\r\n", "Hello, World!"), None, false),
            (reply("", "Hello, World"), Some(Failure::Length), true),
            (reply("", "Hello, World!!"), Some(Failure::Length), true),
            (reply("", "Hello, world!"), Some(Failure::Body), true),
            (text("HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno"), Some(Failure::Status), true),
            (text("HTTP/1.1 204 No Content\r\n\r\n"), Some(Failure::Status), true),
            (text("HTTP/1.0 200 OK\r\nContent-Length: 13\r\n\r\nHello, World!"), None, false),
            (
                text("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 13\r\n\r\nHello, World!"),
                None,
                true,
            ),
            (text("HTTP/1.1 200 OK\r\n\r\n"), Some(Failure::Length), false),
            (text("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), Some(Failure::Length), false),
            (text("HTTP/1.1 200 OK\r\nContent-Length: +13\r\n\r\n"), Some(Failure::Malformed), false),
            (
                text("HTTP/1.1 200 OK\r\nContent-Length: 13\r\nContent-Length: 12\r\n\r\n"),
                Some(Failure::Malformed),
                false,
            ),
            (
                text("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nContent-Length: 13\r\n\r\n"),
                Some(Failure::Malformed),
                false,
            ),
            (text("HTTP/1.1 304 Not Modified\r\nContent-Length: 13\r\n\r\n"), Some(Failure::Status), true),
            (text("Hello, World!"), Some(Failure::Malformed), false),
            (vec![b'\0'; 20], Some(Failure::Malformed), false),
        ];
        for (bytes, failure, keeps) in rows {
            assert_eq!(verdict(&bytes), Reply { failure, keeps }, "{}", String::from_utf8_lossy(&bytes));
        }
    }

    /// The short cut must see what the parser would see.
    #[test]
    fn a_reply_that_differs_from_the_one_before_is_not_taken_for_it() {
        let head = |date: &str| format!("Server: x\r\nDate: {date}\r\n");
        let right = reply(&head(DATES[0]), "Hello, World!");
        for (next, failure) in [
            (reply(&head(DATES[1]), "Hello, World!"), None),
            (reply(&head(DATES[1]), "Hello, world!"), Some(Failure::Body)),
            (reply(&head("x"), "Hello, World!"), None),
            (reply(&head("Thu,\r\nContent-Length: 13\r\nX: z"), "Hello"), Some(Failure::Malformed)),
            // As long as a date, and every other byte is the same; but a line end is in it.
            (reply(&head("Thu\r\nContent-Length: 5\r\nX: zz"), "Hello, World!"), Some(Failure::Malformed)),
        ] {
            let mut checker = checker();
            assert_eq!(verdicts([right.as_slice()], &mut checker)[0].failure, None);
            assert!(checker.template.matches(&right).is_some(), "it was kept");
            let all = verdicts([next.as_slice()], &mut checker);
            assert_eq!(all[0].failure, failure, "{}", String::from_utf8_lossy(&next));
        }
    }

    #[test]
    fn the_first_right_reply_teaches_the_others() {
        let reference = Reference::learnt();
        let mut checkers = [Checker::new(200, reference.clone()), Checker::new(200, reference)];
        let wrong = b"HTTP/1.1 500 No\r\nContent-Length: 3\r\n\r\nbad".as_slice();
        assert_eq!(
            verdicts([wrong], &mut checkers[0])[0].failure,
            Some(Failure::Status),
            "nothing is learnt"
        );
        for (body, failure) in
            [("page", None), ("page", None), ("pagE", Some(Failure::Body)), ("pages", Some(Failure::Length))]
        {
            for checker in &mut checkers {
                assert_eq!(verdicts([reply("", body).as_slice()], checker)[0].failure, failure, "{body}");
            }
        }
    }

    #[test]
    fn an_endless_head_is_given_up() {
        let mut endless = b"HTTP/1.1 200 OK\r\n".to_vec();
        while endless.len() < 3 * HEAD_LIMIT {
            endless.extend_from_slice(b"X: 0123456789\r\n");
        }
        for size in [endless.len(), 1000, HEAD_LIMIT] {
            let all = verdicts(endless.chunks(size), &mut checker());
            assert_eq!(all, [Reply { failure: Some(Failure::Malformed), keeps: false }]);
        }
    }

    fn any_reply() -> impl Strategy<Value = Vec<u8>> {
        let body = prop_oneof![
            4 => Just("Hello, World!".to_owned()),
            1 => "[a-z]{0,20}",
            1 => Just("Hello, world!".to_owned()),
        ];
        let head = prop_oneof![
            4 => (0usize..2).prop_map(|which| format!("Date: {}\r\n", DATES[which])),
            1 => Just(String::new()),
            1 => Just("Connection: close\r\n".to_owned()),
            1 => Just("X: \u{1}\r\n".to_owned()),
        ];
        (head, body).prop_map(|(head, body)| reply(&head, &body))
    }

    proptest! {
        /// TCP may cut a stream anywhere: no cut changes a verdict.
        #[test]
        fn cuts_change_nothing(
            replies in proptest::collection::vec(any_reply(), 1..6),
            cuts in proptest::collection::vec(any::<proptest::sample::Index>(), 0..12),
        ) {
            let stream = replies.concat();
            let whole = verdicts([stream.as_slice()], &mut checker());
            let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
            at.extend([0, stream.len()]);
            at.sort_unstable();
            let pieces = at.windows(2).map(|pair| &stream[pair[0]..pair[1]]);
            prop_assert_eq!(&verdicts(pieces, &mut checker()), &whole);
            prop_assert_eq!(&verdicts(stream.chunks(1), &mut checker()), &whole, "byte by byte");
            // Each alone, by a parser that has seen nothing before: the short cut plays no part.
            let alone = replies.iter().map(|reply| verdict(reply)).collect::<Vec<_>>();
            prop_assert_eq!(&whole[..], &alone[..whole.len()]);
            prop_assert!(whole.len() == alone.len() || !whole.last().is_some_and(|reply| reply.keeps));
        }
    }
}
