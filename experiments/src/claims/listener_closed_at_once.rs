//! `listener-closed-at-once`: connections that wait in the accept queue when a server is told to stop: with
//! an exhibit that closes its listener first, and with every stage.

use crate::client::LONG;
use crate::exhibit;
use crate::experiment::{Experiment, Seconds};
use crate::report::{Figure, Figures, Judgement, Measured};
use crate::session::Session;
use anyhow::Result;
use lab_core::server_process::Server;
use lab_core::wire::{Connection, Replies, get};
use nix::sys::signal::Signal;
use std::io::{ErrorKind, Write};
use std::net::TcpStream;
use std::thread::sleep;
use std::time::Duration;

/// The experiment.
pub(super) const EXPERIMENT: Experiment = Experiment {
    id: "listener-closed-at-once",
    method: "A server is stopped (SIGSTOP) while 20 clients connect and send their requests, which the \
             kernel accepts for it; then it gets a SIGTERM and goes on. Counted are the clients that get a \
             whole reply and those whose connection is reset, of an exhibit that closes its listener first \
             and of every stage.",
    needs: &[],
    seconds: Seconds { quick: 2.0, full: 2.0 },
    run,
    judge,
};

const CLIENTS: usize = 20;
const EXHIBIT: &str = "closes its listener at once (exhibit)";

/// What became of the clients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Outcome {
    answered: usize,
    reset: usize,
}

fn run(session: &mut Session) -> Result<Measured> {
    let mut figures = Figures(vec![Figure::exact("clients that wait", "clients", CLIENTS as f64)]);
    session.step(0.0, EXHIBIT)?;
    let outcome = stop_while_they_wait(exhibit::launch("listener", &[])?.start()?)?;
    push(&mut figures, EXHIBIT, outcome);
    let stages = session.stages()?;
    let (count, mut answering) = (stages.len(), 0);
    for (at, stage) in stages.into_iter().enumerate() {
        session.step((at + 1) as f64 / (count + 1) as f64, format_args!("stage {}", stage.name))?;
        let outcome = stop_while_they_wait(session.start(&stage.name, &[], None)?)?;
        answering += usize::from(outcome.answered == CLIENTS);
        push(&mut figures, &format!("stage {}", stage.name), outcome);
    }
    figures.push(Figure::exact("stages", "stages", count as f64));
    figures.push(Figure::exact("stages that answer all", "stages", answering as f64));
    Ok(figures.into())
}

fn push(figures: &mut Figures, server: &str, outcome: Outcome) {
    let of = format!("of {CLIENTS}");
    figures.push(Figure::exact(format!("{server}: answered"), &of, outcome.answered as f64));
    figures.push(Figure::exact(format!("{server}: reset"), &of, outcome.reset as f64));
}

fn stop_while_they_wait(server: Server) -> Result<Outcome> {
    // A connection that was served: the server waits in its loop.
    exchange(&mut connect(&server)?)?;
    server.signal_group(Signal::SIGSTOP);
    // The signal is on its way: one that still runs would serve the first ones.
    sleep(Duration::from_millis(50));
    let mut clients = (0..CLIENTS).map(|_| connect(&server)).collect::<Result<Vec<_>>>()?;
    server.signal(Signal::SIGTERM);
    server.signal_group(Signal::SIGCONT);
    let mut outcome = Outcome::default();
    for client in &mut clients {
        match exchange(client) {
            Ok(()) => outcome.answered += 1,
            // The socket tells it once.
            Err(error) => outcome.reset += usize::from(is_reset(&error)),
        }
    }
    server.stop()?;
    Ok(outcome)
}

/// A client that has sent its request.
fn connect(server: &Server) -> Result<TcpStream> {
    let mut stream = TcpStream::connect_timeout(&server.addr, LONG)?;
    stream.write_all(&get("/", "localhost", Connection::Closed))?;
    Ok(stream)
}

fn is_reset(error: &anyhow::Error) -> bool {
    let io = error.downcast_ref::<std::io::Error>();
    io.is_some_and(|error| error.kind() == ErrorKind::ConnectionReset)
}

fn exchange(stream: &mut TcpStream) -> Result<()> {
    Replies::default().next(stream, LONG).map(drop)
}

fn judge(figures: &Figures) -> Result<Judgement> {
    const LESSON: &str = "The kernel accepts before the server does: a client in the accept queue is \
                          connected and has perhaps sent its request, so accept what waits before you close \
                          the listener.";
    const SOURCE: &str = "The claim is the lab's own: closing a listening socket resets the connections that \
                          it has not handed out (Linux, inet_csk_listen_stop).";
    let all = figures.value("clients that wait")?;
    let (reset, answered) =
        (figures.value(&format!("{EXHIBIT}: reset"))?, figures.value(&format!("{EXHIBIT}: answered"))?);
    let (stages, good) = (figures.value("stages")?, figures.value("stages that answer all")?);
    let because = format!(
        "of {all} clients that wait the exhibit resets {reset} and answers {answered}; {good} of {stages} \
         stages, which accept what waits before they close, answer all"
    );
    Ok(match () {
        () if reset == all && good == stages => Judgement::holds(because, LESSON),
        () if answered == all => Judgement::refuted(because, LESSON, SOURCE),
        () if reset == all => {
            Judgement::depends(format!("on how a server drains its queue: {because}"), LESSON, SOURCE)
        }
        () => Judgement::inconclusive(because, LESSON),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Verdict;

    #[test]
    fn the_exhibit_must_reset_and_the_stages_must_answer() {
        let verdict = |reset: f64, answered: f64, good: f64| {
            let figures = Figures(vec![
                Figure::exact("clients that wait", "clients", 20.0),
                Figure::exact(format!("{EXHIBIT}: reset"), "", reset),
                Figure::exact(format!("{EXHIBIT}: answered"), "", answered),
                Figure::exact("stages", "stages", 11.0),
                Figure::exact("stages that answer all", "stages", good),
            ]);
            judge(&figures).expect("all figures are there").verdict
        };
        assert_eq!(verdict(20.0, 0.0, 11.0), Verdict::Holds);
        assert_eq!(verdict(0.0, 20.0, 11.0), Verdict::Refuted);
        assert_eq!(verdict(20.0, 0.0, 9.0), Verdict::Depends);
        assert_eq!(verdict(12.0, 0.0, 11.0), Verdict::Inconclusive);
    }
}
