//! Bytes that were sent, in the short form in which a reader, a shell and the memory can hold them: what
//! repeats is kept once.

use super::shell::{escaped, printf};
use lab_core::units::number;

/// Of what does not repeat, so many bytes are kept.
const KEPT: usize = 4 * 1024;
/// So many bytes are searched for a period.
const SEARCHED: usize = 2 * 1024;
/// A shorter run is written as it is.
const SHORTEST_RUN: usize = 48;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    Once(Vec<u8>),
    Repeated(Vec<u8>, u64),
    /// Bytes that were not kept.
    Omitted(u64),
}

/// Bytes that were sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Payload {
    segments: Vec<Segment>,
    total: u64,
}

impl Payload {
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let mut payload = Payload { segments: Vec::new(), total: bytes.len() as u64 };
        let (mut rest, mut room) = (bytes, KEPT);
        while !rest.is_empty() {
            if let Some((unit, times)) = repeated(rest) {
                payload.segments.push(Segment::Repeated(unit.to_vec(), times));
                rest = &rest[unit.len() * times as usize..];
                continue;
            }
            // Up to the next run of one byte.
            let run = next_run(rest);
            let literal = &rest[..run];
            let kept = &literal[..literal.len().min(room)];
            room -= kept.len();
            if !kept.is_empty() {
                payload.segments.push(Segment::Once(kept.to_vec()));
            }
            if kept.len() < literal.len() {
                payload.segments.push(Segment::Omitted((rest.len() - kept.len()) as u64));
                break;
            }
            rest = &rest[run..];
        }
        payload
    }

    /// How many bytes it is.
    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    /// Adds a piece that followed.
    pub(crate) fn append(&mut self, other: Payload) {
        self.total += other.total;
        for segment in other.segments {
            match (self.segments.last_mut(), segment) {
                (Some(Segment::Omitted(length)), Segment::Once(bytes)) => *length += bytes.len() as u64,
                (Some(Segment::Once(kept)), Segment::Once(bytes)) if kept.len() + bytes.len() <= KEPT => {
                    kept.extend(bytes);
                }
                (Some(Segment::Once(_)), Segment::Once(bytes)) => {
                    self.segments.push(Segment::Omitted(bytes.len() as u64));
                }
                (_, segment) => self.segments.push(segment),
            }
        }
    }

    /// As a reader sees it, cut to about `room` bytes.
    pub(crate) fn shown(&self, room: usize) -> String {
        let mut parts: Vec<String> = Vec::new();
        let (mut left, mut shown) = (room, 0);
        for segment in &self.segments {
            match segment {
                Segment::Once(bytes) => {
                    let cut = &bytes[..bytes.len().min(left)];
                    left -= cut.len();
                    shown += cut.len() as u64;
                    parts.push(format!("\"{}\"", escaped(cut)));
                    if cut.len() < bytes.len() {
                        break;
                    }
                }
                Segment::Repeated(unit, times) => {
                    let cut = &unit[..unit.len().min(left.max(16))];
                    left -= cut.len().min(left);
                    shown += unit.len() as u64 * times;
                    let more = if cut.len() < unit.len() { "…" } else { "" };
                    parts.push(format!("\"{}\"{more} × {}", escaped(cut), number(*times as f64)));
                }
                Segment::Omitted(_) => break,
            }
        }
        if shown < self.total {
            parts.push(format!("… {} bytes in all", number(self.total as f64)));
        }
        parts.join(" ")
    }

    /// The commands of a POSIX shell that write exactly these bytes; `None` where not all were kept.
    pub(crate) fn commands(&self) -> Option<Vec<String>> {
        let command = |segment: &Segment| match segment {
            Segment::Once(bytes) => Some(printf(bytes)),
            Segment::Repeated(unit, times) if unit.len() == 1 => {
                Some(format!("head -c {times} /dev/zero | tr '\\000' '\\{:03o}'", unit[0]))
            }
            Segment::Repeated(unit, times) => {
                Some(format!("i=0; while [ $((i+=1)) -le {times} ]; do {}; done", printf(unit)))
            }
            Segment::Omitted(_) => None,
        };
        self.segments.iter().map(command).collect()
    }
}

/// What the bytes begin with, if that is repeated at least three times and long enough to be worth it.
fn repeated(bytes: &[u8]) -> Option<(&[u8], u64)> {
    let period = period(&bytes[..bytes.len().min(SEARCHED)])?;
    let same = same_prefix(bytes, &bytes[period..]);
    let times = (same + period) / period;
    (times >= 3 && times * period >= SHORTEST_RUN).then(|| (&bytes[..period], times as u64))
}

/// How many bytes the two begin with that are the same. As blocks first: megabytes are sent.
fn same_prefix(a: &[u8], b: &[u8]) -> usize {
    const BLOCK: usize = 4_096;
    let blocks = a.chunks_exact(BLOCK).zip(b.chunks_exact(BLOCK)).take_while(|(a, b)| a == b).count();
    let rest = blocks * BLOCK;
    rest + a[rest..].iter().zip(&b[rest..]).take_while(|(a, b)| a == b).count()
}

/// The shortest period of the bytes' beginning, from Knuth, Morris and Pratt's table of borders: of a run of
/// one byte at the beginning, 1; else that of all that is searched.
fn period(bytes: &[u8]) -> Option<usize> {
    let run = bytes.iter().take_while(|byte| **byte == bytes[0]).count();
    if run >= SHORTEST_RUN {
        return Some(1);
    }
    let mut borders = vec![0; bytes.len()];
    for at in 1..bytes.len() {
        let mut border = borders[at - 1];
        while border > 0 && bytes[at] != bytes[border] {
            border = borders[border - 1];
        }
        borders[at] = border + usize::from(bytes[at] == bytes[border]);
    }
    let period = bytes.len() - borders.last()?;
    (period * 3 <= bytes.len()).then_some(period)
}

/// Where the next run of one byte begins, or the end.
fn next_run(bytes: &[u8]) -> usize {
    let mut start = 0;
    for at in 1..bytes.len() {
        if bytes[at] != bytes[start] {
            start = at;
        } else if at - start + 1 >= SHORTEST_RUN && start > 0 {
            return start;
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    /// What a POSIX shell writes for a payload.
    fn written(payload: &Payload) -> Vec<u8> {
        let script = payload.commands().expect("all is kept").join("; ");
        Command::new("/bin/sh").args(["-c", &script]).output().expect("a shell").stdout
    }

    /// Protects every printed command: the shell writes exactly what the probe has sent, whatever the bytes.
    #[test]
    fn a_shell_writes_the_same_bytes() {
        let every_byte: Vec<u8> = (0..=255).collect();
        let mixed = [
            b"-n 100% \\ 'quoted' \"twice\" $HOME `id`\r\n".to_vec(),
            vec![b'x'; 17_000],
            b"\0\x01 1 \xff\n".to_vec(),
            vec![0; 500],
            b"\\0123".to_vec(),
        ];
        let duplex: Vec<u8> = (0..100_000).map(|i| (i % 251) as u8).collect();
        for bytes in [
            every_byte,
            mixed.concat(),
            b"GET / HTTP/1.1\r\nHost: probe\r\n\r\n".repeat(300),
            duplex,
            b"a".to_vec(),
            b"-".to_vec(),
            b"%%d".to_vec(),
            b"\x000".to_vec(),
        ] {
            let payload = Payload::of(&bytes);
            assert_eq!(payload.total(), bytes.len() as u64);
            assert!(written(&payload) == bytes, "{}", payload.shown(200));
        }
    }

    /// Protects the memory and the reader: 300 equal requests are one, and what does not repeat is cut.
    #[test]
    fn what_repeats_is_kept_once_and_the_rest_is_cut() {
        let requests = Payload::of(&b"GET / HTTP/1.1\r\n\r\n".repeat(300));
        assert_eq!(requests.shown(80), "\"GET / HTTP/1.1\\r\\n\\r\\n\" × 300");
        let mut seed = 1u32;
        let noise: Vec<u8> = std::iter::repeat_with(|| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 24) as u8
        })
        .take(100_000)
        .collect();
        let cut = Payload::of(&noise);
        assert_eq!(cut.commands(), None, "a command that sends something else would mislead");
        assert!(cut.shown(10).ends_with("… 100,000 bytes in all"), "{}", cut.shown(10));
        assert!(cut.shown(10).len() < 100);
    }

    #[test]
    fn pieces_that_follow_each_other_are_joined() {
        let mut payload = Payload::default();
        b"GET /".iter().for_each(|byte| payload.append(Payload::of(&[*byte])));
        assert_eq!(payload, Payload::of(b"GET /"));
    }
}
