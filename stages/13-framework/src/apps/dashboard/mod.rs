//! The dashboard: a page that shows, live, what the server behind it does. Everything else that is asked of
//! it is answered as `httpd` answers, so that it can be loaded while one watches.
//!
//! ```text
//!   client --> Front (kit's HTTP) -- GET / for a browser, GET /events, POST /actions/NAME --> routes
//!                                    |                   |
//!                                    v                   v
//!   sampler (a thread) -- each --> Page: one       Actions: sleep, options,
//!   every interval                 event stream    load (a thread)
//! ```
//!
//! The sampler is a thread of its own: a task of a loop could not say that its loop is starved.

mod actions;
mod load;
mod page;
mod routes;
mod sampler;

use super::Options;
use super::front::Front;
use actions::Switches;
use framework::{Application, Protocol, Server, Settings};
use kit::options::ProtocolKind;
use kit::start::{Sessions, listen};
use load::Load;
use nix::sys::socket::SockFlag;
use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// What all connections, the sampler and the load share.
struct Shared {
    /// The whole page: one document.
    page: String,
    switches: Switches,
    load: Load,
    /// Known once the server runs.
    server: OnceLock<Server>,
}

/// Serves until the server must stop.
///
/// # Errors
/// Why it cannot listen, accept or wait; `InvalidInput` for several processes.
pub(crate) fn run(options: &Options) -> io::Result<()> {
    if options.processes > 1 {
        let text = "the dashboard takes --processes 1: a page shows the process that serves it";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    let (listener, sessions) = listen(&options.common, SockFlag::SOCK_NONBLOCK, ProtocolKind::Http)?;
    let server = Server::with_listener(listener, Settings { measure: true, ..options.settings() })?;
    let interval = options.dashboard_interval.unwrap_or(INTERVAL);
    let switches = Switches::new(options.common.idle_timeout, interval);
    let shared = Arc::new(Shared::new(switches, Load::new(options.dashboard_load)));
    server.run(Dashboard { shared, sessions })
}

impl Shared {
    fn new(switches: Switches, load: Load) -> Self {
        Self { page: page::document(), switches, load, server: OnceLock::new() }
    }
}

/// How often the figures are sent, unless an option says it.
const INTERVAL: Duration = Duration::from_millis(500);

/// How often the figures are sent, at least and at most.
pub(super) const INTERVALS: std::ops::RangeInclusive<Duration> =
    Duration::from_millis(10)..=Duration::from_secs(10);

/// The application.
struct Dashboard {
    shared: Arc<Shared>,
    sessions: Sessions,
}

impl Application for Dashboard {
    fn protocol(&self, _: &Server) -> Box<dyn Protocol> {
        Box::new(Front::new(Arc::clone(&self.shared), self.sessions.clone()))
    }

    fn on_init(&self, server: &Server) {
        let _ = self.shared.server.set(server.clone());
        sampler::start(Arc::clone(&self.shared), server.clone());
    }

    fn on_finish(&self, _: &Server) {
        self.shared.load.stop();
    }
}
