//! Errors that end a server, in words.

use nix::errno::Errno;
use std::io;

/// Names the system call that failed, for an error that ends the server:
/// `Epoll::new(flags).map_err(failed("epoll_create1"))?`.
pub fn failed(call: &'static str) -> impl Fn(Errno) -> io::Error {
    move |errno| io::Error::new(io::Error::from(errno).kind(), format!("{call}: {}", errno.desc()))
}
