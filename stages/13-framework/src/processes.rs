//! Several processes with several loops each: stage 09's parent, which replaces those that die, and a
//! listening socket for each child (SO_REUSEPORT), to which the kernel deals.

use crate::application::Application;
use crate::handle::Server;
use crate::server::Reactor;
use kit::error::failed;
use kit::listener::Acceptor;
use kit::start::announce_address;
use nix::libc;
use nix::sys::socket::SockFlag;
use prefork::children::{NewChild, Role};
use prefork::parent::Parent;
use prefork::reuseport::bind_reuseport_group;
use prefork::scoreboard::Scoreboard;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::Ordering::{Acquire, Relaxed};

/// What a process that serves has of its parent.
pub(crate) struct Child {
    new: NewChild,
    scoreboard: Scoreboard,
}

/// Serves in as many processes as the settings ask for, until the server is stopped. Returns in the parent
/// alone.
///
/// # Errors
/// Why it cannot listen, fork or wait.
pub(crate) fn run(listener: OwnedFd, server: &Server, application: Arc<dyn Application>) -> io::Result<()> {
    let settings = server.settings();
    let scoreboard = Scoreboard::new(settings.processes).map_err(failed("mmap"))?;
    let (flags, count) = (SockFlag::SOCK_NONBLOCK, settings.processes);
    let listeners = bind_reuseport_group(listener, settings.backlog, flags, count)
        .map_err(failed("cannot listen once more on the port"))?;
    let mut parent = Parent::new(listeners, scoreboard, None)?;
    let mut role = parent.start()?;
    if let Role::Parent = role {
        if settings.announce {
            announce_address(server.address().into())?;
        }
        role = parent.serve()?;
    }
    match role {
        Role::Parent => Ok(()),
        Role::Child(new) => serve(parent, Child { new, scoreboard }, server, application),
    }
}

/// Serves in a child, and ends it.
fn serve(parent: Parent, child: Child, server: &Server, application: Arc<dyn Application>) -> ! {
    server.count_in(child.scoreboard.slot(child.new.slot));
    let child = Arc::new(child);
    let served = parent
        .into_child(child.new.slot)
        .and_then(|listener| Reactor::new(listener, server.clone(), application))
        .and_then(|reactor| reactor.run(Some(Arc::clone(&child))));
    if let Err(error) = &served {
        child.new.control.fail(error);
    }
    // SAFETY: _exit(2) has no precondition. exit(3) would flush the parent's buffered stdout again.
    unsafe { libc::_exit(served.is_err().into()) }
}

impl Child {
    /// Tells the parent that this process can serve.
    pub(crate) fn can_serve(&self) {
        self.new.control.notify();
    }

    /// How many connections all processes have.
    pub(crate) fn open_in_all(&self) -> usize {
        self.scoreboard.open()
    }

    /// A connection was accepted: a process that has accepted some has not failed.
    pub(crate) fn accepted(&self) {
        self.scoreboard.slot(self.new.slot).accepted.fetch_add(1, Relaxed);
    }

    /// The server stops, or this process alone.
    pub(crate) fn drain(&self, acceptor: &mut Acceptor) {
        // Acquire pairs with the parent's Release.
        if self.scoreboard.slot(self.new.slot).stopping.load(Acquire) {
            // The parent has let all listeners refuse what is new.
            acceptor.drain_shared();
        } else {
            // What waits is for the successor of this process.
            acceptor.close();
        }
    }
}
