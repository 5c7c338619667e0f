//! The same conversation on fibers: what has `.await` in [`crate::server`] is a call here.

use crate::blocking::BlockingPool;
use crate::fiber::{Fiber, Waits};
use crate::options::Options;
use crate::shard::{self, Shard};
use crate::socket::{Buffer, Socket};
use kit::session::{Next, Session};
use nix::errno::Errno;
use std::io;
use std::rc::Rc;
use std::sync::Arc;

/// Serves from one executor per shard until the server must stop. Errors: why it cannot listen or accept.
pub fn run(options: Options) -> io::Result<()> {
    shard::run(options, accept)
}

/// Accepts, and lets a fiber serve each connection.
async fn accept(mut shard: Shard) -> io::Result<()> {
    while let Some((socket, session)) = shard.accept().await? {
        let (buffer, pool) = (Rc::clone(&shard.buffer), Arc::clone(&shard.pool));
        // An error concerns this connection only. Without memory for a stack it is dropped, which closes it.
        let body = move |fiber: &Waits<'_>| _ = serve(fiber, socket, session, &buffer, &pool);
        if let Ok(fiber) = Fiber::new(body) {
            shard.spawn(fiber);
        }
    }
    Ok(())
}

/// Serves one connection until either side ends it; every call may wait. Errors: why it was lost.
pub fn serve(
    fiber: &Waits<'_>,
    mut socket: Socket,
    mut session: Session,
    buffer: &Buffer,
    pool: &BlockingPool,
) -> nix::Result<()> {
    loop {
        socket.update_timeout(&session);
        let next = session.next(&socket.now());
        match next {
            Next::Read => match fiber.wait(socket.read(buffer)) {
                Ok(0) => session.ended(),
                Ok(count) => session.received(&buffer.borrow()[..count], &socket.now()),
                // The deadline has passed, or the server stops.
                Err(Errno::EAGAIN | Errno::EINTR) => _ = socket.would_block(&mut session),
                Err(error) => return Err(error),
            },
            Next::Write(output) => match fiber.wait(socket.write(output)) {
                Ok(count) => session.sent(count, &socket.now()),
                Err(Errno::EAGAIN | Errno::EINTR) => _ = session.would_block(&socket.now()),
                Err(error) => return Err(error),
            },
            Next::Work(work) => {
                let answer = fiber.wait(socket.unless_lost(pool.run(work)))?;
                session.finished(answer, &socket.now());
            }
            Next::ShutdownWrite => socket.shutdown_write(),
            Next::Close => return Ok(()),
        }
    }
}
