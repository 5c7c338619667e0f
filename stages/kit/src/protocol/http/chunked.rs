//! Chunked bodies (RFC 9112 §7.1), decoded as they come, from any cut to the next.

use super::grammar::{is_field, is_token};
use super::status::{Reject, Status};

/// What the next byte should be.
#[derive(Clone, Copy, Debug)]
enum Expected {
    /// A hexadecimal digit, or what ends the size.
    Size,
    /// A blank or the semicolon of a chunk extension.
    Extension,
    /// Any byte of a chunk extension.
    ExtensionText,
    /// The LF of a size line.
    SizeEnd,
    /// `size` more bytes of data.
    Data,
    /// The CR behind the data.
    DataEnd,
    /// The LF behind the data.
    DataFeed,
    /// The first byte of a trailer line, or the CR of the empty line.
    Trailer,
    /// A byte of a trailer's name, or the colon.
    TrailerName,
    /// A byte of a trailer's value.
    TrailerValue,
    /// The LF of a trailer line.
    TrailerEnd,
    /// The LF of the empty line.
    End,
}

/// The state between two bytes.
#[derive(Debug)]
pub(super) struct Chunked {
    expected: Expected,
    /// Digits of the size so far.
    digits: u8,
    /// The size as far as it was read; then what is left of the data.
    size: u64,
    /// Bytes of data that all chunks together may still have.
    data_left: u64,
    /// Bytes that extensions and trailers of the whole body may still have. Counting each line by itself
    /// would let a body of one-byte chunks carry a thousand times its length in extensions.
    overhead_left: u32,
}

/// Bare LF is refused here: an intermediary may have counted it as data (RFC 9112 §7.1).
const NO_CRLF: Reject = Reject::bad("a chunk does not end in CR LF");
const BAD_SIZE: Reject = Reject::bad("a chunk size is not a hexadecimal number");
const BAD_EXTENSION: Reject = Reject::bad("malformed chunk extension");
const BAD_TRAILER: Reject = Reject::bad("malformed trailer");

impl Chunked {
    /// Before the first chunk of a body that may have `max_data` bytes of data and `max_overhead` bytes of
    /// extensions and trailers.
    pub(super) fn new(max_data: u64, max_overhead: u32) -> Self {
        Self {
            expected: Expected::Size,
            digits: 0,
            size: 0,
            data_left: max_data,
            overhead_left: max_overhead,
        }
    }

    /// Decodes the front of `input`. Returns how many bytes were taken, and whether the body is complete.
    pub(super) fn decode(
        &mut self,
        input: &[u8],
        mut data: impl FnMut(&[u8]),
    ) -> Result<(usize, bool), Reject> {
        let mut used = 0;
        while let Some(&byte) = input.get(used) {
            if let Expected::Data = self.expected {
                let take = self.size.min((input.len() - used) as u64) as usize;
                data(&input[used..used + take]);
                used += take;
                self.size -= take as u64;
                if self.size == 0 {
                    self.expected = Expected::DataEnd;
                }
                continue;
            }
            used += 1;
            if let (Expected::End, b'\n') = (self.expected, byte) {
                return Ok((used, true));
            }
            self.expected = self.step(byte)?;
        }
        Ok((used, false))
    }

    /// What comes after `byte`, which is no data.
    fn step(&mut self, byte: u8) -> Result<Expected, Reject> {
        match (self.expected, byte) {
            (Expected::Size, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => self.digit(byte),
            (Expected::Size, _) if self.digits == 0 => Err(BAD_SIZE),
            (Expected::Size | Expected::ExtensionText, b'\r') => Ok(Expected::SizeEnd),
            (Expected::Size | Expected::Extension, b';') => self.count_overhead(Expected::ExtensionText),
            (Expected::Size | Expected::Extension, b' ' | b'\t') => self.count_overhead(Expected::Extension),
            (Expected::Size | Expected::ExtensionText, b'\n') => Err(NO_CRLF),
            (Expected::Size, _) => Err(BAD_SIZE),
            (Expected::ExtensionText, _) if is_field(byte) => self.count_overhead(Expected::ExtensionText),
            (Expected::Extension | Expected::ExtensionText, _) => Err(BAD_EXTENSION),
            (Expected::SizeEnd, b'\n') => self.begin_chunk(),
            (Expected::SizeEnd, _) => Err(NO_CRLF),

            (Expected::DataEnd, b'\r') => Ok(Expected::DataFeed),
            (Expected::DataFeed, b'\n') => {
                self.digits = 0;
                Ok(Expected::Size)
            }
            (Expected::DataEnd | Expected::DataFeed, _) => Err(NO_CRLF),

            (Expected::Trailer, b'\r') => Ok(Expected::End),
            (Expected::Trailer | Expected::TrailerName, _) if is_token(byte) => {
                self.count_overhead(Expected::TrailerName)
            }
            (Expected::TrailerName, b':') => self.count_overhead(Expected::TrailerValue),
            (Expected::TrailerValue, b'\r') => Ok(Expected::TrailerEnd),
            (Expected::TrailerValue, _) if is_field(byte) => self.count_overhead(Expected::TrailerValue),
            (Expected::TrailerEnd, b'\n') => Ok(Expected::Trailer),
            (Expected::Trailer | Expected::TrailerName, _) => Err(BAD_TRAILER),
            (Expected::TrailerValue | Expected::TrailerEnd, _) => Err(BAD_TRAILER),
            (Expected::End, _) => Err(NO_CRLF),
            (Expected::Data, _) => unreachable!("data is taken in blocks"),
        }
    }

    /// One digit of the size. Sixteen fit in 64 bits; a seventeenth is an overflow or a waste.
    fn digit(&mut self, byte: u8) -> Result<Expected, Reject> {
        if self.digits == 16 {
            return Err(Reject::bad("a chunk size has more than 16 digits"));
        }
        let value = (byte as char).to_digit(16).expect("the caller saw a hexadecimal digit");
        self.size = if self.digits == 0 { 0 } else { self.size << 4 } | u64::from(value);
        self.digits += 1;
        Ok(Expected::Size)
    }

    /// The size line is complete.
    fn begin_chunk(&mut self) -> Result<Expected, Reject> {
        if self.size == 0 {
            return Ok(Expected::Trailer);
        }
        let Some(data_left) = self.data_left.checked_sub(self.size) else {
            return Err(Reject { status: Status::ContentTooLarge, why: "the body is over the limit" });
        };
        self.data_left = data_left;
        Ok(Expected::Data)
    }

    /// Counts a byte of an extension or a trailer.
    fn count_overhead(&mut self, next: Expected) -> Result<Expected, Reject> {
        match self.overhead_left.checked_sub(1) {
            Some(left) => {
                self.overhead_left = left;
                Ok(next)
            }
            None => Err(Reject::bad("chunk extensions and trailers are too long")),
        }
    }
}
