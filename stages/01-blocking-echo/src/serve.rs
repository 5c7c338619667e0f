//! One connection, served to its end by a thread that blocks: also what stages 02 and 03 run.

use kit::clock::{Clock, Now};
use kit::flush::{Flushed, has_unread, unacknowledged};
use kit::protocol::Step;
use kit::session::Session;
use kit::shutdown::Sleeper;
use nix::errno::Errno;
use nix::sys::socket::{Shutdown, setsockopt, shutdown, sockopt};
use nix::sys::time::{TimeVal, TimeValLike};
use nix::unistd::read;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::thread::sleep;
use std::time::Duration;

/// How much is read at once.
pub const BUFFER: usize = 64 * 1024;

/// While draining, how often to look whether more of a body has come.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// Serves one connection until either side closes it. `buffer` is what is read into.
///
/// # Errors
/// What read(2) and send(2) say when the peer is lost: it concerns this connection only.
pub fn serve(socket: OwnedFd, mut session: Session, buffer: &mut [u8]) -> nix::Result<()> {
    let _sleeper = Sleeper::new(socket.as_fd());
    let mut clock = Clock::new();
    let mut patience = Patience::new(socket.as_fd(), &session, clock.last())?;
    let mut step = Step::Read;
    loop {
        if let Step::Work(work) = step {
            let answer = work.run();
            step = session.finish(answer, clock.read());
            continue;
        }
        send(socket.as_fd(), &mut session, &mut clock, &patience)?;
        step = match step {
            Step::Read => receive(socket.as_fd(), &mut session, &mut clock, &mut patience, buffer)?,
            Step::Close if session.linger(clock.last(), || has_unread(socket.as_fd())) => {
                shutdown(socket.as_raw_fd(), Shutdown::Write)?;
                Step::Read
            }
            Step::Close => return Ok(()),
            _ => session.feed(&[], clock.last()),
        };
    }
}

/// Blocks until bytes arrive, the peer has finished, or its time is over.
fn receive(
    socket: BorrowedFd<'_>,
    session: &mut Session,
    clock: &mut Clock,
    patience: &mut Patience,
    buffer: &mut [u8],
) -> nix::Result<Step> {
    loop {
        patience.set(socket, session, clock.last())?;
        let received = read(socket, buffer);
        let now = clock.read();
        match received {
            // The signal handler has shut our receiving side, which also reads as the end. But the rest
            // of a body still arrives (Linux goes on queueing it), and the request is in flight.
            Ok(0) if now.draining && session.awaits_body() => sleep(LOOK_AGAIN),
            Ok(0) => return Ok(session.end(now)),
            Ok(count) => match session.feed(&buffer[..count], now) {
                // Bytes that bring nothing to its end win no time.
                Step::Read if session.is_late(now) => return Ok(session.expire(now)),
                step => return Ok(step),
            },
            Err(Errno::EAGAIN) if session.is_late(now) => return Ok(session.expire(now)),
            Err(Errno::EAGAIN | Errno::EINTR) => {}
            Err(error) => return Err(error),
        }
    }
}

/// Blocks until everything is sent.
fn send(
    socket: BorrowedFd<'_>,
    session: &mut Session,
    clock: &mut Clock,
    patience: &Patience,
) -> nix::Result<()> {
    // What the kernel held when a send last ran into its timeout.
    let mut held = None;
    while session.has_output() {
        let (before, waiting) = (clock.last().ms, session.waiting());
        let flushed = session.flush(socket, clock.last())?;
        session.touch(clock.read());
        if flushed == Flushed::Blocked {
            return Err(Errno::ETIMEDOUT);
        }
        if clock.last().ms - before >= patience.send_ms {
            // A send that ran into its timeout gives what it could copy, and that restarts the timeout. Whether the
            // peer takes anything the kernel knows: what it holds grows by exactly what we gave, if not.
            let holds = u64::from(unacknowledged(socket));
            let given = waiting - session.waiting();
            if held.is_some_and(|held: u64| holds >= held + given) {
                return Err(Errno::ETIMEDOUT);
            }
            held = Some(holds);
        }
    }
    Ok(())
}

/// What SO_RCVTIMEO is set to, so that it is set again only when the remaining time differs: a
/// request that arrives whole costs no call.
struct Patience {
    ms: u64,
    /// What SO_SNDTIMEO is: half the time that a peer may take nothing, since it takes two such timeouts to tell
    /// that it does not read.
    send_ms: u64,
}

impl Patience {
    fn new(socket: BorrowedFd<'_>, session: &Session, now: &Now) -> nix::Result<Self> {
        let mut patience = Self { ms: 0, send_ms: 0 };
        patience.set(socket, session, now)?;
        patience.send_ms = (patience.ms / 2).max(1);
        setsockopt(&socket, sockopt::SendTimeout, &TimeVal::milliseconds(patience.send_ms as i64))?;
        Ok(patience)
    }

    fn set(&mut self, socket: BorrowedFd<'_>, session: &Session, now: &Now) -> nix::Result<()> {
        let Some(deadline) = session.deadline() else { return Ok(()) };
        // Zero would mean "for ever" (socket(7)).
        let left = deadline.saturating_sub(now.ms).max(1);
        if left != self.ms {
            setsockopt(&socket, sockopt::ReceiveTimeout, &TimeVal::milliseconds(left as i64))?;
            self.ms = left;
        }
        Ok(())
    }
}
