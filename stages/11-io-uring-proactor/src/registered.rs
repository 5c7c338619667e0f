//! Memory whose pages the kernel has pinned once, not for each send (a *registered buffer*,
//! io_uring_register_buffers(3)).
//!
//! A send without a copy pins the pages that it names until the network has let go of them. What is sent
//! again and again can be pinned beforehand. Here that is the filler of `/bytes/N` alone: a head, or what an
//! echo returns, lies in memory of the session, which grows and moves.

use crate::proactor::explain;
use io_uring::Submitter;
use kit::write_buffer::Body;
use nix::libc::iovec;
use std::io;

/// The first buffer that was registered.
pub const INDEX: u16 = 0;

/// A copy of the filler: pages of the program's text cannot be pinned.
pub struct Registered {
    memory: Box<[u8]>,
}

impl Registered {
    /// Makes the copy and registers it.
    ///
    /// # Errors
    /// What io_uring_register(2) says.
    pub fn new(submitter: &Submitter<'_>) -> io::Result<Self> {
        let memory: Box<[u8]> = filler().into();
        let buffer = iovec { iov_base: memory.as_ptr().cast_mut().cast(), iov_len: memory.len() };
        // SAFETY: sends only read it, and it lives as long as the queues: it moves with them, on the heap.
        unsafe { submitter.register_buffers(&[buffer]) }
            .map_err(|error| explain("io_uring_register", &error))?;
        Ok(Self { memory })
    }

    /// The same bytes in registered memory, if they are a part of the filler.
    pub fn find(&self, bytes: &[u8]) -> Option<&[u8]> {
        let from = (bytes.as_ptr() as usize).checked_sub(filler().as_ptr() as usize)?;
        self.memory.get(from..from.checked_add(bytes.len())?)
    }
}

/// All of it.
fn filler() -> &'static [u8] {
    Body::Pattern { offset: 0, left: u64::MAX }.filler()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Protects the replies: registered memory has the bytes that are to be sent, and no others are taken for
    /// them.
    #[test]
    fn a_part_of_the_filler_is_found_and_nothing_else() {
        let registered = Registered { memory: filler().into() };
        let part = Body::Pattern { offset: 64_000 + 7, left: 5_000 };
        assert_eq!(registered.find(part.filler()), Some(part.filler()));
        assert_ne!(registered.find(part.filler()).unwrap().as_ptr(), part.filler().as_ptr());
        let (heap, stack) = (vec![0_u8; 100], [0_u8; 100]);
        assert_eq!((registered.find(&heap), registered.find(&stack)), (None, None));
    }
}
