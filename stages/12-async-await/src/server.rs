//! The loop of stage 01 once more, with `.await` where it blocked.

use crate::blocking::BlockingPool;
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

/// Accepts, and lets a task serve each connection.
async fn accept(mut shard: Shard) -> io::Result<()> {
    while let Some((socket, session)) = shard.accept().await? {
        // An error concerns this connection only.
        shard.spawn(serve(socket, session, Rc::clone(&shard.buffer), Arc::clone(&shard.pool)));
    }
    Ok(())
}

/// Serves one connection until either side ends it; every `.await` may wait. Errors: why it was lost.
pub async fn serve(
    mut socket: Socket,
    mut session: Session,
    buffer: Rc<Buffer>,
    pool: Arc<BlockingPool>,
) -> nix::Result<()> {
    // ANCHOR: conversation
    loop {
        socket.update_timeout(&session);
        let next = session.next(&socket.now());
        match next {
            Next::Read => match socket.read(&buffer).await {
                Ok(0) => session.ended(),
                Ok(count) => session.received(&buffer.borrow()[..count], &socket.now()),
                // The deadline has passed, or the server stops.
                Err(Errno::EAGAIN | Errno::EINTR) => _ = socket.would_block(&mut session),
                Err(error) => return Err(error),
            },
            Next::Write(output) => match socket.write(output).await {
                Ok(count) => session.sent(count, &socket.now()),
                Err(Errno::EAGAIN | Errno::EINTR) => _ = session.would_block(&socket.now()),
                Err(error) => return Err(error),
            },
            Next::Work(work) => {
                let answer = socket.unless_lost(pool.run(work)).await?;
                session.finished(answer, &socket.now());
            }
            Next::ShutdownWrite => socket.shutdown_write(),
            Next::Close => return Ok(()),
        }
    }
    // ANCHOR_END: conversation
}
