//! A server of one's own in 40 lines, on kit's session: it answers each line with the time.
//!
//! `cargo run -p kit --example date`, then `nc 127.0.0.1 8013`.

use kit::clock::{Clock, LoopContext};
use kit::protocol::work::{Answer, Work};
use kit::protocol::{Phase, Protocol};
use kit::session::{Next, Session, Timeouts};
use kit::write_buffer::WriteBuffer;
use std::io::{Read, Result};
use std::net::{Shutdown, TcpListener};

/// Each line that arrives is answered with the time.
struct Date;

impl Protocol for Date {
    fn receive(
        &mut self,
        input: &[u8],
        out: &mut WriteBuffer,
        now: &LoopContext,
    ) -> (usize, Option<Box<Work>>) {
        let lines = input.iter().filter(|&&byte| byte == b'\n').count();
        (0..lines).for_each(|_| out.extend(&[&now.date[..], b"\n"].concat()));
        (input.len(), None)
    }
    fn finish(&mut self, _: Answer, _: &mut WriteBuffer, _: &LoopContext) {}
    fn expire(&mut self, _: &mut WriteBuffer, _: &LoopContext) {}
    fn phase(&self) -> Phase {
        Phase::Idle
    }
    fn must_linger(&self) -> bool {
        false
    }
}

fn main() -> Result<()> {
    let (listener, mut clock, mut buffer) = (TcpListener::bind("127.0.0.1:8013")?, Clock::new(), [0; 4096]);
    for socket in listener.incoming() {
        let mut socket = socket?;
        let timeouts = Timeouts { idle_ms: 60_000, header_ms: 10_000 };
        let mut session = Session::new(Box::new(Date), timeouts, clock.read());
        loop {
            match session.next(clock.read()) {
                Next::Read => match socket.read(&mut buffer)? {
                    0 => session.ended(),
                    count => session.received(&buffer[..count], clock.read()),
                },
                Next::Write(output) => {
                    let count = output.write_to(&socket)?;
                    session.sent(count, clock.read());
                }
                Next::Work(work) => session.finished(work.run(), clock.read()),
                Next::ShutdownWrite => socket.shutdown(Shutdown::Write)?,
                Next::Close => break,
            }
        }
    }
    Ok(())
}
