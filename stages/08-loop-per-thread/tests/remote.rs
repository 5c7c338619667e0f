//! What is queued for a loop runs, in order, and wakes the loop.

use loop_per_thread::remote::Pending;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};
use std::os::fd::AsFd;
use std::thread;

/// A loop whose whole state is what its tasks have noted.
type Notes = Vec<(usize, usize)>;

fn run_all(pending: &mut Pending<Notes>, notes: &mut Notes) {
    for task in pending.take() {
        task(notes);
    }
}

/// Protects connections and the shutdown behind them: what one thread queues runs in its order. And protects
/// against the lost wake-up: the loop sleeps without a timeout, so a wake-up that is missing hangs this test.
#[test]
fn nothing_is_lost_or_overtaken_and_the_loop_is_always_woken() {
    const THREADS: usize = 4;
    const EACH: usize = 20_000;
    let mut pending = Pending::new().unwrap();
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).unwrap();
    epoll.add(&pending, EpollEvent::new(EpollFlags::EPOLLIN | EpollFlags::EPOLLET, 0)).unwrap();
    let mut notes = Notes::new();
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let remote = pending.remote();
            scope.spawn(move || {
                for number in 0..EACH {
                    remote.queue_in_loop(move |notes: &mut Notes| notes.push((thread, number)));
                    if number % 64 == 0 {
                        thread::yield_now();
                    }
                }
            });
        }
        while notes.len() < THREADS * EACH {
            let mut events = [EpollEvent::empty()];
            let timeout = nix::sys::epoll::EpollTimeout::from(20_000_u16);
            assert_eq!(epoll.wait(&mut events, timeout), Ok(1), "{} tasks ran, then no wake-up", notes.len());
            run_all(&mut pending, &mut notes);
        }
    });
    for thread in 0..THREADS {
        let numbers = notes.iter().filter(|note| note.0 == thread).map(|note| note.1);
        assert!(numbers.eq(0..EACH), "thread {thread}: out of order");
    }
}

/// Protects a burst of connections from costing a system call each.
#[test]
fn a_burst_is_one_wake_up() {
    let mut pending = Pending::<Notes>::new().unwrap();
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).unwrap();
    epoll.add(&pending, EpollEvent::new(EpollFlags::EPOLLIN | EpollFlags::EPOLLET, 0)).unwrap();
    let remote = pending.remote();
    let mut events = [EpollEvent::empty()];
    let mut is_woken = || epoll.wait(&mut events, 0_u8) == Ok(1);
    assert!(!is_woken());
    remote.queue_in_loop(|notes: &mut Notes| notes.push((0, 0)));
    assert!(is_woken());
    remote.queue_in_loop(|notes: &mut Notes| notes.push((0, 1)));
    assert!(!is_woken(), "the loop has not taken the first task yet");
    let mut notes = Notes::new();
    run_all(&mut pending, &mut notes);
    assert_eq!(notes, [(0, 0), (0, 1)]);
    remote.queue_in_loop(|_: &mut Notes| {});
    assert!(is_woken(), "the queue was taken before");
}

/// Protects a loop from sleeping on a task that it has queued for itself; and the task waits until the others
/// are done.
#[test]
fn a_task_that_queues_another_is_not_interrupted_by_it_and_the_loop_wakes_for_it() {
    let mut pending = Pending::<Notes>::new().unwrap();
    let remote = pending.remote();
    let own = remote.clone();
    remote.queue_in_loop(move |notes: &mut Notes| {
        own.queue_in_loop(|notes: &mut Notes| notes.push((2, 0)));
        notes.push((0, 0));
    });
    remote.queue_in_loop(|notes: &mut Notes| notes.push((1, 0)));
    let mut notes = Notes::new();
    run_all(&mut pending, &mut notes);
    assert_eq!(notes, [(0, 0), (1, 0)]);
    let mut fds = [PollFd::new(pending.as_fd(), PollFlags::POLLIN)];
    assert_eq!(poll(&mut fds, PollTimeout::ZERO), Ok(1));
    run_all(&mut pending, &mut notes);
    assert_eq!(notes, [(0, 0), (1, 0), (2, 0)]);
}
