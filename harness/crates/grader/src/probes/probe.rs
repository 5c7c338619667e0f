//! What a probe is: one behaviour, what it needs, and how it is looked for.

use super::routes::Route;
use super::subject::{Setup, Subject};
use super::verdict::Verdict;

/// The protocol of the servers that a probe says something about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Http {
    /// Any: what is sent back as it was received will do.
    Any,
    /// HTTP of either version.
    Either,
    /// What HTTP/1.0 does not have.
    V1_1,
}

/// One behaviour, and how it is looked for.
#[derive(Clone, Copy)]
pub struct Probe {
    /// What a user types, and what a stage declares.
    pub name: &'static str,
    /// What a server that passes does.
    pub sentence: &'static str,
    /// Where to look when it fails.
    pub hint: &'static str,
    /// The server that it needs.
    pub setup: Setup,
    /// It would disturb its neighbours, so it runs by itself.
    pub alone: bool,
    /// It is left out unless it is asked for.
    pub only_on_request: bool,
    /// The routes, besides `GET /`, without which it cannot be run.
    pub(crate) routes: &'static [Route],
    /// It asks more than once on a connection, or wants it to stay open, so that it says nothing about a
    /// server that closes after each reply. `keep-alive` says that one does so.
    pub(crate) needs_open_connection: bool,
    /// The protocol that it is about.
    pub(crate) needs: Http,
    pub(super) run: fn(&mut Subject<'_>) -> Verdict,
    /// The name of its group, which the table of its group puts in.
    pub(super) group: &'static str,
}

/// A server without special options.
pub(super) const PLAIN: Setup =
    Setup { options: &[], few_descriptors: false, one_cpu: false, process: false, by_hand: false };

/// A server that is signalled or looked at.
pub(super) const PROCESS: Setup = Setup { process: true, ..PLAIN };

impl Probe {
    pub(super) const fn new(
        name: &'static str,
        sentence: &'static str,
        hint: &'static str,
        run: fn(&mut Subject<'_>) -> Verdict,
    ) -> Self {
        Self {
            name,
            sentence,
            hint,
            setup: PLAIN,
            alone: false,
            only_on_request: false,
            routes: &[],
            needs_open_connection: false,
            needs: Http::Any,
            run,
            group: "",
        }
    }

    pub(super) const fn with(self, setup: Setup) -> Self {
        Self { setup, ..self }
    }

    pub(super) const fn alone(self) -> Self {
        Self { alone: true, ..self }
    }

    pub(super) const fn on_request(self) -> Self {
        Self { only_on_request: true, ..self }
    }

    /// It asks for these routes.
    pub(super) const fn asks(self, routes: &'static [Route]) -> Self {
        Self { routes, ..self }
    }

    /// It says nothing about a server that closes after each reply.
    pub(super) const fn keeps_open(self) -> Self {
        Self { needs_open_connection: true, ..self }
    }

    /// It says nothing about a server that sends back what it receives.
    pub(super) const fn of_http(self) -> Self {
        Self { needs: Http::Either, ..self }
    }

    /// It is about what HTTP/1.0 does not have.
    pub(super) const fn of_http_1_1(self) -> Self {
        Self { needs: Http::V1_1, ..self }
    }

    /// The group that it belongs to.
    pub fn group(&self) -> &'static str {
        self.group
    }
}

impl std::fmt::Debug for Probe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}
