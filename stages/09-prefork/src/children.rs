//! The children: forked, reaped, replaced.

use crate::board::Board;
use crate::line::{Line, line};
use nix::errno::Errno;
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork, getpid, getppid};
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

/// A child that lived for less and has accepted nobody has failed, and is not replaced at once a second time.
const A_LIFE: Duration = Duration::from_secs(1);

/// The longest pause before a child that dies again and again is replaced.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// The places of all children.
#[derive(Debug)]
pub struct Children {
    places: Vec<Place>,
    board: Board,
    /// No place is filled any more.
    closed: bool,
}

/// The place of a child: it is filled again when its child has died.
#[derive(Debug)]
struct Place {
    child: Option<Child>,
    /// How many of its children in a row have died young.
    deaths: u32,
    /// When it is to be filled.
    due: Option<Instant>,
}

#[derive(Debug)]
struct Child {
    pid: Pid,
    line: Line,
    born: Instant,
    /// What the children of this place had accepted when it was born.
    accepted: u64,
    /// It was told of a connection, and has not answered.
    told: bool,
}

/// What came of a fork: it returns twice.
#[derive(Debug)]
pub enum Forked {
    /// In the parent.
    Parent,
    /// In the child: its end of the line.
    Child(Line),
}

impl Children {
    /// A place for each row of the board, all to be filled now.
    pub fn new(board: Board) -> Self {
        let empty = || Place { child: None, deaths: 0, due: Some(Instant::now()) };
        Self { places: (0..board.count()).map(|_| empty()).collect(), board, closed: false }
    }

    /// The places that are to be filled now.
    pub fn due(&self) -> Vec<usize> {
        let now = Instant::now();
        let is_due = |index: &usize| !self.closed && self.places[*index].due.is_some_and(|due| due <= now);
        (0..self.places.len()).filter(is_due).collect()
    }

    /// When the next place is to be filled.
    pub fn next_due(&self) -> Option<Instant> {
        if self.closed { None } else { self.places.iter().filter_map(|place| place.due).min() }
    }

    /// Fills a place. If the system allows no more processes, it is tried again a little later.
    ///
    /// # Errors
    /// What socketpair(2) says.
    pub fn fork(&mut self, index: usize) -> nix::Result<Forked> {
        let (ours, its) = line()?;
        let (parent, place) = (getpid(), &mut self.places[index]);
        // SAFETY: this process has a single thread, so the child finds no lock held by a thread it does not have.
        match unsafe { fork() } {
            Ok(ForkResult::Child) => {
                // A parent that is killed outright cannot tell its children.
                let _ = set_pdeathsig(Signal::SIGKILL);
                if getppid() != parent {
                    // It was killed before the line above.
                    // SAFETY: _exit(2) has no precondition.
                    unsafe { nix::libc::_exit(1) };
                }
                Ok(Forked::Child(its))
            }
            Ok(ForkResult::Parent { child: pid }) => {
                let accepted = self.board.row(index).accepted.load(Relaxed);
                place.child = Some(Child { pid, line: ours, born: Instant::now(), accepted, told: false });
                place.due = None;
                Ok(Forked::Parent)
            }
            Err(_) => {
                place.die_young();
                Ok(Forked::Parent)
            }
        }
    }

    /// Waits for those that have ended: signals do not queue, so one SIGCHLD may stand for several. Gives what
    /// became of them.
    pub fn reap(&mut self) -> Vec<WaitStatus> {
        let mut ended = Vec::new();
        loop {
            match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::StillAlive) | Err(Errno::ECHILD) => return ended,
                Err(Errno::EINTR) => {}
                Err(_) => return ended,
                Ok(status) => {
                    let has = |place: &Place| place.child.as_ref().map(|child| child.pid) == status.pid();
                    // It may be nobody that we started: a shell that became this server by exec leaves it its children.
                    let Some(index) = self.places.iter().position(has) else { continue };
                    let (place, row) = (&mut self.places[index], self.board.row(index));
                    // It can no longer do so itself.
                    row.open.store(0, Relaxed);
                    let accepted = row.accepted.load(Relaxed);
                    match place.child.take() {
                        Some(child) if child.born.elapsed() < A_LIFE && child.accepted == accepted => {
                            place.die_young();
                        }
                        _ => (place.deaths, place.due) = (0, Some(Instant::now())),
                    }
                    ended.push(status);
                }
            }
        }
    }

    /// No place is filled any more, and every child is sent `signal`.
    pub fn signal_all(&mut self, signal: Signal) {
        self.closed = true;
        for child in self.places.iter().filter_map(|place| place.child.as_ref()) {
            let _ = kill(child.pid, signal);
        }
    }

    /// Whether no child is left.
    pub fn are_gone(&self) -> bool {
        self.places.iter().all(|place| place.child.is_none())
    }

    /// The parent's end of a child's line.
    pub fn line(&self, index: usize) -> Option<&Line> {
        self.places[index].child.as_ref().map(|child| &child.line)
    }

    // ANCHOR: tell
    /// Tells the next child, from place `next` on, that there is a connection; gives its place. A child that has not
    /// answered yet is left out. None if nobody can be told.
    pub fn tell(&mut self, next: usize) -> Option<usize> {
        let count = self.places.len();
        (next..next + count).map(|index| index % count).find(|&index| match &mut self.places[index].child {
            Some(child) if !child.told => {
                child.told = child.line.say();
                child.told
            }
            _ => false,
        })
    }
    // ANCHOR_END: tell

    /// Tells the next child whether or not it has answered, as long as its line has room.
    pub fn tell_again(&mut self, next: usize) -> Option<usize> {
        let count = self.places.len();
        let child = |index: usize| self.places[index].child.as_ref();
        (next..next + count)
            .map(|index| index % count)
            .find(|&index| child(index).is_some_and(|child| child.line.say()))
    }

    /// A child has answered.
    pub fn answered(&mut self, index: usize) {
        if let Some(child) = &mut self.places[index].child
            && child.line.hear()
        {
            child.told = false;
        }
    }
}

impl Place {
    /// The first time it is filled again at once, then after 0.1 s, 0.2 s, 0.4 s …: a child that dies at its first line
    /// would otherwise keep the machine busy with forking.
    fn die_young(&mut self) {
        let pause = match self.deaths {
            0 => Duration::ZERO,
            deaths => Duration::from_millis(100 << (deaths - 1).min(10)).min(LONGEST_PAUSE),
        };
        self.deaths = self.deaths.saturating_add(1);
        self.due = Some(Instant::now() + pause);
    }
}
