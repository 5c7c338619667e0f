//! The learner's loop: at each save the crate is built and graded, until it is solved.

use crate::command::{Outcome, Session};
use crate::exercise::Exercise;
use anyhow::{Context, Result};
use lab_core::interruption::Interruption;
use notify::{Event, RecursiveMode, Watcher, recommended_watcher};
use std::io::{BufRead, IsTerminal, stdin};
use std::path::Path;
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

/// How often a signal is looked for.
const LOOK: Duration = Duration::from_millis(100);
/// An editor saves in several steps, and a tool that formats follows at once.
const SETTLED: Duration = Duration::from_millis(150);

/// What wakes the loop.
enum Message {
    Saved,
    Typed(String),
}

/// What comes next.
enum Next {
    Grade,
    End,
}

/// Grades now and at each save.
///
/// # Errors
/// That the files cannot be watched, or what an attempt says.
pub(crate) fn watch(
    session: &Session<'_>,
    exercise: &Exercise,
    interruption: &Interruption,
) -> Result<ExitCode> {
    let (sender, receiver) = channel();
    let folder = session.work.of(exercise);
    let saved = sender.clone();
    let watcher = recommended_watcher(move |event: notify::Result<Event>| {
        if event.is_ok_and(|event| is_save(&event)) {
            // The receiver is gone when the loop has ended.
            let _ = saved.send(Message::Saved);
        }
    });
    let watcher = watcher.and_then(|mut watcher| {
        watcher.watch(&folder, RecursiveMode::Recursive)?;
        Ok(watcher)
    });
    let _watcher = watcher.with_context(|| {
        let command = session.work.command(&format!("{} --once", exercise.name));
        format!("cannot watch {}; `{command}` grades without", folder.display())
    })?;
    let has_keys = stdin().is_terminal();
    if has_keys {
        read_keys(sender);
    }
    loop {
        let outcome = session.attempt(exercise, interruption)?;
        if outcome == Outcome::Solved && !interruption.has_come() {
            return Ok(ExitCode::SUCCESS);
        }
        if !interruption.has_come() {
            let keys = if has_keys { "; h and Enter: a hint; q and Enter: the end" } else { "" };
            println!("\nwaiting for a save{keys} ...");
        }
        match wait(session, exercise, interruption, &receiver)? {
            Next::Grade => {}
            Next::End => {
                println!(
                    "\nYour work and your progress are kept. Go on with: {}",
                    session.work.command(&exercise.name)
                );
                return Ok(match interruption.signal() {
                    // The usual end of a program that watches.
                    None | Some(2) => ExitCode::SUCCESS,
                    Some(signal) => ExitCode::from(128 + signal),
                });
            }
        }
    }
}

/// Waits until there is something to grade.
fn wait(
    session: &Session<'_>,
    exercise: &Exercise,
    interruption: &Interruption,
    receiver: &Receiver<Message>,
) -> Result<Next> {
    loop {
        if interruption.has_come() {
            return Ok(Next::End);
        }
        match receiver.recv_timeout(LOOK) {
            Err(RecvTimeoutError::Timeout) => {}
            // The watcher has ended: nothing would come any more.
            Err(RecvTimeoutError::Disconnected) => return Ok(Next::End),
            Ok(Message::Saved) => {
                // What follows at once is of the same save; a key that was typed meanwhile can be typed
                // again.
                while receiver.recv_timeout(SETTLED).is_ok() {}
                return Ok(Next::Grade);
            }
            Ok(Message::Typed(line)) => match line.trim() {
                "h" | "hint" => session.hint(exercise)?,
                "q" | "quit" => return Ok(Next::End),
                "" | "g" => return Ok(Next::Grade),
                _ => println!("h: one more hint; g: grade again; q: the end"),
            },
        }
    }
}

/// Whether the event may have changed what is built: cargo reads the sources and writes Cargo.lock.
fn is_save(event: &Event) -> bool {
    let is_source = |path: &Path| {
        path.extension().is_some_and(|ending| ending == "rs")
            || path.file_name() == Some("Cargo.toml".as_ref())
    };
    !event.kind.is_access() && event.paths.iter().any(|path| is_source(path))
}

fn read_keys(sender: Sender<Message>) {
    // It ends with the process: nothing else ends a read of a terminal.
    thread::spawn(move || {
        for line in stdin().lock().lines().map_while(Result::ok) {
            if sender.send(Message::Typed(line)).is_err() {
                return;
            }
        }
    });
}
