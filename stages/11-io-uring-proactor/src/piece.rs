//! A piece of a file on its way from the disk to the socket.
//!
//! io_uring has no sendfile(2). (Its splice needs a pipe for each connection, and two submissions in order.)
//! So a piece is read into memory of ours and sent from there.

/// How much of a file is read and sent at once.
pub const LENGTH: usize = 128 * 1024;

/// Bytes of a file, of which the first have been sent.
#[derive(Debug, Default)]
pub struct Piece {
    bytes: Vec<u8>,
    sent: usize,
}

impl Piece {
    /// Memory for the next `length` bytes of the file. It stays where it is until [`Piece::filled`].
    pub fn prepare(&mut self, length: usize) -> &mut [u8] {
        self.bytes.resize(length, 0);
        self.sent = 0;
        &mut self.bytes
    }

    /// The first `count` bytes were read.
    pub fn filled(&mut self, count: usize) {
        self.bytes.truncate(count);
    }

    /// What is to be sent before the next piece is read.
    pub fn unsent(&self) -> &[u8] {
        &self.bytes[self.sent..]
    }

    /// `count` bytes of the output have left. While a piece is here they are its own; other output leaves
    /// before it is read.
    pub fn advance(&mut self, count: usize) {
        self.sent = self.bytes.len().min(self.sent + count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Protects the bytes of a file: each is sent once, also where less was read or sent than was asked for.
    #[test]
    fn a_piece_is_sent_from_its_first_byte_to_the_last_that_was_read() {
        let mut piece = Piece::default();
        assert!(piece.unsent().is_empty());
        // The head of the reply, before anything was read.
        piece.advance(200);
        piece.prepare(6).copy_from_slice(b"abcdef");
        piece.filled(5);
        assert_eq!(piece.unsent(), b"abcde");
        piece.advance(2);
        assert_eq!(piece.unsent(), b"cde");
        piece.advance(3);
        assert!(piece.unsent().is_empty());
        piece.prepare(2).copy_from_slice(b"gh");
        assert_eq!(piece.unsent(), b"gh");
    }
}
