//! Starting processes and threads, in a process that has touched so much memory.

use anyhow::{Context, Result, ensure};
use nix::libc::{self, c_void};
use nix::sys::mman::{MapFlags, MmapAdvise, ProtFlags, madvise, mmap_anonymous, munmap};
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, fork};
use std::num::NonZeroUsize;
use std::ptr::NonNull;

const PAGE: usize = 4096;

/// The pages of a mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pages {
    /// 4 KiB each.
    Small,
    /// 2 MiB each, where the kernel has them.
    Huge,
}

/// Memory that is mapped and touched until it is dropped.
#[derive(Debug)]
pub struct Resident(Option<(NonNull<c_void>, usize)>);

impl Resident {
    /// Touches so many bytes.
    ///
    /// # Errors
    /// When they cannot be mapped.
    pub fn touch(bytes: usize, pages: Pages) -> Result<Self> {
        let Some(length) = NonZeroUsize::new(bytes) else { return Ok(Self(None)) };
        // SAFETY: a new private mapping at a place of the kernel's choice touches no memory that is in use.
        let memory = unsafe {
            mmap_anonymous(None, length, ProtFlags::PROT_READ | ProtFlags::PROT_WRITE, MapFlags::MAP_PRIVATE)
        }
        .context("the memory cannot be mapped")?;
        let advice = match pages {
            Pages::Small => MmapAdvise::MADV_NOHUGEPAGE,
            Pages::Huge => MmapAdvise::MADV_HUGEPAGE,
        };
        // SAFETY: the range is the mapping that was just made, and this advice changes no contents. A kernel
        // without huge pages refuses it, and has small ones then.
        let _ = unsafe { madvise(memory, bytes, advice) };
        for at in (0..bytes).step_by(PAGE) {
            // SAFETY: within the mapping, which is writable and which nothing else refers to.
            unsafe { memory.cast::<u8>().as_ptr().add(at).write_volatile(1) };
        }
        Ok(Self(Some((memory, bytes))))
    }
}

impl Drop for Resident {
    fn drop(&mut self) {
        if let Some((memory, bytes)) = self.0 {
            // SAFETY: this is the mapping that `touch` made, and no reference points into it.
            let _ = unsafe { munmap(memory, bytes) };
        }
    }
}

/// Starts a process that ends at once, and waits for it. The caller must be the only thread of its process:
/// what else runs may hold locks, which the child would have and nobody would release.
///
/// # Errors
/// When a process cannot be started.
pub fn fork_and_wait() -> Result<()> {
    // SAFETY: the child calls nothing but _exit, which takes no lock.
    match unsafe { fork() }.context("fork")? {
        // SAFETY: _exit ends the child without running anything of the parent's.
        ForkResult::Child => unsafe { libc::_exit(0) },
        ForkResult::Parent { child } => waitpid(child, None)?,
    };
    Ok(())
}

/// Starts a thread that ends at once, and waits for it.
///
/// # Errors
/// When a thread cannot be started.
pub fn thread_and_join() -> Result<()> {
    let ended = std::thread::Builder::new().spawn(|| {}).context("a thread")?.join();
    ensure!(ended.is_ok(), "the thread panicked");
    Ok(())
}
