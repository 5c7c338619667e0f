//! `arc-cycle`: a connection has a timer, and the timer has a closure that closes the connection. **The first
//! pair of types is an exhibit and leaks.** The lab's own timers hold a token, a number, and own nothing.

use crate::experiment::{Experiment, Seconds};
use crate::report::{Figure, Figures, Judgement, Measured};
use crate::session::Session;
use anyhow::Result;
use std::cell::{Cell, OnceCell};
use std::collections::VecDeque;
use std::rc::{Rc, Weak};

use timers::{Structure, Timer};

/// The experiment.
pub(super) const EXPERIMENT: Experiment = Experiment {
    id: "arc-cycle",
    method: "Connections are opened, each with a timer, and closed again, after which all timers fire; \
             counted is how many connections are alive then. The timer's closure holds its connection, the \
             connection holds its timer strongly or weakly, or the timer holds a token as in stage 08.",
    needs: &[],
    seconds: Seconds { quick: 0.1, full: 0.1 },
    run,
    judge,
};

const CONNECTIONS: usize = 10_000;

/// Counts those that are alive.
struct Alive(Rc<Cell<usize>>);

impl Alive {
    fn new(count: &Rc<Cell<usize>>) -> Self {
        count.set(count.get() + 1);
        Self(Rc::clone(count))
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

/// What source 003 had first: `timer` is set once it is armed.
struct Connection {
    _alive: Alive,
    timer: OnceCell<Handle>,
}

struct ClosingTimer {
    close: Box<dyn Fn()>,
}

/// How a connection holds its timer.
enum Handle {
    Strong(#[allow(dead_code, reason = "to hold it is all that it does")] Rc<ClosingTimer>),
    Weak(#[allow(dead_code, reason = "to hold it is all that it does")] Weak<ClosingTimer>),
}

/// How many connections are alive after they were closed, and after their timers have fired too.
fn left_with_closures(hold: fn(&Rc<ClosingTimer>) -> Handle) -> (usize, usize) {
    let alive = Rc::new(Cell::new(0));
    let mut timers = VecDeque::new();
    let open = |timers: &mut VecDeque<Rc<ClosingTimer>>| {
        let connection = Rc::new(Connection { _alive: Alive::new(&alive), timer: OnceCell::new() });
        let its = Rc::clone(&connection);
        // The timer owns the connection: whoever is called must be there.
        let close = Box::new(move || assert!(its.timer.get().is_some(), "it was armed"));
        let timer = Rc::new(ClosingTimer { close });
        // It is empty: it was made just now.
        let _ = connection.timer.set(hold(&timer));
        timers.push_back(timer);
        connection
    };
    let connections: Vec<Rc<Connection>> = (0..CONNECTIONS).map(|_| open(&mut timers)).collect();
    drop(connections);
    let closed = alive.get();
    // All timers fire; each is released when it has.
    timers.drain(..).for_each(|timer| (timer.close)());
    (closed, alive.get())
}

/// The same with stage 08's timers: the connection is dropped when it is closed, whatever its timer does.
fn left_with_tokens() -> (usize, usize) {
    let alive = Rc::new(Cell::new(0));
    let mut timers = Structure::Heap.build(0);
    let open = |key: usize, timers: &mut Box<dyn timers::Timers>| {
        (Alive::new(&alive), timers.arm(60_000, key as u64))
    };
    let connections: Vec<(Alive, Timer)> = (0..CONNECTIONS).map(|key| open(key, &mut timers)).collect();
    drop(connections);
    let closed = alive.get();
    timers.expire(60_000, &mut Vec::new());
    (closed, alive.get())
}

fn run(_: &mut Session) -> Result<Measured> {
    // What leaks stays until the process ends: that is the lesson, and it is 10,000 small objects.
    let mut figures = Figures(vec![Figure::exact("connections", "connections", CONNECTIONS as f64)]);
    let strong = left_with_closures(|timer| Handle::Strong(Rc::clone(timer)));
    let weak = left_with_closures(|timer| Handle::Weak(Rc::downgrade(timer)));
    for (name, (closed, fired)) in
        [("strong pointer", strong), ("weak pointer", weak), ("token", left_with_tokens())]
    {
        figures.push(Figure::exact(format!("{name}: alive when closed"), "connections", closed as f64));
        figures.push(Figure::exact(
            format!("{name}: alive when all timers fired"),
            "connections",
            fired as f64,
        ));
    }
    Ok(figures.into())
}

fn judge(figures: &Figures) -> Result<Judgement> {
    const LESSON: &str = "Two owners in a circle free nobody; and a timer that owns its connection keeps it \
                          until it fires. Give a timer a key, not a pointer.";
    let all = figures.value("connections")?;
    let left = |name: &str| figures.value(&format!("{name}: alive when all timers fired"));
    let (strong, weak, token) = (left("strong pointer")?, left("weak pointer")?, left("token")?);
    let kept = figures.value("weak pointer: alive when closed")?;
    let because = format!(
        "with strong pointers {strong} of {all} connections are never freed, with a weak one {weak}, with \
         tokens {token}; but with the weak one {kept} closed connections stay until their timers fire"
    );
    Ok(match (strong, weak) {
        (strong, 0.0) if strong == all => Judgement::holds(because, LESSON),
        (0.0, _) => {
            Judgement::refuted(because, LESSON, "A leak of another cause: this cycle leaks nothing here.")
        }
        _ => Judgement::inconclusive(because, LESSON),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Verdict;

    #[test]
    fn the_cycle_must_leak_and_the_weak_pointer_must_not() {
        let verdict = |strong: f64, weak: f64| {
            let mut figures = Figures(vec![Figure::exact("connections", "connections", 10.0)]);
            for (name, left) in [("strong pointer", strong), ("weak pointer", weak), ("token", 0.0)] {
                figures.push(Figure::exact(
                    format!("{name}: alive when all timers fired"),
                    "connections",
                    left,
                ));
            }
            figures.push(Figure::exact("weak pointer: alive when closed", "connections", 10.0));
            judge(&figures).expect("all figures are there").verdict
        };
        assert_eq!(verdict(10.0, 0.0), Verdict::Holds);
        assert_eq!(verdict(0.0, 0.0), Verdict::Refuted);
        assert_eq!(verdict(10.0, 10.0), Verdict::Inconclusive);
    }
}
