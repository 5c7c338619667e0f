//! A socket, as the kernel knows it: by a descriptor of the process, or with `--direct` by its slot in a
//! table of the ring (a *direct descriptor*, io_uring_prep_multishot_accept_direct(3)).
//!
//! Threads share the table of descriptors, so a look-up costs each operation two atomic instructions; that of
//! a slot costs none. The price: only io_uring knows slots. What the server asks a socket by ioctl(2) and
//! shutdown(2) it cannot ask a slot, so a connection that is slow or late is given a descriptor beside it.

use crate::proactor::explain;
use io_uring::types::{Fd, Fixed};
use io_uring::{Submitter, opcode, squeue};
use nix::libc;
use nix::sys::resource::{Resource, getrlimit};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd};

/// How many connections a ring has slots for, where the descriptor limit allows as many. One that finds no
/// slot is lost: the kernel has accepted it by then.
const SLOTS: u32 = 16 * 1024;

/// A connected socket.
#[derive(Debug)]
pub enum Socket {
    /// As everywhere else.
    Descriptor(OwnedFd),
    /// In the ring's table, and once it was asked for a descriptor too.
    Direct(u32, Option<OwnedFd>),
}

impl Socket {
    /// What an accept has completed with.
    ///
    /// # Safety
    /// It is the caller's own: a new slot if `direct`, else a new descriptor.
    pub unsafe fn accepted(result: i32, direct: bool) -> Self {
        if direct {
            return Self::Direct(result as u32, None);
        }
        // SAFETY: of this function.
        Self::Descriptor(unsafe { OwnedFd::from_raw_fd(result) })
    }

    /// A number that no other open connection has. While a server with slots drains it accepts by accept4(2),
    /// which knows none: those are behind the slots.
    pub fn number(&self, direct: bool) -> usize {
        match self {
            Self::Descriptor(fd) if direct => SLOTS as usize + fd.as_raw_fd() as usize,
            Self::Descriptor(fd) => fd.as_raw_fd() as usize,
            Self::Direct(slot, _) => *slot as usize,
        }
    }

    /// For a submission, together with [`Socket::flags`].
    pub fn fd(&self) -> Fd {
        match self {
            Self::Descriptor(fd) => Fd(fd.as_raw_fd()),
            Self::Direct(slot, _) => Fd(*slot as i32),
        }
    }

    /// Whether a submission names a slot.
    pub fn flags(&self) -> squeue::Flags {
        match self {
            Self::Descriptor(_) => squeue::Flags::empty(),
            Self::Direct(..) => squeue::Flags::FIXED_FILE,
        }
    }

    /// To ask the kernel about it; `None` for a slot that was given no descriptor yet.
    pub fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Self::Descriptor(fd) | Self::Direct(_, Some(fd)) => Some(fd.as_fd()),
            Self::Direct(_, None) => None,
        }
    }

    /// The submission that gives a slot a descriptor.
    pub fn install(&self) -> squeue::Entry {
        opcode::FixedFdInstall::new(Fixed(self.fd().0 as u32), 0).build()
    }

    /// What it has completed with. Returns whether there is a descriptor now.
    ///
    /// # Safety
    /// A `result` that is no error is a new descriptor, and the caller's own.
    pub unsafe fn installed(&mut self, result: i32) -> bool {
        if let Self::Direct(_, descriptor) = self
            && result >= 0
        {
            // SAFETY: of this function.
            *descriptor = Some(unsafe { OwnedFd::from_raw_fd(result) });
        }
        self.descriptor().is_some()
    }

    /// The submission that ends the sending direction of a slot.
    pub fn shut_down(&self) -> squeue::Entry {
        opcode::Shutdown::new(self.fd(), libc::SHUT_WR).build().flags(self.flags())
    }

    /// The submission that closes it.
    pub fn close(self) -> squeue::Entry {
        match self {
            Self::Descriptor(fd) => opcode::Close::new(Fd(fd.into_raw_fd())).build(),
            Self::Direct(slot, _) => opcode::Close::new(Fixed(slot)).build(),
        }
    }
}

/// Makes the ring's table, with empty slots.
///
/// # Errors
/// What getrlimit(2) and io_uring_register(2) say.
pub fn register(submitter: &Submitter<'_>) -> io::Result<()> {
    // The kernel wants no more slots than the process may have descriptors.
    let (soft, _) = getrlimit(Resource::RLIMIT_NOFILE)?;
    let slots = u32::try_from(soft).map_or(SLOTS, |soft| soft.min(SLOTS));
    submitter.register_files_sparse(slots).map_err(|error| explain("io_uring_register", &error))
}
