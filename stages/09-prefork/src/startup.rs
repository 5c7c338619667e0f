//! What happens before the loops: one process becomes many.

use crate::children::{NewChild, Role};
use crate::options::{Accept, Options};
use crate::parent::Parent;
use crate::reuseport::bind_reuseport_group;
use crate::scoreboard::Scoreboard;
use crate::server;
use kit::error::failed;
use kit::listener::address_of;
use kit::options::ProtocolKind;
use kit::start::{Sessions, announce_address, listen};
use kit::stderr::log_stderr;
use nix::libc;
use nix::sys::socket::SockFlag;
use std::io;
use std::num::NonZeroUsize;
use std::os::fd::AsFd;
use std::thread::available_parallelism;

/// Serves in as many processes as were asked for until the server must stop. Errors: why it cannot listen,
/// fork or wait.
pub fn run(options: Options) -> io::Result<()> {
    let (listener, sessions) = listen(&options.common, SockFlag::SOCK_NONBLOCK, ProtocolKind::Http)?;
    let address = address_of(listener.as_fd())?;
    let count = options.workers.unwrap_or_else(|| available_parallelism().map_or(1, NonZeroUsize::get));
    let scoreboard = Scoreboard::new(count).map_err(failed("mmap"))?;
    let listeners = match options.accept {
        Accept::Reuseport => {
            bind_reuseport_group(listener, options.common.backlog, SockFlag::SOCK_NONBLOCK, count)
                .map_err(failed("cannot listen once more on the port"))?
        }
        _ => vec![listener],
    };
    let notify = (options.accept == Accept::Notify).then_some(options.notify);
    let mut parent = Parent::new(listeners, scoreboard, notify)?;
    let mut role = parent.start()?;
    if let Role::Parent = role {
        announce_address(address)?;
        role = parent.serve()?;
    }
    if let Role::Child(child) = role {
        run_child(parent, &child, &options, scoreboard, sessions);
    }
    let (accepted, woken) = scoreboard.accepted_and_woken();
    log_stderr(format_args!("{accepted} connections accepted, {woken} times a process was woken for it"));
    Ok(())
}

/// Serves in a child, and ends it.
fn run_child(
    parent: Parent,
    child: &NewChild,
    options: &Options,
    scoreboard: Scoreboard,
    sessions: Sessions,
) -> ! {
    let served = parent
        .into_child(child.slot)
        .and_then(|listener| server::run(listener, child, options, scoreboard, sessions));
    if let Err(error) = &served {
        child.control.fail(error);
    }
    // SAFETY: _exit(2) has no precondition. exit(3) would flush the parent's buffered stdout again.
    unsafe { libc::_exit(served.is_err().into()) }
}
