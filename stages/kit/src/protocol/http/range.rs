//! Byte ranges (RFC 9110 §14).

use super::grammar::{decimal, trim};

/// One byte range, as it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Range {
    /// From the first position to the last one, both included.
    Positions(u64, u64),
    /// The last bytes of the file, so many of them.
    Suffix(u64),
}

/// A range against a file of a certain size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// `length` bytes from `start` on.
    Bytes { start: u64, length: u64 },
    /// None of its bytes is there: 416.
    Unsatisfiable,
    /// The range says nothing: the whole file.
    Whole,
}

impl Range {
    /// The range of a Range field. `None`: malformed, of another unit, or several; such a field is ignored.
    pub(super) fn parse(value: &[u8]) -> Option<Self> {
        let equals = value.iter().position(|&byte| byte == b'=')?;
        let (unit, spec) = (&value[..equals], trim(&value[equals + 1..]));
        if !trim(unit).eq_ignore_ascii_case(b"bytes") {
            return None;
        }
        let dash = spec.iter().position(|&byte| byte == b'-')?;
        match (&spec[..dash], &spec[dash + 1..]) {
            ([], suffix) => decimal(suffix).map(Self::Suffix),
            (first, []) => decimal(first).map(|first| Self::Positions(first, u64::MAX)),
            (first, last) => {
                let (first, last) = (decimal(first)?, decimal(last)?);
                (first <= last).then_some(Self::Positions(first, last))
            }
        }
    }

    /// The part of a file of `size` bytes.
    pub(super) fn of(self, size: u64) -> Part {
        match self {
            Self::Suffix(0) => Part::Unsatisfiable,
            // A suffix of an empty file is the whole of it, which a Content-Range cannot say.
            Self::Suffix(_) if size == 0 => Part::Whole,
            Self::Suffix(count) => {
                let length = count.min(size);
                Part::Bytes { start: size - length, length }
            }
            Self::Positions(first, _) if first >= size => Part::Unsatisfiable,
            Self::Positions(first, last) => {
                Part::Bytes { start: first, length: last.min(size - 1) - first + 1 }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_cut_to_the_file() {
        let part = |value: &str, size| Range::parse(value.as_bytes()).map(|range| range.of(size));
        assert_eq!(part("bytes=0-0", 10), Some(Part::Bytes { start: 0, length: 1 }));
        assert_eq!(part("BYTES=2-", 10), Some(Part::Bytes { start: 2, length: 8 }));
        assert_eq!(part("bytes=2-99999999999999999999", 10), Some(Part::Bytes { start: 2, length: 8 }));
        assert_eq!(part("bytes=-3", 10), Some(Part::Bytes { start: 7, length: 3 }));
        assert_eq!(part("bytes=-30", 10), Some(Part::Bytes { start: 0, length: 10 }));
        assert_eq!(part("bytes=10-", 10), Some(Part::Unsatisfiable));
        assert_eq!(part("bytes=-0", 10), Some(Part::Unsatisfiable));
        assert_eq!(part("bytes=0-", 0), Some(Part::Unsatisfiable));
        assert_eq!(part("bytes=-1", 0), Some(Part::Whole));
        for bad in [
            "bytes=3-2",
            "bytes=0-1,3-4",
            "bytes=",
            "bytes=-",
            "bytes",
            "lines=0-1",
            "bytes=a-b",
            "bytes=+1-2",
        ] {
            assert_eq!(part(bad, 10), None, "{bad}");
        }
    }
}
