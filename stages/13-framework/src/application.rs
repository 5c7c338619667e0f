//! What a server runs: the protocol of a new connection, and the server's own callbacks.

use crate::handle::Server;
use crate::protocol::Protocol;

/// An application. A closure that makes protocols is one:
/// `server.run(|_: &Server| Box::new(Echo) as Box<dyn Protocol>)`.
pub trait Application: Send + Sync + 'static {
    /// The protocol of a connection that has just been accepted.
    fn protocol(&self, server: &Server) -> Box<dyn Protocol>;

    /// Called once in every process, before its loops start.
    fn on_init(&self, _server: &Server) {}

    /// Called once in every process, when its loops have ended or their time is over.
    fn on_finish(&self, _server: &Server) {}

    /// Called on the thread of a loop, before it waits for the first time.
    fn on_init_thread(&self, _server: &Server) {}

    /// Called on the thread of a loop, each time it has woken up and served what was ready.
    fn on_tick(&self, _server: &Server) {}

    /// Called on the thread of a loop that has woken up although nothing was ready: for a timer.
    fn on_idle(&self, _server: &Server) {}
}

impl<F: Fn(&Server) -> Box<dyn Protocol> + Send + Sync + 'static> Application for F {
    fn protocol(&self, server: &Server) -> Box<dyn Protocol> {
        self(server)
    }
}
