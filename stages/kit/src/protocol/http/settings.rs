//! What all HTTP conversations of a server share.

use super::limits::Limits;
use std::os::fd::OwnedFd;
use std::sync::Arc;

/// What all HTTP conversations of a server share.
#[derive(Debug)]
pub struct Settings {
    /// The limits.
    pub limits: Limits,
    /// The directory given as `--root`, if any.
    pub root: Option<Arc<OwnedFd>>,
}
