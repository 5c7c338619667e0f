//! Time as a future: [`Sleep`], and [`timeout`] for any other future.
//!
//! The timers are those of stage 08, and so is the rule that makes them cheap: a timer that is armed is left
//! alone while its deadline moves into the future. When it fires, its task is polled, finds that it is too
//! early, and arms the next one. So a `Sleep` that is kept and [reset](Sleep::reset) with every request, as
//! that of a connection, costs a timer operation a minute.

use crate::numbers::Numbers;
use crate::reactor::Reactor;
use kit::connection_table::{ConnectionTable, SHUTDOWN, Token};
use nix::sys::epoll::{Epoll, EpollTimeout};
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use timers::source::WakeBy;
use timers::{Deadlines, Structure, Timer};

/// A timerfd would have this token: there is none, since the timeout of epoll_wait(2) wakes the loop.
const NO_TIMERFD: Token = SHUTDOWN - 2;

/// The tasks that wait for a time.
pub(crate) struct Sleepers {
    deadlines: Deadlines,
    table: ConnectionTable<Sleeper>,
    numbers: Numbers,
}

struct Sleeper {
    timer: Option<Timer>,
    waker: Waker,
}

impl Sleepers {
    /// Nobody sleeps.
    pub(crate) fn new(epoll: &Epoll, now: u64) -> io::Result<Self> {
        let deadlines = Deadlines::new(Structure::Heap, WakeBy::Epoll, epoll, NO_TIMERFD, now)?;
        Ok(Self { deadlines, table: ConnectionTable::new(), numbers: Numbers::default() })
    }

    /// How long the reactor may wait.
    pub(crate) fn timeout(&mut self, now: u64) -> nix::Result<EpollTimeout> {
        self.deadlines.timeout(now)
    }

    /// Wakes the tasks whose timers have fired.
    pub(crate) fn expire(&mut self, now: u64) {
        for token in self.deadlines.expired(now) {
            if let Some(Sleeper { timer, waker }) = self.table.get_mut(token) {
                *timer = None;
                waker.wake_by_ref();
            }
        }
    }

    /// Wakes the task at `at`, or earlier. `token` is what the last call returned.
    fn arm(&mut self, token: Option<Token>, at: u64, waker: &Waker) -> Token {
        let token = token.unwrap_or_else(|| {
            let token = self.table.token_of(self.numbers.take());
            self.table.insert(token, Sleeper { timer: None, waker: waker.clone() });
            token
        });
        if let Some(sleeper) = self.table.get_mut(token) {
            sleeper.waker.clone_from(waker);
            self.deadlines.arm(&mut sleeper.timer, Some(at), token);
        }
        token
    }

    fn remove(&mut self, token: Token) {
        if let Some(Sleeper { timer, .. }) = self.table.remove(token) {
            self.deadlines.cancel(timer);
            self.numbers.put_back((token & 0xffff_ffff) as usize);
        }
    }
}

/// A future that is ready at a time.
pub struct Sleep {
    reactor: Rc<Reactor>,
    /// In ms of [`kit::clock::LoopContext`].
    at: u64,
    /// Where its timer is, once it has waited.
    token: Option<Token>,
}

impl Sleep {
    /// Ready when the reactor's clock has reached `at` (ms); `u64::MAX` is never.
    pub fn until(reactor: Rc<Reactor>, at: u64) -> Self {
        Self { reactor, at, token: None }
    }

    /// Ready when `time` has passed.
    pub fn new(reactor: Rc<Reactor>, time: Duration) -> Self {
        let at = reactor.now().ms.saturating_add(time.as_millis() as u64);
        Self::until(reactor, at)
    }

    /// Moves the time. Whoever waits must poll it again.
    pub fn reset(&mut self, at: u64) {
        self.at = at;
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.reactor.now().ms >= self.at {
            return Poll::Ready(());
        }
        if self.at != u64::MAX {
            let mut timers = self.reactor.timers().borrow_mut();
            let token = timers.arm(self.token, self.at, context.waker());
            drop(timers);
            self.token = Some(token);
        }
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(token) = self.token {
            self.reactor.timers().borrow_mut().remove(token);
        }
    }
}

// ANCHOR: timeout
/// What `future` returns, or `None` if `limit` is ready before. What the future had begun ends with it: to
/// drop a future is to cancel it.
pub async fn timeout<T>(limit: &mut Sleep, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(value) => Poll::Ready(Some(value)),
        Poll::Pending => Pin::new(&mut *limit).poll(context).map(|()| None),
    })
    .await
}
// ANCHOR_END: timeout
