//! The body that a right reply has.

use std::sync::{Arc, OnceLock};

/// One line of the filler that the lab's `/bytes/N` sends. Byte `i` of the body is `LINE[i % 64]`.
const LINE: &[u8; 64] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-\n";

/// Many lines, so that a long body is compared in long pieces.
static FILLER: [u8; 4096] = {
    let mut block = [0; 4096];
    let mut i = 0;
    while i < block.len() {
        block[i] = LINE[i % LINE.len()];
        i += 1;
    }
    block
};

/// Of a longer body only the beginning is learnt; of the rest the length is checked.
pub(super) const LEARNT_LIMIT: usize = 1 << 20;

/// What the body must be.
#[derive(Clone, Debug)]
pub(super) enum Reference {
    Text(Vec<u8>),
    /// So many bytes of the filler.
    Filler(u64),
    /// What the first right reply had. All threads share it: a server must not answer them differently.
    Learnt(Arc<OnceLock<Learnt>>),
}

/// A body that was seen.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Learnt {
    pub(super) length: u64,
    pub(super) beginning: Vec<u8>,
}

/// What the bodies of a path must be.
#[derive(Clone, Debug)]
pub(super) struct Expected {
    announced: Reference,
    unannounced: Reference,
}

impl Expected {
    /// The body of the lab's routes; of any other path the first one. The lab's servers announce every
    /// length, so a reply that does not is of a server that knows nothing of those routes: there too the
    /// first one is right.
    pub(super) fn by_path(path: &str) -> Self {
        match Reference::for_path(path) {
            Reference::Learnt(_) => Self::learnt(),
            announced => Self { announced, unannounced: Reference::learnt() },
        }
    }

    /// The body that the first reply has.
    pub(super) fn learnt() -> Self {
        let reference = Reference::learnt();
        Self { announced: reference.clone(), unannounced: reference }
    }

    /// This body.
    pub(super) fn text(text: Vec<u8>) -> Self {
        let reference = Reference::Text(text);
        Self { announced: reference.clone(), unannounced: reference }
    }

    /// What the body must be of a reply that announces its length, or of one that does not.
    pub(super) fn of(&self, is_announced: bool) -> &Reference {
        if is_announced { &self.announced } else { &self.unannounced }
    }
}

impl Reference {
    /// The body of the lab's routes; of any other path it must be learnt.
    fn for_path(path: &str) -> Self {
        let filler = path.strip_prefix("/bytes/").and_then(|length| length.parse().ok());
        match (path, filler) {
            ("/", _) => Self::Text(b"Hello, World!".to_vec()),
            (_, Some(length)) => Self::Filler(length),
            _ => Self::learnt(),
        }
    }

    fn learnt() -> Self {
        Self::Learnt(Arc::new(OnceLock::new()))
    }

    /// The length that a right body has; `None` while it is not known.
    pub(super) fn length(&self) -> Option<u64> {
        match self {
            Self::Text(text) => Some(text.len() as u64),
            Self::Filler(length) => Some(*length),
            Self::Learnt(learnt) => learnt.get().map(|learnt| learnt.length),
        }
    }

    /// Whether `piece`, which begins at byte `at`, is right. Call it only where the length is known.
    pub(super) fn matches(&self, at: u64, piece: &[u8]) -> bool {
        match self {
            Self::Text(text) => covers(text, at, piece),
            Self::Filler(_) => is_filler(at, piece),
            Self::Learnt(learnt) => learnt.get().is_some_and(|learnt| {
                let known = learnt.beginning.len().saturating_sub(at as usize).min(piece.len());
                known == 0 || covers(&learnt.beginning, at, &piece[..known])
            }),
        }
    }
}

fn covers(text: &[u8], at: u64, piece: &[u8]) -> bool {
    let at = at as usize;
    text.get(at..at + piece.len()) == Some(piece)
}

fn is_filler(at: u64, piece: &[u8]) -> bool {
    let from = (at % LINE.len() as u64) as usize;
    let first = piece.len().min(FILLER.len() - from);
    let (first, rest) = piece.split_at(first);
    first == &FILLER[from..from + first.len()]
        // The block is a whole number of lines, so all that follows begins at a line.
        && rest.chunks(FILLER.len()).all(|chunk| chunk == &FILLER[..chunk.len()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filler_is_recognised_at_any_offset_and_a_changed_byte_is_not() {
        let body: Vec<u8> = (0..20_000).map(|i| LINE[i % 64]).collect();
        let reference = Reference::for_path("/bytes/20000");
        assert_eq!(reference.length(), Some(20_000));
        for (from, to) in [(0, 20_000), (1, 2), (63, 65), (4095, 12_300), (77, 77), (64, 8256)] {
            assert!(reference.matches(from as u64, &body[from..to]));
            for bad in [from, (from + to) / 2, to - 1] {
                if (from..to).contains(&bad) {
                    let mut piece = body[from..to].to_vec();
                    piece[bad - from] ^= 1;
                    assert!(!reference.matches(from as u64, &piece), "{from} {to} {bad}");
                }
            }
        }
        assert!(!reference.matches(0, &body[1..100]), "a shifted body");
    }
}
