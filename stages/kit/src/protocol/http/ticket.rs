//! What a request leaves with its work, so that the conversation itself keeps nothing of it.

use super::reply::Manner;
use super::serve::FileRequest;

/// The request that waits for its work: all that is needed to answer it later.
#[derive(Debug)]
pub struct Ticket {
    pub(super) manner: Manner,
    pub(super) asked: Asked,
}

/// What the request that waits has asked for.
#[derive(Debug)]
pub(super) enum Asked {
    Sleep(u64),
    Spin(u64),
    File(Box<FileRequest>),
}
