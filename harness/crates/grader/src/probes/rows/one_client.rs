//! One client, with requests of every shape.

use crate::probes::probe::{PLAIN, PROCESS, Probe};
use crate::probes::routes::Route::{Bytes, Echo, Sleep};
use crate::probes::{
    Setup, closing, files, framing, half_close, http, malformed, requests, served, short_writes,
};

pub(super) const PROBES: &[Probe] = &[
    Probe::new(
        "echo-duplex",
        "Echoes 1 MiB that is sent while the reply is being read.",
        "Neither direction may wait for the other: after a short write keep the rest, and read on meanwhile.",
        framing::echo_duplex,
    )
    .with(Setup { options: &["--protocol", "echo"], ..PLAIN }),
    Probe::new(
        "keep-alive",
        "Answers several requests on one connection.",
        "HTTP/1.1 keeps the connection open unless a side says `Connection: close`.",
        framing::keep_alive,
    )
    .asks(&[Bytes]),
    Probe::new(
        "pipelined-pair",
        "Answers two requests that arrive in one segment.",
        "What was read behind the first request must be kept and parsed.",
        |subject| framing::pipelined(subject, 2),
    )
    .asks(&[Bytes])
    .keeps_open(),
    Probe::new(
        "pipelined-100",
        "Answers 100 requests that were sent at once, in order.",
        "Parse until the buffer holds no whole request, and keep the unfinished one.",
        |subject| framing::pipelined(subject, 100),
    )
    .asks(&[Bytes])
    .keeps_open(),
    Probe::new(
        "pipelined-mixture",
        "Answers small, large and slow requests that were sent at once, each in its place.",
        "A turn that ends early must keep the output that the protocol has already produced.",
        framing::pipelined_mixture,
    )
    .asks(&[Bytes, Sleep])
    .keeps_open(),
    Probe::new(
        "cut-at-every-byte",
        "Answers a request that is cut in two at every byte, or dribbles in byte by byte.",
        "A read returns any number of bytes: the parser must resume where they ended.",
        framing::cut_at_every_byte,
    )
    .asks(&[Echo]),
    Probe::new(
        "second-in-part",
        "Answers a second request that arrives in part with the first one, and whole later.",
        "What is left behind the first request is the beginning of the next one: keep it, and read on behind it.",
        requests::second_in_part,
    )
    .asks(&[Bytes, Echo])
    .keeps_open(),
    Probe::new(
        "cut-at-buffer-end",
        "Answers pipelined requests that are cut by the end of a read buffer of 1 to 64 KiB.",
        "A full buffer ends anywhere: move the unfinished request to its beginning, or make room, and read on.",
        requests::cut_at_buffer_end,
    )
    .asks(&[Bytes, Sleep, Echo])
    .keeps_open(),
    Probe::new(
        "in-order",
        "Answers a request that comes during the handling of an earlier one after that one.",
        "One connection must not be handled by two threads at once.",
        framing::in_order,
    )
    .asks(&[Bytes, Sleep])
    .keeps_open(),
    Probe::new(
        "reply-before-slow",
        "Sends a reply before it handles the slow request behind it.",
        "What is answered leaves first: write before a handler that may take long is called.",
        http::reply_before_slow,
    )
    .asks(&[Bytes, Sleep])
    .keeps_open(),
    Probe::new(
        "burst-behind-sleep",
        "Answers 256 KiB of requests that arrive while it sleeps, without another byte from the client.",
        "The event for what arrives meanwhile comes once: read until the socket would block, or remember that you did not.",
        framing::burst_behind_sleep,
    )
    .asks(&[Sleep, Echo])
    .keeps_open(),
    Probe::new(
        "half-close",
        "Sends the whole reply to a client that has closed its sending side.",
        "End of input is not the end of the connection: send what waits, then close.",
        framing::half_close,
    )
    .asks(&[Bytes]),
    Probe::new(
        "half-close-pipelined",
        "Answers 50 pipelined requests whose client has closed its sending side behind them.",
        "A read of 0 says that no more requests come; those that were read are answered before the close.",
        half_close::half_close_pipelined,
    )
    .asks(&[Bytes])
    .keeps_open(),
    Probe::new(
        "half-close-large",
        "Sends a reply of 8 MiB, and the next one, to a client that has closed its sending side.",
        "EPOLLRDHUP, like a read of 0, ends the requests and not the replies: close when the last byte has left.",
        half_close::half_close_large,
    )
    .asks(&[Bytes]),
    Probe::new(
        "half-close-slow-reader",
        "Sends what waits when its slow client closes the sending side in the middle of a reply.",
        "The end of input arrives while the server waits for room to write: note it, and go on writing.",
        half_close::half_close_slow_reader,
    )
    .asks(&[Bytes]),
    Probe::new(
        "slow-reader",
        "Sends 16 MiB to a client that reads slowly.",
        "After a short write, keep the rest and wait until the socket is writable.",
        framing::slow_reader,
    )
    .asks(&[Bytes]),
    Probe::new(
        "short-write-body",
        "Sends bodies of 1 KiB to 4 MiB whole to a client that takes a little at a time.",
        "send(2) returns how many bytes it took: keep the rest, and send it from there.",
        short_writes::short_write_body,
    )
    .asks(&[Bytes]),
    Probe::new(
        "short-write-replies",
        "Sends 12,000 small replies whole to a client that takes a little at a time.",
        "A buffer of many replies is sent in part too: keep what is behind the count that send(2) returned.",
        short_writes::short_write_replies,
    )
    .asks(&[Bytes])
    .keeps_open(),
    Probe::new(
        "short-write-file",
        "Sends a file of 4 MiB whole to a client that takes a little at a time.",
        "sendfile(2) returns how many bytes it took as well: keep where the file goes on.",
        files::short_write_file,
    )
    .with(Setup { by_hand: true, ..PROCESS })
    .asks(&[Bytes])
    .keeps_open()
    .of_http(),
    Probe::new(
        "file-range",
        "Sends exactly the bytes of a range of a file, and says which they are.",
        "Both positions of a range are included; the last one is cut to the file (RFC 9110 14.1.2).",
        served::file_range,
    )
    .with(Setup { by_hand: true, ..PROCESS })
    .keeps_open()
    .of_http_1_1(),
    Probe::new(
        "file-conditions",
        "Answers conditional requests by the version of the file: 304, 412, or the file.",
        "If-Range of another version means the whole file: a range of it would not fit the rest (RFC 9110 13).",
        served::file_conditions,
    )
    .with(Setup { by_hand: true, ..PROCESS })
    .keeps_open()
    .of_http_1_1(),
    Probe::new(
        "file-outside-root",
        "Sends no file from outside its root, whatever the path and wherever a link points.",
        "Let the kernel resolve it: openat2 with RESOLVE_BENEATH; a look at the text sees no symbolic link.",
        served::file_outside_root,
    )
    .with(Setup { by_hand: true, ..PROCESS })
    .of_http(),
    Probe::new(
        "file-not-regular",
        "Answers 404 for a FIFO in its root, and serves others meanwhile.",
        "Open with O_NONBLOCK, and look at what was opened: fstat and S_ISREG.",
        served::file_not_regular,
    )
    .with(Setup { by_hand: true, ..PROCESS })
    .of_http(),
    Probe::new(
        "write-would-block",
        "Goes on with a reply after its client has read nothing for a while, eight times.",
        "EAGAIN on a write is no error: keep the rest, and wait until the socket is writable.",
        short_writes::write_would_block,
    )
    .asks(&[Bytes]),
    Probe::new(
        "rearm-after-write",
        "Answers the next request after a reply that had to wait for room.",
        "When the last byte has left, wait for input again: change the interest back, or arm ONESHOT anew.",
        short_writes::rearm_after_write,
    )
    .asks(&[Bytes])
    .keeps_open(),
    Probe::new(
        "read-while-writing",
        "Answers requests that arrived while it waited for room, without another byte from the client.",
        "Their event came while nothing was read: read when the reply has left, or ask epoll anew.",
        short_writes::read_while_writing,
    )
    .asks(&[Bytes, Echo])
    .keeps_open(),
    Probe::new(
        "fair-turn",
        "Sends 64 MiB, and 4,000 small replies, to a client that reads as fast as it writes.",
        "A turn that ends early for fairness gets no event: queue the connection, or ask epoll anew.",
        short_writes::fair_turn,
    )
    .asks(&[Bytes])
    .keeps_open()
    .of_http(),
    Probe::new(
        "late-bytes",
        "Sends the whole of its last reply, 16 MiB, to a client that sends on.",
        "close(2) with unread bytes resets, and destroys what is not sent yet: shut the sending side, and read on.",
        framing::late_bytes,
    )
    .asks(&[Bytes])
    .of_http(),
    Probe::new(
        "body-413",
        "Refuses a body over the limit so that the client sees the 413 and not a reset.",
        "Closing with unread input resets the connection: shut the sending side, read on for a while, close.",
        framing::body_413,
    )
    .asks(&[Echo])
    .of_http(),
    Probe::new(
        "lingering-close-ends",
        "Closes a refused connection soon, though its client goes on sending.",
        "What comes after a refusal is dropped for a few seconds: then close, however much still comes.",
        closing::lingering_close_ends,
    )
    .asks(&[Sleep])
    .of_http(),
    Probe::new(
        "head-without-body",
        "Answers HEAD with a head alone.",
        "The head says the length that GET would have; no body follows (RFC 9110 9.3.2).",
        http::head_without_body,
    )
    .asks(&[Bytes])
    .keeps_open()
    .of_http_1_1(),
    Probe::new(
        "http-10-closes",
        "Closes after a reply to HTTP/1.0.",
        "Without keep-alive its client reads to the end of the connection (RFC 9112 9.3).",
        http::http_10_closes,
    )
    .of_http(),
    Probe::new(
        "expect-100",
        "Sends 100 to a client that waits for it, and then takes the body.",
        "Expect: 100-continue is answered when the head is complete, before the body (RFC 9110 10.1.1).",
        http::expect_100,
    )
    .asks(&[Echo])
    .of_http_1_1(),
    Probe::new(
        "chunked-body",
        "Puts a body together whose chunks are cut anywhere.",
        "A size line, the CRLF behind a chunk and the last chunk may each be cut: keep where you are.",
        http::chunked_body,
    )
    .asks(&[Sleep, Echo])
    .of_http_1_1(),
    Probe::new(
        "malformed",
        "Answers malformed requests, and odd ones that are not, by the rules of RFC 9112.",
        "The detail names the rule.",
        malformed::malformed,
    )
    .of_http_1_1(),
];
