//! `epoll-mmap`: does `epoll_wait` return its events in memory that the kernel shares with the process?

use crate::experiment::{Experiment, Seconds};
use crate::format;
use crate::measure::{Pinned, Slice, cpu, interleaved, ns_per_call};
use crate::report::{Figure, Figures, Judgement, Measured};
use crate::session::Session;
use anyhow::{Context, Result, ensure};
use nix::errno::Errno;
use nix::libc;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::eventfd::EventFd;
use nix::sys::mman::{MapFlags, ProtFlags, mmap, mmap_anonymous, munmap};
use std::num::NonZeroUsize;
use std::os::fd::AsRawFd;
use std::time::Duration;

/// The experiment.
pub(super) const EXPERIMENT: Experiment = Experiment {
    id: "epoll-mmap",
    method: "An epoll descriptor is mapped, as shared memory would have to be, and epoll_wait is given a \
             buffer that the process itself may not write. Then the time of a call is measured with 1 to \
             500 ready descriptors.",
    needs: &[],
    seconds: Seconds { quick: 2.0, full: 5.0 },
    run,
    judge,
};

const PAGE: NonZeroUsize = NonZeroUsize::new(4096).expect("it is not zero");
const SIZES: [usize; 4] = [1, 10, 100, 500];

fn run(session: &mut Session) -> Result<Measured> {
    session.step(0.0, "mapping an epoll descriptor, and a buffer that must not be written")?;
    let fds: Vec<EventFd> =
        (0..500).map(|_| EventFd::from_value(1)).collect::<nix::Result<_>>().context("eventfd")?;
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
    for (at, fd) in fds.iter().enumerate() {
        epoll.add(fd, EpollEvent::new(EpollFlags::EPOLLIN, at as u64))?;
    }
    let yes = |answer: bool| f64::from(u8::from(answer));
    let mut figures = Figures(vec![
        Figure::exact("an epoll descriptor can be mapped", "(1 = yes)", yes(can_be_mapped(&epoll)?)),
        Figure::exact(
            "epoll_wait writes to the caller's buffer",
            "(1 = yes)",
            yes(writes_to_buffer(&epoll)?),
        ),
    ]);
    let rounds = session.pick(9, 31);
    let _pinned = Pinned::to(cpu(0));
    let slice = |size: usize| -> Slice<'_> {
        let (epoll, mut events) = (&epoll, vec![EpollEvent::empty(); size]);
        let measure = move || {
            ensure!(epoll.wait(&mut events, EpollTimeout::ZERO)? == size, "not all are ready");
            Ok(ns_per_call(Duration::from_millis(10), 20, || {
                let _ = epoll.wait(&mut events, EpollTimeout::ZERO);
            }))
        };
        (size.to_string(), Box::new(measure))
    };
    let mut slices: Vec<Slice<'_>> = SIZES.into_iter().map(slice).collect();
    let values = interleaved(session, rounds, (0.1, 1.0), &mut slices)?;
    for size in SIZES {
        figures.push(Figure::median(
            format!("a call that returns {size} events"),
            "ns",
            &values[&size.to_string()],
        )?);
    }
    let (one, most) = (&values["1"], &values["500"]);
    let per_event: Vec<f64> = one.iter().zip(most).map(|(one, most)| (most - one) / 499.0).collect();
    figures.push(Figure::median("each further event", "ns", &per_event)?);
    figures.push(Figure::exact(
        "bytes copied out for an event",
        "bytes",
        size_of::<libc::epoll_event>() as f64,
    ));
    Ok(figures.into())
}

/// Whether there is memory behind the descriptor.
fn can_be_mapped(epoll: &Epoll) -> Result<bool> {
    // SAFETY: a new mapping at a place of the kernel's choice, which is removed at once.
    match unsafe { mmap(None, PAGE, ProtFlags::PROT_READ, MapFlags::MAP_SHARED, &epoll.0, 0) } {
        Ok(memory) => {
            // SAFETY: it was made just now, and nothing refers to it.
            unsafe { munmap(memory, PAGE.get()) }?;
            Ok(true)
        }
        Err(Errno::ENODEV | Errno::EINVAL) => Ok(false),
        Err(error) => Err(error).context("mmap"),
    }
}

/// Whether the kernel fails to deliver events into memory that is read-only: then it copies them.
fn writes_to_buffer(epoll: &Epoll) -> Result<bool> {
    // SAFETY: a new mapping at a place of the kernel's choice.
    let memory = unsafe { mmap_anonymous(None, PAGE, ProtFlags::PROT_READ, MapFlags::MAP_PRIVATE) }?;
    let buffer = memory.cast::<libc::epoll_event>().as_ptr();
    // SAFETY: the buffer is mapped and has room for one event. That it must not be written is for the kernel
    // to find out, which returns EFAULT.
    let found = unsafe { libc::epoll_wait(epoll.0.as_raw_fd(), buffer, 1, 0) };
    let outcome = Errno::result(found);
    // SAFETY: it was made above, and nothing refers to it.
    unsafe { munmap(memory, PAGE.get()) }?;
    match outcome {
        Err(Errno::EFAULT) => Ok(true),
        Ok(_) => Ok(false),
        Err(error) => Err(error).context("epoll_wait"),
    }
}

fn judge(figures: &Figures) -> Result<Judgement> {
    const LESSON: &str = "epoll saves the copying of the *watched* descriptors into the kernel at each call; \
                          the ready ones are copied out, 12 bytes each, like the result of any other call.";
    const SOURCE: &str = "Nothing was measured. The patch /dev/epoll of 2001 did share memory; the system \
                          calls that Linux has had since 2.6 do not, and the sentence outlived the patch.";
    let mapped = figures.value("an epoll descriptor can be mapped")? == 1.0;
    let copies = figures.value("epoll_wait writes to the caller's buffer")? == 1.0;
    let each = figures.get("each further event")?;
    Ok(match (mapped, copies) {
        (false, true) => Judgement::refuted(
            format!(
                "mmap refuses the descriptor, and epoll_wait fails with EFAULT when the process's buffer is \
                 read-only, so the kernel copies into it; each ready event costs {} more",
                format::with_unit(each)
            ),
            LESSON,
            SOURCE,
        ),
        (true, false) => {
            Judgement::holds("the descriptor can be mapped and the buffer is not written", LESSON)
        }
        _ => {
            Judgement::inconclusive("one of the two looks like shared memory and the other does not", LESSON)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Verdict;

    #[test]
    fn a_copy_shows_in_two_ways() {
        let verdict = |mapped: f64, copies: f64| {
            let figures = Figures(vec![
                Figure::exact("an epoll descriptor can be mapped", "", mapped),
                Figure::exact("epoll_wait writes to the caller's buffer", "", copies),
                Figure::exact("each further event", "ns", 30.0),
            ]);
            judge(&figures).expect("all figures are there").verdict
        };
        assert_eq!(verdict(0.0, 1.0), Verdict::Refuted);
        assert_eq!(verdict(1.0, 0.0), Verdict::Holds);
        assert_eq!(verdict(1.0, 1.0), Verdict::Inconclusive);
    }

    /// What the kernel does is no matter of time: held here as in the deterministic claims.
    #[test]
    fn this_kernel_copies() {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).expect("a descriptor");
        let ready = EventFd::from_value(1).expect("a descriptor");
        epoll.add(&ready, EpollEvent::new(EpollFlags::EPOLLIN, 0)).expect("it can be watched");
        assert!(!can_be_mapped(&epoll).expect("mmap answers"));
        assert!(writes_to_buffer(&epoll).expect("epoll_wait answers"));
    }
}
