//! `split-request`: every request of a small corpus, cut in two at every byte. **The parser below is an
//! exhibit without memory:** it takes each read for a whole request. Stage 04 keeps what it has in a state
//! machine.

use crate::client::Client;
use crate::experiment::{Experiment, Seconds};
use crate::report::{Figure, Figures, Judgement, Measured};
use crate::session::Session;
use anyhow::Result;

/// The experiment.
pub(super) const EXPERIMENT: Experiment = Experiment {
    id: "split-request",
    method: "Each request of a small corpus is cut in two at every byte; the second piece is sent when a \
             request on another connection, sent after the first piece, has been answered. Counted are the \
             cuts at which a parser without memory, and stage 04, answer otherwise than to the whole \
             request.",
    needs: &[],
    seconds: Seconds { quick: 1.0, full: 1.0 },
    run,
    judge,
};

const CORPUS: [&str; 6] = [
    "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "GET /bytes/9 HTTP/1.1\r\nHost: localhost\r\nUser-Agent: cut\r\nAccept: */*\r\n\r\n",
    "HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "GET /no-such-thing HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello",
    "POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
];

fn run(session: &mut Session) -> Result<Measured> {
    let cuts: usize = CORPUS.iter().map(|request| request.len() - 1).sum();
    let halves = CORPUS.iter().flat_map(|request| (1..request.len()).map(move |cut| request.split_at(cut)));
    // A piece that is no whole request is answered by itself, with a 400.
    let broken = halves.filter(|(front, back)| !is_whole(front) || !is_whole(back)).count();
    let server = session.start("04", &[], None)?;
    let mut wrong = 0;
    for (at, request) in CORPUS.into_iter().enumerate() {
        session.step(at as f64 / CORPUS.len() as f64, request.lines().next().unwrap_or_default())?;
        let mut clients =
            Clients { cut: Client::connect(server.addr)?, other: Client::connect(server.addr)? };
        let whole = clients.converse(&[request])?;
        for cut in 1..request.len() {
            let (front, back) = request.split_at(cut);
            wrong += usize::from(clients.converse(&[front, back])? != whole);
        }
        session.check()?;
    }
    server.stop()?;
    Ok(Figures(vec![
        Figure::exact("cuts", "cuts", cuts as f64),
        Figure::exact("a parser without memory: answered wrongly", "cuts", broken as f64),
        Figure::exact("stage 04: answered wrongly", "cuts", wrong as f64),
    ])
    .into())
}

/// The exhibit: whether a read is a whole request by itself.
fn is_whole(read: &str) -> bool {
    let Some((head, _)) = read.split_once("\r\n\r\n") else { return false };
    let line: Vec<&str> = head.lines().next().unwrap_or_default().split(' ').collect();
    matches!(line[..], ["GET" | "HEAD" | "POST", target, "HTTP/1.1"] if target.starts_with('/'))
}

/// The client whose requests are cut, and another one.
struct Clients {
    cut: Client,
    other: Client,
}

impl Clients {
    /// Status and body of the reply to these pieces.
    fn converse(&mut self, pieces: &[&str]) -> Result<(u16, Vec<u8>)> {
        for (at, piece) in pieces.iter().enumerate() {
            if at > 0 {
                // Stage 04 has one thread, which takes what is ready in the order in which it became so: when
                // this is answered, the first piece has been read.
                self.other.ask("/")?;
                self.other.reply()?;
            }
            self.cut.send(piece.as_bytes())?;
        }
        if pieces.concat().starts_with("HEAD") {
            return head_only(&mut self.cut);
        }
        let reply = self.cut.reply()?;
        Ok((reply.status, reply.body))
    }
}

/// A reply to HEAD has a length and no body.
fn head_only(client: &mut Client) -> Result<(u16, Vec<u8>)> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        std::io::Read::read_exact(&mut client.stream, &mut byte)?;
        head.push(byte[0]);
    }
    let status = std::str::from_utf8(&head)?.split(' ').nth(1).unwrap_or_default().parse()?;
    Ok((status, Vec::new()))
}

fn judge(figures: &Figures) -> Result<Judgement> {
    const LESSON: &str = "A read returns bytes, not messages: a parser must keep its state between reads.";
    let (cuts, stateless) =
        (figures.value("cuts")?, figures.value("a parser without memory: answered wrongly")?);
    let stage = figures.value("stage 04: answered wrongly")?;
    let because = format!(
        "without memory {stateless} of {cuts} cuts are answered wrongly, by stage 04's state machine {stage} \
         of {cuts}"
    );
    Ok(match (stateless > 0.0, stage > 0.0) {
        (true, false) => Judgement::holds(because, LESSON),
        (false, _) => Judgement::refuted(because, LESSON, "The source gives an argument and no measurement."),
        (true, true) => Judgement::inconclusive(format!("{because}: the state machine is broken"), LESSON),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Verdict;

    #[test]
    fn the_parser_without_memory_must_fail_and_the_state_machine_must_not() {
        let verdict = |stateless: f64, stage: f64| {
            let figures = Figures(vec![
                Figure::exact("cuts", "cuts", 9.0),
                Figure::exact("a parser without memory: answered wrongly", "cuts", stateless),
                Figure::exact("stage 04: answered wrongly", "cuts", stage),
            ]);
            judge(&figures).expect("all figures are there").verdict
        };
        assert_eq!(verdict(9.0, 0.0), Verdict::Holds);
        assert_eq!(verdict(0.0, 0.0), Verdict::Refuted);
        assert_eq!(verdict(9.0, 1.0), Verdict::Inconclusive);
    }

    /// Protects the exhibit from failing for a reason of its own.
    #[test]
    fn the_exhibit_takes_every_whole_request() {
        assert!(CORPUS.into_iter().all(is_whole));
        assert!(!is_whole("GET /index.html HTT"));
    }
}
