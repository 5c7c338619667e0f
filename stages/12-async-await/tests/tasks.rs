//! What the executor, the reactor and the timers promise to a task, without a server.

use async_await::executor::Executor;
use async_await::fiber::Fiber;
use async_await::socket::{Buffer, Open, Socket};
use async_await::timer::{Sleep, timeout};
use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn, ready};
use std::io::{self, Write};
use std::os::unix::net::UnixStream;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

/// Nothing here takes as long: a wake-up that is lost ends in a failure, and not in a test that hangs.
const FOR_EVER: Duration = Duration::from_secs(20);

/// An executor; its reactor watches for the end of the process, as that of a server does.
fn executor() -> Rc<Executor> {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| kit::shutdown::install().expect("the handlers can be installed"));
    Executor::new().expect("there are descriptors")
}

fn open() -> Open {
    Open::count(&Arc::default())
}

/// Runs `main`, and what it has spawned, to its end.
fn run(executor: &Rc<Executor>, main: impl Future<Output = ()> + 'static) {
    let main = async move {
        main.await;
        Ok(())
    };
    executor.run(main).expect("epoll works");
}

fn sleep(executor: &Executor, ms: u64) -> Sleep {
    Sleep::new(Rc::clone(executor.reactor()), Duration::from_millis(ms))
}

/// Lets all others that are queued be polled once.
async fn give_way() {
    let mut first = true;
    poll_fn(|context| {
        if !std::mem::take(&mut first) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// A future that counts how often it is polled, keeps the last waker and is ready when it is told to be.
#[derive(Clone, Default)]
struct Probe(Rc<ProbeState>);

#[derive(Default)]
struct ProbeState {
    polls: Cell<usize>,
    waker: RefCell<Option<Waker>>,
    ready: Cell<bool>,
}

impl Probe {
    fn polls(&self) -> usize {
        self.0.polls.get()
    }

    fn waker(&self) -> Waker {
        self.0.waker.borrow().clone().expect("it was polled")
    }

    fn end(&self) {
        self.0.ready.set(true);
        self.waker().wake();
    }
}

impl Future for Probe {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.0.polls.set(self.0.polls.get() + 1);
        *self.0.waker.borrow_mut() = Some(context.waker().clone());
        if self.0.ready.get() { Poll::Ready(()) } else { Poll::Pending }
    }
}

/// Polls `future`, and counts how often.
async fn counted<T>(polls: &Cell<usize>, future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    poll_fn(|context| {
        polls.set(polls.get() + 1);
        future.as_mut().poll(context)
    })
    .await
}

/// Sets its flag when it is dropped.
struct Flag(Rc<Cell<bool>>);

impl Drop for Flag {
    fn drop(&mut self) {
        self.0.set(true);
    }
}

/// Protects a task from being polled for each of several wake-ups, as two events of one batch are.
#[test]
fn a_task_that_is_woken_three_times_is_polled_once() {
    let executor = executor();
    let (probe, others) = (Probe::default(), Rc::clone(&executor));
    let shared = probe.clone();
    run(&executor, async move {
        others.spawn(shared.clone());
        give_way().await;
        assert_eq!(shared.polls(), 1, "spawning is the first wake-up");
        (0..3).for_each(|_| shared.waker().wake());
        give_way().await;
        give_way().await;
        assert_eq!(shared.polls(), 2);
        shared.end();
    });
    assert_eq!(probe.polls(), 3);
}

/// Protects a queue of work from clients that have left: what waits for another thread on their behalf is
/// dropped with the connection, but not while they may still read.
#[test]
fn what_is_awaited_for_a_lost_connection_is_dropped() {
    let executor = executor();
    let dropped = Rc::new(Cell::new(false));
    let (reactor, flag) = (Rc::clone(&executor), Flag(Rc::clone(&dropped)));
    let (ours, theirs) = UnixStream::pair().expect("a pair");
    theirs.set_nonblocking(true).expect("it is a socket");
    let seen = Rc::clone(&dropped);
    run(&executor, async move {
        let socket = Socket::new(reactor.reactor(), theirs.into(), open());
        let answer = socket.unless_lost(async { 7 }).await;
        assert_eq!(answer, Ok(7), "an answer that is there");
        ours.shutdown(std::net::Shutdown::Write).expect("it is connected");
        let asks = Rc::clone(&reactor);
        let half_closed = socket.unless_lost(sleep(&asks, 20)).await;
        assert_eq!(half_closed, Ok(()), "the peer still reads");
        drop(ours);
        let waits = async move {
            let _flag = flag;
            pending::<()>().await;
        };
        let lost = timeout(&mut sleep(&asks, FOR_EVER.as_millis() as u64), socket.unless_lost(waits)).await;
        assert_eq!(lost, Some(Err(nix::errno::Errno::ECONNRESET)));
        assert!(seen.get(), "the future is gone");
    });
    assert!(dropped.get());
}

/// Protects a task from the wakers of one that had its number before.
#[test]
fn a_wake_up_of_a_task_that_has_ended_finds_nothing() {
    let executor = executor();
    let (old, new) = (Probe::default(), Probe::default());
    let (others, of_old, of_new) = (Rc::clone(&executor), old.clone(), new.clone());
    run(&executor, async move {
        of_old.0.ready.set(true);
        others.spawn(of_old.clone());
        give_way().await;
        // It has the number that has become free.
        others.spawn(of_new.clone());
        give_way().await;
        (0..3).for_each(|_| of_old.waker().wake());
        give_way().await;
        assert_eq!((of_old.polls(), of_new.polls()), (1, 1));
        of_new.end();
    });
    // Nor does it need an executor.
    drop(executor);
    old.waker().wake();
}

/// Protects an executor that sleeps, or is about to, from sleeping through what another thread has done.
#[test]
fn a_wake_up_from_another_thread_ends_the_sleep() {
    let executor = executor();
    let reactor = Rc::clone(executor.reactor());
    run(&executor, async move {
        for _ in 0..200 {
            let done = Arc::new(AtomicBool::new(false));
            let mut started = false;
            let mut limit = Sleep::new(Rc::clone(&reactor), FOR_EVER);
            let in_time = poll_fn(|context| {
                // The limit first: it wakes the task as well, and then what the thread has done is seen too.
                if Pin::new(&mut limit).poll(context).is_ready() {
                    return Poll::Ready(false);
                }
                if done.load(SeqCst) {
                    return Poll::Ready(true);
                }
                if !std::mem::replace(&mut started, true) {
                    let (done, waker) = (Arc::clone(&done), context.waker().clone());
                    thread::spawn(move || {
                        done.store(true, SeqCst);
                        waker.wake();
                    });
                }
                Poll::Pending
            });
            assert!(in_time.await, "the wake-up was lost");
        }
    });
}

/// Protects the other connections from one whose peer sends faster than we read.
#[test]
fn a_task_whose_socket_is_always_ready_gives_way() {
    let executor = executor();
    let (mut peer, socket) = UnixStream::pair().expect("a pair");
    socket.set_nonblocking(true).expect("set");
    peer.write_all(&[0; 100]).expect("there is room");
    let mut socket = Socket::new(executor.reactor(), socket.into(), open());
    let (count, others) = (Rc::new(Cell::new(0)), Rc::clone(&executor));
    run(&executor, async move {
        let read = Rc::clone(&count);
        others.spawn(async move {
            let buffer = Buffer::new(vec![0; 1]);
            for _ in 0..100 {
                assert_eq!(socket.read(&buffer).await, Ok(1));
                read.set(read.get() + 1);
            }
        });
        let mut before = 0;
        while count.get() < 100 {
            give_way().await;
            assert!(count.get() - before <= 16, "{} bytes in a turn", count.get() - before);
            before = count.get();
        }
    });
}

/// Protects the sockets from tasks that never wait: the queue never becomes empty, and yet they are looked
/// at. And the look does not wait, since a task has something to do.
#[test]
fn tasks_that_are_always_ready_keep_no_event_from_the_others() {
    let executor = executor();
    let (mut peer, socket) = UnixStream::pair().expect("a pair");
    socket.set_nonblocking(true).expect("set");
    let mut socket = Socket::new(executor.reactor(), socket.into(), open());
    let (done, others) = (Rc::new(Cell::new(false)), Rc::clone(&executor));
    run(&executor, async move {
        let is_done = Rc::clone(&done);
        others.spawn(async move {
            assert_eq!(socket.read(&Buffer::new(vec![0; 8])).await, Ok(1));
            is_done.set(true);
        });
        give_way().await;
        peer.write_all(b"x").expect("there is room");
        let mut limit = Sleep::new(Rc::clone(others.reactor()), FOR_EVER);
        let busy = async {
            for _ in 0..1000 {
                give_way().await;
            }
        };
        assert!(timeout(&mut limit, busy).await.is_some(), "the executor slept beside a task in its queue");
        assert!(done.get(), "the socket was forgotten");
    });
}

/// Protects what a peer sends while no future waits for it: the edge of it is reported once. The future may
/// have ended, or have been dropped before it was ready.
#[test]
fn what_comes_between_two_waits_is_remembered() {
    let executor = executor();
    let (mut peer, socket) = UnixStream::pair().expect("a pair");
    socket.set_nonblocking(true).expect("set");
    let mut socket = Socket::new(executor.reactor(), socket.into(), open());
    let own = Rc::clone(&executor);
    run(&executor, async move {
        let (buffer, reactor) = (Buffer::new(vec![0; 8]), Rc::clone(own.reactor()));
        // The first wait is given up, the others end with a byte.
        assert_eq!(timeout(&mut sleep(&own, 10), socket.read(&buffer)).await, None);
        for _ in 0..3 {
            peer.write_all(b"x").expect("there is room");
            sleep(&own, 10).await;
            let mut limit = Sleep::new(Rc::clone(&reactor), FOR_EVER);
            assert_eq!(timeout(&mut limit, socket.read(&buffer)).await, Some(Ok(1)), "an event was lost");
        }
    });
}

/// Protects the order of time, and a task from being polled without a reason.
#[test]
fn timers_fire_in_order_and_once() {
    let executor = executor();
    let (order, polls) = (Rc::new(RefCell::new(Vec::new())), Rc::new(Cell::new(0)));
    let (others, fired, of_sleep) = (Rc::clone(&executor), Rc::clone(&order), Rc::clone(&polls));
    run(&executor, async move {
        for ms in [60, 20, 40] {
            let (sleep, fired, polls) = (sleep(&others, ms), Rc::clone(&fired), Rc::clone(&of_sleep));
            others.spawn(async move {
                counted(&polls, sleep).await;
                fired.borrow_mut().push(ms);
            });
        }
    });
    assert_eq!(*order.borrow(), [20, 40, 60]);
    assert_eq!(polls.get(), 2 * 3, "each is polled when it begins and when it ends");
}

/// Protects a deadline that moves while it is waited for, as that of a connection does with each request: the
/// timer that is armed fires too early, and another one must follow.
#[test]
fn a_timer_that_fires_too_early_is_followed_by_another_one() {
    let executor = executor();
    let (own, polls) = (Rc::clone(&executor), Rc::new(Cell::new(0)));
    let of_moved = Rc::clone(&polls);
    run(&executor, async move {
        let mut moved = sleep(&own, 10);
        let at = own.reactor().now().ms + 60;
        let moved = poll_fn(|context| {
            let polled = Pin::new(&mut moved).poll(context);
            moved.reset(at);
            polled
        });
        let mut limit = Sleep::new(Rc::clone(own.reactor()), FOR_EVER);
        // The timer of the limit would wake the task as well, but much later.
        assert!(timeout(&mut limit, counted(&of_moved, moved)).await.is_some(), "no timer was armed");
        let late = own.reactor().now().ms.checked_sub(at).expect("it ended too early");
        assert!(late < FOR_EVER.as_millis() as u64 / 2, "no timer was armed: {late} ms late");
    });
    // One to begin, and one for each timer, unless the machine was so slow that both were over at once.
    assert!((2..=3).contains(&polls.get()), "{} polls", polls.get());
}

/// Protects a task from a timer of a future that it has dropped.
#[test]
fn a_timer_that_was_dropped_does_not_fire() {
    let executor = executor();
    let (polls, own) = (Rc::new(Cell::new(0)), Rc::clone(&executor));
    let of_main = Rc::clone(&polls);
    run(&executor, async move {
        counted(&of_main, async move {
            let mut dropped = sleep(&own, 10);
            let first = poll_fn(|context| Poll::Ready(Pin::new(&mut dropped).poll(context)));
            assert_eq!(first.await, Poll::Pending);
            drop(dropped);
            sleep(&own, 50).await;
        })
        .await;
    });
    assert_eq!(polls.get(), 2, "one to begin, one for the timer that was not dropped");
}

/// Protects what a future owns from staying open after its time: to drop it is to cancel it.
#[test]
fn a_timeout_drops_its_future() {
    let executor = executor();
    let (dropped, own) = (Rc::new(Cell::new(false)), Rc::clone(&executor));
    let is_dropped = Rc::clone(&dropped);
    run(&executor, async move {
        let flag = Flag(Rc::clone(&is_dropped));
        let future = async move {
            let _flag = flag;
            pending::<()>().await;
        };
        assert_eq!(timeout(&mut sleep(&own, 10), future).await, None);
        assert!(is_dropped.get());
        // What is ready in time is returned, also when the time is over.
        assert_eq!(timeout(&mut sleep(&own, 0), ready(7)).await, Some(7));
    });
}

/// Protects the end of an executor whose tasks wait for timers and sockets: to be dropped they need the
/// reactor.
#[test]
fn an_executor_that_fails_drops_the_tasks_that_wait() {
    let executor = executor();
    let (_peer, socket) = UnixStream::pair().expect("a pair");
    socket.set_nonblocking(true).expect("set");
    let mut socket = Socket::new(executor.reactor(), socket.into(), open());
    let flags: Vec<Rc<Cell<bool>>> = (0..3).map(|_| Rc::default()).collect();
    let (sleeper, fiber) = (sleep(&executor, 60_000), sleep(&executor, 60_000));
    let on = |index: usize| Flag(Rc::clone(&flags[index]));
    let (of_sleeper, of_socket, of_fiber) = (on(0), on(1), on(2));
    executor.spawn(async move {
        let _flag = of_sleeper;
        sleeper.await;
    });
    executor.spawn(async move {
        let _flag = of_socket;
        let _ = socket.read(&Buffer::new(vec![0; 8])).await;
    });
    // What a fiber has on its stack is dropped too.
    let fiber = Fiber::new(move |waits| {
        let _flag = of_fiber;
        waits.wait(fiber);
    });
    executor.spawn(fiber.expect("there is memory"));
    let result = executor.run(async {
        give_way().await;
        Err(io::Error::other("no more descriptors"))
    });
    assert_eq!(result.expect_err("it failed").to_string(), "no more descriptors");
    assert!(flags.iter().all(|dropped| !dropped.get()), "they were waiting");
    drop(executor);
    assert!(flags.iter().all(|dropped| dropped.get()));
}
