//! Replies: bytes in, in any pieces; verdicts out. No socket and no clock. `lab_core` reads them; here they
//! are compared with what is right.

use super::failure::Failure;
use super::reference::{Expected, LEARNT_LIMIT, Learnt, Reference};
use super::template::Template;
use lab_core::wire::{self, Framing, Head, Part};
use std::collections::BTreeSet;

/// What a right reply is. Shared by the connections of a thread.
#[derive(Debug)]
pub(super) struct Checker {
    status: u16,
    expected: Expected,
    template: Template,
    /// The last status that was not the right one.
    pub(super) wrong_status: Option<u16>,
    /// How replies of the right status ended that announced no length.
    pub(super) unannounced: BTreeSet<&'static str>,
}

impl Checker {
    pub(super) fn new(status: u16, expected: Expected) -> Self {
        Self {
            status,
            expected,
            template: Template::default(),
            wrong_status: None,
            unannounced: BTreeSet::new(),
        }
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

impl Reply {
    /// Nothing after it can be trusted.
    const BROKEN: Self = Self { failure: Some(Failure::Malformed), keeps: false };
}

/// Reads the replies of one connection.
#[derive(Debug, Default)]
pub(super) struct Reader {
    parts: wire::Reader,
    /// The reply whose head has come.
    inside: Option<Inside>,
    /// While a body is learnt, its beginning.
    learnt: Vec<u8>,
}

/// A reply whose head has come.
#[derive(Clone, Copy, Debug)]
struct Inside {
    is_announced: bool,
    /// The length that is right; `None` while it is to be learnt.
    expected: Option<u64>,
    /// Bytes of content that have come.
    at: u64,
    reply: Reply,
}

impl Inside {
    fn new(head: &Head, checker: &mut Checker) -> Self {
        let (length, other_end) = match head.framing {
            Framing::Length(length) => (Some(length), None),
            Framing::Chunked => (None, Some("chunked")),
            Framing::Close => (None, Some("ended by closing")),
        };
        let is_announced = length.is_some();
        let is_right_status = head.status == checker.status;
        if is_right_status {
            checker.unannounced.extend(other_end);
        } else {
            checker.wrong_status = Some(head.status);
        }
        let expected = checker.expected.of(is_announced).length();
        let failure = match (expected, length) {
            _ if !is_right_status => Some(Failure::Status),
            (Some(expected), Some(length)) if expected != length => Some(Failure::Length),
            _ => None,
        };
        Self { is_announced, expected, at: 0, reply: Reply { failure, keeps: head.keeps } }
    }

    /// Whether the content is the first that was seen, from which the others are judged.
    fn is_learning(&self) -> bool {
        self.reply.failure.is_none() && self.expected.is_none()
    }
}

impl Reader {
    /// Whether a reply has begun.
    pub(super) fn is_inside(&self) -> bool {
        self.parts.is_inside()
    }

    /// Takes bytes up to the end of a reply: how many, and the verdict if the end was reached; without a
    /// verdict all of them are taken. An interim reply has none (RFC 9110 section 15.2).
    pub(super) fn feed(&mut self, input: &[u8], checker: &mut Checker) -> (usize, Option<Reply>) {
        if !self.is_inside()
            && let Some(length) = checker.template.matches(input)
        {
            return (length, Some(Reply { failure: None, keeps: checker.template.keeps }));
        }
        let (mut rest, mut date) = (input, None);
        loop {
            match self.parts.next(&mut rest) {
                Err(_) => return (input.len(), Some(Reply::BROKEN)),
                Ok(None) => return (input.len(), None),
                Ok(Some(Part::Head(head))) if head.is_interim() => {}
                Ok(Some(Part::Head(head))) => {
                    self.learnt.clear();
                    self.inside = Some(Inside::new(&head, checker));
                    // A reply can be kept whole where it is all that has come: head, then body.
                    date = (input.len() - rest.len() == head.length).then_some(head.date);
                }
                Ok(Some(Part::Content(content))) => self.compare(content, checker),
                Ok(Some(Part::End)) => {
                    let taken = input.len() - rest.len();
                    let reply = self.judge(checker);
                    if let (Some(Reply { failure: None, keeps }), Some(date)) = (reply, date) {
                        checker.template.learn(&input[..taken], date, keeps);
                    }
                    return (taken, reply);
                }
            }
        }
    }

    /// The connection has ended: the verdict on a reply that should end with it.
    pub(super) fn end(&mut self, checker: &Checker) -> Option<Reply> {
        if self.parts.ends_with_connection() { self.judge(checker) } else { None }
    }

    /// Content has come.
    fn compare(&mut self, content: &[u8], checker: &Checker) {
        let Some(inside) = &mut self.inside else { return };
        if inside.is_learning() {
            let room = LEARNT_LIMIT - self.learnt.len();
            self.learnt.extend_from_slice(&content[..content.len().min(room)]);
        } else if inside.reply.failure.is_none()
            && !checker.expected.of(inside.is_announced).matches(inside.at, content)
        {
            inside.reply.failure = Some(Failure::Body);
        }
        inside.at += content.len() as u64;
    }

    /// The verdict on a reply whose body is whole.
    fn judge(&mut self, checker: &Checker) -> Option<Reply> {
        let inside = self.inside.take()?;
        let mut reply = inside.reply;
        let is_of_right_status = matches!(reply.failure, None | Some(Failure::Body));
        if is_of_right_status && inside.expected.is_some_and(|expected| expected != inside.at) {
            // Only now is it known of one that announced no length. Where its bytes differ too depends on how
            // they were cut, so the length is what counts.
            reply.failure = Some(Failure::Length);
        }
        if inside.is_learning()
            && let Reference::Learnt(learnt) = checker.expected.of(inside.is_announced)
        {
            let mine = Learnt { length: inside.at, beginning: std::mem::take(&mut self.learnt) };
            // Another connection may have been first; then this reply is compared with it.
            let first = learnt.get_or_init(|| mine.clone());
            reply.failure = match () {
                () if first.length != mine.length => Some(Failure::Length),
                () if first.beginning != mine.beginning => Some(Failure::Body),
                () => None,
            };
        }
        Some(reply)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lab_core::wire::HEAD_LIMIT;
    use proptest::prelude::*;

    const DATES: [&str; 2] = ["Thu, 01 Jan 1970 00:00:00 GMT", "Thu, 01 Jan 1970 00:00:01 GMT"];

    fn reply(head: &str, body: &str) -> Vec<u8> {
        format!("HTTP/1.1 200 OK\r\n{head}Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
    }

    fn checker() -> Checker {
        Checker::new(200, Expected::by_path("/"))
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
            (text("HTTP/1.1 101 Switching Protocols\r\n\r\n"), Some(Failure::Status), false),
            (
                text("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nno\r\n"),
                Some(Failure::Malformed),
                false,
            ),
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
        let expected = Expected::learnt();
        let mut checkers = [Checker::new(200, expected.clone()), Checker::new(200, expected)];
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

    /// What the end of the connection says, after these replies have come.
    fn verdict_at_the_end(bytes: &[u8], checker: &mut Checker) -> Option<Reply> {
        let mut reader = Reader::default();
        assert_eq!(reader.feed(bytes, checker), (bytes.len(), None));
        reader.end(checker)
    }

    /// Protects against calling every reply of a server wrong that does not know its length beforehand: there
    /// is no contract to hold it to, so the first reply's content is right.
    #[test]
    fn replies_that_announce_no_length_are_compared_with_the_first() {
        let chunked = |content: &str| {
            let pieces: Vec<String> = content.chars().map(|c| format!("1\r\n{c}\r\n")).collect();
            format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{}0\r\n\r\n", pieces.concat())
        };
        let open = |content: &str| format!("HTTP/1.1 200 OK\r\n\r\n{content}");
        let rows = [("page", None), ("page", None), ("pagE", Some(Failure::Body))];
        let rows = rows.into_iter().chain([("pages", Some(Failure::Length)), ("pag", Some(Failure::Length))]);
        let (mut first, mut second) = (checker(), checker());
        for (content, failure) in rows {
            let bytes = chunked(content);
            for size in [bytes.len(), 1, 7] {
                let all = verdicts(bytes.as_bytes().chunks(size), &mut first);
                assert_eq!(all, [Reply { failure, keeps: true }], "{content} in pieces of {size}");
            }
            let end = verdict_at_the_end(open(content).as_bytes(), &mut second);
            assert_eq!(end, Some(Reply { failure, keeps: false }), "{content}");
        }
        assert_eq!(first.unannounced, BTreeSet::from(["chunked"]));
        assert_eq!(second.unannounced, BTreeSet::from(["ended by closing"]));
        // What announces its length is held to the contract all the same.
        assert_eq!(verdicts([reply("", "page").as_slice()], &mut first)[0].failure, Some(Failure::Length));
        // A body that the user names is right whatever frames it.
        let mut told = Checker::new(200, Expected::text(b"page".to_vec()));
        assert_eq!(verdicts([chunked("pagE").as_bytes()], &mut told)[0].failure, Some(Failure::Body));
        // An announced length that the connection's end cuts is no reply.
        assert_eq!(
            verdict_at_the_end(b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\nHello", &mut told),
            None
        );
    }

    /// RFC 9110 section 15.2: an interim reply is not the reply.
    #[test]
    fn interim_replies_are_skipped() {
        let interim = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n".repeat(2) + "HTTP/1.1 100 C\r\n\r\n";
        let stream = [interim.as_bytes(), &reply("", "Hello, World!")].concat().repeat(2);
        for size in [stream.len(), 1, 40] {
            let all = verdicts(stream.chunks(size), &mut checker());
            assert_eq!(all, [Reply { failure: None, keeps: true }; 2], "in pieces of {size}");
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
        let interim = prop_oneof![3 => Just(""), 1 => Just("HTTP/1.1 103 Early Hints\r\n\r\n")];
        let chunks = |body: &str| match body.len() {
            0 => "0\r\n\r\n".to_owned(),
            length => format!("{length:x}\r\n{body}\r\n0\r\n\r\n"),
        };
        (interim, head, body, 0..4u8).prop_map(move |(interim, head, body, framing)| {
            let reply = match framing {
                0 => format!("HTTP/1.1 200 OK\r\n{head}Transfer-Encoding: chunked\r\n\r\n{}", chunks(&body))
                    .into(),
                _ => reply(&head, &body),
            };
            [interim.as_bytes(), &reply].concat()
        })
    }

    /// What is right is known beforehand for every framing: the order of the replies plays no part.
    fn told() -> Checker {
        Checker::new(200, Expected::text(b"Hello, World!".to_vec()))
    }

    proptest! {
        /// TCP may cut a stream anywhere: no cut changes a verdict.
        #[test]
        fn cuts_change_nothing(
            replies in proptest::collection::vec(any_reply(), 1..6),
            cuts in proptest::collection::vec(any::<proptest::sample::Index>(), 0..12),
        ) {
            let stream = replies.concat();
            let whole = verdicts([stream.as_slice()], &mut told());
            let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
            at.extend([0, stream.len()]);
            at.sort_unstable();
            let pieces = at.windows(2).map(|pair| &stream[pair[0]..pair[1]]);
            prop_assert_eq!(&verdicts(pieces, &mut told()), &whole);
            prop_assert_eq!(&verdicts(stream.chunks(1), &mut told()), &whole, "byte by byte");
            // Each alone, by a parser that has seen nothing before: the short cut plays no part.
            let judge = |reply: &Vec<u8>| verdicts([reply.as_slice()], &mut told())[0];
            let alone = replies.iter().map(judge).collect::<Vec<_>>();
            prop_assert_eq!(&whole[..], &alone[..whole.len()]);
            prop_assert!(whole.len() == alone.len() || !whole.last().is_some_and(|reply| reply.keeps));
        }
    }
}
