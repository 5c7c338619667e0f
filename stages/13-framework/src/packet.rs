//! What can be queued for a connection.

use std::fs::File;
use std::sync::Arc;

/// Something to send, handed over without a copy.
#[derive(Clone, Debug)]
pub enum Packet {
    /// Bytes of this connection.
    Bytes(Vec<u8>),
    /// Bytes that go to many connections.
    Shared(Arc<[u8]>),
    /// A part of a file.
    File {
        /// The open file.
        file: Arc<File>,
        /// Where it begins.
        offset: u64,
        /// How many bytes.
        length: u64,
    },
}

impl From<Vec<u8>> for Packet {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes)
    }
}

impl From<Arc<[u8]>> for Packet {
    fn from(bytes: Arc<[u8]>) -> Self {
        Self::Shared(bytes)
    }
}

impl Packet {
    pub(crate) fn len(&self) -> u64 {
        match self {
            Self::File { length, .. } => *length,
            _ => self.bytes().len() as u64,
        }
    }

    /// Empty for a file.
    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Shared(bytes) => bytes,
            Self::File { .. } => &[],
        }
    }
}
