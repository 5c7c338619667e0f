//! What the RFCs leave open: a server of another make may choose, and the stages keep the stricter rule.

use super::{Case, Then};

/// What is allowed besides, by the name of the case.
struct Also {
    what: &'static str,
    /// The statuses, those of a stage included.
    statuses: &'static [u16],
    /// What a server still waits for that takes the request for a right one.
    rest: &'static str,
    /// The server must close all the same.
    closes: bool,
}

const fn also(what: &'static str, statuses: &'static [u16]) -> Also {
    Also { what, statuses, rest: "", closes: false }
}

/// Each with the sentence that leaves it open. Section numbers are of RFC 9112 unless another is named.
const OPEN: &[Also] = &[
    // "... MUST consider that element to be invalid or replace each bare CR with SP."
    also("a bare CR in a value (2.2)", &[400, 200]),
    // "... MUST either reject the message or replace each of those characters with SP."
    also("NUL in a value (9110 5.5)", &[400, 200]),
    // "... MUST either reject the message by sending a 400 ... or replace each received obs-fold with SP."
    also("a folded line (5.2)", &[400, 200]),
    // "... MAY reject a request that contains both ... or process such a request in accordance with the
    // Transfer-Encoding alone. Regardless, the server MUST close the connection after responding."
    Also {
        rest: "0\r\n\r\n",
        closes: true,
        ..also("Transfer-Encoding with Content-Length (6.1)", &[400, 200])
    },
    // "... MUST treat the message as if the framing is faulty, ..., and close the connection after processing
    // the message."
    Also { closes: true, ..also("Transfer-Encoding in 1.0 (6.1)", &[400, 200, 501, 505]) },
    // "... with a transfer coding it does not understand SHOULD respond with 501."
    Also { closes: true, ..also("chunked is not the last coding (6.3)", &[400, 501]) },
    Also { closes: true, ..also("chunked twice (6.1)", &[400, 501]) },
    Also { closes: true, ..also("an unknown coding before chunked (6.1)", &[501, 400]) },
    // "... MUST either reject the message as invalid or replace the duplicated field values with a single
    // valid Content-Length" (9110 8.6).
    Also { rest: "hello", ..also("Content-Length: 5,5 (6.3)", &[400, 200]) },
    Also { rest: "hello", ..also("Content-Length twice (6.3)", &[400, 200]) },
    // Limits are a server's own choice (3; 9110 5.4), if it does not take 8,000 bytes for too long.
    also("a request line over the limit", &[414, 400, 404, 200, 431]),
    also("too many headers", &[431, 400, 413, 200]),
    also("headers too long", &[431, 400, 413, 200]),
    // The status is a SHOULD or a "can" in each of these (9110 15.6.6, 9.1, 15.5.6; 3).
    also("HTTP/2.0", &[505, 400]),
    also("HTTP/0.9", &[400, 505]),
    also("garbage", &[400, 501, 505]),
    also("an unknown method", &[501, 405, 400, 404]),
    also("a method that the route does not take", &[405, 501, 404]),
    // "... MAY respond with a 417."
    also("another expectation (9110 10.1.1)", &[417, 200]),
    also("a path out of the root", &[400, 403, 404]),
    // That a refused request ends its connection is nowhere demanded of these.
    also("no Host (3.2)", &[400]),
    also("two Hosts (3.2)", &[400]),
    also("space before the colon (5.1)", &[400]),
];

/// Cases that say nothing about a server of another make. Whether there is a limit of a body is its own
/// choice, and one that has none asks for the body. It SHOULD ignore an empty line, and one that does not may
/// close. It MAY take a LF for the end of a line, and for one that does not the head has not ended yet.
const LEFT_OUT: [&str; 3] = [
    "a body over the limit that waits for a 100",
    "empty lines before the request (2.2)",
    "bare LF as line end (2.2)",
];

/// Allows what the RFCs leave open.
pub(super) fn relax(cases: &mut Vec<Case>) {
    cases.retain(|case| !LEFT_OUT.contains(&case.what));
    for case in cases {
        let Some(open) = OPEN.iter().find(|open| open.what == case.what) else { continue };
        case.statuses = open.statuses;
        case.request.extend_from_slice(open.rest.as_bytes());
        case.then = if open.closes { Then::Closed } else { Then::Open };
    }
}

#[cfg(test)]
mod tests {
    use super::super::cases;
    use super::*;

    /// Protects the exceptions: each names a case, and allows what a stage does.
    #[test]
    fn every_exception_is_of_a_case() {
        let all = cases();
        for open in OPEN {
            let case = all.iter().find(|case| case.what == open.what);
            let case = case.unwrap_or_else(|| panic!("there is no case `{}`", open.what));
            assert!(case.statuses.iter().all(|status| open.statuses.contains(status)), "{}", open.what);
        }
        assert!(LEFT_OUT.iter().all(|what| all.iter().any(|case| case.what == *what)));
    }

    /// Protects the stages' stricter rules: they are what is asked of a stage.
    #[test]
    fn a_server_of_another_make_may_choose() {
        let strict = cases();
        let mut relaxed = cases();
        relax(&mut relaxed);
        assert_eq!(relaxed.len() + LEFT_OUT.len(), strict.len());
        let find =
            |all: &[Case], what: &str| all.iter().find(|case| case.what == what).unwrap().statuses.to_vec();
        let expectation = "another expectation (9110 10.1.1)";
        assert_eq!((find(&strict, expectation), find(&relaxed, expectation)), (vec![417], vec![417, 200]));
    }
}
