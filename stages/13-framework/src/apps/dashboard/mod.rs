//! The dashboard: a page that shows, live, what the server behind it does. Everything else that is asked of
//! it is answered as `httpd` answers, so that it can be loaded while one watches.
//!
//! ```text
//!   client -- GET / for a browser, GET /events, POST /actions/NAME --> Routes -- anything else --> kit's HTTP
//!                                    |                   |
//!                                    v                   v
//!   sampler (a thread) -- each --> Page: one       Actions: sleep, options,
//!   every interval                 event stream    load (a thread)
//! ```
//!
//! The sampler is a thread of its own: a task of a loop could not say that its loop is starved.

mod actions;
mod authority;
mod front;
mod load;
mod page;
mod request;
mod routes;
mod sampler;

use super::Options;
use actions::Switches;
use framework::{Application, Protocol, Server, Settings};
use front::Front;
use kit::options::ProtocolKind;
use kit::start::{Sessions, listen};
use load::Load;
use nix::sys::socket::SockFlag;
use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// What all connections, the sampler and the load share.
struct Shared {
    sessions: Sessions,
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
    if options.common.protocol == Some(ProtocolKind::Echo) {
        // A page comes over HTTP: then there is none.
        return super::httpd::run(options);
    }
    let (listener, sessions) = listen(&options.common, SockFlag::SOCK_NONBLOCK, ProtocolKind::Http)?;
    let server = Server::with_listener(listener, Settings { measure: true, ..options.settings() })?;
    let shared = Shared {
        switches: Switches::new(options.common.idle_timeout, options.dashboard_interval),
        sessions,
        page: page::document(),
        load: Load::new(options.dashboard_load),
        server: OnceLock::new(),
    };
    server.run(Dashboard { shared: Arc::new(shared) })
}

/// How often the figures are sent, at least and at most.
pub(super) const INTERVALS: std::ops::RangeInclusive<Duration> =
    Duration::from_millis(10)..=Duration::from_secs(10);

/// The application.
struct Dashboard {
    shared: Arc<Shared>,
}

impl Application for Dashboard {
    fn protocol(&self, _: &Server) -> Box<dyn Protocol> {
        Box::new(Front::new(Arc::clone(&self.shared)))
    }

    fn on_init(&self, server: &Server) {
        let _ = self.shared.server.set(server.clone());
        sampler::start(Arc::clone(&self.shared), server.clone());
    }

    fn on_finish(&self, _: &Server) {
        self.shared.load.stop();
    }
}
