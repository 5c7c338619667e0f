//! The lines of a child's pipe, whatever bytes they are made of.
//!
//! A pipe is read until its writer closes it, and never closed before: a child that writes into a pipe
//! without a reader dies of SIGPIPE, and that would be our fault, not its own.

use std::io::{BufRead, BufReader, ErrorKind, Read};

/// A longer line is cut into several, so that output without line ends cannot fill the memory.
const MAX_LINE: u64 = 8 * 1024;

/// Calls `line` with each line, without its line end, until the pipe ends. What is not UTF-8 is replaced.
pub(super) fn each_line(pipe: impl Read, mut line: impl FnMut(String)) {
    let mut pipe = BufReader::new(pipe);
    let mut bytes = Vec::new();
    loop {
        bytes.clear();
        match pipe.by_ref().take(MAX_LINE).read_until(b'\n', &mut bytes) {
            Ok(0) => return,
            Ok(_) => line(String::from_utf8_lossy(&bytes).trim_end_matches(['\n', '\r']).to_owned()),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // A pipe returns no other error; without its reader the child is lost anyway.
            Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(bytes: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        each_line(bytes, |line| lines.push(line));
        lines
    }

    #[test]
    fn a_line_in_another_encoding_is_a_line() {
        // "started" in GBK, "Müller" in Latin-1.
        let found = lines(b"\xc6\xf4\xb6\xaf\nM\xfcller\r\n\nlast");
        assert_eq!(found.len(), 4);
        assert_eq!((found[1].as_str(), found[2].as_str(), found[3].as_str()), ("M\u{fffd}ller", "", "last"));
    }

    #[test]
    fn output_without_line_ends_is_cut() {
        let found = lines(&vec![b'x'; 3 * MAX_LINE as usize]);
        assert_eq!(found.iter().map(String::len).collect::<Vec<_>>(), [MAX_LINE as usize; 3]);
    }
}
